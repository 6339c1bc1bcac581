package budget

import "time"

const (
	// counting is how many seconds a request counts, see memory.
	counting = 62
	// slots is how many seconds a record holds: some more, so that an answer that
	// was long on its way can be compared with what had been sent by then.
	slots = counting + 18
)

// record counts requests by the second in which they were sent. A request
// counts for 61 to 62 seconds. The size is the same for every limit.
type record struct {
	base   time.Time // the beginning of second 0
	newest int64     // the newest second in counts
	counts [slots]int
}

// newRecord returns an empty record whose seconds begin with the clock's, and
// which has room for requests that were sent before now.
func newRecord(now time.Time) record {
	base := now.Add(-slots*time.Second - time.Duration(now.Nanosecond()))
	return record{base: base, newest: slots}
}

// second returns the second that t is in, 0 for a time before the record.
func (r *record) second(t time.Time) int64 { return max(0, int64(t.Sub(r.base)/time.Second)) }

// advance forgets what is too old.
func (r *record) advance(now time.Time) {
	second := r.second(now)
	if second-r.newest >= slots {
		r.counts = [slots]int{}
		r.newest = second
	}
	for r.newest < second {
		r.newest++
		r.counts[r.newest%slots] = 0
	}
}

func (r *record) add(now time.Time) {
	r.advance(now)
	r.counts[r.newest%slots]++
}

// total counts the requests that count now.
func (r *record) total(now time.Time) int {
	r.advance(now)
	return r.from(r.newest - counting + 1)
}

// all counts every request that is remembered.
func (r *record) all(now time.Time) int {
	r.advance(now)
	return r.from(0)
}

// since counts the requests sent in the second of t or later.
func (r *record) since(now, t time.Time) int {
	r.advance(now)
	return r.from(r.second(t))
}

func (r *record) from(second int64) int {
	n := 0
	for s := max(second, r.newest-slots+1); s <= r.newest; s++ {
		n += r.counts[s%slots]
	}
	return n
}

// below returns the moment from which on less than n requests count if none is
// added. n is at least 1.
func (r *record) below(now time.Time, n int) time.Time {
	left := r.total(now)
	for s := r.newest - counting + 1; s <= r.newest && left >= n; s++ {
		if left -= r.counts[s%slots]; left < n {
			return r.base.Add(time.Duration(s+counting) * time.Second)
		}
	}
	return now
}

// recent returns the counts, the newest second first, without trailing zeros.
func (r *record) recent(now time.Time) []int {
	r.advance(now)
	counts := make([]int, 0, slots)
	n := 0
	for s := r.newest; s > r.newest-slots; s-- {
		counts = append(counts, r.counts[s%slots])
		if r.counts[s%slots] > 0 {
			n = len(counts)
		}
	}
	return counts[:n]
}

// restore puts counts back that recent returned the given time ago. Counts that
// cannot be are left out.
func (r *record) restore(now time.Time, counts []int, ago time.Duration) {
	r.advance(now)
	newest := r.second(now.Add(-ago))
	for i, n := range counts {
		if s := newest - int64(i); n > 0 && s > r.newest-slots && s >= 0 {
			r.counts[s%slots] += n
		}
	}
}
