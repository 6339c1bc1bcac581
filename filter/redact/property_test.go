package redact

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"aictail"
)

// probes are things that must never get through the default preset, with what
// may stand next to them so that they are still what they are.
func probes() []string {
	return []string{
		"bob@example.com", "bob%40example.com", "4111111111111111", "4111 1111 1111 1111", "+14155552671", "(415) 555-2671",
		signedToken, encryptedToken, olderSSOToken, newerSSOToken, "password=hunter2zz", "Bearer 2YotnFZFEjr1zCsicMWpAA",
		"DE44500105175407324931", "GB82 WEST 1234 5698 7654 32",
		`"client_secret":"hunter2zz"`, `\"pwd\":\"hunter2zz\"`, "https://u:hunter2zz@host/", "Cookie: a=hunter2zz; b=c",
	}
}

// leaks are the parts of probes by which a leak is recognised.
func leaks() []string {
	return []string{"bob", "111111", "415", "555", "c2ln", "Y2lwaGVy", "KaQUKkN4", "Xcx", "hunter2", "2Yotn", "RwQ8", "5407", "5698"}
}

func genText() *rapid.Generator[string] {
	pieces := append(probes(),
		"203.0.113.9", "2001:db8:1:2::3", "::ffff:203.0.113.9", "id=bob,ou=user,o=alpha", "managed/alpha_user/bob", "sn=Smith", `"sn":"Smith"`, `"sn":12`,
		"123-45-6789", "AB123456C", "12345678Z", "RSSMRA85T10A562S", "CUST-", "12345674", "999", "+999", "XX", "***", "hash:k2:", "[hash:k2:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]",
		" ", "  ", "\n", "\t", "\\", "\"", "'", "{", "}", "[", "]", "(", ")", ",", ";", "&", "%", "%3D", "%20", "%2A", "=", ":", "@",
		"-", "+", "/", ".", "<password>", "</password>", "token", "token: ", "secret=", "Authorization: ", "Cookie: ", "é", "\U0001F600", "\ud7ff",
		"eyJ", "AQIC", "*AAJ", "Bearer ", "Basic ", "-----BEGIN PRIVATE KEY-----", "4111", "415", "0049", "\\u0040", "\\u003d", "\x00",
		markerSecret, markerEmail, markerToken, "[redacted:", "a", "abc", "1", "2022-12-05T20:01:34.448290946Z")
	return rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 8).Draw(t, "pieces"), "")
	})
}

func genValue(depth int) *rapid.Generator[any] {
	return rapid.Custom(func(t *rapid.T) any {
		kind := rapid.IntRange(0, 7).Draw(t, "kind")
		if depth == 0 && kind > 4 {
			kind = 0
		}
		switch kind {
		case 0, 1, 2:
			return genText().Draw(t, "text")
		case 3:
			return json.Number(rapid.SampledFrom([]string{"0", "-1.5e3", "4111111111111111", "1664994108247", "12345678901234567890"}).Draw(t, "number"))
		case 4:
			return rapid.SampledFrom([]any{nil, true, false}).Draw(t, "literal")
		case 5:
			return rapid.SliceOfN(genValue(depth-1), 0, 3).Draw(t, "array")
		default:
			object := map[string]any{}
			for range rapid.IntRange(0, 4).Draw(t, "members") {
				key := rapid.OneOf(genText(), rapid.SampledFrom([]string{"password", "name", "value", "field", "x", "token_type", "source", "sn", "userId", "client", "mail"})).Draw(t, "key")
				object[key] = genValue(depth-1).Draw(t, "value")
			}
			return object
		}
	})
}

