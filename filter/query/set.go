package query

import (
	"cmp"
	"slices"
)

// Set is a number of queries and fields that are asked of the same events: each
// event is scanned once for all of them. Add and Field come first; then the set
// is immutable, and each goroutine asks a Matcher of its own.
type Set struct {
	nodes   []node
	queries []*step
	// parts says, for each field, which scan finds it.
	parts []part
}

// Field is a pointer that a set looks up.
type Field int

// part is the part of an event that is scanned for a field.
type part uint8

const (
	noPart   part = iota // /source: it is known without a scan
	envelope             // the entry without its payload
	payload
	numParts
)

const (
	rootNode, payloadNode = 0, 1
	none                  = -1
)

// node is a part of one or more pointers.
type node struct {
	// The parts of pointers that can follow, and what they lead to. elements has
	// the array element that a key stands for, or none.
	keys     []string
	kids     []int
	elements []int
	field    Field // whose pointer ends here, or none
	// passes tells whether something other than a single element of an array is
	// wanted, so that an array must be passed through.
	passes bool
}

// step is a query as it is evaluated.
type step struct {
	op    op
	kids  []*step
	field Field
	kind  operandKind
	text  []byte
	num   decimal
	truth valueKind
	// part is the costliest scan that is needed.
	part part
}

// NewSet returns an empty set.
func NewSet() *Set {
	return &Set{nodes: []node{
		rootNode:    {keys: []string{"payload"}, kids: []int{payloadNode}, elements: []int{none}, field: none},
		payloadNode: {field: none},
	}}
}

// Add adds a query and returns its number for Matcher.Match.
func (s *Set) Add(q *Query) int {
	s.queries = append(s.queries, s.compile(q.x))
	return len(s.queries) - 1
}

// Field adds a field, named by the parts of its pointer, for Matcher.Text.
func (s *Set) Field(parts ...string) Field { return s.field(parts) }

func (s *Set) field(parts []string) Field {
	at := rootNode
	for i, key := range parts {
		at = s.kid(at, key, i == 0)
	}
	n := &s.nodes[at]
	if n.field != none {
		return n.field
	}
	n.field, n.passes = Field(len(s.parts)), true
	where := envelope
	switch {
	case parts[0] == "payload":
		where = payload
	case len(parts) == 1 && parts[0] == "source":
		where = noPart
	}
	s.parts = append(s.parts, where)
	return n.field
}

// kid returns the node below another one, which is made if need be.
func (s *Set) kid(at int, key string, root bool) int {
	n := &s.nodes[at]
	if i := slices.Index(n.keys, key); i >= 0 {
		return n.kids[i]
	}
	element := elementOf(key)
	n.keys, n.kids, n.elements = append(n.keys, key), append(n.kids, len(s.nodes)), append(n.elements, element)
	n.passes = n.passes || element == none && !root
	s.nodes = append(s.nodes, node{field: none})
	return len(s.nodes) - 1
}

// compile prepares an expression. What costs no scan is asked first.
func (s *Set) compile(x *expr) *step {
	st := &step{op: x.op, kind: x.operand.kind}
	for _, kid := range x.kids {
		k := s.compile(kid)
		st.kids = append(st.kids, k)
		st.part = max(st.part, k.part)
	}
	slices.SortStableFunc(st.kids, func(a, b *step) int { return cmp.Compare(a.part, b.part) })
	if len(x.pointer) == 0 {
		return st
	}
	st.field = s.field(x.pointer)
	st.part = s.parts[st.field]
	switch x.operand.kind {
	case textOperand:
		st.text = []byte(x.operand.text)
	case numberOperand:
		st.num = parseDecimal([]byte(x.operand.text))
	case boolOperand:
		st.truth = falseValue
		if x.operand.text == "true" {
			st.truth = trueValue
		}
	}
	return st
}
