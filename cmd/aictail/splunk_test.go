package main

import (
	"fmt"
	"testing"
	"time"

	"aictail/sinks/splunkhec/hectest"
)

// TestSplunk runs the daemon with two Splunk servers that fail once each, one of
// them with acknowledgement, and kills it. In the end both must have every event of
// the tenant.
func TestSplunk(t *testing.T) {
	t.Parallel()
	tenant, url, quiet := crashTenant(t, 7)
	plain := hectest.New(hectest.Options{})
	t.Cleanup(plain.Close)
	acknowledged := hectest.New(hectest.Options{Acknowledge: true, Sticky: true, PollsBefore: 1})
	t.Cleanup(acknowledged.Close)
	cut := plain.Inject(hectest.Fault{Service: hectest.Collect, Skip: 2, Cut: true, Index: true})
	busy := acknowledged.Inject(hectest.Fault{Service: hectest.Collect, Skip: 1, Status: 503, Body: `{"text":"Server is busy","code":9}`})

	config := loadConfig(t, t.TempDir(), url, "127.0.0.1:0", fmt.Sprintf(`
  plain: {type: splunk_hec, url: %q, token: token}
  acknowledged: {type: splunk_hec, url: %q, token: token, acknowledge: true}
`, plain.URL(), acknowledged.URL()))

	p := start(t, "run", "--config", config)
	eventually(t, "both faults", func() bool { return cut.Fired() > 0 && busy.Fired() > 0 })
	p.kill()
	if err := tenant.FaultShare(0); err != nil {
		t.Fatal(err)
	}
	quiet()
	p = start(t, "run", "--config", config)
	for name, server := range map[string]*hectest.Server{"plain": plain, "acknowledged": acknowledged} {
		lines := map[string]int{}
		eventually(t, "every event in "+name, func() bool {
			for _, e := range server.Events() {
				lines[string(e.Raw)] = 1 // however often
			}
			missing, _ := compare(tenant, lines)
			if missing > 0 {
				time.Sleep(time.Second) // comparing takes the CPU that the daemon needs
			}
			return missing == 0
		})
		if _, surplus := compare(tenant, lines); surplus > 0 {
			t.Errorf("%s has %d events that the tenant has not", name, surplus)
		}
		t.Logf("%s: %d different events, %d arrived", name, len(lines), len(server.Events()))
	}
	if code := p.stop(); code != exitDone {
		t.Errorf("exit code %d after SIGTERM, want %d", code, exitDone)
	}
}
