package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kfake"

	"aictail/sinks/splunkhec/hectest"
)

// refused is what people see of a sink that is paused.
type refused struct {
	sink string
	// says is a regular expression for the reason with what to do.
	says string
}

// TestRefused starts with a Kafka without the topic, then revokes Splunk's token and
// deletes Elasticsearch's API key. Each of the three sinks pauses and says why,
// while polling and the files go on; once all is mended they go on by themselves,
// within the half minute between two probes, and nothing was lost or repeated.
func TestRefused(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for the probes of paused sinks: more than half a minute")
	}
	t.Parallel()
	dir, address := t.TempDir(), freeAddress(t)
	splunk := hectest.New(hectest.Options{})
	t.Cleanup(splunk.Close)
	search := newFakeSearch(t)
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	tenant, url, quiet := liveTenant(t, 5, 100)
	config := loadConfig(t, dir, url, address, fmt.Sprintf(`
  archive: {type: file, path: "%s/archive/{source}.ndjson"}
  bus: {type: kafka, brokers: [%q], topic: aic.events}
  search: {type: elasticsearch, urls: [%q], api_key: 'id:%s', index: 'aic-{source}', setup: {enabled: false}}
  siem: {type: splunk_hec, url: %q, token: token}
`, dir, cluster.ListenAddrs()[0], search.url, search.key, splunk.URL()))
	p := start(t, "run", "--config", config)
	metrics := func() map[string]float64 {
		body, _ := get("http://" + address + "/metrics")
		return parseMetrics(body)
	}
	eventually(t, "events in the sinks that accept them", func() bool {
		m := metrics()
		return m[ofSink("sink_events_total", "archive")] > 0 && m[ofSink("sink_events_total", "search")] > 0 && m[ofSink("sink_events_total", "siem")] > 0
	})
	splunk.Set(func(o *hectest.Options) { o.Token = "another" })
	search.accept(false)
	sinks := []refused{
		{"bus", `topic aic\.events does not exist.*(create|create_topics)`},
		{"search", `401.*check api_key`},
		{"siem", `HEC code 4.*check token`},
	}
	for _, k := range sinks {
		eventually(t, "the pause of "+k.sink, func() bool { return metrics()[ofSink("sink_paused", k.sink)] == 1 })
	}
	checkPaused(t, p, address, sinks)
	for _, k := range sinks {
		eventually(t, "the lag of "+k.sink, func() bool { return metrics()[ofSink("sink_lag_seconds", k.sink)] > 3 })
	}
	before := metrics()[ofSink("sink_events_total", "archive")]
	eventually(t, "more events in the files", func() bool { return metrics()[ofSink("sink_events_total", "archive")] > before+200 })

	splunk.Set(func(o *hectest.Options) { o.Token = "token" })
	search.accept(true)
	if err := cluster.CreateTopic("aic.events", 3, nil); err != nil {
		t.Fatal(err)
	}
	mended := time.Now()
	for _, k := range sinks {
		eventually(t, k.sink+" to go on", func() bool { return metrics()[ofSink("sink_paused", k.sink)] == 0 })
	}
	t.Logf("all sinks went on %s after they were mended", time.Since(mended).Round(time.Second))
	quiet()
	wantEverywhere(t, filepath.Join(dir, "archive"), len(tenant.Ledger()), map[string]func() map[string]int{
		"bus":    func() map[string]int { return valuesOf(readTopics(cluster.ListenAddrs()[0], "aic.events").all(t)) },
		"search": search.lines,
		"siem": func() map[string]int {
			lines := map[string]int{}
			for _, e := range splunk.Events() {
				lines[string(e.Raw)]++
			}
			return lines
		},
	})
	if code := p.stop(); code != exitDone {
		t.Errorf("exit code %d after SIGTERM, want %d", code, exitDone)
	}
	for _, k := range sinks {
		if n := linesWith(p.log.String(), "delivery is paused", `"`+k.sink+`"`); n != 1 {
			t.Errorf("the log says %d times that %s is paused, want once", n, k.sink)
		}
	}
}

