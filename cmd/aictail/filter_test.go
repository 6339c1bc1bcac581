package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"aictail"
	"aictail/filter/query"
	"aictail/tailer/simulator"
)

// TestDropped drops by query, level and logger, through a kill -9: what is kept is in
// the file once, what is dropped nowhere, and the time of both is covered. A second sink
// wants only some of it.
func TestDropped(t *testing.T) {
	t.Parallel()
	tenant, err := simulator.New(simulator.Options{
		Limit: 100_000, Seed: 7, ShowLast: true, SplitShare: 0.05, Sources: []string{"am-access", "am-core", "idm-access"},
	})
	if err != nil {
		t.Fatal(err)
	}
	tenant.Generate(3000)
	url, stop, err := simulator.Start(tenant)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	isDropped := func(source, text string) bool {
		return source == "idm-access" || source == "am-access" && strings.Contains(text, `"AM-ACCESS-ATTEMPT"`) ||
			source == "am-core" && strings.Contains(text, `"level":"DEBUG"`)
	}
	expected, last := map[string]bool{}, time.Time{}
	for _, e := range tenant.Events() {
		if !isDropped(e.Source, e.Text) {
			expected[e.Text] = true
		}
		if e.Last.After(last) {
			last = e.Last
		}
	}
	if n := len(expected); n < 100 || n > 2900 {
		t.Fatalf("%d of 3000 events are to be kept: this tests nothing", n)
	}

	dir := t.TempDir()
	config, address, out := filepath.Join(dir, "aictail.yaml"), freeAddress(t), filepath.Join(dir, "out")
	writeFile(t, config, fmt.Sprintf(`
data_dir: %[1]s/data
admin: {listen: %[3]s}
tenants:
  prod:
    url: %[2]s
    api_key: key
    api_secret: secret
    sources: [am-access, am-core, idm-access]
    poll: {min_interval: 100ms, max_interval: 1s}
    start: 10m
    sweep: {settle: 5s}
filter:
  drop:
    - '/source eq "am-access" and /payload/eventName eq "AM-ACCESS-ATTEMPT"'
    - {name: idm, when: '/source sw "idm-"'}
  noise: [default]
  levels: {am-core: INFO}
  redact: [{preset: "off"}]
sinks:
  archive: {type: file, path: "%[1]s/out/{source}.ndjson"}
  some: {type: file, path: "%[1]s/some/{source}.ndjson", where: '/source eq "am-core" and !(/payload/level eq "WARNING")'}
`, dir, url, address))
	p := start(t, "run", "--config", config)
	eventually(t, "a good part of the events in the file", func() bool { return countNewlines(t, out) > len(expected)/2 })
	body, _ := get("http://" + address + "/metrics")
	for _, rule := range []string{"drop[0]", "idm", "noise", "level"} {
		if !regexp.MustCompile(`(?m)^aictail_events_dropped_total{rule="` + regexp.QuoteMeta(rule) + `"} [1-9]`).MatchString(body) {
			t.Errorf("nothing is counted as dropped by %s", rule)
		}
	}
	p.kill()
	p = start(t, "run", "--config", config)
	eventually(t, "complete-until after the last event", func() bool {
		body, _ := get("http://" + address + "/metrics")
		return len(completeAfter(body, last)) == 3
	})
	if code := p.stop(); code != exitDone {
		t.Errorf("exit code %d", code)
	}
	fragments, some := 0, map[string]int{}
	for line, times := range readLines(t, out) {
		e := eventOf(t, line)
		switch {
		case strings.Contains(line, `"aictail":"fragment"`):
			fragments++ // of a split event that could not be joined: no rule knows it
		case isDropped(e.Source, string(e.PayloadBytes())):
			t.Fatalf("in the file: %s", line)
		case times != 1:
			t.Fatalf("%d times in the file: %s", times, line)
		default:
			delete(expected, simulator.Text(e.PayloadBytes()))
		}
		if e.Source == "am-core" && !strings.Contains(line, `"level":"WARNING"`) {
			some[line] = times
		}
	}
	if got := readLines(t, filepath.Join(dir, "some")); len(some) == 0 || !maps.Equal(got, some) {
		t.Errorf("%d events in the sink with where, want %d", len(got), len(some))
	}
	if len(expected) > fragments {
		t.Errorf("%d events that no rule drops are not in the file, nor in its %d fragments", len(expected), fragments)
	}
}

