package tailer

import (
	"context"
	"slices"
	"time"

	"go.uber.org/zap"

	"aictail/tailer/aic"
	"aictail/tailer/assemble"
	"aictail/tailer/sweep"
)

// pageSummary is what a page turned out to hold.
type pageSummary struct {
	entries int       // all of them
	inexact int       // entries without a readable timestamp
	first   time.Time // timestamp of the first entry
	last    time.Time // timestamp of the last entry
	overlap []string  // ids of the last entries, all with the timestamp last
}

// poll asks for one page and journals it. When it returns an error, the tail has
// gone back to its saved restart state, and every event is either durable in the
// journal or will be accepted again.
func (t *Tailer) poll(ctx context.Context) error {
	asked := time.Now()
	page, err := t.deps.Tenant.tail(ctx, aic.TailRequest{
		Sources: t.deps.Stream.sources, Cookie: t.state.Cookie, Filter: t.cfg.QueryFilter,
	})
	if err != nil {
		return err
	}
	defer page.Close()

	t.startPage(asked)
	err = t.readPage(page)
	if err == nil {
		err = page.Err()
		t.deps.Tenant.answered(endpointTail, err)
	}
	if err == nil {
		err = t.finishPage(ctx, page, asked)
	}
	if err == nil {
		return nil
	}
	if lost := t.in.settle(ctx); lost != nil {
		err = journalError{lost}
	}
	t.rewind()
	return err
}

func (t *Tailer) startPage(asked time.Time) {
	t.page = pageSummary{}
	t.partIdent.startPage()
	t.noteIdent.startPage()
	t.parts.turn(asked)
	t.in.begin()
}

// readPage brings the page's entries to the journal, chunk by chunk.
func (t *Tailer) readPage(page *aic.Page) error {
	for page.Next() {
		entries := page.Entries()
		if t.page.entries == 0 {
			t.noteSeam(&entries[0])
		}
		t.note(entries)
		if err := t.in.add(t.newParts(entries), time.Now()); err != nil {
			return err
		}
	}
	return nil
}

// noteSeam looks whether a page joins the one before it: it then begins with an
// entry that the one before ended with (the vendor's documentation, "Tail logs").
// If not, what is open may have lost its next part; the sweep sees all of it.
func (t *Tailer) noteSeam(first *aic.Entry) {
	t.noteIdent.reset()
	id := t.noteIdent.id(first)
	t.noteIdent.startPage()
	if t.joins && slices.Contains(t.state.Overlap, string(id)) {
		return
	}
	t.joins = true
	t.seam = first.Time.Add(assemble.MaxSpread)
	if t.deps.Stream.cfg.Mode != sweep.Off {
		t.in.asm = assemble.New(assemble.Options{})
	}
}

// newParts returns the entries without the plaintext ones that have been read
// before.
func (t *Tailer) newParts(entries []aic.Entry) []aic.Entry {
	t.entries = t.entries[:0]
	t.partIdent.reset()
	for i := range entries {
		e := &entries[i]
		if isText(e) && !t.parts.add(t.parts.key(t.partIdent.id(e))) {
			continue
		}
		t.entries = append(t.entries, *e)
	}
	return t.entries
}

// note keeps the page's bounds and the ids that the next page begins with: those
// of the entries with the last timestamp.
func (t *Tailer) note(entries []aic.Entry) {
	p := &t.page
	p.entries += len(entries)
	for i := range entries {
		if entries[i].Time.IsZero() {
			p.inexact++
		} else if p.first.IsZero() {
			p.first = entries[i].Time
		}
	}
	last := entries[len(entries)-1].Time
	if last.IsZero() {
		return
	}
	if !last.Equal(p.last) {
		p.last, p.overlap = last, p.overlap[:0]
	}
	begin := len(entries)
	for begin > 0 && entries[begin-1].Time.Equal(last) {
		begin--
	}
	t.noteIdent.reset()
	for i := begin; i < len(entries) && len(p.overlap) < maxOverlap; i++ {
		p.overlap = append(p.overlap, string(t.noteIdent.id(&entries[i])))
	}
}

// maxOverlap bounds the ids kept of entries with one timestamp. Timestamps have
// nanoseconds: more than a few equal ones mean a broken clock.
const maxOverlap = 1000

