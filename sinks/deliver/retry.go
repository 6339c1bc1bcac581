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
)

// spell is a time during which something keeps failing. Each is logged once when
// it begins, once more if it becomes a pause, and once when it is over.
type spell struct {
	since  time.Time // zero if nothing fails
	paused bool
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
	for {
		// A sink that keeps a state could not store it now.
		if !w.ahead && w.serve(ctx) {
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
	switch {
	case stuck && !w.spell.paused:
		w.log.Error("delivery is paused; nothing is lost, the sink is probed until it accepts events again",
			zap.Duration("probe_every", pause), zap.Error(err))
	case w.spell.since.IsZero():
		w.log.Warn("delivery fails; it is retried until it succeeds", zap.Error(err))
	default:
		w.log.Debug("delivery still fails", zap.Duration("retry_in", pause), zap.Error(err))
	}
	if w.spell.since.IsZero() {
		w.spell.since = time.Now()
	}
	if stuck {
		// Until it accepts events: a time-out in between says nothing else.
		w.setPaused(true)
	}
	text := err.Error()
	w.trouble.Store(&text)
	return pause
}

// well ends a spell of failures.
func (w *Worker) well() {
	if w.spell.since.IsZero() {
		return
	}
	w.log.Info("delivery works again", zap.Duration("after", time.Since(w.spell.since).Round(time.Millisecond)))
	w.spell.since = time.Time{}
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
