package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"aictail"
)

// RecordInfo is a record as Recover hands it out. Everything in it is valid
// during the call only.
type RecordInfo struct {
	Stream string
	// Checkpoint is nil if the record has none.
	Checkpoint  []byte
	First, Next aictail.Position
	// Appended is when the record was written, by the clock of that time.
	Appended time.Time
	Events   []aictail.Event
}

// Recover reads every record with a position of at least from, and every record
// that was appended less than since before the newest one, in order: the first to
// bring stored checkpoints up to date, the second to know the ids of events that
// the tenant may send again. It is called once, after Open and before the first
// Append. Damaged records are reported and left out, their checkpoints too. It
// ends with the error of fn, or one of the disk.
func (j *Journal) Recover(from aictail.Position, since time.Duration, fn func(RecordInfo) error) error {
	j.mu.Lock()
	cutoff := j.newest.Add(-since)
	extents := make([]extent, 0, len(j.segments))
	for _, s := range j.segments {
		if s.end > segmentHeaderSize {
			extents = append(extents, s.extent)
		}
	}
	j.mu.Unlock()

	// A segment is older than the cutoff as a whole if its successor was created
	// before; if that is not known it is read.
	start := len(extents)
	for start > 0 {
		older := extents[start-1]
		if start < len(extents) && older.next <= from {
			if created := extents[start].created; !created.IsZero() && created.Before(cutoff) {
				break
			}
		}
		start--
	}
	p := recovery{j: j, from: from, cutoff: cutoff, fn: fn, strings: interner{}}
	p.scan.chunk = 1 << 20
	p.scan.report = j.report
	for _, e := range extents[start:] {
		if err := p.segment(e); err != nil {
			return fmt.Errorf("recover journal segment %s: %w", e.path, err)
		}
	}
	return nil
}

// recovery is the state of one Recover.
type recovery struct {
	j       *Journal
	from    aictail.Position
	cutoff  time.Time
	fn      func(RecordInfo) error
	scan    scanner
	cursor  cursor
	strings interner
	events  []aictail.Event
}

// segment reads one segment.
func (p *recovery) segment(e extent) (err error) {
	file, err := p.j.fs.OpenFile(e.path, os.O_RDONLY)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if err := p.scan.reset(file, e, 0); err != nil {
		return err
	}
	for {
		h, rec, err := p.scan.next(true)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if h.next() <= p.from && h.appended.Before(p.cutoff) {
			continue
		}
		if err := p.record(&h, rec); err != nil {
			return err
		}
	}
}

// record hands one record out.
func (p *recovery) record(h *recordHeader, rec []byte) error {
	stream, state, _ := h.head(rec)
	body, _ := h.body(rec)
	if err := p.cursor.open(h, body, p.strings); err != nil {
		p.j.report(p.scan.malformed(h, err))
		return nil
	}
	p.events = p.events[:0]
	for p.cursor.left() > 0 {
		p.events = append(p.events, aictail.Event{})
		p.cursor.next(&p.events[len(p.events)-1])
	}
	info := RecordInfo{
		Stream: string(stream), Checkpoint: state, First: h.first, Next: h.next(),
		Appended: h.appended, Events: p.events,
	}
	if state != nil {
		p.j.mu.Lock()
		p.j.keepLocked(checkpoint{info.Stream, slices.Clone(state), info.Next})
		p.j.mu.Unlock()
	}
	return p.fn(info)
}
