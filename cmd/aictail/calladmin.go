package main

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

	"aictail/cmd/internal/admin"
	"aictail/cmd/internal/config"
)

// callAdmin sends a request to the running daemon, in the way that its web
// configuration asks for, and decodes the answer into out if that is not nil. Who asks
// is in the environment: a flag would show the password to everybody on the machine.
func callAdmin(ctx context.Context, cfg *config.Config, method, path string, body, out any) error {
	if cfg.Admin.Listen == "" {
		return errors.New("a daemon runs on this data_dir, and its admin server is off: set admin.listen, or stop the daemon first")
	}
	client, scheme, err := adminClient(cfg.Admin)
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, scheme+"://"+cfg.Admin.Listen+path, bytes.NewReader(b))
	if err != nil {
		return err
	}
	req.Header.Set(admin.RequestHeader, "1")
	if user := os.Getenv(config.EnvAdminUser); user != "" {
		req.SetBasicAuth(user, os.Getenv(config.EnvAdminPassword))
	}
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("ask the running daemon: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
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
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("ask the running daemon: %w; is admin.listen its address?", err)
	}
	return nil
}

// adminClient returns what speaks to the admin server, and whether that is http or
// https. It asks no proxy and follows no redirect: the server is on this machine.
func adminClient(a config.Admin) (client *http.Client, scheme string, err error) {
	c, err := admin.ReadWebConfig(a.WebConfigFile)
	if err != nil {
		return nil, "", fmt.Errorf("admin.web_config_file: %w", err)
	}
	encryption, err := c.ClientTLS()
	if err != nil {
		return nil, "", fmt.Errorf("admin.web_config_file: %w", err)
	}
	file := os.Getenv(config.EnvAdminCertFile)
	if file == "" && c.ClientCertificates {
		return nil, "", fmt.Errorf("the running daemon asks for a client certificate: set %s and %s to the files of one that client_ca_file in admin.web_config_file vouches for", config.EnvAdminCertFile, config.EnvAdminKeyFile)
	}
	if file != "" && encryption != nil {
		pair, err := tls.LoadX509KeyPair(file, os.Getenv(config.EnvAdminKeyFile))
		if err != nil {
			return nil, "", fmt.Errorf("%s and %s: %w: want the files of a certificate and its key in PEM form", config.EnvAdminCertFile, config.EnvAdminKeyFile, err)
		}
		encryption.Certificates = []tls.Certificate{pair}
	}
	return &http.Client{
		Transport:     &http.Transport{TLSClientConfig: encryption},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, c.Scheme(), nil
}
