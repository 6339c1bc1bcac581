package deliver

import (
	"errors"
	"slices"

	"aictail"
	"aictail/sinks"
	"aictail/sinks/deliver/deadletter"
)

// batch is what was read at once, without what is done. It knows which events are
// to be sent next and what an answer of the sink means for them; it sends and
// stores nothing itself.
//
// A sink that says only that one event of several is bad is given halves of them.
// The parts form a stack: the top one is the first events. A bad event costs at
// most two sends per halving, 2·log₂(n)+2 of them for a batch of n, and no batch
// more than 2·n of them with n·log₂(n) events in all, if every event is bad.
type batch struct {
	// events are those that are to be sent, in order, and tries how often each
	// was. The memory of events is the reader's.
	events []aictail.Event
	tries  []int
	parts  []part
	// rejected are the events that are to become dead letters, ascending only
	// within one answer.
	rejected []rejection
	// next is the position behind the batch, delivered that of the last event that
	// the sink has taken, and committed the read position that is stored; 0 if
	// none was.
	next, delivered, committed aictail.Position
}

// part is a number of events that are sent together.
type part struct {
	n int
	// bad: one of them is known to be bad, so that sending them together is futile.
	bad bool
	// twin: one of them, or of the part above, is bad.
	twin bool
}

// rejection is an event that the sink will never take.
type rejection struct {
	event  aictail.Event
	reason deadletter.Reason
	err    error
	tries  int
}

// newBatch takes the events for which where is true. It rearranges them in place.
func newBatch(events []aictail.Event, next aictail.Position, where func(*aictail.Event) bool) *batch {
	if where != nil {
		events = slices.DeleteFunc(events, func(e aictail.Event) bool { return !where(&e) })
	}
	b := &batch{events: events, tries: make([]int, len(events)), next: next}
	if len(events) > 0 {
		b.committed = events[0].Position // up to here others were passed over: no need to store that
	}
	return b
}

// done tells whether nothing remains to be sent or stored.
func (b *batch) done() bool { return len(b.events) == 0 && len(b.rejected) == 0 }

// position returns the read position: that of the first event that is not done.
func (b *batch) position() aictail.Position {
	pos := b.next
	if len(b.events) > 0 {
		pos = b.events[0].Position
	}
	for i := range b.rejected {
		pos = min(pos, b.rejected[i].event.Position)
	}
	return pos
}

// ahead tells whether the sink has taken events behind the read position.
func (b *batch) ahead() bool { return b.delivered >= b.position() }

// oldest returns the time of the oldest event that is not done, in Unix
// nanoseconds; 0 if there is none.
func (b *batch) oldest() int64 {
	if b.done() {
		return 0
	}
	var t int64
	for i := range b.events {
		if at := b.events[i].Time.UnixNano(); i == 0 || at < t {
			t = at
		}
	}
	for i := range b.rejected {
		if at := b.rejected[i].event.Time.UnixNano(); t == 0 || at < t {
			t = at
		}
	}
	return t
}

// part returns the events that are to be sent next; there is at least one.
func (b *batch) part() []aictail.Event {
	if len(b.parts) == 0 {
		b.parts = append(b.parts, part{n: len(b.events)})
	}
	for top := b.top(); top.bad && top.n > 1; top = b.top() {
		b.halve(true)
	}
	return b.events[:b.top().n]
}

func (b *batch) top() *part { return &b.parts[len(b.parts)-1] }

// halve divides the top part. bad says that one of its events is.
func (b *batch) halve(bad bool) {
	n := b.top().n
	b.pop(false)
	b.parts = append(b.parts, part{n: n / 2, twin: bad}, part{n: n - n/2})
}

// pop removes the top part. clean says that every event of it was good, which
// convicts its twin.
func (b *batch) pop(clean bool) {
	b.parts = b.parts[:len(b.parts)-1]
	if len(b.parts) > 0 {
		top := b.top()
		top.bad, top.twin = top.bad || clean && top.twin, false
	}
}

// digest notes what the sink said to the events that part returned: err as Send
// returned it. It returns how many events the sink has taken, and an error of kind
// Retry or Refused if some of the others are to be sent again after a pause.
func (b *batch) digest(err error) (delivered int, fault error) {
	n := b.top().n
	for i := range n {
		b.tries[i]++
	}
	if err == nil {
		b.delivered = max(b.delivered, b.events[n-1].Position)
		b.drop(n)
		b.pop(true)
		return n, nil
	}
	e, ok := errors.AsType[*sinks.Error](err)
	switch {
	case !ok:
		return 0, err
	case named(e.Failed, n):
		return b.sort(e)
	case e.Kind != sinks.Poison && e.Kind != sinks.Split:
		return 0, err
	case n > 1:
		b.halve(e.Kind == sinks.Poison)
		return 0, nil
	}
	b.rejected = append(b.rejected, b.reject(0, e.Kind, e.Err))
	b.drop(1)
	b.pop(false)
	return 0, nil
}

// named tells whether failed names events of a batch of n as the contract says.
// If it does not, nothing is known of single events.
func named(failed []sinks.Failure, n int) bool {
	last := -1
	for _, f := range failed {
		if f.Index <= last || f.Index >= n {
			return false
		}
		last = f.Index
	}
	return len(failed) > 0
}

// sort takes an answer apart that names the events that failed.
func (b *batch) sort(e *sinks.Error) (delivered int, fault error) {
	n, failed := b.top().n, e.Failed
	found := len(b.rejected)
	keep, again, tooLarge, refused := n, false, false, false
	// From behind, so that what remains moves up to the events of the next part.
	for i := n - 1; i >= 0; i-- {
		if len(failed) == 0 || failed[len(failed)-1].Index != i {
			delivered++
			b.delivered = max(b.delivered, b.events[i].Position)
			continue
		}
		f := failed[len(failed)-1]
		failed = failed[:len(failed)-1]
		if f.Kind == sinks.Poison || f.Kind == sinks.Split && n == 1 {
			b.rejected = append(b.rejected, b.reject(i, f.Kind, f.Err))
			continue
		}
		keep--
		b.events[keep], b.tries[keep] = b.events[i], b.tries[i]
		tooLarge = tooLarge || f.Kind == sinks.Split
		again = again || f.Kind != sinks.Split
		refused = refused || f.Kind == sinks.Refused
	}
	slices.Reverse(b.rejected[found:])
	b.drop(keep)
	b.pop(false)
	if rest := n - keep; rest > 0 {
		b.parts = append(b.parts, part{n: rest})
		if tooLarge && rest > 1 {
			b.halve(false)
		}
	}
	if !again {
		return delivered, nil
	}
	kind := sinks.Retry
	if refused {
		kind = sinks.Refused
	}
	return delivered, &sinks.Error{Kind: kind, After: e.After, Err: e.Err}
}

// drop removes the first n events.
func (b *batch) drop(n int) { b.events, b.tries = b.events[n:], b.tries[n:] }

func (b *batch) reject(i int, kind sinks.Kind, err error) rejection {
	reason := deadletter.Rejected
	if kind == sinks.Split {
		reason = deadletter.TooLarge
	}
	return rejection{event: b.events[i], reason: reason, err: err, tries: b.tries[i]}
}
