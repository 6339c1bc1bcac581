package filter

import (
	"aictail"
	"aictail/filter/redact"
)

// keepArena is the size above which a pass gives its arena back after use: what
// a page of 1000 entries of a few KB needs if every one is rewritten. A rare
// page of 15,000 entries may need more, but must not claim it for ever.
const keepArena = 4 << 20

// Pass applies a chain for one goroutine. It holds scratch memory and must not be
// used by two goroutines at once.
type Pass struct {
	chain    *Chain
	dropper  *dropper // nil if nothing is to be dropped
	redactor *redact.Redactor
	// redact is redactor.Append; tests put something that fails in its place.
	redact func(dst, raw []byte, payload aictail.Span, source string) ([]byte, aictail.Span, error)
	// arena holds the events that the last Apply has rewritten. When it grows,
	// events stay behind in the memory it grew out of, which is as good.
	arena       []byte
	quarantined [numReasons]int
}

// NewPass returns a pass over the chain.
func (c *Chain) NewPass() *Pass {
	p := &Pass{chain: c, dropper: c.drops.newDropper()}
	if c.rules != nil {
		p.redactor = c.rules.NewRedactor()
		p.redact = p.redactor.Append
	}
	return p
}

// Trace makes the pass tell of every replacement, for people who try rules out. It must
// not be set in the daemon: what it tells is event content.
func (p *Pass) Trace(fn func(redact.Change)) {
	if p.redactor != nil {
		p.redactor.Trace = fn
	}
}

// Apply filters the events in place and returns those that go on, in their order.
// An event that a rule drops is left out, and counted. An event that no rule
// touches keeps its Raw. The Raw of any other event is in
// memory of the pass and valid until the next Apply. An event that could not be
// judged or redacted is quarantined: its payload is replaced by a notice, which
// loses the payload for good as far as the sinks are concerned, and it is counted.
// ID, Tenant, Source, Time and Position never change.
func (p *Pass) Apply(events []aictail.Event) []aictail.Event {
	if p.redact == nil && p.dropper == nil {
		return events
	}
	if cap(p.arena) > keepArena {
		p.arena = nil
	}
	p.arena = p.arena[:0]
	kept := 0
	for i := range events {
		if p.dropped(&events[i]) {
			continue
		}
		if kept < i {
			events[kept] = events[i]
		}
		p.apply(&events[kept])
		kept++
	}
	p.count()
	return events[:kept]
}

// dropped tells whether a rule drops e. If that cannot be told, e is quarantined.
func (p *Pass) dropped(e *aictail.Event) bool {
	if p.dropper == nil {
		return false
	}
	drop, why := p.judge(e)
	if why != noReason {
		p.quarantine(e, why)
	}
	return drop
}

// judge asks the rules that drop events and turns a panic of theirs into a reason.
// The panic's value is not looked at: it may hold a part of the event.
func (p *Pass) judge(e *aictail.Event) (drop bool, why reason) {
	why = panicked // unless the dropper returns
	defer func() {
		if why == panicked {
			_ = recover()
		}
	}()
	drop, err := p.dropper.drop(e)
	if err != nil {
		return false, reasonOf(err)
	}
	return drop, noReason
}

func (p *Pass) quarantine(e *aictail.Event, why reason) {
	p.quarantined[why]++
	p.arena = quarantine(p.arena, e, why)
}

func (p *Pass) apply(e *aictail.Event) {
	if p.redact == nil {
		return
	}
	out, span, why := p.try(e)
	if why != noReason {
		p.quarantine(e, why)
		return
	}
	if start := len(p.arena); len(out) > start {
		p.arena = out
		e.Raw, e.Payload = out[start:len(out):len(out)], span
	}
}

// try redacts e and turns a panic of a rule into a reason. The panic's value is
// not looked at: it may hold a part of the event.
func (p *Pass) try(e *aictail.Event) (out []byte, span aictail.Span, why reason) {
	why = panicked // unless redact returns
	defer func() {
		if why == panicked {
			_ = recover()
		}
	}()
	out, span, err := p.redact(p.arena, e.Raw, e.Payload, e.Source)
	if err != nil {
		return nil, span, reasonOf(err)
	}
	return out, span, noReason
}

// count moves the counts of this Apply to the metrics, once for all events.
func (p *Pass) count() {
	if p.dropper != nil {
		p.dropper.count()
	}
	if p.redactor != nil {
		for k, n := range p.redactor.Counts {
			if n > 0 {
				p.chain.metrics.redactions[k].Add(float64(n))
				p.redactor.Counts[k] = 0
			}
		}
	}
	for why, n := range p.quarantined {
		if n > 0 {
			p.chain.metrics.quarantined[why].Add(float64(n))
			p.quarantined[why] = 0
		}
	}
}
