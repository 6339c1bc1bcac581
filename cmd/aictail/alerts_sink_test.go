package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
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
	s.configure(settings{sink: hec(server.URL(), "token", "")})
	s.well()
	s.lasts(60)
	server.Set(func(o *hectest.Options) { o.Token = "another" })
	s.until("is 1", equals(1), "aictail_sink_paused", `sink="siem"`)
	s.until("counts", above(0), "aictail_sink_errors_total", `sink="siem"`, `kind="refused"`)
	s.lasts(5, "AictailSinkPaused")

	s.ready("failed: sink siem: ")
	s.ready("check token")
	s.logged("delivery is paused")
	s.configure(settings{sink: hec(server.URL(), "another", "")})
	s.reload()
	s.until("counts", above(0), "aictail_sink_events_total", `sink="siem"`)
	s.until("is 0", equals(0), "aictail_sink_paused", `sink="siem"`)
	s.ready("ok: sink siem")
	s.complete()
	s.lasts(5)
}

// TestAlertSinkFailing: AictailSinkFailing, with AictailSinkBehind. Nothing listens
// where the sink should be, and hours of events wait for it.
func TestAlertSinkFailing(t *testing.T) {
	t.Parallel()
	s := newScene(t, simulator.Options{})
	s.hourOld(1000)
	address := freeAddress(t)
	s.configure(settings{start: "2h", sink: hec("http://"+address, "token", "")})
	s.run()
	eventually(t, "a journal that is ahead of the sink", func() bool {
		until, _ := s.value("aictail_complete_until_timestamp_seconds", `source="am-access"`)
		sink, _ := s.value("aictail_sink_complete_until_timestamp_seconds", `sink="siem"`)
		return until-sink > 300 // also if it is not known until when the sink is complete
	})
	s.until("is small", func(v float64) bool { return v < 60 }, "aictail_sweep_behind_seconds", `source="am-access"`)
	s.until("is old", above(300), "aictail_sink_lag_seconds", `sink="siem"`)
	s.lasts(2)
	s.grows(3, "aictail_sink_errors_total", `sink="siem"`, `kind="retry"`)
	s.until("counts nothing", equals(0), "aictail_sink_events_total", `sink="siem"`)
	s.until("is 0", equals(0), "aictail_sink_paused", `sink="siem"`)
	s.lasts(8, "AictailSinkBehind", "AictailSinkFailing")

	s.ready("failed: sink siem: ")
	health := "http://" + address + "/services/collector/health"
	s.refused("delivery fails", health)
	// More time: a larger journal, without a restart of the process.
	s.configure(settings{start: "2h", more: "journal: {max_size: 512MiB}", sink: hec("http://"+address, "token", ", batch: {max_events: 100}, timeout: 60s")})
	s.reload()
	s.until("is what was set", equals(512<<20), "aictail_journal_max_bytes")
	server := &http.Server{Addr: address, Handler: hectest.NewHandler(hectest.Options{})}
	go func() { _ = server.ListenAndServe() }()
	t.Cleanup(func() { _ = server.Close() })
	s.until("counts", above(0), "aictail_sink_events_total", `sink="siem"`)
	if _, status := get(health); status != http.StatusOK {
		t.Errorf("%s answers %d", health, status)
	}
	s.complete()
	s.lasts(15)
}

// hourOld adds events that are an hour old.
func (s *scene) hourOld(n int) {
	s.t.Helper()
	for i := range n {
		old := simulator.Entry{Source: "am-access", Payload: fmt.Appendf(nil, `{"_id":"old-%d"}`, i), Time: time.Now().Add(-time.Hour)}
		if err := s.tenant.Add(old); err != nil {
			s.t.Fatal(err)
		}
	}
}

