package checkpoint

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bberrors "go.etcd.io/bbolt/errors"
)

// CorruptError says that state.db can't be used.
type CorruptError struct {
	Path string
	Err  error
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("%s is damaged: %v. Move it away (keep it for examination) and start again. "+
		"Positions are then rebuilt from what the journal still holds: streams go on where its records say, "+
		"or at the tenant's configured start if there are none; every sink is sent again what the journal holds, "+
		"which Elasticsearch recognises by id; Kafka, Splunk and files do not", e.Path, e.Err)
}

func (e *CorruptError) Unwrap() error { return e.Err }

// dirError is an error of the file system on data_dir.
type dirError struct {
	dir, what string
	err       error
}

func (e *dirError) Error() string {
	return fmt.Sprintf("%s %s: %v%s", e.what, e.dir, e.err, advice(e.err))
}

func (e *dirError) Unwrap() error { return e.err }

// advice says what an operator can do about an error of the file system.
func advice(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "; free space on that file system"
	case errors.Is(err, syscall.EROFS):
		return "; the file system is mounted read-only: check the disk and the mount, or set another data_dir"
	case errors.Is(err, os.ErrPermission):
		return "; the user that runs aictail must be able to write there: check owner and permissions, or set another data_dir"
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, os.ErrExist):
		return "; something that is not a folder has this name: move it away, or set another data_dir"
	case errors.Is(err, syscall.EIO):
		return "; the disk reports an error: check it and the kernel log"
	}
	return ""
}

// lockTimeout is how long to wait for bbolt's own lock on the file. Our lock is
// held, so that only a tool that inspects the file can have it.
const lockTimeout = 3 * time.Second

// openDB opens a bbolt file and reads all of it once. bbolt trusts what it maps
// into memory: on a damaged file it panics, now or in the middle of a day. The
// file is small, and to find out at start costs nothing. Read-only, it is neither
// created nor changed.
func openDB(path string, readOnly bool) (db *bbolt.DB, err error) {
	var file *os.File
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true)) // a file cut short faults
	defer func() {
		if r := recover(); r != nil {
			db, err = nil, &CorruptError{path, fmt.Errorf("reading it failed: %v", r)}
			if file != nil {
				_ = file.Close() // gives bbolt's lock free
			}
		}
	}()
	db, err = bbolt.Open(path, 0o640, &bbolt.Options{
		Timeout:  lockTimeout,
		ReadOnly: readOnly,
		// Lookups of free pages stay fast however the file has grown.
		FreelistType: bbolt.FreelistMapType,
		OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
			var err error
			file, err = os.OpenFile(name, flag, mode)
			return file, err
		},
	})
	switch {
	case errors.Is(err, bberrors.ErrInvalid), errors.Is(err, bberrors.ErrChecksum), errors.Is(err, bberrors.ErrVersionMismatch):
		return nil, &CorruptError{path, err}
	case errors.Is(err, bberrors.ErrTimeout):
		return nil, fmt.Errorf("open %s: another program has the file open: end it", path)
	case err != nil:
		return nil, fmt.Errorf("open %s: %w%s", path, err, advice(err))
	}
	if err := checkDB(db, file); err != nil {
		return nil, errors.Join(&CorruptError{path, err}, db.Close())
	}
	return db, nil
}

// checkDB reads every page.
func checkDB(db *bbolt.DB, file *os.File) error {
	return db.View(func(tx *bbolt.Tx) error {
		info, err := file.Stat()
		if err != nil {
			return err
		}
		if info.Size() < tx.Size() {
			return fmt.Errorf("it has %d bytes instead of %d", info.Size(), tx.Size())
		}
		var first error
		for err := range tx.Check() { // to the end, or its goroutine stays
			if first == nil {
				first = err
			}
		}
		return first
	})
}
