package kafka

import (
	"context"
	"fmt"
	"math"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"aictail"
	"aictail/sinks"
)

// batch is the work of one Send. Its slices are used again.
type batch struct {
	events []aictail.Event
	// keys are the records' keys, nil for none.
	keys [][]byte
	// verdicts say of each event what has become of it; nil is nothing yet.
	verdicts []*verdict
	// routes are the events' topics.
	routes []*topic
	// topics are those of the events, partitions those that something is sent to.
	topics     []*topic
	partitions []*partition
}

// verdict is what has become of an event. Events of one fate share it.
type verdict struct {
	// err is nil for a delivered event.
	err *sinks.Error
}

// start makes b the batch of the events.
func (b *batch) start(events []aictail.Event) {
	n := len(events)
	b.events = events
	b.keys = append(b.keys[:0], make([][]byte, n)...)
	b.verdicts = append(b.verdicts[:0], make([]*verdict, n)...)
	b.routes = append(b.routes[:0], make([]*topic, n)...)
	b.topics, b.partitions = b.topics[:0], b.partitions[:0]
}

// finish lets go of the events, which belong to the caller.
func (b *batch) finish() {
	b.events = nil
	clear(b.keys)
}

// judge gives the events the same verdict; nil is delivered.
func (b *batch) judge(items []int, err *sinks.Error) {
	v := &verdict{err: err}
	for _, i := range items {
		b.verdicts[i] = v
	}
}

// Send delivers the events. Those that failed are named in the error.
func (s *Sink) Send(ctx context.Context, events []aictail.Event) error {
	switch {
	case s.save == nil:
		return retry("the Kafka sink is not open")
	case ctx.Err() != nil:
		return classify("send", ctx.Err())
	case len(events) == 0:
		return nil
	}
	b := &s.batch
	b.start(events)
	defer b.finish()
	s.silent.reset()
	s.ledger.begin(events)
	if err := s.prepare(ctx, b); err != nil {
		// Nothing has been sent.
		for i := range events {
			s.ledger.failed[events[i].Position] = true
		}
		return err
	}
	s.parallel(b.partitions, func(p *partition) { s.drain(ctx, p, b) })
	return s.conclude(b)
}

// prepare finds out where each event goes and readies the partitions. An error
// is about all events.
func (s *Sink) prepare(ctx context.Context, b *batch) error {
	s.route(b)
	if err := s.locate(ctx, b.topics); err != nil {
		return err
	}
	if err := s.settle(ctx, b.topics); err != nil {
		return err
	}
	for _, t := range b.topics {
		if !t.doubtful() {
			t.counted = len(t.ids)
		}
	}
	s.assign(b)
	return s.register(ctx, b)
}

// route finds the events' topics.
func (s *Sink) route(b *batch) {
	if len(s.routes) > maxRoutes {
		clear(s.routes)
	}
	seen := make(map[*topic]bool)
	for i := range b.events {
		k := s.template.key(&b.events[i])
		t := s.routes[k]
		if t == nil {
			name := s.template.expand(k)
			if t = s.topics[name]; t == nil {
				t = newTopic(name)
				s.topics[name] = t
			}
			s.routes[k] = t
		}
		b.routes[i] = t
		if !seen[t] {
			seen[t] = true
			b.topics = append(b.topics, t)
		}
	}
}

// assign puts each event into the queue of a partition, or gives a verdict.
func (s *Sink) assign(b *batch) {
	sticky := make(map[*topic]int)            // bytes for the sticky partition
	shared := make(map[*sinks.Error]*verdict) // verdicts by their errors
	shared[nil] = &verdict{}
	for i := range b.events {
		e, t := &b.events[i], b.routes[i]
		if s.ledger.holds(e) {
			b.verdicts[i] = shared[nil]
			continue
		}
		b.keys[i] = s.pointer.find(e.Raw)
		p, err := s.place(t, e, b.keys[i], sticky)
		if err != nil {
			if shared[err] == nil {
				shared[err] = &verdict{err: err}
			}
			b.verdicts[i] = shared[err]
			continue
		}
		if len(p.queue) == 0 {
			b.partitions = append(b.partitions, p)
		}
		p.queue = append(p.queue, i)
	}
}

