// Package tailer polls the tail endpoint of the log API, one Tailer for each
// configured source entry. It owns the way of an entry from an answer to the
// journal: identity, duplicates, the filter's place, the restart state, and what
// happens when the tenant answers badly or not at all. It does not fill gaps: it
// counts and logs what tail may have left out. Clients, filter and journal are
// handed to it.
//
// # What is lost or repeated when
//
// The cookie moves on only in a journal record that follows the page's events
// and is made durable with them. A page that was cut off, a failed write or a
// crash therefore means that the same page is asked for again, and the ids of
// what is already in the journal sort out the repetition. After a restart those
// ids come from the journal itself (see Recover).
package tailer

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.uber.org/zap"

	"aictail"
	"aictail/tailer/aic"
)

// tailCap is the number of lines that the tail endpoint returns at most (the
// vendor's documentation, "Logs tail endpoint"). A page as full as that may
// have left entries out.
const tailCap = 15_000

// Config is what the user sets for one source entry.
type Config struct {
	// Sources is the source entry, one source or several separated by commas.
	Sources string
	// QueryFilter goes to the tenant as _queryFilter; "" for none.
	QueryFilter string
	// MinInterval and MaxInterval bound the time between two polls.
	MinInterval, MaxInterval time.Duration
}

// Filter drops and redacts events, in place. Changed events stay valid until
// the next Apply.
type Filter interface {
	Apply(events []aictail.Event) []aictail.Event
}

// Journal is where events go. Its methods may be called concurrently.
type Journal interface {
	// WaitRoom blocks while the journal is full.
	WaitRoom(ctx context.Context) error
	// Append writes a record and returns the positions that it takes. It keeps
	// nothing of rec. The record is not durable before Sync.
	Append(rec aictail.Record) (first, next aictail.Position, err error)
	// Sync returns nil once the record at pos is durable, and an error if it
	// never will be.
	Sync(ctx context.Context, pos aictail.Position) error
}

// Deps is what the program injects.
type Deps struct {
	Tenant  *Tenant
	Filter  Filter
	Journal Journal
	Log     *zap.Logger
}

// Tailer polls one source entry. Run must not be called twice at a time.
type Tailer struct {
	cfg  Config
	deps Deps
	log  *zap.Logger

	state  checkpoint
	saved  time.Time // when the state was last put into the journal
	warned bool      // whether a spell of failures has been logged
	seen   *seenSet
	ident  *identifier

	// Of the page at hand:
	events []aictail.Event // reused from chunk to chunk
	chunks []chunk         // what of it is in the journal
	keys   []seenKey       // the keys that its chunks added to seen
	page   pageSummary
	counts sourceCounts
}

// chunk is a part of a page in the journal: the record's position and the end
// of its keys in Tailer.keys.
type chunk struct {
	pos  aictail.Position
	keys int
}

// New returns a tailer that starts anew. Recover gives it the state of an
// earlier run.
func New(cfg Config, deps Deps) *Tailer {
	return &Tailer{
		cfg: cfg, deps: deps,
		log:   deps.Log.With(zap.String("tenant", deps.Tenant.Name()), zap.String("sources", cfg.Sources)),
		seen:  newSeenSet(),
		ident: newIdentifier(),
	}
}

// Stream returns the name of the tailer's records in the journal.
func (t *Tailer) Stream() string { return Stream(t.deps.Tenant.Name(), t.cfg.Sources) }

// Stream returns the name of the records of the given tenant's source entry.
func Stream(tenant, sources string) string { return "tail/" + tenant + "/" + sources }

// Recover restores the restart state, as it was in the stream's last record
// with a checkpoint. It is called before Run. After an error the tailer would
// start anew.
func (t *Tailer) Recover(saved []byte) error {
	c, err := decodeCheckpoint(saved)
	if err != nil {
		return err
	}
	t.state = c
	for _, id := range c.Overlap {
		t.seen.add(t.seen.key([]byte(id)))
	}
	return nil
}

// RecoverID remembers an event that is in the journal already, journaled at the
// given time. It is called before Run, in the order of the journal.
func (t *Tailer) RecoverID(id []byte, journaled time.Time) {
	t.seen.turn(journaled)
	t.seen.add(t.seen.key(id))
}

// Run polls until ctx ends; it then returns nil. Every failure is retried: Run
// returns no error.
func (t *Tailer) Run(ctx context.Context) error {
	retry := newBackOff()
	interval := t.cfg.MinInterval
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
			interval = t.nextInterval(interval)
			pause = interval
			if t.page.entries >= tailCap {
				pause = 0
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

// nextInterval polls a busy source as often as allowed and an idle one ever
// more seldom.
func (t *Tailer) nextInterval(last time.Duration) time.Duration {
	if t.page.fresh > 0 {
		return t.cfg.MinInterval
	}
	return min(last*3/2, t.cfg.MaxInterval)
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
		t.state.Cookie = ""
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
