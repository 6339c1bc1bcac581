package sweep

import "time"

// Suspect takes in that the tail may have missed something in the interval: a
// full page, a late poll, a refused cookie, a fragment without its rest. It is
// widened by the settle time on both sides. In Gaps mode it is swept again even
// where it was covered; in Full mode everything is swept once anyway, and the
// interval is only remembered until then (see Suspected).
func (s *Stream) Suspect(iv Interval) {
	if s.cfg.Mode == Off {
		return
	}
	iv = Interval{iv.Begin.Add(-s.cfg.Settle), iv.End.Add(s.cfg.Settle)}
	if s.cfg.Mode == Gaps {
		s.reopen(iv)
		return
	}
	for _, open := range s.cov.Gaps(iv) {
		s.suspect.Add(open)
	}
	s.boundSuspicions()
}

// Suspected returns where the tail may have missed something and no sweep has
// been since, oldest first.
func (s *Stream) Suspected() []Interval { return s.suspect.Intervals() }

// Uncover takes the interval back, because the journal no longer has what was
// confirmed (a damaged record): it is fetched again, even if it lies before Start
// or in the window that is being swept.
func (s *Stream) Uncover(iv Interval) {
	if s.cfg.Mode == Off {
		return
	}
	s.extra.Add(iv)
	s.reopen(iv)
}

// Backfill wants the interval, even if it lies before Start. What is covered is
// not fetched again, and what the tenant no longer holds is reported by Lost.
func (s *Stream) Backfill(iv Interval) {
	if s.cfg.Mode == Off {
		return
	}
	for _, open := range s.cov.Gaps(iv) {
		s.extra.Add(open)
	}
}

// Tailed takes in, in Gaps mode, that the tail has brought everything from its
// last report up to the given time, except what Suspect named before. That time
// is the timestamp of the last entry returned and not that of the request, since
// the tail withholds the latest entry. The first call after New only begins the
// claim: the time before it is swept. What is claimed is covered once it has
// settled, on the tail's word alone: an entry that arrived late is missed.
func (s *Stream) Tailed(until time.Time) {
	if s.cfg.Mode != Gaps {
		return
	}
	until = until.UTC()
	if s.tailFrom.IsZero() {
		s.tailFrom, s.tailMark = until, until
		return
	}
	claimed := Interval{s.tailMark, until.Add(-s.cfg.Settle)}
	if claimed.Empty() {
		return
	}
	for _, iv := range s.suspect.Gaps(claimed) {
		s.cover(iv)
	}
	s.tailMark = claimed.End
}

// reopen makes a hole in the coverage that only a sweep can close.
func (s *Stream) reopen(iv Interval) {
	s.cov.Remove(iv)
	s.reopened.Add(iv)
	s.suspect.Add(iv)
	s.boundSuspicions()
	// Too many holes are joined by giving up the shortest stretch between two of
	// them. That repeats requests; a hole that is never filled is reported as
	// lost with what was given up around it.
	for len(s.cov.list) > maxIntervals {
		s.cov.Remove(shortest(s.cov.list))
	}
}

// boundSuspicions joins the closest of too many suspicions.
func (s *Stream) boundSuspicions() {
	for len(s.suspect.list) > maxIntervals {
		all := Interval{s.suspect.list[0].Begin, s.suspect.last().End}
		s.suspect.Add(shortest(s.suspect.Gaps(all)))
	}
}
