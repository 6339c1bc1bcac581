package elasticsearch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aictail"
	"aictail/sinks"
	"aictail/sinks/sinktest"
	"aictail/sinks/sinktest/servers"
)

// real is a real server of a test.
type real struct {
	*servers.Search
	// names counts what the tests have used, so that each has indices of its own.
	names *atomic.Int32
	run   string
}

// start starts a server of a kind: "8", "9" or "opensearch".
func start(t *testing.T, kind string, settings map[string]string) real {
	r := real{names: new(atomic.Int32), run: fmt.Sprintf("t%x", time.Now().UnixNano())}
	if kind == "opensearch" {
		r.Search = servers.OpenSearch(t, servers.SearchOptions{Settings: settings})
	} else {
		r.Search = servers.Elasticsearch(t, kind, servers.SearchOptions{Settings: settings})
	}
	return r
}

// config returns a configuration for an index of its own.
func (r real) config() Config {
	cfg := testConfig(r.URL())
	cfg.Index = fmt.Sprintf("%s-%d-{yyyy.MM}", r.run, r.names.Add(1))
	// A test machine is slow, and the answer to the first event makes an index.
	cfg.Timeout = 30 * time.Second
	return cfg
}

func (r real) stream() Config {
	cfg := r.config()
	cfg.Index, cfg.DataStream = "", strings.TrimSuffix(cfg.Index, "{yyyy.MM}")+"{tenant}"
	return cfg
}

func (r real) open(t *testing.T, cfg Config) *Sink {
	t.Helper()
	s := newSink(t, cfg)
	t.Cleanup(func() { _ = s.Close() })
	if err := s.Open(t.Context(), sinks.Saved{}); err != nil {
		t.Fatal(err)
	}
	return s
}

