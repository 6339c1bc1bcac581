package assemble

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"aictail"
	"aictail/tailer/aic"
)

// TestSamples: the real lines of idm-core make records, and nothing is made of
// real JSON entries.
func TestSamples(t *testing.T) {
	files, err := filepath.Glob(filepath.FromSlash("../../../shared/samples/*.log"))
	if err != nil || len(files) == 0 {
		t.Skip("no samples beside the repository")
	}
	for _, file := range files {
		es := readSample(t, file)
		got := map[Outcome]int{}
		parts := 0
		for _, e := range run(New(Options{}), es, atOnce) {
			got[e.Outcome]++
			parts += e.Parts
		}
		if parts != len(es) {
			t.Errorf("%s: %d of %d entries came out", filepath.Base(file), parts, len(es))
		}
		records, loose := 0, 0
		if filepath.Base(file) == "idm-core.log" {
			records, loose = 3, 1 // the last header stands alone
		}
		if got[Record] != records || got[Loose] != loose || got[Joined] != 0 {
			t.Errorf("%s: %v", filepath.Base(file), got)
		}
	}
}

func readSample(t *testing.T, file string) []aic.Entry {
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var es []aic.Entry
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		raw := bytes.Clone(lines.Bytes())
		var v struct {
			Payload      json.RawMessage
			Timestamp    time.Time
			Source, Type string
		}
		if len(bytes.TrimSpace(raw)) == 0 {
			continue
		}
		if err := json.Unmarshal(raw, &v); err != nil {
			t.Fatalf("%s: %v", filepath.Base(file), err)
		}
		start := bytes.Index(raw, v.Payload)
		es = append(es, aic.Entry{
			Raw: raw, Payload: aictail.Span{Start: start, End: start + len(v.Payload)},
			Time: v.Timestamp, Source: v.Source, Type: v.Type,
		})
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	slices.SortStableFunc(es, func(x, y aic.Entry) int { return x.Time.Compare(y.Time) })
	return es
}
