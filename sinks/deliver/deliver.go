// Package deliver moves events from the journal to the sinks, one Worker for
// each. It owns batching, retrying, pausing, bisecting, dead letters and the order
// of sending and committing; it knows neither the journal's files nor any
// particular destination.
//
// # What is lost or repeated when
//
// Nothing is lost: the read position moves only over events that the sink has
// taken (Send returned nil, or named the others), that are durably in the
// dead-letter store, or that the sink is not meant to get. A crash between Send
// and the commit sends the same events again to a sink that was opened anew; it is
// the sink's part not to let them arrive twice (see package sinks). So does a
// crash while the first event of a batch is being retried and later ones were
// taken: the position stands before the first one.
//
// The state of a Stateful sink is stored with a position only when the sink has
// taken nothing behind it, so that both agree.
package deliver

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.uber.org/zap"

	"aictail"
	"aictail/sinks"
	"aictail/sinks/deliver/deadletter"
)

// Batching bounds what is sent at once.
type Batching struct {
	// MaxEvents is the number of events, and MaxBytes about that of their bytes;
	// both more than 0. One event is sent however large.
	MaxEvents, MaxBytes int
	// MaxAge is how long an event waits for others at most: a batch that is not
	// full is not read earlier than that after the one before. So the first event
	// after a quiet time is sent at once. 0: nothing waits.
	MaxAge time.Duration
}

// Limit says what Reader.Next is to return.
type Limit struct {
	Events, Bytes int
	// NotBefore is until when Next waits for as much as Events or Bytes say.
	NotBefore time.Time
}

// Reader hands out the journal's events in order.
type Reader interface {
	// Next blocks until there are events and returns them with the read position
	// behind them. They are valid until the next call; the slice itself may be
	// rearranged. A ctx that has ended keeps it from waiting, not from returning
	// what is there. After the journal's end it returns io.EOF, and an error of
	// the context when that ends. After any other error it may be called again.
	// A call says that all events before are delivered and their position stored.
	Next(ctx context.Context, limit Limit) ([]aictail.Event, aictail.Position, error)
	// Seek goes on at the first event with a position of at least pos.
	Seek(pos aictail.Position)
}

// Store keeps a sink's read position.
type Store interface {
	// Saved returns the sink's state, nil for a new sink.
	Saved() ([]byte, error)
	// SaveState replaces the state alone.
	SaveState(state []byte) error
	// Commit stores position and state together, durably.
	Commit(pos aictail.Position, state []byte) error
	// Rewind sets the position back, durably, unless it is not behind pos. from is
	// the position before.
	Rewind(pos aictail.Position) (from aictail.Position, err error)
}

// Deps is what the program injects.
type Deps struct {
	Sink   sinks.Sink
	Reader Reader
	Store  Store
	// Letters takes the events that the sink will never take.
	Letters *deadletter.Store
	// Where tells whether the sink is meant to get an event; nil: all of them. The
	// others are passed over. It must neither keep nor change the event.
	Where   func(*aictail.Event) bool
	Metrics *Metrics
	Log     *zap.Logger
}

// Worker delivers to one sink.
type Worker struct {
	name     string
	batching Batching
	deps     Deps
	log      *zap.Logger
	queue    queue

	// What follows belongs to the goroutine of Run.

	retry *backoff.ExponentialBackOff
	spell spell
	short short
	// held is a batch that was read before the sink was open.
	held *batch
	// lastRead is when events were read the last time.
	lastRead time.Time
	// ahead: a Stateful sink has taken events behind the read position, and its state
	// can't be stored. Letters may be replayed then: where their store is full, that
	// is what ends it.
	ahead bool
	// uncommitted: a Stateful sink has taken events up to a position that is not
	// stored yet. Its state alone, as a replay would store it, must not get ahead.
	uncommitted bool
	// rewound: the last serve has set the read position back.
	rewound bool
	// unlogged dead letters came since lettersLogged.
	unlogged      int
	lettersLogged time.Time

	// oldest is the time of the oldest event that was read and is not yet
	// delivered, in Unix nanoseconds; 0 if there is none.
	oldest  atomic.Int64
	opened  atomic.Bool
	trouble atomic.Pointer[string] // what fails at present; nil if nothing does
}

