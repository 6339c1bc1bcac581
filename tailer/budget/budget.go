// Package budget keeps all requests to one tenant within its rate limit. It
// learns the limit from the answers' headers, sees what others take from the
// same quota, leaves a share to people, ranks tail before the sweep of the tip
// before backfill, and remembers across a crash what was spent. The Pacer says
// how often each tail is polled. The package sends no requests, starts no
// goroutine and writes no file.
//
// # How no request is refused
//
// Nobody outside knows whether the tenant counts in windows that begin at full
// minutes, with the first request, or slide. So two rules hold together:
//
//   - Of our own requests, no more than the usable share goes out within any
//     minute, wherever it begins. This is enough under every way of counting,
//     as long as nobody else uses the quota, and needs no header but the limit.
//   - Within the window that the headers describe, requests stop when ours and
//     those of others together reach the usable share. What others took lately
//     is set aside before they take it, since a burst of theirs late in a window
//     could not be made up for any more.
//
// What remains: a user who turns up for the first time, with a burst late in a
// window, can leave less than the one request that is on its way.
package budget

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"
)

// Class ranks requests; a lower one goes first.
type Class int

// The classes of requests, in order of priority.
const (
	// Tail is the fast path: what it misses by waiting is delay for everybody.
	Tail Class = iota
	// Tip is the sweep of the newest windows, which makes complete-until move.
	Tip
	// Backfill is the sweep of everything older.
	Backfill
	classes = iota
)

const (
	// window is the span that X-RateLimit-Limit counts requests in: reset was
	// seen at Date + 60 s, and the documentation says "per minute".
	window = time.Minute
	// memory is how long our own requests count: a window, one second since the
	// record knows whole seconds only, and one since two requests may take
	// unequally long to the tenant and so arrive closer than they were sent.
	memory = counting * time.Second
	// assumedLimit holds until the first answer says better: the lowest limit
	// that was captured on a real tenant.
	assumedLimit = 28
	// maxReserve leaves at least a tenth of the limit to the daemon; with less it
	// could not do its work.
	maxReserve = 0.9
	// burst is how many requests a Tail may be ahead of the even pace: with the
	// one that is due, three go out at once after a pause, so that a start and a
	// source that wakes are quick.
	burst = 2
	// catchUp is what a waiter that wakes late may make up for. It matters with
	// limits so high that a timer's lateness is longer than the spacing.
	catchUp = 100 * time.Millisecond
	// tipFloor is the share of slots the tip gets while it waits, however many
	// tails wait: late and withheld entries come by the sweep alone, and without
	// it complete-until stands still. At a limit of 28 these are five pages, so
	// 5,000 entries, a minute; more would be taken from the fast path.
	tipFloor = 0.2
	// probeEvery is how often one request goes out while it is not known what is
	// left. Often enough to notice a network that is back, and no more than 12 a
	// minute, less than half of the lowest limit.
	probeEvery = 5 * time.Second
	// recheck is when a waiter looks again whose wait may end without an event.
	recheck = time.Second
	// never stands for a wait that only another waiter ends.
	never = time.Duration(math.MaxInt64)
)

// Options are what a Budget starts with.
type Options struct {
	// Reserve is the share (0 to 0.9) of the limit that is left to other users.
	Reserve float64
	// Saved is what Save was last given before a restart; nil on a first start.
	Saved *State
	// Save keeps the state; nil keeps none. Wait calls it before it returns, so
	// before the request goes out: once Save has returned, a crash cannot make a
	// new process forget the request and spend it twice. It is called with the
	// budget's lock held, one call at a time, so it must be quick and must not
	// use the Budget. It may keep the State.
	Save func(State)
}

// Budget is the request budget of one tenant. It may be used concurrently.
type Budget struct {
	reserve float64
	save    func(State)

	mu       sync.Mutex // guards what follows; held while save is called
	limit    int        // as last told
	told     bool       // whether a limit was ever told, in this life or one before
	sent     record     // our requests
	backfill record     // those of them that were of class Backfill
	inFlight []time.Time
	next     time.Time // when the next evenly spread request is due
	blocked  time.Time // no request before this moment
	probing  bool      // one request at a time: it is not known what is left
	probed   time.Time // when the last one went out while probing
	window   serverWindow
	others   others
	demand   int       // requests of Tail and Tip in the minute before epoch
	epoch    time.Time // when others and demand were last carried over
	queues   [classes][]*waiter
	tipDue   float64 // slots owed to the tip, at most 1
}

