// Package tailer reads the entries of a tenant's sources into the journal. For
// each configured source entry there is a Stream with a Tailer, which polls the
// tail endpoint: fast, but it leaves entries out; and a Sweeper, which reads
// stretches of time again with range queries once they have settled, and so
// knows until when everything is there. The package owns the way of an entry
// from an answer to the journal: assembly, identity, duplicates, the filter's
// place, the restart state, and what happens when the tenant answers badly or
// not at all. Clients, filter and journal are handed to it.
//
// # What is lost or repeated when
//
// A restart state moves on only in a journal record that follows the events and
// is made durable with them. A page that was cut off, a failed write or a crash
// therefore means that the same entries are asked for again, and the ids of what
// is already in the journal sort out the repetition. A stream remembers ids until
// the coverage says that everything of their time is in the journal; after a
// restart they come from the journal itself.
//
// What the tail leaves out the sweep brings: late entries, the very latest entry
// of a source, what was logged while nobody polled. The tail never hands on a part
// of an event that it could not put together, since the sweep will see all of it;
// only where nothing is swept it does, marked.
package tailer

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.uber.org/zap"

	"aictail/tailer/aic"
	"aictail/tailer/assemble"
	"aictail/tailer/budget"
	"aictail/tailer/sweep"
)

// tailCap is the number of lines that the tail endpoint returns at most (the
// vendor's documentation, "Logs tail endpoint"). A page as full as that may
// have left entries out.
const tailCap = 15_000

// Config is what the user sets for one source entry.
type Config struct {
	// QueryFilter goes to the tenant as _queryFilter; "" for none.
	QueryFilter string
}

// Deps is what the program injects.
type Deps struct {
	Tenant  *Tenant
	Stream  *Stream
	Filter  Filter // for this reader alone
	Journal Journal
	Log     *zap.Logger
}

// Tailer polls the tail of one source entry. Run must not be called twice at a
// time.
type Tailer struct {
	cfg  Config
	deps Deps
	log  *zap.Logger
	in   *intake
	pace *budget.Pace

	state   checkpoint   // after the last page
	saved   checkpoint   // as last put into the journal
	history []checkpoint // after the pages since saved, oldest first
	savedAt time.Time    // when saved was put into the journal
	warned  bool         // whether a spell of failures has been logged

	inexact     int       // entries without a timestamp that the log does not tell of yet
	inexactTold time.Time // when it last did

	// parts knows the plaintext entries that were read lately: the overlap of two
	// pages must not reach the assembler twice.
	parts     *seenSet
	partIdent *identifier
	noteIdent *identifier
	entries   []aic.Entry // reused
	page      pageSummary
	// seam is until when a text may be the rest of an event whose beginning the
	// tail has not seen, because its pages do not join: after a start, or where
	// entries were left out.
	seam time.Time
	// joins is false until a page has been read since the start or since the tail
	// went back.
	joins bool
}

// New returns a tailer that starts anew. Recover gives it the state of an
// earlier run.
func New(cfg Config, deps Deps) *Tailer {
	t := &Tailer{
		cfg: cfg, deps: deps,
		log:       deps.Log.With(zap.String("tenant", deps.Tenant.Name()), zap.String("sources", deps.Stream.sources)),
		pace:      deps.Tenant.pacer.Add(deps.Stream.sources),
		partIdent: newIdentifier(), noteIdent: newIdentifier(),
	}
	t.in = &intake{
		stream: deps.Stream, name: deps.Stream.TailName(), via: "tail",
		filter: deps.Filter, journal: deps.Journal, metrics: deps.Tenant.metrics,
		goesOn: t.goesOn, ident: newIdentifier(),
	}
	t.rewind()
	deps.Tenant.metrics.addStream(deps.Stream)
	return t
}

// Recover restores the restart state, as it was in the tail's last record with a
// checkpoint. It is called before Run. After an error the tail starts anew.
func (t *Tailer) Recover(saved []byte) error {
	c, err := decodeCheckpoint(saved)
	if err != nil {
		return err
	}
	t.saved = c
	if t.deps.Stream.cfg.Mode == sweep.Off {
		// Ids are the only way to know the last entry of a source that has been silent
		// for longer than the journal lasts. Where time is swept, the coverage knows it;
		// and an entry may have been left to the sweep, so that only the journal can
		// tell whether it is there.
		for _, id := range c.Overlap {
			t.deps.Stream.RecoverEvent([]byte(id), c.Last, math.MaxUint64)
		}
	}
	t.rewind()
	return nil
}

