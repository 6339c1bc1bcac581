package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aictail"
	"aictail/filter"
)

// TestSamples replays real entries and finds every one of them in the files,
// byte for byte apart from what was redacted.
func TestSamples(t *testing.T) {
	t.Parallel()
	samples, err := filepath.Glob("../../../shared/samples/*.log")
	if err != nil {
		t.Fatal(err)
	}
	if len(samples) == 0 {
		t.Skip("no samples of real entries beside the project")
	}
	address := freeAddress(t)
	dir := t.TempDir()
	start(t, append([]string{"simulate", "--listen", address, "--rate", "50", "--replay"}, samples...)...)
	config := filepath.Join(dir, "aictail.yaml")
	var sources []string
	for _, s := range samples {
		sources = append(sources, strings.TrimSuffix(filepath.Base(s), ".log"))
	}
	writeFile(t, config, fmt.Sprintf(`
data_dir: %[1]s/data
admin: {listen: off}
tenants:
  prod: {url: "http://%[2]s", api_key: key, api_secret: secret, sources: [%[3]s], sweep: {settle: 5s}}
sinks:
  archive: {type: file, path: "%[1]s/out/{source}.ndjson"}
`, dir, address, strings.Join(sources, ", ")))
	p := start(t, "run", "--config", config)

	total, redacted := 0, 0
	for i, s := range samples {
		b, err := os.ReadFile(s)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]int{}
		for line := range bytes.Lines(b) {
			payload, changed := redactedPayload(t, bytes.TrimSpace(line))
			if payload[0] == '"' {
				// A line may have become part of a record.
				want[strings.Trim(payload, `"`)]++
			} else {
				want[`"payload":`+payload]++
			}
			total++
			if changed {
				redacted++
			}
		}
		out := filepath.Join(dir, "out", sources[i]+".ndjson")
		for payload, n := range want {
			eventually(t, fmt.Sprintf("a sample of %s in %s", sources[i], out), func() bool {
				got, err := os.ReadFile(out)
				return err == nil && bytes.Count(got, []byte(payload)) >= n
			})
		}
	}
	if code := p.stop(); code != exitDone {
		t.Errorf("exit code %d:\n%s", code, tail(p.log.String()))
	}
	t.Logf("%d samples arrived, %d of them redacted", total, redacted)
}

// redactedPayload returns an entry's payload as the default preset leaves it.
func redactedPayload(t *testing.T, line []byte) (payload string, changed bool) {
	t.Helper()
	var entry struct{ Payload json.RawMessage }
	if err := json.Unmarshal(line, &entry); err != nil {
		t.Fatal(err)
	}
	chain, err := filter.New(filter.Config{}, filter.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(line, entry.Payload)
	events := chain.NewPass().Apply([]aictail.Event{{Raw: line, Payload: aictail.Span{Start: at, End: at + len(entry.Payload)}}})
	payload = string(events[0].PayloadBytes())
	return payload, payload != string(entry.Payload)
}
