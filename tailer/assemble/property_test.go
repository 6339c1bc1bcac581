package assemble

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"aictail/tailer/aic"
)

// piece is one entry of a generated stream.
type piece struct {
	event int // the split event it is a part of, or -1
	pair  int // the record whose header or LEVEL line it is, or -1
	at    int
	text  string
}

// stream is a generated sequence of entries of one source.
type stream struct {
	source string
	events []string // the texts of the split events
	pieces []piece
}

func genString(t *rapid.T) string {
	return rapid.StringOfN(rapid.SampledFrom([]rune(`ab,:{} 1é😀"\`+"\n")), 0, 12, -1).Draw(t, "string")
}

func genValue(t *rapid.T, depth int) string {
	switch rapid.IntRange(0, 5-2*min(depth, 1)).Draw(t, "kind") {
	case 1:
		return rapid.SampledFrom([]string{"0", "-12.5e+3", "1234", "true", "false", "null", "{}", "[]"}).Draw(t, "scalar")
	case 4:
		return genObject(t, depth+1)
	case 5:
		return "[" + genValue(t, depth+1) + ", " + genValue(t, depth+1) + "]"
	}
	return `"` + escape(genString(t)) + `"`
}

func genObject(t *rapid.T, depth int) string {
	var b strings.Builder
	keys := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"_id", "message", "level", "é", "a\\\"b", "exception"}), 1, 4, rapid.ID).Draw(t, "keys")
	for i, k := range keys {
		fmt.Fprintf(&b, `%s"%s":%s`, []string{"{", ","}[min(i, 1)], k, genValue(t, depth))
	}
	return b.String() + "}"
}

func genStream(t *rapid.T) stream {
	s := stream{source: rapid.SampledFrom([]string{"idm-core", "am-activity"}).Draw(t, "source")}
	var queues [][]piece // each to stay in its order
	for e := range rapid.IntRange(1, 3).Draw(t, "events") {
		text := genObject(t, 0)
		s.events = append(s.events, text)
		cuts := rapid.SliceOfNDistinct(rapid.IntRange(1, len(text)-1), 1, min(4, len(text)-1), rapid.ID).Draw(t, "cuts")
		slices.Sort(cuts)
		var q []piece
		start := 0
		for _, cut := range append(cuts, len(text)) {
			q = append(q, piece{e, -1, 0, text[start:cut]})
			start = cut
		}
		queues = append(queues, q)
	}
	if s.source == "idm-core" {
		for r := range rapid.IntRange(0, 3).Draw(t, "records") {
			q := []piece{
				{-1, r, 0, "Dec 05, 2022 8:01:34 PM org.forgerock.openidm.X read"},
				{-1, r, 0, "FINE: Read name=user id=" + fmt.Sprint(r)},
			}
			if rapid.Bool().Draw(t, "trace") {
				q = append(q, piece{-1, -1, 0, "java.io.IOException: broken"}, piece{-1, -1, 0, "\tat a.b.C.d(C.java:1)"})
			}
			queues = append(queues, q)
		}
		for range rapid.IntRange(0, 2).Draw(t, "lines") {
			text := rapid.SampledFrom([]string{"an ordinary line", "10.0.0.1 - - \"GET /am\" 200\n", "{\"whole\":1}", "say \"hi\""}).Draw(t, "line")
			queues = append(queues, []piece{{-1, -1, 0, text}})
		}
	}
	at := 0
	for len(queues) > 0 {
		i := rapid.IntRange(0, len(queues)-1).Draw(t, "next")
		at += rapid.SampledFrom([]int{0, 1, 1, 1, 50}).Draw(t, "step")
		p := queues[i][0]
		p.at = at
		s.pieces = append(s.pieces, p)
		if queues[i] = queues[i][1:]; len(queues[i]) == 0 {
			queues = slices.Delete(queues, i, i+1)
		}
	}
	for i := range len(s.pieces) - 1 {
		x, y := &s.pieces[i], &s.pieces[i+1]
		if s.source == "idm-core" && lookAt([]byte(y.text)) < closing && y.event >= 0 {
			continue // documented: it would be passed on before the part it follows
		}
		if x.at == y.at && (x.event >= 0 || y.event >= 0 || x.pair >= 0 && x.pair == y.pair) && rapid.Bool().Draw(t, "swap") {
			*x, *y = *y, *x
		}
	}
	return s
}

// entries returns the stream's entries, with JSON entries in between.
func (s *stream) entries() []aic.Entry {
	var es []aic.Entry
	for i, p := range s.pieces {
		es = append(es, line(s.source, p.text, time.Duration(p.at)*time.Microsecond))
		if i%3 == 1 {
			es = append(es, entry(s.source, fmt.Sprintf(`{"n":%d}`, i), time.Duration(p.at)*time.Microsecond))
		}
	}
	return es
}

// begins returns the timestamp of an event's first part.
func (s *stream) begins(event int) time.Time {
	var head piece
	for _, p := range s.pieces {
		if p.event == event && strings.HasPrefix(s.events[event], p.text) && len(p.text) > len(head.text) {
			head = p
		}
	}
	return epoch.Add(time.Duration(head.at) * time.Microsecond)
}

// parts returns the number of an event's parts.
func (s *stream) parts(event int) (n int) {
	for _, p := range s.pieces {
		if p.event == event {
			n++
		}
	}
	return n
}

// otherWay reports whether parts of the event, by themselves or with other
// texts, could make an object in another way than the true one, or whether a
// text stands before the event's head that could be within it.
func (s *stream) otherWay(event int) bool {
	var truth []int
	for i, p := range s.pieces {
		if p.event == event {
			truth = append(truth, i)
		}
	}
	steps := 0
	var search func(used []int, text []byte) bool
	search = func(used []int, text []byte) bool {
		if steps++; steps > 4_000 {
			return true // not known
		}
		if validObject(text) {
			sorted := slices.Sorted(slices.Values(used))
			same := string(text) == s.events[event] && slices.Equal(sorted, truth)
			return !same && slices.ContainsFunc(used, func(i int) bool { return s.pieces[i].event == event })
		}
		var c checker
		if !c.feed(text) {
			return false
		}
		for i, p := range s.pieces {
			if slices.Contains(used, i) || len(used) > 0 && p.at < s.pieces[used[len(used)-1]].at || len(used) == 0 && !strings.HasPrefix(p.text, "{") {
				continue
			}
			if search(append(slices.Clone(used), i), append(bytes.Clone(text), p.text...)) {
				return true
			}
		}
		return false
	}
	if search(nil, nil) {
		return true
	}
	// A text without a sign of JSON was passed on, and then a part with the same
	// timestamp came.
	for n, p := range s.pieces {
		if (lookAt([]byte(p.text)) <= closing || isSpace(p.text[0]) || validObject([]byte(p.text))) && slices.ContainsFunc(truth, func(i int) bool { return i > n && s.pieces[i].at == p.at }) {
			return true
		}
	}
	return false
}

// TestSplitsReassemble: whatever is split, interleaved and cut into calls comes
// out whole, or in parts where there is another way to read it; nothing is lost,
// and nothing is joined that does not belong together.
func TestSplitsReassemble(t *testing.T) {
	joined, loose := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		s := genStream(t)
		es := s.entries()
		events := run(New(Options{}), es, atOnce)
		again := run(New(Options{}), es, func() int { return rapid.IntRange(1, 4).Draw(t, "calls") })
		if diff := cmp.Diff(events, again); diff != "" {
			t.Fatalf("cut into calls: %s", diff)
		}

		var want, got []string // texts of all that is not joined
		whole := make([]bool, len(s.events))
		for i := range events {
			e := &events[i]
			checkEvent(t, e)
			switch e.Outcome {
			case Joined:
				n := -1
				for k, text := range s.events {
					if whole[k] || text != textOf(e) {
						continue
					}
					if n < 0 || s.begins(k).Equal(e.Time) && s.parts(k) == e.Parts {
						n = k // there can be several of the same text
					}
				}
				if n < 0 {
					t.Fatalf("joined what does not belong together: %q of %+v", textOf(e), s.pieces)
				}
				whole[n] = true
			case Record:
				got = append(got, strings.Split(textOf(e), "\n")...)
			default:
				got = append(got, textOf(e))
			}
		}
		for i, p := range s.pieces {
			if i%3 == 1 {
				want = append(want, fmt.Sprintf(`{"n":%d}`, i))
			}
			if p.event < 0 || !whole[p.event] {
				want = append(want, p.text)
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		if diff := cmp.Diff(strings.Join(want, "\n"), strings.Join(got, "\n")); diff != "" && !slices.ContainsFunc(s.pieces, func(p piece) bool { return strings.Contains(p.text, "\n") }) {
			t.Fatalf("lost or made up: %s", diff)
		}
		for k := range whole {
			switch {
			case whole[k]:
				joined++
			case !s.otherWay(k):
				t.Fatalf("left in parts, without need: %q of %+v: %q", s.events[k], s.pieces, show(events))
			default:
				loose++
			}
		}
	})
	t.Logf("%d joined, %d ambiguous", joined, loose)
}

// TestOneSplitEvent: an event by itself is joined wherever it is cut, also when
// parts with the same timestamp are swapped.
func TestOneSplitEvent(t *testing.T) {
	text := "{\n\t\"_id\":\"x-1\",\"a\\u0041\\n\\\"\":[1,-2.5e-7,{\"é😀\":\"\\ud83d\\ude00 \\\\\"}],\"t\":true,\"n\":null,\"e\":{}}"
	for i := 1; i < len(text); i++ {
		for _, swap := range []bool{false, true} {
			es := []aic.Entry{line("am-activity", text[:i], 0), line("am-activity", text[i:], 0)}
			if swap {
				slices.Reverse(es)
			}
			events := run(New(Options{}), es, atOnce)
			want := strings.NewReplacer("\n", " ", "\t", " ").Replace(text)
			if len(events) != 1 || events[0].Outcome != Joined || textOf(&events[0]) != want || string(events[0].ID) != "x-1" {
				t.Errorf("cut at %d, swapped %t: %q", i, swap, show(events))
				continue
			}
			checkEvent(t, &events[0])
		}
	}
}
