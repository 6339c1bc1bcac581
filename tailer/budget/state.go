package budget

import (
	"slices"
	"time"
)

// State is what a budget must remember across a restart, so that a daemon that
// is killed every few seconds does not spend a window's quota several times.
// Its JSON form is permanent. All times are the wall clock's and count relative
// to At, so a clock that was set while the daemon was down delays requests by a
// minute at most, or lets it ask the tenant anew.
type State struct {
	// At is when the state was saved.
	At time.Time `json:"at"`
	// Limit is the limit last told; 0 if none was told yet.
	Limit int `json:"limit"`
	// Spent is the number of requests in the present window, ours and those of
	// others as far as known.
	Spent int `json:"spent"`
	// WindowEnd is when the present window ends; zero if that is not known
	// or the tenant does not count in fixed windows.
	WindowEnd time.Time `json:"window_end,omitzero"`
	// Next is when the next evenly spread request is due.
	Next time.Time `json:"next,omitzero"`
	// BlockedUntil is until when the tenant asked to be left alone.
	BlockedUntil time.Time `json:"blocked_until,omitzero"`
	// Others is the number of requests a minute that is set aside for others.
	Others int `json:"others,omitempty"`
	// TipDue is the part of a request that the tip is owed, so that its share holds
	// however often the daemon is killed.
	TipDue float64 `json:"tip_due,omitempty"`
	// Recent are our own requests by the second, counted back from At.
	Recent []int `json:"recent"`
}

func (b *Budget) saveLocked(now time.Time) {
	if b.save == nil {
		return
	}
	s := State{
		At:     now.Round(0), // the wall clock alone: the other has no meaning in another process
		Spent:  b.certainLocked(now),
		Next:   b.next.Round(0),
		Others: b.others.expected(),
		TipDue: b.tipDue,
		Recent: b.sent.recent(now),
	}
	if b.told {
		s.Limit = b.limit
	}
	if b.window.current(now) {
		s.WindowEnd = b.window.end.Round(0)
	}
	if b.blocked.After(now) {
		s.BlockedUntil = b.blocked.Round(0)
	}
	b.save(s)
}

// restore takes over what a process before this one has saved. What is older
// than a window tells no more than the limit.
func (b *Budget) restore(s *State, now time.Time) {
	if s.Limit > 0 {
		b.limit, b.told = s.Limit, true
	}
	ago := max(0, now.Sub(s.At)) // a clock that was set back: as if no time had passed
	if ago >= memory {
		return
	}
	b.sent.restore(now, s.Recent, ago)
	b.tipDue = min(max(s.TipDue, 0), 1)
	// since returns how long after now a saved moment lies.
	since := func(t time.Time) time.Duration { return min(t.Sub(s.At)-ago, maxBlock) }
	b.others.usual = min(max(s.Others, 0), b.limit)
	if s.Next.After(s.At) {
		b.next = now.Add(min(since(s.Next), window))
	}
	if d := since(s.WindowEnd); !s.WindowEnd.IsZero() && d > 0 {
		end := now.Add(d)
		b.window = serverWindow{start: end.Add(-window), end: end, from: end.Add(-window - sameEnd), fixed: true}
		b.window.others = max(0, min(s.Spent, b.limit)-b.sent.since(now, b.window.start))
	}
	if d := since(s.BlockedUntil); !s.BlockedUntil.IsZero() && d > 0 {
		b.blocked = now.Add(d)
		return // and ask carefully afterwards
	}
	b.probing = !b.told
	if sent := slices.IndexFunc(s.Recent, func(n int) bool { return n > 0 }); sent >= 0 {
		b.probed = now.Add(-ago - time.Duration(sent)*time.Second)
	}
}
