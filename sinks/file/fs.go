package file

import (
	"errors"
	"io"
	"os"
	"time"
)

// Modes of what the sink creates, before the umask. Audit logs are for their
// owner and a group of readers (a log shipper, the SOC), not for everybody.
const (
	folderMode = 0o750
	fileMode   = 0o640
)

// fileSystem is the set of file operations that the sink uses, so that tests
// can fail any of them and can lose what was not synced. Errors are those of
// package os and name the path. The methods may be called concurrently.
type fileSystem interface {
	// Open opens a file with the flags of package os; it creates with fileMode.
	Open(name string, flag int) (handle, error)
	// Stat describes what name leads to, links followed.
	Stat(name string) (info, error)
	// List returns the names in a folder, in no particular order.
	List(folder string) ([]string, error)
	// Mkdir creates one folder with folderMode.
	Mkdir(name string) error
	Rename(from, to string) error
	Remove(name string) error
	// SyncFolder makes creations, renames and removals in a folder durable.
	SyncFolder(name string) error
}

// handle is one open file. It is used by one goroutine at a time.
type handle interface {
	io.ReaderAt
	io.Writer
	Truncate(size int64) error
	// Sync returns when everything written is durable. After an error it is
	// unknown what is, and a second Sync proves nothing.
	Sync() error
	Stat() (info, error)
	Close() error
}

// info is what the sink needs to know of a file.
type info struct {
	id       identity
	size     int64
	modified time.Time
	regular  bool
	folder   bool
}

// identity tells a file from another one that later took its path.
type identity struct {
	dev, ino uint64
	// birth is when the inode was created, in nanoseconds since 1970; 0 where
	// the file system does not say.
	birth int64
}

// same reports whether both are one file. The inode alone does not say: it is
// used again after a removal. The device does not say either: its number can
// change with a restart of the machine, which is when identities matter most.
// So the time of birth decides, and the device only where there is none.
func (a identity) same(b identity) bool {
	if a.ino != b.ino {
		return false
	}
	if a.birth != 0 && b.birth != 0 {
		return a.birth == b.birth
	}
	return a.dev == b.dev
}

// osFS is the operating system's file system.
type osFS struct{}

func (osFS) Open(name string, flag int) (handle, error) {
	f, err := os.OpenFile(name, flag, fileMode)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (osFS) Stat(name string) (info, error) { return statPath(name) }

func (osFS) List(folder string) ([]string, error) {
	f, err := os.Open(folder)
	if err != nil {
		return nil, err
	}
	names, err := f.Readdirnames(-1)
	return names, errors.Join(err, f.Close())
}

func (osFS) Mkdir(name string) error      { return os.Mkdir(name, folderMode) }
func (osFS) Rename(from, to string) error { return os.Rename(from, to) }
func (osFS) Remove(name string) error     { return os.Remove(name) }

func (osFS) SyncFolder(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// osFile is an open file of the operating system.
type osFile struct{ *os.File }

func (f osFile) Stat() (info, error) { return statFile(f.File) }

// infoFrom fills what package os knows on every system.
func infoFrom(fi os.FileInfo) info {
	return info{
		size:     fi.Size(),
		modified: fi.ModTime(),
		regular:  fi.Mode().IsRegular(),
		folder:   fi.IsDir(),
	}
}
