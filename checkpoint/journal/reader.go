package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync/atomic"
	"time"

	"aictail"
)

// Limit bounds what Next returns. At least one event is returned however large.
type Limit struct {
	// Events is the number of events; 0 means no limit.
	Events int
	// Bytes is the sum of the events' raw bytes; 0 means about 1 MiB.
	Bytes int
	// NotBefore is until when Next waits for as many events or bytes. With less it
	// returns then; the zero time means at once.
	NotBefore time.Time
}

const defaultLimitBytes = 1 << 20

// maxChunk bounds the read-ahead of a reader, and with it its memory to twice as
// much, whatever limit it is asked for.
const maxChunk = 4 << 20

// Reader reads durable events in the order of their positions. A reader is used
// by one goroutine at a time; several readers work concurrently.
type Reader struct {
	j       *Journal
	pos     aictail.Position // of the next event to return
	segment *segment         // being read, or nil
	scan    scanner
	cursor  cursor
	strings interner
	events  []aictail.Event
	closed  bool

	// passed is the position before which the reader's owner needs nothing any
	// more. It is what other goroutines may ask for.
	passed atomic.Uint64
}

// NewReader returns a reader that starts at the first event with a position of at
// least from. If there is nothing as old as that any more it starts at the oldest.
func (j *Journal) NewReader(from aictail.Position) *Reader {
	r := &Reader{j: j, pos: from, strings: interner{}}
	r.scan.report = j.report
	r.passed.Store(uint64(from))
	return r
}

// Passed returns the position before which the reader's owner needs nothing any
// more, as far as the reader can tell: a call of Next says that all events before
// are delivered and that their position is stored. Records without events that the
// reader has come past count, so that an idle reader holds nothing back. It may be
// called by any goroutine.
func (r *Reader) Passed() aictail.Position { return aictail.Position(r.passed.Load()) }

// Next returns the next events within the limit, at least one. It blocks until
// there is one, and no longer than limit.NotBefore after that; a ctx that has ended
// keeps it from waiting, not from returning what is there. next is the position to store once all of them are delivered; it
// is behind records without events and behind damage. The events are valid until
// the next call of a method of r.
//
// After an error there are no events; next is valid nevertheless. The error is
// that of ctx, io.EOF after CloseAppend when all is read, ErrClosed, or one of the
// disk: then Next may be called again, after a pause, and loses nothing.
func (r *Reader) Next(ctx context.Context, limit Limit) (events []aictail.Event, next aictail.Position, err error) {
	if r.closed {
		return nil, r.pos, ErrClosed
	}
	if limit.Bytes <= 0 {
		limit.Bytes = defaultLimitBytes
	}
	r.passed.Store(uint64(r.pos))
	if err := r.gather(ctx, limit); err != nil {
		return nil, r.pos, err
	}
	// An eighth more, for ids and tables.
	r.scan.chunk = min(limit.Bytes+limit.Bytes/8, maxChunk)
	r.events = r.events[:0]
	size, fills := 0, 0
	for {
		if len(r.events) == 0 {
			fills = r.scan.fills
			r.passed.Store(uint64(r.pos))
		}
		full := r.take(limit, &size)
		if full {
			return r.events, r.pos, nil
		}
		// Events that were taken lie in the active buffer. One fill leaves them
		// alone, a second one would overwrite them.
		mayFill := len(r.events) == 0 || r.scan.fills == fills
		wait, err := r.advance(mayFill)
		switch {
		case err == nil && wait == nil:
		case len(r.events) > 0: // an error comes again with the next call
			return r.events, r.pos, nil
		case err != nil:
			return nil, r.pos, err
		default:
			select {
			case <-wait:
			case <-ctx.Done():
				return nil, r.pos, context.Cause(ctx)
			}
		}
	}
}

