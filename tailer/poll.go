package tailer

import (
	"context"
	"slices"
	"time"

	"go.uber.org/zap"

	"aictail"
	"aictail/tailer/aic"
)

// pageSummary is what a page turned out to hold.
type pageSummary struct {
	entries int       // all of them
	fresh   int       // not seen before
	inexact int       // entries without a readable timestamp
	first   time.Time // timestamp of the first entry
	last    time.Time // timestamp of the last entry

	// The ids of the last entries, all with the timestamp last, one after the
	// other, and where each ends. Bytes and not strings, since all but the last
	// few are given up again.
	overlap     []byte
	overlapEnds []int
}

// poll asks for one page and journals it. When it returns an error, the restart
// state is as before and every event is either durable in the journal or will
// be accepted again.
func (t *Tailer) poll(ctx context.Context) error {
	asked := time.Now()
	page, err := t.deps.Tenant.tail(ctx, aic.TailRequest{
		Sources: t.cfg.Sources, Cookie: t.state.Cookie, Filter: t.cfg.QueryFilter,
	})
	if err != nil {
		return err
	}
	defer page.Close()

	t.startPage(asked)
	err = t.journalPage(page)
	if err == nil {
		err = page.Err()
		t.deps.Tenant.answered(endpointTail, err)
	}
	if err == nil {
		return t.finishPage(ctx, page, asked)
	}
	if kept := t.settle(ctx); kept != nil {
		return journalError{kept}
	}
	return err
}

func (t *Tailer) startPage(asked time.Time) {
	t.chunks, t.keys = t.chunks[:0], t.keys[:0]
	t.page = pageSummary{overlap: t.page.overlap[:0], overlapEnds: t.page.overlapEnds[:0]}
	t.ident.startPage()
	t.seen.turn(asked)
}

// journalPage appends the page's new events to the journal, chunk by chunk.
func (t *Tailer) journalPage(page *aic.Page) error {
	for page.Next() {
		fresh := t.newEvents(page.Entries())
		if len(fresh) == 0 {
			continue
		}
		t.page.fresh += len(fresh)
		fresh = t.deps.Filter.Apply(fresh)
		if len(fresh) == 0 {
			continue // all dropped; they count as seen
		}
		first, _, err := t.deps.Journal.Append(aictail.Record{Stream: t.Stream(), Events: fresh})
		if err != nil {
			start := 0
			if n := len(t.chunks); n > 0 {
				start = t.chunks[n-1].keys
			}
			t.forget(t.keys[start:])
			return journalError{err}
		}
		t.chunks = append(t.chunks, chunk{pos: first, keys: len(t.keys)})
	}
	return nil
}

// newEvents returns the entries that have not been seen as events.
func (t *Tailer) newEvents(entries []aic.Entry) []aictail.Event {
	t.events = t.events[:0]
	t.ident.reset()
	t.counts.reset()
	for i := range entries {
		e := &entries[i]
		id := t.ident.id(e)
		t.page.note(e, id)
		k := t.seen.key(id)
		if !t.seen.add(k) {
			t.counts.duplicate(e.Source)
			continue
		}
		t.keys = append(t.keys, k)
		ev := event(t.deps.Tenant.Name(), e, id)
		if ev.Time.IsZero() {
			// Something must stand there for sinks that index by time.
			ev.Time = time.Now().UTC()
		}
		t.events = append(t.events, ev)
		t.counts.received(e.Source, ev.Time)
	}
	t.deps.Tenant.metrics.count(t.deps.Tenant.Name(), &t.counts)
	return t.events
}

// note keeps the page's bounds and the ids that the next page begins with.
func (p *pageSummary) note(e *aic.Entry, id []byte) {
	p.entries++
	if e.Time.IsZero() {
		p.inexact++
		return
	}
	if p.first.IsZero() {
		p.first = e.Time
	}
	if !e.Time.Equal(p.last) {
		p.last, p.overlap, p.overlapEnds = e.Time, p.overlap[:0], p.overlapEnds[:0]
	}
	if len(p.overlapEnds) < maxOverlap {
		p.overlap = append(p.overlap, id...)
		p.overlapEnds = append(p.overlapEnds, len(p.overlap))
	}
}

