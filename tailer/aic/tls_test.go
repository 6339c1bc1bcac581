package aic

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// secureServer starts a tenant that speaks TLS, and writes its certificate, whose name
// is example.com, and key to files.
func secureServer(t *testing.T, cfg *tls.Config) (server *httptest.Server, certFile, keyFile string) {
	t.Helper()
	server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"result":["am-access"]}`)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = cfg
	server.StartTLS()
	t.Cleanup(server.Close)
	own := server.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(own.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return server, writePEM(t, "CERTIFICATE", own.Certificate[0]), writePEM(t, "PRIVATE KEY", key)
}

func writePEM(t *testing.T, kind string, der []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTLS(t *testing.T) {
	plain, cert, key := secureServer(t, nil)
	strict, _, _ := secureServer(t, &tls.Config{ClientAuth: tls.RequireAnyClientCert})
	old, _, _ := secureServer(t, &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10})
	tests := []struct {
		name   string
		server *httptest.Server
		tls    TLS
		says   string // "" if it succeeds
	}{
		{"its authority", plain, TLS{CAFile: cert}, ""},
		{"an unknown authority", plain, TLS{}, "give its authority as tls.ca_file"},
		{"a name", plain, TLS{CAFile: cert, ServerName: "example.com"}, ""},
		{"another name", plain, TLS{CAFile: cert, ServerName: "tenant.test"}, "tls.server_name"},
		{"a certificate of our own", strict, TLS{CAFile: cert, CertFile: cert, KeyFile: key}, ""},
		{"no certificate of our own", strict, TLS{CAFile: cert}, "certificate required"},
		{"an old version", old, TLS{CAFile: cert}, "protocol version"},
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

func TestTLSFiles(t *testing.T) {
	_, cert, key := secureServer(t, nil)
	for _, tt := range []struct {
		tls  TLS
		says string
	}{
		{TLS{CAFile: cert + ".none"}, "tls.ca_file: open "},
		{TLS{CAFile: key}, "holds no certificate in PEM form"},
		{TLS{CertFile: cert}, "tls.key_file: missing"},
		{TLS{KeyFile: key}, "tls.cert_file: missing"},
		{TLS{CertFile: cert, KeyFile: cert}, "check that"},
	} {
		if _, err := New(Config{URL: "https://tenant.example", Key: testKey, Secret: testSecret, TLS: tt.tls}); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%+v: %v, want %q", tt.tls, err, tt.says)
		}
	}
}
