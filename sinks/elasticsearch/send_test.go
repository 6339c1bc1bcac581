package elasticsearch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"aictail"
	"aictail/sinks"
)

// confidential stands in every payload and must not turn up in errors and logs.
const confidential = "hunter2-confidential"

// newEvents returns events with the ids id-0, id-1, …
func newEvents(n int) []aictail.Event {
	events := make([]aictail.Event, n)
	for i := range events {
		events[i] = newEvent(fmt.Sprintf("id-%d", i), fmt.Sprintf(`{"n":%d,"note":%q}`, i, confidential))
	}
	return events
}

func newEvent(id, payload string) aictail.Event {
	const before = `{"payload":`
	return aictail.Event{
		ID: []byte(id), Tenant: "prod", Source: "am-access", Type: "application/json",
		Time:    time.Date(2026, 1, 31, 23, 59, 59, 123456789, time.UTC),
		Raw:     []byte(before + payload + `,"timestamp":"2026-01-31T23:59:59.123456789Z","type":"application/json"}`),
		Payload: aictail.Span{Start: len(before), End: len(before) + len(payload)},
	}
}

// rig is an open sink and its server.
type rig struct {
	t    *testing.T
	fake *fake
	url  string
	sink *Sink
	logs *observer.ObservedLogs
}

func newRig(t *testing.T, configure ...func(*Config, *fake)) *rig {
	f, server := newFake(t)
	cfg := testConfig(server.URL)
	for _, c := range configure {
		c(&cfg, f)
	}
	core, logs := observer.New(zapcore.DebugLevel)
	s, err := New(cfg, Deps{Log: zap.New(core), Now: func() time.Time { return time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC) }})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, fake: f, url: server.URL, sink: s, logs: logs}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		r.checkLogs()
	})
	return r
}

func (r *rig) open() *rig {
	r.t.Helper()
	if err := r.sink.Open(r.t.Context(), sinks.Saved{}); err != nil {
		r.t.Fatal(err)
	}
	return r
}

// checkLogs looks for event content in the sink's log.
func (r *rig) checkLogs() {
	for _, entry := range r.logs.All() {
		if strings.Contains(fmt.Sprint(entry.Message, entry.ContextMap()), confidential) {
			r.t.Errorf("the log shows event content: %s", entry.Message)
		}
	}
}

// said is the error of Send in the form in which the tests compare it: the kind, or
// "ok", and for each event that is named its index and kind.
func (r *rig) said(err error) string {
	r.t.Helper()
	if err == nil {
		return "ok"
	}
	e, ok := errors.AsType[*sinks.Error](err)
	if !ok {
		r.t.Fatalf("the error is a %T: %v", err, err)
	}
	if strings.Contains(err.Error(), confidential) {
		r.t.Errorf("the error shows event content: %v", err)
	}
	text := e.Kind.String()
	for _, f := range e.Failed {
		text += fmt.Sprintf(" %d:%s", f.Index, f.Kind)
		if strings.Contains(f.Err.Error(), confidential) {
			r.t.Errorf("a failure shows event content: %v", f.Err)
		}
	}
	return text
}

func TestRetryAfter(t *testing.T) {
	tests := map[string]time.Duration{
		"":                              0,
		"7":                             7 * time.Second,
		"86400":                         5 * time.Minute,
		"-1":                            0,
		"soon":                          0,
		"Fri, 01 May 2026 12:01:00 GMT": time.Minute,
		"Fri, 01 May 2026 11:00:00 GMT": 0,
	}
	for header, want := range tests {
		for _, status := range []int{429, 503} {
			r := newRig(t).open()
			r.fake.inject(fault{path: "/_bulk", do: func(w http.ResponseWriter, _ *http.Request, _ []byte) {
				w.Header().Set("Retry-After", header)
				w.WriteHeader(status)
			}})
			err := r.sink.Send(t.Context(), newEvents(1))
			e, ok := errors.AsType[*sinks.Error](err)
			if !ok || e.Kind != sinks.Retry || e.After != want {
				t.Errorf("%d with Retry-After %q: %v after %v, want retry after %v", status, header, e.Kind, e.After, want)
			}
		}
	}
}

