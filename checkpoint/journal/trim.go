package journal

import (
	"errors"
	"io/fs"
	"time"

	"aictail"
)

// Trim deletes the oldest segments: those whose records lie before passed (the
// least read position of all sinks) and before applied (up to where checkpoints
// are stored elsewhere) and are all older than Options.Retain. While the journal
// is nearly full, or the disk is, MinRetain takes the place of Retain. Trim is to
// be called every few seconds: it is also what wakes WaitRoom.
//
// Records that were neither passed nor applied are never deleted.
func (j *Journal) Trim(passed, applied aictail.Position) error {
	j.trimMu.Lock()
	defer j.trimMu.Unlock()
	limit := min(passed, applied)
	if err := j.deleteOld(limit); err != nil {
		return err
	}
	if !j.stuck(limit) {
		return nil
	}
	// The newest segment alone fills the journal, and everybody has it.
	if err := j.startSegment(); err != nil {
		return err
	}
	return j.deleteOld(limit)
}

// deleteOld deletes what may be deleted. Its caller holds trimMu.
func (j *Journal) deleteOld(limit aictail.Position) error {
	for {
		// Deletions must become durable in order: a hole would be taken for damage,
		// and the end of a failed segment is written in its successor.
		if j.dirUnsynced {
			if err := j.fs.SyncDir(j.dir); err != nil {
				return j.fault("delete segment", err)
			}
			j.dirUnsynced = false
		}
		seg := j.takeOldest(limit)
		if seg == nil {
			return nil
		}
		if err := j.fs.Remove(seg.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			j.mu.Lock()
			j.segments = append([]*segment{seg}, j.segments...)
			j.mu.Unlock()
			return j.fault("delete segment", err)
		}
		j.dirUnsynced = true
	}
}

// takeOldest takes the oldest segment out of the list if it may be deleted. The
// newest is never deleted, since the next position is known from it.
func (j *Journal) takeOldest(limit aictail.Position) *segment {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.segments) < 2 {
		return nil
	}
	seg := j.segments[0]
	if seg.next > limit || time.Since(seg.newest) < j.retainLocked() {
		return nil
	}
	j.segments = j.segments[1:]
	j.broadcastLocked()
	return seg
}

// retainLocked returns how long records must be kept at the moment.
func (j *Journal) retainLocked() time.Duration {
	// Nearly full is seven eighths: a whole segment before polling would stop.
	if j.noSpace || j.bytesLocked() >= j.opts.MaxSize-j.opts.MaxSize/8 {
		return MinRetain
	}
	return max(j.opts.Retain, MinRetain)
}

// stuck tells whether only a new segment can make room.
func (j *Journal) stuck(limit aictail.Position) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.segments) != 1 || j.bytesLocked() < j.opts.MaxSize || j.appendClosed {
		return false
	}
	seg := j.segments[0]
	return j.next <= limit && time.Since(seg.newest) >= MinRetain
}

// startSegment ends the active segment and starts another.
func (j *Journal) startSegment() error {
	j.appendMu.Lock()
	defer j.appendMu.Unlock()
	j.mu.Lock()
	closed := j.appendClosed
	j.mu.Unlock()
	if closed {
		return nil
	}
	if err := j.seal(); err != nil {
		return err
	}
	_, err := j.create()
	return err
}
