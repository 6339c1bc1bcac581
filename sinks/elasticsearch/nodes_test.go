package elasticsearch

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"aictail/sinks"
)

func TestBadConfig(t *testing.T) {
	tests := []struct {
		change func(*Config)
		want   string
	}{
		{func(c *Config) { c.Format = "ecs" }, "format: "},
		{func(c *Config) { c.Timeout = 0 }, "timeout: "},
		{func(c *Config) { c.MaxBody = 0 }, "max_body: "},
		{func(c *Config) { c.Index = "" }, "index: "},
		// The template would hold for every index of the cluster, or for others' logs.
		{func(c *Config) { c.Index = "{source}" }, "index: the index template"},
		{func(c *Config) { c.Index = "{tenant}-aic-{yyyy}" }, "index: the index template"},
		{func(c *Config) { c.Index, c.DataStream = "", "logs-{source}-default" }, "data_stream: the index template"},
		{func(c *Config) { c.Index = "metrics-{source}" }, "index: the index template"},
		{func(c *Config) { c.URLs = nil }, "urls: missing"},
		{func(c *Config) { c.CloudID = "x:y" }, "cloud_id: set together with urls"},
		{func(c *Config) { c.URLs, c.CloudID = nil, "hunter2" }, "cloud_id: not a cloud id"},
		{func(c *Config) { c.URLs, c.CloudID = nil, "x:"+base64.StdEncoding.EncodeToString([]byte("hunter2")) }, "cloud_id: not a cloud id"},
		{func(c *Config) {
			c.URLs, c.CloudID = nil, "x:"+base64.StdEncoding.EncodeToString([]byte("a/hunter2$b$c"))
		}, "cloud_id: not a cloud id"},
		{func(c *Config) { c.URLs = []string{"https://ok", "es:9200"} }, "urls[1]: "},
		{func(c *Config) { c.URLs = []string{"https://u:hunter2@es"} }, "urls[0]: has a user"},
		{func(c *Config) { c.URLs = []string{"https://es?x=hunter2"} }, "urls[0]: has a query"},
		{func(c *Config) { c.APIKey, c.Username = "k", "u" }, "api_key: set together with username"},
		{func(c *Config) { c.Username = "u" }, "password: missing"},
		{func(c *Config) { c.Password = "p" }, "username: missing"},
		{func(c *Config) {
			c.TLS, c.CAFingerprint = &tls.Config{RootCAs: x509.NewCertPool()}, strings.Repeat("ab", 32)
		}, "tls.ca_fingerprint: set together"},
		{func(c *Config) { c.CAFingerprint = "ab:cd" }, "tls.ca_fingerprint: want"},
	}
	for _, tt := range tests {
		cfg := testConfig("http://localhost:9200")
		tt.change(&cfg)
		_, err := New(cfg, Deps{})
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%v, want %s", err, tt.want)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("a secret is shown: %v", err)
		}
	}
}

func TestCloudID(t *testing.T) {
	tests := map[string]string{
		"us-east-1.aws.found.io$abc123$kib456":      "https://abc123.us-east-1.aws.found.io",
		"us-east-1.aws.found.io:9243$abc123$kib456": "https://abc123.us-east-1.aws.found.io:9243",
		"us-east-1.aws.found.io$abc123":             "https://abc123.us-east-1.aws.found.io",
	}
	for text, want := range tests {
		for _, encode := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding} {
			u, err := cloudURL("my deployment:" + encode.EncodeToString([]byte(text)))
			if err != nil || u.String() != want {
				t.Errorf("%s: %v, %v, want %s", text, u, err, want)
			}
		}
	}
}

// TestNodeDown sends to several nodes of which one does not listen.
func TestNodeDown(t *testing.T) {
	down, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = down.Close()
	r := newRig(t, func(c *Config, _ *fake) { c.URLs = append([]string{"http://" + down.Addr().String()}, c.URLs...) }).open()
	for range 4 {
		if got := r.said(r.sink.Send(t.Context(), newEvents(3))); got != "ok" {
			t.Fatal(got)
		}
	}
}

