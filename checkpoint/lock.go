package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
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

// OwnerError says that root was about to use the data_dir of another user. What root
// creates there that user's daemon could not open any more: it would not start again.
type OwnerError struct {
	Dir string
	UID int // the owner's
}

func (e *OwnerError) Error() string {
	return fmt.Sprintf("data_dir %s belongs to another user (uid %d), whose daemon could not use what root writes there: "+
		"start the daemon (systemctl start aictail), which then does this itself, or run this as that user", e.Dir, e.UID)
}

const lockName = "lock"

// acquireLock locks a data_dir until the returned file is closed or the process
// ends, for a process of the user euid. The lock file stays: to remove it would let
// two processes lock two files of the same name.
func acquireLock(dir string, euid int) (*os.File, error) {
	foreign := checkOwner(dir, euid)
	flags := os.O_RDWR | os.O_CREATE
	if foreign != nil {
		flags = os.O_RDONLY // just to see whether the daemon runs
	}
	f, err := os.OpenFile(filepath.Join(dir, lockName), flags, 0o640)
	if foreign != nil && errors.Is(err, fs.ErrNotExist) {
		return nil, foreign
	}
	if err != nil {
		return nil, &dirError{dir, "lock data_dir", err}
	}
	err = flock(f, syscall.LOCK_EX)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		locked := &LockedError{Dir: dir, PID: readPID(f)}
		_ = f.Close() // it was only read
		return nil, locked
	}
	if foreign != nil {
		_ = f.Close() // the same
		return nil, foreign
	}
	if err == nil {
		err = writePID(f)
	}
	if err != nil {
		return nil, &dirError{dir, "lock data_dir", errors.Join(err, f.Close())}
	}
	return f, nil
}

// checkOwner returns an *OwnerError if a process of the user euid is root's and the
// folder is not, or the error that keeps it from knowing.
func checkOwner(dir string, euid int) error {
	if euid != 0 {
		return nil
	}
	info, err := os.Stat(dir)
	if err != nil {
		return &dirError{dir, "look at data_dir", err}
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && stat.Uid != 0 {
		return &OwnerError{Dir: dir, UID: int(stat.Uid)}
	}
	return nil
}

// flock locks a file without waiting for another process.
func flock(f *os.File, how int) error {
	for {
		if err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
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
