package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
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
	run := fmt.Sprintf("t%x", time.Now().UnixNano())
	config := loadConfig(t, t.TempDir(), url, "127.0.0.1:0", fmt.Sprintf(`
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

// sentEvent returns the event of a document as the tenant sent it.
func sentEvent(document string) string {
	return strings.Replace("{"+added.ReplaceAllString(document, ""), `{"message":`, `{"payload":`, 1)
}

// askSearch sends a request with a body to an Elasticsearch and reads the answer. It
// returns false as long as an index is being made or recovers.
func askSearch(t *testing.T, method, url, body string, into any) (ready bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
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
	answer, err := io.ReadAll(res.Body)
	if err == nil {
		err = json.Unmarshal(answer, into)
	}
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v: %s", url, res.Status, err, tail(string(answer)))
	}
	return true
}

// countDocuments returns how many documents are in the indices of a run.
func countDocuments(t *testing.T, url, run string) int {
	t.Helper()
	askSearch(t, http.MethodPost, url+"/"+run+"-*/_refresh", "", &struct{}{})
	var answer struct{ Count int }
	askSearch(t, http.MethodPost, url+"/"+run+"-*/_count", "", &answer)
	return answer.Count
}

// documents returns how often each event is in the indices of a run; nothing as
// long as an index is being made or recovers.
func documents(t *testing.T, url, run string) map[string]int {
	t.Helper()
	askSearch(t, http.MethodPost, url+"/"+run+"-*/_refresh", "", &struct{}{})
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
		if !askSearch(t, http.MethodPost, url+"/"+run+"-*/_search", `{"size":5000,"sort":["aictail.id","aictail.source"]`+after+`}`, &answer) {
			return nil
		}
		for _, h := range answer.Hits.Hits {
			lines[sentEvent(string(h.Source))]++
			after = `,"search_after":` + string(h.Sort)
		}
		if len(answer.Hits.Hits) == 0 {
			return lines
		}
	}
}
