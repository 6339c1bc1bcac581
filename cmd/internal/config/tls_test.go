package config

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aictail/sinks/sinktest"
)

// certificates writes ca.pem and sub/cert.pem below a folder, and the key of the latter
// into another folder, which it returns.
func certificates(t *testing.T, dir string) (elsewhere string) {
	t.Helper()
	elsewhere = t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	sinktest.Certificate(t, "a", filepath.Join(dir, "ca.pem"), filepath.Join(dir, "ca.key"))
	sinktest.Certificate(t, "b", filepath.Join(dir, "sub/cert.pem"), filepath.Join(elsewhere, "key.pem"))
	return elsewhere
}

// greet connects to a server that wants to see a certificate, and returns the name in
// ours.
func greet(t *testing.T, server tls.Certificate, client *tls.Config) (name string, err error) {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{server}, ClientAuth: tls.RequireAnyClientCert})
	if err != nil {
		t.Fatal(err)
	}
	names := make(chan string, 1)
	go func() {
		defer close(names)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		if c := conn.(*tls.Conn); c.Handshake() == nil {
			names <- c.ConnectionState().PeerCertificates[0].Subject.CommonName
		}
	}()
	defer func() { l.Close(); <-names }()
	conn, err := tls.Dial("tcp", l.Addr().String(), client)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	return <-names, nil
}

func TestClientTLS(t *testing.T) {
	dir := t.TempDir()
	ca, caKey := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "ca.key")
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	server := sinktest.Certificate(t, "server", ca, caKey)
	sinktest.Certificate(t, "first", cert, key)

	cfg, err := ClientTLS{CAFile: ca, CertFile: cert, KeyFile: key}.Config()
	if err != nil {
		t.Fatal(err)
	}
	if cfg.MinVersion != tls.VersionTLS12 {
		t.Errorf("the oldest version is %x", cfg.MinVersion)
	}
	if name, err := greet(t, server, cfg); name != "first" {
		t.Errorf("the server saw %q, %v", name, err)
	}
	// The certificate is renewed while the program runs.
	sinktest.Certificate(t, "second", cert, key)
	if name, err := greet(t, server, cfg); name != "second" {
		t.Errorf("after the renewal the server saw %q, %v", name, err)
	}
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	if _, err := greet(t, server, cfg); err == nil || !strings.Contains(err.Error(), "tls.key_file: "+key+": there is no such file") {
		t.Errorf("without the key: %v", err)
	}
	// Without any files it is the system's authorities, which do not know the server.
	if cfg, err = (ClientTLS{}).Config(); err != nil {
		t.Fatal(err)
	}
	if _, err := greet(t, server, cfg); err == nil {
		t.Error("an unknown server is trusted")
	}
	if cfg, err := (KafkaTLS{}).Config(); cfg != nil || err != nil {
		t.Errorf("without enabled: %v, %v", cfg, err)
	}
}

func TestClientTLSFiles(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	otherCert, otherKey := filepath.Join(dir, "other.pem"), filepath.Join(dir, "other.key")
	sinktest.Certificate(t, "a", cert, key)
	sinktest.Certificate(t, "b", otherCert, otherKey)
	none := filepath.Join(dir, "none.pem")
	for _, tt := range []struct {
		tls  ClientTLS
		says []string
	}{
		{ClientTLS{CAFile: none}, []string{"tls.ca_file: " + none, "there is no such file"}},
		{ClientTLS{CAFile: dir}, []string{"tls.ca_file: " + dir, "check that it is a file"}},
		{ClientTLS{CAFile: key}, []string{"tls.ca_file: " + key, "no certificate in PEM form"}},
		{ClientTLS{CertFile: none, KeyFile: key}, []string{"tls.cert_file: " + none, "there is no such file"}},
		{ClientTLS{CertFile: cert, KeyFile: none}, []string{"tls.key_file: " + none, "there is no such file"}},
		{ClientTLS{CertFile: cert, KeyFile: otherKey}, []string{"tls.cert_file: " + cert, otherKey, "does not match"}},
		{ClientTLS{CertFile: key, KeyFile: cert}, []string{"tls.cert_file: " + key, cert}},
	} {
		_, err := tt.tls.Config()
		for _, says := range tt.says {
			if err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("%+v: %v, want %q", tt.tls, err, says)
			}
		}
	}
}

// TestCertificateFilesAreChecked: what would keep the daemon from starting is found when
// the configuration is checked, with its key.
func TestCertificateFilesAreChecked(t *testing.T) {
	dir := t.TempDir()
	sinktest.Certificate(t, "a", filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	sinktest.Certificate(t, "b", filepath.Join(dir, "other.pem"), filepath.Join(dir, "other.key"))
	before, after, _ := strings.Cut(minimal, "sources: [am-access]")
	text := before + "sources: [am-access]\n    tls: {ca_file: none/ca.pem}" + after + `
  hec: {type: splunk_hec, url: https://a, token: t, tls: {cert_file: cert.pem, key_file: other.key}}
  search: {type: elasticsearch, urls: [https://a], index: a, tls: {ca_file: key.pem}}
  bus: {type: kafka, brokers: ['k:1'], topic: t, tls: {enabled: true, cert_file: cert.pem, key_file: none.pem}}
  good: {type: kafka, brokers: ['k:1'], topic: t, tls: {enabled: true, ca_file: other.pem, cert_file: cert.pem, key_file: key.pem}}
`
	_, err := parse(filepath.Join(dir, "x.yaml"), []byte(text), nil)
	got := problemsOf(t, err)
	want := []string{
		"sinks.bus.tls.key_file: " + dir + "/none.pem: there is no such file",
		"sinks.hec.tls.cert_file: " + dir + "/cert.pem: it is not, in PEM form, the certificate of the key in key_file, " + dir + "/other.key",
		"sinks.search.tls.ca_file: " + dir + "/key.pem: it holds no certificate in PEM form",
		"tenants.prod.tls.ca_file: " + dir + "/none/ca.pem: there is no such file",
	}
	if len(got) != len(want) {
		t.Fatalf("got %q", got)
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("got %q, want %q", got[i], want[i])
		}
	}
}

// TestDiffOfFiles: a reload has to notice that a file holds other authorities.
func TestDiffOfFiles(t *testing.T) {
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca.pem")
	load := func() *Config {
		t.Helper()
		sinktest.Certificate(t, "a", ca, filepath.Join(dir, "ca.key"))
		cfg, err := parse(filepath.Join(dir, "x.yaml"), []byte(minimal+"\n  bus: {type: kafka, brokers: ['k:1'], topic: t, tls: {enabled: true, ca_file: ca.pem}}"), nil)
		if err != nil {
			t.Fatal(err)
		}
		return cfg
	}
	old := load()
	if got := Diff(old, old); len(got) > 0 {
		t.Errorf("nothing has changed, and the difference is %q", got)
	}
	got := Diff(old, load())
	if len(got) != 1 || got[0] != "sinks.bus.tls.ca_file: the file has changed" {
		t.Errorf("the difference is %q", got)
	}
}
