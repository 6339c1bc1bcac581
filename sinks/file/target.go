package file

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"go.uber.org/zap"
)

const (
	// maxTornLine bounds what is read to judge a line without its newline.
	// Events are far smaller: the API delivers larger ones in pieces.
	maxTornLine = 64 << 20
	// tailChunk is how much is read at once when looking for the last newline.
	tailChunk = 64 << 10
)

// target is one output file. Its lengths are committed ≤ settled ≤ length;
// they are equal between a commit and the next Send.
type target struct {
	path string
	// h is nil while the file is closed.
	h  handle
	id identity
	// known: the file belongs in the state. saved: the state that names it has
	// been saved, so it may be written.
	known, saved bool

	// committed is the length in the last state that was handed out.
	committed int64
	// settled is the length after the last successful Send.
	settled int64
	// length is what the file holds, as far as this sink knows.
	length int64
	// cut: the file may hold more than settled and is cut before it is written.
	cut bool

	// since is what the age is counted from, used the time of the last batch.
	since, used time.Time

	// The rest belongs to one batch, that with the number seq: the first and
	// the last of the target's events, and their bytes as lines.
	seq        uint64
	head, tail int
	bytes      int64
	// wrote: a write was tried. unsynced: a sync failed.
	wrote, unsynced bool
}

// clean reports whether the file holds committed bytes only.
func (t *target) clean() bool {
	return !t.cut && t.committed == t.settled && t.settled == t.length
}

func (t *target) closeHandle() error {
	if t.h == nil {
		return nil
	}
	err := t.h.Close()
	t.h = nil
	return err
}

// forget closes the file and takes it out of the state. If bytes of it are not
// committed, a crash before the next commit repeats their events.
func (t *target) forget() error {
	t.known, t.saved, t.cut, t.wrote, t.unsynced = false, false, false, false, false
	t.length, t.settled, t.committed = 0, 0, 0
	return t.closeHandle()
}

// lose forgets a file that is not what the sink knew, with a warning.
func (s *Sink) lose(t *target, what string, found info) error {
	s.log.Warn("output file "+what+"; going on with what is at its path now. "+
		"If aictail was killed while this happened, the last batch can be in the files twice",
		zap.String("file", t.path), zap.Int64("expected_bytes", t.settled), zap.Int64("found_bytes", found.size))
	return t.forget()
}

// reclaim opens a known file again and cuts it back to its settled length,
// durably. A file that is missing, replaced or shorter is left as it is and
// forgotten with a warning. After an error it can be called again.
func (s *Sink) reclaim(t *target) error {
	if err := t.closeHandle(); err != nil {
		// What was written before is synced or about to be cut.
		s.log.Warn("close output file", zap.String("file", t.path), zap.Error(err))
	}
	h, err := s.fs.Open(t.path, os.O_RDWR|os.O_APPEND)
	if errors.Is(err, fs.ErrNotExist) {
		return s.lose(t, "is gone", info{})
	}
	if err != nil {
		return err
	}
	t.h = h
	in, err := h.Stat()
	switch {
	case err != nil:
		return err
	case !in.id.same(t.id):
		return s.lose(t, "has been replaced", in)
	case in.size < t.settled:
		return s.lose(t, "has been truncated by somebody else", in)
	case in.size > t.settled:
		if err := h.Truncate(t.settled); err != nil {
			return err
		}
		s.log.Info("cut uncommitted end of output file; its events come again",
			zap.String("file", t.path), zap.Int64("bytes", in.size-t.settled))
	}
	// Also if there was nothing to cut: the cut may have been made, and not
	// synced, just before a crash. A power failure could undo it, and once the
	// file is out of the state nothing would make it again.
	if err := h.Sync(); err != nil {
		return err
	}
	t.length, t.cut, t.wrote, t.unsynced = t.settled, false, false, false
	return nil
}

// check compares a clean, open file with what its path leads to. It forgets a
// file that was moved, removed or changed by somebody else.
func (s *Sink) check(t *target) error {
	in, err := s.fs.Stat(t.path)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && !in.id.same(t.id):
		s.log.Info("output file was moved away; going on in a new one", zap.String("file", t.path))
		return t.forget()
	case err != nil:
		return err
	case in.size < t.length:
		return s.lose(t, "has been truncated by somebody else", in)
	case in.size > t.length:
		return s.lose(t, "has been written to by somebody else", in)
	}
	return nil
}

