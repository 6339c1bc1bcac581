package assemble

import (
	"bytes"
	"cmp"
	"math/bits"
	"slices"
	"unicode/utf8"
)

// way is one complete object: a chain, and which other parts might be in it.
type way struct {
	*chain
	extra    uint64 // parts that fit somewhere in the chain
	doubtful uint64 // those of them for which there is more than one place
	tainted  bool   // a text that was passed on might be in it, or it is refused
	with     uint64 // those of extra that are in it
}

// ways returns the complete objects that the open parts could make.
func (s *source) ways() []way {
	var ws []way
	for _, c := range s.chains {
		if c.state.complete() {
			ws = append(ws, s.wayOf(c))
		}
	}
	return ws
}

func (s *source) wayOf(last *chain) way {
	w := way{chain: last, tainted: last.refused}
	for next := last; next.parent != nil; next = next.parent {
		c := next.parent
		if !c.bare.IsZero() && !c.bare.After(next.time) {
			w.tainted = true
		}
		var here uint64
		for fits := c.fits &^ last.mask; fits != 0; fits &= fits - 1 {
			slot := bits.TrailingZeros64(fits)
			if s.parts[slot].Time.After(next.time) {
				continue
			}
			for others := here; others != 0; others &= others - 1 {
				other := bits.TrailingZeros64(others)
				if s.parts[other].Time.Equal(s.parts[slot].Time) {
					w.doubtful |= 1<<slot | 1<<other
				}
			}
			here |= 1 << slot
			if s.parts[slot].contested {
				w.doubtful |= 1 << slot
			}
		}
		w.doubtful |= w.extra & here
		w.extra |= here
	}
	return w
}

// swallows reports whether the object has a head within a string, or could have
// a part with brackets there that is used elsewhere. The other part of that head, or of what
// the part is used for, may then be yet to come, and the parts may not belong
// together at all. Where all parts are read the same way in and out of strings,
// their brackets show that: those of open objects are never balanced.
func (w *way) swallows(s *source, used uint64) bool {
	roots := s.roots()
	if w.with&roots != 0 {
		return true
	}
	for both := w.extra & used; both != 0; both &= both - 1 {
		if bytes.ContainsAny(s.parts[bits.TrailingZeros64(both)].text, "{}[]") {
			return true
		}
	}
	for c := w.chain; c.parent != nil; c = c.parent {
		if m := c.parent.state.mode; m >= inString && m <= inHex && roots&(1<<c.slot) != 0 {
			return true
		}
	}
	return false
}

// slots returns the parts of the object in order. Extra parts stand behind the
// last link of the chain that is not later than they are and lets them in.
func (w *way) slots(s *source) []int {
	var order []int
	left := w.with
	for c, next := w.chain, (*chain)(nil); c != nil; c, next = c.parent, c {
		var here []int
		for fits := c.fits & left; fits != 0 && next != nil; fits &= fits - 1 {
			slot := bits.TrailingZeros64(fits)
			if !s.parts[slot].Time.After(next.time) {
				here = append(here, slot)
				left &^= 1 << slot
			}
		}
		slices.SortFunc(here, func(x, y int) int { return s.parts[y].Time.Compare(s.parts[x].Time) })
		order = append(append(order, here...), c.slot)
	}
	slices.Reverse(order)
	return order
}

// object appends the text of the object to dst.
func (w *way) object(s *source, dst []byte) []byte {
	start := len(dst)
	for _, slot := range w.slots(s) {
		dst = append(dst[:start], mend(dst[start:], s.parts[slot].text)...)
	}
	return dst
}

// valid reports whether the object as a whole is valid.
func (a *Assembler) valid(s *source, w *way) bool {
	a.text = w.object(s, a.text[:0])
	a.trial.reset()
	return a.trial.feed(a.text) && a.trial.complete() && utf8.Valid(a.text)
}

