package redact

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// TestJoinable: one user and one address have one token, however they are written and
// wherever they stand.
func TestJoinable(t *testing.T) {
	set := newSet(t,
		Rule{Fields: []string{"/payload/userId", "/payload/ids"}, Action: "hash"},
		Rule{Detect: []string{"email", "card", "user_id"}, Action: "hash"},
		Rule{Keys: []string{"pan"}, Action: "hash"},
	)
	token := regexp.MustCompile(`\[hash:k2:[a-p]{32}\]`)
	for name, payloads := range map[string][]string{
		"user": {
			`{"userId":"0a1b2c3d-71b2-4b0e-9a53-0f6e2d4c8b71"}`,
			`{"userId":"id=0a1b2c3d-71b2-4b0e-9a53-0f6e2d4c8b71,ou=user,ou=am-config"}`,
			`{"userId":"id=0a1b2c3d-71b2-4b0e-9a53-0f6e2d4c8b71"}`,
			`{"userId":"managed/alpha_user/0a1b2c3d-71b2-4b0e-9a53-0f6e2d4c8b71"}`,
			`{"ids":["0A1B2C3D-71b2-4b0e-9a53-0f6e2d4c8b71"]}`,
			`{"m":"GET /openidm/managed/alpha_user/0a1b2c3d-71b2-4b0e-9a53-0f6e2d4c8b71?_fields=*"}`,
			`{"m":"for id=0a1b2c3d-71b2-4b0e-9a53-0f6e2d4c8b71,ou=user,o=alpha"}`,
			`{"m":"x=id%3D0a1b2c3d-71b2-4b0e-9a53-0f6e2d4c8b71%2Cou%3Duser%2Co%3Dalpha"}`,
		},
		"email": {`{"m":"to bob@example.com."}`, `{"m":"mail=Bob%40Example.com"}`, `{"userId":"bob@example.com"}`, `{"m":"{\"x\":\"bob\\u0040example.com\"}"}`},
		"card":  {`{"m":"4111 1111 1111 1111"}`, `{"m":"4111-1111-1111-1111"}`, `{"n":4111111111111111}`, `{"pan":4111111111111111}`, `{"m":"{\"n\":4111111111111111}"}`},
	} {
		var first string
		for _, payload := range payloads {
			got := payloadOf(t, set, "am-core", payload)
			found := token.FindAllString(got, -1)
			if len(found) != 1 {
				t.Errorf("%s: %s became %s", name, payload, got)
				continue
			}
			if first == "" {
				first = found[0]
			}
			if found[0] != first {
				t.Errorf("%s: %s became %s, not %s", name, payload, got, first)
			}
		}
	}
	if got := payloadOf(t, set, "", `{"userId":"id=bob,ou=user,o=alpha"}`); !strings.HasSuffix(got, `],ou=user,o=alpha"}`) {
		t.Errorf("what is around a user was changed: %s", got)
	}
}

// TestRotation: a new key makes new tokens, and those of the old one stay.
func TestRotation(t *testing.T) {
	old, err := ParseKeyring("k1: fedcba9876543210fedcba9876543210")
	if err != nil {
		t.Fatal(err)
	}
	rule := Rule{Keys: []string{"sn", "acct"}, Action: "hash"}
	before, err := New(Config{Rules: []Rule{rule}, Keys: old})
	if err != nil {
		t.Fatal(err)
	}
	after := newSet(t, rule)
	const payload = `{"sn":"Smith"}`
	first, second := payloadOf(t, before, "", payload), payloadOf(t, after, "", payload)
	if !strings.Contains(first, "[hash:k1:") || !strings.Contains(second, "[hash:k2:") {
		t.Errorf("tokens %s and %s", first, second)
	}
	if got := payloadOf(t, after, "", first); got != first {
		t.Errorf("the old token %s became %s", first, got)
	}
	forged := `{"sn":"[hash:k1:` + strings.Repeat("a", 32) + `]"}`
	if got := payloadOf(t, after, "", forged); got == forged {
		t.Error("something that only looks like a token was left as it is")
	}
}

