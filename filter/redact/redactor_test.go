package redact

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aictail"
)

func TestPresets(t *testing.T) {
	const payload = `{"password":"x","mail":"bob@example.com","m":"token=abc 4111111111111111 +14155552671","n":4111111111111111}`
	for preset, want := range map[string]string{
		"":            `{"password":"[redacted:secret]","mail":"[redacted:email]","m":"token=[redacted:secret] [redacted:card] [redacted:phone]","n":"[redacted:card]"}`,
		PresetDefault: `{"password":"[redacted:secret]","mail":"[redacted:email]","m":"token=[redacted:secret] [redacted:card] [redacted:phone]","n":"[redacted:card]"}`,
		PresetSecrets: `{"password":"[redacted:secret]","mail":"bob@example.com","m":"token=[redacted:secret] 4111111111111111 +14155552671","n":4111111111111111}`,
	} {
		if got := redactPayload(t, preset, payload); got != want {
			t.Errorf("preset %q\n  got %s\n want %s", preset, got, want)
		}
	}
	if set, err := newPreset(PresetOff); set != nil || err != nil {
		t.Errorf("off: %v, %v", set, err)
	}
	if _, err := newPreset("sectets"); err == nil || !strings.Contains(err.Error(), `"sectets"`) {
		t.Errorf("misspelt preset: %v", err)
	}
}

// TestTable holds the table to what the rest of the package assumes.
func TestTable(t *testing.T) {
	detectors := table()
	if detectors[detectSecretKey].name != "secret_key" || detectors[detectSecretText].name != "secret_text" {
		t.Error("the constants for detectors do not fit the table")
	}
	seen := map[string]bool{}
	for _, d := range detectors {
		if !isWholeMarker([]byte(d.marker)) {
			t.Errorf("%s: %s is not recognised as a marker", d.name, d.marker)
		}
		if seen[d.name] {
			t.Errorf("%s is there twice", d.name)
		}
		seen[d.name] = true
		if got := redactText(t, PresetGDPR, d.marker); got != d.marker {
			t.Errorf("marker %s becomes %s", d.marker, got)
		}
	}
}

func TestEnvelope(t *testing.T) {
	for raw, want := range map[string]string{
		// The three words of the API stay, anything else around the payload does not.
		`{"source":"a@example.com","payload":"b@example.com","timestamp":"c@example.com","type":"d@example.com"}`: `{"source":"a@example.com","payload":"[redacted:email]","timestamp":"c@example.com","type":"d@example.com"}`,
		`{"note":"a@example.com","payload":{"source":"b@example.com"},"password":"x"}`:                            `{"note":"[redacted:email]","payload":{"source":"[redacted:email]"},"password":"[redacted:secret]"}`,
		`{"type":{"x":"a@example.com"},"payload":4111111111111111}`:                                               `{"type":{"x":"[redacted:email]"},"payload":"[redacted:card]"}`,
		`{"a@example.com":"x","b@example.com":{"payload":"c@example.com"},"payload":"x"}`:                         `{"[redacted:email]":"x","2#[redacted:email]":{"payload":"[redacted:email]"},"payload":"x"}`,
		`{"password":"x"}`: `{"password":"[redacted:secret]"}`,
	} {
		if got, _ := redactEvent(t, PresetDefault, raw); got != want {
			t.Errorf("%s\n  got %s\n want %s", raw, got, want)
		}
	}
}

// TestNamesThatChange: a name that is replaced itself counts as it was and as it becomes,
// so that nothing it announces gets through and a second time changes nothing.
func TestNamesThatChange(t *testing.T) {
	removed := newSet(t, Rule{Detect: []string{"jwt"}, Action: "remove"}, Rule{Keys: []string{"name"}, Action: "hash"}, Rule{Keys: []string{"sn"}, Action: "tokenise"})
	for payload, want := range map[string]string{
		`{"token` + signedToken + `":"x y"}`:                                               `{"token":"[redacted:secret]"}`,
		`{"name":"password","value":"hunter2"}`:                                            `{"name":"[hash:k2:*]","value":"[redacted:secret]"}`,
		`{"field":"/x/token` + signedToken + `","value":"hunter2"}`:                        `{"field":"/x/token","value":"[redacted:secret]"}`,
		`{"field":"/pass\u0077ord","value":"hunter2"}`:                                     `{"field":"/pass\u0077ord","value":"[redacted:secret]"}`,
		`{"sn":"managed/alpha_user/a%40example.comb@example.comAQIC5wM2LY4SfczvdY8RbZ7X"}`: `{"sn":"managed/alpha_user/[hash:k2:*]"}`,
	} {
		got := regexp.MustCompile(`[a-p]{32}`).ReplaceAllString(payloadOf(t, removed, "", payload), "*")
		if got != want {
			t.Errorf("%s\n  got %s\n want %s", payload, got, want)
		}
	}
}

func TestEscapes(t *testing.T) {
	for payload, want := range map[string]string{
		`"bob\u0040example.com"`:                     `"[redacted:email]"`,
		`"a\/b\/bob@example.com\/c"`:                 `"a/b/[redacted:email]/c"`,
		`"say \"hi\"\n\tto bob@example.com\u0001\\"`: `"say \"hi\"\n\tto [redacted:email]\u0001\\"`,
		`"\ud83d\ude00 bob@example.com"`:             `"😀 [redacted:email]"`,
		`"\ud83d bob@example.com \udfff\ud83d"`:      `"\ud83d [redacted:email] \udfff\ud83d"`,
		`"\b\f\r\u2028bob@example.com"`:              "\"\\u0008\\u000c\\r[redacted:email]\"", // U+2028 counts as a letter
		`"nothing \ud83d\u0041\/ here"`:              `"nothing \ud83d\u0041\/ here"`,
		`"\\"`:                                       `"\\"`,
		`"\\\" @"`:                                   `"\\\" @"`,
		`"\u0065yJhbGciOiJub25lIn0.eyJzdWIiOiJi"`:    `"[redacted:jwt]"`,
	} {
		if got := redactPayload(t, PresetDefault, payload); got != want {
			t.Errorf("%s\n  got %s\n want %s", payload, got, want)
		}
	}
}

