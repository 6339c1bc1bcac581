package config

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
)

// ClientTLS is whom a client trusts and who it is itself. Empty is the system's
// authorities and no certificate of our own.
type ClientTLS struct {
	// CAFile has the authorities to trust in place of the system's, in PEM form. A relative
	// path starts at the folder of the configuration.
	CAFile string `config:"ca_file"`
	// CertFile is a certificate of aictail's own, in PEM form, if the server asks for one.
	CertFile string `config:"cert_file"`
	// KeyFile is its key.
	KeyFile string `config:"key_file"`
	// ServerName is the name in the server's certificate, if it is not that in the address.
	ServerName string `config:"server_name"`
}

// Config returns how to make connections. CAFile is read now; CertFile and KeyFile are
// read with each connection whose server asks for a certificate, so that they can be
// renewed. Errors, also those of connections, name key and file and say what to do.
func (t ClientTLS) Config() (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CAFile != "" {
		pem, err := readFile(t.CAFile, maxCertificates)
		if err != nil {
			return nil, &fileError{"ca_file", t.CAFile, err}
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, &fileError{"ca_file", t.CAFile, errors.New("it holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)")}
		}
	}
	if t.CertFile == "" && t.KeyFile == "" {
		return cfg, nil
	}
	if _, err := t.own(); err != nil {
		return nil, err
	}
	cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return t.own() }
	return cfg, nil
}

// maxCertificates bounds a file of certificates: all authorities that a system trusts
// have some 250 KB.
const maxCertificates = 4 << 20

// own reads our certificate and its key.
func (t ClientTLS) own() (*tls.Certificate, error) {
	cert, err := readFile(t.CertFile, maxCertificates)
	if err != nil {
		return nil, &fileError{"cert_file", t.CertFile, err}
	}
	key, err := readFile(t.KeyFile, maxSecret)
	if err != nil {
		return nil, &fileError{"key_file", t.KeyFile, err}
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, &fileError{"cert_file", t.CertFile, fmt.Errorf("it is not, in PEM form, the certificate of the key in key_file, %s (%w)", t.KeyFile, err)}
	}
	return &pair, nil
}

// fileError is about a file that a key below tls names.
type fileError struct {
	key, path string
	err       error // says what to do
}

func (e *fileError) Error() string { return fmt.Sprintf("tls.%s: %s: %v", e.key, e.path, e.err) }
func (e *fileError) Unwrap() error { return e.err }

// resolve lets relative paths start at the folder of the configuration file, to
// which the files belong.
func (t *ClientTLS) resolve(path, folder string, c *collector) {
	resolve(secretFile{key: path, folder: folder}, c, map[string]*string{"ca_file": &t.CAFile, "cert_file": &t.CertFile, "key_file": &t.KeyFile})
}

// resolve makes paths final, by their keys below that of in. It notes what is not to be
// shown later, when what was written can't be told from its folder any more.
func resolve(in secretFile, c *collector, paths map[string]*string) {
	for name, path := range paths {
		if *path == "" {
			continue
		}
		f := secretFile{key: below(in.key, name), path: *path, folder: in.folder}
		if f.shown(c) == "" {
			c.hidden[f.key] = true
		}
		*path = f.resolved(*path)
	}
}

// clientTLS checks what goes together, and that the files can be used.
func (v *validator) clientTLS(path string, t ClientTLS) {
	switch {
	case t.CertFile != "" && t.KeyFile == "":
		v.add(below(path, "key_file"), "missing beside cert_file: give the certificate's key")
	case t.CertFile == "" && t.KeyFile != "":
		v.add(below(path, "cert_file"), "missing beside key_file: give the key's certificate")
	default:
		if _, err := t.Config(); err != nil {
			v.tlsFile(path, err)
		}
	}
	v.noteAuthorities(below(path, "ca_file"), t.CAFile)
}

func (v *validator) tlsFile(path string, err error) {
	bad, ok := errors.AsType[*fileError](err)
	if !ok {
		v.add(path, "%v", err)
		return
	}
	f := secretFile{key: below(path, bad.key), path: bad.path}
	if v.hidden[f.key] {
		v.add(f.key, "%v", bad.err)
		return
	}
	v.add(f.key, "%s%v", f.shown(v.collector), bad.err)
}

// noteAuthorities remembers what a ca_file holds, for Diff: other than our own
// certificate it is not read with each connection.
func (v *validator) noteAuthorities(key, path string) {
	if path == "" {
		return
	}
	data, err := readFile(path, maxCertificates)
	if err != nil {
		return // reported already
	}
	if v.authorities == nil {
		v.authorities = map[string]string{}
	}
	sum := sha256.Sum256(data)
	v.authorities[key] = hex.EncodeToString(sum[:])
}