// propertySets are what properties are tried with: presets, and every action in every
// kind of rule.
func propertySets(t testing.TB) map[string]*Set {
	t.Helper()
	sets := map[string]*Set{
		"default": newSet(t),
		"gdpr":    newSet(t, Rule{Preset: "gdpr"}),
		"own": newSet(t,
			Rule{Fields: []string{"/payload/*/client", "/payload/x"}, Action: "remove"},
			Rule{Fields: []string{"/payload/userId", "/payload/*/*"}, Action: "hash"},
			Rule{Keys: []string{"mail", "value"}, Action: "partial"},
			Rule{Keys: []string{"sn"}, Action: "tokenise"},
			Rule{Pattern: `CUST-\d*`, Action: "hash"},
			Rule{Pattern: `[xyz]+`},
			Rule{Detect: []string{"ip"}, Fields: []string{"/payload/client"}, Action: "truncate"},
			Rule{Detect: []string{"us_ssn", "es_dni"}, Action: "remove"},
		),
	}
	for _, action := range []string{"partial", "hash", "tokenise", "remove"} {
		rules := []Rule{{Fields: []string{"/payload/userId"}, Action: action}, {Keys: []string{"sn"}, Action: action}, {Pattern: `\d{3,}`, Action: action}}
		for _, d := range table()[detectSecretText+1:] {
			if a, err := parseAction(action); err == nil && d.offers(a) {
				rules = append(rules, Rule{Detect: []string{d.name}, Action: action})
			}
		}
		sets[action] = newSet(t, rules...)
	}
	return sets
}

// TestProperties: valid JSON stays valid JSON, the payload is where it is said
// to be, redacting twice changes nothing, what has no finding is not copied.
func TestProperties(t *testing.T) {
	for name, set := range propertySets(t) {
		t.Run(name, func(t *testing.T) {
			r := set.NewRedactor()
			rapid.Check(t, func(rt *rapid.T) {
				var b bytes.Buffer
				enc := json.NewEncoder(&b)
				enc.SetEscapeHTML(rapid.Bool().Draw(rt, "html"))
				if err := enc.Encode(map[string]any{"payload": genValue(3).Draw(rt, "payload"), "timestamp": "x", "note": genText().Draw(rt, "note")}); err != nil {
					rt.Fatal(err)
				}
				if err := checkEvent(r, bytes.TrimSpace(b.Bytes()), name == "default"); err != nil {
					rt.Fatal(err)
				}
			})
		})
	}
}

// checkEvent redacts valid JSON and checks the result. With onlyMarkers nothing may
// differ but what a marker stands for.
func checkEvent(r *Redactor, raw []byte, onlyMarkers bool) error {
	kept := bytes.Clone(raw)
	var doc map[string]json.RawMessage
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil
	}
	span := aictail.Span{}
	if p := doc["payload"]; len(p) > 0 && bytes.Count(raw, []byte(`"payload"`)) == 1 {
		start := bytes.LastIndex(raw, p)
		if bytes.Count(raw, p) == 1 {
			span = aictail.Span{Start: start, End: start + len(p)}
		}
	}
	out, moved, err := r.Append(nil, raw, span, "")
	if err != nil {
		return fmt.Errorf("%w: %s", err, raw)
	}
	if !bytes.Equal(kept, raw) {
		return fmt.Errorf("the event itself was modified: %s", kept)
	}
	if len(out) == 0 {
		return nil
	}
	var got map[string]json.RawMessage
	if err := json.Unmarshal(out, &got); err != nil {
		return fmt.Errorf("%w:\n from %s\n   to %s", err, raw, out)
	}
	if span.Len() > 0 && !bytes.Equal(got["payload"], moved.Of(out)) {
		return fmt.Errorf("payload of %s is not at %v", out, moved)
	}
	if err := sameShape(raw, out); err != nil && onlyMarkers {
		return fmt.Errorf("%w:\n from %s\n   to %s", err, raw, out)
	}
	if again, _, err := r.Append(nil, out, moved, ""); err != nil || len(again) > 0 {
		return fmt.Errorf("redacting twice: %v\n from %s\n   to %s\n then %s", err, raw, out, again)
	}
	return nil
}

// sameShape goes through both documents token by token: they may differ only
// where the second has a marker, which may stand for a whole value.
func sameShape(before, after []byte) error {
	a, b := json.NewDecoder(bytes.NewReader(before)), json.NewDecoder(bytes.NewReader(after))
	a.UseNumber()
	b.UseNumber()
	for {
		was, errA := a.Token()
		is, errB := b.Token()
		if errA != nil || errB != nil {
			if fmt.Sprint(errA) != fmt.Sprint(errB) {
				return fmt.Errorf("ends at another place: %v, %v", errA, errB)
			}
			return nil
		}
		if was == is {
			continue
		}
		if text, ok := is.(string); !ok || !strings.Contains(text, "[redacted:") {
			return fmt.Errorf("%v became %v", was, is)
		}
		if d, ok := was.(json.Delim); ok && (d == '{' || d == '[') {
			for depth := 1; depth > 0; {
				tok, err := a.Token()
				if err != nil {
					return err
				}
				switch tok {
				case json.Delim('{'), json.Delim('['):
					depth++
				case json.Delim('}'), json.Delim(']'):
					depth--
				}
			}
		}
	}
}

