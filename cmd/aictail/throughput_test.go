package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aictail/sinks/sinktest/servers"
	"aictail/sinks/splunkhec/hectest"
	"aictail/tailer/simulator"
)

// TestRealThroughput says how many events each sink takes from a full journal in a
// second of the daemon's CPU time, in proportion to files. Five sinks of a kind take
// them at once, so that there is something to measure. It judges nothing: the
// servers share the machine.
func TestRealThroughput(t *testing.T) {
	const events, copies = 30_000, 5
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

	f.deliver("first", 1, "type: file, path: '"+f.dir+"/first/{source}.ndjson'")
	f.events = 0
	idle := f.deliver("first", 1, "type: file, path: '"+f.dir+"/first/{source}.ndjson'")
	f.events = events
	t.Logf("a start with nothing to deliver takes %s of CPU", idle.Round(time.Millisecond))
	var files float64
	for _, k := range []struct{ name, config string }{
		{"files", fmt.Sprintf("type: file, path: '%s/NAME/{source}.ndjson'", f.dir)},
		{"kafka", fmt.Sprintf("type: kafka, brokers: [%q], topic: %s, key: /payload/transactionId", broker.Addr(), run)},
		{"splunk", fmt.Sprintf("type: splunk_hec, url: %q, token: token", splunk.URL())},
		{"search", fmt.Sprintf("type: elasticsearch, urls: [%q], index: '%s-NAME-{source}-{yyyy.MM}'", search.URL(), run)},
	} {
		took := f.deliver(k.name, copies, k.config) - idle
		rate := copies * events / max(took, time.Millisecond).Seconds()
		if files == 0 {
			files = rate
		}
		t.Logf("%s: %.0f events per CPU-second, %.2f of files (%s for %d events)", k.name, rate, rate/files, took.Round(time.Millisecond), copies*events)
	}
}

// fullJournal is a data_dir whose journal has all events of the tenant.
type fullJournal struct {
	t        *testing.T
	dir, url string
	events   float64
}

// deliver runs the daemon with so many sinks until each has got the events, and
// returns the CPU time that the daemon took. NAME in the configuration of the sinks
// is replaced by the name of each.
func (f *fullJournal) deliver(name string, n int, config string) time.Duration {
	f.t.Helper()
	address := freeAddress(f.t)
	var names []string
	var sinks strings.Builder
	for i := range n {
		sink := fmt.Sprintf("%s%d", name, i)
		names = append(names, sink)
		fmt.Fprintf(&sinks, "  %s: {%s}\n", sink, strings.ReplaceAll(config, "NAME", sink))
	}
	path := filepath.Join(f.dir, "aictail.yaml")
	writeFile(f.t, path, fmt.Sprintf(`
data_dir: %s/data
log: {level: warn}
admin: {listen: %q}
tenants: {prod: {url: %q, api_key: x, api_secret: y, sources: [all], start: 1h, sweep: {settle: 5s}, poll: {min_interval: 5s}}}
filter: {redact: [{preset: "off"}]}
sinks:
%s`, f.dir, address, f.url, sinks.String()))
	p := start(f.t, "run", "--config", path)
	eventually(f.t, "everything in "+name, func() bool {
		// Asking more often would take CPU that counts.
		time.Sleep(250 * time.Millisecond)
		body, status := get("http://" + address + "/metrics")
		for _, sink := range names {
			if status != 200 || parseMetrics(body)[ofSink("sink_events_total", sink)] < f.events {
				return false
			}
		}
		return true
	})
	if code := p.stop(); code != exitDone {
		f.t.Errorf("exit code %d after SIGTERM, want %d", code, exitDone)
	}
	return p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
}
