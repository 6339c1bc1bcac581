package splunkhec

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"aictail"
	"aictail/sinks/splunkhec/hectest"
)

// TestTime: the text is exactly the time, for any time.
func TestTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := time.Unix(rapid.Int64Range(-1e11, 1e11).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanoseconds"))
		text := string(appendTime(nil, at))
		got, ok := new(big.Rat).SetString(text)
		if !ok || strings.ContainsAny(text, "eE/") || !json.Valid([]byte(text)) {
			t.Fatalf("%q is not a JSON number with decimals", text)
		}
		want := new(big.Rat).SetFrac(new(big.Int).Add(new(big.Int).Mul(big.NewInt(at.Unix()), big.NewInt(1e9)), big.NewInt(int64(at.Nanosecond()))), big.NewInt(1e9))
		if got.Cmp(want) != 0 {
			t.Fatalf("%v is written as %s", at, text)
		}
	})
	for want, at := range map[string]time.Time{
		"0": time.Unix(0, 0), "1772409000.123456789": time.Unix(1772409000, 123456789), "1.000000001": time.Unix(1, 1),
		"-0.000000001": time.Unix(-1, 999_999_999), "-1": time.Unix(-1, 0), "-1.500000000": time.Unix(-2, 500_000_000),
	} {
		if got := string(appendTime(nil, at)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// TestText: what is appended is JSON for the same text.
func TestText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SliceOf(rapid.Byte()).Draw(t, "text")
		if rapid.Bool().Draw(t, "valid") {
			text = []byte(rapid.String().Draw(t, "string"))
		}
		b := appendText(nil, text)
		if string(b) != string(appendText(nil, string(text))) {
			t.Fatal("bytes and string differ")
		}
		var got string
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		want := string([]rune(string(text))) // each bad byte becomes U+FFFD
		if got != want {
			t.Fatalf("%q became %q", want, got)
		}
	})
}

// TestPacking: whatever the sizes and the limit, every event is in exactly one
// request, in order, and only a lone event exceeds the limit.
func TestPacking(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 3000).Draw(t, "limit")
		sizes := rapid.SliceOfN(rapid.IntRange(0, 2000), 1, 40).Draw(t, "sizes")
		s, err := New(Config{URLs: []string{"http://127.0.0.1"}, Token: "t", MaxBody: limit}, Deps{})
		if err != nil {
			t.Fatal(err)
		}
		events := make([]aictail.Event, len(sizes))
		for i, size := range sizes {
			events[i] = aictail.Event{ID: fmt.Append(nil, i), Position: aictail.Position(i + 1),
				Raw: fmt.Appendf(nil, `{"x":"%s"}`, strings.Repeat("x", size))}
		}
		if rapid.Bool().Draw(t, "break") {
			s.breakAt = aictail.Position(rapid.IntRange(1, len(sizes)).Draw(t, "at"))
		}
		tr := &transfer{Sink: s, events: events, todo: []span{{0, len(events)}}}
		next := 0
		for len(tr.todo) > 0 {
			sp := tr.pack()
			if sp.from != next || sp.to <= sp.from {
				t.Fatalf("after event %d comes request %+v", next, sp)
			}
			if len(s.plain) > limit && sp.to-sp.from > 1 {
				t.Fatalf("%d events have %d bytes, the limit is %d", sp.to-sp.from, len(s.plain), limit)
			}
			var want []byte
			for i := sp.from; i < sp.to; i++ {
				want = s.encoder.append(want, &events[i])
				if i > sp.from && events[i].Position == s.breakAt {
					t.Fatalf("the request goes across the break at %d", i)
				}
			}
			if string(want) != string(s.plain) {
				t.Fatal("the request does not hold its events")
			}
			next = sp.to
			tr.advance(sp)
		}
		if next != len(events) {
			t.Fatalf("%d of %d events were packed", next, len(events))
		}
	})
}

func TestRoutesAreBounded(t *testing.T) {
	e, err := newEncoder(Config{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range maxRoutes + 10 {
		e.append(nil, &aictail.Event{Source: fmt.Sprint(i), Raw: []byte("{}")})
	}
	if len(e.routes) > maxRoutes {
		t.Errorf("%d routes are kept", len(e.routes))
	}
}

func benchmarkEvents(n int) []aictail.Event {
	events := newEvents(1, n)
	for i := range events {
		events[i].Source = fmt.Sprintf("source-%d", i%11)
		events[i].Raw = fmt.Appendf(nil, `{"payload":{"_id":"%032d","text":%q}}`, i, strings.Repeat("a log line. ", 56))
	}
	return events
}

// BenchmarkEncode is what this package does to an event; BenchmarkSend adds the
// compression and a server in the same process.
func BenchmarkEncode(b *testing.B) {
	e, err := newEncoder(Config{})
	if err != nil {
		b.Fatal(err)
	}
	events := benchmarkEvents(1000)
	var buffer []byte
	b.ReportAllocs()
	for b.Loop() {
		buffer = buffer[:0]
		for i := range events {
			buffer = e.append(buffer, &events[i])
		}
	}
	b.SetBytes(int64(len(buffer)))
	b.ReportMetric(float64(b.N)*float64(len(events))/b.Elapsed().Seconds(), "events/s")
}

func BenchmarkSend(b *testing.B) {
	for _, compression := range []string{"none", "gzip"} {
		b.Run(compression, func(b *testing.B) {
			s := openSink(b, newServer(b, hectest.Options{}), func(c *Config) { c.Compression = compression })
			s.transport = discard{}
			events := benchmarkEvents(1000)
			b.ReportAllocs()
			for b.Loop() {
				if err := s.Send(b.Context(), events); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)*float64(len(events))/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// TestNoAllocationPerEvent compares batches of different sizes.
func TestNoAllocationPerEvent(t *testing.T) {
	for _, compression := range []string{"none", "gzip"} {
		s := openSink(t, newServer(t, hectest.Options{}), func(c *Config) { c.Compression = compression })
		s.transport = discard{}
		events := benchmarkEvents(1000)
		allocs := func(n int) float64 {
			return testing.AllocsPerRun(20, func() {
				if err := s.Send(t.Context(), events[:n]); err != nil {
					t.Fatal(err)
				}
			})
		}
		if few, many := allocs(10), allocs(1000); many > few+5 {
			t.Errorf("%s: %.0f allocations for 10 events, %.0f for 1000", compression, few, many)
		}
	}
}
