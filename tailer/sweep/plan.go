package sweep

import "time"

const (
	// maxQuery is the longest range that the API answers; a second more fails.
	maxQuery = 24 * time.Hour
	// widening is added to both ends of a query: observations differ on whether
	// its bounds belong to it.
	widening = time.Second
	// maxWindow leaves room for the widening.
	maxWindow = maxQuery - 2*widening
	// minWindow is the shortest piece that is cut off a gap. A gap itself may be
	// shorter.
	minWindow = time.Second
	// firstWindow is the length to start from, before anything is known of the
	// traffic: an hour of a source with one entry a second is four pages.
	firstWindow = time.Hour
	// pageSize is the number of entries of a full page (the API's limit for
	// _pageSize).
	pageSize = 1000
	// aim is the number of entries that a window should hold: five pages. A
	// failure then repeats little, and the last page, half empty on the average,
	// wastes a tenth.
	aim = 5 * pageSize
	// urgentShare of the retention is the margin in which a gap is about to be
	// lost: 6 h of 30 days. Long enough to outlive a night's outage or a day's
	// worth of budget spent elsewhere, and so small a part of the retention that
	// the newest come first practically always.
	urgentShare = 120
	// silence is how long the tail may bring nothing in Gaps mode before the
	// sweep looks for itself: the tail withholds the latest entry, and a tail that
	// fails reports nothing. A request in 5 minutes is cheap for any source.
	silence = 5 * time.Minute
	// rateWeight is the weight of the newest result in the traffic estimate:
	// with windows every 30 s, the estimate follows within about two minutes.
	rateWeight = 0.3
)

// Class says why a window is swept.
type Class int

// The classes, most pressing first.
const (
	// Tip is the time that has settled since the last sweep.
	Tip Class = iota
	// Backfill is everything older.
	Backfill
)

// String returns the class's name as used in logs and metric labels.
func (c Class) String() string {
	if c == Tip {
		return "tip"
	}
	return "backfill"
}

// Window is one piece of work: the time that counts as covered once every entry
// that Query returns is in the journal.
type Window struct {
	Interval
	// Query is what to ask the tenant for. It contains the window and is at most
	// 24 h long.
	Query Interval
	// Recheck is the part of Query that was covered before, or empty. A new event
	// in it arrived after its time had been swept: later than the settle time.
	Recheck Interval
	Class   Class
}

// pick chooses the next window from the gaps, which are sorted and leave out what
// is set aside.
func (s *Stream) pick(gaps []Interval, now time.Time) (Interval, Class, bool) {
	if len(gaps) == 0 {
		return Interval{}, 0, false
	}
	last := len(gaps) - 1
	if tip := gaps[last]; tip.End.Equal(s.settled(now)) {
		if tip.Duration() >= s.tipLength() {
			return s.cutNewest(tip, Tip), Tip, true
		}
		if gaps = gaps[:last]; len(gaps) == 0 {
			return Interval{}, 0, false
		}
	}
	margin := s.cfg.Retention / urgentShare
	if oldest := gaps[0]; oldest.Begin.Before(s.edge(now).Add(margin)) {
		return s.cutOldest(oldest), Backfill, true
	}
	return s.cutNewest(gaps[len(gaps)-1], Backfill), Backfill, true
}

// tipLength is how much time must have settled before the tip is swept again.
func (s *Stream) tipLength() time.Duration {
	if s.cfg.Mode == Gaps {
		return max(silence, s.cfg.Interval)
	}
	return s.cfg.Interval
}

func (s *Stream) cutNewest(gap Interval, class Class) Interval {
	d := length(gap, s.sizes[class])
	d = s.retry.limit(Interval{gap.End.Add(-d), gap.End}, d)
	return Interval{gap.End.Add(-d), gap.End}
}

func (s *Stream) cutOldest(gap Interval) Interval {
	d := length(gap, s.sizes[Backfill])
	d = s.retry.limit(Interval{gap.Begin, gap.Begin.Add(d)}, d)
	return Interval{gap.Begin, gap.Begin.Add(d)}
}

// length returns how much of a gap to take. It takes half as much again as asked
// for rather than leave a remnant, which would cost a request of its own.
func length(gap Interval, size time.Duration) time.Duration {
	if d := gap.Duration(); d <= min(size+size/2, maxWindow) {
		return d
	}
	return size
}

// window makes the query of a window.
func (s *Stream) window(iv Interval, class Class, now time.Time) Window {
	w := Window{Interval: iv, Class: class}
	w.Query = Interval{iv.Begin.Add(-widening), earlier(iv.End.Add(widening), now)}
	if class != Tip || !s.cov.Covers(iv.Begin) {
		return w
	}
	w.Query.Begin = earlier(w.Query.Begin, iv.Begin.Add(-s.lookBack(iv.Duration())))
	w.Query.Begin = later(w.Query.Begin, w.Query.End.Add(-maxQuery))
	before := s.cov.list[s.cov.from(iv.Begin, true)]
	if w.Query.Begin.Before(before.Begin) {
		w.Query.Begin = earlier(before.Begin, iv.Begin.Add(-widening))
	}
	w.Recheck = Interval{later(before.Begin, w.Query.Begin), iv.Begin}
	return w
}

// lookBack returns how far before a tip window to ask, to see what has arrived
// late: up to the settle time, and no more than fits into half of what the
// window leaves of its last page, since the traffic is only estimated. That
// costs no request.
func (s *Stream) lookBack(window time.Duration) time.Duration {
	if !s.rateKnown {
		return 0
	}
	expected := s.rate * window.Seconds()
	room := float64(pageSize-int(expected)%pageSize) / 2
	if s.rate*s.cfg.Settle.Seconds() <= room {
		return s.cfg.Settle
	}
	return time.Duration(room / s.rate * float64(time.Second))
}

// learn adapts the size of later windows to what this one held.
func (s *Stream) learn(w Window, res *Result) {
	d := w.Duration()
	entries := max(0, res.Entries)
	if w.Class == Tip {
		rate := float64(entries) / d.Seconds()
		if s.rateKnown {
			rate = s.rate + rateWeight*(rate-s.rate)
		}
		s.rate, s.rateKnown = rate, true
	}
	// A tenant that hands out smaller pages costs as many requests as one with
	// more entries. Two pages may come from the widening and the last page.
	entries = max(entries, (res.Pages-2)*pageSize)

	size := &s.sizes[w.Class]
	fitting := time.Duration(min(float64(d)*aim/float64(max(entries, 1)), float64(maxWindow)))
	switch {
	case fitting < *size && entries >= pageSize:
		*size = max(fitting, minWindow)
	case fitting > *size && d >= *size:
		*size = min(fitting, doubled(*size, 1, maxWindow))
	}
}