// overlapIDs returns the ids that the next page begins with, and those that it
// began with before if the timestamp is still the same.
func (p *pageSummary) overlapIDs(before *checkpoint) []string {
	ids := make([]string, 0, len(p.overlapEnds))
	start := 0
	for _, end := range p.overlapEnds {
		ids = append(ids, string(p.overlap[start:end]))
		start = end
	}
	if before.Last.Equal(p.last) {
		for _, id := range before.Overlap {
			if len(ids) < maxOverlap && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// maxOverlap bounds the ids kept of entries with one timestamp. Timestamps have
// nanoseconds: more than a few equal ones mean a broken clock.
const maxOverlap = 1000

// finishPage moves the restart state past the page and makes all of it durable.
func (t *Tailer) finishPage(ctx context.Context, page *aic.Page, asked time.Time) error {
	next := t.state
	next.Polled = asked
	if c := page.Cookie(); c != "" {
		next.Cookie = c // an answer may lack it; the old one then goes on
	}
	if len(t.page.overlapEnds) > 0 {
		next.Overlap = t.page.overlapIDs(&t.state)
		next.Last = t.page.last
	}
	if next.Cookie != t.state.Cookie || len(t.chunks) > 0 || asked.Sub(t.saved) > savePolled {
		saved, err := next.encode()
		if err != nil {
			return err
		}
		pos, _, err := t.deps.Journal.Append(aictail.Record{Stream: t.Stream(), Checkpoint: saved})
		if err == nil && len(t.chunks) > 0 {
			// A cookie alone need not be durable at once: an older one only
			// means more overlap.
			err = t.deps.Journal.Sync(ctx, pos)
		}
		if err != nil {
			if kept := t.settle(ctx); kept != nil {
				err = kept
			}
			return journalError{err}
		}
		t.saved = asked
	}
	t.reportGap(asked)
	if t.page.inexact > 0 {
		t.deps.Tenant.metrics.inexact.WithLabelValues(t.deps.Tenant.Name()).Add(float64(t.page.inexact))
		t.log.Warn("entries without a readable timestamp were forwarded with the time of receipt",
			zap.Int("entries", t.page.inexact))
	}
	t.state = next
	return nil
}

// savePolled is how old the saved time of the last poll may become while a
// source is idle: well below polledLate, so that a restart raises no false alarm.
const savePolled = polledLate / 3

// settle finds out, after a failure in the middle of a page, which of its
// chunks are durable, and forgets the ids of the others, so that they are
// accepted when they are read again. It returns the journal's last error.
func (t *Tailer) settle(ctx context.Context) error {
	// The answer must be known even when the daemon is being stopped; Sync
	// itself is bounded by the disk.
	ctx = context.WithoutCancel(ctx)
	var failed error
	start := 0
	for _, c := range t.chunks {
		if err := t.deps.Journal.Sync(ctx, c.pos); err != nil {
			t.forget(t.keys[start:c.keys])
			failed = err
		}
		start = c.keys
	}
	return failed
}

func (t *Tailer) forget(keys []seenKey) {
	for _, k := range keys {
		t.seen.remove(k)
	}
}

// reportGap counts and logs what the tail endpoint may have left out before or
// in the page that was just read. The vendor's documentation ("Tail logs") names
// the reasons.
func (t *Tailer) reportGap(asked time.Time) {
	if t.page.entries >= tailCap {
		t.gap("page_full", t.page.first, t.page.last)
	}
	if t.state.Polled.IsZero() {
		return // the very first poll: nothing was promised before it
	}
	unpolled := asked.Sub(t.state.Polled)
	switch {
	case t.state.Cookie == "" && unpolled > tailRestart-tailMargin:
		t.gap("cookie_refused", t.state.Last, asked.Add(-tailRestart+tailMargin))
	case unpolled > polledLate:
		t.gap("polled_late", t.state.Polled, asked)
	}
}

const (
	// tailRestart is how far back a tail without a cookie begins (the vendor's
	// documentation, "Tail logs"), and tailMargin what the clocks of the tenant
	// and of this machine may differ by without a word.
	tailRestart = 15 * time.Second
	tailMargin  = 5 * time.Second
	// polledLate is the time without a poll after which "calls are not frequent
	// enough" is assumed: twice the longest default interval.
	polledLate = time.Minute
)

func (t *Tailer) gap(reason string, from, to time.Time) {
	t.deps.Tenant.metrics.gaps.WithLabelValues(t.deps.Tenant.Name(), t.cfg.Sources, reason).Inc()
	t.log.Warn("the tail may have left out entries; this version does not fetch them later",
		zap.String("reason", reason), zap.Time("from", from), zap.Time("to", to))
}
