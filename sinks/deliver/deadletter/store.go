// Package deadletter keeps the events that a sink will never take, with the
// reason, until somebody has looked at them. It owns one file per sink, in
// NDJSON, and does not decide what becomes a dead letter: that is deliver's part.
//
// # Crash safety
//
// Add returns when the letters are durable, so that the read position may move
// over them. A crash before that leaves whole lines, a torn one, or nothing: the
// torn one is cut off when the file is opened, and a whole one is recognised by
// position and id when its event comes again, so that no letter is listed twice.
// After a failed write or fsync nothing is known of what lies behind the last
// durable byte: it is cut off before anything else is written.
//
// Rewrite replaces the file by a new one: written, synced, renamed, folder
// synced. A crash leaves the old letters or the new ones, never a mixture. Until
// the folder's sync has succeeded nothing is added, since the old file might come
// back.
//
// Known limit: if the disk fails an fsync, and the process is killed before it has
// cut off what it wrote, the next one takes that for durable. A power failure after
// that may lose those letters.
//
// A line that cannot be read (somebody edited the file) stays as it is, and
// counts as a letter.
package deadletter

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"

	"aictail/sinks"
)

// Options says where the letters of a sink are and how many there may be.
type Options struct {
	// Dir is the folder of all sinks' files. It is created with the first letter;
	// its parent must exist.
	Dir string
	// Sink is the sink's name, which becomes the file's.
	Sink string
	// MaxSize is the size of the file, in bytes, beyond which no letter is added.
	// One is taken however large.
	MaxSize int64
	// FS is the file system; nil means that of the operating system.
	FS FS
}

// Store is the dead letters of one sink. Count, Bytes and MaxBytes may be called by any
// goroutine, everything else by one at a time.
type Store struct {
	opts Options
	path string
	fs   FS

	// loaded: known and size agree with the file.
	loaded bool
	known  map[Key]struct{}
	// size is up to where the file is durable.
	size int64
	// torn: there may be something behind size, since an append has failed.
	torn bool
	// unsynced: the folder's names may not be durable.
	unsynced   bool
	unreadable int

	count, bytes atomic.Int64 // what Count and Bytes return
}

// Path returns the file of a sink's dead letters in the folder dir.
func Path(dir, sink string) string { return filepath.Join(dir, sink+".ndjson") }

// New returns a store. It touches no file.
func New(o Options) *Store {
	if o.FS == nil {
		o.FS = osFS{}
	}
	return &Store{opts: o, path: Path(o.Dir, o.Sink), fs: o.FS}
}

// Count returns how many letters are stored, as far as the file has been read.
func (s *Store) Count() int { return int(s.count.Load()) }

// Bytes returns the size of the file.
func (s *Store) Bytes() int64 { return s.bytes.Load() }

// MaxBytes returns the size of the file beyond which no letter is added.
func (s *Store) MaxBytes() int64 { return s.opts.MaxSize }

// File returns the path of the file.
func (s *Store) File() string { return s.path }

// Unreadable returns how many lines of the file are not letters.
func (s *Store) Unreadable() int { return s.unreadable }

// Open reads the file, repairs what a crash left, and makes the rest durable.
// After an error it may be called again.
func (s *Store) Open() error {
	if err := s.load(); err != nil {
		return s.fault("open", err)
	}
	return nil
}

// load is Open, without effect once it has succeeded.
func (s *Store) load() error {
	if s.loaded {
		return nil
	}
	known := make(map[Key]struct{})
	err := s.fs.Remove(s.path + tempSuffix)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := s.fs.Open(s.path, os.O_RDWR)
	if errors.Is(err, fs.ErrNotExist) {
		s.adopt(known, 0, 0, 0)
		return nil
	}
	if err != nil {
		return err
	}
	size, count, unreadable, err := scan(f, known)
	// What is in the page cache only may be all that there is of a letter.
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = s.fs.SyncFolder(s.opts.Dir)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	s.adopt(known, size, count, unreadable)
	return nil
}

