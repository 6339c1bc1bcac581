package aic

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// TLS says whom to trust and who we are, for a tenant behind a proxy with certificates
// of its own. The zero value trusts the system's authorities.
type TLS struct {
	// CAFile has the certificates in PEM that are trusted in place of the system's.
	CAFile string
	// CertFile and KeyFile are a certificate of our own in PEM, both or none. They are
	// read with each connection, so that they can be renewed.
	CertFile, KeyFile string
	// ServerName is the name that the server's certificate must have; "": that in the
	// URL.
	ServerName string
}

// Config reads the files. Its errors begin with the key of the configuration.
func (t TLS) Config() (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("tls.ca_file: %w: check the path, and that the user that runs aictail may read it", err)
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
	read := func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("tls.cert_file: %w: check that %s and %s are a certificate and its key in PEM form", err, t.CertFile, t.KeyFile)
		}
		return &pair, nil
	}
	if _, err := read(nil); err != nil {
		return nil, err
	}
	cfg.GetClientCertificate = read
	return cfg, nil
}

// withHint adds to an error of the connection what to do about it.
func withHint(err error) error {
	_, unknown := errors.AsType[x509.UnknownAuthorityError](err)
	_, otherName := errors.AsType[x509.HostnameError](err)
	switch {
	case unknown:
		return fmt.Errorf("%w; if a proxy with certificates of its own is between here and the tenant, give its authority as tls.ca_file", err)
	case otherName:
		return fmt.Errorf("%w; check the tenant's url, or give the name in the certificate as tls.server_name", err)
	}
	return err
}
