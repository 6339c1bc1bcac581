package assemble

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"aictail"
	"aictail/tailer/aic"
	"aictail/tailer/simulator"
)

// TestSimulatedTenant: the live events of a simulated tenant come out whole,
// one for one, however the entries are cut into pages. Left in parts are only
// events that can be read in another way.
func TestSimulatedTenant(t *testing.T) {
	split, loose, alone, whole := 0, 0, 0, 0
	for seed := range uint64(4) {
		now := epoch
		tenant, err := simulator.New(simulator.Options{
			SplitShare: 0.2, Ledger: true, Seed: seed, Rate: 20, Now: func() time.Time { return now },
		})
		if err != nil {
			t.Fatal(err)
		}
		for range 250 {
			now = now.Add(time.Second)
			tenant.Tick()
		}
		ledger := tenant.Ledger()
		slices.SortStableFunc(ledger, func(x, y simulator.Record) int { return x.Time.Compare(y.Time) })
		var es []aic.Entry
		groups := map[uint64][]string{}
		times := map[uint64][]time.Time{}
		mixed := map[uint64]bool{} // events among whose texts others of the source stand
		before := map[string]uint64{}
		for _, r := range ledger {
			start := bytes.Index(r.Raw, r.Payload)
			es = append(es, aic.Entry{
				Raw: r.Raw, Payload: aictail.Span{Start: start, End: start + len(r.Payload)},
				Time: r.Time, Source: r.Source, Type: "text/plain",
			})
			text := string(r.Payload)
			if text[0] == '"' {
				text = string(unescape(nil, r.Payload[1:len(r.Payload)-1]))
			}
			if text[0] == '"' || text != string(r.Payload) {
				if last := before[r.Source]; last != r.Event && groups[r.Event] != nil {
					mixed[last], mixed[r.Event] = true, true
				}
				before[r.Source] = r.Event
			}
			times[r.Event] = append(times[r.Event], r.Time)
			groups[r.Event] = append(groups[r.Event], text)
		}
		rng := rand.New(rand.NewPCG(seed, 1))
		type key struct {
			time time.Time // of the first entry
			text string
		}
		got := map[key]int{}
		parts := 0
		events := run(New(Options{}), es, func() int { return 1 + rng.IntN(200) })
		for i := range events {
			parts += events[i].Parts
			if events[i].Outcome == Joined && !json.Valid(events[i].Payload.Of(events[i].Raw)) {
				t.Errorf("not JSON: %s", events[i].Raw)
			}
			got[key{events[i].Time, textOf(&events[i])}]++
		}
		if parts != len(es) {
			t.Errorf("%d of %d entries came out", parts, len(es))
		}
		for event, texts := range groups {
			text := strings.Join(texts, "\n")
			isSplit := len(texts) > 1 && texts[0][0] == '{'
			if isSplit {
				text = strings.Join(texts, "")
				split++
			}
			switch {
			case got[key{times[event][0], text}] > 0:
				whole++
			case isSplit:
				loose++
				bareMiddle := slices.ContainsFunc(texts[1:len(texts)-1], func(text string) bool { return lookAt([]byte(text)) == bare })
				if !mixed[event] && !bareMiddle && !openBefore(ledger, mixed, event) {
					t.Errorf("left in parts, without need: %q", texts)
				}
				if !mixed[event] {
					alone++
				}
				for i, text := range texts {
					if got[key{times[event][i], text}] == 0 {
						t.Errorf("neither whole nor in parts: %q", texts)
					}
				}
			case !mixed[event]:
				t.Errorf("not one event: %q", texts)
			}
		}
	}
	// The simulator lets half of the split events overlap with others, many of which
	// are split themselves: two of one source can then be put together in several
	// ways. Property tests cut small objects anywhere.
	t.Logf("of %d split events, %d are left in parts, %d of them without another event in between; %d events are whole",
		split, loose, alone, whole)
	if 10*loose > split || alone > 0 {
		t.Error("too many split events are left in parts")
	}
}

// openBefore reports whether events that overlap, and may be ambiguous, were
// still open in the event's source when it came.
func openBefore(ledger []simulator.Record, mixed map[uint64]bool, event uint64) bool {
	i := slices.IndexFunc(ledger, func(r simulator.Record) bool { return r.Event == event })
	return slices.ContainsFunc(ledger[:i], func(r simulator.Record) bool {
		return r.Source == ledger[i].Source && mixed[r.Event] && ledger[i].Time.Sub(r.Time) <= MaxSpread
	})
}
