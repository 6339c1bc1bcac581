package splunkhec

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"aictail/sinks"
	"aictail/sinks/sinktest"
	"aictail/sinks/splunkhec/hectest"
)

// TestFailover: an address that is dead from the start, or dies, costs nothing.
func TestFailover(t *testing.T) {
	dead := hectest.New(hectest.Options{})
	dead.Close()
	dying, last := hectest.New(hectest.Options{}), newServer(t, hectest.Options{})
	s := openSink(t, last, func(c *Config) { c.URLs = []string{dead.URL(), dying.URL(), last.URL()} })
	for i := range 4 {
		if err := s.Send(t.Context(), newEvents(1+i*5, 5)); err != nil {
			t.Fatal(err)
		}
	}
	if len(dying.Events()) == 0 || len(last.Events()) == 0 {
		t.Errorf("the addresses do not share the work: %d and %d", len(dying.Events()), len(last.Events()))
	}
	s.closeConnections()
	dying.Close()
	for i := range 4 {
		if err := s.Send(t.Context(), newEvents(21+i*5, 5)); err != nil {
			t.Fatal(err)
		}
	}
	got := slices.Sorted(slices.Values(slices.Concat(numbers(dying), numbers(last))))
	if !slices.Equal(got, seq(1, 41)) {
		t.Errorf("Splunk has %v", got)
	}
	if got := repeats(t, s); got != 0 {
		t.Errorf("%d possible duplicates are counted", got)
	}
	last.Close()
	if err := s.Send(t.Context(), newEvents(41, 5)); sinks.KindOf(err) != sinks.Retry {
		t.Errorf("without any address: %v", err)
	}
}

