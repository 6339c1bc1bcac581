package splunkhec

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.uber.org/goleak"

	"aictail"
	"aictail/sinks"
	"aictail/sinks/sinktest"
	"aictail/sinks/splunkhec/hectest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// busy is a fault that lasts: Splunk takes nothing and says so.
func busy(service hectest.Service) hectest.Fault {
	return hectest.Fault{Service: service, Times: -1, Status: http.StatusServiceUnavailable, Body: `{"text":"Server is busy","code":9}`}
}

func TestConformance(t *testing.T) {
	// cut: Splunk indexes everything and the answer never arrives.
	cut := hectest.Fault{Service: hectest.Collect, Times: -1, Cut: true, Index: true}
	setups := map[string]struct {
		options hectest.Options
		cfg     Config
		broken  hectest.Fault
	}{
		"plain":        {broken: busy(hectest.Collect)},
		"answers lost": {broken: cut, cfg: Config{Compression: "none"}},
		"small requests": {broken: hectest.Fault{Service: hectest.Collect, Times: -1, Status: 502, Body: "<html>"}, cfg: Config{MaxBody: 3000},
			options: hectest.Options{MaxContentLength: 2 << 20}},
		"acknowledged": {options: hectest.Options{Acknowledge: true, PollsBefore: 1, Sticky: true},
			cfg: Config{Acknowledge: true}, broken: busy(hectest.Collect)},
		"acknowledged, answers lost": {options: hectest.Options{Acknowledge: true},
			cfg: Config{Acknowledge: true, MaxBody: 100_000}, broken: cut},
	}
	for name, setup := range setups {
		t.Run(name, func(t *testing.T) {
			sinktest.Run(t, func(t testing.TB) sinktest.Harness {
				server := hectest.New(setup.options)
				t.Cleanup(server.Close)
				cfg := setup.cfg
				cfg.URLs, cfg.Token = []string{server.URL()}, "token"
				var broken *hectest.Injected
				return sinktest.Harness{
					New:         func(t testing.TB) sinks.Sink { return newSink(t, cfg) },
					Received:    func(testing.TB) [][]byte { return raws(server) },
					Break:       func(testing.TB) { broken = server.Inject(setup.broken) },
					Mend:        func(testing.TB) { broken.Heal() },
					AtLeastOnce: true,
				}
			})
		})
	}
}

