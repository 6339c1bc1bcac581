package terminal

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"aictail"
)

var update = flag.Bool("update", false, "write the golden files")

// events reads a file with an entry on each line.
func events(t testing.TB, file string) []aictail.Event {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var list []aictail.Event
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		list = append(list, event(bytes.Clone(lines.Bytes())))
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

// event makes an event of an entry, as far as this package looks at it.
func event(raw []byte) aictail.Event {
	var v struct {
		Payload      json.RawMessage
		Timestamp    time.Time
		Source, Type string
	}
	_ = json.Unmarshal(raw, &v) // what cannot be read stays empty
	e := aictail.Event{Source: v.Source, Type: v.Type, Time: v.Timestamp, Raw: raw}
	if at := bytes.Index(raw, v.Payload); at >= 0 && len(v.Payload) > 0 {
		e.Payload = aictail.Span{Start: at, End: at + len(v.Payload)}
	}
	return e
}

// TestGolden shows what people see; -update after a change on purpose.
func TestGolden(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("no time zones on this machine")
	}
	styles := map[string]Style{
		"plain":    {},
		"terminal": {Width: 80, Color: true, Location: berlin},
	}
	for name, style := range styles {
		t.Run(name, func(t *testing.T) {
			r := NewRenderer(style)
			var got []byte
			for _, e := range events(t, "testdata/events.ndjson") {
				got = r.Append(got, &e)
			}
			golden := filepath.Join("testdata", name+".golden")
			if *update {
				if err := os.WriteFile(golden, got, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), string(got)); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
}

// TestSamples: of every real event there is more to say than its JSON, and its
// transaction id is whole.
func TestSamples(t *testing.T) {
	files, err := filepath.Glob(filepath.FromSlash("../../../../shared/samples/*.log"))
	if err != nil || len(files) == 0 {
		t.Skip("no samples beside the repository")
	}
	r := NewRenderer(Style{Width: 80})
	for _, file := range files {
		for _, e := range events(t, file) {
			if e.Source == "" {
				e.Source = strings.TrimSuffix(filepath.Base(file), ".log")
			}
			block := string(r.Append(nil, &e))
			v := Read(&e)
			if len(v.summary) == 0 && len(v.detail) == 0 && v.Name == "" || len(v.summary) > 0 && strings.HasPrefix(v.summary[0].text, "{") {
				t.Errorf("%s: nothing to say of an event:\n%s", filepath.Base(file), block)
			}
			if !strings.Contains(block, v.Transaction) {
				t.Errorf("%s: the transaction id is not whole:\n%s", filepath.Base(file), block)
			}
		}
	}
}

func TestChoose(t *testing.T) {
	for _, tt := range []struct {
		payload string
		rank    Level
		of      string // a transaction that it belongs to
	}{
		{`{"level":"WARN","transactionId":"a-1/0"}`, Warning, "a-1"},
		{`{"level":"DEBUG","transactionId":"a-1/0/0/3"}`, Debug, "a-1/7"},
		{`{"level":"INFO","mdc":{"transactionId":"a-1"}}`, Info, "a-1/0"},
		{`{"level":"loud"}`, Info, ""},
		{`"FINEST: x"`, Trace, ""},
		{`"Mar 01, 2026 1:00:08 AM a.b.C d\nWARNING: x"`, Warning, ""},
		{`"a.b.XException: y\n\tat a.b.C(D.java:1)"`, Severe, ""},
		{`"WARN: not a record of java.util.logging"`, Info, ""},
		{`"any text"`, Info, ""},
	} {
		e := event([]byte(`{"source":"am-core","payload":` + tt.payload + `}`))
		v := Read(&e)
		if v.Rank() != tt.rank {
			t.Errorf("%s: level %d, want %d", tt.payload, v.Rank(), tt.rank)
		}
		if tt.of != "" && !v.InTransaction(tt.of) {
			t.Errorf("%s: not in transaction %s", tt.payload, tt.of)
		}
		for _, other := range []string{"", "a", "a-1-", "a-12/0", "/"} {
			if v.InTransaction(other) {
				t.Errorf("%s: in transaction %q", tt.payload, other)
			}
		}
	}
}

func TestParseLevel(t *testing.T) {
	for name := range strings.FieldsSeq("trace Finest FINER debug fine config info warn WARNING error severe fatal") {
		if ParseLevel(name) == NoLevel {
			t.Errorf("%s is not known", name)
		}
	}
	if ParseLevel("") != NoLevel || ParseLevel("loud") != NoLevel {
		t.Error("a level that is none")
	}
}

// TestAppendJSON: the same JSON, without what acts on a terminal.
func TestAppendJSON(t *testing.T) {
	raw := []byte("{\"payload\":\"a\x7fb\u009b1m\u00e9\"}")
	e := aictail.Event{Raw: raw}
	got := AppendJSON(nil, &e)
	if want := "{\"payload\":\"a\\u007fb\\u009b1m\u00e9\"}\n"; string(got) != want {
		t.Errorf("%q, want %q", got, want)
	}
	var before, after struct{ Payload string }
	if json.Unmarshal(raw, &before) != nil || json.Unmarshal(got, &after) != nil || before != after {
		t.Errorf("%q became %q", before, after)
	}
}

// FuzzAppend: whatever an event holds, nothing but line ends and our own colours
// acts on the terminal, and no word is lost to a line break.
func FuzzAppend(f *testing.F) {
	for _, e := range events(f, "testdata/events.ndjson") {
		f.Add(e.PayloadBytes(), "am-core", 40)
		f.Add(e.PayloadBytes(), e.Source, 0)
	}
	f.Fuzz(func(t *testing.T, payload []byte, source string, width int) {
		e := aictail.Event{Source: source, Raw: payload, Payload: aictail.Span{End: len(payload)}}
		plain := NewRenderer(Style{}).Append(nil, &e)
		for _, r := range string(plain) {
			if r != '\n' && !unicode.IsPrint(r) {
				t.Fatalf("%U reaches the terminal", r)
			}
		}
		wrapped := NewRenderer(Style{Width: width}).Append(nil, &e)
		if d := cmp.Diff(strings.Fields(string(plain)), strings.Fields(string(wrapped))); d != "" {
			t.Errorf("(-plain +wrapped)\n%s", d)
		}
		colored := NewRenderer(Style{Color: true}).Append(nil, &e)
		for _, look := range []look{lookDim, lookSource, lookSevere, lookWarning, lookInfo, lookBad} {
			colored = bytes.ReplaceAll(colored, []byte("\x1b["+look.escapes()+"m"), nil)
		}
		if colored = bytes.ReplaceAll(colored, []byte("\x1b[0m"), nil); !bytes.Equal(plain, colored) {
			t.Errorf("colours change the text: %q and %q", plain, colored)
		}
	})
}
