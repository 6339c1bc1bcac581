package splunkhec

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"aictail"
	"aictail/sinks"
)

// minLimit is where a server's 413 is not believed to be about the size of a
// request any more.
const minLimit = 16 << 10

// span is the events [from, to) of a batch.
type span struct{ from, to int }

// transfer is one call of Send.
type transfer struct {
	*Sink
	events []aictail.Event
	// addresses are what this Send may use; the first is in use.
	addresses []*endpoint
	// todo are the events that are still to be sent, in order. A request never
	// reaches beyond the first span.
	todo []span
	// waiting are the requests that Splunk has taken and not yet acknowledged.
	waiting []receipt
	// failed are the events whose fate is settled or that wait for another Send.
	failed []sinks.Failure
	// stop is what ended the transfer early; nil if nothing did.
	stop *outcome
}

// Send sends the events in as many requests as they need. A nil answer means that
// Splunk has taken, or with Acknowledge indexed, all of them; an error names those
// that it has not.
func (s *Sink) Send(ctx context.Context, events []aictail.Event) error {
	if s.save == nil {
		return &sinks.Error{Kind: sinks.Retry, Err: errors.New("the Splunk sink is not open")}
	}
	if err := ctx.Err(); err != nil {
		return &sinks.Error{Kind: sinks.Retry, Err: err}
	}
	if len(events) == 0 {
		return nil
	}
	if err := s.remember(events); err != nil {
		return &sinks.Error{Kind: sinks.Retry, Err: fmt.Errorf("save what is about to be sent: %w", err)}
	}
	t := &transfer{Sink: s, events: events, addresses: s.candidates(time.Now()), todo: []span{{0, len(events)}}}
	for len(t.todo) > 0 && t.stop == nil {
		t.step(ctx)
	}
	t.await(ctx)
	s.shrink()
	return t.result()
}

// shrink lets go of buffers that a single huge event has blown up.
func (s *Sink) shrink() {
	const spare = 4
	if cap(s.plain) > spare*s.cfg.MaxBody {
		s.plain = nil
	}
	if s.packed.Cap() > spare*s.cfg.MaxBody {
		s.packed = new(bytes.Buffer)
	}
}

// remember stores how far events may have been sent.
func (s *Sink) remember(events []aictail.Event) error {
	next := s.state
	for i := range events {
		next.Sent = max(next.Sent, events[i].Position)
	}
	if next.Sent == s.state.Sent {
		return nil
	}
	if err := s.save(next.encode()); err != nil {
		return err
	}
	s.state = next
	return nil
}

// step sends one request and acts on its outcome.
func (t *transfer) step(ctx context.Context) {
	sp := t.pack()
	size := len(t.plain)
	out := t.deliver(ctx)
	sent := t.events[sp.from:sp.to]
	if out.ok {
		t.repeats.Add(float64(t.doubt.count(sent)))
		t.taken = max(t.taken, sent[len(sent)-1].Position)
	}
	switch {
	case out.ok && t.cfg.Acknowledge:
		t.doubt.add(sent) // until it is acknowledged
		t.void(t.addresses[0], *out.ack)
		t.waiting = append(t.waiting, receipt{address: t.addresses[0], id: *out.ack, events: sp})
		t.advance(sp)
	case out.ok:
		t.doubt.settle(sent)
		t.advance(sp)
	case !out.single:
		t.suspect(sp, out)
		t.stop = &out
	case len(sent) > 1:
		if out.kind == sinks.Split {
			t.lowerLimit(size)
		}
		t.suspect(sp, out)
		t.isolate(sp, out)
	case out.kind == sinks.Refused:
		// The next Send begins with this event alone.
		if sp.to < len(t.events) {
			t.breakAt = t.events[sp.to].Position
		}
		t.stop = &out
	default:
		t.doubt.settle(sent)
		t.failed = append(t.failed, sinks.Failure{Index: sp.from, Kind: out.kind, Err: out.err})
		t.advance(sp)
	}
}

// pack fills s.plain with the events of the next request and returns which they
// are. A single event may exceed the limit.
func (t *transfer) pack() span {
	sp := t.todo[0]
	b := t.plain[:0]
	for i := sp.from; i < sp.to; i++ {
		event := &t.events[i]
		if i > sp.from && t.breakAt != 0 && event.Position == t.breakAt {
			sp.to = i
			break
		}
		before := len(b)
		b = t.encoder.append(b, event)
		if len(b) > t.limit && i > sp.from {
			b, sp.to = b[:before], i
		}
	}
	t.plain = b
	return sp
}

// advance goes on behind sp.
func (t *transfer) advance(sp span) {
	if t.todo[0].from = sp.to; sp.to == t.todo[0].to {
		t.todo = t.todo[1:]
	}
}

