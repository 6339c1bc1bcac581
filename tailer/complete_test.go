package tailer

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"aictail/tailer/simulator"
	"aictail/tailer/sweep"
)

// elevenSources are polled one by one: eleven tails and eleven sweeps have to
// share 28 requests a minute.
var elevenSources = []string{
	"am-access", "am-activity", "am-authentication", "am-config", "am-core",
	"idm-access", "idm-activity", "idm-authentication", "idm-config", "idm-core", "idm-sync",
}

// TestComplete is the promise in simulated time: a low rate limit, faulty answers,
// split events, late entries, a tail that skips over its cap, refused cookies and
// a crash every few seconds; and in the end every event once and whole, no refused
// request, and a complete-until that never claimed what was not there.
//
// TEST_SOAK, a number of simulated minutes, makes it longer (`make soak`).
func TestComplete(t *testing.T) {
	crashing, seed := 12*time.Minute, uint64(20)
	if minutes := os.Getenv("TEST_SOAK"); minutes != "" {
		n, err := strconv.Atoi(minutes)
		if err != nil {
			t.Fatal("TEST_SOAK: ", err)
		}
		crashing, seed = time.Duration(n)*time.Minute, uint64(time.Now().UnixNano())
		t.Logf("%s of crashes, seed %d", crashing, seed)
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, simulator.Options{
			Limit: 28, Sources: elevenSources, Rate: 4, Seed: seed, Ledger: true,
			SplitShare: 0.02, LateShare: 0.03, TailCap: 150, TailSkips: true,
		})
		w.mode = sweep.Full
		if err := w.tenant.FaultShare(0.05); err != nil {
			t.Fatal(err)
		}
		chance := rand.New(rand.NewPCG(seed, 20))
		for end := time.Now().Add(crashing); time.Now().Before(end); {
			w.run(2*time.Second+time.Duration(chance.IntN(12_000))*time.Millisecond, elevenSources...)
			w.checkClaims()
			w.journal.restart(true) // kill -9; the loss of unsynced records is tried elsewhere
			w.restart()
		}
		if err := w.tenant.FaultShare(0); err != nil {
			t.Fatal(err)
		}
		w.run(2*time.Minute, elevenSources...)
		w.checkClaims()
		w.calm(15*time.Minute, elevenSources...)
		w.wantWholeOnce()
		w.wantNoneRefused()
	})
}

// TestLongOutage: after 40 days of silence the daemon catches up the 30 that the
// tenant keeps, and says which 10 are lost.
func TestLongOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const day = 24 * time.Hour
		w := newWorld(t, simulator.Options{Limit: 28, Seed: 21, Ledger: true})
		w.calm(5*time.Minute, "am-config", "idm-config")
		stopped := time.Now()
		for i := range 400 {
			at := stopped.Add(time.Duration(i) * day / 10)
			add(t, w.tenant, "am-config", fmt.Sprintf(`{"_id":"day-%d-%d"}`, i/10, i%10), at)
		}
		time.Sleep(40 * day)
		w.restart()
		w.calm(time.Hour, "am-config", "idm-config")

		there := strings.Join(w.journal.raws(), "\n")
		for i := range 400 {
			at := stopped.Add(time.Duration(i) * day / 10)
			kept := at.After(stopped.Add(10*day + time.Hour))
			if kept && strings.Count(there, fmt.Sprintf(`"day-%d-%d"`, i/10, i%10)) != 1 {
				t.Errorf("the entry of %s is not there once", at)
			}
		}
		if begun, ended := w.logged("the sweep catches up"), w.logged("the sweep has caught up"); begun != 2 || ended != 2 {
			t.Errorf("%d sweeps told that they catch up, %d that they have; want both to tell both once", begun, ended)
		}
		for _, s := range w.streams {
			if p := s.Progress(time.Now()); p.Behind > 2*time.Minute || time.Since(p.CompleteUntil) > 5*time.Minute {
				t.Errorf("%s is behind by %s after an hour, complete until %s", s.sources, p.Behind, p.CompleteUntil)
			}
		}
		// One for each source, and perhaps one more for the seconds that leave the
		// retention while its oldest window is being read.
		if n := w.logged("entries of this time are lost"); n < 2 || n > 4 {
			t.Errorf("%d reports of lost time, want one or two for each source", n)
		}
		for _, got := range w.metric("aictail_lost_seconds_total", "source") {
			var source string
			var seconds float64
			if _, err := fmt.Sscanf(strings.Replace(got, ":", " ", 1), "%s %g", &source, &seconds); err != nil {
				t.Fatal(err)
			}
			if lost := time.Duration(seconds * float64(time.Second)); lost < 10*day-time.Hour || lost > 10*day+time.Hour {
				t.Errorf("%s: %s are lost, want ten days", source, lost)
			}
		}
		w.wantNoneRefused()
	})
}

// calm runs without new events.
func (w *world) calm(d time.Duration, sources ...string) {
	w.t.Helper()
	w.quiet = true
	w.run(d, sources...)
}

// wantNoneRefused checks that the tenant answered no honest 429.
func (w *world) wantNoneRefused() {
	w.t.Helper()
	refused, total := 0, 0
	for r, n := range w.tenant.Requests() {
		total += n
		if r.Status == 429 && r.Fault == "" {
			refused += n
		}
	}
	if refused > 0 {
		w.t.Errorf("%d of %d requests were refused with 429", refused, total)
	}
	w.t.Logf("%d requests, none refused", total)
}

// checkClaims holds complete-until against the ledger: no entry of a time that is
// said to be complete may be missing.
func (w *world) checkClaims() {
	w.t.Helper()
	there := map[string]bool{}
	for _, raw := range w.journal.raws() {
		there[raw] = true
	}
	for _, s := range w.streams {
		until := s.Progress(time.Now()).CompleteUntil
		for _, r := range w.tenant.Ledger() {
			// Parts of events have another form in the journal.
			single := r.Payload[0] == '{'
			if single && !r.Time.After(until) && slices.Contains(s.Sources(), r.Source) && !there[string(r.Raw)] {
				w.t.Errorf("%s is said to be complete until %s, but an entry of %s is missing", s.sources, until, r.Time)
				return
			}
		}
	}
}

// wantWholeOnce checks that the journal holds every logical event of the ledger
// once and whole, and nothing else.
func (w *world) wantWholeOnce() {
	w.t.Helper()
	got := map[string]int{}
	for _, raw := range w.journal.raws() {
		got[simulator.Text(payloadOf(w.t, raw))]++
	}
	d := w.tenant.Compare(got)
	w.t.Logf("%d logical events, %d of them ambiguous and in parts", d.Events, d.InParts)
	if !d.OK() {
		w.t.Error(d)
	}
}

// payloadOf returns the payload of a journaled event.
func payloadOf(t *testing.T, raw string) []byte {
	t.Helper()
	var e struct{ Payload json.RawMessage }
	if err := json.Unmarshal([]byte(raw), &e); err != nil {
		t.Fatal(err)
	}
	return e.Payload
}