// joinParts appends the object as an event.
func (a *Assembler) joinParts(dst []Event, s *source, w *way) []Event {
	slots := w.slots(s)
	hs := make([]*held, len(slots))
	for i, slot := range slots {
		hs[i] = s.parts[slot]
	}
	dst = a.join(dst, hs, Joined, func(b []byte) []byte {
		start := len(b)
		b = w.object(s, b)
		object := bytes.TrimSpace(b[start:]) // the payload is the object only
		for i, x := range object {
			if x < ' ' { // a line end or tab, which can only be between tokens
				x = ' '
			}
			b[start+i] = x
		}
		return b[:start+len(object)]
	})
	s.remove(w.mask | w.with)
	return dst
}

// settle joins the parts that every way of using up all parts joins in the same
// manner. Parts that no chain brings together are looked at apart. Where there
// are several such ways, or a text that was passed on might be within, the parts
// are given up at once: nothing more is to be expected for them, and held back
// they would make events that follow ambiguous too. last says that a part is
// given up otherwise, so that no head waits for its other part any more.
func (a *Assembler) settle(dst []Event, s *source, last bool) []Event {
	s.unsettled = false
	var joined []way
	var done uint64
	for ws := s.ways(); len(ws) > 0; {
		reach := s.reach(ws[0].mask)
		c := &covers{a: a, s: s, required: s.strong() & reach, last: last}
		ws = slices.DeleteFunc(ws, func(w way) bool {
			if w.mask&reach == 0 {
				return false
			}
			c.add(w)
			return true
		})
		joined = append(joined, c.find()...)
		if c.closed {
			done |= reach
		}
	}
	slices.SortFunc(joined, func(x, y way) int {
		return cmp.Compare(s.parts[x.root.slot].seq, s.parts[y.root.slot].seq)
	})
	for i := range joined {
		dst = a.joinParts(dst, s, &joined[i])
	}
	return a.leave(dst, s, done&s.used)
}

// leave takes parts out as they came.
func (a *Assembler) leave(dst []Event, s *source, mask uint64) []Event {
	if mask == 0 {
		return dst
	}
	var hs []*held
	for left := mask; left != 0; left &= left - 1 {
		hs = append(hs, s.parts[bits.TrailingZeros64(left)])
	}
	slices.SortFunc(hs, func(x, y *held) int { return cmp.Compare(x.seq, y.seq) })
	s.remove(mask)
	for _, h := range hs {
		if h.strong {
			dst = a.loose(dst, h)
		} else {
			dst = a.single(dst, h)
		}
	}
	return dst
}

// roots returns the parts that begin an object.
func (s *source) roots() (mask uint64) {
	for _, c := range s.chains {
		mask |= 1 << c.root.slot
	}
	return mask
}

// reach returns the parts that chains bring together with those in mask.
func (s *source) reach(mask uint64) uint64 {
	for grown := true; grown; {
		grown = false
		for _, c := range s.chains {
			if all := c.mask | c.around(); all&mask != 0 && all&^mask != 0 {
				mask |= all
				grown = true
			}
		}
	}
	return mask
}

// covers finds the sets of ways that use up all required parts.
type covers struct {
	a        *Assembler
	s        *source
	required uint64
	last     bool    // no more parts are to come
	heads    [][]way // the ways by their first part

	chosen []way
	found  int
	closed bool  // a cover was found that leaves nothing to wait for
	agreed []way // those in every cover found
	steps  int
}

const (
	// maxSteps bounds the search, in choices made and units of text checked:
	// enough for five events that overlap and could be joined in any combination.
	// When it ends early, nothing is joined.
	maxSteps = 4096
	// stepBytes is the text whose check counts as a step; 4096 of them are twice
	// the default bound of all open parts.
	stepBytes = 4096
	// maxRivals is the number of objects among which an only one is looked for.
	// There are more only where dozens of parts fit together at will.
	maxRivals = 16
)

func (c *covers) add(w way) {
	for i, ws := range c.heads {
		if ws[0].root == w.root {
			c.heads[i] = append(ws, w)
			return
		}
	}
	c.heads = append(c.heads, []way{w})
}

