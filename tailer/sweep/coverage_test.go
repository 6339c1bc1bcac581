package sweep

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// epoch is tick 0 of the tests.
var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// span returns (a, b] in seconds after epoch.
func span(a, b int) Interval {
	return Interval{epoch.Add(time.Duration(a) * time.Second), epoch.Add(time.Duration(b) * time.Second)}
}

func covering(list ...Interval) Coverage {
	var c Coverage
	for _, iv := range list {
		c.Add(iv)
	}
	return c
}

func TestCoverageSet(t *testing.T) {
	ab := covering(span(10, 20), span(30, 40))
	tests := []struct {
		name string
		do   func(*Coverage)
		want []Interval
	}{
		{"add before", func(c *Coverage) { c.Add(span(0, 5)) }, []Interval{span(0, 5), span(10, 20), span(30, 40)}},
		{"add touching", func(c *Coverage) { c.Add(span(20, 25)) }, []Interval{span(10, 25), span(30, 40)}},
		{"add that joins", func(c *Coverage) { c.Add(span(20, 30)) }, []Interval{span(10, 40)}},
		{"add over all", func(c *Coverage) { c.Add(span(0, 50)) }, []Interval{span(0, 50)}},
		{"add inside", func(c *Coverage) { c.Add(span(12, 13)) }, []Interval{span(10, 20), span(30, 40)}},
		{"add empty", func(c *Coverage) { c.Add(span(25, 25)) }, []Interval{span(10, 20), span(30, 40)}},
		{"add inverted", func(c *Coverage) { c.Add(span(27, 22)) }, []Interval{span(10, 20), span(30, 40)}},
		{"remove inside", func(c *Coverage) { c.Remove(span(12, 13)) }, []Interval{span(10, 12), span(13, 20), span(30, 40)}},
		{"remove across", func(c *Coverage) { c.Remove(span(15, 35)) }, []Interval{span(10, 15), span(35, 40)}},
		{"remove a gap", func(c *Coverage) { c.Remove(span(20, 30)) }, []Interval{span(10, 20), span(30, 40)}},
		{"remove exactly", func(c *Coverage) { c.Remove(span(10, 20)) }, []Interval{span(30, 40)}},
		{"remove all", func(c *Coverage) { c.Remove(span(0, 50)) }, nil},
		{"clip inside", func(c *Coverage) { c.Clip(span(0, 35).End) }, []Interval{span(35, 40)}},
		{"clip before all", func(c *Coverage) { c.Clip(epoch) }, []Interval{span(10, 20), span(30, 40)}},
		{"clip all", func(c *Coverage) { c.Clip(span(0, 40).End) }, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := ab // a copy by assignment must not change the original
			tt.do(&c)
			if got := c.Intervals(); len(got)+len(tt.want) > 0 && !cmp.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			if !ab.Equal(covering(span(10, 20), span(30, 40))) {
				t.Errorf("the original changed: %v", ab.list)
			}
		})
	}
}

func TestCoverageBoundsAreHalfOpen(t *testing.T) {
	c := covering(span(10, 20))
	for second, want := range map[int]bool{9: false, 10: false, 11: true, 20: true, 21: false} {
		if got := c.Covers(span(0, second).End); got != want {
			t.Errorf("Covers(%d) = %v", second, got)
		}
	}
	if !c.Covers(span(0, 10).End.Add(1)) || c.Covers(span(0, 20).End.Add(1)) {
		t.Error("bounds are not exact to the nanosecond")
	}
}

