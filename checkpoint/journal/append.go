package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"aictail"
)

// Record is what a stream appends at once: events and where the stream goes on.
// The positions of its events are ignored.
type Record = aictail.Record

// Append writes a record. It copies what it needs of rec. The record is neither
// durable nor visible to readers before a Sync of its position, or of a later
// one, returned nil. The record has the positions first ≤ p < next.
//
// After an error the record is void: append it again, after a pause. Records of
// other callers that were not durable yet are void then too; their Sync says so.
// ErrTooLarge and ErrClosed concern this record only and don't go away.
func (j *Journal) Append(rec Record) (first, next aictail.Position, err error) {
	if err := check(&rec); err != nil {
		return 0, 0, fmt.Errorf("append to the journal: %w", err)
	}
	j.appendMu.Lock()
	defer j.appendMu.Unlock()
	seg, err := j.writable()
	if err != nil {
		return 0, 0, err
	}
	now := time.Now()
	j.mu.Lock()
	first, off := j.next, seg.size
	s := stamp{first: first, durable: seg.end, appended: now}
	j.mu.Unlock()
	b, err := j.enc.encode(&rec, s)
	if err != nil {
		return 0, 0, fmt.Errorf("append to the journal: %w", err)
	}
	_, werr := seg.file.WriteAt(b, off)

	next = first + aictail.Position(max(len(rec.Events), 1))
	j.mu.Lock()
	defer j.mu.Unlock()
	j.next = next
	if werr != nil {
		j.failLocked(seg, j.fault("write segment", werr))
	}
	if seg.failed {
		// Also when a concurrent fsync failed: nothing is known of the file then.
		j.voids.add(first, next, nil)
		return 0, 0, j.voids.check(first)
	}
	seg.size, seg.newest = off+int64(len(b)), now
	j.noSpace = false
	if rec.Checkpoint != nil {
		state := append([]byte{}, rec.Checkpoint...)
		j.pending = append(j.pending, checkpoint{rec.Stream, state, next})
	}
	return first, next, nil
}

// writable returns the segment to write to, a new one if need be. Its caller
// holds appendMu.
func (j *Journal) writable() (*segment, error) {
	j.mu.Lock()
	seg, closed := j.active, j.appendClosed
	enough := seg != nil && seg.size < j.opts.SegmentSize
	j.mu.Unlock()
	if closed {
		return nil, ErrClosed
	}
	if enough {
		return seg, nil
	}
	// A failed seal voids what was pending, and those who wait for it hear of it.
	_ = j.seal()
	return j.create()
}

// seal makes what was appended durable and ends the active segment. Its caller
// holds appendMu.
func (j *Journal) seal() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for j.active != nil && j.active.size > j.active.end {
		if j.syncing {
			_ = j.waitLocked(context.Background())
			continue
		}
		if err := j.commitLocked(); err != nil {
			return err
		}
	}
	if j.active == nil {
		return nil
	}
	file := j.active.file
	j.active = nil
	// Everything in the file is durable, so that a failing close loses nothing.
	_ = file.Close()
	return nil
}

// create starts a new segment. Its caller holds appendMu; there is no active
// segment. It returns when header and name are durable.
func (j *Journal) create() (*segment, error) {
	now := time.Now()
	j.mu.Lock()
	h := segmentHeader{first: j.next, created: now}
	if n := len(j.segments); n > 0 {
		last := j.segments[n-1]
		h.prevFirst, h.prevEnd = last.first, last.end
		// An empty predecessor has the name that this segment would get.
		h.first = max(h.first, last.first+1)
	}
	j.next = h.first
	j.mu.Unlock()

	path := filepath.Join(j.dir, segmentName(h.first))
	file, err := j.writeHeader(path, h)
	j.mu.Lock()
	defer j.mu.Unlock()
	if err != nil {
		// The name may exist now, so that the next attempt takes another.
		j.next = h.first + 1
		j.faults++
		j.noSpace = isNoSpace(err)
		return nil, j.fault("create segment", err)
	}
	seg := &segment{
		extent: extent{path: path, first: h.first, next: h.first, end: segmentHeaderSize, created: now},
		file:   file, size: segmentHeaderSize, newest: now,
	}
	j.segments = append(j.segments, seg)
	j.active = seg
	return seg, nil
}

