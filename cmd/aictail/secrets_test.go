package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"aictail/tailer/simulator"
)

// The secrets of TestSecretsStayHidden, by what they are for. None is part of another.
const (
	secretKey       = "Zq7-tenant-key-4711"
	secretSecret    = "Zq7-tenant-secret-4711"
	secretToken     = "Zq7-hec-token-4711"
	secretSearch    = "Zq7-search-password-4711"
	secretKafka     = "Zq7-kafka-password-4711"
	secretHash      = "0123456789abcdefZq7hashkey4711ab"
	secretMisplaced = "Zq7-misplaced-4711"
	secretProxy     = "Zq7-proxy-password-4711"
)

func allSecrets() []string {
	return []string{secretKey, secretSecret, secretToken, secretSearch, secretKafka, secretHash, secretMisplaced, secretProxy, adminPassword, adminHash}
}

// echo is a server that refuses every request and says with what: the worst that a
// tenant, a sink or a proxy before them can put into its errors.
func echo(t *testing.T, status int, answer func(text string) any) (server *httptest.Server, heard func() string) {
	t.Helper()
	var all safeBuffer
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		text := fmt.Sprint(r.Header, " ", user, " ", password)
		_, _ = io.WriteString(&all, text)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Elastic-Product", "Elasticsearch")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(answer(text))
	}))
	t.Cleanup(s.Close)
	return s, all.String
}

// secretsConfig writes a configuration in which everything but one tenant and one sink
// refuses what it is told. It returns the file and what has been heard by those.
func secretsConfig(t *testing.T, dir, admin string) (path string, heard map[string]func() string) {
	t.Helper()
	good, err := simulator.New(simulator.Options{Limit: 100_000, Seed: 1, Rate: 20, Key: secretKey, Secret: secretSecret})
	if err != nil {
		t.Fatal(err)
	}
	goodURL, stop, err := simulator.Start(good)
	if err != nil {
		t.Fatal(err)
	}
	running, end := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- good.Run(running) }()
	t.Cleanup(func() { end(); <-done; stop() })
	wrong, heardWrong := echo(t, http.StatusUnauthorized, func(text string) any { return map[string]any{"errors": []string{text}} })
	hec, heardHEC := echo(t, http.StatusForbidden, func(text string) any { return map[string]any{"code": 4, "text": text} })
	search, heardSearch := echo(t, http.StatusUnauthorized, func(text string) any {
		return map[string]any{"status": 401, "error": map[string]any{"type": "security_exception", "reason": text, "root_cause": []any{map[string]any{"type": "security_exception", "reason": text}}}}
	})
	distrusted := httptest.NewUnstartedServer(nil)
	distrusted.Config.ErrorLog = log.New(io.Discard, "", 0)
	distrusted.StartTLS()
	t.Cleanup(distrusted.Close)
	kafka, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(), kfake.Superuser("PLAIN", "soc", "another"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kafka.Close)
	var heardKafka safeBuffer
	kafka.ControlKey(kmsg.SASLAuthenticate.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) {
		kafka.KeepControl()
		said := string(req.(*kmsg.SASLAuthenticateRequest).SASLAuthBytes)
		_, _ = io.WriteString(&heardKafka, said)
		res := req.ResponseKind().(*kmsg.SASLAuthenticateResponse)
		res.ErrorCode, res.ErrorMessage = kerr.SaslAuthenticationFailed.Code, &said
		return res, nil, true
	})

	testCertificate(t, dir)
	writeFile(t, filepath.Join(dir, "web.yaml"), "basic_auth_users: {soc: '"+adminHash+"'}\n")
	writeFile(t, filepath.Join(dir, "hash.key"), "k1: "+secretHash+"\n")
	writeFile(t, filepath.Join(dir, "token"), secretToken+"\n")
	path = filepath.Join(dir, "aictail.yaml")
	writeFile(t, path, fmt.Sprintf(`
data_dir: %[1]s/left/data
log: {level: debug}
shutdown_timeout: 1s
admin: {listen: %[2]s, web_config_file: web.yaml}
tenants:
  good: &tenant {url: %[3]s, api_key: "${KEY}", api_secret: %[4]s, sources: [am-access, am-core], poll: {min_interval: 100ms, max_interval: 1s}, sweep: {settle: 5s}}
  wrong: {<<: *tenant, url: %[5]s}
  distrusted: {<<: *tenant, url: %[6]s}
filter: {hash_key_file: hash.key, redact: [{preset: default}, {fields: [/payload/userId], action: hash}]}
sinks:
  archive: {type: file, path: "%[1]s/left/out/{source}.ndjson"}
  siem: {type: splunk_hec, url: %[7]s, token_file: token}
  search: {type: elasticsearch, urls: [%[8]s], username: soc, password: %[9]s, index: aic}
  bus: {type: kafka, brokers: [%[10]s], topic: aic, sasl: {mechanism: PLAIN, username: soc, password: %[11]s}}
  tls: {type: kafka, brokers: [%[10]s], topic: aic, sasl: {mechanism: SCRAM-SHA-256, username: soc, password: %[11]s}, tls: {enabled: true, ca_file: cert.pem}}
`, dir, admin, goodURL, secretSecret, wrong.URL, distrusted.URL, hec.URL, search.URL, secretSearch, kafka.ListenAddrs()[0], secretKafka))
	return path, map[string]func() string{secretKey: heardWrong, secretSecret: heardWrong, secretToken: heardHEC, secretSearch: heardSearch, secretKafka: heardKafka.String}
}

