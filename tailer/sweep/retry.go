package sweep

import (
	"slices"
	"time"
)

const (
	// firstPause and longestPause space out the windows while none works. A
	// minute is the rate limit's period: waiting longer only delays.
	firstPause   = time.Second
	longestPause = time.Minute
	// setAsideAfter failures of the same stretch, it waits and others have their
	// turn: one range that the tenant cannot answer must hold up neither the tip
	// nor the backfill. Two may be chance with this API, three are not.
	setAsideAfter = 3
	// firstHold and longestHold are for how long. An hour at most, so that a
	// stretch at the end of the retention (see urgentShare) has some more tries.
	firstHold   = time.Minute
	longestHold = time.Hour
	// maxStretches bounds the memory of failures. A long outage fails everywhere;
	// the oldest memory is then the least useful.
	maxStretches = 16
)

// retries remembers which windows failed. A failure does not say whether the
// tenant or the range is at fault, so both are assumed: all windows pause, and
// the stretch that failed is asked for in ever smaller pieces, apart from the
// size that suits the rest. When several stretches have failed in a row it was
// the tenant, and once it answers again the stretches are as good as any.
type retries struct {
	failures  int       // of any window since one worked
	begun     int       // stretches that began to fail since then
	until     time.Time // no window before
	stretches []stretch
}

// stretch is time that could not be swept.
type stretch struct {
	Interval
	failures int
	size     time.Duration // the longest window to try next
	until    time.Time     // set aside until then
}

// failed takes in that the window could not be swept.
func (r *retries) failed(w Interval, now time.Time) {
	r.failures++
	r.until = now.Add(doubled(firstPause, r.failures-1, longestPause))

	failed, known := stretch{Interval: w}, false
	r.stretches = slices.DeleteFunc(r.stretches, func(s stretch) bool {
		if !s.overlaps(w) {
			return false
		}
		known = true
		failed.Begin, failed.End = earlier(failed.Begin, s.Begin), later(failed.End, s.End)
		failed.failures = max(failed.failures, s.failures)
		return true
	})
	if !known {
		r.begun++
	}
	failed.failures++
	failed.size = maxWindow
	if failed.failures > 1 { // the first may be an accident
		failed.size = max(w.Duration()/2, minWindow)
	}
	if failed.failures >= setAsideAfter {
		failed.until = now.Add(doubled(firstHold, failed.failures-setAsideAfter, longestHold))
	}
	if len(r.stretches) == maxStretches {
		r.stretches = slices.Delete(r.stretches, 0, 1)
	}
	r.stretches = append(r.stretches, failed)
}

// worked takes in that the window has been swept. What is left of a stretch that
// failed goes on from the size that worked.
func (r *retries) worked(w Interval) {
	outage := r.begun > 1
	r.failures, r.begun, r.until = 0, 0, time.Time{}
	if outage {
		r.stretches = nil
		return
	}
	var swept Coverage
	swept.Add(w)
	var left []stretch
	for _, s := range r.stretches {
		if !s.overlaps(w) {
			left = append(left, s)
			continue
		}
		for _, rest := range swept.Gaps(s.Interval) {
			left = append(left, stretch{Interval: rest, size: doubled(s.size, 1, maxWindow)})
		}
	}
	r.stretches = left[max(0, len(left)-maxStretches):]
}

// pause returns how long no window may be swept.
func (r *retries) pause(now time.Time) time.Duration { return waitUntil(r.until, now, longestPause) }

// heldBack returns what is set aside for now, and for how long at least some of
// it is; 0 if nothing is.
func (r *retries) heldBack(now time.Time) (held Coverage, wait time.Duration) {
	for _, s := range r.stretches {
		d := waitUntil(s.until, now, longestHold)
		if d == 0 {
			continue
		}
		held.Add(s.Interval)
		if wait == 0 || d < wait {
			wait = d
		}
	}
	return held, wait
}

// limit returns how long a window within iv may be after earlier failures there.
func (r *retries) limit(iv Interval, size time.Duration) time.Duration {
	for _, s := range r.stretches {
		if s.overlaps(iv) {
			size = min(size, s.size)
		}
	}
	return size
}

// waitUntil returns how long it is until t. More than the longest wait that was
// ever set means that the clock went back; then it is over.
func waitUntil(t, now time.Time, longest time.Duration) time.Duration {
	d := t.Sub(now)
	if d < 0 || d > longest {
		return 0
	}
	return d
}

// doubled returns d times 2^n, at most limit.
func doubled(d time.Duration, n int, limit time.Duration) time.Duration {
	for ; n > 0 && d < limit; n-- {
		d *= 2
	}
	return min(d, limit)
}
