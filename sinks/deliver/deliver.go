// Package deliver moves events from the journal to the sinks, one Worker for
// each. It owns retrying, pausing and the order of sending and committing; it
// knows neither the journal's files nor any particular destination.
//
// # What is lost or repeated when
//
// Nothing is lost: the read position moves only over events for which the
// sink's Send returned nil, and it is never given up. A crash between Send and
// the commit sends the same events again to a sink that was opened anew; it is
// the sink's part not to let them arrive twice (see package sinks).
package deliver

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.uber.org/zap"

	"aictail"
	"aictail/sinks"
)

// Batches are bounded by memory and by the work that one failure repeats.
const (
	maxEvents = 5000
	maxBytes  = 4 << 20
)

const (
	// retryMin and retryMax space out retries. A destination that restarts is
	// back within seconds; half a minute keeps a long outage cheap and its end
	// quickly noticed.
	retryMin = 100 * time.Millisecond
	retryMax = 30 * time.Second
	// probeInterval is the pause between probes of a sink that refuses.
	probeInterval = 30 * time.Second
)

// Reader hands out the journal's events in order.
type Reader interface {
	// Next blocks until there are events, at most maxEvents of about maxBytes,
	// and returns them with the read position behind them. They are valid until
	// the next call. After the journal's end it returns io.EOF, and an error of
	// the context when that ends. After any other error it may be called again.
	Next(ctx context.Context, maxEvents, maxBytes int) ([]aictail.Event, aictail.Position, error)
}

// Store keeps a sink's read position.
type Store interface {
	// Saved returns the sink's state, nil for a new sink.
	Saved() ([]byte, error)
	// SaveState replaces the state alone.
	SaveState(state []byte) error
	// Commit stores position and state together, durably.
	Commit(pos aictail.Position, state []byte) error
}

// Deps is what the program injects.
type Deps struct {
	Sink    sinks.Sink
	Reader  Reader
	Store   Store
	Metrics *Metrics
	Log     *zap.Logger
}

// Worker delivers to one sink.
type Worker struct {
	name string
	deps Deps
	log  *zap.Logger

	retry   *backoff.ExponentialBackOff
	failing time.Time // since when Open, Send or Commit have been failing; zero if they are not
	paused  bool

	// oldest is the time of the oldest event that was read and is not yet
	// delivered, in Unix nanoseconds; 0 if there is none.
	oldest    atomic.Int64
	committed atomic.Uint64
	opened    atomic.Bool
	trouble   atomic.Pointer[string] // what fails at present; nil if nothing does
}

// New returns a worker for the sink of the given name.
func New(name string, deps Deps) *Worker {
	w := &Worker{name: name, deps: deps, log: deps.Log.With(zap.String("sink", name))}
	w.retry = backoff.NewExponentialBackOff()
	w.retry.InitialInterval, w.retry.MaxInterval = retryMin, retryMax
	deps.Metrics.add(w)
	return w
}

// Run delivers until the journal ends or ctx does, and closes the sink. Every
// failure, of the sink and of the journal, is retried; Run returns an error only
// if ctx ended before the journal did.
func (w *Worker) Run(ctx context.Context) (err error) {
	w.log.Debug("delivery starts")
	defer func() {
		if cerr := w.deps.Sink.Close(); cerr != nil {
			w.log.Warn("close the sink", zap.Error(cerr))
		}
	}()
	if err := w.try(ctx, func() error { return w.open(ctx) }); err != nil {
		return err
	}
	for {
		var events []aictail.Event
		var next aictail.Position
		err := w.try(ctx, func() (err error) {
			events, next, err = w.deps.Reader.Next(ctx, maxEvents, maxBytes)
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		})
		if err != nil || len(events) == 0 {
			return err
		}
		if err := w.deliver(ctx, events, next); err != nil {
			return err
		}
	}
}

func (w *Worker) open(ctx context.Context) error {
	state, err := w.deps.Store.Saved()
	if err != nil {
		return err
	}
	if err := w.deps.Sink.Open(ctx, sinks.Saved{State: state, Save: w.deps.Store.SaveState}); err != nil {
		return err
	}
	w.opened.Store(true)
	return nil
}

