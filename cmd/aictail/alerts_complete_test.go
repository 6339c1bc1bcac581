package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aictail/checkpoint"
	"aictail/tailer/simulator"
)

// TestAlertBehind: AictailBehind. The tail goes on; the sweep cannot.
func TestAlertBehind(t *testing.T) {
	t.Parallel()
	s := newScene(t, simulator.Options{})
	fault, err := s.tenant.Inject(simulator.Fault{Effect: simulator.Status, Status: 500, Endpoint: simulator.Range, Times: -1})
	if err != nil {
		t.Fatal(err)
	}
	s.configure(settings{start: "1h"})
	s.run()
	s.until("counts", above(0), "aictail_events_received_total", `via="tail"`)
	eventually(t, "a time that is not complete", func() bool {
		return s.age("aictail_complete_until_timestamp_seconds") > 10*time.Minute
	})
	s.until("is an hour", above(3500), "aictail_sweep_behind_seconds", `source="am-access"`)

	fault.Remove()
	eventually(t, "the sweep to catch up", func() bool {
		age := s.age("aictail_complete_until_timestamp_seconds")
		return age > 0 && age < 5*time.Minute
	})
}

// TestAlertTimeLost: AictailTimeLost and AictailRetentionNears. The daemon was down
// for so long that ten days have left the tenant.
func TestAlertTimeLost(t *testing.T) {
	t.Parallel()
	s := newScene(t, simulator.Options{})
	s.configure(settings{sources: "am-access"})
	begin := time.Now().Add(-40 * 24 * time.Hour).UTC()
	state, err := checkpoint.Open(filepath.Join(s.dir, "data"))
	if err != nil {
		t.Fatal(err)
	}
	saved := fmt.Sprintf(`{"v":1,"start":%q,"coverage":[[%q,%q]]}`, begin.Format(time.RFC3339),
		begin.Format(time.RFC3339), begin.Add(time.Hour).Format(time.RFC3339))
	err = errors.Join(state.SaveStreams(map[string][]byte{"sweep/prod/am-access": []byte(saved)}, 1), state.Close())
	if err != nil {
		t.Fatal(err)
	}
	fault, err := s.tenant.Inject(simulator.Fault{Effect: simulator.Status, Status: 500, Endpoint: simulator.Range, Times: -1})
	if err != nil {
		t.Fatal(err)
	}
	s.run()
	s.until("counts ten days", above(9*24*3600), "aictail_lost_seconds_total", `source="am-access"`)
	const month = 30 * 24 * time.Hour
	eventually(t, "a gap at the end of the 30 days", func() bool {
		age := s.age("aictail_oldest_missing_timestamp_seconds")
		return age > month-5*time.Hour
	})

	fault.Remove()
	eventually(t, "no gap", func() bool {
		age := s.age("aictail_oldest_missing_timestamp_seconds")
		return age > 0 && age < 5*time.Minute
	})
}

// TestAlertLateArrivals: AictailLateArrivals. Entries appear up to 12 s late.
func TestAlertLateArrivals(t *testing.T) {
	t.Parallel()
	s := newScene(t, simulator.Options{Rate: 100, LateShare: 0.3, LateBy: 12 * time.Second})
	s.configure(settings{})
	s.run()
	s.until("counts five", above(4), "aictail_late_arrival_seconds_count", `tenant="prod"`)
}

// TestAlertTailGaps: AictailTailGaps. More entries than the tail returns, of a source
// that is not swept.
func TestAlertTailGaps(t *testing.T) {
	t.Parallel()
	s := newScene(t, simulator.Options{Sources: []string{"am-access"}})
	s.tenant.Generate(40_000) // in the last minutes
	s.configure(settings{sources: "am-access", sweep: "{mode: 'off'}"})
	s.run()
	s.until("counts", above(0), "aictail_gaps_total", `source="am-access"`, `reason="page_full"`)
	if _, found := s.value("aictail_sweep_behind_seconds"); found {
		t.Error("what is not swept has a metric of the sweep: the alert would not fire")
	}

	s.configure(settings{sources: "am-access"}) // the remedy
	s.reload()
	s.until("is there", above(-1), "aictail_sweep_behind_seconds", `source="am-access"`)
}

// TestAlertQuarantined: AictailQuarantined. An event is nested deeper than the filter
// follows.
func TestAlertQuarantined(t *testing.T) {
	t.Parallel()
	s := newScene(t, simulator.Options{})
	file := filepath.Join(s.dir, "am-access.log")
	const depth = 700
	writeFile(t, file, fmt.Sprintf(`{"payload":{"_id":"deep-1","a":%s%s},"timestamp":"2026-01-01T00:00:00Z","type":"application/json","source":"am-access"}`+"\n",
		strings.Repeat("[", depth), strings.Repeat("]", depth)))
	if err := s.tenant.Replay(file); err != nil {
		t.Fatal(err)
	}
	s.configure(settings{})
	s.run()
	s.until("counts", above(0), "aictail_events_quarantined_total", `reason="too_deep"`)
}

// TestAlertJournalDamaged: AictailJournalDamaged. Bytes of a segment change while the
// daemon is down.
func TestAlertJournalDamaged(t *testing.T) {
	t.Parallel()
	s := newScene(t, simulator.Options{Rate: 200})
	s.configure(settings{})
	s.run()
	s.until("counts", above(1000), "aictail_events_received_total")
	started, _ := s.value("process_start_time_seconds")
	s.p.kill()
	if body, status := get("http://" + s.admin + "/metrics"); status != 0 { // AictailDown
		t.Errorf("a dead daemon answers: %s", body)
	}
	segments, err := filepath.Glob(filepath.Join(s.dir, "data", "journal", "*.log"))
	if err != nil || len(segments) == 0 {
		t.Fatalf("no segments: %v", err)
	}
	b, err := os.ReadFile(segments[0])
	if err != nil {
		t.Fatal(err)
	}
	copy(b[100_000:], "damage")
	if err := os.WriteFile(segments[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
	s.run()
	s.until("counts", above(0), "aictail_journal_damaged_records_total")
	s.until("has changed", above(started), "process_start_time_seconds") // AictailRestarting
	s.ready("ok: journal")
}
