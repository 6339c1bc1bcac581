package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"aictail/tailer/simulator"
)

// TestReload changes sources, sinks and the filter of a running daemon. Every event
// is in the sinks once; an invalid configuration changes nothing.
func TestReload(t *testing.T) {
	t.Parallel()
	tenant, url, quiet := crashTenant(t, 7)
	dir := t.TempDir()
	path := filepath.Join(dir, "aictail.yaml")
	write := func(sources, more string) {
		writeFile(t, path, fmt.Sprintf(`
data_dir: %[1]s/data
log: {format: console, level: info}
admin: {listen: 127.0.0.1:0}
tenants:
  prod: {url: %[2]s, api_key: key, api_secret: hush-4711, sources: [%[3]s], start: 15s, poll: {min_interval: 100ms, max_interval: 1s}, sweep: {settle: 5s}}
filter: {redact: [{preset: "off"}]}
sinks:
  first: {type: file, path: "%[1]s/first/{source}.ndjson"}
%[4]s
`, dir, url, sources, more))
	}
	there := func(file string) bool { return len(readFiles(t, filepath.Join(dir, file))) > 0 }
	all := strings.Join(crashSources, ",")

	write("am-access", "")
	p := start(t, "run", "--config", path)
	hangup := func(want string) {
		t.Helper()
		before := strings.Count(p.log.String(), want)
		if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		eventually(t, want, func() bool { return strings.Count(p.log.String(), want) > before })
	}
	eventually(t, "events of the first source", func() bool { return there("first") })
	hangup("the configuration has not changed")

	// A misspelt key, a filter that cannot be built, another data_dir: nothing happens.
	write("am-access", "journall: {}")
	hangup("journall")
	write("am-access", "  odd: {type: file, path: x, where: '/payload eq'}")
	hangup("goes on with the old one")

	// Another sink and all sources.
	write("am-access,am-core,"+strings.Join(crashSources[1:4], ","), "  second: {type: file, path: \""+dir+"/second/{source}.ndjson\"}")
	hangup("the configuration has been reloaded")
	eventually(t, "events in the second sink", func() bool { return there("second") })
	// The entries grouped anew, and the rest of the sources.
	write(all, "  second: {type: file, path: \""+dir+"/second/{source}.ndjson\"}")
	hangup("the configuration has been reloaded")
	// Without the second sink.
	write(all, "")
	hangup("the configuration has been reloaded")

	quiet()
	eventually(t, "every event in the first sink", func() bool {
		lines := readLines(t, filepath.Join(dir, "first"))
		missing, _ := compareSources(tenant, lines, "am-access")
		return missing == 0
	})
	if code := p.stop(); code != exitDone {
		t.Errorf("exit code %d", code)
	}
	missing, surplus := compareSources(tenant, readLines(t, filepath.Join(dir, "first")), "am-access")
	if missing > 0 || surplus > 0 {
		t.Errorf("am-access: %d events missing, %d too many", missing, surplus)
	}
	for line, n := range readLines(t, filepath.Join(dir, "first")) {
		if n > 1 {
			t.Errorf("%d times: %.100s", n, line)
			break
		}
	}
	log := p.log.String()
	for _, want := range []string{"sinks.second: added", "sinks.second: removed", "tenants.prod.sources"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log does not say %q", want)
		}
	}
	if strings.Contains(log, "hush-4711") {
		t.Error("a secret is in the log")
	}
}

// compareSources is compare for the JSON entries of one source.
func compareSources(tenant *simulator.Tenant, lines map[string]int, source string) (missing, surplus int) {
	held := map[string]bool{}
	for _, r := range tenant.Ledger() {
		if r.Source == source && r.Payload[0] == '{' {
			held[string(r.Raw)] = true
		}
	}
	for line := range lines {
		if strings.Contains(line, `"source":"`+source+`"`) && !held[line] {
			surplus++
		}
	}
	for raw := range held {
		if lines[raw] == 0 {
			missing++
		}
	}
	return missing, surplus
}
