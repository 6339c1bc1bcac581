package admin

import (
	"bytes"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/prometheus/exporter-toolkit/web"
	"go.yaml.in/yaml/v3"
)

// WebConfig is what a web configuration file, in the form of Prometheus's exporters,
// asks for. The server itself reads the file with every request.
type WebConfig struct {
	// TLS says that the server speaks https.
	TLS bool
	// Users says that requests need a user and a password.
	Users bool
	// ClientCertificates says that clients need a certificate.
	ClientCertificates bool

	// certificate is where the server's own is: in a file or, without one, as text.
	certificateFile, certificate string
}

// ReadWebConfig reads and checks a web configuration file with the files that it
// names; "" is a configuration that asks for nothing. The error says what to do, and
// shows neither passwords nor keys.
func ReadWebConfig(path string) (WebConfig, error) {
	if path == "" {
		return WebConfig{}, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return WebConfig{}, fmt.Errorf("%w: check the path, and that the user that runs aictail may read it", err)
	}
	if err := web.Validate(path); err != nil {
		return WebConfig{}, fmt.Errorf("%s: %s", path, explain(err))
	}
	var c web.Config
	if err := yaml.Unmarshal(text, &c); err != nil {
		return WebConfig{}, fmt.Errorf("%s: %s", path, explain(err))
	}
	t := &c.TLSConfig
	t.SetDirectory(filepath.Dir(path))
	// 0 is not given, which stands for 1.2.
	if t.MinVersion != 0 && t.MinVersion < tls.VersionTLS12 {
		return WebConfig{}, fmt.Errorf("%s: tls_server_config.min_version: want TLS12 or TLS13: older versions are broken", path)
	}
	return WebConfig{
		TLS: t.IsEnabled(), Users: len(c.Users) > 0,
		ClientCertificates: strings.HasPrefix(t.ClientAuth, "Require"),
		certificateFile:    t.TLSCertPath, certificate: t.TLSCert,
	}, nil
}

// Scheme returns http or https.
func (c WebConfig) Scheme() string {
	if c.TLS {
		return "https"
	}
	return "http"
}

// explain returns what is wrong with a web configuration, without what stands in it.
func explain(err error) string {
	text := err.Error()
	if strings.Contains(text, "bcrypt") {
		return `basic_auth_users: a password is not a bcrypt hash: make one with htpasswd -nBC 10 NAME`
	}
	// YAML's errors quote the beginning of a value, which may be a key or a hash.
	return regexp.MustCompile("(?s)`.*?`").ReplaceAllString(text, "a value")
}

// ClientTLS returns how a client on this machine recognises the server: by the very
// certificate that the configuration names, whoever issued it and whatever names and
// dates it has. It returns nil if the server does not speak https.
func (c WebConfig) ClientTLS() (*tls.Config, error) {
	if !c.TLS {
		return nil, nil
	}
	text := []byte(c.certificate)
	if c.certificateFile != "" {
		var err error
		if text, err = os.ReadFile(c.certificateFile); err != nil {
			return nil, fmt.Errorf("cert_file: %w", err)
		}
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("cert_file: does not begin with a certificate in PEM form")
	}
	want := block.Bytes
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, // VerifyConnection does it
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) == 0 || !bytes.Equal(s.PeerCertificates[0].Raw, want) {
				return errors.New("the server's certificate: it is not the one of cert_file in admin.web_config_file: check that admin.listen is the daemon's, and that it reads the same file")
			}
			return nil
		},
	}, nil
}
