package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"aictail/checkpoint"
	"aictail/tailer/simulator"
)

// rangeFails has the tenant answer every range query with 500.
func rangeFails(s *scene) *simulator.Injection {
	s.t.Helper()
	fault, err := s.tenant.Inject(simulator.Fault{Effect: simulator.Status, Status: 500, Endpoint: simulator.Range, Times: -1})
	if err != nil {
		s.t.Fatal(err)
	}
	return fault
}

// TestAlertBehind: AictailBehind. The tail goes on; the sweep cannot.
func TestAlertBehind(t *testing.T) {
	t.Parallel()
	s := newScene(t, simulator.Options{})
	fault := rangeFails(s)
	s.configure(settings{start: "1h"})
	s.run()
	s.until("counts", above(0), "aictail_events_received_total", `via="tail"`)
	eventually(t, "a time that is not complete", func() bool {
		return s.age("aictail_complete_until_timestamp_seconds") > 10*time.Minute
	})
	s.until("is an hour", above(3500), "aictail_sweep_behind_seconds", `source="am-access"`)
	s.lasts(25, "AictailBehind")

	if out := s.aictail("coverage"); strings.Count(out, "  gap ") != 2 {
		t.Errorf("aictail coverage does not name the gap of both sources:\n%s", out)
	}
	if line := s.logged("sweeping fails"); !strings.Contains(line, "500") {
		t.Errorf("the log does not have the tenant's answer: %s", line)
	}
	// What makes room, and the tenant that is well again.
	s.configure(settings{start: "1h", tenant: `source_options: {am-core: {sweep: {mode: gaps}}}`})
	s.reload()
	fault.Remove()
	s.complete()
	s.lasts(20)
}

// missed leaves the state of a daemon that has been down for all the time since the
// given one but for an hour.
func (s *scene) missed(since time.Duration) {
	s.t.Helper()
	begin := time.Now().Add(-since).UTC()
	state, err := checkpoint.Open(filepath.Join(s.dir, "data"))
	if err != nil {
		s.t.Fatal(err)
	}
	saved := fmt.Sprintf(`{"v":1,"start":%q,"coverage":[[%q,%q]]}`, begin.Format(time.RFC3339),
		begin.Format(time.RFC3339), begin.Add(time.Hour).Format(time.RFC3339))
	err = errors.Join(state.SaveStreams(map[string][]byte{"sweep/prod/am-access": []byte(saved)}, 1), state.Close())
	if err != nil {
		s.t.Fatal(err)
	}
}

const day = 24 * time.Hour

// TestAlertTimeLost: AictailTimeLost and AictailRetentionNears. The daemon was down
// for so long that ten days have left the tenant.
func TestAlertTimeLost(t *testing.T) {
	t.Parallel()
	s := newScene(t, simulator.Options{})
	s.configure(settings{sources: "am-access"})
	s.missed(40 * day)
	fault := rangeFails(s)
	s.run()
	s.until("counts ten days", above(9*24*3600), "aictail_lost_seconds_total", `source="am-access"`)
	eventually(t, "a gap at the end of the 30 days", func() bool {
		return s.age("aictail_oldest_missing_timestamp_seconds") > 30*day-5*time.Hour
	})
	s.lasts(20, "AictailRetentionNears", "AictailTimeLost") // not AictailBehind: nothing is complete at all

	lost := s.logged("entries of this time are lost")
	from, to := inLog(t, lost, "from"), inLog(t, lost, "to")
	for _, bound := range []string{from, to} {
		if _, err := time.Parse(time.RFC3339, bound); err != nil {
			t.Errorf("the log does not have the bounds: %s", lost)
		}
	}
	fault.Remove()
	s.complete()
	eventually(t, "no gap", func() bool {
		age := s.age("aictail_oldest_missing_timestamp_seconds")
		return age > 0 && age < 5*time.Minute
	})
	s.lasts(70)
}

// TestAlertRetentionNears: AictailRetentionNears, for a gap that is less than three
// days from being lost and that nothing fetches.
func TestAlertRetentionNears(t *testing.T) {
	t.Parallel()
	s := newScene(t, simulator.Options{})
	s.configure(settings{sources: "am-access"})
	s.missed(28 * day)
	oldest := simulator.Entry{Source: "am-access", Payload: []byte(`{"_id":"oldest-1"}`), Time: time.Now().Add(-27 * day)}
	if err := s.tenant.Add(oldest); err != nil {
		t.Fatal(err)
	}
	fault := rangeFails(s)
	s.run()
	eventually(t, "a gap that nears the end of the 30 days", func() bool {
		return s.age("aictail_oldest_missing_timestamp_seconds") > 27*day
	})
	s.lasts(80, "AictailBehind", "AictailRetentionNears")

	// Make room.
	s.configure(settings{sources: "am-access", tenant: `source_options: {am-access: {sweep: {mode: gaps}}}`})
	s.reload()
	// Save the oldest part by hand, with the bounds that aictail coverage names.
	out := s.aictail("coverage")
	gap := regexp.MustCompile(`gap +(\S+) (\S+) to (\S+) (\S+) UTC`).FindStringSubmatch(out)
	if gap == nil {
		t.Fatalf("aictail coverage names no gap:\n%s", out)
	}
	begin, err := time.Parse(time.DateTime, gap[1]+" "+gap[2])
	if err != nil {
		t.Fatal(err)
	}
	fault.Remove() // of a tenant that is down nobody can save anything
	if saved := s.byHand("am-access", begin, begin.Add(day)); !strings.Contains(saved, "oldest-1") {
		t.Errorf("the first day of the gap does not have its entry: %s", saved)
	}
	s.complete()
	s.until("is 30 days from now", func(v float64) bool { return time.Since(time.Unix(int64(v), 0)) < time.Hour },
		"aictail_oldest_missing_timestamp_seconds")
	s.lasts(20)
}

