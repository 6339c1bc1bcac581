package budget

import (
	"math"
	"time"
)

const (
	// safe is what is waited past the end of a window or a block. Reset, Date and
	// Retry-After are whole seconds, so the end may be a second later than told.
	safe = 1500 * time.Millisecond
	// sameEnd is how far apart two answers may place the end of one window: two
	// seconds by rounding, the rest for answers that take their time.
	sameEnd = 5 * time.Second
	// startSlack is how much earlier than computed a window may have begun. Our
	// requests of that time are taken as part of it, so that rounding is not
	// mistaken for somebody else's requests.
	startSlack = 2 * time.Second
	// overlaps is how many answers in a row it takes to believe that windows
	// overlap, which means that they are not fixed.
	overlaps = 3
	// doubtFor is how long fixed windows are not believed in after two have
	// overlapped.
	doubtFor = 5 * window
	// unspokenBlock is for a 429 that does not say for how long: a quarter of a
	// window costs little and asks again before the quota has lain idle for long.
	unspokenBlock = window / 4
	// maxBlock bounds how long one answer can stop the requests, so that a
	// nonsensical header cannot switch the daemon off: two windows.
	maxBlock = 2 * window
	// lessonFor is how long the share set aside for others does not fade after a
	// refusal. Somebody who comes every minute at the worst moment then causes two
	// or three refusals in an hour, and a single one does not cost a day's quota.
	lessonFor = 20 * time.Minute
	// counted is after how long the tenant has certainly counted a request that
	// is not answered yet.
	counted = 10 * time.Second
)

// Observation is what one answer said about the limit.
type Observation struct {
	// Known is false if the headers were absent or made no sense; then Limit,
	// Remaining and ResetIn mean nothing.
	Known bool
	// Limit requests are allowed per window, Remaining of them are left.
	Limit, Remaining int
	// ResetIn is the time until the window ends by the server's own clock: reset
	// minus Date. A value that cannot be is taken as not told.
	ResetIn time.Duration
	// Refused is true for a 429; RetryAfter is what it asked for, or 0.
	Refused    bool
	RetryAfter time.Duration
}

// serverWindow is the window that the headers describe.
type serverWindow struct {
	start, end time.Time
	// from is the earliest moment at which the window can have begun.
	from time.Time
	// fixed is true once a window has begun where the last one ended. Until then
	// the tenant may count in another way, and start means nothing.
	fixed bool
	// beyond is how many answers in a row placed the end later than the first did.
	beyond int
	// overlap is when a window last began before the one before it had ended.
	overlap time.Time
	// seen is the count in the last answer, which lacks what was on its way then;
	// 0 without fixed windows.
	seen int
	// uncounted is 1 if answers do not count the request that they answer: on a
	// real tenant a first request was told that all 28 remained.
	uncounted int
	// others is how many requests in this window, or in the last minute, were
	// certainly not ours.
	others int
}

// current reports whether there are fixed windows and this one is not over.
func (w *serverWindow) current(now time.Time) bool {
	return w.fixed && now.Before(w.end.Add(safe))
}

// doubtful reports whether windows have overlapped lately.
func (w *serverWindow) doubtful(now time.Time) bool {
	return !w.overlap.IsZero() && now.Sub(w.overlap) <= doubtFor
}

// follow takes over the end that an answer told. It reports whether a window
// has begun, and whether the answer is about the present one at all.
func (w *serverWindow) follow(end, now time.Time) (begun, present bool) {
	switch {
	case w.end.IsZero():
		w.move(end, now)
		return true, true
	case end.Before(w.end.Add(-window / 2)):
		return false, false // late, from the window before
	case !end.After(w.end.Add(sameEnd)):
		if !now.Before(w.end.Add(safe)) {
			return false, false // late, from one that is over
		}
		w.beyond = 0
		if w.fixed || end.Before(w.end.Add(-sameEnd)) { // of several, the earliest is the least late
			w.move(earlier(end, w.end), now)
		}
		return false, true
	case !end.Add(-window).Before(w.end.Add(-sameEnd)):
		w.fixed = !w.doubtful(now)
		// The first answer of a window may have been slow and place its end too
		// late, so what was sent since the last window may all be in this one.
		w.from = w.end.Add(-startSlack)
		w.move(end, now)
		w.others, w.beyond = 0, 0
		return true, true
	}
	// It seems to begin before the last one is over. An answer that took long
	// does so, too, but not several in a row.
	if w.beyond++; w.beyond < overlaps {
		return false, true
	}
	begun = w.fixed
	w.fixed, w.overlap, w.others, w.beyond = false, now, 0, 0
	w.move(end, now)
	return begun, true
}

func (w *serverWindow) move(end, now time.Time) {
	w.start, w.end = end.Add(-window), end
	if w.start.Sub(now) > sameEnd { // a window longer than ours: all we know of may be in it
		w.start = now.Add(-memory)
	}
	w.start = earlier(w.start, now) // it may seem to begin ahead by rounding
}

// others is how much of the quota other users take per window.
type others struct {
	usual int       // in the last windows, the higher ones fading slowly
	seen  int       // the most in any window since then
	keep  time.Time // until then usual does not fade
}

func (o *others) expected() int { return max(o.usual, o.seen) }

// note takes a measurement. Measurements leave out what could have been ours, so
// one more is set aside. A single request is within what rounding can pretend.
func (o *others) note(n int) {
	if n > 1 {
		o.seen = max(o.seen, n+1)
	}
}

