package aic

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// secureServer starts a tenant that speaks TLS; the name in its certificate is
// example.com.
func secureServer(t *testing.T, cfg *tls.Config) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"result":["am-access"]}`)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = cfg
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

func TestTLS(t *testing.T) {
	plain := secureServer(t, nil)
	strict := secureServer(t, &tls.Config{ClientAuth: tls.RequireAnyClientCert})
	old := secureServer(t, &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10})
	authority := x509.NewCertPool()
	authority.AddCert(plain.Certificate())
	trusting := &tls.Config{RootCAs: authority}
	tests := []struct {
		name   string
		server *httptest.Server
		tls    *tls.Config
		says   string // "" if it succeeds
	}{
		{"its authority", plain, trusting, ""},
		{"an unknown authority", plain, nil, "give its authority as tls.ca_file"},
		{"a name", plain, &tls.Config{RootCAs: authority, ServerName: "example.com"}, ""},
		{"another name", plain, &tls.Config{RootCAs: authority, ServerName: "tenant.test"}, "tls.server_name"},
		{"a certificate of our own", strict, &tls.Config{RootCAs: authority, Certificates: plain.TLS.Certificates}, ""},
		{"no certificate of our own", strict, trusting, "certificate required"},
		{"an old version", old, trusting, "protocol version"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := New(Config{URL: tt.server.URL, Key: testKey, Secret: testSecret, TLS: tt.tls})
			if err != nil {
				t.Fatal(err)
			}
			defer c.CloseIdleConnections()
			names, _, err := c.Sources(t.Context())
			switch {
			case tt.says == "" && (err != nil || len(names) != 1):
				t.Error(names, err)
			case tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says)):
				t.Errorf("the error is %v, want %q in it", err, tt.says)
			}
		})
	}
}
