package filter

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"aictail"
	"aictail/filter/redact"
)

func TestApply(t *testing.T) {
	reg := prometheus.NewRegistry()
	pass := newPass(t, Config{}, reg)
	events := []aictail.Event{
		event(`{"payload":{"m":"nothing here"},"timestamp":"x","type":"application/json"}`),
		event(`{"timestamp":"x","payload":"bob@example.com and eve@example.com","source":"am-core"}`),
		event(`{"payload":{"password":"hunter2"},"source":"am-core"}`),
	}
	untouched := &events[0].Raw[0]
	got := pass.Apply(events)
	if len(got) != len(events) || &got[0] != &events[0] {
		t.Fatal("events are not filtered in place")
	}
	if &got[0].Raw[0] != untouched {
		t.Error("an event that no rule touches was copied")
	}
	want := []string{
		`{"payload":{"m":"nothing here"},"timestamp":"x","type":"application/json"}`,
		`{"timestamp":"x","payload":"[redacted:email] and [redacted:email]","source":"am-core"}`,
		`{"payload":{"password":"[redacted:secret]"},"source":"am-core"}`,
	}
	wantPayload := []string{`{"m":"nothing here"}`, `"[redacted:email] and [redacted:email]"`, `{"password":"[redacted:secret]"}`}
	for i, e := range got {
		if string(e.Raw) != want[i] || string(e.PayloadBytes()) != wantPayload[i] {
			t.Errorf("event %d is %s with payload %s", i, e.Raw, e.PayloadBytes())
		}
		if string(e.ID) != "id" || e.Position != 7 || e.Tenant != "prod" || e.Source != "am-core" {
			t.Errorf("event %d: its identity changed: %+v", i, e)
		}
	}
	if n := counter(t, reg, "aictail_redactions_total", "email"); n != 2 {
		t.Errorf("%v e-mail addresses counted", n)
	}
	if n := counter(t, reg, "aictail_redactions_total", "secret_key"); n != 1 {
		t.Errorf("%v secret keys counted", n)
	}
	pass.Apply(events)
	if n := counter(t, reg, "aictail_redactions_total", "email"); n != 2 {
		t.Errorf("what was redacted is counted again: %v", n)
	}
}

// TestManyEvents: events keep their bytes while the arena grows under them.
func TestManyEvents(t *testing.T) {
	pass := newPass(t, Config{}, nil)
	var events []aictail.Event
	for range 2000 {
		events = append(events, event(`{"payload":{"mail":"bob@example.com","n":1}}`))
	}
	for i, e := range pass.Apply(events) {
		if string(e.Raw) != `{"payload":{"mail":"[redacted:email]","n":1}}` || string(e.PayloadBytes()) != `{"mail":"[redacted:email]","n":1}` {
			t.Fatalf("event %d is %s", i, e.Raw)
		}
	}
}

func TestOff(t *testing.T) {
	pass := newPass(t, Config{Redact: preset("off")}, prometheus.NewRegistry())
	raw := `{"payload":"bob@example.com"}`
	if got := pass.Apply([]aictail.Event{event(raw)}); string(got[0].Raw) != raw {
		t.Errorf("changed to %s", got[0].Raw)
	}
}

func TestNewErrors(t *testing.T) {
	if _, err := New(Config{Redact: preset("all")}, Deps{}); err == nil || !strings.Contains(err.Error(), "filter.redact") {
		t.Errorf("unknown preset: %v", err)
	}
	reg := prometheus.NewRegistry()
	reg.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "aictail_redactions_total", Help: "another"}))
	if _, err := New(Config{}, Deps{Registerer: reg}); err == nil {
		t.Error("another metric of the same name was overlooked")
	}
}

// TestSharedRegisterer: two chains count in the same metrics.
func TestSharedRegisterer(t *testing.T) {
	reg := prometheus.NewRegistry()
	for range 2 {
		newPass(t, Config{}, reg).Apply([]aictail.Event{event(`{"payload":"bob@example.com"}`)})
	}
	if n := counter(t, reg, "aictail_redactions_total", "email"); n != 2 {
		t.Errorf("%v counted", n)
	}
	if n := counter(t, reg, "aictail_events_quarantined_total", "panic"); n != 0 {
		t.Errorf("%v quarantined", n)
	}
}