// byHand asks the tenant as the runbook says.
func (s *scene) byHand(source string, begin, end time.Time) string {
	s.t.Helper()
	query := url.Values{"source": {source}, "_pageSize": {"1000"},
		"beginTime": {begin.UTC().Format(time.RFC3339Nano)}, "endTime": {end.UTC().Format(time.RFC3339Nano)}}
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.url+"/monitoring/logs?"+query.Encode(), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("X-Api-Key", "key")
	req.Header.Set("X-Api-Secret", "secret")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		s.t.Fatalf("by hand: status %d, %v: %s", res.StatusCode, err, b)
	}
	return string(b)
}

// TestAlertLateArrivals: AictailLateArrivals. Entries appear up to 12 s late, and one so
// late that nothing finds it.
func TestAlertLateArrivals(t *testing.T) {
	t.Parallel()
	s := newScene(t, simulator.Options{Rate: 50})
	s.configure(settings{start: "1h"})
	s.well()
	s.lasts(60)
	at := time.Now().Add(-20 * time.Minute)
	add := func(id string, e simulator.Entry) {
		e.Source, e.Payload = "am-access", fmt.Appendf(nil, `{"_id":%q}`, id)
		if err := s.tenant.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	add("missed-1", simulator.Entry{Time: at})
	late := 0
	eventually(t, "late arrivals", func() bool {
		n, _ := s.value("aictail_late_arrival_seconds_count", `tenant="prod"`)
		late++
		add(fmt.Sprintf("late-%d", late), simulator.Entry{Time: time.Now().Add(-8 * time.Second)})
		return n >= 5
	})
	s.lasts(10, "AictailLateArrivals")

	recommended := inLog(t, s.logged("raise sweep.settle of this source"), "recommended")
	s.configure(settings{start: "1h", sweep: "{settle: " + recommended + "}"})
	s.reload()
	before := readLines(t, filepath.Join(s.dir, "out"))
	if out := s.aictail("backfill", "--tenant", "prod", "--source", "am-access", "--again",
		"--begin", at.Add(-10*time.Minute).UTC().Format(time.RFC3339), "--end", time.Now().UTC().Format(time.RFC3339)); !strings.Contains(out, "the running daemon fetches it") {
		t.Errorf("aictail backfill --again:\n%s", out)
	}
	var after map[string]int
	eventually(t, "the entry that was missed", func() bool {
		after = readLines(t, filepath.Join(s.dir, "out"))
		return strings.Contains(fmt.Sprint(after), `"missed-1"`)
	})
	s.complete()
	if strings.Contains(fmt.Sprint(before), `"missed-1"`) {
		t.Error("the sweep had found what nobody was to find")
	}
	s.once()
	s.until("is 0", equals(0), "aictail_late_arrival_seconds_count", `tenant="prod"`)
	s.lasts(61)
}

// TestAlertTailGaps: AictailTailGaps. More entries than the tail returns, of a source
// that is not swept.
func TestAlertTailGaps(t *testing.T) {
	t.Parallel()
	s := newScene(t, simulator.Options{Sources: []string{"am-access"}, TailSkips: true})
	s.configure(settings{sources: "am-access", sweep: "{mode: 'off'}"})
	s.run()
	s.until("counts", above(0), "aictail_events_received_total", `source="am-access"`)
	s.lasts(60)
	s.tenant.Generate(40_000)
	there := len(s.tenant.Events())
	s.until("counts", above(0), "aictail_gaps_total", `source="am-access"`, `reason="page_full"`)
	if _, found := s.value("aictail_sweep_behind_seconds"); found {
		t.Error("what is not swept has a metric of the sweep: the alert would not fire")
	}
	s.lasts(5, "AictailTailGaps")

	gap := s.logged("the tail may have left out entries, and the sweep is off")
	s.configure(settings{sources: "am-access", sweep: "{mode: gaps, settle: 5s}"})
	s.reload()
	s.aictail("backfill", "--tenant", "prod", "--source", "am-access", "--begin", inLog(t, gap, "from"), "--end", inLog(t, gap, "to"))
	eventually(t, "every event in the sink", func() bool { return countNewlines(t, filepath.Join(s.dir, "out")) >= there })
	s.complete()
	s.once()
	s.lasts(5)
}

// once checks that no event is in the sink's files twice.
func (s *scene) once() {
	s.t.Helper()
	for line, n := range readLines(s.t, filepath.Join(s.dir, "out")) {
		if n > 1 {
			s.t.Fatalf("delivered %d times: %s", n, line)
		}
	}
}
