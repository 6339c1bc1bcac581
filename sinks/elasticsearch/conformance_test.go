package elasticsearch

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"aictail/sinks"
	"aictail/sinks/sinktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testConfig is a configuration for the server at an address.
func testConfig(url string) Config {
	return Config{
		URLs: []string{url}, Index: "aic-{source}-{yyyy.MM}", Setup: true,
		Timeout: 10 * time.Second, MaxBody: 8 << 20,
	}
}

// breakages are the ways in which the suite's destination fails.
var breakages = map[string]fault{
	"answers 503": {do: func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		w.WriteHeader(http.StatusServiceUnavailable)
	}},
	"answers with a page": {do: func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		w.WriteHeader(http.StatusOK)
		_, _ = w.Write([]byte("<html>It works!</html>"))
	}},
	"takes events and does not answer": {after: true, do: func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		panic(http.ErrAbortHandler)
	}},
	"takes events and cuts the answer": {after: true, do: func(w http.ResponseWriter, _ *http.Request, answer []byte) {
		_, _ = w.Write(answer[:len(answer)/2])
	}},
}

func TestConformance(t *testing.T) {
	configs := map[string]func(*Config, *fake){
		"index":       func(*Config, *fake) {},
		"data stream": func(c *Config, _ *fake) { c.Index, c.DataStream = "", "logs-aic.{source}-default" },
		"OpenSearch":  func(_ *Config, f *fake) { f.product = "opensearch" },
		"bare":        func(_ *Config, f *fake) { f.product = "bare" },
		"small bodies": func(c *Config, f *fake) {
			c.MaxBody = 3000
		},
		"smaller than max_body": func(_ *Config, f *fake) { f.maxBody = 1<<20 + 1000 },
	}
	for name, configure := range configs {
		t.Run(name, func(t *testing.T) {
			sinktest.Run(t, func(t testing.TB) sinktest.Harness { return fakeHarness(t, configure, breakages["answers 503"]) })
		})
	}
	for name, broken := range breakages {
		t.Run(name, func(t *testing.T) {
			sinktest.Run(t, func(t testing.TB) sinktest.Harness { return fakeHarness(t, configs["index"], broken) })
		})
	}
}

func fakeHarness(t testing.TB, configure func(*Config, *fake), broken fault) sinktest.Harness {
	f, server := newFake(t)
	cfg := testConfig(server.URL)
	configure(&cfg, f)
	return sinktest.Harness{
		New: func(t testing.TB) sinks.Sink { return newSink(t, cfg) },
		Received: func(t testing.TB) [][]byte {
			var raws [][]byte
			docs, _ := f.seen()
			for _, d := range docs {
				raws = append(raws, rawOf(t, d.source))
			}
			return raws
		},
		Break:     func(testing.TB) { f.inject(broken) },
		Mend:      func(testing.TB) { f.heal() },
		Unordered: true,
	}
}

func newSink(t testing.TB, cfg Config) *Sink {
	t.Helper()
	s, err := New(cfg, Deps{Log: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// rawOf returns the event's Raw that a document was made of.
func rawOf(t testing.TB, source string) []byte {
	t.Helper()
	var doc struct {
		Timestamp json.RawMessage `json:"@timestamp"`
		Aictail   json.RawMessage
		Message   string
	}
	if err := json.Unmarshal([]byte(source), &doc); err != nil {
		t.Fatalf("a document that is not JSON: %v", err)
	}
	if strings.Contains(string(doc.Aictail), `"as_text":true`) {
		return []byte(doc.Message)
	}
	rest, ok := strings.CutPrefix(source, `{"@timestamp":`+string(doc.Timestamp)+`,"aictail":`+string(doc.Aictail))
	if !ok {
		t.Fatalf("a document that does not begin with @timestamp and aictail: %.80s", source)
	}
	rest = "{" + strings.TrimPrefix(rest, ",")
	if after, ok := strings.CutPrefix(rest, `{"message":`); ok {
		rest = `{"payload":` + after
	}
	return []byte(rest)
}
