// Package checkpoint keeps the small state of the daemon in data_dir: where each
// stream goes on, how far each sink has come, and who this installation is. It
// stores them in a bbolt file, state.db, and holds the lock that keeps a second
// process out of data_dir.
//
// It owns state.db and the lock file. It does not hold events, which are in
// package journal, nor does it know what a stream's checkpoint or a sink's state
// means. Every change is one transaction, durable when the call returns: a crash
// leaves the state before or after it, never in between.
package checkpoint

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"aictail"
)

// State is the open state of a data_dir. It is safe for concurrent use.
type State struct {
	dir          string
	lock         *os.File
	db           *bbolt.DB
	installation string
	created      time.Time
}

// The layout of state.db, format 1. It is permanent. Numbers are big-endian.
//
//	meta     format (uint32), installation, created (RFC 3339), applied (uint64)
//	streams  stream name → checkpoint
//	sinks    sink name → bucket with position (uint64), state and, after a rewind,
//	         reached (uint64), the highest position before it; each may be missing
const formatVersion = 1

const fileName = "state.db"

// Keys are functions since Go has no constant byte slices.
func bucketMeta() []byte      { return []byte("meta") }
func bucketStreams() []byte   { return []byte("streams") }
func bucketSinks() []byte     { return []byte("sinks") }
func keyFormat() []byte       { return []byte("format") }
func keyInstallation() []byte { return []byte("installation") }
func keyCreated() []byte      { return []byte("created") }
func keyApplied() []byte      { return []byte("applied") }
func keyPosition() []byte     { return []byte("position") }
func keyState() []byte        { return []byte("state") }
func keyReached() []byte      { return []byte("reached") }

