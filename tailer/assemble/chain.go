package assemble

import (
	"math/bits"
	"slices"
	"time"

	"aictail/tailer/aic"
)

// chain is one way of beginning an object: a part, after those of parent. Parts
// that leave the checker's state as it was are not made links of a chain, since
// it can't be told from the text whether they belong; they are noted as fitting.
type chain struct {
	parent *chain
	root   *chain
	slot   int
	mask   uint64    // the parts in it
	time   time.Time // of its last part
	state  checker
	fits   uint64    // parts that might also stand right after its last one
	bare   time.Time // of the first text passed on that might have; zero if none
	// refused: the object had a rival when one of its or the rival's parts was
	// given up, and is not to be taken for the only one now that the rival is gone.
	refused bool
}

// maxChains bounds the ways tried at a time for one source: six parts of one
// event that are all cut in strings, or three such events that overlap. When
// there are more, not all ways are known, and all open parts of the source are
// given up.
const maxChains = 128

// partPause is the time after the last part from which a text that could be one
// or a line of an open record is taken for the latter. Parts are written in one
// go, microseconds apart.
const partPause = 10 * time.Millisecond

// role is what is done with a text.
type role int

const (
	roleLine     role = iota // an ordinary line
	roleSingle               // none of the others: goes on by itself
	rolePart                 // certainly a part
	roleWeakPart             // a part if an event is not complete without it
)

// roleOf says what a text is, given what is open.
func (a *Assembler) roleOf(s *source, e *aic.Entry, text []byte, f form) role {
	whole, begins := false, false
	if i := space(text, 0); i < len(text) && text[i] == '{' {
		a.trial.reset()
		begins = a.trial.feed(text)
		whole = begins && a.trial.complete()
	}
	extends, crosses, fits := a.try(s, e.Time, text)
	switch {
	case whole && extends:
		return roleWeakPart
	case whole:
		a.taint(s, e.Time, text, fits)
		return roleSingle
	case begins:
		return rolePart
	case f != plainLine:
		return a.roleOfForm(s, e, text, f, extends && crosses, fits)
	case s.jsonOnly:
		return rolePart
	}
	l := lookAt(text)
	switch {
	case extends && (crosses || l != bare):
		return rolePart
	case extends:
		return roleWeakPart
	case fits && l != bare:
		return rolePart
	case fits:
		a.taint(s, e.Time, text, fits)
		if s.active != nil && e.Time.Sub(s.newest) > partPause {
			return roleLine
		}
		return roleSingle // it might be a part, which would spoil an open record
	case l < closing:
		return roleLine
	case len(s.chains) == 0 && s.active != nil && !s.active.trace && (l == closing || isSpace(text[0])):
		// Lines of a record like these are more common than a part whose head
		// has been lost.
		return roleLine
	}
	return rolePart
}

// roleOfForm is roleOf for a line of a known form.
func (a *Assembler) roleOfForm(s *source, e *aic.Entry, text []byte, f form, crosses, fits bool) role {
	if crosses {
		return rolePart
	}
	if !fits {
		return roleLine
	}
	hasEscapes := lookAt(text) == escaped
	if hasEscapes && f == exceptionLine {
		return rolePart // a whole stack trace in one string
	}
	// Where such a line is expected, it is one.
	expected := f == headerLine || f == levelLine && len(s.waiting) > 0 ||
		(f == exceptionLine || f == traceLine) && s.active != nil
	if hasEscapes || !expected {
		a.taint(s, e.Time, text, fits)
	}
	return roleLine
}

// try feeds a text to every chain that it might continue. extends: it changes
// some chain's state, crosses: with a quote; fits: it may be within one.
func (a *Assembler) try(s *source, t time.Time, text []byte) (extends, crosses, fits bool) {
	for _, c := range s.chains {
		if !c.takes(t) {
			continue
		}
		a.trial.set(&c.state)
		switch {
		case !a.trial.feed(text):
		case a.trial.neutral(&c.state):
			fits = true
		default:
			extends, crosses = true, crosses || a.trial.quoted
		}
	}
	return extends, crosses, fits
}

// taint notes that a text was passed on that might be within open events.
func (a *Assembler) taint(s *source, t time.Time, text []byte, fits bool) {
	if !fits {
		return
	}
	for _, c := range s.chains {
		if !c.takes(t) || !c.bare.IsZero() && !t.Before(c.bare) {
			continue
		}
		a.trial.set(&c.state)
		if a.trial.feed(text) && a.trial.neutral(&c.state) {
			c.bare = t
		}
	}
}

// takes reports whether a part with timestamp t may follow.
func (c *chain) takes(t time.Time) bool {
	return !c.state.complete() && !t.Before(c.time) && t.Sub(c.root.time) <= MaxSpread
}

// openPart opens h as a part and tries it in every way.
func (a *Assembler) openPart(dst []Event, s *source, h *held, strong bool) []Event {
	h.strong = strong
	if s.used == ^uint64(0) {
		dst = a.giveUp(dst, s, s.oldestPart())
	}
	slot := bits.TrailingZeros64(^s.used)
	s.parts[slot] = h
	s.used |= 1 << slot
	s.lastPart = a.now
	if h.Time.After(s.newest) {
		s.newest = h.Time
	}
	for _, c := range slices.Clone(s.chains) {
		a.extend(s, c, slot)
	}
	a.trial.reset()
	if a.trial.feed(h.text) && len(a.trial.frames) > 0 {
		a.addChain(s, nil, slot)
	}
	if len(s.chains) > maxChains {
		s.chains = nil
		for s.used != 0 {
			dst = a.giveUp(dst, s, s.oldestPart())
		}
	}
	return dst
}

