package budget

import "time"

// usedLocked returns the requests of the present window, ours and those of
// others. Without a known window these are our own of the last minute, or what
// the last answer said if that is more.
func (b *Budget) usedLocked(now time.Time) int {
	told := 0
	if b.window.seen > 0 {
		told = b.window.seen + len(b.inFlight)
	}
	return max(b.certainLocked(now), told)
}

// certainLocked is usedLocked without the requests on their way, which the last
// answer may have counted already.
func (b *Budget) certainLocked(now time.Time) int {
	w := &b.window
	if w.current(now) {
		return max(w.seen, b.sent.since(now, w.start)+w.others)
	}
	if w.fixed {
		return b.sent.since(now, w.end) // the next window, of which nothing was told yet
	}
	return b.sent.total(now) + w.others
}

// comingLocked returns what others are expected to take in the rest of the
// window.
func (b *Budget) comingLocked(now time.Time) int {
	if !b.window.current(now) {
		return 0
	}
	return max(0, b.asideLocked()-b.window.others)
}

// evenLocked returns the spacing that uses up our share evenly.
func (b *Budget) evenLocked() time.Duration { return memory / time.Duration(b.shareLocked()) }

// spacingLocked returns the time from one request to the next: the even one, or
// longer if others have left less of this window.
func (b *Budget) spacingLocked(now time.Time) time.Duration {
	spacing := b.evenLocked()
	if b.window.current(now) {
		room := b.usableLocked() - b.usedLocked(now) - b.comingLocked(now)
		spacing = max(spacing, b.window.end.Sub(now)/time.Duration(max(1, room)))
	}
	return spacing
}

// readyLocked returns when the class may send its next request as far as is
// known now; not after now if it may send at once.
func (b *Budget) readyLocked(c Class, now time.Time) time.Time {
	if b.blocked.After(now) {
		return b.blocked
	}
	if b.probing && !b.probed.IsZero() && now.Sub(b.probed) < probeEvery {
		return b.probed.Add(probeEvery)
	}
	if at := b.sharedLocked(now); at.After(now) {
		return at
	}
	if c == Backfill {
		// It leaves the others what they used in the last minute or in the one
		// before, so that they find a slot even if they paused for a moment.
		all := b.sent.total(now)
		backfill := b.backfill.total(now)
		if backfill >= b.shareLocked()-max(b.demand, all-backfill) {
			return now.Add(recheck)
		}
	}
	if c == Tail || c == Tip && b.tipFirstLocked() {
		return b.next.Add(-burst * b.evenLocked())
	}
	return b.next
}

// sharedLocked returns when the quota has room for a request of any class.
func (b *Budget) sharedLocked(now time.Time) time.Time {
	if share := b.shareLocked(); b.sent.total(now) >= share {
		at := b.sent.below(now, share)
		// A burst leaves the record as a burst. It goes on evenly from here, or
		// every minute would begin with a burst and end with a pause.
		b.next = later(b.next, at.Add(burst*b.evenLocked()))
		return at
	}
	room := b.usableLocked() - b.comingLocked(now)
	switch {
	case b.usedLocked(now) < room:
		return now
	case b.certainLocked(now) < room:
		return now.Add(recheck) // an answer on its way may show that there is room
	case b.window.current(now):
		return b.window.end.Add(safe)
	}
	// Only a lowered limit leads here: the tenant said there is room, and our
	// own requests are within the share.
	return now.Add(recheck)
}
