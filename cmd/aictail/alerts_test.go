package main

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"aictail/tailer/simulator"
)

// The tests TestAlert... bring the real program into the condition that an alert of
// deploy/prometheus is for, have promtool evaluate the rules on what its /metrics
// said meanwhile (scene.lasts; `make alerts`), and do what deploy/RUNBOOK.md says
// until what it calls Over is seen and no alert fires any more.

// TestAlertKeyRefused: AictailKeyRefused, and a new key.
func TestAlertKeyRefused(t *testing.T) {
	t.Parallel()
	s := newScene(t, simulator.Options{Key: "right"})
	s.configure(settings{key: "right"})
	s.well()
	s.lasts(60)
	s.configure(settings{key: "revoked"})
	s.reload()
	s.until("is 0", equals(0), "aictail_tenant_up", `tenant="prod"`)
	s.until("counts", above(0), "aictail_api_requests_total", `code="401"`)
	s.lasts(10, "AictailKeyRefused")

	s.logged("the tenant refuses the API key")
	s.ready("failed: tenant prod: the tenant refuses the API key")
	if out, err := s.try("sources"); err == nil || !strings.Contains(out, "401") {
		t.Errorf("aictail sources with the old key: %v\n%s", err, out)
	}
	s.configure(settings{key: "right"})
	if out := s.aictail("sources"); !strings.Contains(out, "am-access") {
		t.Errorf("aictail sources with the new key:\n%s", out)
	}
	s.reload()
	s.ready("ok: tenant prod")
	s.until("is 1", equals(1), "aictail_tenant_up", `tenant="prod"`)
	s.complete()
	s.lasts(15)
}

// TestAlertTenantUnreachable: AictailTenantUnreachable, and a connection.
func TestAlertTenantUnreachable(t *testing.T) {
	t.Parallel()
	s := newScene(t, simulator.Options{})
	address := freeAddress(t)
	listen := func() (stop func()) {
		server := &http.Server{Addr: address, Handler: s.tenant}
		go func() { _ = server.ListenAndServe() }()
		return func() { _ = server.Close() }
	}
	stop := listen()
	s.configure(settings{url: "http://" + address})
	s.well()
	s.lasts(60)
	stop()
	s.until("is 0", equals(0), "aictail_tenant_up", `tenant="prod"`)
	s.until("counts", above(0), "aictail_api_requests_total", `code="network"`)
	s.lasts(20, "AictailTenantUnreachable")

	s.ready("failed: tenant prod: the tenant cannot be reached")
	health := "http://" + address + "/monitoring/health"
	s.refused("the tenant cannot be reached", health)
	t.Cleanup(listen())
	s.until("is 1", equals(1), "aictail_tenant_up", `tenant="prod"`)
	if _, status := get(health); status != http.StatusOK { // needs no key
		t.Errorf("%s answers %d", health, status)
	}
	s.complete()
	s.lasts(15)
}

// TestAlertTenantUnwell: AictailTenantUnwell. The tenant answers, so it is up.
func TestAlertTenantUnwell(t *testing.T) {
	t.Parallel()
	s := newScene(t, simulator.Options{})
	s.configure(settings{})
	s.well()
	s.lasts(60)
	fault, err := s.tenant.Inject(simulator.Fault{Effect: simulator.HTML, Status: 502, Times: -1})
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		s.grows(2, "aictail_api_requests_total", `code="502"`)
		s.lasts(5)
		s.history.undecided() // how soon depends on what had succeeded just before
	}
	s.lasts(1, "AictailTenantUnwell")
	s.until("is 1", equals(1), "aictail_tenant_up", `tenant="prod"`)
	s.logged("polling fails; it is retried and nothing is skipped")

	fault.Remove()
	s.grows(3, "aictail_api_requests_total", `code="200"`)
	s.complete()
	s.lasts(15)
}

// TestAlertRateLimited: AictailRateLimited. Others use the quota up, again and again.
func TestAlertRateLimited(t *testing.T) {
	t.Parallel()
	s := newScene(t, simulator.Options{})
	s.configure(settings{})
	s.well()
	s.lasts(60)
	var refuse atomic.Bool
	instead := func(w http.ResponseWriter, _ *http.Request) bool {
		if !refuse.CompareAndSwap(true, false) {
			return false
		}
		w.Header().Set("Retry-After", "1") // a minute would last too long here
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	}
	s.instead.Store(&instead)
	for n := range 4 {
		refuse.Store(true)
		s.until("grows", above(float64(n)), "aictail_api_requests_total", `code="429"`)
	}
	s.lasts(5, "AictailRateLimited")
	s.until("is 1", equals(1), "aictail_tenant_up", `tenant="prod"`)
	s.until("is told", above(0), "aictail_rate_limit_limit", `tenant="prod"`)

	s.configure(settings{sources: `"am-access,am-core"`, tenant: "requests: {reserve: 0.3}"})
	s.reload()
	s.until("counts", above(0), "aictail_api_requests_total", `code="200"`)
	s.complete()
	s.lasts(16)
}

// TestAlertClockSkew: AictailClockSkew, for clocks ahead and behind.
func TestAlertClockSkew(t *testing.T) {
	t.Parallel()
	for _, skew := range []time.Duration{90 * time.Second, -90 * time.Second} {
		t.Run(fmt.Sprint(skew), func(t *testing.T) {
			var ahead atomic.Int64 // of the tenant's clock
			ahead.Store(int64(skew))
			s := newScene(t, simulator.Options{Now: func() time.Time { return time.Now().Add(-time.Duration(ahead.Load())) }})
			s.configure(settings{})
			s.run()
			s.until("is wrong by 90 s", func(v float64) bool { return v > skew.Seconds()-1 && v < skew.Seconds()+5 },
				"aictail_clock_skew_seconds", `tenant="prod"`)
			s.lasts(12, "AictailClockSkew")

			// Raise sweep.settle, mend the clock.
			s.configure(settings{sweep: "{settle: 95s}"})
			s.reload()
			ahead.Store(0)
			s.until("is right", func(v float64) bool { return v > -5 && v < 5 }, "aictail_clock_skew_seconds", `tenant="prod"`)
			s.configure(settings{})
			s.reload()
			s.until("is right", func(v float64) bool { return v > -5 && v < 5 }, "aictail_clock_skew_seconds", `tenant="prod"`)
			s.complete()
			s.lasts(15)
		})
	}
}

// TestAlertConfigRefused: AictailConfigRefused, and the file mended.
func TestAlertConfigRefused(t *testing.T) {
	t.Parallel()
	s := newScene(t, simulator.Options{})
	s.configure(settings{})
	s.well()
	s.lasts(60)

	s.configure(settings{sweep: "{settled: 5s}"})
	if err := s.p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	s.until("is 0", equals(0), "aictail_config_last_reload_successful")
	s.lasts(10, "AictailConfigRefused")
	s.logged("the configuration is not reloaded")
	if page, _ := get("http://" + s.admin + "/"); !strings.Contains(page, "settled") {
		t.Error("the status page does not say why the configuration was refused")
	}
	if out, err := s.try("validate"); err == nil || !strings.Contains(out, "settled") {
		t.Errorf("validate: %v\n%s", err, out)
	}

	s.configure(settings{sweep: "{settle: 6s}"})
	s.reload()
	s.until("is 1", equals(1), "aictail_config_last_reload_successful")
	s.lasts(15)
}
