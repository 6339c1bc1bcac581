package config

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCredentialsByHand: people check the configuration of a service without the
// variable that systemd sets for it.
func TestCredentialsByHand(t *testing.T) {
	const text = "tenants: {prod: {url: https://a.example.com, sources: [am-access], " +
		"api_key_file: '${CREDENTIALS_DIRECTORY}/api-key', api_secret: s}}\nsinks: {f: {type: file, path: x.ndjson}}\n"
	dir := t.TempDir()
	folder := filepath.Join(dir, "credentials")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "api-key"), []byte("from-the-folder\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	key := func(path string, env ...string) string {
		t.Helper()
		cfg, err := parse(path, []byte(text), env)
		if err != nil {
			return err.Error()
		}
		return cfg.Tenants["prod"].APIKey.Value()
	}

	if got := key(filepath.Join(dir, "aictail.yaml")); got != "from-the-folder" {
		t.Errorf("with an absolute path: %s", got)
	}
	t.Chdir(filepath.Dir(dir))
	if got := key(filepath.Join(filepath.Base(dir), "aictail.yaml")); got != "from-the-folder" {
		t.Errorf("with a relative path: %s", got)
	}
	if got := key(filepath.Join(dir, "aictail.yaml"), "CREDENTIALS_DIRECTORY=/nowhere"); !strings.Contains(got, "there is no such file") {
		t.Errorf("the folder stands in for a variable that is set: %s", got)
	}
	if got := key(filepath.Join(t.TempDir(), "aictail.yaml")); !strings.Contains(got, "CREDENTIALS_DIRECTORY is not set: systemd sets it for the service") {
		t.Errorf("without a folder: %s", got)
	}
}

// TestHandedOver: what systemd has not handed over is not to be sought in its folder.
func TestHandedOver(t *testing.T) {
	const copied = "/run/credentials/aictail.service/api-key"
	if got := explainSecret(copied, fs.ErrNotExist).Error(); !strings.Contains(got, "LoadCredential=NAME:FILE") {
		t.Error(got)
	}
	if got := explainSecret("/etc/api-key", fs.ErrNotExist).Error(); strings.Contains(got, "systemd") {
		t.Error(got)
	}
	if got := fill(copied); !strings.Contains(got, "/etc/aictail/credentials") || !strings.Contains(got, "restart") {
		t.Error(got)
	}
}
