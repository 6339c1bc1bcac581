package service

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"aictail/cmd/internal/config"
)

func TestCheckWebConfig(t *testing.T) {
	path := filepath.Join(t.TempDir(), "web.yaml")
	const users = "basic_auth_users: {soc: $2a$04$tojni.SWG4c.LrmGfFK8DO1uoVRPYwdRmnmLhh8AjKRT2hkcfOzD6}"
	tests := []struct{ name, listen, text, warns, fails string }{
		{"users on loopback", "127.0.0.1:9464", users, "", ""},
		{"users on loopback by name", "localhost:9464", users, "", ""},
		{"users in the clear", "0.0.0.0:9464", users, "everybody on the way can read their passwords", ""},
		{"nobody asked", ":9464", "", "neither users nor client certificates", ""},
		{"wrong", "127.0.0.1:9464", "users: {}", "", "admin.web_config_file: "},
		{"off", "", "users: {}", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			warnings, err := checkWebConfig(config.Admin{Listen: tt.listen, WebConfigFile: path})
			got := ""
			for _, w := range warnings {
				got += w.String()
			}
			if (got == "") != (tt.warns == "") || !strings.Contains(got, tt.warns) {
				t.Errorf("warns %q, want %q", got, tt.warns)
			}
			if (err == nil) != (tt.fails == "") || err != nil && !strings.Contains(err.Error(), tt.fails) {
				t.Errorf("fails with %v, want %q", err, tt.fails)
			}
		})
	}
}

func TestWarnOpenFolder(t *testing.T) {
	dir := t.TempDir()
	for mode, want := range map[os.FileMode]int{0o750: 0, 0o770: 0, 0o777: 1} {
		core, logged := observer.New(zap.WarnLevel)
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		if warnOpenFolder(dir, zap.New(core)); logged.Len() != want {
			t.Errorf("mode %04o: %d warnings, want %d", mode, logged.Len(), want)
		}
	}
}

// TestCheckOfSinks: what only a sink itself finds out about its keys is found before
// the daemon starts, too, and before a reload stops the old service.
func TestCheckOfSinks(t *testing.T) {
	cfg := testConfig(t)
	if _, err := Check(cfg); err != nil {
		t.Fatal(err)
	}
	for key, text := range map[string]string{
		"sinks.bus":  "{type: kafka, brokers: ['k:1'], topic: t, key: '/a~b'}",
		"sinks.sasl": "{type: kafka, brokers: ['k:1'], topic: t, sasl: {mechanism: SCRAM-SHA-256, username: \"\\x01\", password: p}}",
	} {
		path := filepath.Join(t.TempDir(), "aictail.yaml")
		name := strings.TrimPrefix(key, "sinks.")
		if err := os.WriteFile(path, []byte("tenants: {prod: {url: 'http://127.0.0.1:1', api_key: k, api_secret: s, sources: [am-core]}}\nsinks: {"+name+": "+text+"}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, err := config.Load(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = Check(cfg)
		if problems, ok := errors.AsType[*config.Problems](err); !ok || len(problems.List) != 1 || problems.List[0].Key != key {
			t.Errorf("%s: %v", text, err)
		}
	}
}