// place returns the partition for an event, or why it can't be sent now.
func (s *Sink) place(t *topic, e *aictail.Event, key []byte, sticky map[*topic]int) (*partition, *sinks.Error) {
	if t.trouble != nil {
		return nil, t.trouble
	}
	if d := t.blocks(e.Position, key); d != nil {
		return nil, d.err
	}
	p := s.choose(t, key, recordSize(e, key, s.origin), sticky)
	if p.doubt != nil {
		// The events in doubt come before this one.
		return nil, p.doubt.err
	}
	return p, nil
}

// choose returns the partition for an event. Those without a key go to one
// partition until a request is full, then to the next.
func (s *Sink) choose(t *topic, key []byte, size int, sticky map[*topic]int) *partition {
	if key != nil {
		return t.partition(t.keyed(key))
	}
	used, begun := sticky[t]
	if used += size; !begun || used > int(min(s.cfg.MaxMessageBytes, math.MaxInt32)) {
		t.advance()
		used = size
	}
	sticky[t] = used
	return t.partition(int32(t.sticky))
}

// register finds the ends of partitions that nothing was sent to before, and
// saves them: whatever of ours is behind them is not committed.
func (s *Sink) register(ctx context.Context, b *batch) error {
	var fresh []*partition
	for _, p := range b.partitions {
		if !p.saved || !p.topic.readable {
			fresh = append(fresh, p)
		}
	}
	s.refreshIdle(ctx, b)
	if len(fresh) == 0 {
		return nil
	}
	s.parallel(fresh, func(p *partition) {
		if err := s.findEnd(ctx, p); err != nil {
			b.judge(p.queue, err)
			p.queue = p.queue[:0]
		}
	})
	save := false
	for _, p := range fresh {
		p.topic.readable = p.topic.readable || len(p.queue) > 0
		save = save || p.known && !p.saved
	}
	if !save {
		return nil
	}
	if err := s.persist(); err != nil {
		s.unqueue(b)
		return err
	}
	return nil
}

func (s *Sink) unqueue(b *batch) {
	for _, p := range b.partitions {
		p.queue = p.queue[:0]
	}
}

// parallel calls do for each partition and waits for all.
func (s *Sink) parallel(list []*partition, do func(*partition)) {
	if len(list) == 1 {
		do(list[0])
		return
	}
	var g errgroup.Group
	g.SetLimit(maxParallel)
	for _, p := range list {
		g.Go(func() error { do(p); return nil })
	}
	_ = g.Wait() // do returns no error
}

// conclude takes over what the requests have shown and makes Send's error.
func (s *Sink) conclude(b *batch) error {
	save := false
	for _, p := range b.partitions {
		p.queue = p.queue[:0]
		p.topic.stale = p.topic.stale || p.stale
		save = save || p.known && !p.saved
	}
	var failed []sinks.Failure
	var worst *sinks.Error
	for i, v := range b.verdicts {
		position := b.events[i].Position
		if v == nil {
			v = &verdict{err: retry("the event was not tried")}
		}
		if v.err == nil {
			s.ledger.delivered(position)
			continue
		}
		failed = append(failed, sinks.Failure{Index: i, Kind: v.err.Kind, Err: v.err.Err})
		if v.err.Kind == sinks.Retry || v.err.Kind == sinks.Refused {
			s.ledger.failed[position] = true // the others become dead letters
		}
		if worst == nil || weight(v.err.Kind) > weight(worst.Kind) {
			worst = v.err
		}
	}
	if save {
		if err := s.persist(); err != nil {
			s.log.Warn("a topic was cut or made anew; a crash before the next commit can repeat events", zap.Error(err))
		}
	}
	if worst == nil {
		return nil
	}
	return &sinks.Error{
		Kind: worst.Kind, Failed: failed,
		Err: fmt.Errorf("%w (%d of %d events)", worst.Err, len(failed), len(b.events)),
	}
}

// weight orders the kinds of failure as sinks.Error wants them.
func weight(k sinks.Kind) int {
	switch k {
	case sinks.Refused:
		return 2
	case sinks.Retry:
		return 1
	}
	return 0
}
