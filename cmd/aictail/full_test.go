package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aictail/tailer/simulator"
)

// TestFullJournal blocks a sink until the journal is full. Polling must stop and
// say why; once the sink is mended and there is room again, every entry must be
// in both sinks once.
func TestFullJournal(t *testing.T) {
	t.Parallel()
	const entries = 100_000 // some 70 MiB, twice the journal
	tenant, err := simulator.New(simulator.Options{
		Limit: 100_000, Seed: 1, ShowLast: true, MaxEntries: 2 * entries,
		Sources: []string{"am-access", "am-activity", "am-authentication", "idm-access", "idm-activity", "idm-sync"},
	})
	if err != nil {
		t.Fatal(err)
	}
	tenant.Generate(entries)
	url, stop, err := simulator.Start(tenant)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	dir := t.TempDir()
	config, address := filepath.Join(dir, "aictail.yaml"), freeAddress(t)
	write := func(maxSize string) {
		writeFile(t, config, fmt.Sprintf(`
data_dir: %[1]s/data
admin: {listen: %[3]s}
tenants:
  prod:
    url: %[2]s
    api_key: key
    api_secret: secret
    sources: ["am-access,am-activity", "am-authentication,idm-access", "idm-activity,idm-sync"]
    poll: {min_interval: 100ms, max_interval: 1s}
    start: 15s
    sweep: {settle: 5s}
filter: {redact: [{preset: "off"}]} # so that lines can be compared byte for byte
journal: {max_size: %[4]s}
sinks:
  good: {type: file, path: "%[1]s/good/{source}.ndjson"}
  bad: {type: file, path: "%[1]s/in-the-way/{source}.ndjson"}
`, dir, url, address, maxSize))
	}
	write("32MiB")
	obstacle := filepath.Join(dir, "in-the-way")
	writeFile(t, obstacle, "a file where the sink needs a folder")
	p := start(t, "run", "--config", config)
	eventually(t, "a full journal in the log", func() bool { return strings.Contains(p.log.String(), "the journal is full") })
	if !strings.Contains(p.log.String(), `"sink":"bad"`) {
		t.Error("the log does not name the sink that is behind")
	}
	if body, status := get("http://" + address + "/readyz"); status != 503 || !strings.Contains(body, "failed: journal: full") || !strings.Contains(body, "failed: sink bad: ") {
		t.Errorf("/readyz answered %d: %s", status, body)
	}
	if body, _ := get("http://" + address + "/metrics"); !strings.Contains(body, `aictail_sink_paused{sink="bad"} 1`) {
		t.Error("the metrics do not say that the sink is paused")
	}
	full := &scene{t: t, admin: address}
	if is, _ := full.value("aictail_journal_bytes"); is < 32<<20 {
		t.Errorf("aictail_journal_bytes is %g", is)
	}
	full.until("is max_size", equals(32<<20), "aictail_journal_max_bytes")
	if n := countNewlines(t, filepath.Join(dir, "good")); n >= entries {
		t.Errorf("%d events in the good sink: polling did not stop", n)
	}
	p.kill()

	// A larger journal instead of the minute that a full one keeps its events for.
	if err := os.Remove(obstacle); err != nil {
		t.Fatal(err)
	}
	write("10GiB")
	p = start(t, "run", "--config", config)
	for _, sink := range []string{"good", "in-the-way"} {
		eventually(t, "every entry in sink "+sink, func() bool {
			return countNewlines(t, filepath.Join(dir, sink)) >= len(tenant.Events())
		})
	}
	if code := p.stop(); code != exitDone {
		t.Errorf("exit code %d after SIGTERM, want %d", code, exitDone)
	}
	for _, sink := range []string{"good", "in-the-way"} {
		missing, repeated := compare(tenant, readLines(t, filepath.Join(dir, sink)))
		if missing > 0 || repeated > 0 {
			t.Errorf("sink %s: %d entries missing, %d lines too many", sink, missing, repeated)
		}
	}
}