// deliver sends what is packed, to another address if the first one certainly did
// not take it.
func (t *transfer) deliver(ctx context.Context) outcome {
	data := t.plain // which post may take away
	for {
		e := t.addresses[0]
		out := outcome{ok: true}
		if e.ill {
			out = t.probe(ctx, e)
		}
		if out.ok {
			out = t.post(ctx, e, data)
		}
		if ctx.Err() != nil && !out.ok {
			return out // says nothing of the address
		}
		t.learn(e, out)
		if out.ok || out.single || out.doubtful || out.number > 0 || len(t.addresses) == 1 {
			return out
		}
		t.addresses = t.addresses[1:]
	}
}

// suspect notes which events of a failed request Splunk may have taken: all, if
// the outcome is unknown, else those before the one where it stopped. Whether
// Splunk counts from 0 or 1 differs from code to code, so the larger number counts.
func (t *transfer) suspect(sp span, out outcome) {
	taken := 0
	switch {
	case out.doubtful:
		taken = sp.to - sp.from
	case out.number >= 0:
		taken = min(out.number, sp.to-sp.from)
	case out.kind == sinks.Poison || out.single && out.kind == sinks.Refused:
		taken = sp.to - sp.from // it stopped somewhere
	}
	maybe := t.events[sp.from : sp.from+taken]
	t.repeats.Add(float64(t.doubt.count(maybe)))
	t.doubt.add(maybe)
	if !out.single && out.number > 0 && sp.to-sp.from > 1 {
		// Busy in the middle of a request: sent again as it is, its beginning would
		// be taken again each time. By itself it gets an answer of its own.
		t.breakAt = t.events[sp.from+max(1, min(out.number-1, sp.to-sp.from-1))].Position
	}
}

// isolate cuts a request that failed for one of its events into pieces that are
// sent one by one, until the event is alone and its answer certain.
func (t *transfer) isolate(sp span, out outcome) {
	cuts := []int{sp.from}
	if n := sp.from + out.number; out.kind != sinks.Split && out.number >= 0 && n <= sp.to {
		// The event is n, or n-1 where Splunk counts from 1.
		for _, c := range []int{n - 1, n, n + 1} {
			if c > sp.from && c < sp.to {
				cuts = append(cuts, c)
			}
		}
	}
	if len(cuts) == 1 {
		cuts = append(cuts, sp.from+(sp.to-sp.from)/2)
	}
	rest := t.todo
	if rest[0].from = sp.to; rest[0].from == rest[0].to {
		rest = rest[1:]
	}
	var pieces []span
	for i, c := range cuts {
		end := sp.to
		if i+1 < len(cuts) {
			end = cuts[i+1]
		}
		pieces = append(pieces, span{c, end})
	}
	t.todo = slices.Concat(pieces, rest)
}

// lowerLimit learns from a 413 on a request of several events.
func (s *Sink) lowerLimit(size int) {
	lower := max(size/2, minLimit)
	if lower >= s.limit {
		return
	}
	s.log.Warn("requests are too large for Splunk or a proxy in front of it; smaller ones are sent: set max_body accordingly",
		zap.Int("refused_bytes", size), zap.Int("now_at_most", lower), zap.Int("max_body", s.cfg.MaxBody))
	s.limit = lower
}

// result puts together what Send returns.
func (t *transfer) result() error {
	if t.stop != nil {
		for _, sp := range t.todo {
			for i := sp.from; i < sp.to; i++ {
				t.failed = append(t.failed, sinks.Failure{Index: i, Kind: t.stop.kind, Err: t.stop.err})
			}
		}
	}
	if len(t.failed) == 0 {
		return nil
	}
	slices.SortFunc(t.failed, func(a, b sinks.Failure) int { return cmp.Compare(a.Index, b.Index) })
	worst := &t.failed[0]
	same := true
	for i := range t.failed {
		f := &t.failed[i]
		same = same && f.Err == worst.Err //nolint:errorlint // one and the same failure
		if rank(f.Kind) > rank(worst.Kind) {
			worst = f
		}
	}
	e := &sinks.Error{Kind: worst.Kind, Err: worst.Err}
	if t.stop != nil {
		e.After = t.stop.after
	}
	if len(t.failed) < len(t.events) || !same {
		e.Failed = t.failed
		e.Err = fmt.Errorf("%d of %d events: %w", len(t.failed), len(t.events), worst.Err)
		if e.Kind == sinks.Split {
			e.Kind = sinks.Poison // no smaller batch helps: the events went alone
		}
	}
	return e
}

// rank orders kinds by how much they matter for the sink as a whole.
func rank(k sinks.Kind) int {
	return slices.Index([]sinks.Kind{sinks.Split, sinks.Poison, sinks.Retry, sinks.Refused}, k)
}
