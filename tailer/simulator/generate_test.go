package simulator

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// live returns the ledger of a tenant after n events in steps of 100 ms.
func live(t *testing.T, o Options, n int) []Record {
	t.Helper()
	c := newClock()
	o.Now = c.Now
	tenant := newTenant(t, o)
	for made := 0; made < n; made += 100 {
		c.add(100 * time.Millisecond)
		tenant.Generate(min(100, n-made))
	}
	return tenant.Ledger()
}

func TestLiveEvents(t *testing.T) {
	const n = 10_000
	records := live(t, Options{Seed: 1}, n)
	events, ids, transactions := map[string]int{}, map[string]bool{}, map[string]map[string]bool{}
	lastEvent := uint64(0)
	for _, r := range records {
		var e struct {
			Payload   json.RawMessage
			Timestamp time.Time
			Type      string
			Source    string
		}
		if err := json.Unmarshal(r.Raw, &e); err != nil || bytes.ContainsAny(r.Raw, "\n\r") {
			t.Fatalf("%s: %v in %s", r.Source, err, r.Raw)
		}
		if e.Source != r.Source || !e.Timestamp.Equal(r.Time) || !bytes.Equal(e.Payload, r.Payload) {
			t.Fatalf("entry and record differ: %s", r.Raw)
		}
		if r.Event != lastEvent {
			events[r.Source]++
		}
		lastEvent = r.Event
		var audit struct {
			ID            string `json:"_id"`
			TransactionID string `json:"transactionId"`
			Timestamp     time.Time
			UserID        string `json:"userId"`
		}
		if e.Type == "text/plain" {
			var s string
			if err := json.Unmarshal(e.Payload, &s); err != nil || s == "" {
				t.Fatalf("%s: %v", r.Raw, err)
			}
			continue
		}
		if err := json.Unmarshal(e.Payload, &audit); err != nil || e.Type != "application/json" {
			t.Fatalf("%s: %v", r.Raw, err)
		}
		if audit.ID != "" && ids[audit.ID] {
			t.Fatalf("_id %s twice", audit.ID)
		}
		ids[audit.ID] = true
		request, _, _ := strings.Cut(audit.TransactionID, "/")
		if transactions[request] == nil {
			transactions[request] = map[string]bool{}
		}
		transactions[request][r.Source] = true
	}
	for _, source := range documentedSources() {
		got, want := events[source], n*weightOf(source)/1000
		if !strings.HasSuffix(source, everything) && (got == 0 || got < want*2/3-20 || got > want*4/3+20) {
			t.Errorf("%s: %d events, want about %d", source, got, want)
		}
	}
	shared := 0
	for _, sources := range transactions {
		if len(sources) > 3 {
			shared++
		}
	}
	if shared < 100 {
		t.Errorf("only %d transactions left events in more than three sources", shared)
	}
	all := string(bytes.Join(raws(records), nil))
	for _, want := range []string{
		`@example.com`, `202-555-0142`, `4111 1111 1111 1111`, `Bearer eyJ`, `\"password\":\"`, `佐藤`, `\ud83d\ude00`, `\/`, `:900719925474`,
		`18446744073709551615`, `:1.0,`, `:1e5,`, `:""`, `:null`, `\n\tat `, `"FINE: Read name=user id=anonymous"`, `"\tat `, `HTTP/1.1\"`, `"statusCode":""`,
	} {
		if !strings.Contains(all, want) {
			t.Errorf("nothing contains %s", want)
		}
	}
}

func raws(records []Record) [][]byte {
	var all [][]byte
	for _, r := range records {
		all = append(all, r.Raw)
	}
	return all
}

func TestSameSeedSameEvents(t *testing.T) {
	o := Options{Seed: 5, SplitShare: 0.2, LateShare: 0.2}
	first, second := live(t, o, 1000), live(t, o, 1000)
	expect(t, "entries", len(second), len(first))
	for i, r := range first {
		if s := second[i]; !bytes.Equal(s.Raw, r.Raw) || s.Event != r.Event || !s.Arrived.Equal(r.Arrived) {
			t.Fatalf("entry %d differs: %s and %s", i, s.Raw, r.Raw)
		}
	}
	o.Seed = 6
	if other := live(t, o, 1000); bytes.Equal(other[0].Raw, first[0].Raw) {
		t.Error("another seed gives the same")
	}
}

func TestSplitEvents(t *testing.T) {
	records := live(t, Options{Seed: 2, SplitShare: 1}, 1500)
	byEvent := map[uint64][]Record{}
	for _, r := range records {
		byEvent[r.Event] = append(byEvent[r.Event], r)
	}
	expect(t, "events", len(byEvent), 1500)
	sizes := map[int]int{}
	for _, parts := range byEvent {
		sizes[len(parts)]++
		var whole strings.Builder
		for i, r := range parts {
			var s string
			if err := json.Unmarshal(r.Payload, &s); err != nil {
				t.Fatal(err)
			}
			whole.WriteString(s)
			if i > 0 && (!r.Time.After(parts[i-1].Time) || r.Time.Sub(parts[0].Time) > maxSpread) {
				t.Fatal("parts are not in order or far apart")
			}
		}
		if whole := whole.String(); whole[0] != '{' || !json.Valid([]byte(whole)) {
			t.Fatalf("parts don't make an object: %s", whole)
		}
	}
	if sizes[1] > 0 || sizes[2] == 0 || sizes[3] == 0 || sizes[4] == 0 {
		t.Errorf("parts: %v", sizes)
	}
	slices.SortStableFunc(records, func(a, b Record) int { return a.Time.Compare(b.Time) })
	between := 0
	open := map[string]uint64{}
	for _, r := range records {
		if e := open[r.Source]; e != r.Event && e != 0 && byEvent[e][len(byEvent[e])-1].Time.After(r.Time) {
			between++
		}
		open[r.Source] = r.Event
	}
	if between < 50 {
		t.Errorf("only %d entries of the same source fell between parts", between)
	}
}