// newSink returns a sink that asks for acknowledgements without delay.
func newSink(t testing.TB, cfg Config) *Sink {
	t.Helper()
	s, err := New(cfg, Deps{Registerer: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	s.firstPoll, s.slowestPoll = time.Millisecond, 5*time.Millisecond
	return s
}

// openSink returns an open sink for a server, with what change makes of its
// configuration.
func openSink(t testing.TB, server *hectest.Server, change func(*Config)) *Sink {
	t.Helper()
	cfg := Config{URLs: []string{server.URL()}, Token: "token"}
	if change != nil {
		change(&cfg)
	}
	s := newSink(t, cfg)
	if err := s.Open(t.Context(), sinks.Saved{Save: func([]byte) error { return nil }}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func newServer(t testing.TB, o hectest.Options) *hectest.Server {
	t.Helper()
	server := hectest.New(o)
	t.Cleanup(server.Close)
	return server
}

// newEvents returns n small events with positions from first.
func newEvents(first, n int) []aictail.Event {
	events := make([]aictail.Event, n)
	for i := range events {
		events[i] = aictail.Event{
			ID: fmt.Appendf(nil, "id-%d", first+i), Tenant: "prod", Source: "am-access",
			Time: time.Unix(1772409000, int64(first+i)),
			Raw:  fmt.Appendf(nil, `{"payload":{"n":%d}}`, first+i), Position: aictail.Position(first + i),
		}
	}
	return events
}

func raws(server *hectest.Server) [][]byte {
	var all [][]byte
	for _, e := range server.Events() {
		all = append(all, e.Raw)
	}
	return all
}

// numbers returns the n of the events that the server holds.
func numbers(server *hectest.Server) []int {
	var all []int
	for _, e := range server.Events() {
		var n int
		fmt.Sscanf(e.Fields["id"], "id-%d", &n)
		all = append(all, n)
	}
	return all
}

func seq(from, to int) []int {
	var all []int
	for n := from; n < to; n++ {
		all = append(all, n)
	}
	return all
}

// repeats returns the metric of possible duplicates.
func repeats(t testing.TB, s *Sink) int {
	t.Helper()
	var m dto.Metric
	if err := s.repeats.Write(&m); err != nil {
		t.Fatal(err)
	}
	return int(m.GetCounter().GetValue())
}

// asError returns the *sinks.Error that err must be.
func asError(t testing.TB, err error) *sinks.Error {
	t.Helper()
	e, ok := errors.AsType[*sinks.Error](err)
	if !ok {
		t.Fatalf("got %v, want an *sinks.Error", err)
	}
	return e
}

// drive delivers events as deliver would, up to a number of attempts, and returns
// the indexes of those that no attempt will deliver.
func drive(t testing.TB, s *Sink, events []aictail.Event) (dead []int) {
	t.Helper()
	rest := seq(0, len(events))
	for range 50 {
		batch := make([]aictail.Event, len(rest))
		for i, n := range rest {
			batch[i] = events[n]
		}
		err := s.Send(t.Context(), batch)
		if err == nil {
			return dead
		}
		e := asError(t, err)
		failed := e.Failed
		if failed == nil {
			for i := range batch {
				failed = append(failed, sinks.Failure{Index: i, Kind: e.Kind, Err: e.Err})
			}
		}
		var again []int
		for _, f := range failed {
			if f.Kind == sinks.Poison || f.Kind == sinks.Split {
				dead = append(dead, rest[f.Index])
			} else {
				again = append(again, rest[f.Index])
			}
		}
		if rest = again; len(rest) == 0 {
			slices.Sort(dead)
			return dead
		}
	}
	t.Fatalf("%d events are still not delivered", len(rest))
	return nil
}

func TestWhatSplunkGets(t *testing.T) {
	server := newServer(t, hectest.Options{Indexes: []string{"aic-am-access", "aic-unknown", "aic-we_ird"}})
	s := openSink(t, server, func(c *Config) {
		c.Index, c.Source, c.Host, c.Sourcetype = "aic-{source}", `{tenant}:"{source}"`, "h", "x:{source}"
	})
	events := []aictail.Event{
		{ID: []byte("a\"\\\x01\xff é"), Tenant: "prod", Source: "am-access", Time: time.Unix(1, 5), Raw: []byte(`{"a": 1}`)},
		{ID: []byte("b"), Raw: []byte(`{"b":"\ud83d"}`)},
		{ID: []byte("c"), Tenant: "prod", Source: "WE/ird", Time: time.Unix(-1, 750e6), Raw: []byte(`{}`)},
	}
	if err := s.Send(t.Context(), events); err != nil {
		t.Fatal(err)
	}
	want := []hectest.Event{
		{Time: "1.000000005", Host: "h", Source: `prod:"am-access"`, Sourcetype: "x:am-access", Index: "aic-am-access",
			Raw: []byte(`{"a": 1}`), Fields: map[string]string{"id": "a\"\\\x01\ufffd é", "tenant": "prod"}},
		{Host: "h", Source: `unknown:"unknown"`, Sourcetype: "x:unknown", Index: "aic-unknown",
			Raw: []byte(`{"b":"\ud83d"}`), Fields: map[string]string{"id": "b", "tenant": "unknown"}},
		{Time: "-0.250000000", Host: "h", Source: `prod:"WE/ird"`, Sourcetype: "x:WE/ird", Index: "aic-we_ird",
			Raw: []byte(`{}`), Fields: map[string]string{"id": "c", "tenant": "prod"}},
	}
	if diff := cmp.Diff(want, server.Events()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestDefaults(t *testing.T) {
	server := newServer(t, hectest.Options{})
	s := openSink(t, server, nil)
	if err := s.Send(t.Context(), newEvents(1, 1)); err != nil {
		t.Fatal(err)
	}
	want := []hectest.Event{{Time: "1772409000.000000001", Host: "prod", Source: "am-access", Sourcetype: "pingone:aic",
		Raw: []byte(`{"payload":{"n":1}}`), Fields: map[string]string{"id": "id-1", "tenant": "prod"}}}
	if diff := cmp.Diff(want, server.Events()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestNew(t *testing.T) {
	good := func() Config { return Config{URLs: []string{"https://splunk:8088/"}, Token: "t"} }
	tests := []struct {
		name   string
		change func(*Config)
		want   string // the beginning of the error
	}{
		{"no url", func(c *Config) { c.URLs = nil }, "url: missing"},
		{"not a url", func(c *Config) { c.URLs[0] = "splunk:8088" }, "url: is not an http or https address"},
		{"user", func(c *Config) { c.URLs[0] = "https://u:hunter2@splunk" }, "url: contains a user name"},
		{"query", func(c *Config) { c.URLs[0] = "https://splunk/?x" }, "url: contains a query"},
		{"whole address", func(c *Config) { c.URLs[0] = "https://splunk/services/collector" }, "url: leave /services/collector out"},
		{"no token", func(c *Config) { c.Token = "" }, "token: missing"},
		{"token with a line end", func(c *Config) { c.Token = "hunter2\n" }, "token: contains"},
		{"format", func(c *Config) { c.Format = "ecs" }, `format: unknown format "ecs"`},
		{"placeholder", func(c *Config) { c.Index = "{date}" }, "index: unknown placeholder {date}"},
		{"brace", func(c *Config) { c.Host = "a}b" }, "host: a brace without its partner"},
		{"compression", func(c *Config) { c.Compression = "zstd" }, "compression: unknown"},
		{"timeout", func(c *Config) { c.Timeout = -1 }, "timeout: "},
		{"ack timeout", func(c *Config) { c.AckTimeout = -1 }, "ack_timeout: "},
		{"body", func(c *Config) { c.MaxBody = -1 }, "max_body: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := good()
			tt.change(&cfg)
			_, err := New(cfg, Deps{})
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
	if _, err := New(good(), Deps{}); err != nil {
		t.Error(err)
	}
}

func TestTokenIsMasked(t *testing.T) {
	cfg := Config{URLs: []string{"https://splunk"}, Token: "hunter2"}
	s, err := New(cfg, Deps{})
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		for _, value := range []any{cfg, &cfg, s, *s, cfg.Token} {
			if text := fmt.Sprintf(verb, value); strings.Contains(text, "hunter2") || strings.Contains(text, "68756e74657232") {
				t.Errorf("%s shows the token of a %T", verb, value)
			}
		}
	}
}

func TestState(t *testing.T) {
	server := newServer(t, hectest.Options{Acknowledge: true})
	cfg := Config{URLs: []string{server.URL()}, Token: "token", Acknowledge: true}
	var saved []byte
	open := func(state []byte) (*Sink, error) {
		s := newSink(t, cfg)
		return s, s.Open(t.Context(), sinks.Saved{State: state, Save: func(b []byte) error { saved = b; return nil }})
	}
	first, err := open(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if err := first.Send(t.Context(), newEvents(1, 3)); err != nil {
		t.Fatal(err)
	}
	// A crash before the commit: only what was saved is left.
	second, err := open(saved)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if err := second.Send(t.Context(), newEvents(1, 5)); err != nil {
		t.Fatal(err)
	}
	if got := repeats(t, second); got != 3 {
		t.Errorf("%d possible duplicates are counted, want 3", got)
	}
	// An orderly restart: nothing repeats.
	third, err := open(second.State())
	if err != nil {
		t.Fatal(err)
	}
	defer third.Close()
	if err := third.Send(t.Context(), newEvents(6, 2)); err != nil {
		t.Fatal(err)
	}
	if got := repeats(t, third); got != 0 {
		t.Errorf("%d possible duplicates are counted after an orderly restart", got)
	}
	channels := map[string]bool{}
	for _, r := range server.Requests() {
		channels[r.Channel] = true
	}
	delete(channels, "") // health
	if len(channels) != 1 {
		t.Errorf("the sink used the channels %v, want the same one always", channels)
	}
	for _, bad := range []string{"x", `{"version":2,"channel":"c"}`, `{"version":1}`} {
		if _, err := open([]byte(bad)); sinks.KindOf(err) != sinks.Refused {
			t.Errorf("state %s: got %v", bad, err)
		}
	}
}

// TestSaveFails: without the note of what is sent, nothing is sent.
func TestSaveFails(t *testing.T) {
	server := newServer(t, hectest.Options{})
	s := newSink(t, Config{URLs: []string{server.URL()}, Token: "token"})
	full := errors.New("disk full")
	var fail error
	if err := s.Open(t.Context(), sinks.Saved{Save: func([]byte) error { return fail }}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	fail = full
	if err := s.Send(t.Context(), newEvents(1, 2)); !errors.Is(err, full) || sinks.KindOf(err) != sinks.Retry {
		t.Errorf("got %v", err)
	}
	if got := server.Events(); len(got) > 0 {
		t.Errorf("%d events were sent", len(got))
	}
	fail = nil
	if err := s.Send(t.Context(), newEvents(1, 2)); err != nil {
		t.Error(err)
	}
}

func TestNotOpen(t *testing.T) {
	s := newSink(t, Config{URLs: []string{"http://127.0.0.1:1"}, Token: "token"})
	if err := s.Send(context.Background(), newEvents(1, 1)); sinks.KindOf(err) != sinks.Retry {
		t.Errorf("got %v", err)
	}
	if err := s.Open(context.Background(), sinks.Saved{}); err == nil {
		t.Error("opened without a place to save its state")
	}
}
