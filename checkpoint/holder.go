package checkpoint

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Holder returns the id of the process that holds the lock on a data_dir, 0 if its id
// cannot be read, and whether any does. It changes nothing; for the moment of the
// question it shares the lock, in which a daemon cannot start.
func Holder(dir string) (pid int, held bool, err error) {
	f, err := os.Open(filepath.Join(dir, lockName))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, &dirError{dir, "look at the lock of data_dir", err}
	}
	defer func() { _ = f.Close() }() // gives the shared lock free
	err = flock(f, syscall.LOCK_SH)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return readPID(f), true, nil
	}
	if err != nil {
		return 0, false, &dirError{dir, "look at the lock of data_dir", err}
	}
	return 0, false, nil
}