// Open locks dataDir, which is created if missing, and opens the state in it. A
// *LockedError says that another process has it, an *OwnerError that it is not for
// root. Other errors name the folder or file and what to do.
func Open(dataDir string) (*State, error) {
	dir := filepath.Clean(dataDir)
	if err := makeDir(dir); err != nil {
		return nil, &dirError{dir, "create data_dir", err}
	}
	lock, err := acquireLock(dir, os.Geteuid())
	if err != nil {
		return nil, err
	}
	s := &State{dir: dir, lock: lock}
	if err := s.open(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// makeDir creates dir so that it survives a crash.
func makeDir(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	err := syncDir(filepath.Dir(dir))
	if errors.Is(err, os.ErrPermission) {
		return nil // may be entered but not read; then nobody can sync it
	}
	return err
}

// syncDir makes the names in a folder durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// open opens state.db and reads, or creates, what says whose it is.
func (s *State) open() error {
	path := filepath.Join(s.dir, fileName)
	db, err := openDB(path, false)
	if err != nil {
		return err
	}
	s.db = db
	fresh := false
	err = db.View(func(tx *bbolt.Tx) error {
		meta := tx.Bucket(bucketMeta())
		if meta == nil {
			first, _ := tx.Cursor().First()
			if fresh = first == nil; !fresh {
				return &CorruptError{path, errors.New("it is not a state of aictail")}
			}
			return nil
		}
		return s.readMeta(path, meta)
	})
	if err != nil || !fresh {
		return err
	}
	err = db.Update(s.initialise)
	if err == nil {
		err = syncDir(s.dir) // bbolt leaves the name of its file to the caller
	}
	if err != nil {
		return &dirError{s.dir, "create state.db in data_dir", err}
	}
	return nil
}

// readMeta checks the format and reads the identity.
func (s *State) readMeta(path string, meta *bbolt.Bucket) error {
	format := meta.Get(keyFormat())
	if len(format) != 4 {
		return &CorruptError{path, fmt.Errorf("its format number has %d bytes", len(format))}
	}
	if v := binary.BigEndian.Uint32(format); v != formatVersion {
		return fmt.Errorf("%s has format %d, and this aictail reads format %d: install the version that wrote it, or a newer one", path, v, formatVersion)
	}
	for _, b := range [][]byte{bucketStreams(), bucketSinks()} {
		if meta.Tx().Bucket(b) == nil {
			return &CorruptError{path, fmt.Errorf("its bucket %s is missing", b)}
		}
	}
	s.installation = string(meta.Get(keyInstallation()))
	created, err := time.Parse(time.RFC3339, string(meta.Get(keyCreated())))
	if err != nil || s.installation == "" {
		return &CorruptError{path, errors.New("its installation identity is missing")}
	}
	s.created = created
	return nil
}

// initialise fills a new state.db.
func (s *State) initialise(tx *bbolt.Tx) error {
	id := make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		return err
	}
	s.installation, s.created = hex.EncodeToString(id), time.Now().UTC().Truncate(time.Second)
	meta, err := tx.CreateBucket(bucketMeta())
	if err != nil {
		return err
	}
	if _, err := tx.CreateBucket(bucketStreams()); err != nil {
		return err
	}
	if _, err := tx.CreateBucket(bucketSinks()); err != nil {
		return err
	}
	return errors.Join(
		meta.Put(keyFormat(), binary.BigEndian.AppendUint32(nil, formatVersion)),
		meta.Put(keyInstallation(), []byte(s.installation)),
		meta.Put(keyCreated(), []byte(s.created.Format(time.RFC3339))),
		meta.Put(keyApplied(), binary.BigEndian.AppendUint64(nil, 0)),
	)
}

// Installation returns the random id that was made when state.db was created.
func (s *State) Installation() string { return s.installation }

// Created returns when state.db was created.
func (s *State) Created() time.Time { return s.created }

// Streams returns the stored checkpoint of every stream, and the journal position
// up to which they hold; 0 before the first SaveStreams.
func (s *State) Streams() (checkpoints map[string][]byte, applied aictail.Position, err error) {
	checkpoints = make(map[string][]byte)
	err = s.view(func(tx *bbolt.Tx) error {
		var err error
		if applied, err = s.position(tx.Bucket(bucketMeta()).Get(keyApplied()), "applied"); err != nil {
			return err
		}
		return tx.Bucket(bucketStreams()).ForEach(func(k, v []byte) error {
			checkpoints[string(k)] = append([]byte{}, v...)
			return nil
		})
	})
	if err != nil {
		return nil, 0, err
	}
	return checkpoints, applied, nil
}

// SaveStreams stores the checkpoints that changed, together with the journal
// position up to which all stored checkpoints hold now. A nil checkpoint removes
// the stream. The position never goes back: that is an error.
func (s *State) SaveStreams(changed map[string][]byte, applied aictail.Position) error {
	return s.update("save the checkpoints of streams", func(tx *bbolt.Tx) error {
		if err := s.forward(tx.Bucket(bucketMeta()), keyApplied(), applied); err != nil {
			return err
		}
		b := tx.Bucket(bucketStreams())
		// In order, since that is what bbolt writes fastest.
		for _, name := range slices.Sorted(maps.Keys(changed)) {
			if err := put(b, []byte(name), changed[name]); err != nil {
				return fmt.Errorf("stream %q: %w", name, err)
			}
		}
		return nil
	})
}

// put stores a value; nil removes it.
func put(b *bbolt.Bucket, key, value []byte) error {
	if value == nil {
		return b.Delete(key)
	}
	return b.Put(key, value)
}

// forward stores a position that must not be lower than the stored one.
func (s *State) forward(b *bbolt.Bucket, key []byte, pos aictail.Position) error {
	stored, err := s.position(b.Get(key), string(key))
	if err != nil {
		return err
	}
	if pos < stored {
		return fmt.Errorf("position %d is before the stored position %d", pos, stored)
	}
	return putPosition(b, key, pos)
}

func putPosition(b *bbolt.Bucket, key []byte, pos aictail.Position) error {
	return b.Put(key, binary.BigEndian.AppendUint64(nil, uint64(pos)))
}

// position decodes a stored position; 0 if there is none.
func (s *State) position(b []byte, what string) (aictail.Position, error) {
	if b == nil {
		return 0, nil
	}
	if len(b) != 8 {
		return 0, &CorruptError{s.db.Path(), fmt.Errorf("the position %s has %d bytes", what, len(b))}
	}
	return aictail.Position(binary.BigEndian.Uint64(b)), nil
}

func (s *State) view(fn func(*bbolt.Tx) error) error {
	if err := s.db.View(fn); err != nil {
		return fmt.Errorf("read state in data_dir %s: %w", s.dir, err)
	}
	return nil
}

// update runs fn in a transaction. After an error nothing has changed.
func (s *State) update(what string, fn func(*bbolt.Tx) error) error {
	if err := s.db.Update(fn); err != nil {
		return &dirError{s.dir, what + " in data_dir", err}
	}
	return nil
}

// Close closes state.db and gives data_dir free.
func (s *State) Close() error {
	var err error
	if s.db != nil {
		err = s.db.Close()
	}
	// Last, so that nobody opens state.db before it is closed.
	return errors.Join(err, s.lock.Close())
}
