package redact

import (
	"strings"
	"testing"
)

// FuzzKeyring: what is accepted can be used, and no error repeats the text.
func FuzzKeyring(f *testing.F) {
	for _, text := range []string{testKeys, "", "#\n", "a:b", strings.Repeat("x", 40), "k1: " + strings.Repeat("y", 40) + "\r\n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ring, err := ParseKeyring(text)
		if err != nil {
			for line := range strings.Lines(text) {
				if _, key, _ := strings.Cut(line, ":"); len(key) > minKey && strings.Contains(err.Error(), key) {
					t.Fatalf("the error shows a key: %v", err)
				}
			}
			return
		}
		h := newHasher(ring)
		token := h.appendHash(nil, []byte("bob"))
		if !h.isHash(token) || !isWholeMarker(token) {
			t.Fatalf("%s is not recognised", token)
		}
	})
}

// FuzzRule: no rule crashes the compiler or the redactor, and what is accepted keeps the
// properties of redaction.
func FuzzRule(f *testing.F) {
	f.Add("/payload/a/*/b", "mail", `CUST-(\d+)`, "hash")
	f.Add("/payload/~0~1", "x.y", `(?i)a|b{2,3}`, "partial")
	f.Add("//", "", `[`, "keep")
	f.Fuzz(func(t *testing.T, field, key, pattern, action string) {
		keys, err := ParseKeyring(testKeys)
		if err != nil {
			t.Fatal(err)
		}
		for _, rule := range []Rule{{Fields: []string{field}, Action: action}, {Keys: []string{key}, Action: action}, {Pattern: pattern, Action: action}} {
			set, err := New(Config{Rules: []Rule{rule}, Keys: keys})
			if err != nil {
				continue
			}
			raw := `{"payload":{"a":[{"b":"CUST-12 x bob@example.com"}],"mail":"aabb","~/":1234},"type":"x"}`
			if err := checkEvent(set.NewRedactor(), []byte(raw), false); err != nil {
				t.Fatalf("%+v: %v", rule, err)
			}
		}
	})
}