// call makes a request of the test's own.
func (r real) call(t testing.TB, method, path, body string) []byte {
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
func (r real) search(t testing.TB, cfg Config, query string) []hit {
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
			t.Run("suite, index", func(t *testing.T) { r.suite(t, real.config) })
			t.Run("suite, data stream", func(t *testing.T) { r.suite(t, real.stream) })
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
func (r real) suite(t *testing.T, config func(real) Config) {
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
func (r real) pause(t testing.TB) {
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
func (r real) testSetup(t *testing.T) {
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
func (r real) testConflict(t *testing.T) {
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

// shapes are payloads and whole events of every kind that some server refuses as a
// field.
func shapes() []aictail.Event {
	nested := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	payloads := []string{
		`{}`, `[]`, `null`, `""`, `"text"`, `7`, `true`, `[1]`, `[{"a":1}]`, `[[]]`,
		`{"":1}`, `{"a":{"":{"b":1}}}`, `{" ":1}`, `{".":1}`, `{"a.b":1,"a":{"b":2}}`, `{"a..b":1,".a":2,"a.":3}`,
		`{"z":1,"z":2}`, `{"z":{"a":1},"z":{"a":2}}`, `{"a":1,"a":{"b":1}}`,
		nested(19), nested(21), nested(99), nested(101), nested(900),
		strings.Repeat("[", 300) + strings.Repeat("]", 300), strings.Repeat(`{"a":[`, 200) + strings.Repeat("]}", 200),
		`{"x":"` + strings.Repeat("y", 40_000) + `"}`, `{"x":"` + strings.Repeat("word ", 20_000) + `"}`, `"` + strings.Repeat("y", 100_000) + `"`,
		`{"` + strings.Repeat("k", 40_000) + `":1}`, `{"` + strings.Repeat("k", 32_765) + `":"a"}`,
		`{"a\u0000b":"x"}`, `{"a":"\u0000"}`, `{"a":"\ud83d"}`, `{"\ud83d":1}`, `"\ud83d \u0000"`, "{\"a\":\"\x7f\u2028\"}",
		`{"a":12345678901234567890123,"b":0.1000000000000000055511151231257827,"c":1E+2,"d":-0}`, `{"a":1e99999}`, `{"a":` + strings.Repeat("9", 1500) + `}`,
		`{"a":[1,"x",{"b":2},[3,[4]],null]}`, `{"*":1,"a*":2}`, `{"é中😀":"é中😀"}`, `{"@timestamp":"x","_id":"y","_source":1,"message":{}}`,
		`{` + strings.Repeat(`"k":1,`, 0) + manyKeys(3000) + `}`,
	}
	var events []aictail.Event
	for i, payload := range payloads {
		events = append(events, newEvent(fmt.Sprintf("shape-%d", i), payload))
	}
	for i, raw := range []string{
		`{}`, `{ }`, `7`, `"x"`, `[]`, `{"type":"text/plain"}`, `{"":1}`, `{".":1,"a..b":2}`, `{"payload.x":1}`, `{"x":1,"x":2}`,
		`{"timestamp":{"a":1}}`, `{"timestamp":"nonsense","source":["a",true]}`, `{"source":{"a":1},"type":[[1]]}`, `{"_id":"x","_index":"y","_routing":1}`,
		`{"@timestamp":"now","aictail":1}`, `{"aictail":{"id":{}}}`, `{"message":{"a":1}}`, `{"message":"one","payload":«"two"»}`,
		`{"x":` + nested(950) + `}`,
	} {
		e := eventOf(raw)
		e.ID = fmt.Appendf(nil, "raw-%d", i)
		events = append(events, e)
	}
	for _, id := range []string{" ", "/", "a,b", "..", "*", "_under", "\u2028", "nul\x00", "tab\t\"q\"\\", strings.Repeat("😀", 128), strings.Repeat("é", 257), "\xff", "\xff\xfe", ""} {
		events = append(events, newEvent(id, fmt.Sprintf(`{"id":%d}`, len(events))))
	}
	for i, year := range []int{0, 1, 1969, 1970, 2262, 2263, 9999} {
		e := newEvent(fmt.Sprintf("year-%d", i), fmt.Sprintf(`{"year":%d}`, year))
		e.Time = time.Date(year, 12, 31, 23, 59, 59, 999_999_999, time.UTC)
		events = append(events, e)
	}
	return events
}

func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"k%d":%d,`, i, i)
	}
	return b.String() + `"last":1`
}

// testShapes delivers every shape, in one batch and then again one by one.
func (r real) testShapes(t *testing.T, cfg Config) {
	s := r.open(t, cfg)
	events := shapes()
	if err := s.Send(t.Context(), events); err != nil {
		t.Fatalf("%s: %v", (&rig{t: t}).said(err), err)
	}
	for i := range events {
		if err := s.Send(t.Context(), events[i:i+1]); err != nil {
			t.Errorf("again, event %d: %v", i, err)
		}
	}
	var got, want []string
	asText := 0
	for _, h := range r.search(t, cfg, all) {
		got = append(got, string(rawOf(t, string(h.Source))))
		if bytes.Contains(h.Source, []byte(`"as_text":true`)) {
			asText++
		}
	}
	for i := range events {
		want = append(want, string(events[i].Raw))
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%d documents, want %d (-want +got)\n%.2000s", len(got), len(want), diff)
	}
	t.Logf("%d of %d events are stored as text", asText, len(events))
}

// testSamples sends real entries, none of which is to need the form of text.
func (r real) testSamples(t *testing.T) {
	files, err := filepath.Glob("../../../shared/samples/*.log")
	if err != nil || len(files) == 0 {
		t.Skip("no samples of real entries beside the project")
	}
	var events []aictail.Event
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(b) {
			line = bytes.TrimSpace(line)
			var entry struct {
				Payload   json.RawMessage
				Timestamp time.Time
			}
			if err := json.Unmarshal(line, &entry); err != nil {
				t.Fatal(err)
			}
			at := bytes.Index(line, entry.Payload)
			events = append(events, aictail.Event{
				ID: fmt.Appendf(nil, "sample-%d", len(events)), Tenant: "prod", Source: strings.TrimSuffix(filepath.Base(file), ".log"),
				Time: entry.Timestamp, Raw: line, Payload: aictail.Span{Start: at, End: at + len(entry.Payload)},
			})
		}
	}
	cfg := r.config()
	if err := r.open(t, cfg).Send(t.Context(), events); err != nil {
		t.Fatal(err)
	}
	if n := len(r.search(t, cfg, all)); n != len(events) {
		t.Errorf("%d documents, want %d", n, len(events))
	}
	if n := len(r.search(t, cfg, `{"term":{"aictail.as_text":true}}`)); n != 0 {
		t.Errorf("%d of %d samples are stored as text", n, len(events))
	}
}

// testSearch asks for what the template promises.
func (r real) testSearch(t *testing.T) {
	cfg := r.config()
	events := []aictail.Event{
		newEvent("one", `{"userId":"id=amadmin,ou=user","http":{"request":{"path":"/am/json"}},"stack":"`+strings.Repeat("at x.y.Z ", 1000)+`"}`),
		newEvent("two", `"Dec 05, 2022 8:01:34 PM org.forgerock.openidm.internal.InternalObjectSet readInstance"`),
		newEvent("three", `{"z":1,"z":"unusual"}`),
	}
	events[1].Time = events[1].Time.Add(-time.Hour)
	if err := r.open(t, cfg).Send(t.Context(), events); err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]string{
		`{"term":{"payload.userId":"id=amadmin,ou=user"}}`:       "one",
		`{"term":{"payload.http.request.path":"/am/json"}}`:      "one",
		`{"match":{"message":"readInstance"}}`:                   "two",
		`{"match":{"message":"unusual"}}`:                        "three",
		`{"term":{"aictail.as_text":true}}`:                      "three",
		`{"term":{"aictail.id":"two"}}`:                          "two",
		`{"range":{"@timestamp":{"lt":"2026-01-31T23:00:00Z"}}}`: "two",
		`{"bool":{"filter":[{"term":{"aictail.source":"am-access"}},{"term":{"aictail.tenant":"prod"}},{"term":{"type":"application/json"}},{"exists":{"field":"payload"}}]}}`: "one",
	} {
		var got []string
		for _, h := range r.search(t, cfg, query) {
			got = append(got, h.ID)
		}
		if diff := cmp.Diff([]string{want}, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", query, diff)
		}
	}
}

// testRollover shows the difference that the documentation speaks of.
func (r real) testRollover(t *testing.T) {
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
func (r real) testDown(t *testing.T, cfg Config, end func(testing.TB)) {
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
			if got := (&rig{t: t}).said(err); got != "poison 1234:poison" {
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
