// Package sweep decides which windows of time to ask the tenant for again, so
// that every entry it holds reaches the journal: the coverage of one stream and
// the order, size and repetition of its windows. It does no I/O, starts no
// goroutine and reads no clock; who executes the windows is package tailer.
//
// # Coverage
//
// Tail is fast but incomplete. A range query over a window that is older than
// the settle time returns every entry of it; once these are in the journal the
// window is covered. Time that is wanted and not covered is swept: the tip (what
// has settled since the last sweep) first, then the other gaps, newest first,
// except what is about to leave the tenant's retention.
//
// # What is lost or repeated when
//
// Coverage is only ever claimed for windows that were reported as done and, in
// Gaps mode, for what the tail claims. When in doubt (a clock that went back, an
// unclear failure, too many holes) coverage is given up and the time swept
// again: that repeats requests and never events, which have ids. Two things can
// be missed: an entry that arrives later than the settle time (they are measured,
// see Recommend), and one that had left the retention before its time was swept
// (see Lost).
package sweep

import (
	"fmt"
	"time"
)

// Mode says how much of a stream is swept.
type Mode int

// The modes.
const (
	// Full sweeps everything.
	Full Mode = iota
	// Gaps trusts the tail where nothing speaks against it.
	Gaps
	// Off sweeps nothing and promises nothing.
	Off
)

// String returns the mode's name as written in the configuration.
func (m Mode) String() string {
	switch m {
	case Full:
		return "full"
	case Gaps:
		return "gaps"
	case Off:
		return "off"
	}
	return fmt.Sprintf("mode(%d)", int(m))
}

// ParseMode reads a mode's name as written in the configuration.
func ParseMode(name string) (Mode, error) {
	for _, m := range []Mode{Full, Gaps, Off} {
		if name == m.String() {
			return m, nil
		}
	}
	return 0, fmt.Errorf("%q is not a sweep mode; use full, gaps or off", name)
}

const (
	// defaultRetention is how long a tenant keeps its logs (the vendor's
	// documentation).
	defaultRetention = 30 * 24 * time.Hour
	// defaultInterval is as long as the default settle time: a quiet source's
	// latest entry then arrives within a minute, for two requests a minute.
	defaultInterval = 30 * time.Second
	// offWait is returned by Next when there will never be a window. The number
	// means nothing.
	offWait = time.Hour
	// clockStep is by how much a clock may go back without being taken for one
	// that had been wrong: corrections of a running clock are far smaller.
	clockStep = time.Hour
	// maxIntervals bounds the coverage map when holes are torn into it, and with
	// it the size of a checkpoint, to about 64 KiB.
	maxIntervals = 1000
)

// Config says what is wanted of a stream.
type Config struct {
	Mode Mode
	// Settle is the age at which time counts as settled: entries are expected to
	// have arrived by then. 0 or more.
	Settle time.Duration
	// Retention is how long the tenant keeps entries; 0 for 30 days.
	Retention time.Duration
	// Start is the installation's begin; nothing before it is wanted.
	Start time.Time
	// Interval is how much time must have settled before the tip is swept; 0 for
	// 30 s. The latest entry of a quiet source, which tail withholds, arrives
	// within Settle + Interval.
	Interval time.Duration
}

// Stream plans the sweep of one stream. It is not safe for concurrent use. Every
// now is a wall clock's time, best the tenant's: a clock that is ahead makes
// windows settle too early.
type Stream struct {
	cfg Config
	cov Coverage
	// extra is wanted in addition to what follows from Start, until it is covered.
	extra Coverage
	// suspect is where the tail may have missed something, until it is swept.
	suspect Coverage
	// reopened is what was uncovered since Next returned a window: that window's
	// completion says nothing about it.
	reopened Coverage
	// lost is what was lost and not yet reported, and passed the end of the
	// retention up to which that has been settled.
	lost   Coverage
	passed time.Time

	// tailFrom is where the tail's own claim begins, and tailMark up to where it
	// has been turned into coverage; both zero before the first claim.
	tailFrom, tailMark time.Time

	retry     retries
	sizes     [2]time.Duration // the length of the next window of each class
	rate      float64          // entries a second at the tip
	rateKnown bool
	late      lateness
	totals    Totals
}

// New returns the plan of a stream with the given coverage, as an earlier run
// left it. Nothing else has to be kept over a restart: what was suspicious or
// uncovered is a hole in the map. Only Backfill and Uncover of time before
// cfg.Start must be called again.
func New(cfg Config, covered Coverage) *Stream {
	if cfg.Retention <= 0 {
		cfg.Retention = defaultRetention
	}
	if cfg.Interval <= 0 {
		cfg.Interval = defaultInterval
	}
	cfg.Settle = max(cfg.Settle, 0)
	cfg.Start = cfg.Start.UTC()
	return &Stream{cfg: cfg, cov: covered.Clone(), sizes: [2]time.Duration{firstWindow, firstWindow}}
}

// settled returns the end of the time that can be swept.
func (s *Stream) settled(now time.Time) time.Time { return now.Add(-s.cfg.Settle) }

// edge returns the begin of the time that the tenant still holds.
func (s *Stream) edge(now time.Time) time.Time { return now.Add(-s.cfg.Retention) }

