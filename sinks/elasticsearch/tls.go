package elasticsearch

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strings"
)

// parsePin returns nil without a fingerprint.
func parsePin(fingerprint string) (*pin, error) {
	if fingerprint == "" {
		return nil, nil
	}
	sum, err := hex.DecodeString(strings.ReplaceAll(fingerprint, ":", ""))
	if err != nil || len(sum) != sha256.Size {
		return nil, errors.New("tls.ca_fingerprint: want the SHA-256 of a certificate, 64 hexadecimal digits")
	}
	return &pin{sum: sum}, nil
}

// pin recognises the server by the fingerprint of a certificate that it shows.
type pin struct{ sum []byte }

// errFingerprint is the error of a server that shows another certificate.
var errFingerprint = errors.New("no certificate of the server has the fingerprint tls.ca_fingerprint")

// verify checks the chain that a server shows, its own certificate first. That
// the pinned certificate is among them proves nothing by itself, since anybody may
// show a CA's certificate: the server's own must have been signed by it.
func (p *pin) verify(chain []*x509.Certificate, host string) error {
	intermediates := x509.NewCertPool()
	var pinned *x509.Certificate
	for i, c := range chain {
		sum := sha256.Sum256(c.Raw)
		switch {
		case bytes.Equal(sum[:], p.sum):
			pinned = c
		case i > 0:
			intermediates.AddCert(c)
		}
	}
	switch pinned {
	case nil:
		return errFingerprint
	case chain[0]:
		return nil // nobody else has its key
	}
	roots := x509.NewCertPool()
	roots.AddCert(pinned)
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: intermediates, DNSName: host})
	return err
}

// dialer returns what connects to a server and verifies it. It is a dialer and not
// only a tls.Config because that does not know an address that is an IP.
func (p *pin) dialer(d *net.Dialer, base *tls.Config) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		cfg := base.Clone()
		cfg.ServerName = cmp.Or(base.ServerName, host)
		cfg.InsecureSkipVerify = true // verify does it
		cfg.VerifyConnection = func(cs tls.ConnectionState) error { return p.verify(cs.PeerCertificates, cfg.ServerName) }
		ctx, cancel := context.WithTimeout(ctx, connectTimeout)
		defer cancel()
		return (&tls.Dialer{NetDialer: d, Config: cfg}).DialContext(ctx, network, addr)
	}
}

// refuseProxies returns the configuration for connections through a proxy, which
// do not use the dialer.
func (p *pin) refuseProxies(base *tls.Config) *tls.Config {
	cfg := base.Clone()
	cfg.InsecureSkipVerify = true // every connection is refused
	cfg.VerifyConnection = func(tls.ConnectionState) error {
		return fmt.Errorf("%w: it cannot be checked through a proxy; use tls.ca_file, or NO_PROXY", errFingerprint)
	}
	return cfg
}
