package sweep

import "time"

// Result is what the sweep of a window found.
type Result struct {
	Entries int // in the window itself, without the rest of the query
	Pages   int // requests that it took
	Missed  int // events in the window that the tail had not brought
	// Late counts the new events in the window's Recheck, and LateMax is the
	// greatest lateness among them. Observe sets both.
	Late    int
	LateMax time.Duration

	lateness [latenessSteps]uint32
}

// Observe takes in a new event in the window's Recheck that was found the given
// time after its timestamp.
func (r *Result) Observe(lateness time.Duration) {
	r.Late++
	r.LateMax = max(r.LateMax, lateness)
	r.lateness[latenessStep(lateness)]++
}

// Totals is what the stream's sweeps have found since New.
type Totals struct {
	Windows, Failures int
	Entries, Pages    int
	Missed, Late      int
	LateMax           time.Duration
}

func (t *Totals) add(r *Result) {
	t.Windows++
	t.Entries += r.Entries
	t.Pages += r.Pages
	t.Missed += r.Missed
	t.Late += r.Late
	t.LateMax = max(t.LateMax, r.LateMax)
}

// Totals returns what the stream's sweeps have found since New.
func (s *Stream) Totals() Totals { return s.totals }

// Coverage returns a copy of the coverage. It is what a restart needs.
func (s *Stream) Coverage() Coverage { return s.cov.Clone() }

// CompleteUntil returns the time until which every entry that is wanted and that
// the tenant still holds is in the journal: the end of the stretch without a gap
// that begins at Start, or at the end of the retention if that is later. It is
// the zero time in Off mode, which promises nothing.
func (s *Stream) CompleteUntil(now time.Time) time.Time {
	if s.cfg.Mode == Off {
		return time.Time{}
	}
	now = now.UTC()
	from := later(s.cfg.Start, s.edge(now))
	return earlier(s.cov.CompleteUntil(from), later(from, s.settled(now)))
}

// Behind returns how much settled time is wanted and not covered.
func (s *Stream) Behind(now time.Time) time.Duration {
	if s.cfg.Mode == Off {
		return 0
	}
	return s.uncovered(now.UTC()).Duration()
}

// OldestMissing returns the begin of the oldest time that is wanted, has settled and
// is not covered; the end of what has settled if there is none. What Backfill asks
// for is wanted as well.
func (s *Stream) OldestMissing(now time.Time) time.Time {
	now = now.UTC()
	if gaps := s.uncovered(now).list; s.cfg.Mode != Off && len(gaps) > 0 {
		return gaps[0].Begin
	}
	return s.settled(now)
}

// Missing returns the time that is wanted, has settled and is not covered, oldest
// first. What Backfill asks for is wanted as well.
func (s *Stream) Missing(now time.Time) []Interval {
	if s.cfg.Mode == Off {
		return nil
	}
	return s.uncovered(now.UTC()).Intervals()
}

// Lost returns the time that left the retention before it was swept, oldest
// first. Each moment is reported once; after a restart, what was lost since the
// end of the coverage moved last may be reported again. With a Start as far back
// as the retention, the first seconds are lost while the first window is swept.
func (s *Stream) Lost(now time.Time) []Interval {
	if s.cfg.Mode == Off {
		return nil
	}
	s.roll(now.UTC())
	lost := s.lost.list
	s.lost = Coverage{}
	return lost
}

// Recommend returns the settle time that would have caught 99.9 % of the entries
// that were seen to arrive later than Settle, rounded up; false if there were
// none lately. An observation counts half after a day.
func (s *Stream) Recommend() (settle time.Duration, ok bool) {
	settle, ok = s.late.caught()
	return settle, ok && settle > s.cfg.Settle
}
