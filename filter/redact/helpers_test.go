package redact

import (
	"bytes"
	"encoding/json"
	"testing"

	"aictail"
)

// textCase says what becomes of a text; want "" means that it stays.
type textCase struct{ name, text, want string }

func testTexts(t *testing.T, cases []textCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			want := c.want
			if want == "" {
				want = c.text
			}
			if got := redactText(t, PresetDefault, c.text); got != want {
				t.Errorf("\n text %s\n  got %s\n want %s", c.text, got, want)
			}
			if again := redactText(t, PresetDefault, want); again != want {
				t.Errorf("a second time\n  got %s\n want %s", again, want)
			}
		})
	}
}

// redactText redacts an event whose payload is the text.
func redactText(t testing.TB, preset, text string) string {
	t.Helper()
	out, span := redactEvent(t, preset, `{"payload":`+quoted(t, text)+`,"timestamp":"2022-12-05T20:01:34.448290946Z","type":"text/plain"}`)
	var got string
	if err := json.Unmarshal(span.Of([]byte(out)), &got); err != nil {
		t.Fatalf("payload of %s: %v", out, err)
	}
	return got
}

// redactPayload redacts an event with this JSON as its payload.
func redactPayload(t testing.TB, preset, payload string) string {
	t.Helper()
	out, span := redactEvent(t, preset, `{"payload":`+payload+`,"type":"application/json"}`)
	return string(span.Of([]byte(out)))
}

// redactEvent redacts raw by a preset and checks what must hold for every event.
func redactEvent(t testing.TB, preset, raw string) (string, aictail.Span) {
	t.Helper()
	set, err := newPreset(preset)
	if err != nil {
		t.Fatal(err)
	}
	return redactBy(t, set, "", raw)
}

// redactBy redacts raw and checks what must hold for every event.
func redactBy(t testing.TB, set *Set, source, raw string) (string, aictail.Span) {
	t.Helper()
	r := set.NewRedactor()
	before := "before"
	out, span, err := r.Append([]byte(before), []byte(raw), payloadSpan(t, []byte(raw)), source)
	if err != nil {
		t.Fatalf("redact %s: %v", raw, err)
	}
	if string(out[:len(before)]) != before {
		t.Fatalf("what stood in the buffer was changed")
	}
	out = out[len(before):]
	if len(out) == 0 {
		out = []byte(raw)
	}
	if !json.Valid(out) {
		t.Fatalf("not valid JSON: %s\nwas %s", out, raw)
	}
	if got := payloadSpan(t, out); got != span {
		t.Fatalf("payload of %s is at %v, not %v", out, got, span)
	}
	again, _, err := r.Append(nil, out, span, source)
	if err != nil || len(again) > 0 {
		t.Fatalf("redacting it again: %v\n from %s\n   to %s", err, out, again)
	}
	return string(out), span
}

// payloadSpan finds the payload with the standard library's decoder.
func payloadSpan(t testing.TB, raw []byte) aictail.Span {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(raw))
	if _, err := dec.Token(); err != nil {
		t.Fatal(err)
	}
	span := aictail.Span{}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			t.Fatal(err)
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			t.Fatal(err)
		}
		if key == "payload" {
			end := int(dec.InputOffset())
			span = aictail.Span{Start: end - len(value), End: end}
		}
	}
	return span
}

// newPreset compiles a preset alone.
func newPreset(name string) (*Set, error) {
	if name == "" {
		return New(Config{})
	}
	return New(Config{Rules: []Rule{{Preset: name}}})
}

func quoted(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(text); err != nil {
		t.Fatal(err)
	}
	return string(bytes.TrimSpace(b.Bytes()))
}