// TestAlertSinkBehind: AictailSinkBehind alone. The sink takes events, one in a while.
func TestAlertSinkBehind(t *testing.T) {
	t.Parallel()
	server := newHEC(t, hectest.Options{})
	slow := server.Inject(hectest.Fault{Service: hectest.Collect, Times: -1, Delay: 300 * time.Millisecond})
	s := newScene(t, simulator.Options{})
	s.configure(settings{start: "2h", sink: hec(server.URL(), "token", ", batch: {max_events: 1}")})
	s.hourOld(1000)
	s.run()
	s.until("counts", above(1), "aictail_sink_events_total", `sink="siem"`)
	s.until("is small", func(v float64) bool { return v < 60 }, "aictail_sweep_behind_seconds", `source="am-access"`)
	s.until("is old", above(300), "aictail_sink_lag_seconds", `sink="siem"`)
	s.lasts(12, "AictailSinkBehind")

	s.configure(settings{start: "2h", sink: hec(server.URL(), "token", ", batch: {max_events: 2000, max_age: 1s}")})
	s.reload()
	s.complete()
	if slow.Fired() == 0 {
		t.Error("the sink was not slow")
	}
	s.lasts(10)
}

// TestAlertPossibleDuplicates: AictailPossibleDuplicates. Connections are cut after the
// events were taken.
func TestAlertPossibleDuplicates(t *testing.T) {
	t.Parallel()
	server := newHEC(t, hectest.Options{})
	s := newScene(t, simulator.Options{})
	s.configure(settings{sink: hec(server.URL(), "token", "")})
	s.well()
	s.lasts(60)
	server.Inject(hectest.Fault{Service: hectest.Collect, Cut: true, Index: true})
	s.until("counts", above(0), "aictail_sink_possible_duplicates_total", `sink="siem"`)
	s.complete()
	s.lasts(30, "AictailPossibleDuplicates")

	// The events that came again carry the id that tells them.
	times := map[string]int{}
	for _, e := range server.Events() {
		times[e.Fields["id"]]++
	}
	twice := 0
	for id, n := range times {
		if id == "" || n > 2 {
			t.Errorf("%d events with the id %q", n, id)
		}
		twice += n - 1
	}
	if counted, _ := s.value("aictail_sink_possible_duplicates_total", `sink="siem"`); twice == 0 || float64(twice) > counted {
		t.Errorf("%d events came twice, and %g are counted", twice, counted)
	}
	s.logged("delivery fails")
	s.configure(settings{sink: hec(server.URL(), "token", ", timeout: 90s")})
	s.reload()
	s.complete()
	s.lasts(61)
}

// letters runs `aictail deadletter` for the sink.
func (s *scene) letters(args ...string) string {
	s.t.Helper()
	return s.aictail(append(append([]string{"deadletter"}, args...), "--sink", "siem")...)
}

// refusingScene is a scene that was well for an hour and whose sink, with more settings,
// now refuses every event for good, until refuses is false.
func refusingScene(t *testing.T, more string) (s *scene, server *hectest.Server, refuses *atomic.Bool) {
	t.Helper()
	refuses = new(atomic.Bool)
	server = newHEC(t, hectest.Options{Unreadable: func(hectest.Event) bool { return refuses.Load() }})
	s = newScene(t, simulator.Options{})
	s.configure(settings{sink: hec(server.URL(), "token", more)})
	s.well()
	s.lasts(60)
	refuses.Store(true)
	return s, server, refuses
}

