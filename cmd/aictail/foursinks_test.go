package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aictail/sinks/sinktest/servers"
	"aictail/sinks/splunkhec/hectest"
	"aictail/tailer/simulator"
)

// fourSinks is a daemon that writes to files, Kafka, Elasticsearch (an index and a
// data stream) and Splunk.
type fourSinks struct {
	t      *testing.T
	dir    string
	run    string // part of the names of indices and topics
	config string
	admin  string

	tenant *simulator.Tenant
	quiet  func()
	broker *servers.Broker
	search *servers.Search
	splunk *hectest.Server
	topics *topics

	watch  *watch
	daemon *program
	kills  int
	// unseen is how many events Splunk was sent shortly before the kills: what the
	// daemon has counted of them may not have been read.
	unseen int
}

// perSecond is how many events the tenant has; all five sinks and their servers
// share the CPU with whatever else runs.
const perSecond = 300

func newFourSinks(t *testing.T) *fourSinks {
	t.Helper()
	f := &fourSinks{
		t: t, dir: t.TempDir(), run: fmt.Sprintf("t%x", time.Now().UnixNano()), admin: freeAddress(t),
		broker: servers.Kafka(t, servers.KafkaOptions{}),
		search: servers.Elasticsearch(t, "8", servers.SearchOptions{}),
		splunk: hectest.New(hectest.Options{}),
	}
	t.Cleanup(f.splunk.Close)
	var names []string
	for _, source := range crashSources {
		names = append(names, f.run+"."+source)
		f.broker.CreateTopic(t, f.run+"."+source, 2)
	}
	f.topics = readTopics(f.broker.Addr(), names...)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	var url string
	f.tenant, url, f.quiet = liveTenant(t, seed, perSecond)
	f.config = loadConfig(t, f.dir, url, f.admin, fmt.Sprintf(`
  archive: {type: file, path: "%[1]s/archive/{tenant}/{source}.ndjson"}
  bus: {type: kafka, brokers: [%[3]q], topic: '%[2]s.{source}', key: /payload/transactionId, timeout: 5s}
  search: {type: elasticsearch, urls: [%[4]q], index: '%[2]s-ix-{source}-{yyyy.MM}'}
  stream: {type: elasticsearch, urls: [%[4]q], data_stream: '%[2]s-ds-{source}-default'}
  siem: {type: splunk_hec, url: %[5]q, token: token}
`, f.dir, f.run, f.broker.Addr(), f.search.URL(), f.splunk.URL()))
	f.watch = watchMetrics(t, f.admin, f.splunk.Count)
	return f
}

func (f *fourSinks) start() {
	f.t.Helper()
	f.daemon = start(f.t, "run", "--config", f.config)
}

// kill ends the daemon with SIGKILL.
func (f *fourSinks) kill() {
	f.t.Helper()
	f.watch.take()
	before := f.watch.extraAt(time.Now().Add(-time.Second))
	f.daemon.kill()
	f.kills++
	f.unseen += f.splunk.Count() - before
}

// steady waits for a time in which the daemon is to keep running.
func (f *fourSinks) steady(d time.Duration) {
	f.t.Helper()
	select {
	case <-f.daemon.done:
		f.t.Fatalf("aictail ended by itself:\n%s", tail(f.daemon.log.String()))
	case <-time.After(d):
	}
}

