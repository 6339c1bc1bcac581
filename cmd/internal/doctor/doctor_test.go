package doctor

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"aictail/checkpoint"
	"aictail/cmd/internal/admin"
	"aictail/cmd/internal/config"
	"aictail/sinks"
	"aictail/tailer/simulator"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// load returns a configuration with one tenant and one sink.
func load(t *testing.T, tenant, rest string) *config.Config {
	t.Helper()
	dir := t.TempDir()
	text := fmt.Sprintf(`
data_dir: %[1]s/data
admin: {listen: "off"}
tenants: {prod: {api_key: the-key, api_secret: the-secret, %[2]s}}
sinks:
  archive: {type: file, path: "%[1]s/out/{source}.ndjson"}
%[3]s`, dir, tenant, rest)
	path := filepath.Join(dir, "aictail.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// want is a finding that must be there: its verdict, and a part of its text or remedy.
type want struct {
	check   string
	verdict sinks.Verdict
	text    string
}

func checkFindings(t *testing.T, list []sinks.Finding, wanted ...want) {
	t.Helper()
	for _, w := range wanted {
		found := false
		for _, f := range list {
			found = found || f.Check == w.check && f.Verdict == w.verdict && strings.Contains(f.Found+" → "+f.Remedy, w.text)
		}
		if !found {
			t.Errorf("no finding %s %s with %q", w.check, w.verdict, w.text)
		}
	}
	for _, f := range list {
		if strings.Contains(f.Found+f.Remedy, "the-key") || strings.Contains(f.Found+f.Remedy, "the-secret") {
			t.Errorf("a secret is shown: %+v", f)
		}
		if f.Verdict == sinks.Bad && len(wanted) > 0 && !strings.Contains(fmt.Sprint(wanted), f.Check) {
			t.Errorf("unexpected failure: %+v", f)
		}
	}
	if t.Failed() {
		for _, f := range list {
			t.Logf("%s %s: %s → %s", f.Verdict, f.Check, f.Found, f.Remedy)
		}
	}
}

func TestTenant(t *testing.T) {
	const few = "sources: [am-access, am-core]"
	fault := func(f simulator.Fault) func(*testing.T, *simulator.Tenant) {
		return func(t *testing.T, tenant *simulator.Tenant) {
			t.Helper()
			if _, err := tenant.Inject(f); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, tt := range []struct {
		name    string
		config  string
		options simulator.Options
		prepare func(*testing.T, *simulator.Tenant)
		want    []want
	}{
		{"well", few, simulator.Options{}, nil, []want{
			{"address", sinks.Good, "answers within"}, {"health", sinks.Good, "well"}, {"clock", sinks.Good, "within 5s"},
			{"key", sinks.Good, "accepts"}, {"sources", sinks.Good, "2 of the 18"}, {"sources", sinks.Good, "not read: am-activity"},
			{"limit", sinks.Good, "60 requests a minute, of which 0"}, {"polling", sinks.Good, "2 source entries at 60 requests"},
		}},
		{"key", few, simulator.Options{Key: "another"}, nil, []want{{"key", sinks.Bad, "Log API Keys"}}},
		{"health", few, simulator.Options{}, fault(simulator.Fault{Effect: simulator.Status, Endpoint: simulator.Health}), []want{
			{"health", sinks.Doubtful, "503"}, {"key", sinks.Good, ""}}},
		{"no tenant", few, simulator.Options{}, fault(simulator.Fault{Effect: simulator.Status, Status: 404, Endpoint: simulator.Health}), []want{
			{"health", sinks.Doubtful, "tenants.prod.url"}}},
		{"fails", few, simulator.Options{}, fault(simulator.Fault{Effect: simulator.HTML, Endpoint: simulator.Sources, Status: 502}), []want{
			{"key", sinks.Bad, "502"}}},
		{"limited", few, simulator.Options{}, fault(simulator.Fault{Effect: simulator.RateLimited, Endpoint: simulator.Sources}), []want{
			{"key", sinks.Doubtful, "limit is used up"}}},
		{"others", few, simulator.Options{Limit: 10}, use(9), []want{
			{"limit", sinks.Doubtful, "of which 9 were used"}, {"limit", sinks.Doubtful, "tenants.prod.requests.reserve"}}},
		{"clock behind", few, simulator.Options{Now: func() time.Time { return time.Now().Add(2 * time.Minute) }}, nil, []want{
			{"clock", sinks.Doubtful, "behind the tenant's"}, {"clock", sinks.Doubtful, "chrony"}}},
		{"clock ahead", few, simulator.Options{Now: func() time.Time { return time.Now().Add(-time.Minute) }}, nil, []want{
			{"clock", sinks.Bad, "more than sweep.settle (30s)"}}},
		{"clock a little ahead", few, simulator.Options{Now: func() time.Time { return time.Now().Add(-15 * time.Second) }}, nil, []want{
			{"clock", sinks.Doubtful, "ahead of the tenant's"}}},
		{"misspelt source", "sources: [am-acess, am-core]", simulator.Options{}, nil, []want{
			{"sources", sinks.Bad, "does not offer am-acess"}}},
		{"everything", "sources: [am-everything]", simulator.Options{}, nil, []want{
			{"sources", sinks.Good, "not read: idm-access"}}},
		{"many entries", "sources: [am-access, am-activity, am-authentication, am-config, am-core, idm-access, idm-activity, idm-authentication, idm-core]",
			simulator.Options{Limit: 28}, nil, []want{{"polling", sinks.Doubtful, "with commas, into at most 6 entries"}}},
		{"all", "sources: [all]", simulator.Options{Limit: 28}, nil, []want{
			{"sources", sinks.Good, "all 15 sources"}, {"polling", sinks.Doubtful, "instead of all"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tenant, err := simulator.New(tt.options)
			if err != nil {
				t.Fatal(err)
			}
			server := httptest.NewServer(tenant)
			defer server.Close()
			if tt.prepare != nil {
				tt.prepare(t, tenant)
			}
			cfg := load(t, fmt.Sprintf("url: %q, %s", server.URL, tt.config), "")
			checkFindings(t, newTenant("prod", cfg.Tenants["prod"], "v1").examine(t.Context()), tt.want...)
		})
	}
}

// use is what somebody else takes of the limit.
func use(n int) func(*testing.T, *simulator.Tenant) {
	return func(_ *testing.T, tenant *simulator.Tenant) {
		for range n {
			r := httptest.NewRequest(http.MethodGet, "/monitoring/logs/sources", nil)
			r.Header.Set("x-api-key", "k")
			r.Header.Set("x-api-secret", "s")
			tenant.ServeHTTP(httptest.NewRecorder(), r)
		}
	}
}

func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refusing := l.Addr().String()
	_ = l.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	for _, tt := range []struct{ url, remedy string }{
		{"http://" + refusing, "nobody listens there: check tenants.prod.url"},
		{"https://" + plain.Listener.Addr().String(), "no TLS at this address"},
		{secure.URL, "give its authority as tenants.prod.tls.ca_file"},
		{"https://no-such-tenant.invalid", "DNS"},
	} {
		cfg := load(t, fmt.Sprintf("url: %q, sources: [am-core]", tt.url), "")
		checkFindings(t, newTenant("prod", cfg.Tenants["prod"], "v1").examine(t.Context()), want{"address", sinks.Bad, tt.remedy})
	}
}

// TestCertificate: a certificate that ends soon is told of.
func TestCertificate(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for days, verdict := range map[int]sinks.Verdict{3: sinks.Doubtful, 90: sinks.Good} {
		template := &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "collector"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Duration(days)*24*time.Hour + time.Hour),
			IsCA: true, BasicConstraintsValid: true,
		}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/event") {
				w.WriteHeader(http.StatusBadRequest)
				_, _ = w.Write([]byte(`{"text":"No data","code":5}`))
				return
			}
			_, _ = w.Write([]byte(`{"text":"HEC is healthy","code":17}`))
		}))
		server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
		server.StartTLS()
		ca := filepath.Join(t.TempDir(), "ca.pem")
		if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg := load(t, `url: "http://127.0.0.1:1", sources: [am-core]`,
			fmt.Sprintf("  siem: {type: splunk_hec, url: %q, token: the-secret, index: main, tls: {ca_file: %q}}", server.URL, ca))
		checkFindings(t, sink(t.Context(), "siem", cfg.Sinks["siem"]),
			want{"address", sinks.Good, "takes the token"},
			want{"certificate", verdict, fmt.Sprintf("for %d days", days)},
			want{"index", sinks.Good, "main"})
		server.Close()
	}
}

