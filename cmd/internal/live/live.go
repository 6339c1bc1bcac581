// Package live follows the tail of one tenant for people: it polls, puts events
// together and hands them on once. It keeps nothing on disk and confirms nothing; a
// daemon with the same tenant is in no way touched but by the requests that both
// take from the tenant's limit, of which this package takes few. What is chosen,
// redacted and shown is for its caller.
package live

import (
	"context"
	"errors"
	"fmt"
	"time"

	"aictail"
	"aictail/tailer/aic"
	"aictail/tailer/assemble"
	"aictail/tailer/budget"
)

const (
	// share of the tenant's limit that polling takes: a poll every five seconds at 60
	// requests a minute, every eleven at 28. A daemon that runs beside it makes way
	// for that (package budget) and still has most of the limit.
	share = 0.2
	// minInterval is the least time between two polls, however high the limit.
	minInterval = 2 * time.Second
	// expireEvery is how often parts of events are looked at that wait for others.
	expireEvery = time.Second
	// slow is how long a request may wait for the limit before a note says why
	// nothing comes.
	slow = 5 * time.Second
	// tailCap is the documented most lines in one answer of the tail.
	tailCap = 15_000
)

// Client is the part of the API client that is used.
type Client interface {
	// Tail blocks for one request and returns its page, which the caller closes.
	Tail(ctx context.Context, req aic.TailRequest) (*aic.Page, error)
	// Range does the same for a range query.
	Range(ctx context.Context, req aic.RangeRequest) (*aic.Page, error)
}

// Config is what to follow.
type Config struct {
	Tenant string
	// Sources is one source or several with commas; one poll asks for all.
	Sources string
	// QueryFilter is sent to the tenant; "" for none.
	QueryFilter string
	// Since is where it begins, 24 h ago at most; zero: where the tail does.
	Since time.Time
	// Reserve is the share of the limit that is left to others.
	Reserve float64
}

// Deps is what the program injects. Its functions are called from the goroutine
// that calls Run.
type Deps struct {
	Client Client
	// Emit takes events in about the order of their times. They are valid during the
	// call. Its error ends Run.
	Emit func([]aictail.Event) error
	// Note takes what a person who is looking on should know.
	Note func(string)
}

// Follower follows one tenant.
type Follower struct {
	cfg    Config
	deps   Deps
	budget *budget.Budget
	asm    *assemble.Assembler
	seen   *seen

	polled time.Time // when the tail was last asked for
	full   bool      // the last page was as full as one can be
	cookie string
	whole  []assemble.Event // reused
	events []aictail.Event  // reused
	fresh  []aic.Entry      // reused
	count  int              // events emitted

	answered bool // the tenant has answered once
}

// New returns a follower. It sends nothing before Run.
func New(cfg Config, deps Deps) *Follower {
	return &Follower{
		cfg: cfg, deps: deps, seen: newSeen(), asm: assemble.New(assemble.Options{}),
		budget: budget.New(budget.Options{Reserve: cfg.Reserve}),
	}
}

// Run follows until ctx ends, which is not an error. It returns an error when the
// first request fails, since then the configuration is probably wrong, and later
// for what only a person can mend; anything else is noted and tried again.
func (f *Follower) Run(ctx context.Context) error {
	err := f.run(ctx)
	if ctx.Err() != nil {
		if _, failed := errors.AsType[*emitError](err); !failed {
			return nil
		}
	}
	return err
}

// emitError is a failure of Emit.
type emitError struct{ err error }

func (e *emitError) Error() string { return e.err.Error() }
func (e *emitError) Unwrap() error { return e.err }

func (f *Follower) run(ctx context.Context) error {
	if !f.cfg.Since.IsZero() {
		if err := f.history(ctx); err != nil {
			return err
		}
	}
	for {
		if err := f.persist(ctx, f.poll); err != nil {
			return err
		}
		if err := f.pause(ctx, f.interval(0)); err != nil {
			return err
		}
	}
}

// persist tries a request until it succeeds. It gives up if that is of no use, or if
// the tenant has never answered.
func (f *Follower) persist(ctx context.Context, request func(context.Context) error) error {
	for failures := 0; ; failures++ {
		err := request(ctx)
		passing := errors.Is(err, aic.ErrRateLimited) || errors.Is(err, aic.ErrCookieRefused)
		switch {
		case err == nil:
			if failures > 0 {
				f.deps.Note("the tenant answers again")
			}
			f.answered = true
			return nil
		case ctx.Err() != nil || isFinal(err) || !f.answered && !passing:
			return err
		case errors.Is(err, aic.ErrCookieRefused):
			f.cookie = ""
			f.deps.Note("the tenant does not go on where the last poll ended: events older than 15 seconds may be missing here")
		case failures == 0:
			f.deps.Note("no answer, it is tried again: " + err.Error())
		}
		if err := f.pause(ctx, f.interval(failures+1)); err != nil {
			return err
		}
	}
}

