package query

import (
	"slices"
	"strconv"
	"strings"
)

type op int

const (
	opFalse op = iota
	opTrue
	opNot // of kids[0]
	opAnd // of kids, at least two, none of which is an opAnd
	opOr  // of kids, at least two, none of which is an opOr
	opPr
	opEq
	opCo
	opSw
	opLt
	opLe
	opGt
	opGe
)

func (o op) String() string {
	return [...]string{"false", "true", "!", "and", "or", "pr", "eq", "co", "sw", "lt", "le", "gt", "ge"}[o]
}

// comparison returns the operator of the name.
func comparison(name string) (op, bool) {
	for o := opEq; o <= opGe; o++ {
		if o.String() == name {
			return o, true
		}
	}
	return 0, false
}

// expr is a parsed query. It is not modified after parsing.
type expr struct {
	op      op
	kids    []*expr
	pointer []string // of opPr and comparisons: its parts, without escapes
	operand operand  // of comparisons
}

type operandKind int

const (
	textOperand operandKind = iota
	numberOperand
	boolOperand
)

type operand struct {
	kind operandKind
	// text is a text's value, or a number or boolean as it was written.
	text string
}

// join makes an opAnd or opOr of one or more expressions.
func join(o op, kids []*expr) *expr {
	if len(kids) == 1 {
		return kids[0]
	}
	var flat []*expr
	for _, kid := range kids {
		if kid.op == o {
			flat = append(flat, kid.kids...)
		} else {
			flat = append(flat, kid)
		}
	}
	return &expr{op: o, kids: flat}
}

// append writes the expression in its one canonical form.
func (x *expr) append(b []byte) []byte {
	switch x.op {
	case opFalse, opTrue:
		return append(b, x.op.String()...)
	case opNot:
		b = append(b, "!("...)
		b = x.kids[0].append(b)
		return append(b, ')')
	case opAnd, opOr:
		for i, kid := range x.kids {
			if i > 0 {
				b = append(b, ' ')
				b = append(b, x.op.String()...)
				b = append(b, ' ')
			}
			if x.op == opAnd && kid.op == opOr {
				b = append(b, '(')
				b = append(kid.append(b), ')')
			} else {
				b = kid.append(b)
			}
		}
		return b
	}
	b = appendPointer(b, x.pointer)
	b = append(b, ' ')
	b = append(b, x.op.String()...)
	if x.op == opPr {
		return b
	}
	b = append(b, ' ')
	if x.operand.kind == textOperand {
		return appendText(b, x.operand.text)
	}
	return append(b, x.operand.text...)
}

func appendPointer(b []byte, parts []string) []byte {
	for _, part := range parts {
		b = append(b, '/')
		b = append(b, strings.NewReplacer("~", "~0", "/", "~1").Replace(part)...)
	}
	return b
}

// appendText writes a text in quotes.
func appendText(b []byte, text string) []byte {
	b = append(b, '"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r < ' ':
			b = append(b, `\u00`...)
			b = append(b, "0123456789abcdef"[r>>4], "0123456789abcdef"[r&15])
		default:
			b = append(b, string(r)...)
		}
	}
	return append(b, '"')
}

// constant returns what an expression is for every event, if that can be told
// from its form: from true and false in it, and from a part beside its negation.
func (x *expr) constant() (value, known bool) {
	switch x.op {
	case opTrue, opFalse:
		return x.op == opTrue, true
	case opNot:
		value, known = x.kids[0].constant()
		return !value, known
	case opAnd, opOr:
		// One part decides that is false in an "and" or true in an "or".
		decides := x.op == opOr
		all := true
		var seen []string
		for _, kid := range x.kids {
			if v, k := kid.constant(); !k {
				all = false
			} else if v == decides {
				return decides, true
			}
			opposite := (&expr{op: opNot, kids: []*expr{kid}}).append(nil)
			if kid.op == opNot {
				opposite = kid.kids[0].append(nil)
			}
			if slices.Contains(seen, string(opposite)) {
				return decides, true
			}
			seen = append(seen, string(kid.append(nil)))
		}
		return !decides, all
	}
	return false, false
}

// indexed returns a pointer of the expression that has a number in it, or nil.
func (x *expr) indexed() []string {
	if slices.ContainsFunc(x.pointer, func(part string) bool { return elementOf(part) >= 0 }) {
		return x.pointer
	}
	for _, kid := range x.kids {
		if found := kid.indexed(); found != nil {
			return found
		}
	}
	return nil
}

// elementOf returns the element of an array that a part of a pointer stands for,
// or -1: decimal digits without a leading zero (RFC 6901).
func elementOf(part string) int {
	if part == "" || len(part) > 1 && part[0] == '0' || strings.Trim(part, "0123456789") != "" {
		return -1
	}
	n, err := strconv.ParseInt(part, 10, 32)
	if err != nil {
		return -1 // no entry has that many
	}
	return int(n)
}