// adopt opens or creates the file at the target's path and makes its existence
// durable. The caller saves the state before it writes to it.
func (s *Sink) adopt(t *target) error {
	if err := s.makeFolder(filepath.Dir(t.path)); err != nil {
		return err
	}
	h, err := s.fs.Open(t.path, os.O_RDWR|os.O_APPEND|os.O_CREATE)
	if err != nil {
		return err
	}
	t.h = h
	if err := s.takeOver(t); err != nil {
		return errors.Join(err, t.forget())
	}
	t.known = true
	return nil
}

// takeOver readies the file that adopt opened.
func (s *Sink) takeOver(t *target) error {
	in, err := t.h.Stat()
	if err != nil {
		return err
	}
	if !in.regular {
		return refused("%s is not a regular file: files can only be kept whole if they are; change the sink's path", t.path)
	}
	for _, other := range s.targets {
		if other.known && other.id.same(in.id) {
			return refused("%s and %s are the same file: remove the link between them", t.path, other.path)
		}
	}
	size, err := s.mendTail(t, in.size)
	if err != nil {
		return err
	}
	if err := s.syncFolders(filepath.Dir(t.path)); err != nil {
		return err
	}
	t.id = in.id
	t.length, t.settled, t.committed = size, size, size
	switch {
	case size == 0:
		t.since = s.now()
	case in.id.birth != 0:
		t.since = time.Unix(0, in.id.birth)
	default:
		// The file is at least as old as its last change.
		t.since = in.modified
	}
	return nil
}

// syncFolders makes a new file durable in its folder, and the folder in its
// parents: a crash may have left new ones unsynced. Those above the template's
// root need it only when they may be new, and may be out of aictail's reach; then it can't
// have created what is in them.
func (s *Sink) syncFolders(folder string) error {
	for above := false; ; folder = filepath.Dir(folder) {
		err := s.fs.SyncFolder(folder)
		unreachable := errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.EINVAL)
		if err != nil && (!above || !unreachable) {
			return err
		}
		if folder == filepath.Dir(folder) {
			s.rootSynced = true
			return nil
		}
		above = above || folder == s.template.root
		if above && s.rootSynced {
			return nil
		}
	}
}

// makeFolder creates a folder and its parents; syncFolders makes them durable.
func (s *Sink) makeFolder(folder string) error {
	in, err := s.fs.Stat(folder)
	if err == nil {
		if !in.folder {
			return refused("%s is not a folder: move it away or change the sink's path", folder)
		}
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent := filepath.Dir(folder)
	if parent == folder {
		return err
	}
	if err := s.makeFolder(parent); err != nil {
		return err
	}
	s.rootSynced = false
	if err := s.fs.Mkdir(folder); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// mendTail makes an adopted file end with a whole line and returns its size.
// It removes bytes only if they are not valid JSON: the torn line of a crash
// whose state was lost, which comes again or had never been committed.
func (s *Sink) mendTail(t *target, size int64) (int64, error) {
	rest, err := unfinished(t.h, size)
	if err != nil || rest == 0 {
		return size, err
	}
	torn, err := isTorn(t.h, size-rest, rest)
	if err != nil {
		return 0, err
	}
	if torn {
		err = t.h.Truncate(size - rest)
		size -= rest
	} else {
		_, err = t.h.Write([]byte{'\n'})
		size++
	}
	if err == nil {
		err = t.h.Sync()
	}
	if err != nil {
		return 0, err
	}
	s.log.Warn("output file ended in the middle of a line; mended it", zap.String("file", t.path),
		zap.Bool("cut", torn), zap.Int64("bytes", rest))
	return size, nil
}

// isTorn reports whether the bytes at the end of r are no JSON value.
func isTorn(r io.ReaderAt, at, size int64) (bool, error) {
	if size > maxTornLine {
		// Not a line of ours, so not ours to cut.
		return false, nil
	}
	line := make([]byte, size)
	if err := readAt(r, line, at); err != nil {
		return false, err
	}
	return !json.Valid(line), nil
}

// unfinished returns how many bytes stand behind the last newline.
func unfinished(r io.ReaderAt, size int64) (int64, error) {
	chunk := make([]byte, min(tailChunk, size))
	for end := size; end > 0; {
		n := min(end, int64(len(chunk)))
		if err := readAt(r, chunk[:n], end-n); err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(chunk[:n], '\n'); i >= 0 {
			return size - (end - n + int64(i) + 1), nil
		}
		end -= n
	}
	return size, nil
}

func readAt(r io.ReaderAt, p []byte, at int64) error {
	n, err := r.ReadAt(p, at)
	if n == len(p) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("read the end of an output file: %w", err)
}