// scan reads the keys of a file's letters and cuts a torn line off.
func scan(f File, known map[Key]struct{}) (size int64, count, unreadable int, err error) {
	length, err := f.Size()
	if err != nil {
		return 0, 0, 0, err
	}
	size, err = read(io.NewSectionReader(f, 0, length), func(l Line) error {
		count++
		if l.Flaw != "" {
			unreadable++
			return nil
		}
		known[l.Letter.Key()] = struct{}{}
		return nil
	})
	if err == nil && size < length {
		err = f.Truncate(size)
	}
	return size, count, unreadable, err
}

// adopt notes what the file holds.
func (s *Store) adopt(known map[Key]struct{}, size int64, count, unreadable int) {
	s.loaded, s.torn, s.unsynced = true, false, false
	s.known, s.size, s.unreadable = known, size, unreadable
	s.count.Store(int64(count))
	s.bytes.Store(size)
}

// Add stores letters durably, in order; one that is stored already is passed
// over. The first done of them are stored, all if there is no error. An error of
// kind Refused says that the store is full; any other one that the disk failed,
// and Add may be called again after a pause.
func (s *Store) Add(letters []Letter) (done int, err error) {
	if err := s.ready(); err != nil {
		return 0, s.fault("add", err)
	}
	var b []byte
	var keys []Key
	fresh := make(map[Key]struct{})
	for i := range letters {
		key := letters[i].Key()
		_, stored := s.known[key]
		_, twice := fresh[key]
		if !stored && !twice {
			before := len(b)
			if b, err = appendLine(b, &letters[i]); err != nil {
				break
			}
			if total := s.size + int64(len(b)); total > s.opts.MaxSize && total > int64(len(b)-before) {
				b, err = b[:before], s.full()
				break
			}
			keys = append(keys, key)
			fresh[key] = struct{}{}
		}
		done++
	}
	if len(b) > 0 {
		if err := s.append(b); err != nil {
			return 0, s.fault("add", err)
		}
		for _, key := range keys {
			s.known[key] = struct{}{}
		}
		s.count.Add(int64(len(keys)))
		s.bytes.Store(s.size)
	}
	return done, err
}

// ready sees to it that the file is what the store takes it for: somebody may
// have moved it away to make room.
func (s *Store) ready() error {
	if err := s.load(); err != nil {
		return err
	}
	if s.unsynced {
		if err := s.fs.SyncFolder(s.opts.Dir); err != nil {
			return err
		}
		s.unsynced = false
	}
	f, err := s.fs.Open(s.path, os.O_RDWR)
	if errors.Is(err, fs.ErrNotExist) {
		if s.size > 0 || s.torn {
			s.loaded = false
			return s.load()
		}
		return nil
	}
	if err != nil {
		return err
	}
	size, err := f.Size()
	if err == nil && s.torn && size > s.size {
		if err = f.Truncate(s.size); err == nil {
			size = s.size
		}
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if size != s.size {
		s.loaded = false
		return s.load()
	}
	return nil
}

// append writes behind the last durable byte. After an error the file is as
// before, or marked to be cut.
func (s *Store) append(b []byte) error {
	created := s.size == 0
	if created {
		if err := s.makeFolder(); err != nil {
			return err
		}
	}
	f, err := s.fs.Open(s.path, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return err
	}
	s.torn = true
	_, err = f.WriteAt(b, s.size)
	if err == nil {
		err = f.Sync()
	}
	if err == nil && created {
		err = s.fs.SyncFolder(s.opts.Dir)
	}
	if err != nil {
		_ = f.Truncate(s.size) // ready does it if this fails
		_ = f.Close()
		return err
	}
	s.torn = false
	s.size += int64(len(b))
	_ = f.Close() // what was written is durable
	return nil
}

func (s *Store) makeFolder() error {
	if err := s.fs.Mkdir(s.opts.Dir); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return s.fs.SyncFolder(filepath.Dir(s.opts.Dir))
}

func (s *Store) full() error {
	return &sinks.Error{Kind: sinks.Refused, Err: fmt.Errorf("its dead letters fill %s (%d bytes): look at them with 'aictail deadletter list', mend the cause and send them again with 'aictail deadletter replay', or move the file away; or raise sinks.%s.dead_letters.max_size",
		s.path, s.size, s.opts.Sink)}
}

// fault makes an error that says where, what and what to do.
func (s *Store) fault(what string, err error) error {
	return fmt.Errorf("%s dead letters in %s: %w; %s", what, s.path, err, advice(err))
}
