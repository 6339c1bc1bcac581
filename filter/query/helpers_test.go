package query

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"aictail"
)

func compile(t testing.TB, text string) *Query {
	t.Helper()
	q, err := Compile(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return q
}

// entry returns the event of an entry as package tailer makes it: the payload is
// the last member of that name, and the source that of the entry.
func entry(t testing.TB, raw string) *aictail.Event {
	t.Helper()
	e := &aictail.Event{Raw: []byte(raw)}
	d := json.NewDecoder(strings.NewReader(raw))
	if _, err := d.Token(); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			t.Fatal(err)
		}
		end := int(d.InputOffset())
		switch name {
		case "payload":
			e.Payload = aictail.Span{Start: end - len(value), End: end}
		case "source":
			e.Source = ""
			_ = json.Unmarshal(value, &e.Source)
		}
	}
	return e
}

func match(t testing.TB, q *Query, e *aictail.Event) bool {
	t.Helper()
	got, err := q.Match(e)
	if err != nil {
		t.Fatalf("%s of %s: %v", q, e.Raw, err)
	}
	return got
}

// reference evaluates an expression on the decoded entry, in the plainest way.
func reference(x *expr, e *aictail.Event) bool {
	switch x.op {
	case opFalse, opTrue:
		return x.op == opTrue
	case opNot:
		return !reference(x.kids[0], e)
	case opAnd:
		return reference(x.kids[0], e) && (len(x.kids) == 1 || reference(&expr{op: opAnd, kids: x.kids[1:]}, e))
	case opOr:
		return reference(x.kids[0], e) || len(x.kids) > 1 && reference(&expr{op: opOr, kids: x.kids[1:]}, e)
	}
	d := json.NewDecoder(bytes.NewReader(e.Raw))
	d.UseNumber()
	var doc map[string]any
	if err := d.Decode(&doc); err != nil {
		panic(fmt.Sprintf("%s: %v", e.Raw, err))
	}
	delete(doc, "source")
	if e.Source != "" {
		doc["source"] = e.Source
	}
	for _, v := range lookUp(doc, x.pointer) {
		if x.op == opPr {
			if v != nil {
				return true
			}
			continue
		}
		for _, v := range elements(v) {
			if fulfils(x, v) {
				return true
			}
		}
	}
	return false
}

func lookUp(v any, pointer []string) []any {
	if len(pointer) == 0 {
		return []any{v}
	}
	switch v := v.(type) {
	case map[string]any:
		if member, ok := v[pointer[0]]; ok {
			return lookUp(member, pointer[1:])
		}
	case []any:
		if n := elementOf(pointer[0]); n >= 0 {
			if n < len(v) {
				return lookUp(v[n], pointer[1:])
			}
			return nil
		}
		var all []any
		for _, element := range v {
			all = append(all, lookUp(element, pointer)...)
		}
		return all
	}
	return nil
}

func elements(v any) []any {
	list, ok := v.([]any)
	if !ok {
		return []any{v}
	}
	var all []any
	for _, element := range list {
		all = append(all, elements(element)...)
	}
	return all
}

func fulfils(x *expr, v any) bool {
	var order int
	switch v := v.(type) {
	case string:
		if x.operand.kind != textOperand {
			return false
		}
		switch x.op {
		case opCo:
			return strings.Contains(v, x.operand.text)
		case opSw:
			return strings.HasPrefix(v, x.operand.text)
		}
		order = strings.Compare(v, x.operand.text)
	case json.Number:
		if x.operand.kind != numberOperand {
			return false
		}
		a, _ := new(big.Rat).SetString(v.String())
		b, _ := new(big.Rat).SetString(x.operand.text)
		order = a.Cmp(b)
	case bool:
		return x.operand.kind == boolOperand && fmt.Sprint(v) == x.operand.text
	default:
		return false
	}
	switch x.op {
	case opEq:
		return order == 0
	case opLt:
		return order < 0
	case opLe:
		return order <= 0
	case opGt:
		return order > 0
	}
	return x.op == opGe && order >= 0
}
