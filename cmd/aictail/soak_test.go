package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"aictail/tailer/simulator"
)

// TestSoak is the promise with a real process, a real clock and real files: a limit
// of 28 requests a minute, eleven sources polled one by one, faulty answers, split
// and late events, a tail that skips, and a kill -9 every few seconds for as many
// minutes as TEST_SOAK says (`make soak`). TestComplete in package tailer tries the
// same in simulated time.
func TestSoak(t *testing.T) {
	minutes, err := strconv.Atoi(os.Getenv("TEST_SOAK"))
	if err != nil {
		t.Skip("make soak runs it: it takes many minutes")
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	tenant, err := simulator.New(simulator.Options{
		Rate: 4, Seed: seed, Ledger: true, Limit: 28, Sources: soakSources,
		SplitShare: 0.02, LateShare: 0.03, TailCap: 150, TailSkips: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := tenant.FaultShare(0.05); err != nil {
		t.Fatal(err)
	}
	url, stop, err := simulator.Start(tenant)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	ctx, cancel := context.WithCancel(t.Context())
	var events sync.WaitGroup
	events.Go(func() { _ = tenant.Run(ctx) })
	defer events.Wait()
	defer cancel()

	// Refusals of the first minute do not count: nobody knows the limit yet.
	began := time.Now()
	refused := 0
	watch := func() {
		n := 0
		for r, k := range tenant.Requests() {
			if r.Status == 429 && r.Fault == "" {
				n += k
			}
		}
		if n > refused && time.Since(began) > time.Minute {
			t.Errorf("%d requests were refused with 429 by %s", n-refused, time.Since(began).Round(time.Second))
		}
		refused = n
	}

	dir := t.TempDir()
	config := soakConfig(t, dir, url)
	chance := rand.New(rand.NewPCG(seed, 0))
	kills := 0
	for end := time.Now().Add(time.Duration(minutes) * time.Minute); time.Now().Before(end); kills++ {
		p := start(t, "run", "--config", config)
		select {
		case <-p.done:
			t.Fatalf("aictail ended by itself:\n%s", tail(p.log.String()))
		case <-time.After(2*time.Second + time.Duration(chance.IntN(12_000))*time.Millisecond):
			p.kill()
		}
		watch()
	}

	if err := tenant.FaultShare(0); err != nil {
		t.Fatal(err)
	}
	p := start(t, "run", "--config", config)
	cancel()
	events.Wait()
	var d simulator.Difference
	// Two or three minutes after a short crash phase; the bound is for a slow machine.
	for end := time.Now().Add(10 * time.Minute); time.Now().Before(end); time.Sleep(5 * time.Second) {
		if d = tenant.Compare(textsOf(readLines(t, filepath.Join(dir, "out")))); d.OK() {
			break
		}
		t.Logf("not yet: %d missing, %d too many", d.Missing, d.Surplus)
	}
	if code := p.stop(); code != exitDone {
		t.Errorf("exit code %d after SIGTERM, want %d", code, exitDone)
	}
	if d = tenant.Compare(textsOf(readLines(t, filepath.Join(dir, "out")))); !d.OK() {
		t.Error(d)
	}
	watch()
	total := 0
	for _, n := range tenant.Requests() {
		total += n
	}
	t.Logf("%d kills, %d logical events, %d of them ambiguous and in parts, %d requests, %d refused", kills, d.Events, d.InParts, total, refused)
}

// soakSources are polled one by one: eleven tails and eleven sweeps share the limit.
var soakSources = []string{
	"am-access", "am-activity", "am-authentication", "am-config", "am-core",
	"idm-access", "idm-activity", "idm-authentication", "idm-config", "idm-core", "idm-sync",
}

func soakConfig(t *testing.T, dir, url string) string {
	t.Helper()
	sources, err := json.Marshal(soakSources)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "aictail.yaml")
	writeFile(t, path, fmt.Sprintf(`
data_dir: %[1]s/data
log: {format: console, level: warn}
admin: {listen: 127.0.0.1:0}
tenants:
  prod: {url: %[2]s, api_key: key, api_secret: secret, sources: %[3]s, start: 1m}
filter: {redact: [{preset: "off"}]} # so that texts can be compared
sinks:
  out: {type: file, path: "%[1]s/out/{source}.ndjson"}
`, dir, url, sources))
	return path
}

// textsOf returns how often the files have an event with each text.
func textsOf(lines map[string]int) map[string]int {
	texts := map[string]int{}
	for line, n := range lines {
		var e struct{ Payload json.RawMessage }
		if json.Unmarshal([]byte(line), &e) == nil { // else half a line: it is being written
			texts[simulator.Text(e.Payload)] += n
		}
	}
	return texts
}
