package live

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"aictail"
	"aictail/cmd/internal/terminal"
	"aictail/filter/query"
	"aictail/tailer/aic"
	"aictail/tailer/simulator"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// direct hands requests to a handler without a network, so that time can be simulated.
type direct struct{ handler http.Handler }

func (d direct) RoundTrip(r *http.Request) (res *http.Response, err error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	defer func() {
		if recover() != nil { // http.ErrAbortHandler
			err = errors.New("connection reset")
		}
	}()
	rec := httptest.NewRecorder()
	d.handler.ServeHTTP(rec, r)
	return rec.Result(), nil
}

// inBubble runs a test in simulated time that begins in this era: a bubble's own
// begins in 2000, which no rate limit header is believed to mean.
func inBubble(t *testing.T, f func(*testing.T)) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)))
		f(t)
	})
}

// person follows a simulated tenant and remembers what was shown.
type person struct {
	t      *testing.T
	tenant *simulator.Tenant
	notes  []string

	mu    sync.Mutex // guards shown
	shown []string
}

func (p *person) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.shown)
}

// follow runs a follower as long as during runs, with faults from its first request on.
func follow(t *testing.T, o simulator.Options, cfg Config, during func(*person), faults ...simulator.Fault) error {
	t.Helper()
	tenant, err := simulator.New(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range faults {
		if _, err := tenant.Inject(fault); err != nil {
			t.Fatal(err)
		}
	}
	p := &person{t: t, tenant: tenant}
	client, err := aic.New(aic.Config{URL: "http://tenant", Key: "key", Secret: "secret", Transport: direct{tenant}})
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Sources == "" {
		cfg.Sources = "am-access,am-core,idm-core"
	}
	f := New(cfg, Deps{Client: client, Emit: p.emit, Note: func(text string) { p.notes = append(p.notes, text) }})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 2)
	go func() { done <- tenant.Run(ctx) }()
	go func() { done <- f.Run(ctx) }()
	during(p)
	cancel()
	return errors.Join(<-done, <-done)
}

func (p *person) emit(events []aictail.Event) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range events {
		p.shown = append(p.shown, string(events[i].Raw))
	}
	return nil
}

// check compares what was shown with what the tenant has of JSON events in a time.
func (p *person) check(from, to time.Time) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	count := map[string]int{}
	for _, raw := range p.shown {
		if count[raw]++; count[raw] > 1 {
			p.t.Fatalf("shown twice: %s", raw)
		}
	}
	wanted := 0
	for _, r := range p.tenant.Ledger() {
		if r.Payload[0] != '{' || r.Time.Before(from) || r.Time.After(to) || !strings.Contains("am-access,am-core,idm-core", r.Source) {
			continue
		}
		wanted++
		if count[string(r.Raw)] == 0 {
			p.t.Errorf("not shown: %s at %s", r.Source, r.Time)
		}
	}
	if wanted == 0 {
		p.t.Error("the tenant has logged nothing in that time")
	}
}

// has tells whether a note contains a text.
func (p *person) has(text string) bool { return strings.Contains(strings.Join(p.notes, "\n"), text) }

func (p *person) requests(e simulator.Endpoint) int {
	n := 0
	for r, count := range p.tenant.Requests() {
		if r.Endpoint == e {
			n += count
		}
	}
	return n
}

// TestOnce: every event once, with few requests, put together of its parts.
func TestOnce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		begin := time.Now()
		var p *person
		err := follow(t, simulator.Options{Rate: 20, SplitShare: 0.1}, Config{Tenant: "prod"}, func(x *person) {
			p = x
			time.Sleep(5 * time.Minute)
		})
		if err != nil {
			t.Fatal(err)
		}
		p.check(begin, begin.Add(4*time.Minute))
		if n := p.requests(simulator.Tail); n < 40 || n > 65 {
			t.Errorf("%d requests in five minutes, want about a fifth of 60 a minute", n)
		}
		if len(p.notes) > 0 {
			t.Errorf("notes: %q", p.notes)
		}
		records, joined := 0, 0
		for _, raw := range p.shown {
			switch {
			case strings.Contains(raw, `"type":"text/plain"`) && strings.Contains(raw, `\nFINE: `):
				records++
			case strings.HasPrefix(raw, `{"payload":{`) && strings.Contains(raw, `"effectiveRoles"`):
				joined++
			}
		}
		if records == 0 || joined == 0 {
			t.Errorf("%d records and %d split events put together", records, joined)
		}
	})
}

