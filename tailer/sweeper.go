package tailer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"aictail"
	"aictail/tailer/aic"
	"aictail/tailer/assemble"
	"aictail/tailer/budget"
	"aictail/tailer/sweep"
)

// pageSize is the documented page limit of range queries; larger ones are
// advised against.
const pageSize = 1000

// Sweeper sweeps one source entry: it reads windows of time that have settled
// with range queries and journals what the tail has not brought. Run must not be
// called twice at a time.
type Sweeper struct {
	cfg  Config
	deps Deps
	log  *zap.Logger
	in   *intake

	window sweep.Window // at hand
	result sweep.Result
	newest time.Time // the latest timestamp read of the window's query
	// disordered: the tenant's answers were seen not to ascend by timestamp. Then
	// a window counts only as a whole.
	disordered  bool
	warned      bool      // whether a spell of failures has been logged
	recommended time.Time // when a longer settle time was last recommended
}

// NewSweeper returns the sweeper of a stream.
func NewSweeper(cfg Config, deps Deps) *Sweeper {
	s := &Sweeper{
		cfg: cfg, deps: deps,
		log: deps.Log.With(zap.String("tenant", deps.Tenant.Name()), zap.String("sources", deps.Stream.sources)),
	}
	s.in = &intake{
		stream: deps.Stream, name: deps.Stream.SweepName(), via: "sweep",
		filter: deps.Filter, journal: deps.Journal, metrics: deps.Tenant.metrics,
		goesOn: s.goesOn, onFresh: s.missed, ident: newIdentifier(),
	}
	return s
}

// Run sweeps until ctx ends; it then returns nil. Every failure is retried.
func (s *Sweeper) Run(ctx context.Context) error {
	if s.deps.Stream.cfg.Mode == sweep.Off {
		return nil
	}
	s.deps.Tenant.streams.Add(1)
	defer s.deps.Tenant.streams.Add(-1)
	retry := newBackOff()
	for failures := 0; ; {
		if s.deps.Tenant.isRefused() {
			// The tails probe; a second probe each would only use up the budget.
			if !sleep(ctx, refusedPause) {
				return nil
			}
			continue
		}
		w, wait := s.deps.Stream.nextWindow(time.Now(), s.deps.Tenant.tipInterval(s.deps.Stream.cfg.Settle))
		s.reportLost()
		if wait == 0 {
			err := s.deps.Journal.WaitRoom(ctx)
			if err == nil {
				err = s.sweep(ctx, w)
			}
			if ctx.Err() != nil {
				return nil //nolint:nilerr // what failed, failed because of the stop
			}
			if err == nil {
				s.afterSuccess(failures)
				failures = 0
				retry.Reset()
				continue
			}
			failures++
			wait = s.afterFailure(w, err, failures, retry.NextBackOff())
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-s.deps.Stream.wake:
			timer.Stop()
			if failures > 0 {
				// News are no reason to press a tenant that fails.
				if !sleep(ctx, time.Second) {
					return nil
				}
			}
		case <-timer.C:
		}
	}
}

// refusedPause is how often a sweep looks whether the tenant accepts the key
// again. It costs no request.
const refusedPause = 5 * time.Second

// sleep returns false if ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

func (s *Sweeper) afterFailure(w sweep.Window, err error, failures int, pause time.Duration) time.Duration {
	if errors.Is(err, aic.ErrRateLimited) {
		return time.Second // the budget knows when to go on
	}
	if s.deps.Tenant.trouble(err) {
		return pause // the window is not to blame
	}
	s.deps.Stream.failed(w, time.Now())
	log := s.log.Debug
	if failures >= troubleAfter && !s.warned {
		s.warned = true
		log = s.log.Warn
	}
	log("sweeping fails; it is retried and nothing is skipped", zap.Int("failures", failures),
		zap.Time("from", w.Begin), zap.Time("to", w.End), zap.Duration("retry_in", pause), zap.Error(err))
	return pause
}

func (s *Sweeper) afterSuccess(failures int) {
	s.deps.Tenant.wellAgain()
	if s.warned {
		s.warned = false
		s.log.Info("sweeping works again", zap.Int("failures", failures))
	}
	if settle, ok := s.deps.Stream.recommend(); ok && time.Since(s.recommended) > time.Hour {
		s.recommended = time.Now()
		s.log.Warn("entries arrive later than the settle time; complete-until runs ahead of them: raise sweep.settle of this source",
			zap.Duration("settle", s.deps.Stream.cfg.Settle), zap.Duration("recommended", settle))
	}
}

// reportLost tells, once, which time the tenant no longer keeps.
func (s *Sweeper) reportLost() {
	for _, iv := range s.deps.Stream.lost(time.Now()) {
		for _, source := range s.deps.Stream.Sources() {
			s.deps.Tenant.metrics.lost.WithLabelValues(s.deps.Tenant.Name(), source).Add(iv.Duration().Seconds())
		}
		s.log.Error("entries of this time are lost: it was not swept before the tenant's 30 days were over",
			zap.Time("from", iv.Begin), zap.Time("to", iv.End))
	}
}

