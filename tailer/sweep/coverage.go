package sweep

import (
	"cmp"
	"math"
	"slices"
	"sort"
	"time"
)

// Interval is the time after Begin, up to and including End: (Begin, End]. One
// that does not end after its begin is empty.
type Interval struct{ Begin, End time.Time }

// Empty reports whether no moment lies in the interval.
func (iv Interval) Empty() bool { return !iv.End.After(iv.Begin) }

// Duration returns the interval's length, 0 if it is empty. It is at most the
// longest time.Duration, 292 years.
func (iv Interval) Duration() time.Duration { return max(0, iv.End.Sub(iv.Begin)) }

// Contains reports whether t lies in the interval.
func (iv Interval) Contains(t time.Time) bool { return t.After(iv.Begin) && !t.After(iv.End) }

// clip returns the part of iv that lies in to.
func (iv Interval) clip(to Interval) Interval {
	return Interval{later(iv.Begin, to.Begin), earlier(iv.End, to.End)}
}

func (iv Interval) overlaps(other Interval) bool { return !iv.clip(other).Empty() }

// utc drops time zones and monotonic readings, which would tell equal moments
// apart.
func (iv Interval) utc() Interval { return Interval{iv.Begin.UTC(), iv.End.UTC()} }

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// Coverage is a set of moments, to the nanosecond: the time for which it is
// confirmed that every entry is in the journal. The zero value is empty. Its
// methods replace the list of intervals and never change it in place, so a copy
// made by assignment stays as it is. It is not safe for concurrent use.
type Coverage struct {
	// list is sorted, and no two intervals overlap or touch.
	list []Interval
}

// from returns the index of the first interval that ends after t, or also at t
// if touching is set.
func (c Coverage) from(t time.Time, touching bool) int {
	return sort.Search(len(c.list), func(i int) bool {
		end := c.list[i].End
		return end.After(t) || touching && end.Equal(t)
	})
}

// Add puts the interval into the set.
func (c *Coverage) Add(iv Interval) {
	if iv = iv.utc(); iv.Empty() {
		return
	}
	i := c.from(iv.Begin, true)
	j := i + sort.Search(len(c.list)-i, func(k int) bool { return c.list[i+k].Begin.After(iv.End) })
	if i < j {
		iv.Begin = earlier(iv.Begin, c.list[i].Begin)
		iv.End = later(iv.End, c.list[j-1].End)
	}
	c.list = slices.Concat(c.list[:i], []Interval{iv}, c.list[j:])
}

// Remove takes the interval out of the set.
func (c *Coverage) Remove(iv Interval) {
	if iv = iv.utc(); iv.Empty() {
		return
	}
	i := c.from(iv.Begin, false)
	j := i + sort.Search(len(c.list)-i, func(k int) bool { return !c.list[i+k].Begin.Before(iv.End) })
	if i == j {
		return
	}
	rest := make([]Interval, 0, 2)
	if left := (Interval{c.list[i].Begin, iv.Begin}); !left.Empty() {
		rest = append(rest, left)
	}
	if right := (Interval{iv.End, c.list[j-1].End}); !right.Empty() {
		rest = append(rest, right)
	}
	c.list = slices.Concat(c.list[:i], rest, c.list[j:])
}

// Clip forgets what is at or before the given time.
func (c *Coverage) Clip(before time.Time) {
	if len(c.list) > 0 {
		c.Remove(Interval{c.list[0].Begin, before})
	}
}

// Covers reports whether t is in the set.
func (c Coverage) Covers(t time.Time) bool {
	i := c.from(t, true)
	return i < len(c.list) && c.list[i].Begin.Before(t)
}

// CoversAll reports whether all of the interval is in the set.
func (c Coverage) CoversAll(iv Interval) bool {
	i := c.from(iv.End, true)
	return iv.Empty() || i < len(c.list) && !c.list[i].Begin.After(iv.Begin)
}

// Gaps returns what of the interval is not in the set, oldest first.
func (c Coverage) Gaps(within Interval) []Interval {
	within = within.utc()
	var gaps []Interval
	for _, iv := range c.list[c.from(within.Begin, false):] {
		if !iv.Begin.Before(within.End) {
			break
		}
		if iv.Begin.After(within.Begin) {
			gaps = append(gaps, Interval{within.Begin, iv.Begin})
		}
		within.Begin = iv.End
	}
	if !within.Empty() {
		gaps = append(gaps, within)
	}
	return gaps
}

// Intervals returns the set as disjoint intervals, oldest first. The caller may
// keep and change them.
func (c Coverage) Intervals() []Interval { return slices.Clone(c.list) }

// CompleteUntil returns the end of the stretch without a gap that begins at or
// before the given time and reaches beyond it, and that time itself if there is
// none.
func (c Coverage) CompleteUntil(from time.Time) time.Time {
	i := c.from(from, false)
	if i < len(c.list) && !c.list[i].Begin.After(from) {
		return c.list[i].End
	}
	return from.UTC()
}

// Intersect returns what is in both sets.
func (c Coverage) Intersect(other Coverage) Coverage {
	var both Coverage
	for a, b := c.list, other.list; len(a) > 0 && len(b) > 0; {
		if common := a[0].clip(b[0]); !common.Empty() {
			both.list = append(both.list, common)
		}
		if a[0].End.Before(b[0].End) {
			a = a[1:]
		} else {
			b = b[1:]
		}
	}
	return both
}

// without returns what is in c and not in other.
func (c Coverage) without(other Coverage) Coverage {
	if len(other.list) == 0 {
		return c
	}
	var rest Coverage
	for _, iv := range c.list {
		rest.list = append(rest.list, other.Gaps(iv)...)
	}
	return rest
}

// Duration returns how much time is in the set, at most 292 years.
func (c Coverage) Duration() time.Duration {
	var sum time.Duration
	for _, iv := range c.list {
		d := iv.Duration()
		if sum > math.MaxInt64-d {
			return math.MaxInt64
		}
		sum += d
	}
	return sum
}

// Clone returns a copy that shares nothing with c.
func (c Coverage) Clone() Coverage { return Coverage{slices.Clone(c.list)} }

// Equal reports whether both sets are the same.
func (c Coverage) Equal(other Coverage) bool {
	return slices.EqualFunc(c.list, other.list, func(a, b Interval) bool {
		return a.Begin.Equal(b.Begin) && a.End.Equal(b.End)
	})
}

// last returns the newest interval, or an empty one.
func (c Coverage) last() Interval {
	if len(c.list) == 0 {
		return Interval{}
	}
	return c.list[len(c.list)-1]
}

// shortest returns the shortest of the given intervals, or an empty one.
func shortest(list []Interval) Interval {
	if len(list) == 0 {
		return Interval{}
	}
	return slices.MinFunc(list, func(a, b Interval) int { return cmp.Compare(a.Duration(), b.Duration()) })
}