// TestRefusedByOne: an address that does not know the token is reported and left
// alone; the other delivers.
func TestRefusedByOne(t *testing.T) {
	good, bad := newServer(t, hectest.Options{}), newServer(t, hectest.Options{Token: "another"})
	core, logs := observer.New(zap.InfoLevel)
	s, err := New(Config{URLs: []string{bad.URL(), good.URL()}, Token: "token"}, Deps{Log: zap.New(core)})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Open(t.Context(), sinks.Saved{Save: func([]byte) error { return nil }}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i := range 5 {
		if err := s.Send(t.Context(), newEvents(1+i, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if logs.FilterMessageSnippet("address fails").Len() != 1 {
		t.Errorf("logged: %v", logs.All())
	}
	bad.Set(func(o *hectest.Options) { o.Token = "token" })
	s.endpoints[0].rests = time.Time{}
	for i := range 2 {
		if err := s.Send(t.Context(), newEvents(6+i, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if len(bad.Events()) == 0 || logs.FilterMessageSnippet("used again").Len() != 1 {
		t.Errorf("the mended address is not used: %v", logs.All())
	}
}

// TestFlapping: an address that fails and recovers every other second does not fill the
// log.
func TestFlapping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.InfoLevel)
		s, err := New(Config{URLs: []string{"https://a", "https://b"}, Token: "token"}, Deps{Log: zap.New(core)})
		if err != nil {
			t.Fatal(err)
		}
		const minutes = 10
		for range minutes * 30 {
			s.learn(s.endpoints[0], outcome{kind: sinks.Retry, err: errors.New("busy")})
			time.Sleep(time.Second)
			s.learn(s.endpoints[0], outcome{ok: true})
			time.Sleep(time.Second)
		}
		failed, again := logs.FilterMessageSnippet("address fails"), logs.FilterMessageSnippet("used again")
		if failed.Len() != minutes || again.Len() != minutes {
			t.Errorf("%d failures and %d recoveries are logged in %d minutes", failed.Len(), again.Len(), minutes)
		}
		if n := failed.All()[1].ContextMap()["short_failures_before"]; n != int64(29) {
			t.Errorf("%v failures are counted instead, want 29", n)
		}
		// Later it is logged at once.
		time.Sleep(time.Hour)
		s.learn(s.endpoints[0], outcome{kind: sinks.Refused, err: errors.New("no")})
		if n := logs.FilterMessageSnippet("address fails").Len(); n != minutes+1 {
			t.Errorf("%d failures are logged", n)
		}
	})
}

func TestOpenRefused(t *testing.T) {
	tests := map[string]struct {
		options hectest.Options
		cfg     Config
		want    string
	}{
		"unknown":               {hectest.Options{Token: "other"}, Config{}, "code 4"},
		"disabled":              {hectest.Options{Disabled: true}, Config{}, "code 1"},
		"unknown, acknowledged": {hectest.Options{Token: "other", Acknowledge: true}, Config{Acknowledge: true}, "code 4"},
		"not HEC":               {hectest.Options{}, Config{URLs: []string{"/wrong"}}, "check url"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			server := newServer(t, tt.options)
			tt.cfg.URLs, tt.cfg.Token = []string{server.URL() + strings.Join(tt.cfg.URLs, "")}, "token"
			s := newSink(t, tt.cfg)
			err := s.Open(t.Context(), sinks.Saved{Save: func([]byte) error { return nil }})
			defer s.Close()
			if sinks.KindOf(err) != sinks.Refused || !strings.Contains(fmt.Sprint(err), tt.want) || strings.Contains(err.Error(), "token\"") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestProbe: after a failure, nothing is sent before HEC says that it is well.
func TestProbe(t *testing.T) {
	server := newServer(t, hectest.Options{})
	s := openSink(t, server, nil)
	server.Inject(hectest.Fault{Service: hectest.Collect, Status: 503, Body: `{"code":9}`})
	health := server.Inject(hectest.Fault{Service: hectest.Health, Times: 3, Status: 503, Body: `{"text":"HEC is unhealthy, queues are full","code":18}`})
	events := newEvents(1, 5)
	before := len(server.Requests())
	for range 4 {
		if err := s.Send(t.Context(), events); sinks.KindOf(err) != sinks.Retry {
			t.Fatalf("got %v", err)
		}
	}
	for _, r := range server.Requests()[before+1:] {
		if r.Path != "/services/collector/health/1.0" {
			t.Errorf("%s %s although HEC is not well", r.Method, r.Path)
		}
	}
	if err := s.Send(t.Context(), events); err != nil || health.Fired() != 3 {
		t.Errorf("got %v", err)
	}
}

func TestHealthHidden(t *testing.T) {
	server := newServer(t, hectest.Options{HideHealth: true})
	if err := openSink(t, server, nil).Send(t.Context(), newEvents(1, 3)); err != nil {
		t.Error(err)
	}
}

// TestRest: the pauses of a failing address, in simulated time.
func TestRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Config{URLs: []string{"http://a.test", "http://b.test"}, Token: "token"}, Deps{})
		if err != nil {
			t.Fatal(err)
		}
		a, b := s.endpoints[0], s.endpoints[1]
		for _, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
			s.learn(a, outcome{kind: sinks.Retry})
			if got := time.Until(a.rests); got != want*time.Second {
				t.Errorf("rests %v, want %d s", got, want)
			}
		}
		for range 4 {
			if got := s.candidates(time.Now()); len(got) != 1 || got[0] != b {
				t.Errorf("uses %v", got)
			}
		}
		s.learn(b, outcome{kind: sinks.Retry, after: 2 * time.Minute})
		for range 4 {
			if got := s.candidates(time.Now()); len(got) != 1 || got[0] != a {
				t.Errorf("all rest: uses %v", got)
			}
		}
		time.Sleep(time.Minute + time.Second)
		if got := s.candidates(time.Now()); len(got) != 1 || got[0] != a {
			t.Errorf("uses %v", got)
		}
		s.learn(a, outcome{ok: true})
		s.learn(b, outcome{single: true, kind: sinks.Poison})
		if got := s.candidates(time.Now()); len(got) != 2 || a.ill || b.ill {
			t.Errorf("uses %v", got)
		}
	})
}

func TestCookies(t *testing.T) {
	keep := func(c *cookies, set ...*http.Cookie) {
		w := httptest.NewRecorder()
		for _, cookie := range set {
			http.SetCookie(w, cookie)
		}
		c.keep(w.Result())
	}
	var c cookies
	keep(&c, &http.Cookie{Name: "a", Value: "1"}, &http.Cookie{Name: "b", Value: "2"})
	keep(&c, &http.Cookie{Name: "a", Value: "3"}, &http.Cookie{Name: "b", MaxAge: -1},
		&http.Cookie{Name: "c", Value: "4", Expires: time.Now().Add(-time.Hour)},
		&http.Cookie{Name: "d", Value: strings.Repeat("x", maxCookieLength)})
	if len(c.values) != 1 || c.values["a"] != "3" {
		t.Errorf("got %v", c.values)
	}
	for i := range 100 {
		keep(&c, &http.Cookie{Name: fmt.Sprint("n", i), Value: "x"})
	}
	keep(&c, &http.Cookie{Name: "a", Value: "5"})
	if len(c.values) != maxCookies || c.values["a"] != "5" {
		t.Errorf("%d cookies are kept, a is %s", len(c.values), c.values["a"])
	}
}

// certificate makes a certificate of a client.
func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	dir := t.TempDir()
	return sinktest.Certificate(t, "aictail", filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
}

func poolOf(c *x509.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(c)
	return pool
}

func TestTLS(t *testing.T) {
	own := certificate(t)
	open, closed := newServer(t, hectest.Options{TLS: true}), newServer(t, hectest.Options{TLS: true, ClientCAs: poolOf(own.Leaf)})
	plain := newServer(t, hectest.Options{})
	ca := poolOf(open.Certificate())
	tests := []struct {
		name string
		url  string
		tls  *tls.Config
		kind sinks.Kind
		want string // in the error; "" for none
	}{
		{"trusted", open.URL(), &tls.Config{RootCAs: ca}, 0, ""},
		{"by name", open.URL(), &tls.Config{RootCAs: ca, ServerName: "example.com"}, 0, ""},
		{"unknown authority", open.URL(), nil, sinks.Refused, "tls.ca_file"},
		{"another authority", open.URL(), &tls.Config{RootCAs: poolOf(own.Leaf)}, sinks.Refused, "tls.ca_file"},
		{"another name", open.URL(), &tls.Config{RootCAs: ca, ServerName: "splunk.test"}, sinks.Refused, "tls.server_name"},
		{"with a certificate", closed.URL(), &tls.Config{RootCAs: ca, Certificates: []tls.Certificate{own}}, 0, ""},
		{"without one", closed.URL(), &tls.Config{RootCAs: ca}, sinks.Refused, "tls.cert_file"},
		{"no TLS there", strings.Replace(plain.URL(), "http:", "https:", 1), nil, sinks.Refused, "no TLS at this address"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSink(t, Config{URLs: []string{tt.url}, Token: "token", TLS: tt.tls})
			defer s.Close()
			err := s.Open(t.Context(), sinks.Saved{Save: func([]byte) error { return nil }})
			if tt.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				if err := s.Send(t.Context(), newEvents(1, 2)); err != nil {
					t.Error(err)
				}
				return
			}
			if sinks.KindOf(err) != tt.kind || err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v: %v", sinks.KindOf(err), err)
			}
		})
	}
}