// completeAfter returns the sources whose complete-until is after a time.
func completeAfter(metrics string, at time.Time) []string {
	var sources []string
	for line := range strings.Lines(metrics) {
		var seconds float64
		labels, value, _ := strings.Cut(strings.TrimSpace(line), "} ")
		if !strings.HasPrefix(labels, "aictail_complete_until_timestamp_seconds{") {
			continue
		}
		if _, err := fmt.Sscan(value, &seconds); err == nil && seconds >= float64(at.Unix()+1) {
			sources = append(sources, labels)
		}
	}
	return sources
}

// TestQueryThereAndHere asks the simulated tenant and filter/query the same. The two
// share no code.
func TestQueryThereAndHere(t *testing.T) {
	tenant, err := simulator.New(simulator.Options{Limit: 100_000, Seed: 3, Sources: []string{"am-access", "am-authentication", "am-core", "idm-core", "idm-sync"}})
	if err != nil {
		t.Fatal(err)
	}
	tenant.Generate(900)
	address, stop, err := simulator.Start(tenant)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	all := ask(t, address, "true")
	matches := 0
	for _, text := range []string{
		`true`, `false`, `/source eq "am-core"`, `/source sw "idm"`, `/type eq "text/plain"`, `/payload co "FINE"`, `/payload pr`,
		`/payload/level eq "INFO"`, `/payload/level eq "info"`, `/payload/eventName co "ACCESS"`, `/payload/http/request/headers/host co "."`,
		`/payload/http/request/secure eq true`, `/payload/client/port pr`, `/payload/client/port eq 443`, `/payload/entries/info/authLevel pr`,
		`/payload/principal pr`, `/payload/exception pr`, `/payload/transactionId sw "1"`, `/timestamp sw "20"`, `/payload/nothing pr`,
	} {
		q, err := query.Compile(text)
		if err != nil {
			t.Fatal(err)
		}
		there := ask(t, address, text)
		var here []string
		for _, raw := range all {
			e := eventOf(t, raw)
			matched, err := q.Match(e)
			if err != nil {
				t.Fatal(err)
			}
			if matched {
				here = append(here, raw)
			}
		}
		if !slices.Equal(there, here) {
			t.Errorf("%s: %d entries there, %d here", text, len(there), len(here))
		}
		matches += len(here)
	}
	t.Logf("%d entries, %d matches", len(all), matches)
}

// ask returns the entries that a tenant returns to a range query.
func ask(t *testing.T, address, filter string) []string {
	t.Helper()
	params := url.Values{
		"source": {"am-access,am-authentication,am-core,idm-core,idm-sync"}, "_pageSize": {"1000"}, "_queryFilter": {filter},
		"beginTime": {time.Now().Add(-time.Hour).Format(time.RFC3339)}, "endTime": {time.Now().Add(time.Hour).Format(time.RFC3339)},
	}
	var raws []string
	for {
		req, err := http.NewRequest(http.MethodGet, address+"/monitoring/logs?"+params.Encode(), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("x-api-key", "key")
		req.Header.Set("x-api-secret", "secret")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var page struct {
			Result             []json.RawMessage
			PagedResultsCookie string
		}
		err = json.NewDecoder(res.Body).Decode(&page)
		res.Body.Close()
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s, %v", filter, res.Status, err)
		}
		for _, raw := range page.Result {
			raws = append(raws, string(raw))
		}
		if page.PagedResultsCookie == "" {
			return raws
		}
		params.Set("_pagedResultsCookie", page.PagedResultsCookie)
	}
}

func eventOf(t *testing.T, raw string) *aictail.Event {
	t.Helper()
	var entry struct {
		Source  string
		Payload json.RawMessage
	}
	if err := json.Unmarshal([]byte(raw), &entry); err != nil {
		t.Fatal(err)
	}
	at := strings.Index(raw, string(entry.Payload))
	return &aictail.Event{Source: entry.Source, Raw: []byte(raw), Payload: aictail.Span{Start: at, End: at + len(entry.Payload)}}
}
