package tailer

import (
	"errors"
	"time"

	"aictail"
	"aictail/tailer/sweep"
)

// Known are the events of a stretch of time that the journal still holds. A sweep
// that reads the time once more recognises them by their ids, which a stream forgets
// soon after it has covered them.
type Known struct {
	stream   *Stream
	from, to int64 // minutes, both included
	ids      []knownID
}

type knownID struct {
	idKey
	pos aictail.Position
}

// ErrTooMany says that a stretch of time has more events than a stream can remember.
var ErrTooMany = errors.New("that time has too many events to recognise them all: ask for a shorter one")

// Known returns an empty set for a stretch of time.
func (s *Stream) Known(from, to time.Time) *Known {
	return &Known{stream: s, from: minuteOf(from), to: minuteOf(to)}
}

// Add takes an event of the stream that is in the journal; others than of its time are
// left out.
func (k *Known) Add(e *aictail.Event) error {
	minute := minuteOf(e.Time)
	if minute < k.from || minute > k.to {
		return nil
	}
	if len(k.ids) == maxIDs/2 { // the other half is for what goes on meanwhile
		return ErrTooMany
	}
	k.ids = append(k.ids, knownID{idKey{minute, k.stream.ids.key(e.ID)}, e.Position})
	return nil
}

// Backfill has the sweep read a stretch of time that was not wanted before; what is
// covered is not read again. known is what the journal holds of it, or nil if it
// does not reach back that far: half of what was delivered would be worse than
// nothing where coverage tells.
func (s *Stream) Backfill(from, to time.Time, known *Known) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.knowLocked(known)
	iv := sweep.Interval{Begin: from, End: to}
	s.wanted = append(s.wanted, iv)
	s.plan.Backfill(iv)
	s.wakeUp()
}

// Reread has the sweep read the whole minutes of a stretch of time once more, also
// what is covered. Events that are not in known are delivered: those that were missed
// and, where the journal no longer reaches back, those that were not.
func (s *Stream) Reread(known *Known) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.knowLocked(known)
	iv := sweep.Interval{Begin: time.Unix(known.from*60, -1), End: time.Unix((known.to+1)*60, -1)}
	s.wanted = append(s.wanted, iv)
	s.plan.Uncover(iv)
	s.covered = s.plan.Coverage()
	s.wakeUp()
}

func (s *Stream) knowLocked(known *Known) {
	if known == nil {
		return
	}
	for _, k := range known.ids {
		s.ids.add(k.idKey)
		s.ids.placed([]idKey{k.idKey}, k.pos)
	}
}
