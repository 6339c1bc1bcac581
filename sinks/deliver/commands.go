package deliver

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"aictail"
)

// Errors of what other goroutines ask a worker to do.
var (
	// ErrBusy: the worker was not between two calls of the sink for as long as
	// the caller could wait. Nothing was done.
	ErrBusy = errors.New("the sink is busy with a batch; nothing was done, try again")
	// ErrGoesOn: the worker is at it, and the caller could not wait for the end.
	ErrGoesOn = errors.New("it takes longer; the daemon goes on with it")
	// ErrStopped: the worker has ended. Nothing was done.
	ErrStopped = errors.New("the daemon is stopping; nothing was done")
)

// errRewound ends what was done with a batch that the worker has gone back from.
var errRewound = errors.New("the read position was set back")

// command is something that a worker is to do between two calls of its sink.
type command struct {
	do func(ctx context.Context)
	// aside: it leaves the read position alone, so that it may be done while the
	// sink has taken events behind that.
	aside bool
	// taken decides between the worker, which does it, and the caller, who
	// withdraws it.
	taken atomic.Bool
	// done is closed once do has returned, or with stopped set if it never will.
	done    chan struct{}
	stopped bool
}

// queue holds the commands that a worker has not done yet.
type queue struct {
	// wake has an element if commands may be waiting. It ends the worker's pauses.
	wake chan struct{}

	mu        sync.Mutex // guards what follows
	waiting   []*command
	interrupt context.CancelFunc // ends the read that the worker waits in; nil if it does not
	closed    bool
}

// ask has the worker do something in its own goroutine and waits for it until ctx
// ends.
func (w *Worker) ask(ctx context.Context, c *command) error {
	c.done = make(chan struct{})
	if !w.queue.put(c) {
		return ErrStopped
	}
	select {
	case <-c.done:
	case <-ctx.Done():
		if c.taken.CompareAndSwap(false, true) {
			return ErrBusy
		}
		return ErrGoesOn
	}
	if c.stopped {
		return ErrStopped
	}
	return nil
}

func (q *queue) put(c *command) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	q.waiting = append(q.waiting, c)
	if q.interrupt != nil {
		q.interrupt()
	}
	select {
	case q.wake <- struct{}{}:
	default:
	}
	return true
}

// arm has cancel called as soon as a command is waiting; nil disarms.
func (q *queue) arm(cancel context.CancelFunc) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.interrupt = cancel
	if cancel != nil && len(q.waiting) > 0 {
		cancel()
	}
}

// take returns the next command, of those aside if only they may be done; nil if
// there is none.
func (q *queue) take(onlyAside bool) *command {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.IndexFunc(q.waiting, func(c *command) bool { return c.aside || !onlyAside })
	if i < 0 {
		return nil
	}
	c := q.waiting[i]
	q.waiting = slices.Delete(q.waiting, i, i+1)
	return c
}

// close tells all who wait, and those who come later, that nothing will be done.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	for _, c := range q.waiting {
		if c.taken.CompareAndSwap(false, true) {
			c.stopped = true
			close(c.done)
		}
	}
	q.waiting = nil
}

// serve does what is waiting, as far as it may be done now, and tells whether there
// was anything.
func (w *Worker) serve(ctx context.Context) bool {
	served := false
	w.rewound = false
	for !w.uncommitted {
		c := w.queue.take(w.ahead)
		if c == nil {
			break
		}
		if !c.taken.CompareAndSwap(false, true) {
			continue // withdrawn
		}
		c.do(ctx)
		close(c.done)
		served = true
	}
	return served
}

// Rewind sets the read position back to pos, durably, so that the sink is sent
// again what the journal holds from there on. from is the position before; if pos
// is not before that, nothing changes. It waits for the worker until ctx ends, and
// then returns ErrBusy or ErrGoesOn. It may be called by any goroutine while Run
// runs.
func (w *Worker) Rewind(ctx context.Context, pos aictail.Position) (from aictail.Position, err error) {
	type result struct {
		from aictail.Position
		err  error
	}
	var r result
	if err := w.ask(ctx, &command{do: func(context.Context) { r.from, r.err = w.rewind(pos) }}); err != nil {
		return 0, err
	}
	return r.from, r.err
}

// rewind is Rewind in the worker's goroutine. What was read and is not delivered
// is read again.
func (w *Worker) rewind(pos aictail.Position) (from aictail.Position, err error) {
	from, err = w.deps.Store.Rewind(pos)
	if err != nil || from <= pos {
		return from, err
	}
	w.deps.Reader.Seek(pos)
	w.held, w.rewound = nil, true
	w.oldest.Store(0)
	return from, nil
}