// TestNobodyListens: what the operator reads while Splunk is down says what to do.
func TestNobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	s := newSink(t, Config{URLs: []string{"http://" + l.Addr().String()}, Token: "token"})
	defer s.Close()
	err = s.Open(t.Context(), sinks.Saved{Save: func([]byte) error { return nil }})
	if sinks.KindOf(err) != sinks.Retry || !strings.Contains(err.Error(), "start the server, or check url") {
		t.Errorf("Open: %v, want a remedy", err)
	}
}

// TestRedirect: the token goes nowhere but to the configured address.
func TestRedirect(t *testing.T) {
	elsewhere := newServer(t, hectest.Options{})
	server := newServer(t, hectest.Options{})
	s := openSink(t, server, nil)
	for _, status := range []int{301, 302, 307, 308} {
		server.Inject(hectest.Fault{Service: hectest.Collect, Status: status, Header: map[string]string{"Location": elsewhere.URL() + "/services/collector/event"}})
		if err := s.Send(t.Context(), newEvents(1, 1)); sinks.KindOf(err) != sinks.Refused || !strings.Contains(err.Error(), "final address") {
			t.Errorf("%d: got %v", status, err)
		}
	}
	if got := elsewhere.Requests(); len(got) > 0 {
		t.Errorf("the redirect was followed: %+v", got)
	}
}