// TestSince: what was logged before comes first, and meets the tail without a gap.
func TestSince(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		begin := time.Now()
		err := follow(t, simulator.Options{Rate: 20, Limit: 28}, Config{Since: begin.Add(-time.Minute)}, func(p *person) {
			time.Sleep(3 * time.Minute)
			synctest.Wait()
			p.check(begin, begin.Add(2*time.Minute))
		})
		if err != nil {
			t.Fatal(err)
		}
		var late *person
		tenantStart := time.Now()
		tenant := simulator.Options{Rate: 0}
		err = follow(t, tenant, Config{Since: tenantStart.Add(-10 * time.Minute)}, func(p *person) {
			late = p
			time.Sleep(time.Minute)
		})
		if err != nil || len(late.shown) > 0 {
			t.Errorf("a silent tenant: %d events, %v", len(late.shown), err)
		}
	})
}

// TestPages: a history of many pages is read whole.
func TestPages(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		tenant, err := simulator.New(simulator.Options{})
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		tenant.Generate(12_000)
		time.Sleep(10 * time.Minute)
		client, err := aic.New(aic.Config{URL: "http://tenant", Key: "key", Secret: "secret", Transport: direct{tenant}})
		if err != nil {
			t.Fatal(err)
		}
		p := &person{t: t, tenant: tenant}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		f := New(Config{Sources: "am-access,am-core,idm-core", Since: begin.Add(-time.Hour)},
			Deps{Client: client, Emit: p.emit, Note: func(text string) { p.notes = append(p.notes, text) }})
		if err := f.Run(ctx); err != nil {
			t.Fatal(err)
		}
		p.check(begin.Add(-time.Hour), begin)
		if p.requests(simulator.Range) < 5 {
			t.Errorf("%d range requests", p.requests(simulator.Range))
		}
	})
}