// isFinal tells whether trying again is of no use.
func isFinal(err error) bool {
	if _, failed := errors.AsType[*emitError](err); failed {
		return true
	}
	return errors.Is(err, aic.ErrUnauthorized) || errors.Is(err, aic.ErrBadRequest) || errors.Is(err, aic.ErrRedirect)
}

// interval returns the time until the next poll.
func (f *Follower) interval(failures int) time.Duration {
	if f.full && failures == 0 {
		return 0 // there is more already
	}
	even := time.Duration(float64(time.Minute) / (share * float64(f.budget.Limit())))
	// A tenant that does not answer is asked less and less, up to once a minute.
	return min(max(even, minInterval)<<min(failures, 5), time.Minute)
}

// pause waits, and meanwhile hands on what has waited for its other parts for long
// enough.
func (f *Follower) pause(ctx context.Context, d time.Duration) error {
	end := time.NewTimer(d)
	defer end.Stop()
	tick := time.NewTicker(expireEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-end.C:
			return nil
		case <-tick.C:
			f.whole = f.asm.Expire(f.whole[:0], time.Now())
			if err := f.emit(); err != nil {
				return err
			}
		}
	}
}

// poll asks for one page of the tail.
func (f *Follower) poll(ctx context.Context) error {
	asked := time.Now()
	page, err := f.send(ctx, func() (*aic.Page, error) {
		asked = time.Now()
		return f.deps.Client.Tail(ctx, aic.TailRequest{Sources: f.cfg.Sources, Cookie: f.cookie, Filter: f.cfg.QueryFilter})
	})
	if err != nil {
		return err
	}
	defer page.Close()
	if err := f.take(page); err != nil {
		return err
	}
	// The vendor's documentation names both as reasons for missing entries.
	f.full = page.Count() >= tailCap
	if f.full {
		f.deps.Note("there are more events than one request returns: some may be missing here; choose with --source or --query")
	}
	if !f.polled.IsZero() && asked.Sub(f.polled) > time.Minute {
		f.deps.Note("the last poll was more than a minute ago: some events may be missing here")
	}
	f.polled = asked
	if page.Cookie() != "" { // an answer may lack it
		f.cookie = page.Cookie()
	}
	return nil
}

// send sends one request within the budget and learns from its answer.
func (f *Follower) send(ctx context.Context, request func() (*aic.Page, error)) (*aic.Page, error) {
	late := time.NewTimer(slow)
	defer late.Stop()
	ready := make(chan error, 1)
	go func() { ready <- f.budget.Wait(ctx, budget.Tail) }()
	var err error
	select {
	case err = <-ready:
	case <-late.C:
		f.deps.Note(fmt.Sprintf("waiting: the tenant's limit of %d requests a minute is used up, by the daemon or by others with a key", f.budget.Limit()))
		err = <-ready
	}
	if err != nil {
		return nil, err
	}
	page, err := request()
	if err == nil {
		f.observe(page.Quota(), false)
	} else if status, ok := errors.AsType[*aic.StatusError](err); ok {
		f.observe(status.Quota, errors.Is(err, aic.ErrRateLimited))
	}
	return page, err
}

func (f *Follower) observe(q aic.Quota, refused bool) {
	o := budget.Observation{Known: q.Known, Refused: refused, RetryAfter: q.RetryAfter}
	if q.Known {
		now := q.Date
		if now.IsZero() {
			now = time.Now()
		}
		o.Limit, o.Remaining, o.ResetIn = q.Limit, q.Remaining, q.Reset.Sub(now)
	}
	f.budget.Observe(o)
}

// take reads a page to its end and hands on what is new in it.
func (f *Follower) take(page *aic.Page) error {
	f.seen.startPage()
	for page.Next() {
		f.fresh = f.fresh[:0]
		for _, e := range page.Entries() {
			if f.seen.add(&e) {
				f.fresh = append(f.fresh, e)
			}
		}
		f.whole = f.asm.Add(f.whole[:0], f.fresh, time.Now())
		if err := f.emit(); err != nil {
			return err
		}
	}
	return page.Err()
}

// emit hands on the events in f.whole.
func (f *Follower) emit() error {
	if len(f.whole) == 0 {
		return nil
	}
	f.events = f.events[:0]
	for i := range f.whole {
		e := &f.whole[i]
		at := e.Time
		if at.IsZero() {
			at = time.Now().UTC()
		}
		f.events = append(f.events, aictail.Event{
			Tenant: f.cfg.Tenant, Source: e.Source, Type: e.Type, Time: at, Raw: e.Raw, Payload: e.Payload,
		})
	}
	f.count += len(f.events)
	if err := f.deps.Emit(f.events); err != nil {
		return &emitError{err}
	}
	return nil
}