func TestDataDir(t *testing.T) {
	cfg := load(t, `url: "http://127.0.0.1:1", sources: [am-core]`, "")
	checkFindings(t, dataDir(cfg), want{"folder", sinks.Good, "does not exist yet"}, want{"space", sinks.Good, "are free"})
	if _, err := os.Stat(cfg.DataDir); !os.IsNotExist(err) {
		t.Errorf("data_dir was created: %v", err)
	}
	cfg.Journal.MaxSize = 1 << 60
	checkFindings(t, dataDir(cfg), want{"space", sinks.Doubtful, "lower journal.max_size"})
	if err := os.WriteFile(cfg.DataDir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	checkFindings(t, dataDir(cfg), want{"folder", sinks.Bad, "not a directory"})
}

func TestDaemon(t *testing.T) {
	status := admin.Status{
		Version: "v1", Started: time.Now(), Now: time.Now(), CompleteUntil: time.Now().Add(-time.Minute),
		Reasons: []string{"am-core: the sweep is behind"},
		Tenants: []admin.Tenant{{Name: "prod", Trouble: "cannot be reached"}},
		Sinks:   []admin.Sink{{Name: "archive", Trouble: "no space left", LagSeconds: 7}, {Name: "siem", Paused: true}},
	}
	var answer any = &status
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(answer)
	}))
	defer server.Close()
	address := server.Listener.Addr().String()
	cfg := load(t, `url: "http://127.0.0.1:1", sources: [am-core]`, "")
	look := func() []sinks.Finding { return daemon(t.Context(), cfg, "v1") }

	checkFindings(t, look(), want{"lock", sinks.Good, "no daemon runs"})
	cfg.Admin.Listen = address
	checkFindings(t, look(), want{"admin", sinks.Doubtful, "something else listens on"})

	state, err := checkpoint.Open(cfg.DataDir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := state.Close(); err != nil {
			t.Error(err)
		}
	}()
	checkFindings(t, look(), want{"lock", sinks.Good, fmt.Sprintf("pid %d", os.Getpid())},
		want{"complete", sinks.Good, "1m0s ago"}, want{"complete", sinks.Doubtful, "behind"}, want{"tenant", sinks.Doubtful, "prod: cannot be reached"},
		want{"delivery", sinks.Doubtful, "archive: no space left (7s behind)"}, want{"delivery", sinks.Doubtful, "siem is paused"})
	status.Version = "v0"
	checkFindings(t, look(), want{"version", sinks.Doubtful, "restart"})
	answer = "something else"
	checkFindings(t, look(), want{"status", sinks.Bad, "is not aictail"})
	cfg.Admin.Listen = ""
	checkFindings(t, look(), want{"lock", sinks.Good, "admin server is off"})
}

