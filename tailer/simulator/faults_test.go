package simulator

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestEffects(t *testing.T) {
	const source = "am-core"
	for _, test := range []struct {
		name      string
		fault     Fault
		gzip      bool
		status    int
		wantErr   bool
		check     func(body string) bool
		delivered int
	}{
		{"status", Fault{Effect: Status, Status: 502}, false, 502, false, isJSON, 0},
		{"status by default", Fault{Effect: Status}, false, 503, false, isJSON, 0},
		{"html", Fault{Effect: HTML, Status: 502}, false, 502, false, isHTML, 0},
		{"html 200", Fault{Effect: HTML, Status: 200}, false, 200, false, isHTML, 0},
		{"rate limited", Fault{Effect: RateLimited}, false, 429, false, isJSON, 0},
		{"no cookie", Fault{Effect: NoCookie}, false, 200, false, func(b string) bool { return !strings.Contains(b, "Cookie") }, 1},
		{"cut in the middle", Fault{Effect: Cut}, false, 200, true, nil, 0},
		{"cut after 10", Fault{Effect: Cut, Bytes: 10}, false, 200, true, func(b string) bool { return b == `{"result":` }, 0},
		{"cut gzip", Fault{Effect: Cut, Bytes: 20}, true, 200, true, func(b string) bool { return len(b) == 20 }, 0},
		{"truncate", Fault{Effect: Truncate, Bytes: 10}, false, 200, false, func(b string) bool { return b == `{"result":` }, 0},
		{"trickle", Fault{Effect: Trickle, For: 10 * time.Millisecond}, false, 200, false, isJSON, 1},
		{"stall a while", Fault{Effect: Stall, For: 10 * time.Millisecond}, false, 200, false, isJSON, 1},
		{"reset", Fault{Effect: Reset}, false, 0, true, nil, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			tenant, c, clock := serve(t, Options{ShowLast: true})
			text(t, tenant, source, clock.Now(), "word")
			i := inject(t, tenant, test.fault)
			c.gzip = test.gzip
			status, body, err := c.fetch(tailPath, "source", source)
			if (err != nil) != test.wantErr || status != test.status {
				t.Errorf("status %d, error %v", status, err)
			}
			if test.check != nil && !test.check(string(body)) {
				t.Errorf("body %q", body)
			}
			expect(t, "fired", i.Fired(), 1)
			expect(t, "delivered", tenant.Ledger()[0].Tailed, test.delivered)
			expect(t, "counted", tenant.Requests()[Request{Tail, test.status, test.fault.Effect}], 1)
			if test.fault.Effect == RateLimited {
				expect(t, "retry after", c.lastH.Get("Retry-After"), "")
			}
			if quota := c.lastH.Get("X-RateLimit-Limit"); test.fault.Effect == HTML && quota != "" {
				t.Error("the load balancer knows the rate limit")
			}
			c.gzip = false
			expect(t, "the next one is honest", c.tail(source, "").payloads(), "word")
			expect(t, "fired", i.Fired(), 1)
		})
	}
}

func isJSON(body string) bool { return json.Valid([]byte(body)) }

func isHTML(body string) bool { return strings.HasPrefix(body, "<html>") }

func TestResetIsAReset(t *testing.T) {
	tenant, c, _ := serve(t, Options{})
	inject(t, tenant, Fault{Effect: Reset})
	if _, _, err := c.fetch(tailPath, "source", "am-core"); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %v", err)
	}
}

func TestStallUntilTheClientGivesUp(t *testing.T) {
	tenant, c, _ := serve(t, Options{})
	i := inject(t, tenant, Fault{Effect: Stall})
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+tailPath+"?source=am-core", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("x-api-key", "k")
	r.Header.Set("x-api-secret", "s")
	done := make(chan error)
	go func() {
		response, err := c.http.Do(r)
		if err == nil {
			_ = response.Body.Close()
		}
		done <- err
	}()
	waitFor(t, func() bool { return i.Fired() == 1 })
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	waitFor(t, func() bool { return tenant.Requests()[Request{Tail, 0, Stall}] == 1 })
}

func TestStopEndsAStall(t *testing.T) {
	tenant := newTenant(t, Options{})
	i := inject(t, tenant, Fault{Effect: Stall})
	address, stop, err := Start(tenant)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	c := &client{t: t, url: address, http: &http.Client{Transport: &http.Transport{}}, key: "k"}
	go func() {
		_, _, err := c.fetch(tailPath, "source", "am-core")
		done <- err
	}()
	waitFor(t, func() bool { return i.Fired() == 1 })
	stop()
	stop() // twice does no harm
	if err := <-done; err == nil {
		t.Error("the stalled request was answered")
	}
	expect(t, "counted", tenant.Requests()[Request{Tail, 0, Stall}], 1)
}

