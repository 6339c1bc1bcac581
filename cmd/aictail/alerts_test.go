package main

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"aictail/tailer/simulator"
)

// The tests TestAlert... bring the real program into the condition that an alert of
// deploy/prometheus is for, see that the metrics take the values that fire it (how
// long they must last is promtool's to test), and do what deploy/RUNBOOK.md says
// until they are well again.

// scene is a daemon with a simulated tenant.
type scene struct {
	t      *testing.T
	dir    string
	admin  string // address
	tenant *simulator.Tenant
	url    string
	path   string // of the configuration
	p      *program
}

// settings are the parts of the configuration that the tests change.
type settings struct {
	url, key, sources, start, sweep, sink string
}

// newScene starts a tenant that has new events for as long as the test runs.
func newScene(t *testing.T, o simulator.Options) *scene {
	t.Helper()
	if o.Rate == 0 {
		o.Rate = 20
	}
	o.Seed, o.Limit = 3, 100_000
	tenant, err := simulator.New(o)
	if err != nil {
		t.Fatal(err)
	}
	url, stop, err := simulator.Start(tenant)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- tenant.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done; stop() })
	dir := t.TempDir()
	return &scene{t: t, dir: dir, admin: freeAddress(t), tenant: tenant, url: url, path: filepath.Join(dir, "aictail.yaml")}
}

// configure writes the configuration.
func (s *scene) configure(c settings) {
	s.t.Helper()
	set := func(value *string, standard string) {
		if *value == "" {
			*value = standard
		}
	}
	set(&c.url, s.url)
	set(&c.key, "key")
	set(&c.sources, "am-access, am-core")
	set(&c.start, "15s")
	set(&c.sweep, "{settle: 5s}")
	set(&c.sink, fmt.Sprintf("{type: file, path: '%s/out/{source}.ndjson'}", s.dir))
	writeFile(s.t, s.path, fmt.Sprintf(`
data_dir: %s/data
log: {format: console}
admin: {listen: %s}
shutdown_timeout: 1s
tenants:
  prod:
    url: %s
    api_key: %s
    api_secret: secret
    sources: [%s]
    start: %s
    poll: {min_interval: 100ms, max_interval: 1s}
    sweep: %s
sinks:
  siem: %s
`, s.dir, s.admin, c.url, c.key, c.sources, c.start, c.sweep, c.sink))
}

// run starts the daemon.
func (s *scene) run() {
	s.t.Helper()
	s.p = start(s.t, "run", "--config", s.path)
}

// reload has the daemon read the configuration again, as the runbook says.
func (s *scene) reload() {
	s.t.Helper()
	if err := s.p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		s.t.Fatal(err)
	}
}

// value returns the sum of the series of a metric that have all the labels, and
// whether there are any.
func (s *scene) value(name string, labels ...string) (sum float64, found bool) {
	body, _ := get("http://" + s.admin + "/metrics")
	for line := range strings.Lines(body) {
		series, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		base, in, _ := strings.Cut(strings.TrimSuffix(series, "}"), "{")
		if !ok || base != name {
			continue
		}
		have := strings.Split(in, ",")
		if slices.ContainsFunc(labels, func(l string) bool { return !slices.Contains(have, l) }) {
			continue
		}
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			s.t.Fatalf("%s: %v", line, err)
		}
		sum, found = sum+v, true
	}
	return sum, found
}

// until waits until a metric has a value.
func (s *scene) until(what string, ok func(v float64) bool, name string, labels ...string) {
	s.t.Helper()
	var last float64
	defer func() {
		if s.t.Failed() {
			s.t.Logf("%s%v is %g", name, labels, last)
		}
	}()
	eventually(s.t, name+" "+what, func() bool {
		v, found := s.value(name, labels...)
		last = v
		return found && ok(v)
	})
}

func equals(want float64) func(float64) bool { return func(v float64) bool { return v == want } }
func above(want float64) func(float64) bool  { return func(v float64) bool { return v > want } }

// age returns how long ago the time that a metric holds is; 0 if it holds none.
func (s *scene) age(name string) time.Duration {
	v, found := s.value(name, `source="am-access"`, `tenant="prod"`)
	if !found {
		return 0
	}
	return time.Since(time.UnixMilli(int64(v * 1000)))
}

// ready waits for the readiness page to have a text, or not to.
func (s *scene) ready(want string) {
	s.t.Helper()
	eventually(s.t, "/readyz with "+want, func() bool {
		body, _ := get("http://" + s.admin + "/readyz")
		return strings.Contains(body, want)
	})
}