// TestSecretsStayHidden runs the real program with secrets of every kind against
// servers that refuse them and repeat them in their errors, breaks its configuration in
// the ways in which people do, and then looks for the secrets in all that the program
// shows or leaves behind.
func TestSecretsStayHidden(t *testing.T) {
	dir, admin := t.TempDir(), freeAddress(t)
	path, heard := secretsConfig(t, dir, admin)
	t.Setenv("KEY", secretKey)
	t.Setenv("HTTPS_PROXY", "http://soc:"+secretProxy+"@127.0.0.1:1")
	t.Setenv("AICTAIL_ADMIN_USER", "soc")
	t.Setenv("AICTAIL_ADMIN_PASSWORD", adminPassword)
	found := map[string]string{}
	run := func(args ...string) {
		t.Helper()
		p := start(t, append(args, "--config", path)...)
		p.wait()
		found[strings.Join(args, " ")] = p.log.String()
	}
	daemon := start(t, "run", "--config", path)
	says := func(text string) {
		t.Helper()
		eventually(t, text+" in the log", func() bool { return strings.Contains(daemon.log.String(), text) })
	}
	eventually(t, "events in the good sink", func() bool { return countNewlines(t, filepath.Join(dir, "left", "out")) > 0 })
	for _, text := range []string{
		"the tenant refuses the API key", "tls.ca_file", "Splunk does not know the token", `"sink":"search"`, `"sink":"bus"`, `"sink":"tls"`,
	} {
		says(text)
	}
	for what, text := range heard {
		eventually(t, what+" at the server that repeats it", func() bool { return strings.Contains(text(), what) })
	}
	for _, page := range []string{"/metrics", "/readyz", "/healthz", "/api/status", "/"} {
		found[page] = adminPage(t, "http://"+admin+page, adminPassword)
		if found[page] == "" {
			t.Errorf("%s is empty", page)
		}
	}
	found["refused"] = adminPage(t, "http://"+admin+"/", secretMisplaced)
	for _, args := range [][]string{{"coverage"}, {"sources"}, {"doctor"}, {"validate"}, {"health", "--ready"}, {"replay", "--sink", "archive", "--since", "1h"}, {"deadletter", "list", "--sink", "siem"}} {
		run(args...)
	}
	for _, file := range []string{"cmdline", "status", "comm"} {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", daemon.cmd.Process.Pid, file))
		if err != nil && !os.IsNotExist(err) {
			t.Error(err)
		}
		found["/proc/"+file] = string(b)
	}
	breakConfig(t, path, daemon, run)
	if code := daemon.stop(); code != exitDone {
		t.Errorf("exit code %d", code)
	}
	found["log"] = daemon.log.String()
	maps.Copy(found, readFiles(t, filepath.Join(dir, "left")))
	for _, place := range slices.Sorted(maps.Keys(found)) {
		for _, secret := range allSecrets() {
			if form := shows(found[place], secret); form != "" {
				t.Errorf("%s shows %s as %s", place, secret, form)
			}
		}
	}
}

// breakConfig puts secrets where they do not belong and has the daemon reload that.
func breakConfig(t *testing.T, path string, daemon *program, run func(...string)) {
	t.Helper()
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i, broken := range []string{
		strings.Replace(string(good), "url: ", "url: https://soc:"+secretMisplaced+"@host, x: ", 1),
		strings.Replace(string(good), "api_secret: ", "api_secrt: ", 1),
		strings.Replace(string(good), "token_file: token", "token_file: "+secretMisplaced, 1),
		string(good) + "\n  - " + secretMisplaced + ": [\n",
		strings.Replace(string(good), "{level: debug}", secretMisplaced, 1),
	} {
		writeFile(t, path, broken)
		if err := daemon.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		const refused = "the configuration is not reloaded"
		eventually(t, refused, func() bool { return strings.Count(daemon.log.String(), refused) == i+1 })
		run("validate")
	}
	// A good one with other secrets: what changes is logged, and not what it is.
	writeFile(t, path, strings.Replace(string(good), secretKafka, secretMisplaced, 2))
	if err := daemon.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the reload", func() bool { return strings.Contains(daemon.log.String(), "the configuration has been reloaded") })
}

// adminPage returns a page of the admin server as it is for a user.
func adminPage(t *testing.T, url, password string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("soc", password)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// shows says in which form a text has a secret in it: plainly, or in base64 with
// whatever before and behind it; "" if in none.
func shows(text, secret string) string {
	if strings.Contains(text, secret) {
		return "it is"
	}
	for shift := range 3 {
		encoded := base64.StdEncoding.EncodeToString([]byte("xx"[:shift] + secret))
		// The first and last characters depend on the neighbours, too.
		if strings.Contains(text, encoded[4:len(encoded)-4]) {
			return "base64"
		}
	}
	return ""
}
