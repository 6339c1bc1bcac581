package journal

import (
	"errors"
	"io"
	"os"
	"syscall"
)

// FS is what the journal needs of a file system. Its methods may be called
// concurrently. Errors wrap the errors of package io/fs and syscall as package os
// does.
type FS interface {
	// MkdirAll creates the folder and its parents with mode 0750.
	MkdirAll(dir string) error
	// ReadDir returns the names in a folder.
	ReadDir(dir string) ([]string, error)
	// OpenFile opens a file with flags of package os and mode 0640.
	OpenFile(name string, flag int) (File, error)
	// Remove deletes a file; its name may come back after a crash until SyncDir.
	Remove(name string) error
	// Link gives a file a second name.
	Link(oldname, newname string) error
	// SyncDir returns nil only when the names in the folder are durable.
	SyncDir(dir string) error
}

// File is an open file. ReadAt may run concurrently with everything else.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Sync returns nil only when all bytes written before the call are durable.
	Sync() error
	Truncate(size int64) error
	Size() (int64, error)
}

// Folders are closed to others since the logs of a tenant hold personal data.
const (
	dirMode  = 0o750
	fileMode = 0o640
)

// osFS is the FS of the operating system.
type osFS struct{}

type osFile struct{ *os.File }

func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (osFS) MkdirAll(dir string) error { return os.MkdirAll(dir, dirMode) }

func (osFS) ReadDir(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, nil
}

func (osFS) OpenFile(name string, flag int) (File, error) {
	f, err := os.OpenFile(name, flag, fileMode)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (osFS) Remove(name string) error           { return os.Remove(name) }
func (osFS) Link(oldname, newname string) error { return os.Link(oldname, newname) }

func (osFS) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// isNoSpace tells whether err says that the disk or the quota is full.
func isNoSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// advice says what an operator can do about an error of the file system.
func advice(err error) string {
	switch {
	case isNoSpace(err):
		return "free space on that file system; aictail goes on by itself once there is room"
	case errors.Is(err, syscall.EROFS):
		return "the file system is mounted read-only: check the disk and the mount; aictail goes on by itself once it is writable"
	case errors.Is(err, os.ErrNotExist):
		return "somebody has removed it: put it back; if it is lost, restart aictail, which goes on behind it, and have its time read again with aictail backfill"
	case errors.Is(err, os.ErrPermission):
		return "check the owner and the permissions of the folder"
	case errors.Is(err, syscall.EIO):
		return "the disk reports an error: check it and the kernel log"
	}
	return "check the disk and the mount"
}