func TestInvalid(t *testing.T) {
	set, err := newPreset(PresetDefault)
	if err != nil {
		t.Fatal(err)
	}
	r := set.NewRedactor()
	for _, raw := range []string{
		``, ` `, `null`, `"bob@example.com"`, `[]`, `{`, `{"payload":`, `{"payload":"x}`, `{"payload":"x\"}`, `{"payload":"\x"}`,
		`{"payload":"@\u00g0"}`, `{"payload":"\u00"}`, `{"payload":{"password":}}`, `{"payload":{"password":`, `{"payload":{"password":{"x":1}`,
		`{"payload":hunter2}`, `{"payload":nul}`, `{"password":nul}`, `{"payload":1}}`, `{"payload":1} x`, `{"password":{x}}`, `{"p@\q":1}`,
		`{"payload":"bob@example.com","x":tru}`,
	} {
		dst := []byte("before")
		out, _, err := r.Append(dst, []byte(raw), aictail.Span{}, "")
		if !errors.Is(err, ErrInvalid) || string(out) != "before" {
			t.Errorf("%s: %v, %s", raw, err, out)
		}
	}
	for k, n := range r.Counts {
		if n != 0 {
			t.Errorf("rule %d counted %d in events that were refused", k, n)
		}
	}
	if _, _, err := r.Append(nil, []byte(`{}`), aictail.Span{Start: 1, End: 3}, ""); err == nil {
		t.Error("a payload outside the event was accepted")
	}
}

func TestCounts(t *testing.T) {
	set, err := newPreset(PresetDefault)
	if err != nil {
		t.Fatal(err)
	}
	r := set.NewRedactor()
	raw := []byte(`{"payload":{"password":"x","m":"a@example.com b@example.com ` + signedToken + ` password=x"},"c":4111111111111111}`)
	for range 2 {
		if _, _, err := r.Append(nil, raw, aictail.Span{}, ""); err != nil {
			t.Fatal(err)
		}
	}
	got := map[string]int{}
	for k, name := range set.Rules() {
		if r.Counts[k] > 0 {
			got[name] = r.Counts[k]
		}
	}
	want := map[string]int{"secret_key": 2, "secret_text": 2, "email": 4, "jwt": 2, "card": 2}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestDepth: what is nested too deeply is refused, wherever it stands.
func TestDepth(t *testing.T) {
	nested := func(depth int) string {
		return strings.Repeat(`{"a":[`, depth/2) + `"bob@example.com"` + strings.Repeat(`]}`, depth/2)
	}
	deep := nested(maxDepth - 2)
	got, _ := redactEvent(t, PresetDefault, `{"payload":`+deep+`}`)
	if want := `{"payload":` + strings.Replace(deep, "bob@example.com", markerEmail, 1) + `}`; got != want {
		t.Error("not as expected")
	}
	set, err := newPreset(PresetDefault)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := set.NewRedactor().Append(nil, []byte(`{"payload":`+nested(200_000)+`}`), aictail.Span{}, ""); !errors.Is(err, ErrDepth) {
		t.Errorf("a deep event: %v", err)
	}
	secret := `{"password":` + nested(200_000) + `}`
	if got, _, err := set.NewRedactor().Append(nil, []byte(secret), aictail.Span{}, ""); err != nil || string(got) != `{"password":"[redacted:secret]"}` {
		t.Errorf("a deep secret was not replaced: %v", err)
	}
}

func TestLimits(t *testing.T) {
	set, err := newPreset(PresetSecrets)
	if err != nil {
		t.Fatal(err)
	}
	for raw, want := range map[string]error{
		"{\"payload\":\"\xff\"}":                                  ErrEncoding,
		"{\"payload\":\"" + strings.Repeat("x", maxEvent) + "\"}": ErrSize,
	} {
		dst := []byte("before")
		out, _, err := set.NewRedactor().Append(dst, []byte(raw), aictail.Span{}, "")
		if !errors.Is(err, want) || string(out) != "before" {
			t.Errorf("got %v, want %v", err, want)
		}
	}
}

// TestSamples redacts real entries: all of them are anonymised, so nothing but
// what is listed here may change.
func TestSamples(t *testing.T) {
	for _, preset := range []string{PresetSecrets, PresetDefault} {
		for _, line := range sampleLines(t) {
			out, _ := redactEvent(t, preset, string(line))
			if out != string(line) {
				t.Errorf("%s: changed\n from %s\n   to %s", preset, line, out)
			}
		}
	}
}

// sampleLines returns the real entries that lie beside the repository, and skips
// the test without them.
func sampleLines(t testing.TB) [][]byte {
	t.Helper()
	root, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	for !exists(filepath.Join(root, "go.mod")) {
		parent := filepath.Dir(root)
		if parent == root {
			t.Skip("go.mod not found")
		}
		root = parent
	}
	files, err := filepath.Glob(filepath.Join(root, "..", "shared", "samples", "*.log"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skip("no samples beside the repository")
	}
	var lines [][]byte
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(data) {
			if line = bytes.TrimSpace(line); json.Valid(line) {
				lines = append(lines, line)
			}
		}
	}
	return lines
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
