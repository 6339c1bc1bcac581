package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// adminPassword and its bcrypt hash, made before with the least cost.
const (
	adminPassword = "Zq7-admin-password"
	adminHash     = "$2a$04$pC2TDgmqIL3RNuTO05yGYe/EL3qJyHnOmlSnjm1XtXw02Wq3p/qny"
)

// TestSecureAdmin asks a daemon whose admin server wants TLS, a client certificate and
// a user, by the commands that people use.
func TestSecureAdmin(t *testing.T) {
	dir := t.TempDir()
	testCertificate(t, dir)
	writeFile(t, filepath.Join(dir, "web.yaml"), fmt.Sprintf(`
tls_server_config: {cert_file: cert.pem, key_file: key.pem, client_auth_type: RequireAndVerifyClientCert, client_ca_file: cert.pem}
basic_auth_users: {soc: '%s'}
`, adminHash))
	tenant := freeAddress(t)
	start(t, "simulate", "--listen", tenant)
	config := filepath.Join(dir, "aictail.yaml")
	writeFile(t, config, fmt.Sprintf(`
data_dir: %[1]s/data
admin: {listen: %[2]s, web_config_file: web.yaml}
tenants: {prod: {url: "http://%[3]s", api_key: x, api_secret: y, sources: [am-core], sweep: {settle: 5s}}}
sinks: {archive: {type: file, path: "%[1]s/out/{source}.ndjson"}}
`, dir, freeAddress(t), tenant))
	// The daemon has no use for the variables, and must not take them for keys.
	t.Setenv("AICTAIL_ADMIN_CERT_FILE", filepath.Join(dir, "cert.pem"))
	t.Setenv("AICTAIL_ADMIN_KEY_FILE", filepath.Join(dir, "key.pem"))
	t.Setenv("AICTAIL_ADMIN_USER", "soc")
	t.Setenv("AICTAIL_ADMIN_PASSWORD", adminPassword)
	ask := func(code int, says string, args ...string) {
		t.Helper()
		p := start(t, append(args, "--config", config)...)
		if got := p.wait(); got != code || !strings.Contains(p.log.String(), says) {
			t.Errorf("%v: exit code %d, want %d and %q in:\n%s", args, got, code, says, p.log)
		}
		if strings.Contains(p.log.String(), adminPassword) {
			t.Errorf("%v shows the password", args)
		}
	}
	ask(exitDone, "is valid", "validate")
	daemon := start(t, "run", "--config", config)
	eventually(t, "the daemon's health", func() bool { return start(t, "health", "--config", config).wait() == exitDone })
	eventually(t, "events", func() bool { return countNewlines(t, filepath.Join(dir, "out")) > 0 })
	ask(exitDone, "prod am-core (sweep: full)", "coverage")
	ask(exitDone, "archive", "replay", "--sink", "archive", "--since", "1h")
	ask(exitDone, "a daemon runs on this data_dir", "doctor")

	t.Setenv("AICTAIL_ADMIN_PASSWORD", "wrong")
	ask(exitFailed, "set AICTAIL_ADMIN_USER and AICTAIL_ADMIN_PASSWORD", "coverage")
	t.Setenv("AICTAIL_ADMIN_USER", "")
	ask(exitFailed, "set AICTAIL_ADMIN_USER and AICTAIL_ADMIN_PASSWORD", "health")
	t.Setenv("AICTAIL_ADMIN_CERT_FILE", "")
	ask(exitFailed, "set AICTAIL_ADMIN_CERT_FILE and AICTAIL_ADMIN_KEY_FILE", "health")
	t.Setenv("AICTAIL_ADMIN_CERT_FILE", config)
	ask(exitFailed, "want the files of a certificate and its key", "health")
	if code := daemon.stop(); code != exitDone {
		t.Errorf("exit code %d", code)
	}

	// What is wrong with the file is found before a start, and named with its key.
	writeFile(t, filepath.Join(dir, "web.yaml"), "basic_auth_users: {soc: "+adminPassword+"}\n")
	ask(exitFailed, "admin.web_config_file: "+dir+"/web.yaml: basic_auth_users: a password is not a bcrypt hash", "validate")
	ask(exitUsage, "admin.web_config_file: ", "run")
}
