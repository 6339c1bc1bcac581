package main

import (
	"regexp"
	"strings"
	"testing"

	"aictail/tailer/simulator"
)

// TestAlertDown: AictailDown. It is killed, and then does not start for a mistake in
// the configuration.
func TestAlertDown(t *testing.T) {
	t.Parallel()
	s := newScene(t, simulator.Options{})
	s.configure(settings{})
	s.well()
	s.lasts(60)
	s.p.kill()
	if body, status := get("http://" + s.admin + "/healthz"); status != 0 {
		t.Errorf("a dead daemon answers: %s", body)
	}
	s.lasts(10, "AictailDown")
	// Without a daemon, coverage reads data_dir.
	if out := s.aictail("coverage"); !untilAgo.MatchString(out) {
		t.Errorf("aictail coverage without a daemon:\n%s", out)
	}

	s.configure(settings{more: "jornal: {max_size: 1}"})
	p := start(t, "run", "--config", s.path)
	if code := p.wait(); code != exitUsage {
		t.Errorf("exit code %d for a configuration that is wrong, want %d", code, exitUsage)
	}
	if out, err := s.try("validate"); err == nil || !regexp.MustCompile(`jornal: unknown key; did you mean .*journal`).MatchString(out) {
		t.Errorf("aictail validate: %v\n%s", err, out)
	}
	s.configure(settings{})
	s.well()
	if body, status := get("http://" + s.admin + "/healthz"); status != 200 {
		t.Errorf("/healthz: %d %s", status, body)
	}
	s.once()
	s.lasts(5)
}

// TestAlertAbsent: AictailAbsent. The scrape job was renamed, and gets its name back.
func TestAlertAbsent(t *testing.T) {
	t.Parallel()
	s := newScene(t, simulator.Options{})
	s.configure(settings{})
	s.well()
	s.lasts(60)
	s.history.job = "aictail-prod"
	s.lasts(10, "AictailAbsent")
	s.history.job = ""
	s.lasts(5)
}

// TestAlertRestarting: AictailRestarting. It ends by itself, and in the middle.
func TestAlertRestarting(t *testing.T) {
	t.Parallel()
	s := newScene(t, simulator.Options{})
	s.configure(settings{})
	s.well()
	s.lasts(60)
	for _, end := range []func(){s.p.kill, func() { s.p.stop() }, func() { s.p.kill() }} {
		before := s.p
		end()
		log := before.log.String()
		if stopped := strings.Contains(log, `"msg":"stopping`); stopped != (before.cmd.ProcessState.ExitCode() == exitDone) {
			t.Errorf("the log does not tell whether it stopped by itself:\n%s", tail(log))
		}
		s.run()
		s.lasts(3)
		s.history.undecided()
	}
	s.lasts(1, "AictailRestarting")
	s.complete()
	s.once()
	s.lasts(31)
}
