package query

import (
	"bytes"

	"aictail"
)

// What a matcher keeps of its scratch memory at most: an event of usual size has
// a few values and some KB of text; a rare large one must not claim it for ever.
const (
	keepText   = 1 << 20
	keepValues = 1 << 12
)

// Matcher asks the queries of a set of one event after the other. It allocates
// only until its scratch memory has grown to what the events need. It must not be
// used by two goroutines at once.
type Matcher struct {
	set    *Set
	source Field // /source, or none

	e          *aictail.Event
	scanned    [numParts]bool
	unreadable bool

	values []value
	first  []int // by field: its last value, which leads to the others
	text   []byte

	// Of the scan under way:
	b       []byte
	nesting int
	objects uint64       // scanned so far, of all events
	last    []occurrence // by node
	key     []byte
}

// NewMatcher returns a matcher of the set, which must not be added to any more.
func (s *Set) NewMatcher() *Matcher {
	m := &Matcher{set: s, source: none, first: make([]int, len(s.parts)), last: make([]occurrence, len(s.nodes))}
	for f, where := range s.parts {
		if where == noPart {
			m.source = Field(f)
		}
	}
	return m
}

// Look turns to an event. It must not change as long as it is asked about.
func (m *Matcher) Look(e *aictail.Event) {
	m.e, m.scanned, m.unreadable = e, [numParts]bool{}, false
	if cap(m.text) > keepText {
		m.text = nil
	}
	if cap(m.values) > keepValues {
		m.values = nil
	}
	m.text, m.values, m.nesting = m.text[:0], m.values[:0], 0
	for f := range m.first {
		m.first[f] = none
	}
}

// Match tells whether a query of the set holds for the event. If Err then returns
// an error, the answer means nothing.
func (m *Matcher) Match(query int) bool { return m.eval(m.set.queries[query]) }

// Text returns the text that a field has in the event, or nil if it has none. It
// is valid until the next Look.
func (m *Matcher) Text(f Field) []byte {
	m.need(f)
	for i := m.first[f]; i != none; i = m.values[i].next {
		if v := &m.values[i]; !v.element {
			if text := m.textOf(v); text != nil {
				return text
			}
		}
	}
	return nil
}

// Err returns ErrUnreadable if that is what the event turned out to be.
func (m *Matcher) Err() error {
	if m.unreadable {
		return ErrUnreadable
	}
	return nil
}

func (m *Matcher) need(f Field) {
	if where := m.set.parts[f]; !m.scanned[where] {
		m.scan(where)
	}
}

func (m *Matcher) eval(s *step) bool {
	switch s.op {
	case opFalse, opTrue:
		return s.op == opTrue
	case opNot:
		return !m.eval(s.kids[0])
	case opAnd:
		for _, kid := range s.kids {
			if !m.eval(kid) {
				return false
			}
		}
		return true
	case opOr:
		for _, kid := range s.kids {
			if m.eval(kid) {
				return true
			}
		}
		return false
	}
	m.need(s.field)
	for i := m.first[s.field]; i != none; i = m.values[i].next {
		if m.test(s, &m.values[i]) {
			return true
		}
	}
	return false
}

// test tells whether a value fulfils a comparison.
func (m *Matcher) test(s *step, v *value) bool {
	switch {
	case v.kind == noValue:
		return false
	case s.op == opPr:
		return v.kind != nullValue && !v.element
	case s.kind == boolOperand:
		return v.kind == s.truth
	case s.kind == numberOperand:
		if v.kind != numberValue {
			return false
		}
		d := parseDecimal(m.e.Raw[v.start:v.end])
		return holds(s.op, d.compare(&s.num))
	}
	text := m.textOf(v)
	if text == nil {
		return false
	}
	switch s.op {
	case opEq:
		return bytes.Equal(text, s.text)
	case opCo:
		return bytes.Contains(text, s.text)
	case opSw:
		return bytes.HasPrefix(text, s.text)
	}
	return holds(s.op, bytes.Compare(text, s.text))
}

func holds(o op, order int) bool {
	switch o {
	case opEq:
		return order == 0
	case opLt:
		return order < 0
	case opLe:
		return order <= 0
	case opGt:
		return order > 0
	case opGe:
		return order >= 0
	}
	return false
}

// textOf returns a value's text, or nil if it is of another kind.
func (m *Matcher) textOf(v *value) []byte {
	switch v.kind {
	case escapedText:
		start := len(m.text)
		text, ok := appendUnescaped(m.text, m.e.Raw[v.start:v.end])
		if !ok {
			m.unreadable = true
			return nil
		}
		m.text = text
		v.kind, v.start, v.end = decodedText, start, len(text)
		return m.text[v.start:v.end:v.end]
	case decodedText:
		return m.text[v.start:v.end:v.end]
	case textValue:
		return m.e.Raw[v.start:v.end:v.end]
	}
	return nil
}
