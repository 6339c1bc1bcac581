package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"aictail/tailer/simulator"
)

// TestCrash kills the daemon again and again while events pour in and 5 % of
// the tenant's answers are faulty. At the end every entry that the tail has
// returned must be in the files of both sinks exactly once.
//
// TEST_CRASHES sets the number of kills; `make crash` runs twenty.
func TestCrash(t *testing.T) {
	crashes := 4
	if v := os.Getenv("TEST_CRASHES"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil {
			t.Fatal(err)
		}
		crashes = n
	}
	dir := t.TempDir()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	tenant, url := crashTenant(t, seed)
	config := crashConfig(t, dir, url)

	chance := rand.New(rand.NewPCG(seed, 0))
	for range crashes {
		p := start(t, "run", "--config", config)
		// The moment is what is tried here: from the middle of the start to
		// seconds of steady work.
		lives := time.Duration(chance.IntN(2500)) * time.Millisecond
		t.Logf("killed after %s", lives)
		time.Sleep(lives)
		select {
		case <-p.done:
			t.Fatalf("aictail ended by itself:\n%s", tail(p.log.String()))
		default:
			p.kill()
		}
	}

	// The last run works undisturbed until everything that was returned is
	// there. From now on the tenant returns nothing new.
	if err := tenant.FaultShare(0); err != nil {
		t.Fatal(err)
	}
	p := start(t, "run", "--config", config)
	before := len(readLines(t, filepath.Join(dir, "plain")))
	eventually(t, "new events after the crashes", func() bool {
		return len(readLines(t, filepath.Join(dir, "plain"))) > before
	})
	if _, err := tenant.Inject(simulator.Fault{Effect: simulator.Status, Times: -1}); err != nil {
		t.Fatal(err)
	}
	for _, sink := range []string{"plain", "rotated"} {
		eventually(t, "every returned entry in sink "+sink, func() bool {
			missing, _ := compare(tenant, readLines(t, filepath.Join(dir, sink)))
			return missing == 0
		})
	}
	if code := p.stop(); code != exitDone {
		t.Errorf("exit code %d after SIGTERM, want %d:\n%s", code, exitDone, tail(p.log.String()))
	}
	for _, sink := range []string{"plain", "rotated"} {
		lines := readLines(t, filepath.Join(dir, sink))
		missing, repeated := compare(tenant, lines)
		t.Logf("sink %s after %d kills: %d different lines, %d missing, %d too many", sink, crashes, len(lines), missing, repeated)
		if missing > 0 || repeated > 0 {
			t.Errorf("sink %s: %d entries missing, %d lines too many", sink, missing, repeated)
		}
	}
	faults := 0
	for r, n := range tenant.Requests() {
		if r.Fault != "" {
			faults += n
		}
	}
	t.Logf("%d faulty answers", faults)
	if faults == 0 {
		t.Error("no answer was faulty: the test has tried nothing")
	}
}

// crashTenant starts a simulated tenant under load.
func crashTenant(t *testing.T, seed uint64) (*simulator.Tenant, string) {
	t.Helper()
	tenant, err := simulator.New(simulator.Options{
		Rate: 1500, Seed: seed, Ledger: true, Limit: 100_000, SplitShare: 0.02, LateShare: 0.03,
	})
	if err != nil {
		t.Fatal(err)
	}
	// A 429 stops the polls for up to a minute, as it should; it is left to the
	// tests of the budget.
	faults := slices.DeleteFunc(simulator.AnyFault(), func(f simulator.Fault) bool { return f.Effect == simulator.RateLimited })
	if err := tenant.FaultShare(0.05, faults...); err != nil {
		t.Fatal(err)
	}
	url, stop, err := simulator.Start(tenant)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- tenant.Run(t.Context()) }()
	t.Cleanup(func() { stop(); <-done })
	return tenant, url
}

func crashConfig(t *testing.T, dir, url string) string {
	t.Helper()
	path := filepath.Join(dir, "aictail.yaml")
	writeFile(t, path, fmt.Sprintf(`
data_dir: %[1]s/data
log: {format: console, level: warn}
admin: {listen: 127.0.0.1:0}
tenants:
  prod:
    url: %[2]s
    api_key: key
    api_secret: secret
    sources:
      - am-access
      - am-core
      - idm-core
      - am-activity,am-authentication,am-config,idm-access,idm-activity,idm-authentication,idm-config,idm-recon,idm-sync,ws-activity,ws-config,ws-core
    poll: {min_interval: 100ms, max_interval: 1s, timeout: 5s}
filter: {redact: [{preset: "off"}]} # so that lines can be compared byte for byte
sinks:
  plain: {type: file, path: "%[1]s/plain/{tenant}/{source}.ndjson"}
  rotated: {type: file, path: "%[1]s/rotated/all-{date}.ndjson", rotate: {max_size: 1MiB, compress: zstd}}
`, dir, url))
	return path
}

// compare counts the entries that the tail has returned and that are not in
// the lines, and the lines that the tenant has no entry for or too few.
func compare(tenant *simulator.Tenant, lines map[string]int) (missing, repeated int) {
	held, returned := map[string]int{}, map[string]int{}
	for _, r := range tenant.Ledger() {
		held[string(r.Raw)]++
		if r.Tailed > 0 {
			returned[string(r.Raw)]++
		}
	}
	for raw, n := range returned {
		missing += max(0, n-lines[raw])
	}
	for raw, n := range lines {
		repeated += max(0, n-held[raw])
	}
	return missing, repeated
}
