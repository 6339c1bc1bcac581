package redact

import (
	"errors"
	"strings"
)

// anyStep is the step of a pointer that any name and any element of an array fits.
const anyStep = "*"

// maxSteps bounds pointers; the deepest member of audit events is at 7.
const maxSteps = 32

// splitPointer splits a JSON pointer (RFC 6901) into its unescaped steps and checks
// that what it names may be changed.
func splitPointer(pointer string) ([]string, error) {
	if !strings.HasPrefix(pointer, "/") {
		return nil, errors.New("want a path that begins with a slash, such as /payload/userId")
	}
	steps := strings.Split(pointer[1:], "/")
	if len(steps) > maxSteps {
		return nil, errors.New("has too many steps")
	}
	for i, s := range steps {
		steps[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(s)
		switch {
		case s == "":
			return nil, errors.New("has an empty step: remove the slash that is too much")
		case i > 0 && isAllDigits(s):
			return nil, errors.New("elements of arrays have no numbers here: write * for any of them")
		}
	}
	if len(steps) == 1 {
		return nil, errors.New("want a path below /payload: the envelope stays as it is")
	}
	if isEnvelope([]byte(steps[0])) || steps[0] == anyStep {
		return nil, errors.New("want a path below /payload: the envelope stays as it is")
	}
	return steps, nil
}

func isAllDigits(s string) bool {
	return strings.Trim(s, "0123456789") == ""
}

// state is where the walk stands in the tree of pointers. A nil state is on none.
type state struct {
	next  map[string]*state
	other *state // for every other name, and for elements of arrays
	// whole is the rule for the value as a whole; its kind is keep if it is to stay.
	whole *ownRule
	// plan is what is looked for here and below; nil is the variant's.
	plan *plan
}

// child returns the state of the member with that name.
func (s *state) child(name []byte) *state {
	if s == nil {
		return nil
	}
	if c, ok := s.next[string(name)]; ok {
		return c
	}
	return s.other
}

// position is a pointer of a rule and how many of its steps are done. Done pointers of
// detectors hold for everything below them.
type position struct {
	rule  *ownRule
	steps []string
}

// buildState makes the state of a set of positions, in the order of their rules. plans
// returns the plan for the rules that narrow detection down to here.
func buildState(at []position, plans func(scoped []*ownRule) *plan) *state {
	if len(at) == 0 {
		return nil
	}
	s := &state{}
	var scoped []*ownRule
	var below, starred []position
	names := map[string]bool{}
	for _, p := range at {
		switch {
		case len(p.steps) == 0 && p.rule.kind == byField:
			if s.whole == nil {
				s.whole = p.rule
			}
		case len(p.steps) == 0:
			scoped = append(scoped, p.rule)
			below = append(below, p)
		case p.steps[0] == anyStep:
			starred = append(starred, position{p.rule, p.steps[1:]})
		default:
			names[p.steps[0]] = true
		}
	}
	if len(scoped) > 0 {
		s.plan = plans(scoped)
	}
	if len(names)+len(starred) == 0 {
		if len(scoped) > 0 {
			s.other = &state{plan: s.plan}
			s.other.other = s.other // everything below
		}
		return s
	}
	s.other = buildState(append(starred[:len(starred):len(starred)], below...), plans)
	s.next = map[string]*state{}
	for name := range names {
		s.next[name] = buildState(stepInto(at, name), plans)
	}
	return s
}

// stepInto returns the positions after a member's name, in the order of their rules.
func stepInto(at []position, name string) []position {
	var next []position
	for _, p := range at {
		switch {
		case len(p.steps) == 0 && p.rule.kind != byField:
			next = append(next, p)
		case len(p.steps) > 0 && (p.steps[0] == name || p.steps[0] == anyStep):
			next = append(next, position{p.rule, p.steps[1:]})
		}
	}
	return next
}
