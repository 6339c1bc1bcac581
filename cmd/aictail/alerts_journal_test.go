package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"aictail/tailer/simulator"
)

// TestAlertJournalFull: AictailJournalFilling and AictailJournalFull. One of two sinks
// finds a file where it needs a folder.
func TestAlertJournalFull(t *testing.T) {
	t.Parallel()
	s := newScene(t, simulator.Options{Sources: []string{"am-access", "am-core"}})
	obstacle := filepath.Join(s.dir, "in-the-way")
	siem := fmt.Sprintf("siem: {type: file, path: '%s/{source}.ndjson'}", obstacle)
	archive := fmt.Sprintf("archive: {type: file, path: '%s/out/{source}.ndjson'}", s.dir)
	s.configure(settings{sink: siem, others: archive, more: "journal: {max_size: 32MiB}"})
	s.well()
	s.lasts(60)
	if err := os.RemoveAll(obstacle); err != nil {
		t.Fatal(err)
	}
	writeFile(t, obstacle, "a file where the sink needs a folder")
	s.reopen()
	s.until("is 1", equals(1), "aictail_sink_paused", `sink="siem"`)

	const most = 32 << 20
	used := func() float64 { v, _ := s.value("aictail_journal_bytes"); return v / most }
	for used() < 0.85 {
		before := used()
		s.tenant.Generate(2000)
		s.until("grows by 1 MiB", above(most*before+1<<20), "aictail_journal_bytes")
		s.lasts(3)
		s.history.undecided() // it is not half full at first
	}
	s.lasts(1, "AictailJournalFilling", "AictailSinkPaused")
	s.ready("failed: sink siem: ")

	s.tenant.Generate(10_000)
	full := s.logged("the journal is full")
	if !strings.Contains(full, `"sink":"siem"`) {
		t.Errorf("the log does not name the sink that is behind: %s", full)
	}
	s.ready("failed: journal: full")
	s.lasts(6, "AictailJournalFull", "AictailSinkPaused")
	there := s.tenant.Events()

	// The others go on at once: more room; then the sink is given up, and comes back.
	s.configure(settings{sink: siem, others: archive, more: "journal: {max_size: 256MiB}"})
	s.reload()
	s.ready("ok: journal")
	s.configure(settings{sink: archive, more: "journal: {max_size: 256MiB}"})
	s.reload()
	s.isReady()
	s.complete()
	if err := os.Remove(obstacle); err != nil {
		t.Fatal(err)
	}
	s.configure(settings{sink: siem, others: archive, more: "journal: {max_size: 256MiB}"})
	s.reload()
	s.complete()
	for _, folder := range []string{obstacle, filepath.Join(s.dir, "out")} {
		eventually(t, "every event in "+folder, func() bool { return countNewlines(t, folder) >= len(there) })
	}
	s.once()
	s.lasts(20)
}

// reopen sends a SIGHUP without a change: files are opened anew.
func (s *scene) reopen() {
	s.t.Helper()
	if err := s.p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		s.t.Fatal(err)
	}
	s.logged("files are opened anew")
}

// TestAlertJournalWriteFails: AictailJournalWriteFails. The journal's folder is gone
// when it needs a new segment, as if the disk were full.
func TestAlertJournalWriteFails(t *testing.T) {
	t.Parallel()
	s := newScene(t, simulator.Options{})
	s.configure(settings{more: "journal: {max_size: 32MiB}"})
	s.well()
	s.lasts(60)
	folder, away := filepath.Join(s.dir, "data", "journal"), filepath.Join(s.dir, "data", "away")
	if err := os.Rename(folder, away); err != nil {
		t.Fatal(err)
	}
	s.tenant.Generate(20_000) // more than a segment
	there := s.tenant.Events()
	s.until("counts", above(2), "aictail_journal_write_failures_total")
	s.lasts(5, "AictailJournalWriteFails")

	s.logged("the journal takes no events")
	s.ready("failed: tenant prod: the journal takes no events")
	if err := os.Rename(away, folder); err != nil {
		t.Fatal(err)
	}
	s.isReady() // it goes on by itself
	eventually(t, "every event in the sink", func() bool {
		return countNewlines(t, filepath.Join(s.dir, "out")) >= count(there, "am-access", "am-core")
	})
	s.complete()
	s.once()
	s.lasts(11)
}

// TestAlertDiskShort: AictailDiskShort. The journal may become larger than any disk.
func TestAlertDiskShort(t *testing.T) {
	t.Parallel()
	s := newScene(t, simulator.Options{})
	s.configure(settings{more: "journal: {max_size: 4096TiB}"})
	s.well()
	s.lasts(20, "AictailDiskShort")
	if out := s.aictail("doctor"); !strings.Contains(out, "free space there or lower journal.max_size") {
		t.Errorf("aictail doctor:\n%s", out)
	}
	s.configure(settings{})
	s.reload()
	s.complete()
	s.lasts(5)
}

// TestAlertJournalDamaged: AictailJournalDamaged. Bytes of a segment change while the
// daemon is down.
func TestAlertJournalDamaged(t *testing.T) {
	t.Parallel()
	s := newScene(t, simulator.Options{})
	s.configure(settings{})
	s.run()
	s.tenant.Generate(3000)
	// What is in the sink was durable in the journal before.
	eventually(t, "events in the sink", func() bool { return countNewlines(t, filepath.Join(s.dir, "out")) > 1000 })
	s.p.kill()
	s.damage()
	s.run()
	s.until("counts", above(0), "aictail_journal_damaged_records_total")
	s.lasts(5, "AictailJournalDamaged")
	s.ready("ok: journal")

	line := s.logged("a part of the journal is damaged")
	if kept := inLog(t, line, "kept"); filepath.Base(filepath.Dir(kept)) != "corrupt" || !exists(kept) {
		t.Errorf("the file is not kept: %s", line)
	}
	bounds := []string{"from", "to"}
	if !strings.Contains(line, `"stream":"`) { // a record's head is damaged: it is not known whose it was
		bounds = []string{"written_from", "written_to"}
	}
	for _, bound := range bounds {
		if at, err := time.Parse(time.RFC3339, inLog(t, line, bound)); err != nil || time.Since(at) > time.Hour {
			t.Errorf("the log does not have the time: %s", line)
		}
	}
	eventually(t, "aictail coverage without a gap", func() bool { return !strings.Contains(s.aictail("coverage"), "  gap ") })
	s.complete()
	s.lasts(61)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// damage changes bytes in the middle of the oldest segment.
func (s *scene) damage() {
	s.t.Helper()
	segments, err := filepath.Glob(filepath.Join(s.dir, "data", "journal", "*.log"))
	if err != nil || len(segments) == 0 {
		s.t.Fatalf("no segments: %v", err)
	}
	b, err := os.ReadFile(segments[0])
	if err != nil {
		s.t.Fatal(err)
	}
	copy(b[100_000:], "damage")
	if err := os.WriteFile(segments[0], b, 0o600); err != nil {
		s.t.Fatal(err)
	}
}