func TestCoverageUsesUTC(t *testing.T) {
	zone := time.FixedZone("elsewhere", 3600)
	c := covering(Interval{epoch.In(zone), epoch.Add(time.Minute).In(zone)})
	got := c.Gaps(Interval{epoch.Add(-time.Second).In(zone), epoch.Add(2 * time.Minute).In(zone)})
	want := []Interval{span(-1, 0), span(60, 120)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, iv := range append(got, c.Intervals()...) {
		if iv.Begin.Location() != time.UTC || iv.End.Location() != time.UTC {
			t.Errorf("%v is not in UTC", iv)
		}
	}
}

func TestCoverageDurationDoesNotOverflow(t *testing.T) {
	year := func(y int) time.Time { return time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC) }
	c := covering(Interval{year(1), year(290)}, Interval{year(300), year(590)})
	if got := c.Duration(); got != math.MaxInt64 {
		t.Errorf("Duration() = %d", got)
	}
}

// model is the naive coverage: a set of ticks, tick n for the moment n.
type model [64]bool

func (m *model) set(iv Interval, to bool) {
	for i := range m {
		if iv.Contains(span(0, i).End) {
			m[i] = to
		}
	}
}

func (m *model) is(t *rapid.T, what string, c Coverage) {
	for i := range m {
		if c.Covers(span(0, i).End) != m[i] {
			t.Fatalf("%s: tick %d: want %v in %v", what, i, m[i], c.list)
		}
	}
	ordered(t, c)
}

func ordered(t interface{ Fatalf(string, ...any) }, c Coverage) {
	for i, iv := range c.list {
		if iv.Empty() || i > 0 && !iv.Begin.After(c.list[i-1].End) {
			t.Fatalf("not sorted and disjoint: %v", c.list)
		}
	}
}

func anySpan(t *rapid.T, label string) Interval {
	a, b := rapid.IntRange(0, 63).Draw(t, label), rapid.IntRange(0, 63).Draw(t, label)
	return span(min(a, b), max(a, b))
}

func TestCoverageAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var c, other Coverage
		var m, om model
		for range rapid.IntRange(1, 20).Draw(t, "steps") {
			iv := anySpan(t, "iv")
			switch rapid.IntRange(0, 4).Draw(t, "op") {
			case 0, 1:
				c.Add(iv)
				m.set(iv, true)
			case 2:
				c.Remove(iv)
				m.set(iv, false)
			case 3:
				other.Add(iv)
				om.set(iv, true)
			case 4:
				c.Clip(iv.Begin)
				m.set(Interval{epoch.Add(-time.Hour), iv.Begin}, false)
			}
		}
		m.is(t, "set", c)
		both, rest := m, m
		ticks := 0
		for i := range m {
			both[i], rest[i] = m[i] && om[i], m[i] && !om[i]
			if m[i] {
				ticks++
			}
		}
		both.is(t, "intersection", c.Intersect(other))
		rest.is(t, "difference", c.without(other))
		if got := c.Duration(); got != time.Duration(ticks)*time.Second {
			t.Fatalf("Duration() = %v for %d ticks", got, ticks)
		}
		checkQueries(t, c, &m)
		checkRoundTrip(t, c)
	})
}

func checkQueries(t *rapid.T, c Coverage, m *model) {
	within := anySpan(t, "within")
	var gaps model
	for _, iv := range c.Gaps(within) {
		gaps.set(iv, true)
	}
	all := true
	for i := range m {
		open := within.Contains(span(0, i).End) && !m[i]
		all = all && !open
		if gaps[i] != open {
			t.Fatalf("tick %d of the gaps in %v: want %v", i, within, open)
		}
	}
	if c.CoversAll(within) != all {
		t.Fatalf("CoversAll(%v) = %v", within, !all)
	}
	end := rapid.IntRange(0, 63).Draw(t, "from")
	from := span(0, end).End
	for end+1 < len(m) && m[end+1] {
		end++
	}
	if got := c.CompleteUntil(from); !got.Equal(span(0, end).End) {
		t.Fatalf("CompleteUntil(%v) = %v, want %v", from, got, span(0, end).End)
	}
}

func checkRoundTrip(t interface{ Fatalf(string, ...any) }, c Coverage) {
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatalf("%v", err)
	}
	var back Coverage
	if err := json.Unmarshal(b, &back); err != nil || !back.Equal(c) {
		t.Fatalf("%s was read as %v, %v", b, back.list, err)
	}
}

