package elasticsearch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"aictail"
	"aictail/sinks"
	"aictail/sinks/sinktest"
	"aictail/sinks/sinktest/servers"
)

// realServer is a real server of a test.
type realServer struct {
	*servers.Search
	// names counts what the tests have used, so that each has indices of its own.
	names *atomic.Int32
	run   string
}

// start starts a server of a kind: "8", "9" or "opensearch".
func start(t *testing.T, kind string, settings map[string]string) realServer {
	r := realServer{names: new(atomic.Int32), run: fmt.Sprintf("t%x", time.Now().UnixNano())}
	if kind == "opensearch" {
		r.Search = servers.OpenSearch(t, servers.SearchOptions{Settings: settings})
	} else {
		r.Search = servers.Elasticsearch(t, kind, servers.SearchOptions{Settings: settings})
	}
	return r
}

// config returns a configuration for an index of its own.
func (r realServer) config() Config {
	cfg := testConfig(r.URL())
	cfg.Index = fmt.Sprintf("%s-%d-{yyyy.MM}", r.run, r.names.Add(1))
	// A test machine is slow, and the answer to the first event makes an index.
	cfg.Timeout = 30 * time.Second
	return cfg
}

func (r realServer) stream() Config {
	cfg := r.config()
	cfg.Index, cfg.DataStream = "", strings.TrimSuffix(cfg.Index, "{yyyy.MM}")+"{tenant}"
	return cfg
}

func (r realServer) open(t *testing.T, cfg Config) *Sink {
	t.Helper()
	s := newSink(t, cfg)
	t.Cleanup(func() { _ = s.Close() })
	if err := s.Open(t.Context(), sinks.Saved{}); err != nil {
		t.Fatal(err)
	}
	return s
}

// call makes a request of the test's own.
func (r realServer) call(t testing.TB, method, path, body string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, r.URL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %s %v\n%.500s", method, path, res.Status, err, answer)
	}
	return answer
}

type hit struct {
	Index  string          `json:"_index"`
	ID     string          `json:"_id"`
	Source json.RawMessage `json:"_source"`
}

// search returns what is found in all indices of the configuration.
func (r realServer) search(t testing.TB, cfg Config, query string) []hit {
	t.Helper()
	target, err := parseTarget(cfg.DataStream, cfg.Index)
	if err != nil {
		t.Fatal(err)
	}
	where := "/" + target.pattern()
	r.call(t, http.MethodPost, where+"/_refresh", "")
	var answer struct{ Hits struct{ Hits []hit } }
	body := r.call(t, http.MethodPost, where+"/_search", `{"size":10000,"query":`+query+`}`)
	if err := json.Unmarshal(body, &answer); err != nil {
		t.Fatal(err)
	}
	return answer.Hits.Hits
}

const all = `{"match_all":{}}`

func TestReal(t *testing.T) {
	for name, kind := range map[string]string{"Elasticsearch 8": "8", "Elasticsearch 9": "9", "OpenSearch": "opensearch"} {
		t.Run(name, func(t *testing.T) {
			r := start(t, kind, nil)
			t.Run("suite, index", func(t *testing.T) { r.suite(t, realServer.config) })
			t.Run("suite, data stream", func(t *testing.T) { r.suite(t, realServer.stream) })
			t.Run("setup", r.testSetup)
			t.Run("conflict of mapping", r.testConflict)
			t.Run("odd shapes, index", func(t *testing.T) { r.testShapes(t, r.config()) })
			t.Run("odd shapes, data stream", func(t *testing.T) { r.testShapes(t, r.stream()) })
			t.Run("samples", r.testSamples)
			t.Run("search", r.testSearch)
			t.Run("rollover", r.testRollover)
			t.Run("kill -9", func(t *testing.T) { r.testDown(t, r.config(), r.Kill) })
			t.Run("kill -9, data stream", func(t *testing.T) { r.testDown(t, r.stream(), r.Kill) })
			t.Run("restart", func(t *testing.T) { r.testDown(t, r.config(), r.Stop) })
		})
	}
}

// suite breaks the server by pausing it: what is sent then is executed later.
func (r realServer) suite(t *testing.T, config func(realServer) Config) {
	sinktest.Run(t, func(t testing.TB) sinktest.Harness {
		cfg := config(r)
		var last *Sink
		setTimeout := func(d time.Duration) {
			if cfg.Timeout = d; last != nil {
				last.cfg.Timeout = d
			}
		}
		return sinktest.Harness{
			New: func(t testing.TB) sinks.Sink {
				last = newSink(t, cfg)
				return last
			},
			Received: func(t testing.TB) [][]byte {
				var raws [][]byte
				for _, h := range r.search(t, cfg, all) {
					raws = append(raws, rawOf(t, string(h.Source)))
				}
				return raws
			},
			Break: func(t testing.TB) {
				r.pause(t)
				setTimeout(300 * time.Millisecond)
			},
			Mend: func(t testing.TB) {
				r.Resume(t)
				setTimeout(30 * time.Second)
			},
			Unordered: true,
		}
	})
}

// pause stops the server and waits until it does not answer: a signal takes a moment
// to reach all threads.
func (r realServer) pause(t testing.TB) {
	r.Pause(t)
	client := http.Client{Timeout: 100 * time.Millisecond, Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		res, err := client.Get(r.URL())
		if err != nil {
			return
		}
		_ = res.Body.Close()
	}
}