// TestTimeout is about a server that takes the events and answers too late.
func TestTimeout(t *testing.T) {
	release := make(chan struct{})
	r := newRig(t, func(c *Config, _ *fake) { c.Timeout = 50 * time.Millisecond; c.Setup = false }).open()
	r.fake.inject(fault{path: "/_bulk", times: 1, after: true, do: func(http.ResponseWriter, *http.Request, []byte) { <-release }})
	err := r.sink.Send(t.Context(), newEvents(3))
	close(release)
	if got := r.said(err); got != "retry" || !strings.Contains(err.Error(), "timeout") {
		t.Errorf("got %s: %v", got, err)
	}
	r.sink.cfg.Timeout = 10 * time.Second
	if got := r.said(r.sink.Send(t.Context(), newEvents(3))); got != "ok" {
		t.Errorf("once more: %s", got)
	}
	if docs, _ := r.fake.seen(); len(docs) != 3 {
		t.Errorf("%d documents, want 3", len(docs))
	}
}

// TestCancelled ends the context while the server is busy.
func TestCancelled(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	r := newRig(t).open()
	ctx, cancel := context.WithCancel(t.Context())
	r.fake.inject(fault{path: "/_bulk", do: func(http.ResponseWriter, *http.Request, []byte) { cancel(); <-release }})
	if got := r.said(r.sink.Send(ctx, newEvents(3))); got != "retry" {
		t.Errorf("got %s", got)
	}
}

// TestPartial goes through a batch of many outcomes.
func TestPartial(t *testing.T) {
	r := newRig(t).open()
	for i, x := range []itemFault{
		1: {status: 400, typ: "document_parsing_exception"}, 3: {status: 429, typ: "es_rejected_execution_exception"}, 4: {status: 409, typ: "version_conflict_engine_exception"},
	} {
		if x.status != 0 {
			r.fake.itemFault[fmt.Sprintf("id-%d", i)] = x
		}
	}
	// What is refused waits with what is overloaded: nothing is sent after that.
	if got := r.said(r.sink.Send(t.Context(), newEvents(6))); got != "retry 1:retry 3:retry" {
		t.Error(got)
	}
	delete(r.fake.itemFault, "id-3")
	if got := r.said(r.sink.Send(t.Context(), newEvents(6))); got != "poison 1:poison" {
		t.Error(got)
	}
	r.fake.itemFault["id-5"] = itemFault{status: 403, typ: "security_exception"}
	if got := r.said(r.sink.Send(t.Context(), newEvents(6))); got != "refused 1:retry 5:refused" {
		t.Error(got)
	}
}

// TestSizes keeps bodies within max_body and finds the server's limit.
func TestSizes(t *testing.T) {
	r := newRig(t, func(c *Config, f *fake) { c.MaxBody, f.maxBody = 4000, 1500 }).open()
	events := newEvents(40)
	events[7].Raw = []byte(`{"payload":{},"x":"` + strings.Repeat("y", 2000) + `"}`)
	err := r.sink.Send(t.Context(), events)
	if got := r.said(err); got != "poison 7:split" || !strings.Contains(err.Error(), "413") {
		t.Errorf("got %s: %v", got, err)
	}
	docs, _ := r.fake.seen()
	if len(docs) != 39 {
		t.Errorf("%d documents, want 39", len(docs))
	}
	for _, size := range r.fake.bodies {
		if size > 1500 {
			t.Errorf("the server took a body of %d bytes", size)
		}
	}
	// From now on no body is refused.
	x := len(r.fake.requests)
	events = newEvents(80)[40:]
	if got := r.said(r.sink.Send(t.Context(), events)); got != "ok" {
		t.Error(got)
	}
	if took, bodies := len(r.fake.requests)-x, len(events)*450/1000+2; took > bodies {
		t.Errorf("%d requests for %d events", took, len(events))
	}
	// A lone event that is too large is the batch's own failure.
	large := newEvents(1)
	large[0].Raw = []byte(`{"payload":{},"x":"` + strings.Repeat("y", 2000) + `"}`)
	if got := r.said(r.sink.Send(t.Context(), large)); got != "split" {
		t.Error(got)
	}
}

// TestFailureBetweenRequests breaks the server after the first of several requests.
func TestFailureBetweenRequests(t *testing.T) {
	r := newRig(t, func(c *Config, _ *fake) { c.MaxBody = 1000 }).open()
	first := true
	x := r.fake.inject(fault{path: "/_bulk", after: true, do: func(w http.ResponseWriter, _ *http.Request, answer []byte) {
		if first {
			first = false
			_, _ = w.Write(answer)
			return
		}
		w.Header().Set("Retry-After", "3")
		w.WriteHeader(http.StatusServiceUnavailable)
	}})
	err := r.sink.Send(t.Context(), newEvents(10))
	e, ok := errors.AsType[*sinks.Error](err)
	if !ok || e.Kind != sinks.Retry || e.After != 3*time.Second || len(e.Failed) == 0 || len(e.Failed) == 10 || e.Failed[len(e.Failed)-1].Index != 9 {
		t.Errorf("got %s: %v", r.said(err), err)
	}
	if r.fake.fired(x) != 2 {
		t.Errorf("%d requests: none is to follow the one that failed", r.fake.fired(x))
	}
	r.fake.heal()
	if got := r.said(r.sink.Send(t.Context(), newEvents(10))); got != "ok" {
		t.Error(got)
	}
	if docs, _ := r.fake.seen(); len(docs) != 10 {
		t.Errorf("%d documents, want 10", len(docs))
	}
}

