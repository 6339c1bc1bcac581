package main

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"aictail/sinks/sinktest/servers"
	"aictail/sinks/splunkhec/hectest"
	"aictail/tailer/simulator"
)

// TestRealThroughput says how many events each sink takes from a full journal in a
// second of the daemon's CPU time, in proportion to files. It judges nothing: the
// servers share the machine.
func TestRealThroughput(t *testing.T) {
	const events = 60_000
	broker := servers.Kafka(t, servers.KafkaOptions{})
	search := servers.Elasticsearch(t, "8", servers.SearchOptions{})
	splunk := hectest.New(hectest.Options{})
	t.Cleanup(splunk.Close)
	run := fmt.Sprintf("t%x", time.Now().UnixNano())
	broker.CreateTopic(t, run, 3)
	tenant, err := simulator.New(simulator.Options{Limit: 100_000, ShowLast: true, Seed: 1, Sources: crashSources})
	if err != nil {
		t.Fatal(err)
	}
	tenant.Generate(events)
	url, stop, err := simulator.Start(tenant)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	f := &fullJournal{t: t, dir: t.TempDir(), url: url, events: events}

	first := fmt.Sprintf("first: {type: file, path: '%s/first/{source}.ndjson'}", f.dir)
	f.deliver("first", first, 1)
	idle := f.deliver("first", first, 0)
	t.Logf("a start with nothing to deliver takes %s of CPU", idle.Round(time.Millisecond))
	var files float64
	for _, k := range []struct{ name, config string }{
		{"files", fmt.Sprintf("type: file, path: '%s/again/{source}.ndjson'", f.dir)},
		{"kafka", fmt.Sprintf("type: kafka, brokers: [%q], topic: %s, key: /payload/transactionId", broker.Addr(), run)},
		{"splunk", fmt.Sprintf("type: splunk_hec, url: %q, token: token", splunk.URL())},
		{"search", fmt.Sprintf("type: elasticsearch, urls: [%q], index: '%s-{source}-{yyyy.MM}'", search.URL(), run)},
	} {
		took := f.deliver(k.name, k.name+": {"+k.config+"}", 1) - idle
		rate := events / max(took, time.Millisecond).Seconds()
		if files == 0 {
			files = rate
		}
		t.Logf("%s: %.0f events per CPU-second, %.2f of files (%s for %d events)", k.name, rate, rate/files, took.Round(time.Millisecond), events)
	}
}

// fullJournal is a data_dir whose journal has all events of the tenant.
type fullJournal struct {
	t        *testing.T
	dir, url string
	events   float64
}

// deliver runs the daemon with one sink until that has got share of the events, and
// returns the CPU time that the daemon took.
func (f *fullJournal) deliver(sink, config string, share float64) time.Duration {
	f.t.Helper()
	address := freeAddress(f.t)
	path := filepath.Join(f.dir, "aictail.yaml")
	writeFile(f.t, path, fmt.Sprintf(`
data_dir: %s/data
log: {level: warn}
admin: {listen: %q}
tenants: {prod: {url: %q, api_key: x, api_secret: y, sources: [all], start: 1h, sweep: {settle: 5s}, poll: {min_interval: 10s}}}
filter: {redact: [{preset: "off"}]}
sinks: {%s}
`, f.dir, address, f.url, config))
	p := start(f.t, "run", "--config", path)
	eventually(f.t, "everything in "+sink, func() bool {
		// Asking more often would take CPU that counts.
		time.Sleep(250 * time.Millisecond)
		body, status := get("http://" + address + "/metrics")
		return status == 200 && parseMetrics(body)[ofSink("sink_events_total", sink)] >= share*f.events
	})
	if code := p.stop(); code != exitDone {
		f.t.Errorf("exit code %d after SIGTERM, want %d", code, exitDone)
	}
	return p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
}
