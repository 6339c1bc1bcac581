package journal

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"time"

	"aictail"
)

// Place is a record with events in the journal.
type Place struct {
	// Position is that of the record's first event; 0 if there is no such record.
	Position aictail.Position
	// Written is when it was appended, by this machine's clock at the time.
	Written time.Time
}

// Since returns the first record with events that was appended at or after t, and
// the oldest one that the journal holds at all. Of both only what is durable
// counts. It reads the oldest segment and the one that the time lies in.
//
// A clock that was set back makes records look older than their predecessors:
// then Since may begin too late by as much.
func (j *Journal) Since(t time.Time) (found, oldest Place, err error) {
	for seg := (*segment)(nil); ; {
		j.mu.Lock()
		seg = j.afterLocked(seg)
		if seg == nil {
			j.mu.Unlock()
			return found, oldest, nil
		}
		e, newest := seg.extent, seg.newest
		j.mu.Unlock()
		if oldest.Position != 0 && newest.Before(t) {
			continue
		}
		first, at, err := j.searchSegment(seg, e, t)
		if err != nil {
			return Place{}, Place{}, j.fault("search", err)
		}
		if oldest.Position == 0 {
			oldest = first
		}
		if at.Position != 0 {
			return at, oldest, nil
		}
	}
}

// afterLocked returns the oldest segment behind the given one, or of all if that is
// nil; nil if there is none.
func (j *Journal) afterLocked(seg *segment) *segment {
	for _, s := range j.segments {
		if seg == nil || s.first > seg.first {
			return s
		}
	}
	return nil
}

// searchSegment returns the first record with events of a segment, and the first one that
// was appended at or after t.
func (j *Journal) searchSegment(seg *segment, e extent, t time.Time) (first, at Place, err error) {
	file, err := j.fs.OpenFile(e.path, os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) && j.isTrimmed(seg) {
		return Place{}, Place{}, nil
	}
	if err != nil {
		return Place{}, Place{}, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	// Damage is reported by those who read the events.
	s := scanner{chunk: defaultLimitBytes, report: func(Damage) {}}
	if err := s.reset(file, e, 0); err != nil {
		return Place{}, Place{}, err
	}
	for {
		h, _, err := s.next(true)
		if errors.Is(err, io.EOF) {
			return first, at, nil
		}
		if err != nil {
			return Place{}, Place{}, err
		}
		if h.count == 0 {
			continue
		}
		p := Place{Position: h.first, Written: h.appended}
		if first.Position == 0 {
			first = p
		}
		if !h.appended.Before(t) {
			return first, p, nil
		}
	}
}