// outage returns how long Kafka stays down: TEST_OUTAGE or a minute.
func outage(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("TEST_OUTAGE")
	if text == "" {
		return time.Minute
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 10*time.Second {
		t.Fatalf("TEST_OUTAGE is %q: want 10s or more", text)
	}
	return d
}

// TestRealFourSinks takes Kafka down for a minute (TEST_OUTAGE sets another time)
// while Splunk answers half of the requests with errors. Meanwhile the files and
// Elasticsearch must stay within seconds. Then Elasticsearch is killed, too, and the
// daemon again and again. In the end every event of the tenant is in every sink,
// once: only Splunk may have some twice, and no more than the metric says.
func TestRealFourSinks(t *testing.T) {
	down := outage(t)
	f := newFourSinks(t)
	f.start()
	for _, sink := range []string{"archive", "bus", "search", "stream", "siem"} {
		eventually(t, "the first events in "+sink, f.metric("sink_events_total", sink, func(v float64) bool { return v > 0 }))
	}

	f.halfErrors()
	f.broker.Kill(t)
	began := time.Now()
	for range 3 {
		f.steady(down / 4)
		f.kill()
		f.start()
	}
	f.steady(down / 4)
	f.wantReason("sink bus", f.broker.Addr(), "connection refused")
	f.checkLags(f.watch.between(began, time.Now()))
	t.Logf("Kafka was down for %s", time.Since(began).Round(time.Second))

	f.broker.Start(t)
	back := time.Now()
	// The moment is what is tried here: in the middle of catching up.
	f.steady(500*time.Millisecond + time.Duration(rand.IntN(1500))*time.Millisecond)
	f.kill()
	f.start()
	f.steady(2 * time.Second)
	f.search.Kill(t)
	f.steady(2 * time.Second)
	f.kill()
	f.search.Start(t)
	f.start()
	eventually(t, "Kafka to have caught up", f.metric("sink_lag_seconds", "bus", func(v float64) bool { return v < 5 }))
	t.Logf("Kafka had caught up %s after its return, kills and all", time.Since(back).Round(time.Second))
	f.finish()
}

// metric returns a condition on a sink's metric.
func (f *fourSinks) metric(name, sink string, ok func(float64) bool) func() bool {
	return func() bool {
		body, status := get("http://" + f.admin + "/metrics")
		v, there := parseMetrics(body)[ofSink(name, sink)]
		return status == 200 && there && ok(v)
	}
}

// halfErrors has Splunk answer half of the requests with errors; of those with a 500
// it has taken the events all the same, which nobody can know.
func (f *fourSinks) halfErrors() {
	busy := f.splunk.Inject(hectest.Fault{
		Service: hectest.Collect, Times: -1, Share: 1. / 4, Status: 503, Body: `{"text":"Server is busy","code":9}`,
	})
	failing := f.splunk.Inject(hectest.Fault{
		Service: hectest.Collect, Times: -1, Share: 1. / 3, Status: 500, Body: `{"text":"Internal server error","code":8}`, Index: true,
	})
	f.t.Cleanup(func() {
		f.t.Logf("Splunk answered %d times with 503 and %d times with 500", busy.Fired(), failing.Fired())
	})
}

// wantReason waits until /readyz says what is wrong, and with what.
func (f *fourSinks) wantReason(texts ...string) {
	f.t.Helper()
	var body string
	eventually(f.t, strings.Join(texts, ", ")+" in /readyz", func() bool {
		var status int
		if body, status = get("http://" + f.admin + "/readyz"); status != 503 {
			return false
		}
		for _, text := range texts {
			if !strings.Contains(body, text) {
				return false
			}
		}
		return true
	})
	f.t.Logf("/readyz:\n%s", body)
}

// checkLags looks at the lags while Kafka was down. An event that the tail leaves
// out comes with the sweep, some ten seconds old; and so do those that happened
// while the daemon was starting again.
func (f *fourSinks) checkLags(samples []sample) {
	f.t.Helper()
	const most, usual = 20.0, 3.0
	for _, sink := range []string{"archive", "search", "stream"} {
		lag := figuresOf(samples, ofSink("sink_lag_seconds", sink))
		f.t.Logf("lag of %s: %v", sink, lag)
		behind := figuresOf(samples, ofSink(completeness, sink))
		f.t.Logf("complete until so long ago in %s: %v", sink, behind)
		if lag.samples == 0 || lag.most > most || lag.median > usual || behind.samples == 0 || behind.median > most {
			f.t.Errorf("%s did not stay within seconds", sink)
		}
	}
	for _, sink := range []string{"siem", "bus"} {
		f.t.Logf("lag of %s: %v", sink, figuresOf(samples, ofSink("sink_lag_seconds", sink)))
		f.t.Logf("complete until so long ago in %s: %v", sink, figuresOf(samples, ofSink(completeness, sink)))
	}
}

// finish ends the tenant's events, waits for all sinks, and compares.
func (f *fourSinks) finish() {
	t := f.t
	t.Helper()
	f.quiet()
	var lines map[string]int
	eventually(t, "every event in the files", func() bool {
		lines = readLines(t, filepath.Join(f.dir, "archive"))
		missing, _ := compare(f.tenant, lines)
		return missing == 0 || !pause()
	})
	want := sum(lines)
	eventually(t, "every event in Kafka", func() bool { return f.topics.count(t) >= want || !pause() })
	for _, of := range []string{"-ix", "-ds"} {
		eventually(t, "every event in Elasticsearch", func() bool { return countDocuments(t, f.search.URL(), f.run+of) >= want || !pause() })
	}
	eventually(t, "every event in Splunk", func() bool { return len(splunkIDs(f.splunk)) >= want || !pause() })
	f.watch.take()
	if code := f.daemon.stop(); code != exitDone {
		t.Errorf("exit code %d after SIGTERM, want %d", code, exitDone)
	}
	t.Logf("%d entries in the ledger, %d events, %d kills of aictail", len(f.tenant.Ledger()), want, f.kills)

	f.wantOnce("files", readLines(t, filepath.Join(f.dir, "archive")))
	f.wantOnce("index", documents(t, f.search.URL(), f.run+"-ix"))
	f.wantOnce("data stream", documents(t, f.search.URL(), f.run+"-ds"))
	for _, of := range []string{"-ix", "-ds"} {
		if n := countDocuments(t, f.search.URL(), f.run+of); n != want {
			t.Errorf("%d documents in %s, want %d", n, of, want)
		}
	}
	f.checkKafka()
	f.checkSplunk()
}

// pause takes a second, so that comparing leaves the daemon some of the CPU. It
// returns true.
func pause() bool {
	time.Sleep(time.Second)
	return true
}

func sum(lines map[string]int) (n int) {
	for _, k := range lines {
		n += k
	}
	return n
}

func (f *fourSinks) wantOnce(sink string, lines map[string]int) {
	f.t.Helper()
	missing, surplus := compare(f.tenant, lines)
	f.t.Logf("%s: %d events, %d missing, %d too many", sink, sum(lines), missing, surplus)
	if missing > 0 || surplus > 0 {
		f.t.Errorf("%s: %d events missing, %d too many", sink, missing, surplus)
	}
}

func (f *fourSinks) checkKafka() {
	f.t.Helper()
	records := f.topics.all(f.t)
	lines, ids := map[string]int{}, map[string]int{}
	for _, r := range records {
		lines[r.value]++
		ids[r.id]++
		if r.topic != f.run+"."+r.source || r.tenant != "prod" {
			f.t.Fatalf("a record of source %s and tenant %s in %s", r.source, r.tenant, r.topic)
		}
	}
	f.wantOnce("Kafka", lines)
	if len(ids) != len(records) {
		f.t.Errorf("Kafka: %d records with %d ids", len(records), len(ids))
	}
	wrong, keyed := disorder(records)
	f.t.Logf("Kafka: %d of %d records have a key, %d of them out of order", keyed, len(records), wrong)
	if wrong > 0 || keyed == 0 {
		f.t.Errorf("Kafka: %d of %d records with a key are out of order", wrong, keyed)
	}
}

// splunkIDs returns how often Splunk has each event.
func splunkIDs(s *hectest.Server) map[string]int {
	ids := map[string]int{}
	for _, e := range s.Events() {
		ids[e.Fields["id"]]++
	}
	return ids
}

func (f *fourSinks) checkSplunk() {
	f.t.Helper()
	once := map[string]int{}
	events := f.splunk.Events()
	texts := map[string]string{}
	for _, e := range events {
		id := e.Fields["id"]
		if before, ok := texts[id]; ok && before != string(e.Raw) {
			f.t.Errorf("two events with the id %s", id)
		}
		texts[id] = string(e.Raw)
	}
	for _, text := range texts {
		once[text]++ // what dedup by id leaves
	}
	f.wantOnce("Splunk after dedup", once)
	more := len(events) - len(texts)
	counted := f.watch.total(ofSink("sink_possible_duplicates_total", "siem"))
	f.t.Logf("Splunk: %d events, %d of them duplicates; the metric says %d, and %d events arrived in the second before a kill",
		len(events), more, counted, f.unseen)
	if more > counted+f.unseen {
		f.t.Errorf("%d duplicates in Splunk, only %d counted", more, counted)
	}
	if more == 0 {
		f.t.Error("Splunk has no duplicates: the errors have tried nothing")
	}
}
