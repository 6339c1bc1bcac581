package admin

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"aictail/cmd/internal/config"
)

// Client asks the running daemon, on this machine, in the way that its web
// configuration asks for. Who asks is in the environment: a flag would show the
// password to everybody on the machine.
type Client struct {
	http    *http.Client
	address string // with http:// or https://
}

// NewClient reads the web configuration and the client's certificate; it reaches
// nobody. The configured address must not be "".
func NewClient(a config.Admin) (*Client, error) {
	c, err := ReadWebConfig(a.WebConfigFile)
	if err != nil {
		return nil, fmt.Errorf("admin.web_config_file: %w", err)
	}
	encryption, err := c.ClientTLS()
	if err != nil {
		return nil, fmt.Errorf("admin.web_config_file: %w", err)
	}
	file := os.Getenv(config.EnvAdminCertFile)
	if file == "" && c.ClientCertificates {
		return nil, fmt.Errorf("the running daemon asks for a client certificate: set %s and %s to the files of one that client_ca_file in admin.web_config_file vouches for", config.EnvAdminCertFile, config.EnvAdminKeyFile)
	}
	if file != "" && encryption != nil {
		pair, err := tls.LoadX509KeyPair(file, os.Getenv(config.EnvAdminKeyFile))
		if err != nil {
			return nil, fmt.Errorf("%s and %s: %w: want the files of a certificate and its key in PEM form", config.EnvAdminCertFile, config.EnvAdminKeyFile, err)
		}
		encryption.Certificates = []tls.Certificate{pair}
	}
	return &Client{address: c.Scheme() + "://" + a.Listen, http: &http.Client{
		// Without a proxy: it is this machine.
		Transport:     &http.Transport{TLSClientConfig: encryption, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Call sends a request and decodes the answer into out if that is not nil. It gives up
// after a minute.
func (c *Client) Call(ctx context.Context, method, path string, body, out any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, c.address+path, bytes.NewReader(b))
	if err != nil {
		return err
	}
	req.Header.Set(RequestHeader, "1")
	if user := os.Getenv(config.EnvAdminUser); user != "" {
		req.SetBasicAuth(user, os.Getenv(config.EnvAdminPassword))
	}
	res, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("ask the running daemon: %w", err)
	}
	defer func() { _ = res.Body.Close() }() // what was read is all that matters
	answer, err := io.ReadAll(io.LimitReader(res.Body, 64<<20))
	switch {
	case err != nil:
		return fmt.Errorf("ask the running daemon: %w", err)
	case res.StatusCode == http.StatusUnauthorized:
		return fmt.Errorf("the running daemon asks for a user: set %s and %s to one of basic_auth_users in admin.web_config_file", config.EnvAdminUser, config.EnvAdminPassword)
	case res.StatusCode != http.StatusOK:
		return fmt.Errorf("the running daemon answers: %s", strings.TrimSpace(string(answer)))
	case out == nil:
		return nil
	}
	if json.Unmarshal(answer, out) != nil {
		return errors.New("what answers at admin.listen is not aictail: is it the daemon's address?")
	}
	return nil
}
