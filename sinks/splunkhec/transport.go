package splunkhec

import (
	"aictail/sinks"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"
)

// TLS says whom to trust and who we are. The zero value trusts the system's
// authorities.
type TLS struct {
	// CAFile has the certificates in PEM that are trusted in place of the system's.
	CAFile string
	// CertFile and KeyFile are a certificate of our own in PEM, both or none.
	CertFile, KeyFile string
	// ServerName is the name that the server's certificate must have; "": that in
	// the URL.
	ServerName string
}

const (
	// connectTimeout is far below the request's, so that a dead address is told
	// apart and another one can be tried.
	connectTimeout = 10 * time.Second
	// idleTimeout is below the 12 seconds after which a busy splunkd closes an idle
	// connection (busyKeepAliveIdleTimeout): a request that meets the closing has
	// an unknown outcome.
	idleTimeout = 10 * time.Second
	// continueTimeout is how long a server may think about a request's headers.
	continueTimeout = 2 * time.Second
)

func newTransport(files TLS) (*http.Transport, error) {
	cfg, err := files.config()
	if err != nil {
		return nil, err
	}
	return &http.Transport{
		Proxy: sinks.ProxyFromEnvironment,
		DialContext: (&net.Dialer{
			Timeout:   connectTimeout,
			KeepAlive: 30 * time.Second,
		}).DialContext,
		// HTTP/1.1 only, which is what splunkd speaks: a failure then concerns one
		// request and not all on a connection.
		TLSClientConfig:       cfg,
		TLSHandshakeTimeout:   connectTimeout,
		ExpectContinueTimeout: continueTimeout,
		DisableCompression:    true, // answers are short
		MaxIdleConnsPerHost:   1,    // requests follow one another
		IdleConnTimeout:       idleTimeout,
	}, nil
}

func (t TLS) config() (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("tls.ca_file: %w: check the path and that aictail's user may read it", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls.ca_file: %s holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)", t.CAFile)
		}
	}
	switch {
	case t.CertFile == "" && t.KeyFile == "":
		return cfg, nil
	case t.KeyFile == "":
		return nil, errors.New("tls.key_file: missing beside cert_file: give the certificate's key")
	case t.CertFile == "":
		return nil, errors.New("tls.cert_file: missing beside key_file: give the key's certificate")
	}
	pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("tls.cert_file: %w: check that %s and %s are a certificate and its key in PEM form", err, t.CertFile, t.KeyFile)
	}
	cfg.Certificates = []tls.Certificate{pair}
	return cfg, nil
}