// TestExamine: all targets, in the same order every time, however long each takes; one
// that hangs is given up.
func TestExamine(t *testing.T) {
	tenant, err := simulator.New(simulator.Options{})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(tenant)
	defer server.Close()
	cfg := load(t, fmt.Sprintf("url: %q, sources: [am-core]", server.URL), "")
	var names []string
	targets := Examine(t.Context(), cfg, Deps{Version: "v1", Warnings: []config.Problem{{Key: "filter.redact", Msg: "is doubtful"}}})
	for _, target := range targets {
		names = append(names, target.Name)
	}
	if got := strings.Join(names, "; "); got != "configuration; data_dir "+cfg.DataDir+"; daemon; tenant prod; sink archive (file)" {
		t.Errorf("targets: %s", got)
	}
	if Count(targets, sinks.Bad) != 0 || Count(targets, sinks.Doubtful) != 1 {
		t.Errorf("%+v", targets)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if list := Examine(ended, cfg, Deps{}); len(list) != len(targets) {
		t.Errorf("%d targets when interrupted", len(list))
	}
}

func TestShow(t *testing.T) {
	targets := []Target{
		{"tenant prod", []sinks.Finding{good("key", "accepted"), doubtful("clock", "set it", "late")}},
		{"sink a", []sinks.Finding{bad("address", "", "an error\nof\x1b[2J a server")}},
	}
	var text, colored, machine bytes.Buffer
	if err := Show(&text, targets, false); err != nil {
		t.Fatal(err)
	}
	const wanted = `tenant prod
  ok    key: accepted
  warn  clock: late
        → set it
sink a
  fail  address: an error of\u001b[2J a server

1 failed, 1 warning(s)
`
	if text.String() != wanted {
		t.Errorf("%s", text.String())
	}
	if err := Show(&colored, targets, true); err != nil || !strings.Contains(colored.String(), "\x1b[31mfail\x1b[0m") {
		t.Errorf("%q, %v", colored.String(), err)
	}
	if err := ShowJSON(&machine, targets); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Failed, Warnings int
		Targets          []struct {
			Target   string
			Findings []struct{ Check, Verdict, Found, Remedy string }
		}
	}
	if err := json.Unmarshal(machine.Bytes(), &got); err != nil || got.Failed != 1 || got.Warnings != 1 ||
		got.Targets[0].Findings[1].Verdict != "warn" || got.Targets[1].Findings[0].Verdict != "fail" {
		t.Errorf("%s, %v", machine.String(), err)
	}
}

// TestSinks: every type of sink says what it finds.
func TestSinks(t *testing.T) {
	cfg := load(t, `url: "http://127.0.0.1:1", sources: [am-core]`, `
  siem: {type: splunk_hec, url: "http://127.0.0.1:1", token: the-secret}
  search: {type: elasticsearch, urls: ["http://127.0.0.1:1"], api_key: the-secret, index: "aic-{source}"}
  bus: {type: kafka, brokers: ["127.0.0.1:1"], topic: aic, sasl: {mechanism: PLAIN, username: u, password: the-secret}, tls: {enabled: true}}
`)
	for name, check := range map[string]string{"siem": "address", "search": "address", "bus": "broker"} {
		checkFindings(t, sink(t.Context(), name, cfg.Sinks[name]), want{check, sinks.Bad, "refused"})
	}
	checkFindings(t, sink(t.Context(), "archive", cfg.Sinks["archive"]), want{"space", sinks.Good, "are free"})
	broken := cfg.Sinks["bus"]
	broken.Kafka.TLS.CAFile = "/no/such/file"
	checkFindings(t, sink(t.Context(), "bus", broken), want{"configuration", sinks.Bad, "tls.ca_file"})
}
