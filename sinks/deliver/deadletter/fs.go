package deadletter

import (
	"errors"
	"io"
	"os"
	"syscall"
)

// FS is the set of file operations that the store needs, so that tests can fail
// any of them. Errors are those of package os.
type FS interface {
	// Mkdir creates one folder with mode 0750.
	Mkdir(name string) error
	// Open opens a file with the flags of package os; it creates with mode 0640.
	Open(name string, flag int) (File, error)
	Rename(from, to string) error
	Remove(name string) error
	// SyncFolder returns nil only when the names in the folder are durable.
	SyncFolder(name string) error
}

// File is one open file.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Sync returns nil only when all that was written is durable.
	Sync() error
	Truncate(size int64) error
	Size() (int64, error)
}

// Letters hold what events hold: they are for their owner and a group of
// readers.
const (
	folderMode = 0o750
	fileMode   = 0o640
)

// osFS is the file system of the operating system.
type osFS struct{}

type osFile struct{ *os.File }

func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (osFS) Mkdir(name string) error      { return os.Mkdir(name, folderMode) }
func (osFS) Rename(from, to string) error { return os.Rename(from, to) }
func (osFS) Remove(name string) error     { return os.Remove(name) }

func (osFS) Open(name string, flag int) (File, error) {
	f, err := os.OpenFile(name, flag, fileMode)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (osFS) SyncFolder(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// advice says what an operator can do about an error of the file system.
func advice(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "free space on that file system; delivery then goes on by itself"
	case errors.Is(err, syscall.EROFS):
		return "the file system is mounted read-only: check the disk and the mount"
	case errors.Is(err, os.ErrPermission):
		return "the user that runs aictail must be able to write there: check owner and permissions"
	case errors.Is(err, syscall.EIO):
		return "the disk reports an error: check it and the kernel log"
	}
	return "check the file and its folder"
}

// OS returns the file system of the operating system.
func OS() FS { return osFS{} }
