package simulator

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func write(t *testing.T, name, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestReplayKeepsTheBytes(t *testing.T) {
	lines := []string{
		`{"payload":{"b":1.0,"a":9007199254740993,"timestamp":"2020-01-01T00:00:00Z","s":"\u00e9\/"},"timestamp":"2022-10-05T18:21:48.248Z","type":"application/json"}`,
		`{ "timestamp" : "2022-10-05T18:21:48.249Z" , "source":"am-core", "extra":[{"timestamp":1}], "payload": "line\n" }`,
		`{"type":"text/plain","payload":"x","timestamp":null}`,
	}
	file := write(t, "am-access.log", lines[0]+"\n\n"+lines[1]+"\r\n"+lines[2])
	tenant, c, clock := serve(t, Options{ShowLast: true, OmitSource: true})
	if err := tenant.Replay(file); err != nil {
		t.Fatal(err)
	}
	c.key = ""
	_, _, _ = c.fetch(tailPath, "source", "am-access")
	c.key = "k"
	clock.add(time.Hour)
	c.page("/monitoring/logs/sources")
	c.tail("am-config", "")
	expect(t, "shown before anyone asked with a key", len(tenant.Ledger()), 0)

	p := c.tail("am-access", "")
	expect(t, "entries", len(p.Result), 2)
	begin := clock.Now()
	clock.add(time.Hour)
	p.Result = append(p.Result, c.tail("am-core", "").Result...)
	expect(t, "entries of both sources", len(p.Result), 3)
	records := tenant.Ledger()
	for i, line := range []string{lines[0], lines[2], lines[1]} {
		got, stamp := string(p.Result[i]), records[i].Time.Format(time.RFC3339Nano)
		if strings.Count(got, `"`+stamp+`"`) != 1 {
			t.Errorf("timestamp %s is not in %s", stamp, got)
		}
		old := regexp.MustCompile(`"timestamp" ?: ?("2022[^"]*"|null)`).FindStringSubmatch(line)[1]
		expect(t, "line", strings.Replace(got, `"`+stamp+`"`, old, 1), line)
		expect(t, "record", string(records[i].Raw), got)
		var e struct{ Payload json.RawMessage }
		if err := json.Unmarshal(p.Result[i], &e); err != nil || !bytes.Equal(e.Payload, records[i].Payload) {
			t.Errorf("payload %s, ledger %s", e.Payload, records[i].Payload)
		}
	}
	if ago := begin.Sub(records[0].Time); ago > replaySpan || ago < 0 || !records[0].Time.Before(records[1].Time) {
		t.Errorf("first %v ago, second %v after it", ago, records[1].Time.Sub(records[0].Time))
	}
	expect(t, "shown once", len(c.tail("am-everything", "").Result), 1)
}

func TestReplayManyLines(t *testing.T) {
	const n = 1000
	line := `{"payload":"x","timestamp":"2022-10-05T18:21:48.248Z","type":"text/plain"}` + "\n"
	names := []string{write(t, "am-access.ndjson", strings.Repeat(line, n)), write(t, "own-source.log", strings.Repeat(line, 2*n))}
	tenant, c, _ := serve(t, Options{MaxEntries: 3 * n})
	if err := tenant.Replay(names...); err != nil {
		t.Fatal(err)
	}
	expect(t, "sources", len(c.page("/monitoring/logs/sources").Result), 19)
	// The tail's answer is the same as if both were there from the start, but for
	// the last one.
	expect(t, "entries", len(c.tail("am-access,own-source", "").Result), 3*n-1)
	distinct := map[time.Time]bool{}
	for _, r := range tenant.Ledger() {
		distinct[r.Time] = true
	}
	expect(t, "distinct timestamps", len(distinct), 3*n)

	err := newTenant(t, Options{MaxEntries: 3*n - 1}).Replay(names...)
	if err == nil || !strings.Contains(err.Error(), "own-source.log line 2000") {
		t.Errorf("too many: %v", err)
	}
}

func TestReplayRefuses(t *testing.T) {
	good := `{"payload":"x","timestamp":"2022-10-05T18:21:48.248Z"}` + "\n"
	for _, test := range []struct{ name, file, line, want string }{
		{"not JSON", "am-core.log", `{"payload":"secret"`, "line 2: not a JSON object"},
		{"array", "am-core.log", `["secret"]`, "line 2: not a JSON object"},
		{"two objects", "am-core.log", `{} {"payload":"secret"}`, "line 2: not a JSON object"},
		{"no payload", "am-core.log", `{"timestamp":"secret"}`, "line 2: has no payload"},
		{"no timestamp", "am-core.log", `{"payload":"secret"}`, "line 2: has no timestamp"},
		{"two timestamps", "am-core.log", `{"payload":"secret","timestamp":"","timestamp":""}`, "line 2: has two timestamps"},
		{"source", "am-core.log", `{"payload":"secret","timestamp":"","source":1}`, "line 2: its source"},
		{"source name", "am-core.log", `{"payload":"secret","timestamp":"","source":"SECRET"}`, "line 2: neither"},
		{"view", "am-everything.log", `{}`, "line 1: neither"},
	} {
		t.Run(test.name, func(t *testing.T) {
			tenant, c, _ := serve(t, Options{})
			file := write(t, test.file, good+test.line+"\n")
			err := tenant.Replay(file)
			if err == nil || !strings.Contains(err.Error(), file+" "+test.want) || strings.Contains(strings.ToLower(strings.ReplaceAll(err.Error(), file, "")), "secret") {
				t.Errorf("got %v", err)
			}
			c.tail("am-core", "")
			expect(t, "added", len(tenant.Ledger()), 0)
		})
	}
	if err := newTenant(t, Options{}).Replay(filepath.Join(t.TempDir(), "none.log")); err == nil {
		t.Error("a missing file: no error")
	}
}

// TestReplaySamples replays real entries, where they are at hand.
func TestReplaySamples(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "..", "shared", "samples", "*.log"))
	if err != nil || len(files) == 0 {
		t.Skip("no samples")
	}
	tenant, c, _ := serve(t, Options{ShowLast: true})
	if err := tenant.Replay(files...); err != nil {
		t.Fatal(err)
	}
	var payloads, want []string
	for _, raw := range c.tail("am-everything,idm-everything", "").Result {
		var e struct{ Payload json.RawMessage }
		if err := json.Unmarshal(raw, &e); err != nil {
			t.Fatal(err)
		}
		payloads = append(payloads, string(e.Payload))
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(strings.TrimSpace(string(content)), "\n") {
			var e struct{ Payload json.RawMessage }
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatal(err)
			}
			want = append(want, string(e.Payload))
		}
	}
	slices.Sort(payloads)
	slices.Sort(want)
	if !slices.Equal(payloads, want) {
		t.Errorf("%d payloads, want %d", len(payloads), len(want))
	}
}