// checkPaused looks at what the log, /readyz and the status page say.
func checkPaused(t *testing.T, p *program, address string, sinks []refused) {
	t.Helper()
	ready, status := get("http://" + address + "/readyz")
	t.Logf("/readyz:\n%s", ready)
	if status != http.StatusServiceUnavailable {
		t.Errorf("/readyz answers %d", status)
	}
	says, _ := get("http://" + address + "/api/status")
	for _, k := range sinks {
		for place, text := range map[string]string{"/readyz": ready, "the log": p.log.String(), "/api/status": says} {
			if !regexp.MustCompile(k.sink + `.*` + k.says).MatchString(text) {
				t.Errorf("%s does not say why %s is paused, %s:\n%s", place, k.sink, k.says, tail(text))
			}
		}
	}
}

// wantEverywhere waits until the files have n events and every other sink has them,
// too, and checks that none has anything twice.
func wantEverywhere(t *testing.T, files string, n int, others map[string]func() map[string]int) {
	t.Helper()
	var want map[string]int
	eventually(t, "every event in the files", func() bool { want = readLines(t, files); return sum(want) >= n })
	for sink, lines := range others {
		var got map[string]int
		eventually(t, "every event in "+sink, func() bool { got = lines(); return len(got) >= len(want) || !pause() })
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s has other events than the files (-want +got):\n%s", sink, tail(diff))
		}
	}
	t.Logf("%d events in every sink", sum(want))
}

func valuesOf(records []record) map[string]int {
	lines := map[string]int{}
	for _, r := range records {
		lines[r.value]++
	}
	return lines
}

// linesWith counts the lines of a log that have all of the texts.
func linesWith(log string, texts ...string) (n int) {
	for line := range strings.Lines(log) {
		all := true
		for _, text := range texts {
			all = all && strings.Contains(line, text)
		}
		if all {
			n++
		}
	}
	return n
}

// fakeSearch is an Elasticsearch with security, which the real ones here do not
// have, and nothing else but _bulk with create.
type fakeSearch struct {
	url, key string

	mu      sync.Mutex // guards what follows
	refuses bool
	docs    map[string]string
}

func newFakeSearch(t *testing.T) *fakeSearch {
	t.Helper()
	f := &fakeSearch{key: "secret", docs: map[string]string{}}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	f.url = server.URL
	return f
}

// accept says whether the API key is known.
func (f *fakeSearch) accept(yes bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refuses = !yes
}

// lines returns how often each event is there, as it was sent by the tenant.
func (f *fakeSearch) lines() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	lines := map[string]int{}
	for _, doc := range f.docs {
		lines[sentEvent(doc)]++
	}
	return lines
}

// ServeHTTP implements http.Handler.
func (f *fakeSearch) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if f.refuses || r.Header.Get("Authorization") == "" {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"error":{"root_cause":[{"type":"security_exception","reason":"unable to authenticate with provided credentials"}],`+
			`"type":"security_exception","reason":"unable to authenticate with provided credentials"},"status":401}`)
		return
	}
	body, err := gzip.NewReader(r.Body)
	if err != nil || r.URL.Path != "/_bulk" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 1<<20)
	var answer bytes.Buffer
	for separator := `{"errors":false,"items":[`; lines.Scan(); separator = "," {
		var action struct {
			Create struct {
				Index string `json:"_index"`
				ID    string `json:"_id"`
			}
		}
		if json.Unmarshal(lines.Bytes(), &action) != nil || action.Create.ID == "" || !lines.Scan() {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		at, status := action.Create.Index+"/"+action.Create.ID, http.StatusConflict
		if _, there := f.docs[at]; !there {
			f.docs[at], status = lines.Text(), http.StatusCreated
		}
		fmt.Fprintf(&answer, `%s{"create":{"_id":%q,"status":%d}}`, separator, action.Create.ID, status)
	}
	answer.WriteString("]}")
	_, _ = w.Write(answer.Bytes()) // the daemon has gone away
}
