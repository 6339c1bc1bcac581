package elasticsearch

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"aictail"
	"aictail/sinks"
)

// benchEvents are events of about 750 bytes, the mean of real ones.
func benchEvents(n int) []aictail.Event {
	events := make([]aictail.Event, n)
	for i := range events {
		events[i] = newEvent(fmt.Sprintf("45463f84-ff1b-499f-aa84-8d4bd93150de-%d", i), fmt.Sprintf(
			`{"_id":"45463f84-ff1b-499f-aa84-8d4bd93150de-%d","eventName":"AM-ACCESS-ATTEMPT","transactionId":"%d-request-1/0","userId":"id=%d,ou=user","text":%q}`,
			i, i*7919, i%1000, strings.Repeat(fmt.Sprintf("header-%d value ", i), 25)))
		events[i].Source = []string{"am-access", "idm-core"}[i%2]
	}
	return events
}

// BenchmarkSend measures the sink with a server that does nothing but answer.
func BenchmarkSend(b *testing.B) {
	const batch = 5000
	events := benchEvents(batch)
	var answer strings.Builder
	answer.WriteString(`{"errors":false,"items":[`)
	for i := range events {
		if i > 0 {
			answer.WriteByte(',')
		}
		fmt.Fprintf(&answer, `{"create":{"_id":%q,"status":201}}`, events[i].ID)
	}
	answer.WriteString(`]}`)
	text := []byte(answer.String())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		buf := make([]byte, 64<<10)
		for {
			if _, err := r.Body.Read(buf); err != nil {
				break
			}
		}
		_, _ = w.Write(text)
	}))
	defer server.Close()
	cfg := testConfig(server.URL)
	cfg.Setup = false
	s := newSink(b, cfg)
	defer s.Close()
	if err := s.Open(b.Context(), sinks.Saved{}); err != nil {
		b.Fatal(err)
	}
	size := 0
	for i := range events {
		size += len(events[i].Raw)
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Send(b.Context(), events); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*batch/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkBody measures the building of a body alone.
func BenchmarkBody(b *testing.B) {
	events := benchEvents(5000)
	s := newSink(b, testConfig("http://localhost:9200"))
	b.ReportAllocs()
	for b.Loop() {
		s.body.reset()
		for i := range events {
			s.body.add(&events[i], s.target.of(&events[i]), asObject, 100<<20)
		}
		s.body.finish()
	}
	b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(b.N)/5000, "ns/event")
}

// BenchmarkAnswer measures the reading of an answer alone.
func BenchmarkAnswer(b *testing.B) {
	text := []byte(`{"errors":false,"items":[` + strings.Repeat(`{"create":{"_id":"45463f84-ff1b-499f-aa84-8d4bd93150de-1","status":201}},`, 4999) +
		`{"create":{"_id":"45463f84-ff1b-499f-aa84-8d4bd93150de-1","status":201}}]}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := readAnswer(text, func(int, item) {}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(b.N)/5000, "ns/event")
}

// TestAllocations holds the way of an event to no allocation of its own.
func TestAllocations(t *testing.T) {
	r := newRig(t)
	events := benchEvents(1000)
	build := func() {
		r.sink.body.reset()
		for i := range events {
			r.sink.body.add(&events[i], r.sink.target.of(&events[i]), asObject, 100<<20)
		}
		r.sink.body.finish()
	}
	build()
	if n := testing.AllocsPerRun(10, build); n > 10 {
		t.Errorf("%v allocations for 1000 events", n)
	}
	text := []byte(`{"errors":false,"items":[` + strings.Repeat(`{"create":{"_id":"x","status":201}},`, 999) + `{"create":{"_id":"x","status":201}}]}`)
	read := func() {
		if _, err := readAnswer(text, func(int, item) {}); err != nil {
			t.Fatal(err)
		}
	}
	if n := testing.AllocsPerRun(10, read); n > 10 {
		t.Errorf("%v allocations for the answer to 1000 events", n)
	}
}
