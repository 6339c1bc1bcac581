package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"aictail/sinks/sinktest/servers"
)

// TestRealElasticsearch runs the daemon with an Elasticsearch, kills both at
// different moments, and ends up with every event of the tenant once.
func TestRealElasticsearch(t *testing.T) {
	server := servers.Elasticsearch(t, "9", servers.SearchOptions{})
	tenant, url, quiet := crashTenant(t, 11)
	config := crashConfig(t, t.TempDir(), url)
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	run := fmt.Sprintf("t%x", time.Now().UnixNano())
	before, _, _ := strings.Cut(string(text), "\nsinks:")
	writeFile(t, config, before+fmt.Sprintf(`
sinks:
  search: {type: elasticsearch, urls: [%q], index: '%s-{source}-{yyyy.MM}', max_body: 256KiB}
`, server.URL(), run))

	p := start(t, "run", "--config", config)
	some := func(least int) func() bool {
		return func() bool { return len(documents(t, server.URL(), run)) >= least }
	}
	eventually(t, "the first events", some(1))
	server.Kill(t)
	server.Start(t)
	eventually(t, "more events", some(2000))
	p.kill()
	if err := tenant.FaultShare(0); err != nil {
		t.Fatal(err)
	}
	quiet()
	p = start(t, "run", "--config", config)
	var lines map[string]int
	eventually(t, "every event", func() bool {
		lines = documents(t, server.URL(), run)
		missing, _ := compare(tenant, lines)
		if missing > 0 {
			time.Sleep(time.Second) // comparing takes the CPU that the daemon needs
		}
		return missing == 0
	})
	if _, surplus := compare(tenant, lines); surplus > 0 {
		t.Errorf("%d events too many", surplus)
	}
	t.Logf("%d documents", len(lines))
	if code := p.stop(); code != exitDone {
		t.Errorf("exit code %d after SIGTERM, want %d", code, exitDone)
	}
}

// added is what a document has before what the tenant sent.
var added = regexp.MustCompile(`^\{"@timestamp":"[^"]*","aictail":\{[^{}]*\},`)

// documents returns how often each event is in the indices of a run; nothing as
// long as an index is being made or recovers.
func documents(t *testing.T, url, run string) map[string]int {
	t.Helper()
	call := func(path, body string, into any) (ready bool) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if res.StatusCode == http.StatusServiceUnavailable {
			return false
		}
		if err := json.NewDecoder(res.Body).Decode(into); err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s, %v", path, res.Status, err)
		}
		return true
	}
	call("/"+run+"-*/_refresh", "", &struct{}{})
	lines := map[string]int{}
	after := ""
	for {
		var answer struct {
			Hits struct {
				Hits []struct {
					Source json.RawMessage `json:"_source"`
					Sort   json.RawMessage
				}
			}
		}
		if !call("/"+run+"-*/_search", `{"size":5000,"sort":["aictail.id","aictail.source"]`+after+`}`, &answer) {
			return nil
		}
		for _, h := range answer.Hits.Hits {
			line := strings.Replace("{"+added.ReplaceAllString(string(h.Source), ""), `{"message":`, `{"payload":`, 1)
			lines[line]++
			after = `,"search_after":` + string(h.Sort)
		}
		if len(answer.Hits.Hits) == 0 {
			return lines
		}
	}
}