func TestSplitReassembles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.MapOf(rapid.String(), rapid.String()).Draw(t, "value")
		object, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		seed := rapid.Uint64().Draw(t, "seed")
		g := &generator{rng: rand.New(rand.NewPCG(seed, 0)), content: newContent(rand.New(rand.NewPCG(seed, 1)))}
		var whole string
		for _, p := range g.split(object) {
			var s string
			if err := json.Unmarshal(p.payload, &s); err != nil || s == "" {
				t.Fatal(err, s)
			}
			whole += s
		}
		if !json.Valid([]byte(whole)) || !strings.HasPrefix(whole, string(object[:len(object)-1])) {
			t.Fatalf("got %q, want an object that begins with the members of %q", whole, object)
		}
	})
}

func TestQuotedIsJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "s")
		var back string
		if err := json.Unmarshal(quoted(s), &back); err != nil || back != s {
			t.Fatalf("%q: %v, %q", s, err, back)
		}
	})
}

func TestJavaLoggingRecords(t *testing.T) {
	header := regexp.MustCompile(`^"[A-Z][a-z]{2} \d\d, \d{4} \d\d?:\d\d:\d\d [AP]M [\w.]+ \w+"$`)
	records := live(t, Options{Seed: 3, Sources: []string{"idm-core"}}, 500)
	lines := map[uint64]int{}
	for _, r := range records {
		if r.Payload[0] == '{' {
			continue
		}
		lines[r.Event]++
		if first := lines[r.Event] == 1; first != header.Match(r.Payload) {
			t.Errorf("line %d: %s", lines[r.Event], r.Payload)
		}
	}
	if longest := slices.Max(slices.Collect(func(yield func(int) bool) {
		for _, n := range lines {
			if n < 2 {
				t.Error("a record of one line")
			}
			if !yield(n) {
				return
			}
		}
	})); longest < 10 {
		t.Errorf("the longest record has %d lines", longest)
	}
}

// A tail that polls after every tick, and is not capped, misses exactly the late
// events; a range query afterwards has them all.
func TestOnlyLateEventsAreMissedByTail(t *testing.T) {
	tenant, c, clock := serve(t, Options{Seed: 4, Rate: 300, SplitShare: 0.1, LateShare: 0.1, LateBy: 4 * time.Second, ShowLast: true})
	begin := clock.Now()
	cookie := ""
	for range 100 {
		clock.add(100 * time.Millisecond)
		tenant.Tick()
		cookie = c.tail("am-everything,idm-everything,ws-everything", cookie).cookie()
	}
	clock.add(5 * time.Second)
	pages := ""
	for more := true; more; more = pages != "" {
		pages = c.page(rangePath, "source", "am-everything,idm-everything,ws-everything", cookieParam, pages).cookie()
	}
	events, late := map[uint64]bool{}, 0
	for _, r := range tenant.Ledger() {
		events[r.Event] = true
		expect(t, "ranged", r.Ranged, 1)
		if delay := r.Arrived.Sub(r.Time); delay > time.Second {
			late++
			if delay < 2*time.Second || delay > 4*time.Second+100*time.Millisecond {
				t.Errorf("late by %v", delay)
			}
		} else if r.Tailed == 0 {
			t.Errorf("an entry of %s at %v that was not late is missed", r.Source, r.Time.Sub(begin))
		}
	}
	expect(t, "events", len(events), 3000)
	if late < 150 {
		t.Errorf("late: %d", late)
	}
}

func TestTickAfterAPause(t *testing.T) {
	c := newClock()
	tenant := newTenant(t, Options{Rate: 10, Now: c.Now, Sources: []string{"am-access"}})
	c.add(time.Hour)
	tenant.Tick()
	records := tenant.Ledger()
	expect(t, "ten seconds' worth", len(records), 100)
	if oldest := c.Now().Sub(records[0].Time); oldest > 10*time.Second {
		t.Errorf("oldest: %v ago", oldest)
	}
	c.add(-time.Minute) // a clock that was set back
	tenant.Tick()
	c.add(150 * time.Millisecond)
	tenant.Tick()
	c.add(150 * time.Millisecond)
	tenant.Tick()
	expect(t, "fractions add up", len(tenant.Ledger()), 103)
}

func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tenant := newTenant(t, Options{Rate: 50})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second+time.Millisecond)
		defer cancel()
		if err := tenant.Run(ctx); err != nil {
			t.Error(err)
		}
		last := uint64(0)
		for _, r := range tenant.Ledger() {
			last = max(last, r.Event)
		}
		expect(t, "events", last, 500)
	})
}

func TestSourcesWithoutKnownContentStayEmpty(t *testing.T) {
	c := newClock()
	tenant := newTenant(t, Options{Rate: 100, Now: c.Now, Sources: []string{"ctsstore", "am-everything"}})
	c.add(time.Second)
	tenant.Tick()
	tenant.Generate(5)
	expect(t, "entries", len(tenant.Ledger()), 0)
}

func BenchmarkGenerate(b *testing.B) {
	c := newClock()
	tenant, err := New(Options{Now: c.Now, MaxEntries: 100_000})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		c.add(time.Millisecond)
		tenant.Generate(100)
	}
	b.ReportMetric(float64(b.N*100)/b.Elapsed().Seconds(), "events/s")
}

func ExampleTenant_Generate() {
	tenant, err := New(Options{Sources: []string{"am-config"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	tenant.Generate(3)
	fmt.Println(len(tenant.Ledger()))
	// Output: 3
}
