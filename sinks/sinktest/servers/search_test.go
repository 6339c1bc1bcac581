package servers_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"

	"aictail/sinks/sinktest/servers"
)

func TestRealElasticsearch8(t *testing.T) {
	testSearch(t, servers.Elasticsearch(t, "8", servers.SearchOptions{}))
}

func TestRealElasticsearch9(t *testing.T) {
	testSearch(t, servers.Elasticsearch(t, "9", servers.SearchOptions{}))
}

func TestRealOpenSearch(t *testing.T) {
	testSearch(t, servers.OpenSearch(t, servers.SearchOptions{}))
}

// testSearch kills the server after a bulk request that it acknowledged.
func testSearch(t *testing.T, s *servers.Search) {
	const data = `{"create":{"_index":"crash","_id":"%[1]d"}}` + "\n" + `{"n":%[1]d}` + "\n"
	bulk := func(n int) {
		t.Helper()
		var answer struct {
			Errors bool
			Items  []map[string]struct{ Status int }
		}
		ask(t, http.MethodPost, s.URL()+"/_bulk", fmt.Sprintf(data, n), &answer)
		if answer.Errors || len(answer.Items) != 1 || answer.Items[0]["create"].Status != http.StatusCreated {
			t.Fatalf("_bulk answers %+v", answer)
		}
	}
	count := func(want int) {
		t.Helper()
		var answer struct{ Count int }
		ask(t, http.MethodPost, s.URL()+"/crash/_refresh", "", nil)
		ask(t, http.MethodGet, s.URL()+"/crash/_count", "", &answer)
		if answer.Count != want {
			t.Errorf("%d documents, want %d", answer.Count, want)
		}
	}
	bulk(1)
	s.Kill(t)
	if _, err := http.Get(s.URL()); err == nil {
		t.Error("the server still answers after it was killed")
	}
	s.Start(t)
	count(1)
	bulk(2)
	count(2)
	s.Stop(t)
}

// ask sends a request and decodes the answer into answer, unless that is nil.
func ask(t *testing.T, method, url, body string, answer any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewBufferString(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode/100 != 2 {
		t.Fatalf("%s %s: %s %s %v", method, url, resp.Status, text, err)
	}
	if answer == nil {
		return
	}
	if err := json.Unmarshal(text, answer); err != nil {
		t.Fatal(err)
	}
}
