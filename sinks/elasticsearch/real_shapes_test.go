package elasticsearch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aictail"
)

// shapes are payloads and whole events of every kind that some server refuses as a
// field.
func shapes() []aictail.Event {
	nested := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	payloads := []string{
		`{}`, `[]`, `null`, `""`, `"text"`, `7`, `true`, `[1]`, `[{"a":1}]`, `[[]]`,
		`{"":1}`, `{"a":{"":{"b":1}}}`, `{" ":1}`, `{".":1}`, `{"a.b":1,"a":{"b":2}}`, `{"a..b":1,".a":2,"a.":3}`,
		`{"z":1,"z":2}`, `{"z":{"a":1},"z":{"a":2}}`, `{"a":1,"a":{"b":1}}`,
		nested(19), nested(21), nested(99), nested(101), nested(900),
		strings.Repeat("[", 300) + strings.Repeat("]", 300), strings.Repeat(`{"a":[`, 200) + strings.Repeat("]}", 200),
		`{"x":"` + strings.Repeat("y", 40_000) + `"}`, `{"x":"` + strings.Repeat("word ", 20_000) + `"}`, `"` + strings.Repeat("y", 100_000) + `"`,
		`{"` + strings.Repeat("k", 40_000) + `":1}`, `{"` + strings.Repeat("k", 32_765) + `":"a"}`,
		`{"a\u0000b":"x"}`, `{"a":"\u0000"}`, `{"a":"\ud83d"}`, `{"\ud83d":1}`, `"\ud83d \u0000"`, "{\"a\":\"\x7f\u2028\"}",
		`{"a":12345678901234567890123,"b":0.1000000000000000055511151231257827,"c":1E+2,"d":-0}`, `{"a":1e99999}`, `{"a":` + strings.Repeat("9", 1500) + `}`,
		`{"a":[1,"x",{"b":2},[3,[4]],null]}`, `{"*":1,"a*":2}`, `{"é中😀":"é中😀"}`, `{"@timestamp":"x","_id":"y","_source":1,"message":{}}`,
		`{` + strings.Repeat(`"k":1,`, 0) + manyKeys(3000) + `}`,
	}
	var events []aictail.Event
	for i, payload := range payloads {
		events = append(events, newEvent(fmt.Sprintf("shape-%d", i), payload))
	}
	for i, raw := range []string{
		`{}`, `{ }`, `7`, `"x"`, `[]`, `{"type":"text/plain"}`, `{"":1}`, `{".":1,"a..b":2}`, `{"payload.x":1}`, `{"x":1,"x":2}`,
		`{"timestamp":{"a":1}}`, `{"timestamp":"nonsense","source":["a",true]}`, `{"source":{"a":1},"type":[[1]]}`, `{"_id":"x","_index":"y","_routing":1}`,
		`{"@timestamp":"now","aictail":1}`, `{"aictail":{"id":{}}}`, `{"message":{"a":1}}`, `{"message":"one","payload":«"two"»}`,
		`{"x":` + nested(950) + `}`,
	} {
		e := eventOf(raw)
		e.ID = fmt.Appendf(nil, "raw-%d", i)
		events = append(events, e)
	}
	for _, id := range []string{" ", "/", "a,b", "..", "*", "_under", "\u2028", "nul\x00", "tab\t\"q\"\\", strings.Repeat("😀", 128), strings.Repeat("é", 257), "\xff", "\xff\xfe", ""} {
		events = append(events, newEvent(id, fmt.Sprintf(`{"id":%d}`, len(events))))
	}
	for i, year := range []int{0, 1, 1969, 1970, 2262, 2263, 9999} {
		e := newEvent(fmt.Sprintf("year-%d", i), fmt.Sprintf(`{"year":%d}`, year))
		e.Time = time.Date(year, 12, 31, 23, 59, 59, 999_999_999, time.UTC)
		events = append(events, e)
	}
	return events
}

