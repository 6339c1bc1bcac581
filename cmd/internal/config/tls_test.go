package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// identity makes a certificate that signs itself, for 127.0.0.1 and with the given
// name, and writes it and its key to files.
func identity(t *testing.T, name, certFile, keyFile string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
	for path, data := range map[string][]byte{certFile: certPEM, keyFile: keyPEM} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		t.Fatal(err)
	}
	return pair
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
	server := identity(t, "server", ca, caKey)
	identity(t, "first", cert, key)

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
	identity(t, "second", cert, key)
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
	identity(t, "a", cert, key)
	identity(t, "b", otherCert, otherKey)
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