// TestConflictOfMapping finds exactly the event that no form of makes acceptable.
func TestConflictOfMapping(t *testing.T) {
	r := newRig(t).open()
	r.fake.conflict = "message" // mapped to a number
	events := newEvents(5)
	events[3] = newEvent("id-3", `"`+confidential+`"`)
	err := r.sink.Send(t.Context(), events)
	if got := r.said(err); got != "poison 3:poison" {
		t.Fatalf("got %s: %v", got, err)
	}
	if got := reasonOf(err); !strings.Contains(got, "field [message] of type [long]") {
		t.Errorf("the reason is %q", got)
	}
}

// TestStoredAsText is about events that are refused with their fields.
func TestStoredAsText(t *testing.T) {
	r := newRig(t).open()
	events := newEvents(3)
	events[1] = newEvent("id-1", `{"z":1,"z":"`+confidential+`"}`)
	for range 2 { // the second time they are there
		if got := r.said(r.sink.Send(t.Context(), events)); got != "ok" {
			t.Fatal(got)
		}
	}
	docs, _ := r.fake.seen()
	var got []string
	for _, d := range docs {
		got = append(got, string(rawOf(t, d.source)))
	}
	slices.Sort(got)
	want := []string{string(events[0].Raw), string(events[2].Raw), string(events[1].Raw)}
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if n := r.logs.FilterLevelExact(zapcore.WarnLevel).Len(); n != 1 {
		t.Errorf("%d warnings, want one", n)
	}
}

func TestFailureStore(t *testing.T) {
	r := newRig(t).open()
	r.fake.inject(fault{path: "/_bulk", do: answerWith(200, `{"errors":false,"items":[{"create":{"_id":"id-0","status":201,"failure_store":"used"}}]}`)})
	if got := r.said(r.sink.Send(t.Context(), newEvents(1))); got != "ok" {
		t.Error(got)
	}
	if n := r.logs.FilterMessageSnippet("failure store").Len(); n != 1 {
		t.Errorf("%d warnings, want one", n)
	}
}

// TestRequest looks at what goes over the wire.
func TestRequest(t *testing.T) {
	var got *http.Request
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		b := make([]byte, r.ContentLength)
		_, _ = r.Body.Read(b)
		body = gunzip(t, b)
		_, _ = w.Write([]byte(`{"errors":false,"items":[{"create":{"_id":"id-0","status":201}}]}`))
	}))
	defer server.Close()
	cfg := testConfig(server.URL + "/es/")
	cfg.Setup, cfg.Pipeline, cfg.APIKey = false, "geo", "id:key"
	s := newSink(t, cfg)
	defer s.Close()
	if err := s.Open(t.Context(), sinks.Saved{}); err != nil {
		t.Fatal(err)
	}
	if err := s.Send(t.Context(), newEvents(1)); err != nil {
		t.Fatal(err)
	}
	want := `{"create":{"_index":"aic-am-access-2026.01","_id":"id-0"}}
{"@timestamp":"2026-01-31T23:59:59.123456789Z","aictail":{"id":"id-0","tenant":"prod","source":"am-access"},"payload":{"n":0,"note":"hunter2-confidential"},"timestamp":"2026-01-31T23:59:59.123456789Z","type":"application/json"}
`
	if diff := cmp.Diff(want, string(body)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	q := got.URL.Query()
	if got.URL.Path != "/es/_bulk" || q.Get("pipeline") != "geo" || q.Get("timeout") != "5000ms" || !strings.Contains(q.Get("filter_path"), "items.*._id") {
		t.Errorf("the address is %s", got.URL)
	}
	for header, want := range map[string]string{"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip", "Authorization": "APIKey aWQ6a2V5", "User-Agent": "aictail"} {
		if v := got.Header.Get(header); v != want {
			t.Errorf("%s is %q, want %q", header, v, want)
		}
	}
}

func TestNotOpen(t *testing.T) {
	s := newSink(t, testConfig("http://localhost:1"))
	if err := s.Send(t.Context(), newEvents(1)); sinks.KindOf(err) != sinks.Retry || err == nil {
		t.Errorf("Send before Open: %v", err)
	}
}
