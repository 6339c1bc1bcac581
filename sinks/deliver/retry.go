package deliver

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.uber.org/zap"

	"aictail/sinks"
)

const (
	// retryMin and retryMax space out retries. A destination that restarts is
	// back within seconds; half a minute keeps a long outage cheap and its end
	// quickly noticed.
	retryMin = 100 * time.Millisecond
	retryMax = 30 * time.Second
	// probeInterval is the pause between probes of a sink that refuses.
	probeInterval = 30 * time.Second
	// lookEvery is how often a sink that cannot be opened looks for events that wait
	// for it, so that its lag tells of them.
	lookEvery = time.Second
	// quietFor keeps a sink that fails every few seconds and recovers from filling
	// the log: after a failure was logged, others within this time are only counted,
	// unless one lasts for lasting.
	quietFor = time.Minute
	lasting  = 10 * time.Second
)

// spell is a time during which something keeps failing. It is logged once when it
// begins, unless that is too often, once more if it becomes a pause, and once when
// it is over.
type spell struct {
	since  time.Time // zero if nothing fails
	paused bool
	logged bool
}

// short counts the failures that are not logged one by one.
type short struct {
	// since is when a failure was logged the last time.
	since time.Time
	n     int
}

func newBackoff() *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval = retryMin, retryMax
	return b
}

// try repeats do until it succeeds or ctx ends, once at least. It returns errEnd if
// do does, and errRewound if the read position was set back meanwhile.
func (w *Worker) try(ctx context.Context, do func() error) error {
	failed := false
	for {
		err := do()
		if err == nil {
			if failed {
				w.well()
			}
			return nil
		}
		if ctx.Err() != nil || errors.Is(err, errEnd) {
			return err
		}
		failed = true
		if err := w.wait(ctx, w.ill(err)); err != nil {
			return err
		}
	}
}

// wait waits for as long as given, and does what others ask for in the meantime.
// Then it ends early: what was done may have been the remedy. It returns the error
// of ctx, or errRewound.
func (w *Worker) wait(ctx context.Context, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	var look <-chan time.Time // nil: never
	if !w.opened.Load() {
		ticker := time.NewTicker(lookEvery)
		defer ticker.Stop()
		look = ticker.C
	}
	for {
		if w.serve(ctx) {
			if w.rewound {
				return errRewound
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
			return nil
		case <-look:
			_ = w.peek() // it is read again when it is sent
		case <-w.queue.wake:
		}
	}
}

// ill counts and logs a failure, once for each spell of them, and returns how
// long to wait.
func (w *Worker) ill(err error) time.Duration {
	kind := sinks.KindOf(err)
	w.deps.Metrics.errors.WithLabelValues(w.name, kind.String()).Inc()
	pause := w.retry.NextBackOff()
	stuck := kind == sinks.Refused
	if stuck {
		pause = probeInterval
	}
	if e, ok := errors.AsType[*sinks.Error](err); ok && e.After > 0 {
		pause = e.After
	}
	if w.spell.since.IsZero() {
		w.spell.since = time.Now()
	}
	switch {
	case stuck && !w.spell.paused:
		w.spell.logged = true
		w.log.Error("delivery is paused; nothing is lost, the sink is probed until it accepts events again",
			zap.Duration("probe_every", pause), zap.Error(err))
	case !w.spell.logged && (time.Since(w.short.since) >= quietFor || time.Since(w.spell.since) >= lasting):
		w.logFailure(err)
	default:
		w.log.Debug("delivery still fails", zap.Duration("retry_in", pause), zap.Error(err))
	}
	if stuck {
		// Until it accepts events: a time-out in between says nothing else.
		w.setPaused(true)
	}
	text := err.Error()
	w.trouble.Store(&text)
	return pause
}

// logFailure logs a failure that is not one of many.
func (w *Worker) logFailure(err error) {
	fields := []zap.Field{zap.Error(err)}
	if w.short.n > 0 {
		fields = append(fields, zap.Int("short_failures_before", w.short.n))
	}
	w.log.Warn("delivery fails; it is retried until it succeeds", fields...)
	w.spell.logged = true
	w.short = short{since: time.Now()}
}

// well ends a spell of failures.
func (w *Worker) well() {
	if w.spell.since.IsZero() {
		return
	}
	if w.spell.logged {
		w.log.Info("delivery works again", zap.Duration("after", time.Since(w.spell.since).Round(time.Millisecond)))
	} else {
		w.short.n++
	}
	w.spell.since, w.spell.logged = time.Time{}, false
	w.trouble.Store(nil)
	w.retry.Reset()
	w.setPaused(false)
}

func (w *Worker) setPaused(paused bool) {
	w.spell.paused = paused
	v := 0.0
	if paused {
		v = 1
	}
	w.deps.Metrics.paused.WithLabelValues(w.name).Set(v)
}
