package admin

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// folder is where the test's web configuration and its files are: cert.pem and key.pem
// are a certificate and its key.
func folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	s := httptest.NewTLSServer(nil)
	own := s.TLS.Certificates[0]
	s.Close()
	key, err := x509.MarshalPKCS8PrivateKey(own.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: own.Certificate[0]}, "key.pem": {Type: "PRIVATE KEY", Bytes: key},
	} {
		writeText(t, filepath.Join(dir, name), string(pem.EncodeToMemory(block)))
	}
	return dir
}

func writeText(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// hash returns the bcrypt hash of a password, made before with the least cost.
func hash(t *testing.T, password string) string {
	t.Helper()
	h, ok := map[string]string{
		"first":  "$2a$04$tojni.SWG4c.LrmGfFK8DO1uoVRPYwdRmnmLhh8AjKRT2hkcfOzD6",
		"second": "$2a$04$j5k1SXD15Pez/j26.NevWeFD1Fcet5XV/kwrNKZXD0oD43bpZd0K6",
	}[password]
	if !ok {
		t.Fatalf("there is no hash of %s", password)
	}
	return h
}

func TestReadWebConfig(t *testing.T) {
	dir := folder(t)
	path := filepath.Join(dir, "web.yaml")
	const encrypted = "tls_server_config: {cert_file: cert.pem, key_file: key.pem"
	tests := []struct {
		name, text string
		want       WebConfig
		says       string
	}{
		{"nothing", "", WebConfig{}, ""},
		{"TLS", encrypted + "}", WebConfig{TLS: true}, ""},
		{"client certificates", encrypted + ", client_auth_type: RequireAndVerifyClientCert, client_ca_file: cert.pem}", WebConfig{TLS: true, ClientCertificates: true}, ""},
		{"users", "basic_auth_users: {soc: '" + hash(t, "first") + "'}", WebConfig{Users: true}, ""},
		{"a plain password", "basic_auth_users: {soc: hunter2}", WebConfig{}, "make one with htpasswd"},
		{"an old version", encrypted + ", min_version: TLS10}", WebConfig{}, "want TLS12 or TLS13"},
		{"a misspelt key", "tls_config: {}", WebConfig{}, "field tls_config not found"},
		{"a wrong type", "basic_auth_users: hunter2", WebConfig{}, "cannot unmarshal !!str a value into"},
		{"no YAML", "a: b: hunter2", WebConfig{}, "web.yaml: yaml"},
		{"no such certificate", "tls_server_config: {cert_file: none.pem, key_file: key.pem}", WebConfig{}, "none.pem"},
		{"no key", "tls_server_config: {cert_file: cert.pem}", WebConfig{}, "missing one of key or key_file"},
		{"a key that is none", "tls_server_config: {cert_file: cert.pem, key: hunter2}", WebConfig{}, "X509KeyPair"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			writeText(t, path, tt.text)
			got, err := ReadWebConfig(path)
			if diff := cmp.Diff(tt.want, got, cmpopts.IgnoreUnexported(WebConfig{})); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("the error is %v, want %q in it", err, tt.says)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("a secret is shown: %v", err)
			}
		})
	}
	if _, err := ReadWebConfig(filepath.Join(dir, "none.yaml")); err == nil || !strings.Contains(err.Error(), "check the path") {
		t.Error(err)
	}
}

// client returns what knows the server by the web configuration.
func client(t *testing.T, path string) *http.Client {
	t.Helper()
	c, err := ReadWebConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	encryption, err := c.ClientTLS()
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: encryption, DisableKeepAlives: true}
	return &http.Client{Transport: transport}
}

// TestServeSecurely: a server with TLS and users, whose password changes while it runs.
func TestServeSecurely(t *testing.T) {
	path := filepath.Join(folder(t), "web.yaml")
	write := func(password string) {
		writeText(t, path, "tls_server_config: {cert_file: cert.pem, key_file: key.pem}\nbasic_auth_users: {soc: '"+hash(t, password)+"'}\n")
	}
	write("first")
	core, logged := observer.New(zap.DebugLevel)
	server, err := Listen(Config{Address: "127.0.0.1:0", WebConfigFile: path}, Deps{
		Gatherer: prometheus.NewRegistry(), Alive: func() error { return nil }, Log: zap.New(core),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	if !strings.HasPrefix(server.URL(), "https://") {
		t.Errorf("the address is %s", server.URL())
	}
	own := client(t, path)
	ask := func(c *http.Client, password string) (int, error) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL()+"healthz", nil)
		if err != nil {
			t.Fatal(err)
		}
		if password != "" {
			req.SetBasicAuth("soc", password)
		}
		res, err := c.Do(req)
		if err != nil {
			return 0, err
		}
		defer res.Body.Close()
		_, err = io.Copy(io.Discard, res.Body)
		return res.StatusCode, err
	}
	expect := func(what, password string, want int) {
		t.Helper()
		if got, err := ask(own, password); got != want || err != nil {
			t.Errorf("%s: %d, %v; want %d", what, got, err, want)
		}
	}
	expect("nobody", "", http.StatusUnauthorized)
	expect("a wrong password", "second", http.StatusUnauthorized)
	expect("the user", "first", http.StatusOK)
	write("second")
	expect("the old password", "first", http.StatusUnauthorized)
	expect("the new password", "second", http.StatusOK)

	// Another server's certificate is refused, and a client that knows nothing refuses ours.
	pin, err := WebConfig{TLS: true, certificate: strangerPEM}.ClientTLS()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ask(&http.Client{Transport: &http.Transport{TLSClientConfig: pin}}, ""); err == nil || !strings.Contains(err.Error(), "it is not the one of cert_file") {
		t.Errorf("another certificate: %v", err)
	}
	if _, err := ask(&http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}}}, ""); err == nil {
		t.Error("a client that trusts nobody trusts the server")
	}

	// What cannot be read any more closes the door, and is logged without what it says.
	writeText(t, path, "tls_server_config: {cert_file: cert.pem, key_file: key.pem}\nbasic_auth_users: hunter2\n")
	if code, err := ask(own, "second"); err == nil && code == http.StatusOK {
		t.Error("with a broken web configuration everybody is let in")
	}
	entries := logged.FilterMessageSnippet("admin").All()
	if len(entries) == 0 || len(entries) > 2 {
		t.Errorf("%d lines in the log", len(entries))
	}
	for _, e := range entries {
		if text := e.Message + e.ContextMap()["reason"].(string); strings.Contains(text, "hunter2") || strings.Contains(text, "second") {
			t.Errorf("a secret is in the log: %s", text)
		}
	}
}

const strangerPEM = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