// rewind goes back to the saved restart state, as after a restart: what has been
// read since then is asked for again.
func (t *Tailer) rewind() {
	t.state, t.history, t.joins = t.saved, t.history[:0], false
	t.in.asm = assemble.New(assemble.Options{})
	t.parts = newSeenSet()
	for _, id := range t.saved.Overlap {
		t.parts.add(t.parts.key([]byte(id)))
	}
}

// goesOn decides about an event that was made of texts. Where time is swept, the
// tail hands on only what it has surely seen all of. The sweep sees the rest with
// all that belongs to it.
func (t *Tailer) goesOn(e *assemble.Event) bool {
	if t.deps.Stream.cfg.Mode == sweep.Off {
		return true
	}
	// A joined object begins with its brace; any other text may be the rest of
	// something, such as a stack trace without its header.
	sure := e.Outcome == assemble.Joined || e.Outcome != assemble.Loose && e.Time.After(t.seam)
	if !sure {
		t.deps.Tenant.metrics.fragments.WithLabelValues("left_to_sweep").Inc()
		t.deps.Stream.suspect(e.Time.Add(-time.Second), e.Time.Add(time.Second))
	}
	return sure
}

// Run polls until ctx ends; it then returns nil. Every failure is retried: Run
// returns no error.
func (t *Tailer) Run(ctx context.Context) error {
	retry := newBackOff()
	for failures := 0; ; {
		err := t.deps.Journal.WaitRoom(ctx)
		if err == nil {
			err = t.poll(ctx)
		}
		if ctx.Err() != nil {
			return nil //nolint:nilerr // what failed, failed because of the stop
		}
		var pause time.Duration
		if err != nil {
			failures++
			pause = t.afterFailure(err, failures, retry)
		} else {
			t.afterSuccess(failures)
			failures = 0
			retry.Reset()
			pause = t.pace.Interval()
			if t.page.entries >= tailCap {
				pause = 0
			}
		}
		if !sleep(ctx, pause) {
			return nil
		}
	}
}

// newBackOff spaces out retries from one second to one minute: the rate limit's
// window, beyond which waiting longer only delays.
func newBackOff() *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval = time.Second
	b.MaxInterval = time.Minute
	return b
}

// afterFailure logs the failure, notes what it means for the next request, and
// returns how long to wait before it.
func (t *Tailer) afterFailure(err error, failures int, retry *backoff.ExponentialBackOff) time.Duration {
	if errors.Is(err, aic.ErrCookieRefused) && t.state.Cookie != "" {
		t.log.Warn("the tenant refused the tail's cookie; the tail starts again 15 seconds back",
			zap.Time("last_entry", t.state.Last), zap.Error(err))
		t.state.Cookie, t.saved.Cookie = "", ""
		return 0
	}
	pause := retry.NextBackOff()
	if errors.Is(err, aic.ErrUnauthorized) {
		// Nothing but a person mends it; a minute keeps the budget for the others.
		pause = retry.MaxInterval
	}
	if errors.Is(err, aic.ErrRateLimited) {
		pause = 0 // the budget knows when to go on
	}
	if t.deps.Tenant.trouble(err) {
		return pause
	}
	log := t.log.Debug
	if failures >= troubleAfter && !t.warned {
		t.warned = true
		log = t.log.Warn
	}
	log("polling fails; it is retried and nothing is skipped", zap.Int("failures", failures),
		zap.Duration("retry_in", pause), zap.Error(err))
	return pause
}

// troubleAfter failures in a row of one source are worth a line in the log: a
// single bad answer is an everyday event with this API.
const troubleAfter = 3

func (t *Tailer) afterSuccess(failures int) {
	t.deps.Tenant.wellAgain()
	if t.warned {
		t.warned = false
		t.log.Info("polling works again", zap.Int("failures", failures))
	}
}

// journalError marks failures of the journal, which say nothing about the tenant.
type journalError struct{ err error }

func (e journalError) Error() string { return e.err.Error() }
func (e journalError) Unwrap() error { return e.err }