// find returns the ways that all covers have in common.
func (c *covers) find() []way {
	c.search(0, 0)
	if c.steps > maxSteps || !c.closed {
		return nil
	}
	return c.agreed
}

func (c *covers) search(head int, used uint64) {
	if c.steps++; c.steps > maxSteps || c.closed && len(c.agreed) == 0 {
		return // too many ways, or they have nothing in common
	}
	if head == len(c.heads) {
		c.check(used)
		return
	}
	c.search(head+1, used)
	for _, w := range c.heads[head] {
		if w.mask&used == 0 {
			c.chosen = append(c.chosen, w)
			c.search(head+1, used|w.mask)
			c.chosen = c.chosen[:len(c.chosen)-1]
		}
	}
}

// check counts the chosen ways if they use up all parts, those included that
// fit into only one of them.
func (c *covers) check(used uint64) {
	left := c.required &^ used
	var once, twice uint64
	for _, w := range c.chosen {
		twice |= once & w.extra & left
		once |= w.extra & left
	}
	if left&^once != 0 || len(c.chosen) == 0 {
		return
	}
	sure := make([]way, 0, len(c.chosen))
	swallows := false
	for _, w := range c.chosen {
		w.with = w.extra & left
		swallows = swallows || !c.last && w.swallows(c.s, used)
		unsure := w.tainted || w.with&(w.doubtful|twice) != 0 || w.extra&^c.s.strong()&^used != 0
		if w.with&twice == 0 && w.with&w.doubtful == 0 {
			ok := c.a.valid(c.s, &w)
			if c.steps += len(c.a.text) / stepBytes; !ok {
				return // no way at all
			}
		}
		if !unsure {
			sure = append(sure, w)
		}
	}
	c.closed = c.closed || !swallows
	if c.found++; c.found == 1 {
		c.agreed = sure
		return
	}
	c.agreed = slices.DeleteFunc(c.agreed, func(w way) bool {
		return !slices.ContainsFunc(sure, func(o way) bool { return o.chain == w.chain && o.with == w.with })
	})
}

// onlyWay returns the object with the part in slot, if there is only one that
// could be made of it and of the parts it would take with it.
func (a *Assembler) onlyWay(s *source, slot int) *way {
	ws := s.ways()
	for i := range ws {
		if w := &ws[i]; (w.mask|w.extra)&(1<<slot) != 0 && a.only(s, w, ws) {
			return w
		}
	}
	return nil
}

// only reports whether w has no rival among the ways ws, with all that fits.
func (a *Assembler) only(s *source, w *way, ws []way) bool {
	if len(ws) > maxRivals || w.tainted || w.doubtful != 0 || w.extra&^s.strong() != 0 || w.extra&s.others(w.root) != 0 {
		return false
	}
	for _, c := range s.chains {
		// What else the head could begin with must be in the object too.
		if c.root == w.root && (c.mask|c.around())&s.strong()&^(w.mask|w.extra) != 0 {
			return false
		}
	}
	w.with = w.extra
	return a.valid(s, w) && !slices.ContainsFunc(ws, func(o way) bool { return a.competes(s, w, &o) })
}

// competes reports whether o is another object that could be made of parts of w
// with as good a reason.
func (a *Assembler) competes(s *source, w, o *way) bool {
	all := w.mask | w.extra
	if o.chain == w.chain || (o.mask|o.extra)&all == 0 {
		return false
	}
	if o.root == w.root && (o.mask|o.extra)&^all == 0 {
		// The same with parts left out that belong to nothing else.
		if left := all &^ (o.mask | o.extra); left != 0 && left&^(s.strong()&^s.others(w.root)) == 0 {
			return false
		}
	}
	return o.extra != 0 || a.valid(s, o)
}

// others returns the parts that could belong to an object with another head.
func (s *source) others(root *chain) (mask uint64) {
	for _, c := range s.chains {
		if c.root != root {
			mask |= c.mask | c.around()
		}
	}
	return mask
}