// sweep reads one window and makes it covered, page by page. When it returns an
// error, what was not confirmed of the window is uncovered as before, and every
// event is either durable in the journal or will be accepted again.
func (s *Sweeper) sweep(ctx context.Context, w sweep.Window) error {
	s.window, s.result, s.newest = w, sweep.Result{}, time.Time{}
	s.in.asm = assemble.New(assemble.Options{})
	s.in.begin()
	err := s.readWindow(ctx, w)
	if err == nil {
		err = s.in.flush()
	}
	if err != nil {
		if lost := s.in.settle(ctx); lost != nil {
			return journalError{lost}
		}
		return err
	}
	b, err := s.deps.Stream.encodeCovered(w.Interval)
	if err != nil {
		return err
	}
	if err := s.in.commit(ctx, b); err != nil {
		return err
	}
	s.deps.Tenant.metrics.assembled(s.in.joined)
	s.deps.Stream.done(w, s.result, time.Now())
	s.tellProgress()
	s.log.Debug("swept", zap.Time("from", w.Begin), zap.Time("to", w.End), zap.Int("entries", s.result.Entries),
		zap.Int("missed", s.result.Missed), zap.Int("late", s.result.Late), zap.Int("pages", s.result.Pages))
	return nil
}

// tellProgress logs that the sweep catches up, how far it is, and that it has.
func (s *Sweeper) tellProgress() {
	news, behind, remaining := s.deps.Stream.noteProgress(time.Now())
	fields := []zap.Field{zap.Duration("to_be_swept", behind.Round(time.Second))}
	if remaining > 0 {
		fields = append(fields, zap.Duration("takes_about", remaining))
	}
	switch news {
	case catchUpBegins:
		s.log.Info("the sweep catches up beside the live events", fields...)
	case catchUpGoesOn:
		s.log.Info("the sweep is catching up", fields...)
	case catchUpEnds:
		s.log.Info("the sweep has caught up", zap.Time("complete_until", s.deps.Stream.CompleteUntil(time.Now())))
	}
}

// readWindow reads all pages of a window.
func (s *Sweeper) readWindow(ctx context.Context, w sweep.Window) error {
	class := budget.Tip
	if w.Class == sweep.Backfill {
		class = budget.Backfill
	}
	cookies := map[string]bool{}
	for cookie := ""; ; {
		page, err := s.deps.Tenant.rangePage(ctx, class, aic.RangeRequest{
			Sources: s.deps.Stream.sources, Begin: w.Query.Begin, End: w.Query.End,
			PageSize: pageSize, Cookie: cookie, Filter: s.cfg.QueryFilter,
		})
		if err != nil {
			return err
		}
		if err := s.readPage(page); err != nil {
			return err
		}
		cookie = page.Cookie()
		if cookie == "" {
			return nil
		}
		if cookies[cookie] {
			return fmt.Errorf("%w: the tenant returned the same paging cookie twice", aic.ErrBody)
		}
		cookies[cookie] = true
		if err := s.confirm(ctx); err != nil {
			return err
		}
		// A window can hold far more than the journal. A cookie that is refused after
		// the wait costs nothing: the rest of the window is read anew.
		if err := s.deps.Journal.WaitRoom(ctx); err != nil {
			return err
		}
	}
}

// confirm covers what the pages read so far have settled of a window that goes on,
// so that a crash or a bad answer costs one page and not the window. It relies on
// the entries ascending by timestamp across pages, as they were seen to on real
// tenants, and does nothing once a tenant was seen to do otherwise.
func (s *Sweeper) confirm(ctx context.Context) error {
	// More entries of the last moment may follow, and events that are not whole yet.
	until := s.newest
	if oldest := s.in.asm.Oldest(); !oldest.IsZero() && oldest.Before(until) {
		until = oldest
	}
	part := sweep.Interval{Begin: s.window.Begin, End: until.Add(-1)}
	if s.disordered || part.Empty() || !part.End.Before(s.window.End) {
		return nil
	}
	b, err := s.deps.Stream.encodeCovered(part)
	if err != nil {
		return err
	}
	if err := s.in.commit(ctx, b); err != nil {
		return err
	}
	s.deps.Stream.progressed(part)
	return nil
}

// order notes the timestamps of entries, and whether they ascend.
func (s *Sweeper) order(entries []aic.Entry) {
	for i := range entries {
		switch at := entries[i].Time; {
		case at.IsZero() || at.Equal(s.newest):
		case at.After(s.newest):
			s.newest = at
		case !s.disordered:
			s.disordered = true
			s.log.Warn("the tenant's answers do not ascend by timestamp; windows are confirmed as a whole from now on, which takes more requests after failures")
			// What pages of this window have confirmed may lack what is still to come.
			s.deps.Stream.Uncover(s.window.Begin, s.window.End)
		}
	}
}

func (s *Sweeper) readPage(page *aic.Page) error {
	defer page.Close()
	s.result.Pages++
	for page.Next() {
		entries := page.Entries()
		s.order(entries)
		for i := range entries {
			if s.window.Contains(entries[i].Time) {
				s.result.Entries++
			}
		}
		if err := s.in.add(entries, time.Now()); err != nil {
			return err
		}
	}
	err := page.Err()
	s.deps.Tenant.answered(endpointRange, err)
	return err
}

// goesOn decides about an event that was made of texts. What belongs to one that
// begins in the window has been read with it. Others belong to the neighbouring
// windows; of those that are looked at again for late arrivals, whole ones count,
// except at the query's edge, where their beginning may be missing.
func (s *Sweeper) goesOn(e *assemble.Event) bool {
	if e.Time.IsZero() || s.window.Contains(e.Time) {
		return true
	}
	return e.Outcome != assemble.Loose && s.window.Recheck.Contains(e.Time) &&
		e.Time.After(s.window.Query.Begin.Add(assemble.MaxSpread))
}

// missed notes an event that the tail has not brought.
func (s *Sweeper) missed(e *aictail.Event) {
	switch {
	case s.window.Contains(e.Time):
		s.result.Missed++
	case s.window.Recheck.Contains(e.Time):
		late := time.Since(e.Time)
		s.result.Observe(late)
		s.deps.Tenant.metrics.late.WithLabelValues(s.deps.Tenant.Name()).Observe(late.Seconds())
	}
}
