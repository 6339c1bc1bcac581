package tailer

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"aictail"
	"aictail/tailer/sweep"
)

// This file is about what a stream knows to be in the journal: which ids, until when
// they are needed, and what is not certain yet.

// RecoverEvent remembers an event that is in the journal already. It is called
// before tail and sweep run, in the order of the journal.
func (s *Stream) RecoverEvent(id []byte, at time.Time, pos aictail.Position) {
	s.mu.Lock()
	defer s.mu.Unlock()
	minute := minuteOf(at)
	if s.isForgottenLocked(minute, at) {
		return
	}
	k := idKey{minute, s.ids.key(id)}
	s.ids.add(k)
	s.ids.placed([]idKey{k}, pos)
}

// Needed returns the journal position from which on events must be kept for the
// next start to know their ids; MaxUint64 if none.
func (s *Stream) Needed() aictail.Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cfg.Mode == sweep.Off {
		return math.MaxUint64
	}
	return s.ids.low()
}

// accept takes the events that are not in the journal yet, in place, appends
// their keys to keys, and tells count about the others.
func (s *Stream) accept(events []aictail.Event, keys []idKey, counts *sourceCounts) ([]aictail.Event, []idKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fresh := events[:0]
	for i := range events {
		e := &events[i]
		minute := minuteOf(e.Time)
		k := idKey{minute, s.ids.key(e.ID)}
		if s.isForgottenLocked(minute, e.Time) || !s.ids.add(k) {
			counts.duplicate(e.Source)
			continue
		}
		keys = append(keys, k)
		counts.received(e.Source, e.Time)
		fresh = append(fresh, *e)
	}
	return fresh, keys
}

// isForgottenLocked tells whether an event of this time is in the journal for
// certain, without looking for its id: coverage says so, and the ids of that
// time have been forgotten.
func (s *Stream) isForgottenLocked(minute int64, at time.Time) bool {
	return minute < s.floor && s.ids.minutes[minute] == nil && (s.covered.Covers(at) || !s.wantsLocked(at))
}

// forget takes the keys of events back that did not reach the journal.
func (s *Stream) forget(keys []idKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.voided++
	for _, k := range keys {
		s.ids.remove(k)
	}
}

// placed notes the journal position of accepted events.
func (s *Stream) placed(keys []idKey, pos aictail.Position) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ids.placed(keys, pos)
}

// doubt notes a chunk of the tail that is written and not known to be durable.
func (s *Stream) doubt(pos aictail.Position) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inDoubt = append(s.inDoubt, pos)
}

// noDoubt says that the fate of the chunks that were noted is known.
func (s *Stream) noDoubt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inDoubt = s.inDoubt[:0]
}

// trust returns a mark to give to confirmTrust.
func (s *Stream) trust() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.voided
}

// confirmTrust returns nil if every event that was taken for a duplicate since the
// mark is durable in the journal. What the tail has accepted may still be on its way
// there: a coverage that overtook it would claim, after a crash, what is not there.
func (s *Stream) confirmTrust(ctx context.Context, mark int, j Journal) error {
	s.appending.Lock()   // until what was accepted is written
	s.appending.Unlock() //nolint:staticcheck // nothing to do in between
	s.mu.Lock()
	chunks := slices.Clone(s.inDoubt)
	s.mu.Unlock()
	for _, pos := range chunks {
		if err := j.Sync(ctx, pos); err != nil {
			return err
		}
	}
	if s.trust() != mark {
		return errors.New("events that were taken for duplicates did not reach the journal; the window is read again")
	}
	return nil
}

// keepCovered is how long ids are remembered after their time has been covered:
// the sweep looks back once more, by the settle time at most, and a late answer
// of the tail may still bring them.
func (s *Stream) keepCovered() time.Duration { return 2*s.cfg.Settle + 2*time.Minute }

// forgetLocked drops ids that can't be needed any more, or that are too many.
func (s *Stream) forgetLocked(now time.Time) {
	if s.cfg.Mode == sweep.Off {
		for s.ids.size > 2*tailIDs && len(s.ids.minutes) > 1 {
			oldest, _ := s.ids.oldest()
			s.ids.drop(oldest)
		}
		return
	}
	s.raiseFloorLocked()
	gone := minuteOf(now.Add(-Retention))
	for m := range s.ids.minutes {
		if m < gone || m < s.floor && s.coversMinuteLocked(m) {
			s.ids.drop(m)
		}
	}
	for s.ids.size > maxIDs && len(s.ids.minutes) > 1 {
		oldest, _ := s.ids.oldest()
		s.evicted += len(s.ids.minutes[oldest].ids)
		s.ids.drop(oldest)
	}
}

// raiseFloorLocked moves the floor up behind the newest coverage.
func (s *Stream) raiseFloorLocked() {
	if intervals := s.covered.Intervals(); len(intervals) > 0 {
		s.floor = max(s.floor, minuteOf(intervals[len(intervals)-1].End.Add(-s.keepCovered())))
	}
}

// coversMinuteLocked tells whether everything that is wanted of a minute is
// covered.
func (s *Stream) coversMinuteLocked(m int64) bool {
	begin := time.Unix(m*60, 0)
	whole := sweep.Interval{Begin: begin.Add(-1), End: begin.Add(time.Minute - 1)}
	for _, gap := range s.covered.Gaps(whole) {
		if s.wantsLocked(gap.End) || s.wantsLocked(gap.Begin.Add(1)) {
			return false
		}
	}
	return true
}