// TestShared: when others use up the limit, a note says why nothing comes, and it goes
// on afterwards.
func TestShared(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var p *person
		err := follow(t, simulator.Options{Rate: 5, Limit: 28}, Config{Reserve: 0.05}, func(x *person) {
			p = x
			time.Sleep(20 * time.Second)
			other := direct{p.tenant}
			for range 40 {
				r := httptest.NewRequest(http.MethodGet, "http://tenant/monitoring/logs/sources", nil)
				r.Header.Set("x-api-key", "key")
				r.Header.Set("x-api-secret", "secret")
				if _, err := other.RoundTrip(r); err != nil {
					t.Error(err)
				}
			}
			time.Sleep(40 * time.Second)
			before := p.count()
			time.Sleep(2 * time.Minute)
			if p.count() == before {
				t.Error("it does not go on")
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if !p.has("limit of 28 requests a minute is used up") {
			t.Errorf("notes: %q", p.notes)
		}
	})
}

// TestTrouble: what fails at the start ends it, what fails later is tried again.
func TestTrouble(t *testing.T) {
	for _, tt := range []struct {
		name  string
		first error // with the fault at the first request; nil: tried again
		fault simulator.Fault
		later error
		note  string
	}{
		{"server", aic.ErrServer, simulator.Fault{Effect: simulator.Status}, nil, "it is tried again"},
		{"proxy page", aic.ErrBody, simulator.Fault{Effect: simulator.HTML, Status: 200}, nil, "it is tried again"},
		{"cut", aic.ErrBody, simulator.Fault{Effect: simulator.Truncate}, nil, "it is tried again"},
		{"key", aic.ErrUnauthorized, simulator.Fault{Effect: simulator.Status, Status: 401}, aic.ErrUnauthorized, ""},
		{"request", aic.ErrBadRequest, simulator.Fault{Effect: simulator.Status, Status: 400}, aic.ErrBadRequest, ""},
		{"limit", nil, simulator.Fault{Effect: simulator.RateLimited}, nil, "it is tried again"},
		{"cookie", nil, simulator.Fault{Effect: simulator.RefuseCookie}, nil, "does not go on where"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				for _, first := range []bool{true, false} {
					want, begin := tt.later, time.Now()
					var faults []simulator.Fault
					if first {
						want, faults = tt.first, []simulator.Fault{tt.fault}
					}
					var p *person
					err := follow(t, simulator.Options{Rate: 20}, Config{}, func(x *person) {
						p = x
						if !first {
							time.Sleep(30 * time.Second)
							if _, err := x.tenant.Inject(tt.fault); err != nil {
								t.Fatal(err)
							}
						}
						time.Sleep(3 * time.Minute)
					}, faults...)
					if !errors.Is(err, want) || want == nil && err != nil {
						t.Errorf("first %t: %v, want %v", first, err, want)
					}
					if want != nil {
						continue
					}
					if tt.note != "" && !p.has(tt.note) {
						t.Errorf("first %t: notes: %q", first, p.notes)
					}
					if tt.name != "limit" { // of which the pause is longer than the tail goes back
						p.check(begin.Add(40*time.Second), begin.Add(2*time.Minute))
					}
				}
			})
		})
	}
}

// TestEmitFails: nobody reads any more.
func TestEmitFails(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		tenant, err := simulator.New(simulator.Options{})
		if err != nil {
			t.Fatal(err)
		}
		tenant.Generate(100)
		client, err := aic.New(aic.Config{URL: "http://tenant", Key: "key", Secret: "secret", Transport: direct{tenant}})
		if err != nil {
			t.Fatal(err)
		}
		broken := errors.New("broken pipe")
		f := New(Config{Sources: "am-access", Since: time.Now().Add(-time.Hour)},
			Deps{Client: client, Emit: func([]aictail.Event) error { return broken }, Note: func(string) {}})
		if err := f.Run(t.Context()); !errors.Is(err, broken) {
			t.Errorf("%v", err)
		}
	})
}

func TestChoice(t *testing.T) {
	q, err := query.Compile(`/payload/userId eq "bjensen"`)
	if err != nil {
		t.Fatal(err)
	}
	warn := `{"level":"WARN","transactionId":"a-1/0","userId":"bjensen"}`
	for _, tt := range []struct {
		name    string
		choice  Choice
		payload string
		want    bool
	}{
		{"all", Choice{}, warn, true},
		{"level", Choice{Level: terminal.Warning}, warn, true},
		{"higher level", Choice{Level: terminal.Severe}, warn, false},
		{"level of a record", Choice{Level: terminal.Info}, `"FINE: x"`, false},
		{"no level", Choice{Level: terminal.Warning}, `"x"`, false},
		{"transaction", Choice{Transaction: "a-1/7"}, warn, true},
		{"other transaction", Choice{Transaction: "a-2/0"}, warn, false},
		{"query", Choice{Query: q}, warn, true},
		{"query without a match", Choice{Query: q}, `{"userId":"x"}`, false},
		{"all of them", Choice{Query: q, Level: terminal.Info, Transaction: "a-1"}, warn, true},
		{"unreadable", Choice{Query: q}, `{"userId`, true},
	} {
		raw := `{"payload":` + tt.payload + `}`
		e := aictail.Event{Source: "am-core", Raw: []byte(raw), Payload: aictail.Span{Start: len(`{"payload":`), End: len(raw) - 1}}
		if got := tt.choice.Wants(&e); got != tt.want {
			t.Errorf("%s: %t", tt.name, got)
		}
	}
}
