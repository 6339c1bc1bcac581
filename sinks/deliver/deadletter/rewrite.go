package deadletter

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"
)

// tempSuffix is that of the file that is to replace the letters.
const tempSuffix = ".tmp"

// Each calls fn with every letter, oldest first, as they were at the beginning:
// fn may call Rewrite. An error of fn ends it and is returned.
func (s *Store) Each(fn func(Letter) error) error {
	if err := s.ready(); err != nil {
		return s.fault("read", err)
	}
	f, err := s.fs.Open(s.path, os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return s.fault("read", err)
	}
	_, err = read(io.NewSectionReader(f, 0, s.size), func(l Line) error {
		if l.Flaw != "" {
			return nil
		}
		return fn(l.Letter)
	})
	_ = f.Close() // it was only read
	return err
}

// Rewrite changes letters: those that lead to nil are removed, those that lead to
// a letter are replaced by it, all others stay as they are. After an error the
// store is as before, or as it should be but perhaps not durably so.
func (s *Store) Rewrite(changed map[Key]*Letter) error {
	if err := s.ready(); err != nil {
		return s.fault("rewrite", err)
	}
	if s.size == 0 {
		return nil
	}
	temp := s.path + tempSuffix
	next, err := s.writeTemp(temp, changed)
	if err == nil {
		err = s.fs.Rename(temp, s.path)
	}
	if err != nil {
		_ = s.fs.Remove(temp) // or else the next Open does
		return s.fault("rewrite", err)
	}
	s.adopt(next.known, next.size, next.count, s.unreadable)
	s.unsynced = true
	if err := s.fs.SyncFolder(s.opts.Dir); err != nil {
		return s.fault("rewrite", err)
	}
	s.unsynced = false
	return nil
}

// contents is what a file holds.
type contents struct {
	known map[Key]struct{}
	size  int64
	count int
}

// writeTemp writes the changed letters to a file that is durable, but for its
// name, when it returns.
func (s *Store) writeTemp(temp string, changed map[Key]*Letter) (c contents, err error) {
	src, err := s.fs.Open(s.path, os.O_RDONLY)
	if err != nil {
		return contents{}, err
	}
	defer func() { _ = src.Close() }() // it was only read
	dst, err := s.fs.Open(temp, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return contents{}, err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()

	c.known = make(map[Key]struct{})
	w := bufio.NewWriterSize(io.NewOffsetWriter(dst, 0), 16<<10)
	var text []byte
	_, err = read(io.NewSectionReader(src, 0, s.size), func(l Line) error {
		text = append(append(text[:0], l.Text...), '\n')
		if l.Flaw == "" {
			key := l.Letter.Key()
			if to, ok := changed[key]; ok {
				if to == nil {
					return nil
				}
				var err error
				if text, err = appendLine(text[:0], to); err != nil {
					return err
				}
			}
			c.known[key] = struct{}{}
		}
		c.count++
		c.size += int64(len(text))
		_, err := w.Write(text)
		return err
	})
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = dst.Sync()
	}
	return c, err
}
