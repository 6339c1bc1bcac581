package deliver

import (
	"context"
	"errors"
	"io"
	"time"

	"go.uber.org/zap"

	"aictail/sinks"
)

// errEnd says that the journal has ended and all of it has been read. It is not
// io.EOF, which a sink's connection may return as well.
var errEnd = errors.New("the journal has ended")

// open opens the sink. It returns errEnd if that fails and the sink needs nothing.
func (w *Worker) open(ctx context.Context) error {
	_ = w.peek() // an attempt to connect may take long
	for {
		err := w.try(ctx, func() error {
			err := w.openOnce(ctx)
			if err != nil && errors.Is(w.peek(), errEnd) {
				return errEnd
			}
			return err
		})
		if !errors.Is(err, errRewound) {
			return err
		}
	}
}

func (w *Worker) openOnce(ctx context.Context) error {
	if err := w.deps.Letters.Open(); err != nil {
		return err
	}
	state, err := w.deps.Store.Saved()
	if err != nil {
		return err
	}
	if err := w.deps.Sink.Open(ctx, sinks.Saved{State: state, Save: w.deps.Store.SaveState}); err != nil {
		return err
	}
	if n := w.deps.Letters.Unreadable(); n > 0 {
		w.log.Warn("some lines of the dead-letter file cannot be read; they stay there and are not sent again",
			zap.Int("lines", n), zap.String("file", w.deps.Letters.File()))
	}
	w.opened.Store(true)
	return nil
}

// peek reads the first batch before the sink is open, so that the lag is that of
// the events that wait for it. It does not block.
func (w *Worker) peek() error {
	if w.held != nil {
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	b, err := w.read(ctx)
	if err != nil {
		return err
	}
	w.held = b
	w.oldest.Store(b.oldest())
	return nil
}

// fetch returns the next batch. It returns errEnd after the journal's end.
func (w *Worker) fetch(ctx context.Context) (b *batch, err error) {
	for {
		if b, w.held = w.held, nil; b != nil {
			return b, nil
		}
		err := w.try(ctx, func() (err error) {
			b, err = w.await(ctx)
			return err
		})
		if !errors.Is(err, errRewound) {
			return b, err
		}
	}
}

// await reads the next batch, and does what others ask for until there is one.
func (w *Worker) await(ctx context.Context) (*batch, error) {
	for {
		w.serve(ctx)
		reading, cancel := context.WithCancel(ctx)
		w.queue.arm(cancel)
		b, err := w.read(reading)
		w.queue.arm(nil)
		interrupted := reading.Err() != nil && ctx.Err() == nil
		cancel()
		if err == nil || !interrupted || errors.Is(err, errEnd) {
			return b, err
		}
	}
}

func (w *Worker) read(ctx context.Context) (*batch, error) {
	events, next, err := w.deps.Reader.Next(ctx, Limit{
		Events: w.batching.MaxEvents, Bytes: w.batching.MaxBytes, NotBefore: w.lastRead.Add(w.batching.MaxAge),
	})
	if errors.Is(err, io.EOF) {
		return nil, errEnd
	}
	if err != nil {
		return nil, err
	}
	w.lastRead = time.Now()
	return newBatch(events, next, w.deps.Where), nil
}