// testSetup opens twice, and once more after an operator has changed the template.
func (r realServer) testSetup(t *testing.T) {
	for _, cfg := range []Config{r.config(), r.stream()} {
		path := "/_index_template/" + r.open(t, cfg).target.label()
		before := r.call(t, http.MethodGet, path, "")
		r.open(t, cfg)
		if after := r.call(t, http.MethodGet, path, ""); !bytes.Equal(before, after) {
			t.Errorf("a second setup changed the template:\n%s\n%s", before, after)
		}
		own := fmt.Sprintf(`{"index_patterns":[%q],"priority":7,"_meta":{"own":true}}`, strings.NewReplacer("{yyyy.MM}", "*", "{tenant}", "*").Replace(cfg.Index+cfg.DataStream))
		r.call(t, http.MethodPut, path, own)
		before = r.call(t, http.MethodGet, path, "")
		r.open(t, cfg)
		if after := r.call(t, http.MethodGet, path, ""); !bytes.Equal(before, after) {
			t.Errorf("setup changed an operator's template:\n%s\n%s", before, after)
		}
	}
}

// testConflict has an index in which no form of one event fits.
func (r realServer) testConflict(t *testing.T) {
	cfg := r.config()
	cfg.Setup = false
	s := r.open(t, cfg)
	events := newEvents(20)
	events[7] = newEvent("id-7", `"`+confidential+`"`)
	r.call(t, http.MethodPut, "/"+s.target.of(&events[0]), `{"mappings":{"properties":{"message":{"type":"long"}}}}`)
	err := s.Send(t.Context(), events)
	check := &rig{t: t}
	if got := check.said(err); got != "poison 7:poison" {
		t.Fatalf("got %s: %v", got, err)
	}
	if got := reasonOf(err); !strings.Contains(got, "on field [message] of type [long]") {
		t.Errorf("the reason is %q", got)
	}
	if n := len(r.search(t, cfg, all)); n != 19 {
		t.Errorf("%d documents, want 19", n)
	}
}

// testRollover shows the difference that the documentation speaks of.
func (r realServer) testRollover(t *testing.T) {
	cfg := r.stream()
	s := r.open(t, cfg)
	events := newEvents(10)
	for range 2 {
		if err := s.Send(t.Context(), events); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(r.search(t, cfg, all)); n != 10 {
		t.Errorf("%d documents before the rollover, want 10", n)
	}
	r.call(t, http.MethodPost, "/"+s.target.of(&events[0])+"/_rollover", "")
	if err := s.Send(t.Context(), events); err != nil {
		t.Fatal(err)
	}
	if n := len(r.search(t, cfg, all)); n != 20 {
		t.Errorf("%d documents after the rollover, want 20: data streams are better than documented", n)
	}
}

// testDown ends the server while batches are sent and starts it again.
func (r realServer) testDown(t *testing.T, cfg Config, end func(testing.TB)) {
	const batches, size = 24, 400
	s := r.open(t, cfg)
	started, done := make(chan int, batches), make(chan error, 1)
	failures := 0
	go func() {
		done <- func() error {
			for b := range batches {
				started <- b
				events := newEvents(size)
				for i := range events {
					events[i].ID = fmt.Appendf(nil, "id-%d-%d", b, i)
				}
				n, err := sendAll(t.Context(), s, events)
				if failures += n; err != nil {
					return err
				}
			}
			return nil
		}()
	}()
	for b := range started {
		if b == batches/3 {
			break
		}
	}
	end(t)
	r.Start(t)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if failures == 0 {
		t.Error("no Send failed: the server was not down")
	}
	ids := map[string]int{}
	for _, h := range r.search(t, cfg, all) {
		ids[h.ID]++
	}
	if len(ids) != batches*size {
		t.Errorf("%d documents, want %d", len(ids), batches*size)
	}
	for id, n := range ids {
		if n > 1 {
			t.Errorf("%s is there %d times", id, n)
		}
	}
}

// sendAll sends until everything is delivered, as deliver does. It returns how often
// it had to send again.
func sendAll(ctx context.Context, s *Sink, events []aictail.Event) (failures int, err error) {
	for ; ctx.Err() == nil; failures++ {
		err := s.Send(ctx, events)
		if err == nil {
			return failures, nil
		}
		e, ok := errors.AsType[*sinks.Error](err)
		if !ok || e.Kind != sinks.Retry {
			return failures, err
		}
		if len(e.Failed) > 0 {
			var again []aictail.Event
			for _, f := range e.Failed {
				again = append(again, events[f.Index])
			}
			events = again
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond): // the pause is deliver's
		}
	}
	return failures, ctx.Err()
}

// TestRealTooLarge finds out what a server takes.
func TestRealTooLarge(t *testing.T) {
	for name, kind := range map[string]string{"Elasticsearch 8": "8", "Elasticsearch 9": "9", "OpenSearch": "opensearch"} {
		t.Run(name, func(t *testing.T) {
			r := start(t, kind, map[string]string{"http.max_content_length": "1mb"})
			cfg := r.config()
			s := r.open(t, cfg)
			events := benchEvents(4000)
			for i := range events {
				events[i].ID = fmt.Appendf(nil, "id-%d", i)
			}
			large := newEvent("large", `{"x":"`+strings.Repeat("words ", 300_000)+`"}`)
			events[1234] = large
			err := s.Send(t.Context(), events)
			if got := (&rig{t: t}).said(err); got != "poison 1234:split" {
				t.Fatalf("got %s: %v", got, err)
			}
			if n := len(r.search(t, cfg, all)); n != 3999 {
				t.Errorf("%d documents, want 3999", n)
			}
			if got := (&rig{t: t}).said(s.Send(t.Context(), []aictail.Event{large})); got != "split" {
				t.Errorf("alone: %s", got)
			}
		})
	}
}
