package service

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"time"

	"go.uber.org/zap"
)

// houseInterval is short enough for the journal's size to be noticed in time
// and long enough for the state file's fsync not to matter.
const houseInterval = time.Second

// keepHouse tidies up regularly until ctx ends.
func (s *Service) keepHouse(ctx context.Context) {
	full := false
	for {
		now := time.Now()
		s.ticked.Store(now.UnixNano())
		s.tidy()
		s.mark(now)
		s.rememberMarks(now)
		s.takeSample(now)
		s.systemd.Ready() // after the first round the start is over
		if now := s.journal.Full(); now != full {
			full = now
			s.logFull(full)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(houseInterval):
		}
	}
}

// tidy copies the checkpoints of the journal to the state file and deletes the
// segments that are needed no more. What fails is tried again next time.
func (s *Service) tidy() {
	s.healDamage()
	checkpoints, upTo := s.journal.Checkpoints()
	passed := upTo
	// The next start has to read the ids of what the sweeps have not covered. But
	// that must not fill the journal, since a full one stops the sweeps.
	if js := s.journal.Stats(); js.Bytes < js.MaxBytes/2 {
		upTo = min(upTo, s.needed())
	}
	// An earlier run may have needed less: what this one has read of the journal
	// again it forgets as its sweeps go on. The stored position never goes back.
	if applied := max(upTo, s.applied); applied != s.applied || !maps.EqualFunc(checkpoints, s.stored, bytes.Equal) {
		if err := s.state.SaveStreams(checkpoints, applied); err != nil {
			s.log.Error("the state file cannot be written; the journal grows until it can", zap.Error(err))
			return
		}
		s.applied, s.stored = applied, checkpoints
	}
	if !s.setBack.TryLock() {
		return
	}
	defer s.setBack.Unlock()
	for _, k := range s.sinks {
		passed = min(passed, k.passed())
	}
	if err := s.journal.Trim(passed, upTo); err != nil {
		s.log.Error("the journal cannot be trimmed", zap.Error(err))
	}
}

// healDamage has the sweeps read again what was lost from the journal.
func (s *Service) healDamage() {
	s.mu.Lock()
	damages := s.damages
	s.damages = nil
	s.mu.Unlock()
	for _, d := range damages {
		if d.First == d.Next {
			continue // only a header: no record is lost
		}
		// A sink that comes past it has not got what was there.
		s.marks.clear()
		for _, r := range s.allReadings() {
			switch {
			case d.Stream == "" && !d.AppendedTo.IsZero():
				// Whose it was is not known, only when it was written.
				r.stream.Uncover(d.AppendedFrom.Add(-damageMargin), d.AppendedTo)
			case (d.Stream == r.stream.TailName() || d.Stream == r.stream.SweepName()) && !d.From.IsZero():
				r.stream.Uncover(d.From, d.To)
			}
		}
	}
}

// damageMargin is how much older than its record an event of a tail may be: a
// poll's interval and what a busy journal takes.
const damageMargin = 2 * time.Minute

func (s *Service) logFull(full bool) {
	if !full {
		s.log.Info("the journal has room again; polling goes on")
		return
	}
	behind := s.sinks[0]
	for _, k := range s.sinks {
		if k.passed() < behind.passed() {
			behind = k
		}
	}
	s.log.Error("the journal is full; polling waits, the tenant keeps the entries for 30 days: mend the sink that is behind, or raise journal.max_size",
		zap.String("sink", behind.name), zap.Duration("lag", behind.worker.Lag().Round(time.Second)),
		zap.Int64("max_bytes", s.journal.Stats().MaxBytes))
}

// aliveFor is how long housekeeping may take before the daemon counts as stuck:
// long enough for a slow disk, short enough for a supervisor to help.
const aliveFor = time.Minute

func (s *Service) alive() error {
	if idle := time.Since(time.Unix(0, s.ticked.Load())); idle > aliveFor {
		return fmt.Errorf("no progress for %s: the disk of data_dir hangs, or this is a fault in aictail", idle.Round(time.Second))
	}
	return nil
}
