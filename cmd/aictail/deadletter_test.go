package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"aictail/sinks/splunkhec/hectest"
)

// TestDeadLetters runs the daemon with a Splunk that takes no event, mends that, and
// has the dead letters sent again. In the end Splunk has every event once.
func TestDeadLetters(t *testing.T) {
	server := hectest.New(hectest.Options{})
	t.Cleanup(server.Close)
	blank := server.Inject(hectest.Fault{
		Service: hectest.Collect, Times: -1, Status: 400, Body: `{"text":"Event field cannot be blank","code":13,"invalid-event-number":0}`,
	})
	dir := t.TempDir()
	var entries strings.Builder
	for i := range 20 {
		fmt.Fprintf(&entries, `{"payload":{"_id":"1d7bb2fd-0000-4000-8000-000000000001-%d"},"timestamp":"2026-01-01T00:00:00Z","type":"application/json","source":"am-config"}`+"\n", i)
	}
	writeFile(t, filepath.Join(dir, "entries.ndjson"), entries.String())
	tenant, admin := freeAddress(t), freeAddress(t)
	start(t, "simulate", "--listen", tenant, "--rate", "0", "--show-last", "--replay", filepath.Join(dir, "entries.ndjson"))
	eventually(t, "the tenant", func() bool { _, status := get("http://" + tenant + "/monitoring/health"); return status == 200 })

	config := filepath.Join(dir, "aictail.yaml")
	writeFile(t, config, fmt.Sprintf(`
data_dir: %s
admin: {listen: %q}
tenants: {prod: {url: "http://%s", api_key: x, api_secret: y, sources: [am-config]}}
sinks: {siem: {type: splunk_hec, url: %q, token: token}}
`, filepath.Join(dir, "data"), admin, tenant, server.URL()))
	p := start(t, "run", "--config", config)
	metric := func(text string) func() bool {
		return func() bool { body, _ := get("http://" + admin + "/metrics"); return strings.Contains(body, text+"\n") }
	}
	eventually(t, "twenty dead letters", metric(`aictail_dead_letters{sink="siem"} 20`))
	eventually(t, "readiness in spite of them", func() bool { _, status := get("http://" + admin + "/readyz"); return status == 200 })

	run := func(args ...string) string {
		t.Helper()
		q := start(t, append(args, "--config", config, "--sink", "siem")...)
		if code := q.wait(); code != exitDone {
			t.Errorf("%v: exit code %d:\n%s", args, code, q.log)
		}
		return q.log.String()
	}
	if out := run("deadletter", "list"); !strings.Contains(out, "HEC code 13") || !strings.Contains(out, "20 rejected") {
		t.Errorf("deadletter list:\n%s", out)
	}
	if out := run("deadletter", "replay"); !strings.Contains(out, "0 accepted, 20 refused again") {
		t.Errorf("deadletter replay before the cause is mended:\n%s", out)
	}
	blank.Heal()
	if out := run("deadletter", "replay"); !strings.Contains(out, "20 accepted, 0 refused again") {
		t.Errorf("deadletter replay:\n%s", out)
	}
	ids := map[string]int{}
	for _, e := range server.Events() {
		ids[e.Fields["id"]]++
	}
	if len(ids) != 20 || len(server.Events()) != 20 {
		t.Errorf("Splunk has %d events, %d different ones; want 20", len(server.Events()), len(ids))
	}
	if !metric(`aictail_dead_letters{sink="siem"} 0`)() || !metric(`aictail_sink_events_total{sink="siem"} 20`)() {
		t.Error("the metrics do not tell")
	}
	if code := p.stop(); code != exitDone {
		t.Errorf("exit code %d after SIGTERM, want %d", code, exitDone)
	}
	if strings.Contains(p.log.String(), "1d7bb2fd") {
		t.Error("the log shows event content")
	}
}