func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"k%d":%d,`, i, i)
	}
	return b.String() + `"last":1`
}

// testShapes delivers every shape, in one batch and then again one by one.
func (r realServer) testShapes(t *testing.T, cfg Config) {
	s := r.open(t, cfg)
	events := shapes()
	if err := s.Send(t.Context(), events); err != nil {
		t.Fatalf("%s: %v", (&rig{t: t}).said(err), err)
	}
	for i := range events {
		if err := s.Send(t.Context(), events[i:i+1]); err != nil {
			t.Errorf("again, event %d: %v", i, err)
		}
	}
	var got, want []string
	asText := 0
	for _, h := range r.search(t, cfg, all) {
		got = append(got, string(rawOf(t, string(h.Source))))
		if bytes.Contains(h.Source, []byte(`"as_text":true`)) {
			asText++
		}
	}
	for i := range events {
		want = append(want, string(events[i].Raw))
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%d documents, want %d (-want +got)\n%.2000s", len(got), len(want), diff)
	}
	t.Logf("%d of %d events are stored as text", asText, len(events))
}

// testSamples sends real entries, none of which is to need the form of text.
func (r realServer) testSamples(t *testing.T) {
	files, err := filepath.Glob("../../../shared/samples/*.log")
	if err != nil || len(files) == 0 {
		t.Skip("no samples of real entries beside the project")
	}
	var events []aictail.Event
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(b) {
			line = bytes.TrimSpace(line)
			var entry struct {
				Payload   json.RawMessage
				Timestamp time.Time
			}
			if err := json.Unmarshal(line, &entry); err != nil {
				t.Fatal(err)
			}
			at := bytes.Index(line, entry.Payload)
			events = append(events, aictail.Event{
				ID: fmt.Appendf(nil, "sample-%d", len(events)), Tenant: "prod", Source: strings.TrimSuffix(filepath.Base(file), ".log"),
				Time: entry.Timestamp, Raw: line, Payload: aictail.Span{Start: at, End: at + len(entry.Payload)},
			})
		}
	}
	cfg := r.config()
	if err := r.open(t, cfg).Send(t.Context(), events); err != nil {
		t.Fatal(err)
	}
	if n := len(r.search(t, cfg, all)); n != len(events) {
		t.Errorf("%d documents, want %d", n, len(events))
	}
	if n := len(r.search(t, cfg, `{"term":{"aictail.as_text":true}}`)); n != 0 {
		t.Errorf("%d of %d samples are stored as text", n, len(events))
	}
}

// testSearch asks for what the template promises.
func (r realServer) testSearch(t *testing.T) {
	cfg := r.config()
	events := []aictail.Event{
		newEvent("one", `{"userId":"id=amadmin,ou=user","http":{"request":{"path":"/am/json"}},"stack":"`+strings.Repeat("at x.y.Z ", 1000)+`"}`),
		newEvent("two", `"Dec 05, 2022 8:01:34 PM org.forgerock.openidm.internal.InternalObjectSet readInstance"`),
		newEvent("three", `{"z":1,"z":"unusual"}`),
	}
	events[1].Time = events[1].Time.Add(-time.Hour)
	if err := r.open(t, cfg).Send(t.Context(), events); err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]string{
		`{"term":{"payload.userId":"id=amadmin,ou=user"}}`:       "one",
		`{"term":{"payload.http.request.path":"/am/json"}}`:      "one",
		`{"match":{"message":"readInstance"}}`:                   "two",
		`{"match":{"message":"unusual"}}`:                        "three",
		`{"term":{"aictail.as_text":true}}`:                      "three",
		`{"term":{"aictail.id":"two"}}`:                          "two",
		`{"range":{"@timestamp":{"lt":"2026-01-31T23:00:00Z"}}}`: "two",
		`{"bool":{"filter":[{"term":{"aictail.source":"am-access"}},{"term":{"aictail.tenant":"prod"}},{"term":{"type":"application/json"}},{"exists":{"field":"payload"}}]}}`: "one",
	} {
		var got []string
		for _, h := range r.search(t, cfg, query) {
			got = append(got, h.ID)
		}
		if diff := cmp.Diff([]string{want}, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", query, diff)
		}
	}
}