// SetInterval changes Config.Interval, since how often the tip can be swept
// depends on the requests that the tenant allows and on how many streams share
// them. 0 or less changes nothing.
func (s *Stream) SetInterval(d time.Duration) {
	if d > 0 {
		s.cfg.Interval = d
	}
}

// Next returns the next window to sweep, with wait 0, or how long to wait before
// asking again. One window is out at a time: Done or Failed comes before the next
// call. Suspect, Uncover and Backfill may make a window due before the wait is
// over, so it is never longer than the interval or a pause after failures, a
// minute at most; except in Off mode, where there is never a window.
func (s *Stream) Next(now time.Time) (w Window, wait time.Duration) {
	if s.cfg.Mode == Off {
		return Window{}, offWait
	}
	now = now.UTC()
	s.roll(now)
	if d := s.retry.pause(now); d > 0 {
		return Window{}, d
	}
	held, hold := s.retry.heldBack(now)
	gaps := s.uncovered(now).without(held)
	iv, class, ok := s.pick(gaps.list, now)
	if !ok {
		wait = s.cfg.Interval
		if tip := gaps.last(); tip.End.Equal(s.settled(now)) {
			wait = min(wait, s.tipLength()-tip.Duration())
		}
		if hold > 0 {
			wait = min(wait, hold)
		}
		return Window{}, wait
	}
	s.reopened = Coverage{}
	return s.window(iv, class, now), 0
}

// Done takes in that every entry of the window's query is durable in the
// journal. From now on the window counts as covered, except what Uncover or
// Suspect has named since Next returned it.
func (s *Stream) Done(w Window, res Result, now time.Time) {
	if s.cfg.Mode == Off || w.Empty() {
		return
	}
	now = now.UTC()
	// The end is clipped in case the clock has gone back since Next.
	s.Progress(w.clip(Interval{w.Begin, s.settled(now)}))
	s.reopened = Coverage{}
	s.retry.worked(w.utc())
	s.learn(w, &res)
	s.late.decay(now)
	if res.LateMax > s.cfg.Settle {
		s.late.add(&res)
	}
	s.totals.add(&res)
	s.roll(now)
}

// Progress takes in that a part of the window that Next returned is durable in the
// journal. It counts as covered like the whole after Done, which is still to come,
// or Failed for the rest of the window.
func (s *Stream) Progress(part Interval) {
	for _, iv := range s.reopened.Gaps(part) {
		s.cover(iv)
		s.suspect.Remove(iv)
	}
}

// With returns the coverage as it will be once Progress or Done has taken in the
// interval: what a checkpoint holds that is journaled with the interval's events.
func (s *Stream) With(iv Interval) Coverage {
	c := s.cov.Clone()
	for _, part := range s.reopened.Gaps(iv) {
		c.Add(part)
	}
	return c
}

// Failed takes in that the window could not be swept. It is tried again after a
// pause, in smaller pieces if it keeps failing.
func (s *Stream) Failed(w Window, now time.Time) {
	if s.cfg.Mode == Off || w.Empty() {
		return
	}
	s.totals.Failures++
	s.retry.failed(w.utc(), now.UTC())
}

func (s *Stream) cover(iv Interval) {
	s.cov.Add(iv)
	s.extra.Remove(iv)
}

// roll lets time pass: what the tenant no longer holds is settled, and coverage
// of what has not settled yet, left by a clock that was ahead, is given up.
func (s *Stream) roll(now time.Time) {
	end := s.settled(now)
	s.cov.Remove(Interval{end, s.cov.last().End})
	s.tailFrom = earlier(s.tailFrom, now)
	if s.tailMark.After(end) {
		s.tailMark = later(end, s.tailFrom)
	}

	edge := s.edge(now)
	if s.passed.IsZero() {
		s.passed = s.settledLosses()
	}
	owed := s.extra.Intersect(Coverage{[]Interval{{End: edge}}})
	owed.Add(Interval{later(s.cfg.Start, s.passed), edge})
	for _, iv := range owed.without(s.cov).list {
		s.lost.Add(iv)
	}
	if edge.After(s.passed) || s.passed.Sub(edge) > clockStep {
		s.passed = edge
	}
	s.extra.Clip(edge)
	s.suspect.Clip(edge)
	// The newest stretch stays in any case, for settledLosses.
	if newest := s.cov.last(); newest.End.After(edge) {
		s.cov.Clip(edge)
	} else {
		s.cov.Clip(newest.Begin)
	}
}

// settledLosses returns up to where the runs before this one have reported what
// was lost: when the end of the coverage was confirmed, the retention had come at
// least that far.
func (s *Stream) settledLosses() time.Time {
	if len(s.cov.list) == 0 {
		return s.cfg.Start
	}
	return s.cov.last().End.Add(s.cfg.Settle - s.cfg.Retention)
}

// uncovered returns the time that has settled, is wanted and not covered.
func (s *Stream) uncovered(now time.Time) Coverage {
	reach := Interval{s.edge(now), s.settled(now)}
	wanted := s.extra.Intersect(Coverage{[]Interval{reach}})
	wanted.Add(Interval{later(s.cfg.Start, reach.Begin), reach.End})
	return wanted.without(s.cov)
}