// New returns a worker for the sink of the given name.
func New(name string, batching Batching, deps Deps) *Worker {
	w := &Worker{
		name: name, batching: batching, deps: deps, log: deps.Log.With(zap.String("sink", name)),
		queue: queue{wake: make(chan struct{}, 1)}, retry: newBackoff(),
	}
	deps.Metrics.add(w)
	return w
}

// Run delivers until the journal ends or ctx does, and closes the sink. Every
// failure, of the sink and of the journal, is retried; Run returns an error only
// if ctx ended before the journal did.
func (w *Worker) Run(ctx context.Context) error {
	w.log.Debug("delivery starts")
	defer func() {
		w.queue.close()
		if cerr := w.deps.Sink.Close(); cerr != nil {
			w.log.Warn("close the sink", zap.Error(cerr))
		}
	}()
	err := w.open(ctx)
	for err == nil || errors.Is(err, errRewound) {
		var b *batch
		if b, err = w.fetch(ctx); err == nil {
			err = w.deliver(ctx, b)
		}
	}
	if errors.Is(err, errEnd) {
		return nil
	}
	return err
}

// deliver sends a batch until every event of it is taken or a dead letter, and
// commits what is done as soon as it is.
func (w *Worker) deliver(ctx context.Context, b *batch) error {
	var fault error
	for {
		w.oldest.Store(b.oldest())
		if err := w.settle(ctx, b); err != nil {
			return err
		}
		if b.done() {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if fault != nil {
			if err := w.wait(ctx, w.ill(fault)); err != nil {
				return err
			}
		}
		if fault = w.send(ctx, b); fault == nil {
			w.well()
		}
	}
}

// send sends the batch's next part, once. It returns an error if some of it is to
// be sent again after a pause.
func (w *Worker) send(ctx context.Context, b *batch) error {
	began := time.Now()
	err := w.deps.Sink.Send(ctx, b.part())
	delivered, fault := b.digest(err)
	if delivered > 0 {
		w.deps.Metrics.duration.WithLabelValues(w.name).Observe(time.Since(began).Seconds())
		w.deps.Metrics.events.WithLabelValues(w.name).Add(float64(delivered))
		w.retry.Reset() // it is slow or in part unwell, not down
	}
	if err != nil && fault == nil {
		w.deps.Metrics.errors.WithLabelValues(w.name, sinks.KindOf(err).String()).Inc()
	}
	return fault
}

// settle stores the dead letters of a batch and the read position. What is done is
// stored even when the daemon is being stopped, so that as little as possible is
// sent again; what fails is not retried then.
func (w *Worker) settle(ctx context.Context, b *batch) error {
	if err := w.commit(ctx, b); err != nil || len(b.rejected) == 0 {
		return err
	}
	if err := w.try(ctx, func() error { return w.bury(b) }); err != nil {
		return err
	}
	w.oldest.Store(b.oldest())
	return w.commit(ctx, b)
}

// commit stores the read position if it has moved.
func (w *Worker) commit(ctx context.Context, b *batch) error {
	stateful, ok := w.deps.Sink.(sinks.Stateful)
	w.ahead = ok && b.ahead()
	pos := b.position()
	if pos == b.committed || w.ahead {
		return nil
	}
	var state []byte
	if ok {
		state = stateful.State()
	}
	w.uncommitted = ok
	if err := w.try(ctx, func() error { return w.deps.Store.Commit(pos, state) }); err != nil {
		return err
	}
	w.uncommitted = false
	b.committed = pos
	return nil
}

// Lag returns the age of the oldest event that the worker has read and not yet
// delivered, by this machine's clock; 0 if there is none.
func (w *Worker) Lag() time.Duration {
	at := w.oldest.Load()
	if at == 0 {
		return 0
	}
	return max(0, time.Since(time.Unix(0, at)))
}

// Health returns nil while the sink is open and accepts events, otherwise an
// error that says what is wrong.
func (w *Worker) Health() error {
	if text := w.trouble.Load(); text != nil {
		return errors.New(*text)
	}
	if !w.opened.Load() {
		return errors.New("not open yet")
	}
	return nil
}