// waiter is one blocked call of Wait.
type waiter struct {
	wake chan struct{} // holds one signal; sent to under the budget's lock
}

// New returns a budget. Without a Saved state of the last minute, one request
// goes out and the others wait until its answer has told what is left.
func New(o Options) *Budget {
	now := time.Now()
	if !(o.Reserve >= 0) { // also not a number
		o.Reserve = 0
	}
	b := &Budget{
		reserve:  min(o.Reserve, maxReserve),
		save:     o.Save,
		limit:    assumedLimit,
		sent:     newRecord(now),
		backfill: newRecord(now),
		next:     now,
		probing:  true,
		epoch:    now,
	}
	if o.Saved != nil {
		b.restore(o.Saved, now)
	}
	return b
}

// Wait blocks until one request of the class may be sent and takes it from the
// budget. It returns an error, the context's, only when ctx ends; then nothing
// was taken. Within a class, who came first goes first.
func (b *Budget) Wait(ctx context.Context, c Class) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c = min(max(c, Tail), Backfill)
	w := &waiter{wake: make(chan struct{}, 1)}
	b.mu.Lock()
	b.queues[c] = append(b.queues[c], w)
	d, taken := b.tryLocked(c, w)
	b.mu.Unlock()
	if taken {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			err = ctx.Err()
		case <-timer.C:
		case <-w.wake:
		}
		b.mu.Lock()
		if err != nil {
			b.queues[c] = slices.DeleteFunc(b.queues[c], func(other *waiter) bool { return other == w })
			b.wakeLocked() // one of them may have stood back for this one
			b.mu.Unlock()
			return err
		}
		d, taken = b.tryLocked(c, w)
		b.mu.Unlock()
		if taken {
			return nil
		}
		timer.Reset(d)
	}
}

// tryLocked takes a request for w, or returns how long to wait before the next
// try unless woken earlier.
func (b *Budget) tryLocked(c Class, w *waiter) (d time.Duration, taken bool) {
	if b.queues[c][0] != w {
		return never, false // whoever leaves the head of the queue wakes the next
	}
	now := time.Now()
	b.carryOverLocked(now)
	for _, first := range b.orderLocked() {
		if len(b.queues[first]) == 0 || b.readyLocked(first, now).After(now) {
			continue
		}
		if first != c {
			signal(b.queues[first][0])
			return never, false // it wakes this one after it has taken the slot
		}
		b.queues[c] = b.queues[c][1:]
		b.takeLocked(c, now)
		b.wakeLocked()
		return 0, true
	}
	return b.readyLocked(c, now).Sub(now), false
}

// orderLocked returns the classes, the one that goes first first.
func (b *Budget) orderLocked() [classes]Class {
	if b.tipFirstLocked() {
		return [classes]Class{Tip, Tail, Backfill}
	}
	return [classes]Class{Tail, Tip, Backfill}
}

func (b *Budget) tipFirstLocked() bool { return b.tipDue >= 1 && len(b.queues[Tip]) > 0 }

// takeLocked counts one request as sent. From here on it is spent, whether or
// not it is ever answered.
func (b *Budget) takeLocked(c Class, now time.Time) {
	b.next = later(b.next, now.Add(-catchUp)).Add(b.spacingLocked(now))
	b.sent.add(now)
	b.inFlight = append(b.inFlight, now)
	b.probed = now
	switch {
	case c == Backfill:
		b.backfill.add(now)
	case c == Tip:
		b.tipDue = max(0, b.tipDue-1)
	case len(b.queues[Tip]) > 0:
		b.tipDue = min(1, b.tipDue+tipFloor/(1-tipFloor))
	}
	b.saveLocked(now)
}

// wakeLocked lets the first waiter of every class look again.
func (b *Budget) wakeLocked() {
	for _, queue := range b.queues {
		if len(queue) > 0 {
			signal(queue[0])
		}
	}
}

func signal(w *waiter) {
	select {
	case w.wake <- struct{}{}:
	default: // it has a signal that it has not read yet
	}
}

// Limit returns the limit last told, in requests per minute.
func (b *Budget) Limit() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.limit
}

// Remaining returns how many requests are left in the present window as far as
// is known, including the reserve.
func (b *Budget) Remaining() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.carryOverLocked(now)
	return max(0, b.limit-b.usedLocked(now))
}

// Rate returns the requests per second that the budget lets out in steady
// state: the limit without the reserve and without what others use.
func (b *Budget) Rate() float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.carryOverLocked(time.Now())
	return float64(b.shareLocked()) / memory.Seconds()
}

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
