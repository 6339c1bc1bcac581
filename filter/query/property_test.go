package query

import (
	"encoding/json"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"aictail"
)

// The names, texts and numbers are few, so that queries often find something.
var (
	names   = []string{"a", "b", "0", "1", "x/y", "m~n", "é", "source", "payload"}
	texts   = []string{"", "a", "A", "ab", "b\nc", `q"\`, "é", "😀", "\ufffd", "0"}
	numbers = []string{"0", "-0", "1", "1.0", "10e-1", "-1", "0.5", "5E-1", "100000000000000000000001", "100000000000000000000002", "1e23"}
)

// written is a generator of JSON that says the same thing in many ways.
type written struct{ t *rapid.T }

func (w written) pick(from []string) string { return rapid.SampledFrom(from).Draw(w.t, "pick") }

func (w written) space() string { return w.pick([]string{"", "", "", " ", "  "}) }

// text writes a text in quotes, with any of its characters escaped.
func (w written) text(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		quoted, err := json.Marshal(string(r))
		if err != nil {
			w.t.Fatal(err)
		}
		if r < 0x10000 && rapid.IntRange(0, 3).Draw(w.t, "escape") == 0 {
			b.WriteString(`\u` + string("0123456789abcdef"[r>>12]) + string("0123456789ABCDEF"[r>>8&15]) +
				string("0123456789abcdef"[r>>4&15]) + string("0123456789ABCDEF"[r&15]))
		} else {
			b.Write(quoted[1 : len(quoted)-1])
		}
	}
	b.WriteByte('"')
	return b.String()
}

func (w written) value(depth int) string {
	kind := rapid.IntRange(0, 6).Draw(w.t, "kind")
	if depth == 0 {
		kind %= 4
	}
	switch kind {
	case 0, 1:
		return w.text(w.pick(texts))
	case 2:
		return w.pick(numbers)
	case 3:
		return w.pick([]string{"true", "false", "null"})
	case 4:
		return w.object(depth)
	}
	var elements []string
	for range rapid.IntRange(0, 3).Draw(w.t, "elements") {
		elements = append(elements, w.space()+w.value(depth-1)+w.space())
	}
	return "[" + w.space() + strings.Join(elements, ",") + "]"
}

// object writes an object in which names may occur twice.
func (w written) object(depth int) string {
	var members []string
	for range rapid.IntRange(0, 4).Draw(w.t, "members") {
		members = append(members, w.space()+w.text(w.pick(names))+w.space()+":"+w.space()+w.value(depth-1)+w.space())
	}
	return "{" + w.space() + strings.Join(members, ",") + "}"
}

// entry writes an entry with a payload, a source and whatever else.
func (w written) entry() string {
	members := []string{w.text("payload") + w.space() + ":" + w.space() + w.value(4)}
	if rapid.Bool().Draw(w.t, "has source") {
		members = append(members, `"source":`+w.value(1))
	}
	for range rapid.IntRange(0, 2).Draw(w.t, "others") {
		members = append(members, w.text(w.pick(names))+":"+w.value(2))
	}
	members = rapid.Permutation(members).Draw(w.t, "order")
	return w.space() + "{" + w.space() + strings.Join(members, w.space()+","+w.space()) + w.space() + "}"
}

func (w written) expr(depth int) *expr {
	kind := rapid.IntRange(0, 9).Draw(w.t, "expression")
	if depth == 0 {
		kind = max(kind, 4)
	}
	switch kind {
	case 0:
		return &expr{op: opNot, kids: []*expr{w.expr(depth - 1)}}
	case 1, 2, 3:
		o := rapid.SampledFrom([]op{opAnd, opOr}).Draw(w.t, "operator")
		kids := []*expr{w.expr(depth - 1), w.expr(depth - 1)}
		if rapid.Bool().Draw(w.t, "third") {
			kids = append(kids, w.expr(depth-1))
		}
		return join(o, kids)
	case 4:
		return &expr{op: rapid.SampledFrom([]op{opTrue, opFalse}).Draw(w.t, "literal")}
	}
	x := &expr{pointer: []string{w.pick([]string{"payload", "payload", "payload", "source", "a", "0"})}}
	for range rapid.IntRange(0, 3).Draw(w.t, "parts") {
		x.pointer = append(x.pointer, w.pick(names))
	}
	switch rapid.IntRange(0, 3).Draw(w.t, "comparison") {
	case 0:
		x.op = opPr
	case 1:
		x.op = rapid.SampledFrom([]op{opEq, opLt, opLe, opGt, opGe}).Draw(w.t, "operator")
		x.operand = operand{numberOperand, w.pick(numbers)}
	case 2:
		x.op, x.operand = opEq, operand{boolOperand, w.pick([]string{"true", "false"})}
	default:
		x.op = rapid.SampledFrom([]op{opEq, opCo, opSw, opLt, opLe, opGt, opGe}).Draw(w.t, "operator")
		x.operand = operand{textOperand, w.pick(texts)}
	}
	return x
}

// TestSameAsDecoded: on any entry, any query answers what an evaluator says that
// decodes the entry, alone and in a set; and what it prints is the same query.
func TestSameAsDecoded(t *testing.T) {
	holds := 0
	rapid.Check(t, func(rt *rapid.T) {
		w := written{rt}
		set := NewSet()
		var queries []*Query
		for range rapid.IntRange(1, 3).Draw(rt, "queries") {
			x := w.expr(3)
			q, err := Compile(string(x.append(nil)))
			if err != nil {
				rt.Fatal(err)
			}
			if !reflect.DeepEqual(q.x, x) {
				rt.Fatalf("%s is read as %s", x.append(nil), q)
			}
			set.Add(q)
			queries = append(queries, q)
		}
		m := set.NewMatcher()
		for range 3 {
			e := entry(t, w.entry())
			m.Look(e)
			for i, q := range queries {
				want := reference(q.x, e)
				got, err := q.Match(e)
				if err != nil || got != want || m.Match(i) != want || m.Err() != nil {
					rt.Fatalf("%s of %s\nis %v (in a set %v), want %v; %v, %v", q, e.Raw, got, m.Match(i), want, err, m.Err())
				}
				if value, known := q.Constant(); known && value != want {
					rt.Fatalf("%s is said to be always %v", q, value)
				}
				if want {
					holds++
				}
			}
		}
	})
	if holds == 0 {
		t.Error("no query ever held")
	}
}

// FuzzCompile: the parser accepts or refuses, with a column inside the text, and
// what it accepts prints as a text that means the same.
func FuzzCompile(f *testing.F) {
	for _, text := range []string{
		`/source eq "idm-access" and /payload/http/request/path co "/openidm/info/ping"`,
		`!(/a~1b/0 pr) or /c eq -1.5e3 and (/d sw 'it\'s' or true)`, `/a eq "\ud83d\ude00"`, `((`, `!!`, `/a eq`, `/a eq "\u`, "\xff",
	} {
		f.Add(text)
	}
	e := entry(f, ping)
	f.Fuzz(func(t *testing.T, text string) {
		q, err := Compile(text)
		if err != nil {
			if e := err.(*Error); e.Column < 1 || e.Column > utf8.RuneCountInString(text)+1 || e.What == "" || e.Remedy == "" {
				t.Fatalf("%q: %+v", text, e)
			}
			return
		}
		again, err := Compile(q.String())
		if err != nil && !strings.Contains(err.Error(), "too long") {
			t.Fatalf("%q prints as %q: %v", text, q, err)
		}
		if err == nil && !reflect.DeepEqual(again.x, q.x) {
			t.Fatalf("%q prints as %q, which is %q", text, q, again)
		}
		if got := match(t, q, e); !largeExponent.MatchString(text) && got != reference(q.x, e) {
			t.Fatalf("%q is %v", text, got)
		}
	})
}

var largeExponent = regexp.MustCompile(`[eE][+-]?[0-9]{4}`)

// FuzzMatch: no entry makes an evaluator panic, and where the entry is JSON the
// answer is that of the reference.
func FuzzMatch(f *testing.F) {
	for _, raw := range []string{ping, journey, record, odd, `{"payload":{"a":[{"a":1},[{"a":"\u0041"}]],"a":1e999999999999}}`, `{"payload":[`, `{`} {
		f.Add(raw)
	}
	q := compile(f, `/payload/a/a eq 1 or /payload/a/0 co "A" or /payload sw "x" and /payload/level pr or /type gt "a" or /payload/a lt 2`)
	f.Fuzz(func(t *testing.T, raw string) {
		var doc map[string]json.RawMessage
		if json.Unmarshal([]byte(raw), &doc) != nil || !utf8.ValidString(raw) {
			for start := range len(raw) {
				_, _ = q.Match(&aictail.Event{Raw: []byte(raw), Payload: aictail.Span{Start: start, End: len(raw)}})
			}
			return
		}
		if doc == nil || largeExponent.MatchString(raw) {
			return // null; or what the reference cannot compute
		}
		e := entry(t, raw)
		got, err := q.Match(e)
		if err != nil {
			if strings.Count(raw, "[")+strings.Count(raw, "{") < maxNesting {
				t.Fatalf("%q: %v", raw, err)
			}
			return
		}
		if want := reference(q.x, e); got != want {
			t.Fatalf("%q is %v, want %v", raw, got, want)
		}
	})
}
