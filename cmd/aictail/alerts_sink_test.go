package main

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"aictail/sinks/splunkhec/hectest"
	"aictail/tailer/simulator"
)

// hec returns the configuration of a Splunk sink.
func hec(url, token, more string) string {
	return fmt.Sprintf("siem: {type: splunk_hec, url: '%s', token: %s%s}", url, token, more)
}

func newHEC(t *testing.T, o hectest.Options) *hectest.Server {
	t.Helper()
	server := hectest.New(o)
	t.Cleanup(server.Close)
	return server
}

// TestAlertSinkPaused: AictailSinkPaused, and the right token.
func TestAlertSinkPaused(t *testing.T) {
	t.Parallel()
	server := newHEC(t, hectest.Options{})
	s := newScene(t, simulator.Options{})
	s.configure(settings{sink: hec(server.URL(), "revoked", "")})
	s.run()
	s.until("is 1", equals(1), "aictail_sink_paused", `sink="siem"`)
	s.until("counts", above(0), "aictail_sink_errors_total", `sink="siem"`, `kind="refused"`)
	s.ready("failed: sink siem: ")

	s.configure(settings{sink: hec(server.URL(), "token", "")})
	s.reload()
	s.until("counts", above(0), "aictail_sink_events_total", `sink="siem"`)
	s.until("is 0", equals(0), "aictail_sink_paused", `sink="siem"`)
	s.ready("ok: sink siem")
}

// TestAlertSinkFailing: AictailSinkFailing and AictailSinkBehind. Nothing listens
// where the sink should be, and hours of events wait for it.
func TestAlertSinkFailing(t *testing.T) {
	t.Parallel()
	s := newScene(t, simulator.Options{})
	s.tenant.Generate(2000)
	address := freeAddress(t)
	s.configure(settings{start: "2h", sink: hec("http://"+address, "token", "")})
	s.run()
	s.until("counts three", above(2), "aictail_sink_errors_total", `sink="siem"`, `kind="retry"`)
	s.until("counts nothing", equals(0), "aictail_sink_events_total", `sink="siem"`)
	s.until("is 0", equals(0), "aictail_sink_paused", `sink="siem"`)
	eventually(t, "a journal that is ahead of the sink", func() bool {
		until, _ := s.value("aictail_complete_until_timestamp_seconds", `source="am-access"`)
		sink, _ := s.value("aictail_sink_complete_until_timestamp_seconds", `sink="siem"`)
		return until-sink > 300 // also if it is not known until when the sink is complete
	})
	s.ready("failed: sink siem: ")

	server := newHEC(t, hectest.Options{})
	s.configure(settings{start: "2h", sink: hec(server.URL(), "token", "")})
	s.reload()
	s.until("counts", above(0), "aictail_sink_events_total", `sink="siem"`)
	eventually(t, "a sink that follows the journal", func() bool {
		sink, found := s.value("aictail_sink_complete_until_timestamp_seconds", `sink="siem"`)
		return found && time.Since(time.Unix(int64(sink), 0)) < 5*time.Minute
	})
}

// TestAlertDeadLetters: AictailDeadLettersArriving, AictailDeadLettersWaiting and
// AictailDeadLetterStoreFilling, up to the pause of the sink.
func TestAlertDeadLetters(t *testing.T) {
	t.Parallel()
	server := newHEC(t, hectest.Options{})
	fault := server.Inject(hectest.Fault{Service: hectest.Collect, Times: -1, Status: 400, Body: `{"text":"Invalid data format","code":6,"invalid-event-number":0}`})
	s := newScene(t, simulator.Options{})
	s.tenant.Generate(4000)
	s.configure(settings{sources: "am-access, am-core, idm-access, idm-activity", start: "1h", sink: hec(server.URL(), "token", ", dead_letters: {max_size: 1MiB}")})
	s.run()
	s.until("counts", above(0), "aictail_dead_letters_total", `sink="siem"`, `reason="rejected"`)
	s.until("is over 0", above(0), "aictail_dead_letters", `sink="siem"`)
	eventually(t, "a store that is filling", func() bool {
		is, _ := s.value("aictail_dead_letter_bytes", `sink="siem"`)
		most, _ := s.value("aictail_dead_letter_max_bytes", `sink="siem"`)
		return most == 1<<20 && is/most > 0.8
	})
	s.until("is 1", equals(1), "aictail_sink_paused", `sink="siem"`)

	// Events of the batch at hand that were refused already go to the store first: one
	// replay may not be enough.
	fault.Heal()
	eventually(t, "an empty store and a sink that goes on", func() bool {
		replay := exec.Command(s.p.cmd.Path, "deadletter", "replay", "--config", s.path, "--sink", "siem")
		replay.Env = append(replay.Environ(), asAictail+"=1")
		out, err := replay.CombinedOutput()
		if err != nil && !strings.Contains(string(out), "no dead letters") {
			t.Fatalf("replay: %v\n%s", err, out)
		}
		letters, _ := s.value("aictail_dead_letters", `sink="siem"`)
		paused, _ := s.value("aictail_sink_paused", `sink="siem"`)
		return letters == 0 && paused == 0
	})
}
