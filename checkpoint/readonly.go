package checkpoint

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"go.etcd.io/bbolt"
)

// ReadStreams returns the stored checkpoint of every stream, none if nothing has run
// in dataDir yet. It creates and changes nothing, so that root may call it on the
// folder of another user. A *LockedError says that a daemon has the folder; while
// ReadStreams reads none can start.
func ReadStreams(dataDir string) (checkpoints map[string][]byte, err error) {
	dir := filepath.Clean(dataDir)
	lock, err := os.Open(filepath.Join(dir, lockName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, &dirError{dir, "look at the lock of data_dir", err}
	}
	s := &State{dir: dir, lock: lock}
	defer func() { err = errors.Join(err, s.Close()) }()
	err = flock(lock, syscall.LOCK_SH)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, &LockedError{Dir: dir, PID: readPID(lock)}
	}
	if err != nil {
		return nil, &dirError{dir, "look at the lock of data_dir", err}
	}
	path := filepath.Join(dir, fileName)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if s.db, err = openDB(path, true); err != nil {
		return nil, err
	}
	empty := false
	err = s.db.View(func(tx *bbolt.Tx) error {
		meta := tx.Bucket(bucketMeta())
		if empty = meta == nil; empty {
			return nil
		}
		return s.readMeta(path, meta)
	})
	if err != nil || empty {
		return nil, err
	}
	checkpoints, _, err = s.Streams()
	return checkpoints, err
}
