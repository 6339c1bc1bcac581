package elasticsearch

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"math/big"
	"net"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"
)

// authority is a CA of a test.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t}
	a.cert, a.key = a.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: "CA"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	return a
}

// sign issues a certificate; the first one is the CA's own.
func (a *authority) sign(template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore = time.Now().Add(-time.Hour)
	if template.NotAfter.IsZero() {
		template.NotAfter = time.Now().Add(time.Hour)
	}
	parent, parentKey := a.cert, a.key
	if parent == nil {
		parent, parentKey = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, parentKey)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key
}

func (a *authority) server(names []string, until time.Time) tls.Certificate {
	template := &x509.Certificate{NotAfter: until, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	cert, key := a.sign(template)
	// The CA's certificate is part of the chain, as Elasticsearch sends it.
	return tls.Certificate{Certificate: [][]byte{cert.Raw, a.cert.Raw}, PrivateKey: key, Leaf: cert}
}

func fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// client is the part of a Config that is about TLS.
type client struct {
	tls         *tls.Config
	fingerprint string
}

func TestTLS(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	later := time.Now().Add(time.Hour)
	good := ca.server([]string{"127.0.0.1", "es.example.com"}, later)
	// impostor shows the CA's certificate, which is no secret, behind its own.
	impostor := other.server([]string{"127.0.0.1"}, later)
	impostor.Certificate = append(impostor.Certificate, ca.cert.Raw)
	trusting := func(serverName string) client {
		return client{tls: &tls.Config{RootCAs: ca.pool(), ServerName: serverName}}
	}
	colons := strings.ToUpper(strings.Trim(regexp.MustCompile(`..`).ReplaceAllString(fingerprint(ca.cert), "$0:"), ":"))

	tests := []struct {
		name   string
		server tls.Certificate
		client client
		want   string // "ok" or the kind
		text   string
	}{
		{"CA", good, trusting(""), "ok", ""},
		{"unknown CA", good, client{}, "refused", "tls.ca_file"},
		{"other CA", other.server([]string{"127.0.0.1"}, later), trusting(""), "refused", "tls.ca_file"},
		{"name", ca.server([]string{"es.example.com"}, later), trusting("es.example.com"), "ok", ""},
		{"other name", ca.server([]string{"es.example.com"}, later), trusting(""), "refused", "tls.server_name"},
		{"expired", ca.server([]string{"127.0.0.1"}, time.Now().Add(-time.Minute)), trusting(""), "refused", "renew"},
		{"fingerprint of the CA", good, client{fingerprint: fingerprint(ca.cert)}, "ok", ""},
		{"fingerprint with colons", good, client{fingerprint: colons}, "ok", ""},
		{"fingerprint of the server", good, client{fingerprint: fingerprint(good.Leaf)}, "ok", ""},
		{"wrong fingerprint", good, client{fingerprint: fingerprint(other.cert)}, "refused", "tls.ca_fingerprint"},
		{"fingerprint and other name", ca.server([]string{"es.example.com"}, later), client{fingerprint: fingerprint(ca.cert)}, "refused", "tls.server_name"},
		{"fingerprint and name", ca.server([]string{"es.example.com"}, later), client{fingerprint: fingerprint(ca.cert), tls: &tls.Config{ServerName: "es.example.com"}}, "ok", ""},
		{"impostor", impostor, client{fingerprint: fingerprint(ca.cert)}, "refused", "tls.ca_file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, secure(t, &tls.Config{Certificates: []tls.Certificate{tt.server}}, tt.client)).open()
			err := r.sink.Send(t.Context(), newEvents(3))
			if got := r.said(err); got != tt.want {
				t.Fatalf("got %s, want %s: %v", got, tt.want, err)
			}
			if err != nil && !strings.Contains(err.Error(), tt.text) {
				t.Errorf("the error is %q, want %q in it", err, tt.text)
			}
		})
	}
}

// secure gives the rig's fake a TLS server.
func secure(t *testing.T, server *tls.Config, client client) func(*Config, *fake) {
	return func(c *Config, f *fake) {
		s := httptest.NewUnstartedServer(f)
		s.TLS = server
		s.Config.ErrorLog = nil
		s.StartTLS()
		t.Cleanup(s.Close)
		c.URLs, c.TLS, c.CAFingerprint, c.Setup = []string{s.URL}, client.tls, client.fingerprint, false
	}
}

func TestClientCertificate(t *testing.T) {
	ca := newAuthority(t)
	later := time.Now().Add(time.Hour)
	server := &tls.Config{
		Certificates: []tls.Certificate{ca.server([]string{"127.0.0.1"}, later)},
		ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: ca.pool(),
	}
	own := ca.server([]string{"aictail"}, later)
	shown := []tls.Certificate{own}
	r := newRig(t, secure(t, server, client{tls: &tls.Config{RootCAs: ca.pool(), Certificates: shown}})).open()
	if err := r.sink.Send(t.Context(), newEvents(3)); err != nil {
		t.Error(err)
	}
	pinned := client{tls: &tls.Config{Certificates: shown}, fingerprint: fingerprint(ca.cert)}
	r = newRig(t, secure(t, server, pinned)).open()
	if err := r.sink.Send(t.Context(), newEvents(3)); err != nil {
		t.Error(err)
	}
	r = newRig(t, secure(t, server, client{tls: &tls.Config{RootCAs: ca.pool()}})).open()
	err := r.sink.Send(t.Context(), newEvents(3))
	if got := r.said(err); got != "refused" || !strings.Contains(err.Error(), "tls.cert_file") {
		t.Errorf("without a certificate: %s: %v", got, err)
	}
}

// TestNoTLS is about https to a server that speaks http.
func TestNoTLS(t *testing.T) {
	r := newRig(t, func(c *Config, _ *fake) {
		c.URLs = []string{strings.Replace(c.URLs[0], "http:", "https:", 1)}
		c.Setup = false
	}).open()
	err := r.sink.Send(t.Context(), newEvents(1))
	if got := r.said(err); got != "refused" || !strings.Contains(err.Error(), "http in urls") {
		t.Errorf("got %s: %v", got, err)
	}
}
