package redact

import "slices"

// What a byte means to the scan of a string.
const (
	plain     = iota // skipped
	trigger          // some detector wants to look
	digit            // a digit, and some detector wants to look at digits
	quote            // ends a string in JSON
	backslash        // begins an escape in JSON; some detector may want to look
)

// plan is what is looked for in a string, and what becomes of it.
type plan struct {
	detectors []detector // own copies of the set's
	actions   []Action   // by detector; none if it is not looked for
	used      []int      // the detectors in the order in which they were added

	class     [256]uint8
	byTrigger [256][]finder
	byLongRun []finder
	byAnyRun  [maxRun + 1][]finder // by the length of the run
	byLetter  []finder
	byLetters []finder
	byNumber  []int
	patterns  []int
	// afterDigits are the bytes after a run of digits with which a number may go on.
	afterDigits [256]bool
	// everyRun is whether detectors look at short runs, too.
	everyRun bool
}

// maxRun is the length of the longest run of digits that a detector asks for by length.
const maxRun = 15

// finder is a detector's find with its place, apart from what else there is of it: the
// scan reads nothing but these.
type finder struct {
	find  func(t []byte, i, lo int) match
	place int
	prev  byte // see detector
}

func newPlan(detectors []detector) *plan {
	return &plan{detectors: slices.Clone(detectors), actions: make([]Action, len(detectors))}
}

// add makes the plan look for a detector's matches.
func (p *plan) add(k int, a Action) {
	p.actions[k] = a
	p.used = append(p.used, k)
}

// seal prepares the scan. Own rules come before the table's detectors, which keep
// their order among themselves.
func (p *plan) seal() {
	own, digits := len(table()), false
	slices.SortStableFunc(p.used, func(a, b int) int {
		if a >= own && b >= own {
			return a - b
		}
		if a >= own {
			return -1
		}
		if b >= own {
			return 1
		}
		return a - b
	})
	for _, k := range p.used {
		d := &p.detectors[k]
		f := finder{d.find, k, d.prev}
		for _, c := range []byte(d.triggers) {
			p.class[c] = trigger
			p.byTrigger[c] = append(p.byTrigger[c], f)
		}
		if d.digits&longRun != 0 {
			p.byLongRun = append(p.byLongRun, f)
		}
		if d.digits&anyRun != 0 {
			for _, n := range d.runs {
				p.byAnyRun[n] = append(p.byAnyRun[n], f)
			}
		}
		digits = digits || d.digits != 0
		p.everyRun = p.everyRun || d.digits&^(longRun|afterLetters) != 0
		if d.digits&afterLetter != 0 {
			p.byLetter = append(p.byLetter, f)
		}
		if d.digits&afterLetters != 0 {
			p.byLetters = append(p.byLetters, f)
		}
		if d.number != nil {
			p.byNumber = append(p.byNumber, k)
		}
		if d.pattern != nil {
			p.patterns = append(p.patterns, k)
		}
	}
	for _, c := range []byte(" -.+)(%\\") {
		p.afterDigits[c] = true
	}
	if digits {
		for c := '0'; c <= '9'; c++ {
			p.class[c] = digit
		}
	}
	p.class['"'] = quote
	p.class['\\'] = backslash
}
