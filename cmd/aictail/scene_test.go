package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"aictail/tailer/simulator"
)

// scene is a daemon with a simulated tenant, and what a Prometheus would have of it.
type scene struct {
	t      *testing.T
	dir    string
	admin  string // address
	tenant *simulator.Tenant
	url    string // of the tenant
	path   string // of the configuration
	p      *program

	history  history
	template string // a file of further rules

	// instead, if set, may answer a request in the tenant's place: it then returns
	// true.
	instead atomic.Pointer[func(http.ResponseWriter, *http.Request) bool]
}

// settings are the parts of the configuration that the tests change. more stands at
// the top level, tenant in the tenant, others beside the sink siem.
type settings struct {
	url, key, sources, start, sweep, tenant, sink, others, more string
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
	dir := t.TempDir()
	s := &scene{t: t, dir: dir, admin: freeAddress(t), tenant: tenant, path: filepath.Join(dir, "aictail.yaml")}
	server := httptest.NewServer(s)
	s.url = server.URL
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- tenant.Run(ctx) }()
	t.Cleanup(func() {
		s.askPrometheus()
		cancel()
		<-done
		server.Close()
	})
	return s
}

// ServeHTTP implements http.Handler.
func (s *scene) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if f := s.instead.Load(); f != nil && (*f)(w, r) {
		return
	}
	s.tenant.ServeHTTP(w, r)
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
	set(&c.more, "journal: {max_size: 256MiB}") // the disk of whoever tests may be small
	set(&c.sink, "siem: "+fmt.Sprintf("{type: file, path: '%s/out/{source}.ndjson'}", s.dir))
	writeFile(s.t, s.path, fmt.Sprintf(`
data_dir: %s/data
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
    %s
%s
sinks:
  %s
  %s
`, s.dir, s.admin, c.url, c.key, c.sources, c.start, c.sweep, c.tenant, c.more, c.sink, c.others))
}

// run starts the daemon and waits until it answers.
func (s *scene) run() {
	s.t.Helper()
	s.p = start(s.t, "run", "--config", s.path)
	s.until("is there", above(0), processStart)
}

// well starts the daemon and waits until all is well.
func (s *scene) well() {
	s.t.Helper()
	s.run()
	s.complete()
	s.isReady()
}

// reload does what the runbook says: validate, then a SIGHUP.
func (s *scene) reload() {
	s.t.Helper()
	s.aictail("validate")
	const reloaded = "the configuration has been reloaded"
	before := strings.Count(s.p.log.String(), reloaded)
	if err := s.p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		s.t.Fatal(err)
	}
	eventually(s.t, reloaded, func() bool { return strings.Count(s.p.log.String(), reloaded) > before })
	// The page of the one before must not be taken for that of this one.
	s.until("is there", above(0), processStart)
}

// aictail runs a command with the scene's configuration and returns what it prints.
func (s *scene) aictail(args ...string) string {
	s.t.Helper()
	out, err := s.try(args...)
	if err != nil {
		s.t.Fatalf("aictail %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (s *scene) try(args ...string) (string, error) {
	cmd := exec.Command(s.p.cmd.Path, append(args, "--config", s.path)...)
	cmd.Env = append(cmd.Environ(), asAictail+"=1")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

// logged waits for a text in the log, and returns its last line with it.
func (s *scene) logged(text string) (line string) {
	s.t.Helper()
	eventually(s.t, "in the log: "+text, func() bool {
		for l := range strings.Lines(s.p.log.String()) {
			if strings.Contains(l, text) {
				line = l
			}
		}
		return line != ""
	})
	return line
}

// inLog returns the value of a key in a line of the log, without quotation marks.
func inLog(t *testing.T, line, key string) string {
	t.Helper()
	m := regexp.MustCompile(`"` + key + `":"?([^",}]*)`).FindStringSubmatch(line)
	if m == nil {
		t.Fatalf("no %s in the line %s", key, line)
	}
	return m[1]
}

// untilAgo is what `aictail coverage` says of a source entry.
var untilAgo = regexp.MustCompile(`complete until  (\S+ \S+ UTC, (\S+) ago|not known)`)

// refused checks that the log gives a refused connection as the cause of a message, and
// that the address, looked at from here, does not answer either.
func (s *scene) refused(message, address string) {
	s.t.Helper()
	if line := s.logged(message); !strings.Contains(line, "connection refused") {
		s.t.Errorf("the log does not have the error: %s", line)
	}
	if _, status := get(address); status != 0 {
		s.t.Errorf("%s answers %d", address, status)
	}
}

// complete waits until `aictail coverage` says of every source entry that it is
// complete until less than two minutes ago, and the metrics say so of every sink.
func (s *scene) complete() {
	s.t.Helper()
	eventually(s.t, "complete until now in aictail coverage", func() bool {
		entries := untilAgo.FindAllStringSubmatch(s.aictail("coverage"), -1)
		for _, m := range entries {
			if ago, err := time.ParseDuration(m[2]); err != nil || ago > 2*time.Minute {
				return false
			}
		}
		return len(entries) > 0
	})
	eventually(s.t, "sinks that are complete until now", func() bool {
		body, _ := get("http://" + s.admin + "/metrics")
		sinks := parseSeries(body, "aictail_sink_complete_until_timestamp_seconds{")
		for _, until := range sinks {
			if time.Since(time.Unix(int64(until), 0)) > 2*time.Minute {
				return false
			}
		}
		return len(sinks) > 0
	})
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

// grows waits until a metric that keeps growing has grown by so much.
func (s *scene) grows(by float64, name string, labels ...string) {
	s.t.Helper()
	before, _ := s.value(name, labels...)
	s.until(fmt.Sprintf("grows by %g", by), above(before+by-1), name, labels...)
}

// age returns how long ago the time that a metric holds is; 0 if it holds none.
func (s *scene) age(name string) time.Duration {
	v, found := s.value(name, `source="am-access"`, `tenant="prod"`)
	if !found {
		return 0
	}
	return time.Since(time.UnixMilli(int64(v * 1000)))
}

// ready waits for the readiness page to have a text.
func (s *scene) ready(want string) {
	s.t.Helper()
	eventually(s.t, "/readyz with "+want, func() bool {
		body, _ := get("http://" + s.admin + "/readyz")
		return strings.Contains(body, want)
	})
}

// isReady waits until nothing is wrong any more.
func (s *scene) isReady() {
	s.t.Helper()
	eventually(s.t, "/readyz with nothing wrong", func() bool {
		_, status := get("http://" + s.admin + "/readyz")
		return status == http.StatusOK
	})
}