// extend tries one part after a chain.
func (a *Assembler) extend(s *source, c *chain, slot int) {
	h := s.parts[slot]
	if c.mask&(1<<slot) != 0 || !c.takes(h.Time) {
		return
	}
	a.trial.set(&c.state)
	if !a.trial.feed(h.text) {
		return
	}
	if a.trial.neutral(&c.state) {
		c.fits |= 1 << slot
		return
	}
	a.addChain(s, c, slot)
}

// addChain adds the chain that ends with the part in slot, whose state is in
// a.trial, and everything that continues it.
func (a *Assembler) addChain(s *source, parent *chain, slot int) {
	if len(s.chains) > maxChains {
		return // openPart gives all up
	}
	c := &chain{parent: parent, slot: slot, mask: 1 << slot, time: s.parts[slot].Time}
	c.root = c
	if parent != nil {
		c.root = parent.root
		c.mask |= parent.mask
	}
	c.state.set(&a.trial)
	s.chains = append(s.chains, c)
	if c.state.complete() {
		s.unsettled = true
		return
	}
	if !s.passed.Before(c.time) {
		c.bare = c.time // it may be a part that came before its head
	}
	for used := s.used &^ c.mask; used != 0; used &= used - 1 {
		a.extend(s, c, bits.TrailingZeros64(used))
	}
}

func (s *source) oldestPart() int {
	oldest := -1
	for used := s.used; used != 0; used &= used - 1 {
		slot := bits.TrailingZeros64(used)
		if oldest < 0 || s.parts[slot].seq < s.parts[oldest].seq {
			oldest = slot
		}
	}
	return oldest
}

// remove takes parts out and forgets the chains they are in.
func (s *source) remove(mask uint64) {
	s.chains = slices.DeleteFunc(s.chains, func(c *chain) bool { return c.mask&mask != 0 })
	for _, c := range s.chains {
		for ; c != nil; c = c.parent { // some are pruned
			c.fits &^= mask
		}
	}
	for used := mask; used != 0; used &= used - 1 {
		s.parts[bits.TrailingZeros64(used)] = nil
	}
	if s.used &^= mask; s.used == 0 {
		s.newest, s.unsettled = time.Time{}, false
	}
}

// giveUp takes the part in slot out: joined if it fits in one way only, else as
// it came.
func (a *Assembler) giveUp(dst []Event, s *source, slot int) []Event {
	h := s.parts[slot]
	if dst = a.settle(dst, s, true); s.parts[slot] != h {
		return dst
	}
	if w := a.onlyWay(s, slot); w != nil {
		return a.joinParts(dst, s, w)
	}
	a.refuseRivals(s, slot)
	return a.leave(dst, s, 1<<slot)
}

// refuseRivals sees to it that nothing looks certain only because the part in
// slot is given up.
func (a *Assembler) refuseRivals(s *source, slot int) {
	ws := s.ways()
	reach := s.reach(1 << slot)
	var refused []*chain
	for i := range ws {
		if ws[i].mask&reach != 0 && !a.only(s, &ws[i], ws) {
			refused = append(refused, ws[i].chain)
		}
	}
	for _, c := range refused {
		c.refused = true
	}
	var contested uint64
	for _, c := range s.chains {
		if c.root.slot == slot {
			contested |= c.around()
		}
	}
	for ; contested != 0; contested &= contested - 1 {
		s.parts[bits.TrailingZeros64(contested)].contested = true
	}
}

// advanceParts decides what an entry with timestamp t decides.
func (a *Assembler) advanceParts(dst []Event, s *source, t time.Time) []Event {
	if !t.After(s.newest) {
		return dst
	}
	if s.unsettled {
		dst = a.settle(dst, s, false)
	}
	s.prune()
	for s.used != 0 {
		slot := s.oldestPart()
		if t.Sub(s.parts[slot].Time) <= MaxSpread {
			break
		}
		dst = a.giveUp(dst, s, slot)
	}
	return dst
}

// prune forgets the chains that leave out a part which must be theirs: those of
// the only head, if there is a chain that uses up all parts. So an event of many
// parts does not cost a chain for each of their subsets.
func (s *source) prune() {
	if len(s.chains) < 2 {
		return
	}
	strong := s.strong()
	found := false
	for _, c := range s.chains {
		if c.root != s.chains[0].root {
			return
		}
		found = found || strong&^(c.mask|c.around()) == 0
	}
	if found {
		s.chains = slices.DeleteFunc(s.chains, func(c *chain) bool {
			return strong&^(c.mask|c.around()) != 0
		})
	}
}

// strong returns the parts that cannot be ordinary lines.
func (s *source) strong() (mask uint64) {
	for used := s.used; used != 0; used &= used - 1 {
		slot := bits.TrailingZeros64(used)
		if s.parts[slot].strong {
			mask |= 1 << slot
		}
	}
	return mask
}

// around returns the parts that fit anywhere in the chain.
func (c *chain) around() (mask uint64) {
	for ; c != nil; c = c.parent {
		mask |= c.fits
	}
	return mask
}
