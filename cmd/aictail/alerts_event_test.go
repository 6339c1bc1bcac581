package main

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"aictail/tailer/simulator"
)

// inSink waits for a text in the sink's files and returns the line that has it.
func (s *scene) inSink(text string) (line string) {
	s.t.Helper()
	eventually(s.t, "in the sink: "+text, func() bool {
		for l := range readLines(s.t, filepath.Join(s.dir, "out")) {
			if strings.Contains(l, text) {
				line = l
			}
		}
		return line != ""
	})
	return line
}

// TestAlertQuarantined: AictailQuarantined. An event is nested deeper than the filter
// follows.
func TestAlertQuarantined(t *testing.T) {
	t.Parallel()
	s := newScene(t, simulator.Options{})
	s.configure(settings{})
	s.well()
	s.lasts(60)
	const depth = 700
	deep := simulator.Entry{Source: "am-access", Payload: fmt.Appendf(nil, `{"_id":"deep-1","a":%s"x"%s}`, strings.Repeat("[", depth), strings.Repeat("]", depth))}
	if err := s.tenant.Add(deep); err != nil {
		t.Fatal(err)
	}
	s.until("counts", above(0), "aictail_events_quarantined_total", `reason="too_deep"`)
	s.lasts(10, "AictailQuarantined")

	line := s.inSink("aictail: withheld, could not be redacted")
	m := regexp.MustCompile(`"timestamp":"([^"]+)"`).FindStringSubmatch(line)
	if m == nil || !strings.Contains(line, `"source":"am-access"`) {
		t.Fatalf("the event in the sink has no source and time: %s", line)
	}
	at, err := time.Parse(time.RFC3339, m[1])
	if err != nil {
		t.Fatal(err)
	}
	if original := s.byHand("am-access", at.Add(-time.Second), at.Add(time.Second)); !strings.Contains(original, `"deep-1"`) {
		t.Errorf("the tenant does not return the original: %.300s", original)
	}
	s.complete()
	s.lasts(16)
}

// TestAlertEntriesWithoutTime: AictailEntriesWithoutTime. The tenant writes timestamps in
// another form.
func TestAlertEntriesWithoutTime(t *testing.T) {
	t.Parallel()
	s := newScene(t, simulator.Options{})
	s.configure(settings{})
	s.well()
	s.lasts(60)
	var strange atomic.Bool
	strange.Store(true)
	instead := func(w http.ResponseWriter, r *http.Request) bool {
		if !strange.Load() {
			return false
		}
		r.Header.Del("Accept-Encoding")
		answer := httptest.NewRecorder()
		s.tenant.ServeHTTP(answer, r)
		maps.Copy(w.Header(), answer.Header())
		w.Header().Del("Content-Length")
		w.WriteHeader(answer.Code)
		_, _ = w.Write(bytes.ReplaceAll(answer.Body.Bytes(), []byte(`"timestamp":"2`), []byte(`"timestamp":"+2`)))
		return true
	}
	s.instead.Store(&instead)
	s.until("counts", above(0), "aictail_entries_without_timestamp_total", `tenant="prod"`)
	s.lasts(10, "AictailEntriesWithoutTime")

	line := s.logged("entries without a readable timestamp")
	if sources := inLog(t, line, "sources"); !strings.HasPrefix(sources, "am-") {
		t.Errorf("the log does not name the source: %s", line)
	}
	if entry := s.byHand("am-access", time.Now().Add(-time.Minute), time.Now()); !strings.Contains(entry, `"timestamp":"+2`) {
		t.Errorf("what the tenant answers does not show the timestamp: %.300s", entry)
	}
	s.inSink(`"timestamp":"+2`) // they are delivered as they came
	strange.Store(false)
	s.complete()
	s.lasts(61)
}

// TestAlertSourceSilent: the template AictailSourceSilent, with its comment signs taken
// away.
func TestAlertSourceSilent(t *testing.T) {
	t.Parallel()
	s := newScene(t, simulator.Options{Sources: []string{"am-access", "am-quiet"}})
	rules, err := os.ReadFile(filepath.Join(ruleFolder, "alerts.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	template := regexp.MustCompile(`(?m)(^      # - alert: AictailSourceSilent\n(^      # .*\n)+)`).FindString(string(rules))
	if template == "" {
		t.Fatal("alerts.yaml has no template")
	}
	template = strings.ReplaceAll(template, "      # ", "      ")
	template = strings.ReplaceAll(template, "am-access", "am-quiet")
	s.template = filepath.Join(s.dir, "silent.yaml")
	writeFile(t, s.template, "groups:\n  - name: silent\n    rules:\n"+template)

	add := func(id string, at time.Time) {
		if err := s.tenant.Add(simulator.Entry{Source: "am-quiet", Payload: fmt.Appendf(nil, `{"_id":%q}`, id), Time: at}); err != nil {
			t.Fatal(err)
		}
	}
	add("older-1", time.Now().Add(-time.Hour))
	s.configure(settings{sources: "am-access, am-quiet", start: "2h"})
	s.well()
	s.until("is there", above(0), "aictail_last_event_timestamp_seconds", `source="am-quiet"`)
	s.lasts(10, "AictailSourceSilent")

	if out := s.aictail("sources"); !regexp.MustCompile(`am-quiet +read`).MatchString(out) {
		t.Errorf("aictail sources:\n%s", out)
	}
	add("newer-1", time.Now())
	s.until("moves", func(v float64) bool { return time.Since(time.Unix(int64(v), 0)) < time.Minute },
		"aictail_last_event_timestamp_seconds", `source="am-quiet"`)
	s.lasts(5)
}