// TestAlertKeyRefused: AictailKeyRefused, and a new key.
func TestAlertKeyRefused(t *testing.T) {
	t.Parallel()
	s := newScene(t, simulator.Options{Key: "right"})
	s.configure(settings{key: "revoked"})
	s.run()
	s.until("is 0", equals(0), "aictail_tenant_up", `tenant="prod"`)
	s.until("counts", above(0), "aictail_api_requests_total", `code="401"`)
	s.ready("failed: tenant prod: the tenant refuses the API key")

	s.configure(settings{key: "right"})
	s.reload()
	s.until("counts", above(0), "aictail_api_requests_total", `code="200"`)
	s.until("is 1", equals(1), "aictail_tenant_up", `tenant="prod"`)
	s.ready("ok: tenant prod")
}

// TestAlertTenantUnreachable: AictailTenantUnreachable, and a connection.
func TestAlertTenantUnreachable(t *testing.T) {
	t.Parallel()
	s := newScene(t, simulator.Options{})
	address := freeAddress(t)
	s.configure(settings{url: "http://" + address})
	s.run()
	s.until("is 0", equals(0), "aictail_tenant_up", `tenant="prod"`)
	s.until("counts", above(0), "aictail_api_requests_total", `code="network"`)
	if v, found := s.value("aictail_api_requests_total", `code="401"`); v != 0 || !found {
		t.Errorf("%g refusals (%t) of a tenant that cannot be reached", v, found)
	}
	s.ready("failed: tenant prod: the tenant cannot be reached")

	server := &http.Server{Addr: address, Handler: s.tenant}
	go func() { _ = server.ListenAndServe() }()
	t.Cleanup(func() { _ = server.Close() })
	s.until("is 1", equals(1), "aictail_tenant_up", `tenant="prod"`)
}

// TestAlertTenantUnwell: AictailTenantUnwell. The tenant answers, so it is up.
func TestAlertTenantUnwell(t *testing.T) {
	t.Parallel()
	s := newScene(t, simulator.Options{})
	fault, err := s.tenant.Inject(simulator.Fault{Effect: simulator.HTML, Status: 502, Times: -1})
	if err != nil {
		t.Fatal(err)
	}
	s.configure(settings{})
	s.run()
	s.until("counts", above(3), "aictail_api_requests_total", `code="502"`)
	s.until("is 1", equals(1), "aictail_tenant_up", `tenant="prod"`)
	s.until("counts nothing", equals(0), "aictail_api_requests_total", `code="200"`)

	fault.Remove()
	s.until("counts", above(0), "aictail_api_requests_total", `code="200"`)
}

// TestAlertRateLimited: AictailRateLimited, whose four refusals take minutes, since
// each ends all requests for up to one. The first is seen here.
func TestAlertRateLimited(t *testing.T) {
	t.Parallel()
	s := newScene(t, simulator.Options{})
	if _, err := s.tenant.Inject(simulator.Fault{Effect: simulator.RateLimited}); err != nil {
		t.Fatal(err)
	}
	s.configure(settings{})
	s.run()
	s.until("counts", above(0), "aictail_api_requests_total", `code="429"`)
	s.until("is 1", equals(1), "aictail_tenant_up", `tenant="prod"`)
}

// TestAlertClockSkew: AictailClockSkew, for clocks ahead and behind.
func TestAlertClockSkew(t *testing.T) {
	t.Parallel()
	for _, skew := range []time.Duration{90 * time.Second, -90 * time.Second} {
		s := newScene(t, simulator.Options{Now: func() time.Time { return time.Now().Add(-skew) }})
		s.configure(settings{})
		s.run()
		s.until("is wrong by 90 s", func(v float64) bool { return v > skew.Seconds()-1 && v < skew.Seconds()+5 },
			"aictail_clock_skew_seconds", `tenant="prod"`)
	}
}

// TestAlertConfigRefused: AictailConfigRefused, and the file mended.
func TestAlertConfigRefused(t *testing.T) {
	t.Parallel()
	s := newScene(t, simulator.Options{})
	s.configure(settings{})
	s.run()
	s.until("is 1", equals(1), "aictail_config_last_reload_successful")

	s.configure(settings{sweep: "{settled: 5s}"})
	s.reload()
	s.until("is 0", equals(0), "aictail_config_last_reload_successful")
	if page, _ := get("http://" + s.admin + "/"); !strings.Contains(page, "settled") {
		t.Error("the status page does not say why the configuration was refused")
	}
	if code := start(t, "validate", "--config", s.path).wait(); code != exitFailed {
		t.Errorf("validate ends with %d", code)
	}

	s.configure(settings{sweep: "{settle: 6s}"})
	s.reload()
	s.until("is 1", equals(1), "aictail_config_last_reload_successful")
}