// after returns the restart state after the page at hand.
func (t *Tailer) after(page *aic.Page, asked time.Time) checkpoint {
	next := t.state
	next.Polled = asked
	if page.Cookie() == "" {
		// An answer may lack the cookie. The next page then begins where this one
		// did, with the same overlap.
		return next
	}
	next.Cookie = page.Cookie()
	if len(t.page.overlap) == 0 {
		return next // nothing was logged; the cookie stands for the time
	}
	ids := slices.Clone(t.page.overlap)
	if t.state.Last.Equal(t.page.last) {
		for _, id := range t.state.Overlap {
			if len(ids) < maxOverlap && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	next.Last, next.Overlap = t.page.last, ids
	return next
}

// finishPage makes the page durable, and the restart state that may be kept with
// it.
func (t *Tailer) finishPage(ctx context.Context, page *aic.Page, asked time.Time) error {
	if err := t.in.expire(time.Now()); err != nil {
		return err
	}
	next := t.after(page, asked)
	keep := t.keepable(next)
	if keep.Cookie != t.saved.Cookie || len(t.in.chunks) > 0 || asked.Sub(t.savedAt) > savePolled {
		b, err := keep.encode()
		if err != nil {
			return err
		}
		if err := t.in.commit(ctx, b); err != nil {
			return err
		}
		t.saved, t.savedAt = keep, asked
		t.history = slices.DeleteFunc(t.history, func(c checkpoint) bool { return !c.Polled.After(keep.Polled) })
	}
	t.reportGap(asked)
	t.reportInexact(asked)
	since := asked.Sub(t.state.Polled)
	if t.state.Polled.IsZero() {
		since = tailRestart
	}
	t.pace.Polled(t.in.fresh, since)
	t.deps.Tenant.metrics.assembled(t.in.joined)
	t.state = next
	t.deps.Stream.tailed(t.page.last, time.Now())
	return nil
}

// reportInexact counts the page's entries without a timestamp, and tells of them now and
// then: what writes them does so with every page.
func (t *Tailer) reportInexact(asked time.Time) {
	if t.page.inexact == 0 {
		return
	}
	t.deps.Tenant.metrics.inexact.WithLabelValues(t.deps.Tenant.Name()).Add(float64(t.page.inexact))
	t.inexact += t.page.inexact
	if asked.Sub(t.inexactTold) < inexactEvery {
		return
	}
	t.log.Warn("entries without a readable timestamp were forwarded with the time of receipt",
		zap.Int("entries", t.inexact))
	t.inexact, t.inexactTold = 0, asked
}

// inexactEvery is within what AictailEntriesWithoutTime looks back, so that the log of
// its hour names every source that has them.
const inexactEvery = 10 * time.Minute

// keepable returns the restart state to be kept: the newest from which all parts
// of events that are still open would be read again. next is the state after the
// page at hand.
func (t *Tailer) keepable(next checkpoint) checkpoint {
	t.history = append(t.history, next)
	if len(t.history) > maxHistory {
		t.history = slices.Delete(t.history, 0, len(t.history)-maxHistory)
	}
	if t.in.asm.Open() == 0 {
		return next
	}
	oldest := t.in.asm.Oldest()
	for i := len(t.history) - 1; i >= 0; i-- {
		if t.history[i].Last.Before(oldest) {
			return t.history[i]
		}
	}
	return t.saved
}

// maxHistory bounds the restart states kept while a part of an event is open: with
// a poll a second, more than the assembler's patience.
const maxHistory = 64

// savePolled is how old the saved time of the last poll may become while a
// source is idle: well below polledLate, so that a restart raises no false alarm.
const savePolled = polledLate / 3

// reportGap counts and logs what the tail endpoint may have left out before or
// in the page that was just read, and tells the sweep. The vendor's documentation
// ("Tail logs") names the reasons.
func (t *Tailer) reportGap(asked time.Time) {
	if t.page.entries >= tailCap {
		// What is over the cap may lie behind the page or before it, and the answer may
		// have taken its time.
		from, to := t.page.first, asked
		if last := t.state.Last; !last.IsZero() && last.Before(from) {
			from = last
		}
		if t.page.last.After(to) {
			to = t.page.last
		}
		t.gap("page_full", from, to)
	}
	if t.state.Polled.IsZero() {
		return // the very first poll: nothing was promised before it
	}
	unpolled := asked.Sub(t.state.Polled)
	last := t.state.Last
	if last.IsZero() {
		last = t.state.Polled
	}
	switch {
	case t.state.Cookie == "" && unpolled > tailRestart-tailMargin:
		t.gap("cookie_refused", last, asked.Add(-tailRestart+tailMargin))
	case unpolled > polledLate:
		t.gap("polled_late", last, asked)
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
	for _, source := range t.deps.Stream.Sources() {
		t.deps.Tenant.metrics.gaps.WithLabelValues(t.deps.Tenant.Name(), source, reason).Inc()
	}
	log, text := t.log.Info, "the tail may have left out entries; the sweep fetches them"
	if t.deps.Stream.cfg.Mode == sweep.Off {
		log, text = t.log.Warn, "the tail may have left out entries, and the sweep is off"
	}
	log(text, zap.String("reason", reason), zap.Time("from", from), zap.Time("to", to))
	t.deps.Stream.suspect(from, to)
}
