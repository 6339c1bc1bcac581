package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// LockedError says that another process uses the data_dir.
type LockedError struct {
	Dir string
	// PID is the process's id in its own namespace; 0 if it could not be read.
	PID int
}

func (e *LockedError) Error() string {
	pid := ""
	if e.PID > 0 {
		pid = fmt.Sprintf(" (pid %d)", e.PID)
	}
	return fmt.Sprintf("data_dir %s is in use by another aictail process%s: stop it, or give this one its own data_dir", e.Dir, pid)
}

const lockName = "lock"

// acquireLock locks a data_dir until the returned file is closed or the process
// ends. The lock file stays: to remove it would let two processes lock two files
// of the same name.
func acquireLock(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return nil, &dirError{dir, "lock data_dir", err}
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if errors.Is(err, syscall.EWOULDBLOCK) {
		locked := &LockedError{Dir: dir, PID: readPID(f)}
		_ = f.Close() // it was only read
		return nil, locked
	}
	if err == nil {
		err = writePID(f)
	}
	if err != nil {
		return nil, &dirError{dir, "lock data_dir", errors.Join(err, f.Close())}
	}
	return f, nil
}

// readPID returns the process id in a lock file, or 0.
func readPID(f *os.File) int {
	b, err := io.ReadAll(io.LimitReader(f, 32))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || pid < 0 {
		return 0
	}
	return pid
}

// writePID replaces the content of a lock file. It need not survive a crash.
func writePID(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0)
	return err
}