// TestAllNodesDown begins with no node at all, and goes on when one is there.
func TestAllNodesDown(t *testing.T) {
	var addresses []string
	for range 2 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addresses = append(addresses, l.Addr().String())
		_ = l.Close()
	}
	r := newRig(t, func(c *Config, _ *fake) {
		c.Setup = false
		c.URLs = []string{"http://" + addresses[0], "http://" + addresses[1]}
	}).open()
	for range 3 {
		err := r.sink.Send(t.Context(), newEvents(3))
		if got := r.said(err); got != "retry" || !strings.Contains(err.Error(), "connection refused: nobody listens there: start the server, or check urls") {
			t.Errorf("got %s: %v", got, err)
		}
	}
	l, err := net.Listen("tcp", addresses[1])
	if err != nil {
		t.Skip("the port was given to somebody else") // a race that cannot be avoided
	}
	server := httptest.NewUnstartedServer(r.fake)
	_ = server.Listener.Close()
	server.Listener = l
	server.Start()
	defer server.Close()
	if got := r.said(r.sink.Send(t.Context(), newEvents(3))); got != "ok" {
		t.Error(got)
	}
}

// TestNodesTakeTurns has one node answer 503 to everything.
func TestNodesTakeTurns(t *testing.T) {
	ill := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	defer ill.Close()
	r := newRig(t, func(c *Config, _ *fake) { c.Setup = false; c.URLs = append(c.URLs, ill.URL) }).open()
	var got []string
	for range 4 {
		got = append(got, r.said(r.sink.Send(t.Context(), newEvents(3))))
	}
	if all := strings.Join(got, " "); all != "ok retry ok retry" {
		t.Error(all)
	}
}

func TestCredentials(t *testing.T) {
	tests := map[string]struct {
		change func(*Config)
		want   string
	}{
		"encoded key":  {func(c *Config) { c.APIKey = "aWQ6a2V5" }, "APIKey aWQ6a2V5"},
		"id and key":   {func(c *Config) { c.APIKey = "id:key" }, "APIKey aWQ6a2V5"},
		"password":     {func(c *Config) { c.Username, c.Password = "u", "p:p" }, "Basic dTpwOnA="},
		"no security":  {func(*Config) {}, ""},
		"not accepted": {func(c *Config) { c.APIKey = "other" }, "APIKey aWQ6a2V5"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(c *Config, f *fake) { tt.change(c); f.auth = tt.want })
			err := r.sink.Open(t.Context(), sinks.Saved{})
			if name == "not accepted" {
				if err == nil || sinks.KindOf(err) != sinks.Refused || !strings.Contains(err.Error(), "api_key") {
					t.Errorf("Open with another key: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := r.said(r.sink.Send(t.Context(), newEvents(1))); got != "ok" {
				t.Error(got)
			}
		})
	}
}

// TestNoFollow has the server send the client to another host, which must not be
// asked, least of all with the credentials.
func TestNoFollow(t *testing.T) {
	asked := false
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer other.Close()
	r := newRig(t, func(c *Config, _ *fake) { c.Setup = false; c.APIKey = "id:key" }).open()
	for _, status := range []int{301, 302, 303, 307, 308} {
		x := r.fake.inject(fault{times: 1, do: func(w http.ResponseWriter, req *http.Request, _ []byte) {
			http.Redirect(w, req, other.URL+"/_bulk", status)
		}})
		if got := r.said(r.sink.Send(t.Context(), newEvents(1))); got != "refused" || r.fake.fired(x) != 1 {
			t.Errorf("%d: %s", status, got)
		}
	}
	if asked {
		t.Error("the redirect was followed")
	}
}

func TestOpenTwice(t *testing.T) {
	r := newRig(t).open()
	if err := r.sink.Open(t.Context(), sinks.Saved{}); err == nil {
		t.Error("a second Open is accepted")
	}
	if err := r.sink.Close(); err != nil {
		t.Error(err)
	}
	r.open()
	if got := r.said(r.sink.Send(t.Context(), newEvents(1))); got != "ok" {
		t.Error(got)
	}
}

func TestLongTimeout(t *testing.T) {
	cfg := testConfig("http://localhost:9200")
	cfg.Timeout = time.Hour
	if _, err := New(cfg, Deps{}); err != nil {
		t.Error(err)
	}
}
