package tailer

import "time"

const (
	// catchUpFrom is how much must remain to be swept for a sweep to count as
	// catching up: many times what settling and the tip's interval account for.
	catchUpFrom = 10 * time.Minute
	// caughtUp is when it no longer does.
	caughtUp = 5 * time.Minute
	// tellEvery is how often progress is worth a line in the log.
	tellEvery = 5 * time.Minute
)

// catchUp follows a sweep that has more to do than the newest stretch: after an
// outage, on a new installation with a start in the past, during a backfill.
type catchUp struct {
	began  time.Time     // zero if the sweep is not catching up
	from   time.Duration // what remained then
	behind time.Duration // what remains now
	told   time.Time
}

// news is what a change of a catchUp is worth telling.
type news int

const (
	noNews news = iota
	catchUpBegins
	catchUpGoesOn
	catchUpEnds
)

// note takes in how much remains to be swept.
func (c *catchUp) note(behind time.Duration, now time.Time) news {
	c.behind = behind
	switch {
	case c.began.IsZero() && behind >= catchUpFrom:
		*c = catchUp{began: now, from: behind, behind: behind, told: now}
		return catchUpBegins
	case !c.began.IsZero() && behind < caughtUp:
		*c = catchUp{}
		return catchUpEnds
	case !c.began.IsZero() && now.Sub(c.told) >= tellEvery:
		c.told = now
		return catchUpGoesOn
	}
	// More than at the beginning: a backfill was asked for, or the sweep falls back.
	if behind > c.from && !c.began.IsZero() {
		c.began, c.from = now, behind
	}
	return noNews
}

// remaining estimates how long the sweep takes to catch up, from how long it took
// for what it has caught up with; 0 if nothing can be said.
func (c *catchUp) remaining(now time.Time) time.Duration {
	done, took := c.from-c.behind, now.Sub(c.began)
	if c.began.IsZero() || done <= 0 || took < time.Minute {
		return 0
	}
	return time.Duration(float64(c.behind) / float64(done) * float64(took)).Round(time.Second)
}