func FuzzReplay(f *testing.F) {
	f.Add([]byte(`{"payload":"x","timestamp":"2022-10-05T18:21:48.248Z"}`))
	f.Add([]byte(`{"timestamp":{},"a":{"b":[]} , "payload":{"timestamp":0},"source":"am-core"}`))
	f.Add([]byte(`{"payload":"x","timestamp":1e5,"source":"a","source":"b"}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		text = bytes.TrimSpace(text)
		if len(text) == 0 {
			return
		}
		line, err := parseReplay(text, "file")
		if err != nil {
			return
		}
		at := time.Unix(1_700_000_000, 123_000_000).UTC()
		e := line.entry(at)
		var got, want map[string]json.RawMessage
		if json.Unmarshal(e.raw, &got) != nil || json.Unmarshal(text, &want) != nil {
			t.Fatalf("%s became %s", text, e.raw)
		}
		want["timestamp"] = json.RawMessage(at.Format(`"` + time.RFC3339Nano + `"`))
		for key, value := range want {
			if !bytes.Equal(got[key], value) {
				t.Errorf("%s: %s became %s", key, value, got[key])
			}
		}
		if !bytes.Equal(e.payload.Of(e.raw), want["payload"]) {
			t.Errorf("payload is %s", e.payload.Of(e.raw))
		}
	})
}