func TestTokenise(t *testing.T) {
	set := newSet(t,
		Rule{Detect: []string{"card", "phone", "iban"}, Action: "tokenise"},
		Rule{Keys: []string{"user", "ref", "sn"}, Action: "tokenise"},
		Rule{Pattern: `CUST-([0-9A-Z]{24})`, Action: "tokenise"},
	)
	for payload, shape := range map[string]string{
		`{"m":"4111 1111 1111 1111"}`:                                   `\{"m":"1\d{3} \d{4} \d{4} \d{4}"\}`,
		`{"m":"+49 30 1234567"}`:                                        `\{"m":"\+99 9\d \d{7}"\}`,
		`{"m":"(415) 555-2671"}`:                                        `\{"m":"\(0\d\d\) \d{3}-\d{4}"\}`,
		`{"m":"1-415-555-2671"}`:                                        `\{"m":"1-0\d\d-\d{3}-\d{4}"\}`,
		`{"m":"0049 30 1234567"}`:                                       `\{"m":"0099 9\d \d{7}"\}`,
		`{"m":"DE44 5001 0517 5407 3249 31"}`:                           `\{"m":"XX\d\d \d{4} \d{4} \d{4} \d{4} \d\d"\}`,
		`{"user":"0a1b2c3d-71b2-4b0e-9a53-0f6e2d4c8b71"}`:               `\{"user":"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"\}`,
		`{"ref":"ABC-123456789012345678-Zz"}`:                           `\{"ref":"[A-Z]{3}-\d{18}-[A-Z][a-z]"\}`,
		`{"sn":"Smith"}`:                                                `\{"sn":"\[hash:k2:[a-p]{32}\]"\}`,
		`{"sn":"managed/alpha_user/bobbob@example.combob@example.com"}`: `\{"sn":"managed/alpha_user/[a-z]{6}@[a-z]{7}\.[a-z]{6}@[a-z]{7}\.[a-z]{3}"\}`,
		`{"sn":"Müllermeisterhausenthalerdorfer"}`:                      `\{"sn":"\[hash:k2:[a-p]{32}\]"\}`,
		`{"m":"x CUST-ABCDEFGHIJKLMNOPQRSTUVWX y"}`:                     `\{"m":"x CUST-[A-Z]{24} y"\}`,
	} {
		got := payloadOf(t, set, "", payload)
		if got == payload || !regexp.MustCompile(`^`+shape+`$`).MatchString(got) {
			t.Errorf("%s became %s, want %s", payload, got, shape)
		}
		if again := payloadOf(t, set, "", payload); again != got {
			t.Errorf("%s became %s and %s", payload, got, again)
		}
	}
}

func TestKeyring(t *testing.T) {
	const key = "0123456789abcdef0123456789abcdef"
	for text, want := range map[string]string{
		key + "\n":                               "k1",
		"# new\n2026: " + key + "\n\nold:" + key: "2026 old",
		"":                                       "has no key in it",
		"# none\n":                               "has no key in it",
		"short":                                  "key 1 is too short",
		"a: " + key + "\n" + key:                 "key 2 has no id",
		"a: " + key + "\na: " + key:              "key 2 has the id of another key",
		"A b: " + key:                            "the id of key 1",
		"waytoolongforanidofakey: " + key + "\n": "the id of key 1",
	} {
		ring, err := ParseKeyring(text)
		got := fmt.Sprint(err)
		if err == nil {
			got = strings.Join(ring.IDs(), " ")
		} else if strings.Contains(got, key) {
			t.Errorf("the error shows a key: %s", got)
		}
		if !strings.HasPrefix(got, want) {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
	ring, err := ParseKeyring(key)
	if err != nil {
		t.Fatal(err)
	}
	marshalled, err := json.Marshal(map[string]any{"keys": ring})
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		marshalled = fmt.Appendf(marshalled, verb+verb, ring, Config{Keys: ring})
	}
	if strings.Contains(string(marshalled), key) || strings.Contains(string(marshalled), fmt.Sprintf("%x", key)) {
		t.Errorf("a key is shown: %s", marshalled)
	}
}
