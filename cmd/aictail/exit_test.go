package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestExitCodes holds the codes that scripts and service managers rely on.
func TestExitCodes(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		writeFile(t, path, text)
		return path
	}
	const rest = `
admin: {listen: off}
tenants: {prod: {url: "http://127.0.0.1:1", api_key: x, api_secret: y, sources: [am-core]}}
sinks: {archive: {type: file, path: out.ndjson}}
`
	valid := file("valid.yaml", "data_dir: "+filepath.Join(dir, "data")+rest)
	misspelt := file("misspelt.yaml", "data_dri: x"+rest)
	blocked := file("blocked.yaml", "data_dir: "+file("a-file", "")+rest)
	// Not even root may create a folder there.
	readOnly := file("readonly.yaml", "data_dir: /sys/aictail"+rest)
	taken := file("taken.yaml", "data_dir: "+filepath.Join(dir, "data2")+strings.Replace(rest, "off", listening(t), 1))

	tests := []struct {
		args []string
		code int
		says string
	}{
		{[]string{"version"}, exitDone, "aictail "},
		{[]string{"--help"}, exitDone, "Exit codes"},
		{[]string{"validate", "--config", valid}, exitDone, "is valid"},
		{[]string{"validate", "--config", misspelt}, exitFailed, "data_dri: unknown key; did you mean data_dir"},
		{[]string{"validate"}, exitUsage, "config"},
		{[]string{"run", "--config", misspelt}, exitUsage, "data_dri: unknown key"},
		{[]string{"run", "--config", filepath.Join(dir, "none.yaml")}, exitUsage, "none.yaml"},
		{[]string{"run"}, exitUsage, "config"},
		{[]string{"run", "--config", valid, "surplus"}, exitUsage, "surplus"},
		{[]string{"nonsense"}, exitUsage, "nonsense"},
		{[]string{"run", "--config", blocked}, exitFailed, "something that is not a folder has this name: move it away, or set another data_dir"},
		{[]string{"run", "--config", readOnly}, exitFailed, "or set another data_dir"},
		{[]string{"run", "--config", taken}, exitFailed, "admin.listen"},
		{[]string{"demo", "--for", "-1s"}, exitUsage, "--for"},
		{[]string{"simulate", "--rate", "-1"}, exitUsage, "Rate"},
		{[]string{"simulate", "--replay", filepath.Join(dir, "none.log")}, exitFailed, "none.log"},
		{[]string{"simulate", "--listen", listening(t)}, exitFailed, "--listen"},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			p := start(t, tt.args...)
			if code := p.wait(); code != tt.code || !strings.Contains(p.log.String(), tt.says) {
				t.Errorf("exit code %d, want %d and %q in:\n%s", code, tt.code, tt.says, p.log)
			}
		})
	}
}

// TestTerminate: SIGTERM ends the daemon in order with 0, and a second signal at
// once even if a sink holds it up.
func TestTerminate(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "aictail.yaml")
	address := freeAddress(t)
	start(t, "simulate", "--listen", address, "--rate", "100")
	writeFile(t, config, fmt.Sprintf(`
data_dir: %[1]s/data
admin: {listen: off}
shutdown_timeout: 10m
tenants: {prod: {url: "http://%[2]s", api_key: x, api_secret: y, sources: [am-core]}}
sinks:
  good: {type: file, path: "%[1]s/good/{source}.ndjson"}
  bad: {type: file, path: "%[1]s/in-the-way/{source}.ndjson"}
`, dir, address))
	writeFile(t, filepath.Join(dir, "in-the-way"), "a file where the sink needs a folder")
	p := start(t, "run", "--config", config)
	eventually(t, "events in the good sink", func() bool { return countNewlines(t, filepath.Join(dir, "good")) > 0 })
	eventually(t, "the bad sink's pause in the log", func() bool { return strings.Contains(p.log.String(), "delivery is paused") })
	p.signal()
	eventually(t, "the begin of the stop in the log", func() bool { return strings.Contains(p.log.String(), "stopping") })
	p.signal()
	if code := p.wait(); code != exitFailed {
		t.Errorf("exit code %d after a second signal, want %d", code, exitFailed)
	}

	// What the bad sink missed is in the journal: it is delivered once the path
	// is free, and the good sink gets nothing twice.
	if err := os.Remove(filepath.Join(dir, "in-the-way")); err != nil {
		t.Fatal(err)
	}
	p = start(t, "run", "--config", config)
	eventually(t, "the bad sink to catch up", func() bool {
		good, bad := countNewlines(t, filepath.Join(dir, "good")), countNewlines(t, filepath.Join(dir, "in-the-way"))
		return bad > 0 && bad >= good
	})
	if code := p.stop(); code != exitDone {
		t.Errorf("exit code %d after SIGTERM, want %d", code, exitDone)
	}
	good, bad := readLines(t, filepath.Join(dir, "good")), readLines(t, filepath.Join(dir, "in-the-way"))
	for _, lines := range []map[string]int{good, bad} {
		for _, n := range lines {
			if n != 1 {
				t.Fatal("a line stands in a sink's files twice")
			}
		}
	}
	if len(good) != len(bad) {
		t.Errorf("%d events in one sink and %d in the other after an orderly stop", len(good), len(bad))
	}
}