// writeHeader creates a segment file. What an error leaves behind is removed, or
// else by the next Open.
func (j *Journal) writeHeader(path string, h segmentHeader) (File, error) {
	file, err := j.fs.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return nil, err
	}
	if _, err = file.WriteAt(h.encode(), 0); err == nil {
		err = file.Sync()
	}
	if err == nil {
		err = j.fs.SyncDir(j.dir)
	}
	if err != nil {
		_ = file.Close()
		_ = j.fs.Remove(path)
		return nil, err
	}
	return file, nil
}

// Sync returns nil when the record at pos, and all before it that did not fail,
// are durable. Callers that come together share one fsync. ErrVoid says that the
// record is lost and has to be appended again; after the error of ctx the outcome
// is open, and Sync may be called again.
func (j *Journal) Sync(ctx context.Context, pos aictail.Position) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for {
		if err := j.voids.check(pos); err != nil {
			return err
		}
		if pos < j.durable {
			return nil
		}
		if pos >= j.next || j.active == nil {
			return fmt.Errorf("sync the journal: no record was appended at position %d", pos)
		}
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if j.syncing {
			if err := j.waitLocked(ctx); err != nil {
				return err
			}
			continue
		}
		_ = j.commitLocked() // the loop finds out what it means for pos
	}
}

// commitLocked fsyncs the active segment, without mu. Nobody else may be doing
// so: of two fsyncs at the same time only one might hear of an error. What was
// written before the call is durable or void afterwards.
func (j *Journal) commitLocked() error {
	seg, end, next := j.active, j.active.size, j.next
	j.syncing = true
	j.mu.Unlock()
	err := seg.file.Sync()
	j.mu.Lock()
	j.syncing = false
	defer j.broadcastLocked()
	if seg.failed { // by a write in the meantime: its callers have been told
		return ErrVoid
	}
	if err != nil {
		err = j.fault("sync segment", err)
		j.failLocked(seg, err)
		return err
	}
	seg.end, seg.next = end, next
	j.durable = next
	i := 0
	for ; i < len(j.pending) && j.pending[i].next <= next; i++ {
		j.keepLocked(j.pending[i])
	}
	j.pending = slices.Delete(j.pending, 0, i)
	return nil
}

// failLocked ends the active segment after its last durable record and makes all
// positions behind it void.
func (j *Journal) failLocked(seg *segment, cause error) {
	if seg.failed {
		return
	}
	seg.failed = true
	j.faults++
	j.noSpace = isNoSpace(cause)
	j.voids.add(max(j.durable, seg.first), j.next, cause)
	j.pending = nil
	j.active = nil
	seg.size = seg.end
	empty := seg.end == segmentHeaderSize
	if empty {
		j.segments = slices.DeleteFunc(j.segments, func(s *segment) bool { return s == seg })
	}
	j.broadcastLocked()
	j.mu.Unlock()
	defer j.mu.Lock()
	// Tidying only: the header of the next segment excludes what is left behind.
	if empty {
		_ = j.fs.Remove(seg.path)
	} else {
		_ = seg.file.Truncate(seg.end)
	}
	_ = seg.file.Close()
}

// fault makes an error that says where, what and what to do.
func (j *Journal) fault(what string, err error) error {
	if _, ok := errors.AsType[*faultError](err); ok {
		return err
	}
	return &faultError{dir: j.dir, what: what, err: err}
}

// faultError is an error of the file system on the journal's folder.
type faultError struct {
	dir, what string
	err       error
}

func (e *faultError) Error() string {
	return fmt.Sprintf("journal %s: %s: %v; %s", e.dir, e.what, e.err, advice(e.err))
}

func (e *faultError) Unwrap() error { return e.err }