// gather waits until there is as much to read as the limit allows, or until the
// limit's time. It reads nothing, since a second read would overwrite the events of
// the first.
func (r *Reader) gather(ctx context.Context, limit Limit) error {
	left := time.Until(limit.NotBefore)
	if left <= 0 {
		return nil
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	for {
		r.j.mu.Lock()
		if r.j.appendClosed || r.j.closed || r.enoughLocked(limit) {
			r.j.mu.Unlock()
			return nil
		}
		changed := r.j.changedLocked()
		r.j.mu.Unlock()
		select {
		case <-changed:
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// enoughLocked tells whether what is durable and unread fills the limit. It counts
// what lies around the events as well, so that it says yes rather too early.
func (r *Reader) enoughLocked(limit Limit) bool {
	if limit.Events > 0 && r.j.durable >= r.pos+aictail.Position(limit.Events) {
		return true
	}
	var unread int64
	for _, s := range r.j.segments {
		switch {
		case s == r.segment:
			unread += s.end - r.scan.off + int64(len(r.cursor.raws))
		case s.next > r.pos && (r.segment == nil || s.first > r.segment.first):
			unread += s.end - segmentHeaderSize
		}
	}
	return unread >= int64(limit.Bytes)
}

// take moves events from the open record to the result and tells whether the
// limit is reached.
func (r *Reader) take(limit Limit, size *int) (full bool) {
	for r.cursor.left() > 0 {
		n := r.cursor.rawLen()
		if len(r.events) > 0 && *size+n > limit.Bytes {
			return true
		}
		r.events = append(r.events, aictail.Event{})
		r.cursor.next(&r.events[len(r.events)-1])
		*size += n
		r.pos = r.cursor.position
		if len(r.events) == limit.Events {
			return true
		}
	}
	return *size >= limit.Bytes && len(r.events) > 0
}

// advance opens the next record. If there is none it returns what to wait for.
func (r *Reader) advance(mayFill bool) (wait <-chan struct{}, err error) {
	for {
		if r.segment != nil {
			h, rec, err := r.scan.next(mayFill)
			if err == nil {
				r.openRecord(&h, rec)
				return nil, nil
			}
			if !errors.Is(err, io.EOF) {
				return nil, err
			}
			// What is behind is damaged, or of no interest.
			r.pos = max(r.pos, r.scan.expect)
		}
		if wait, err := r.more(); wait != nil || err != nil {
			return wait, err
		}
	}
}

// openRecord points the cursor at the first event that has not been read.
func (r *Reader) openRecord(h *recordHeader, rec []byte) {
	r.pos = max(r.pos, h.first)
	body, _ := h.body(rec)
	if err := r.cursor.open(h, body, r.strings); err != nil {
		r.j.report(r.scan.malformed(h, err))
		r.pos = max(r.pos, h.next())
		return
	}
	r.cursor.skipTo(r.pos)
	if h.count == 0 {
		r.pos = max(r.pos, h.next())
	}
}

// more points the scanner at durable records that it has not seen. If there are
// none it returns what to wait for.
func (r *Reader) more() (<-chan struct{}, error) {
	j := r.j
	j.mu.Lock()
	if j.closed {
		j.mu.Unlock()
		return nil, ErrClosed
	}
	if s := r.segment; s != nil && s.end > r.scan.end {
		r.scan.end, r.scan.extent.next = s.end, s.next
		j.mu.Unlock()
		return nil, nil
	}
	s := j.locateLocked(r.pos, r.segment)
	if s == nil {
		defer j.mu.Unlock()
		if j.appendClosed {
			return nil, io.EOF
		}
		return j.changedLocked(), nil
	}
	e := s.extent
	j.mu.Unlock()
	return nil, r.openSegment(s, e)
}

// locateLocked returns the oldest segment with durable records that may have
// positions from pos on and that comes after the given one; nil if there is none.
func (j *Journal) locateLocked(pos aictail.Position, after *segment) *segment {
	for _, s := range j.segments {
		if s.end > segmentHeaderSize && s.next > pos && (after == nil || s.first > after.first) {
			return s
		}
	}
	return nil
}

// openSegment starts reading a segment.
func (r *Reader) openSegment(s *segment, e extent) error {
	file, err := r.j.fs.OpenFile(e.path, os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) && r.j.isTrimmed(s) {
		return nil // look again
	}
	if err != nil {
		return fmt.Errorf("open journal segment: %w; %s", err, advice(err))
	}
	old := r.scan.file
	if err := r.scan.reset(file, e, r.pos); err != nil {
		return errors.Join(err, file.Close())
	}
	if old != nil {
		_ = old.Close()
	}
	r.segment = s
	r.cursor.close()
	return nil
}

// isTrimmed tells whether a segment has been deleted.
func (j *Journal) isTrimmed(s *segment) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.segments) == 0 || s.first < j.segments[0].first
}

// Seek continues at the first event with a position of at least pos.
func (r *Reader) Seek(pos aictail.Position) {
	r.closeFile()
	r.cursor.close()
	r.pos = pos
	r.passed.Store(uint64(pos))
}

// Close releases the reader's file. It does not end a Next that is waiting; the
// context does.
func (r *Reader) Close() {
	r.closeFile()
	r.cursor.close()
	r.closed = true
}

// closeFile leaves the current segment.
func (r *Reader) closeFile() {
	if r.segment != nil {
		_ = r.scan.file.Close() // opened for reading: nothing can be lost
		r.segment, r.scan.file = nil, nil
	}
}