// waitFor returns when the condition holds. What it waits for happens in another
// goroutine that offers nothing else to wait for.
func waitFor(t *testing.T, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain")
		}
	}
}

func TestRefuseCookieMeetsCookiesOnly(t *testing.T) {
	tenant, c, _ := serve(t, Options{})
	i := inject(t, tenant, Fault{Effect: RefuseCookie})
	p := c.tail("am-core", "")
	status, body, _ := c.fetch(tailPath, "source", "am-core", cookieParam, p.cookie())
	if status != 400 || !strings.Contains(string(body), errBadCookie.text) || i.Fired() != 1 {
		t.Errorf("got %d %s, fired %d", status, body, i.Fired())
	}
}

func TestWhichRequestsMeetAFault(t *testing.T) {
	tenant, c, _ := serve(t, Options{})
	i := inject(t, tenant, Fault{Effect: Status, Endpoint: Tail, Source: "am-access", Skip: 2, Times: 2})
	statuses := func(path, source string, n int) (all []int) {
		for range n {
			status, _, _ := c.fetch(path, "source", source)
			all = append(all, status)
		}
		return all
	}
	for _, path := range []string{rangePath, tailPath} {
		for _, status := range statuses(path, "am-core", 3) {
			expect(t, "others", status, 200)
		}
	}
	expect(t, "range", statuses(rangePath, "am-access", 1)[0], 200)
	for n, status := range statuses(tailPath, "am-core,am-access", 6) {
		want := 200
		if n == 2 || n == 3 {
			want = 503
		}
		expect(t, "tail", status, want)
	}
	expect(t, "fired", i.Fired(), 2)

	always := inject(t, tenant, Fault{Effect: Status, Endpoint: Health, Times: -1})
	for range 3 {
		status, _, _ := c.fetch("/monitoring/health")
		expect(t, "health", status, 503)
	}
	always.Remove()
	status, _, _ := c.fetch("/monitoring/health")
	expect(t, "removed", status, 200)
	expect(t, "fired", always.Fired(), 3)
}

func TestFaultsUseTheQuota(t *testing.T) {
	tenant, c, _ := serve(t, Options{Limit: 5})
	inject(t, tenant, Fault{Effect: Status})
	status, _, _ := c.fetch(tailPath, "source", "am-core")
	expect(t, "status", status, 503)
	expect(t, "remaining", c.lastH.Get("X-RateLimit-Remaining"), "4")
}

func TestFaultShare(t *testing.T) {
	run := func() map[Request]int {
		tenant, c, _ := serve(t, Options{Seed: 7})
		if err := tenant.FaultShare(0.5, Fault{Effect: Status}, Fault{Effect: HTML, Endpoint: Range}, Fault{Effect: RateLimited}); err != nil {
			t.Fatal(err)
		}
		for range 60 {
			_, _, _ = c.fetch(tailPath, "source", "am-core")
		}
		if err := tenant.FaultShare(0); err != nil {
			t.Fatal(err)
		}
		c.tail("am-core", "")
		return tenant.Requests()
	}
	first, second := run(), run()
	if len(first) != 3 || first[Request{Tail, 503, Status}] < 5 || first[Request{Tail, 429, RateLimited}] < 5 || first[Request{Tail, 200, ""}] < 15 {
		t.Errorf("got %v", first)
	}
	for r, n := range first {
		expect(t, "the same with the same seed", second[r], n)
	}
	tenant := newTenant(t, Options{})
	if err := tenant.FaultShare(0.1); err != nil || len(tenant.faults.random) != len(AnyFault()) {
		t.Errorf("any fault: %v", err)
	}
}

func TestFaultsAreChecked(t *testing.T) {
	tenant := newTenant(t, Options{})
	for _, f := range []Fault{
		{}, {Effect: "unknown"}, {Effect: Status, Status: 42}, {Effect: Cut, Bytes: -1}, {Effect: Stall, For: -1}, {Effect: Reset, Skip: -1},
	} {
		if _, err := tenant.Inject(f); err == nil {
			t.Errorf("%+v: no error", f)
		}
		if err := tenant.FaultShare(0.1, f); err == nil {
			t.Errorf("share of %+v: no error", f)
		}
	}
	if err := tenant.FaultShare(1.1); err == nil {
		t.Error("share of 1.1: no error")
	}
}