// Observe learns from an answer, also from one that is an error but has the
// headers. A request that was never answered needs no call; it counts as spent.
func (b *Budget) Observe(o Observation) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.carryOverLocked(now)
	if len(b.inFlight) > 0 {
		b.inFlight = b.inFlight[1:]
	}
	if !b.blocked.After(now) { // answers from before a block tell nothing about after
		b.probing = false
	}
	known := o.Known && o.Limit > 0 && o.Remaining >= 0 && o.Remaining <= o.Limit
	news := o.Refused
	if known {
		news = b.learnLocked(o, now) || news
	}
	if o.Refused {
		b.refusedLocked(o, known, now)
	}
	if news {
		b.saveLocked(now)
	}
	b.wakeLocked()
}

// learnLocked takes over the limit and the window, and reports whether that is
// worth saving before the next request is.
func (b *Budget) learnLocked(o Observation, now time.Time) bool {
	news := !b.told || b.limit != o.Limit
	b.limit, b.told = o.Limit, true
	w := &b.window
	if o.Remaining == o.Limit {
		w.uncounted = 1
	}
	if w.fixed && o.ResetIn <= 0 && o.ResetIn > -window {
		return news // so late that its window is over
	}
	resetIn := resetOr(o, window)
	if resetIn == o.ResetIn { // otherwise it makes no sense, and tells the count alone
		begun, present := w.follow(now.Add(o.ResetIn), now)
		if !present {
			return news
		}
		news = news || begun
	}
	w.seen = min(o.Limit, o.Limit-o.Remaining+w.uncounted)
	if news { // what was spaced by the old limit or for the window before
		b.next = earlier(b.next, now.Add((burst+1)*b.evenLocked()))
	}
	if w.current(now) {
		before := w.others
		w.others = max(w.others, w.seen-b.sent.since(now, w.from))
		b.others.note(w.others)
		return news || w.others > before
	}
	return b.slideLocked(resetIn, now) || news
}

// slideLocked learns from the count where no fixed window is known. Our own
// requests leave such a count as they leave the record, so it tells only what
// others took. It reports whether requests must stop.
func (b *Budget) slideLocked(resetIn time.Duration, now time.Time) bool {
	w := &b.window
	seen := w.seen
	w.seen, w.others = 0, max(0, seen-b.sent.all(now))
	b.others.note(w.others)
	usable := b.usableLocked()
	if seen < usable || seen == usable && w.others == 0 {
		return false
	}
	if w.doubtful(now) && seen < b.limit { // some are left, to ask how it goes on
		resetIn = min(resetIn, unspokenBlock)
	}
	b.blockLocked(now.Add(resetIn + safe))
	return true
}

// refusedLocked takes everything as spent, whoever it was, until the tenant has
// said it may be asked again.
func (b *Budget) refusedLocked(o Observation, known bool, now time.Time) {
	d := unspokenBlock
	switch {
	case o.RetryAfter > 0:
		d = min(o.RetryAfter, maxBlock) + safe
	case known && o.ResetIn > 0:
		d = resetOr(o, unspokenBlock) + safe
	}
	if known && o.Remaining == 0 {
		// Others took more than was set aside, in a moment when nobody looked.
		// Nothing tells how much more.
		b.others.seen = max(b.others.seen, b.asideLocked()+b.usableLocked()/4)
		b.others.keep = now.Add(lessonFor)
	}
	b.blockLocked(now.Add(min(d, maxBlock)))
}

func resetOr(o Observation, d time.Duration) time.Duration {
	if o.ResetIn > 0 && o.ResetIn <= maxBlock {
		return o.ResetIn
	}
	return d
}

// blockLocked stops all requests until t. The count is dropped: the first
// request after t asks anew.
func (b *Budget) blockLocked(t time.Time) {
	b.blocked = later(b.blocked, t)
	b.probing, b.probed = true, time.Time{}
	b.window.seen, b.window.others = 0, 0
}

// carryOverLocked does what time alone brings about: it forgets requests on
// their way and, once a minute, carries over what others and our own tails took.
func (b *Budget) carryOverLocked(now time.Time) {
	for len(b.inFlight) > 0 && now.Sub(b.inFlight[0]) >= counted {
		b.inFlight = b.inFlight[1:]
	}
	if b.window.fixed && !b.window.current(now) {
		b.window.seen, b.window.others = 0, 0
	}
	for range min(now.Sub(b.epoch)/window, slots) {
		// Half of it is given up in ten minutes without a sign of others.
		if b.others.usual > b.others.seen && now.After(b.others.keep) {
			b.others.usual = max(b.others.seen, b.others.usual*15/16)
		} else {
			b.others.usual = b.others.expected()
		}
		b.others.seen = 0
		b.demand = b.sent.total(now) - b.backfill.total(now)
	}
	b.epoch = b.epoch.Add(now.Sub(b.epoch).Truncate(window))
}

// usableLocked returns the requests per window that are not reserved.
func (b *Budget) usableLocked() int {
	const rounding = 1e-9 // a tenth of 30 is 3, also in floating point
	return max(1, b.limit-int(math.Ceil(b.reserve*float64(b.limit)-rounding)))
}

// asideLocked returns what is set aside for others. It is never more than half,
// so that two users who both make way for each other share evenly.
func (b *Budget) asideLocked() int { return min(b.others.expected(), b.usableLocked()/2) }

// shareLocked returns how many requests of ours may go out within memory.
func (b *Budget) shareLocked() int { return max(1, b.usableLocked()-b.asideLocked()) }