// TestAlertDeadLetters: AictailDeadLettersArriving and AictailDeadLettersWaiting.
func TestAlertDeadLetters(t *testing.T) {
	t.Parallel()
	s, _, refuses := refusingScene(t, "")
	s.until("counts", above(2), "aictail_dead_letters_total", `sink="siem"`, `reason="rejected"`)
	refuses.Store(false) // from here on the cause is mended
	s.complete()
	s.lasts(14, "AictailDeadLettersArriving")
	s.lasts(24*60, "AictailDeadLettersWaiting")

	list := s.letters("list")
	row := regexp.MustCompile(`(?m)^\S+ \S+ +(\S+) +am-\S+ +rejected +.+$`).FindStringSubmatch(list)
	if row == nil || !regexp.MustCompile(`(?m)^\d+ rejected$`).MatchString(list) {
		t.Fatalf("aictail deadletter list:\n%s", list)
	}
	if out := s.letters("show", "--id", row[1]); !strings.Contains(out, row[1]) {
		t.Errorf("aictail deadletter show:\n%s", out)
	}
	if out := s.letters("replay", "--id", row[1]); !strings.Contains(out, "1 accepted, 0 refused again") {
		t.Errorf("aictail deadletter replay of one:\n%s", out)
	}
	if out := s.letters("replay"); !strings.Contains(out, " accepted, 0 refused again") {
		t.Errorf("aictail deadletter replay of all:\n%s", out)
	}
	s.until("is 0", equals(0), "aictail_dead_letters", `sink="siem"`)
	s.lasts(5)
}

// TestAlertDeadLetterStoreFilling: AictailDeadLetterStoreFilling, up to the pause of
// the sink. The file is moved away and, later, back.
func TestAlertDeadLetterStoreFilling(t *testing.T) {
	t.Parallel()
	s, server, refuses := refusingScene(t, ", dead_letters: {max_size: 1MiB}, batch: {max_events: 50}")
	for i := range 120 { // half of them fill the store
		large := fmt.Appendf(nil, `{"_id":"large-%d","x":%q}`, i, strings.Repeat("x", 20_000))
		if err := s.tenant.Add(simulator.Entry{Source: "am-access", Payload: large}); err != nil {
			t.Fatal(err)
		}
	}
	there := s.tenant.Events()
	s.until("is 1", equals(1), "aictail_sink_paused", `sink="siem"`)
	s.until("is nearly full", above(0.8*(1<<20)), "aictail_dead_letter_bytes", `sink="siem"`)
	s.lasts(5, "AictailDeadLetterStoreFilling", "AictailDeadLettersArriving", "AictailSinkPaused")

	s.ready("its dead letters fill")
	// It cannot be mended now: more room, or the file is moved away.
	s.configure(settings{sink: hec(server.URL(), "token", ", dead_letters: {max_size: 64MiB}, batch: {max_events: 50}")})
	s.reload()
	s.until("is over 100", above(100), "aictail_dead_letters", `sink="siem"`)
	s.until("is 0", equals(0), "aictail_sink_paused", `sink="siem"`)
	file := filepath.Join(s.dir, "data", "dead-letters", "siem.ndjson")
	aside := filepath.Join(s.dir, "data", "dead-letters", "siem.1.ndjson")
	if err := os.Rename(file, aside); err != nil {
		t.Fatal(err)
	}
	refuses.Store(false) // later
	s.emptyStore()
	if err := os.Rename(aside, file); err != nil {
		t.Fatal(err)
	}
	s.letters("replay")
	s.emptyStore()
	s.complete()
	eventually(t, "every event in the sink", func() bool {
		ids := map[string]bool{}
		for _, e := range server.Events() {
			ids[e.Fields["id"]] = true
		}
		return len(ids) >= count(there, "am-access", "am-core")
	})
	s.lasts(16)
}

// count returns how many of the events are of the sources.
func count(events []simulator.Event, sources ...string) (n int) {
	for _, e := range events {
		if slices.Contains(sources, e.Source) {
			n++
		}
	}
	return n
}

// emptyStore replays until no dead letter is left: events of the batch at hand that
// were refused before go to the store first.
func (s *scene) emptyStore() {
	s.t.Helper()
	eventually(s.t, "an empty store and a sink that goes on", func() bool {
		out, err := s.try("deadletter", "replay", "--sink", "siem")
		if err != nil && !strings.Contains(out, "no dead letters") {
			s.t.Fatalf("replay: %v\n%s", err, out)
		}
		letters, _ := s.value("aictail_dead_letters", `sink="siem"`)
		paused, _ := s.value("aictail_sink_paused", `sink="siem"`)
		return letters == 0 && paused == 0
	})
}
