package sweep

import (
	"math"
	"time"
)

const (
	// latenessSteps is the number of bounds of the histogram. They grow from 5 s
	// to 34 h, in turn by a half and by a third: fine enough for a setting that
	// people write as 30s or 2m, and beyond the API's longest window.
	latenessSteps = 30
	// latenessHalfLife is the time after which an observation counts half: a day,
	// which is the rhythm of a tenant's traffic.
	latenessHalfLife = 24 * time.Hour
	// latenessCaught is the share of the late entries that the recommended settle
	// time would have caught.
	latenessCaught = 0.999
)

// latenessBound returns the upper bound of step i: 5 s, 7.5 s, 10 s, 15 s, ...
func latenessBound(i int) time.Duration {
	bound := 5 * time.Second << (i / 2)
	if i%2 == 1 {
		bound += bound / 2
	}
	return bound
}

// latenessStep returns the step that the lateness falls into. What is beyond the
// last bound counts as the last step.
func latenessStep(lateness time.Duration) int {
	i := 0
	for i < latenessSteps-1 && lateness > latenessBound(i) {
		i++
	}
	return i
}

// lateness is a histogram of how late entries arrived, in which older
// observations count less and less.
type lateness struct {
	weight  [latenessSteps]float64
	decayed time.Time // up to when the weights have decayed
}

// decay lets time pass. A clock that went back changes nothing.
func (l *lateness) decay(now time.Time) {
	if passed := now.Sub(l.decayed); passed > 0 && !l.decayed.IsZero() {
		factor := math.Exp2(-float64(passed) / float64(latenessHalfLife))
		for i := range l.weight {
			l.weight[i] *= factor
		}
	}
	l.decayed = now
}

// add takes over what a sweep has observed. Late entries of which only the
// number is known count as late as the latest.
func (l *lateness) add(r *Result) {
	rest := r.Late
	for i, n := range r.lateness {
		l.weight[i] += float64(n)
		rest -= int(n)
	}
	if rest > 0 {
		l.weight[latenessStep(r.LateMax)] += float64(rest)
	}
}

// caught returns a bound that latenessCaught of the observations keep; false if
// none of them is young enough to say anything.
func (l *lateness) caught() (time.Duration, bool) {
	var total float64
	for _, w := range l.weight {
		total += w
	}
	if total < 0.5 { // less than one entry, a day old
		return 0, false
	}
	var sum float64
	for i, w := range l.weight {
		if sum += w; sum >= latenessCaught*total {
			return roundUp(latenessBound(i)), true
		}
	}
	return roundUp(latenessBound(latenessSteps - 1)), true // rounding of the sums
}

// roundUp returns a duration that reads well in a configuration: whole seconds
// in steps of 5 up to 2 minutes, whole minutes above.
func roundUp(d time.Duration) time.Duration {
	unit := 5 * time.Second
	if d > 2*time.Minute {
		unit = time.Minute
	}
	return (d + unit - 1) / unit * unit
}