// TestNoProbeLeft puts each probe where it may stand and looks for what is left.
func TestNoProbeLeft(t *testing.T) {
	set, err := newPreset(PresetDefault)
	if err != nil {
		t.Fatal(err)
	}
	r := set.NewRedactor()
	edges := []string{"", " ", "\n", "\t", "\"", "'", "(", "<", ">", "[", "{", ",", ";", "=", "é ", "\U0001F600 ", "&"}
	rapid.Check(t, func(rt *rapid.T) {
		left := rapid.SampledFrom([]string{"", "x ", "x\n", "a=", "id=", "x: ", "x/", `{"a":"`, `{\"a\":\"`, "(", "<a>", "%3D", "%20", markerEmail + " "}).Draw(rt, "left")
		right := rapid.SampledFrom(edges).Draw(rt, "right")
		probe := rapid.SampledFrom(probes()).Draw(rt, "probe")
		text := left + probe + right
		for range rapid.IntRange(0, 2).Draw(rt, "levels") { // JSON in JSON in a string
			inner, err := json.Marshal(text)
			if err != nil {
				rt.Fatal(err)
			}
			text = `{"body":` + string(inner) + `}`
		}
		raw, err := json.Marshal(map[string]any{"payload": text})
		if err != nil {
			rt.Fatal(err)
		}
		out, _, err := r.Append(nil, raw, aictail.Span{}, "")
		if err != nil {
			rt.Fatal(err)
		}
		if len(out) == 0 {
			rt.Fatalf("nothing found in %s", raw)
		}
		for _, leak := range leaks() {
			if bytes.Contains(out, []byte(leak)) {
				rt.Fatalf("%q is left\n from %s\n   to %s", leak, raw, out)
			}
		}
		if err := checkEvent(r, raw, true); err != nil {
			rt.Fatal(err)
		}
	})
}

// FuzzAppend: no input makes the redactor panic, and valid input keeps all the
// properties.
func FuzzAppend(f *testing.F) {
	for _, p := range probes() {
		f.Add([]byte(`{"payload":` + quoted(f, p) + `}`))
		f.Add([]byte(`{"payload":{` + quoted(f, p) + `:[` + quoted(f, p) + `,1]}}`))
	}
	f.Add([]byte(`{"password":{"a":[1,"]"]},"payload":{"name":"token","value":4111111111111111}}`))
	f.Add([]byte(`{"payload":"\ud800\udc00\ud800 bob\u0040example.com\\"}`))
	f.Add([]byte(`{"payload":"[redacted:secret]4111111111111111"}`))
	f.Add([]byte(`{"payload":"token=\\\\\\\"x","x":"\u`))
	sets := propertySets(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		for name, set := range sets {
			r := set.NewRedactor()
			trimmed := bytes.TrimLeft(raw, " \t\r\n")
			if utf8.Valid(raw) && json.Valid(raw) && len(trimmed) > 0 && trimmed[0] == '{' {
				if err := checkEvent(r, raw, name == "default"); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				continue
			}
			// What is not valid must not crash; whether it is noticed is not promised.
			_, _, _ = r.Append(nil, raw, aictail.Span{}, "")
		}
	})
}

// FuzzEscapes: the inside of a JSON string means the same after the way there
// and back.
func FuzzEscapes(f *testing.F) {
	for _, s := range []string{`plain`, `\u0041\n\t\"\\\/\b\f\r`, `\ud83d\ude00`, `\ud83d`, `\udfff\ud83d`, "\xff\xed\xa0\x80", `\`, `\u12`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		decoded, ok := appendUnescaped(nil, []byte(s))
		valid := json.Valid([]byte(`"` + s + `"`))
		if valid && !ok {
			t.Fatalf("%q is valid", s)
		}
		if !valid {
			return
		}
		encoded := appendEscaped(nil, decoded)
		var want, got string
		if err := json.Unmarshal([]byte(`"`+s+`"`), &want); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(`"`+string(encoded)+`"`), &got); err != nil {
			t.Fatalf("%q: %v", encoded, err)
		}
		if !bytes.Contains([]byte(s), []byte("\xed")) && got != want {
			t.Fatalf("%q became %q", want, got)
		}
	})
}