func TestCoverageJSON(t *testing.T) {
	c := covering(Interval{epoch, epoch.Add(1500 * time.Millisecond)}, Interval{epoch.Add(time.Hour), epoch.Add(time.Hour + 1)})
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	const want = `[["2026-03-01T12:00:00Z","2026-03-01T12:00:01.5Z"],["2026-03-01T13:00:00Z","2026-03-01T13:00:00.000000001Z"]]`
	if string(b) != want {
		t.Errorf("got  %s\nwant %s", b, want)
	}
	checkRoundTrip(t, c)
	if b, err := json.Marshal(Coverage{}); err != nil || string(b) != "[]" {
		t.Errorf("empty: %s, %v", b, err)
	}
	far := covering(Interval{epoch, time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)})
	if b, err := json.Marshal(far); err == nil {
		t.Errorf("year 10000 was written as %s", b)
	}
}

func TestCoverageJSONIsStrict(t *testing.T) {
	const a, b, c = `"2026-03-01T12:00:00Z"`, `"2026-03-01T13:00:00Z"`, `"2026-03-01T14:00:00Z"`
	tests := []struct{ text, want string }{
		{`null`, "not null"},
		{`{}`, "cannot unmarshal object"},
		{`[[` + a + `,` + b + `]`, "unexpected end"},
		{`[[` + a + `]]`, "interval 0: want begin and end, not 1 values"},
		{`[null]`, "interval 0: want begin and end, not 0 values"},
		{`[[` + a + `,` + b + `,` + c + `]]`, "not 3 values"},
		{`[[` + a + `,null]]`, "end is not a time"},
		{`[["yesterday",` + b + `]]`, "begin is not a time"},
		{`[["2026-03-01T13:00:00+01:00",` + b + `]]`, "begin is not a time in RFC 3339, UTC"},
		{`[["2026-03-01T12:00:00.500Z",` + b + `]]`, "without trailing zeros"},
		{`[[` + a + `,` + a + `]]`, "interval 0: it does not end after its begin"},
		{`[[` + b + `,` + a + `]]`, "does not end after its begin"},
		{`[[` + b + `,` + c + `],[` + a + `,` + b + `]]`, "interval 1 does not begin after"},
		{`[[` + a + `,` + b + `],[` + b + `,` + c + `]]`, "interval 1 does not begin after"},
		{`[[1,2]]`, "cannot unmarshal number"},
	}
	for _, tt := range tests {
		cov := covering(span(1, 2))
		err := cov.UnmarshalJSON([]byte(tt.text))
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "read the coverage: ") {
			t.Errorf("%s: error %v, want %q", tt.text, err, tt.want)
		}
		if !cov.Equal(covering(span(1, 2))) {
			t.Errorf("%s: the coverage changed after an error", tt.text)
		}
	}
}

func FuzzCoverageJSON(f *testing.F) {
	for _, seed := range []string{
		`[]`, `null`, `[[]]`, `[["2026-03-01T12:00:00Z","2026-03-01T12:00:01.5Z"]]`,
		`[["2026-03-01T12:00:00Z","2026-03-01T13:00:00Z"],["2026-03-01T13:00:00.000000001Z","9999-12-31T23:59:59Z"]]`,
		`[["0000-01-01T00:00:00Z","2026-03-01T12:00:60Z"]]`, `[["2026-03-01T12:00:00,5Z","2026-03-01T13:00:00Z"]]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var c Coverage
		if json.Unmarshal(b, &c) != nil {
			return
		}
		if strings.TrimSpace(string(b)) == "null" {
			t.Fatal("null was accepted")
		}
		ordered(t, c)
		checkRoundTrip(t, c)
		if gaps := c.without(c); len(gaps.list) != 0 {
			t.Fatalf("%v without itself leaves %v", c.list, gaps.list)
		}
	})
}