func TestQuarantine(t *testing.T) {
	const probe = "hunter2-probe"
	type redactFunc = func([]byte, []byte, aictail.Span, string) ([]byte, aictail.Span, error)
	for _, c := range []struct {
		name, label, notice string
		raw                 string
		redact              redactFunc // nil for the real one
	}{
		{name: "invalid", label: "invalid_json", notice: "invalid JSON", raw: `{"payload":"` + probe},
		{name: "bare word", label: "invalid_json", notice: "invalid JSON", raw: `{"payload":` + probe + `}`},
		{name: "bad escape", label: "invalid_json", notice: "invalid JSON", raw: `{"payload":"\x` + probe + `"}`},
		{name: "bad encoding", label: "invalid_utf8", notice: "invalid UTF-8", raw: "{\"payload\":\"\xff" + probe + "\"}"},
		{name: "deep", label: "too_deep", notice: "nested too deeply", raw: `{"payload":` + strings.Repeat("[", 1000) + `"` + probe + `"` + strings.Repeat("]", 1000) + `}`},
		{name: "large", label: "too_large", notice: "too large", raw: `{"payload":"` + strings.Repeat("x", 17<<20) + probe + `"}`},
		{name: "panic", label: "panic", notice: "a filter rule crashed", raw: `{"payload":"` + probe + `"}`,
			redact: func(dst, raw []byte, _ aictail.Span, _ string) ([]byte, aictail.Span, error) {
				_ = append(dst, raw...) // leaves something behind before it crashes
				panic(string(raw))
			}},
		{name: "error", label: "error", notice: "redaction failed", raw: `{"payload":"` + probe + `"}`,
			redact: func(dst, raw []byte, _ aictail.Span, _ string) ([]byte, aictail.Span, error) {
				return append(dst, raw...), aictail.Span{}, errors.New(string(raw))
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			reg := prometheus.NewRegistry()
			pass := newPass(t, Config{}, reg)
			inner := pass.redact
			if c.redact != nil {
				pass.redact = func(dst, raw []byte, span aictail.Span, source string) ([]byte, aictail.Span, error) {
					if bytes.Contains(raw, []byte(probe)) {
						return c.redact(dst, raw, span, source)
					}
					return inner(dst, raw, span, source)
				}
			}
			bad := event(`{"payload":"x"}`)
			bad.Raw, bad.Payload = []byte(c.raw), aictail.Span{}
			good := event(`{"payload":"bob@example.com"}`)
			got := pass.Apply([]aictail.Event{good, bad, good})

			want := `{"payload":"[aictail: withheld, could not be redacted: ` + c.notice + `]",` +
				`"timestamp":"2022-12-05T20:01:34.448290946Z","type":"text/plain","source":"am-core"}`
			if diff := cmp.Diff(want, string(got[1].Raw)); diff != "" {
				t.Error(diff)
			}
			var doc struct{ Payload json.RawMessage }
			if err := json.Unmarshal(got[1].Raw, &doc); err != nil || !bytes.Equal(doc.Payload, got[1].PayloadBytes()) {
				t.Errorf("%v: payload is not at %v", err, got[1].Payload)
			}
			if string(got[1].ID) != "id" || got[1].Type != "text/plain" || got[1].Position != 7 {
				t.Errorf("identity or type: %+v", got[1])
			}
			for _, i := range []int{0, 2} {
				if string(got[i].Raw) != `{"payload":"[redacted:email]"}` {
					t.Errorf("the event beside it is %s", got[i].Raw)
				}
			}
			if n := counter(t, reg, "aictail_events_quarantined_total", c.label); n != 1 {
				t.Errorf("%v counted", n)
			}
		})
	}
}

func TestQuarantineWithoutSource(t *testing.T) {
	e := event(`{}`)
	for source, want := range map[string]string{"": `"}`, "a\"\n": `,"source":"a\"\n"}`} {
		e.Source = source
		quarantine(nil, &e, invalidJSON)
		if !json.Valid(e.Raw) || !strings.HasSuffix(string(e.Raw), want) {
			t.Errorf("%s", e.Raw)
		}
	}
}

func TestApplyDoesNotAllocate(t *testing.T) {
	pass := newPass(t, Config{}, prometheus.NewRegistry())
	clean := event(`{"payload":{"m":"nothing here","n":123},"timestamp":"x","type":"application/json"}`)
	hit := event(`{"payload":{"mail":"bob@example.com"}}`)
	events := make([]aictail.Event, 2)
	if n := testing.AllocsPerRun(100, func() {
		events[0], events[1] = clean, hit
		pass.Apply(events)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkApply(b *testing.B) {
	pass := newPass(b, Config{}, prometheus.NewRegistry())
	clean := event(`{"payload":{"eventName":"access","transactionId":"1664994108247-9f138d8fc9f59d23164c-26466/0","client":{"ip":"203.0.113.9","port":88}},"timestamp":"x","type":"application/json"}`)
	events := make([]aictail.Event, 1000)
	for i := range events {
		events[i] = clean
	}
	b.SetBytes(int64(len(clean.Raw) * len(events)))
	b.ReportAllocs()
	for b.Loop() {
		pass.Apply(events)
	}
}

func preset(name string) redact.Config {
	return redact.Config{Rules: []redact.Rule{{Preset: name}}}
}

func newPass(t testing.TB, config Config, reg *prometheus.Registry) *Pass {
	t.Helper()
	deps := Deps{}
	if reg != nil {
		deps.Registerer = reg
	}
	chain, err := New(config, deps)
	if err != nil {
		t.Fatal(err)
	}
	return chain.NewPass()
}

// event returns an event of am-core with the payload that raw has.
func event(raw string) aictail.Event {
	e := aictail.Event{
		ID: []byte("id"), Tenant: "prod", Source: "am-core", Type: "application/json", Position: 7,
		Time: time.Date(2022, 12, 5, 20, 1, 34, 448290946, time.UTC), Raw: []byte(raw),
	}
	var doc struct{ Payload json.RawMessage }
	if json.Unmarshal(e.Raw, &doc) == nil && len(doc.Payload) > 0 {
		start := strings.Index(raw, string(doc.Payload))
		e.Payload = aictail.Span{Start: start, End: start + len(doc.Payload)}
	}
	return e
}

// counter returns the value of the counter whose only label has the value.
func counter(t *testing.T, reg *prometheus.Registry, name, label string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if family.GetName() == name && m.GetLabel()[0].GetValue() == label {
				return m.GetCounter().GetValue()
			}
		}
	}
	t.Fatalf("no metric %s with %s", name, label)
	return 0
}