// deliver sends events, in parts if the sink asks for it, and commits each part.
func (w *Worker) deliver(ctx context.Context, events []aictail.Event, next aictail.Position) error {
	size := len(events)
	for len(events) > 0 {
		w.oldest.Store(oldest(events))
		n := min(size, len(events))
		split := false
		err := w.try(ctx, func() error {
			began := time.Now()
			err := w.deps.Sink.Send(ctx, events[:n])
			if err == nil {
				w.deps.Metrics.duration.WithLabelValues(w.name).Observe(time.Since(began).Seconds())
				return nil
			}
			if sinks.KindOf(err) == sinks.Split && n > 1 {
				split = true
				return nil
			}
			return err
		})
		if err != nil {
			return err
		}
		if split {
			size = (n + 1) / 2
			continue
		}
		end := next
		if n < len(events) {
			end = events[n].Position
		}
		if err := w.commit(ctx, end); err != nil {
			return err
		}
		w.deps.Metrics.events.WithLabelValues(w.name).Add(float64(n))
		events = events[n:]
	}
	w.oldest.Store(0)
	return nil
}

func (w *Worker) commit(ctx context.Context, end aictail.Position) error {
	var state []byte
	if s, ok := w.deps.Sink.(sinks.Stateful); ok {
		state = s.State()
	}
	// What the sink has taken is committed even when the daemon is being
	// stopped, so that as little as possible is sent again.
	err := w.try(context.WithoutCancel(ctx), func() error {
		err := w.deps.Store.Commit(end, state)
		if err != nil && ctx.Err() != nil {
			return &giveUpError{err}
		}
		return err
	})
	if err == nil {
		w.committed.Store(uint64(end))
	}
	return err
}

// giveUpError ends try: the error cannot be waited for any longer.
type giveUpError struct{ err error }

func (g *giveUpError) Error() string { return g.err.Error() }
func (g *giveUpError) Unwrap() error { return g.err }

// try repeats do until it succeeds or ctx ends.
func (w *Worker) try(ctx context.Context, do func() error) error {
	for {
		err := do()
		if err == nil {
			w.well()
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if g, ok := errors.AsType[*giveUpError](err); ok {
			return g.err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(w.ill(err)):
		}
	}
}

// ill counts and logs a failure, once for each spell of them, and returns how
// long to wait.
func (w *Worker) ill(err error) time.Duration {
	kind := sinks.KindOf(err)
	w.deps.Metrics.errors.WithLabelValues(w.name, kind.String()).Inc()
	pause := w.retry.NextBackOff()
	stuck := kind != sinks.Retry
	if stuck {
		pause = probeInterval
	}
	if e, ok := errors.AsType[*sinks.Error](err); ok && e.After > 0 {
		pause = e.After
	}
	switch {
	case stuck && !w.paused:
		w.log.Error("delivery is paused; nothing is lost, the sink is probed until it accepts events again",
			zap.Stringer("kind", kind), zap.Duration("probe_every", pause), zap.Error(err))
	case w.failing.IsZero():
		w.log.Warn("delivery fails; it is retried until it succeeds", zap.Error(err))
	default:
		w.log.Debug("delivery still fails", zap.Duration("retry_in", pause), zap.Error(err))
	}
	if w.failing.IsZero() {
		w.failing = time.Now()
	}
	w.setPaused(stuck)
	text := err.Error()
	w.trouble.Store(&text)
	return pause
}

func (w *Worker) well() {
	if w.failing.IsZero() {
		return
	}
	w.log.Info("delivery works again", zap.Duration("after", time.Since(w.failing).Round(time.Millisecond)))
	w.failing = time.Time{}
	w.trouble.Store(nil)
	w.retry.Reset()
	w.setPaused(false)
}

func (w *Worker) setPaused(paused bool) {
	w.paused = paused
	v := 0.0
	if paused {
		v = 1
	}
	w.deps.Metrics.paused.WithLabelValues(w.name).Set(v)
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

// Committed returns the read position last committed by this worker; 0 before
// the first commit.
func (w *Worker) Committed() aictail.Position { return aictail.Position(w.committed.Load()) }

func oldest(events []aictail.Event) int64 {
	t := events[0].Time
	for i := range events {
		if events[i].Time.Before(t) {
			t = events[i].Time
		}
	}
	return t.UnixNano()
}
