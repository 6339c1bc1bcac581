package redact

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const testKeys = "k2: 0123456789abcdef0123456789abcdef\nk1: fedcba9876543210fedcba9876543210\n"

// newSet compiles rules, with keys.
func newSet(t testing.TB, rules ...Rule) *Set {
	t.Helper()
	keys, err := ParseKeyring(testKeys)
	if err != nil {
		t.Fatal(err)
	}
	set, err := New(Config{Rules: rules, Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// payloadOf redacts an event of the source with this payload and checks what must hold
// for every event.
func payloadOf(t testing.TB, set *Set, source, payload string) string {
	t.Helper()
	out, span := redactBy(t, set, source, `{"payload":`+payload+`,"type":"application/json","source":"`+source+`"}`)
	return string(span.Of([]byte(out)))
}

func TestRules(t *testing.T) {
	mail := Rule{Detect: []string{"email"}, Action: "partial"}
	for _, c := range []struct {
		name          string
		rules         []Rule
		source        string
		payload, want string
	}{
		{"field", []Rule{{Fields: []string{"/payload/userId"}}}, "", `{"userId":"bob","x":"bob"}`, `{"userId":"[redacted:field]","x":"bob"}`},
		{"named field", []Rule{{Fields: []string{"/payload/userId"}, Name: "who"}}, "", `{"userId":"bob"}`, `{"userId":"[redacted:who]"}`},
		{"object", []Rule{{Fields: []string{"/payload/after"}}}, "", `{"after":{"a":[1,"}"]},"b":2}`, `{"after":"[redacted:field]","b":2}`},
		{"nothing to hide", []Rule{{Fields: []string{"/payload/*"}}}, "", `{"a":null,"b":"","c":[],"d":true,"e":1}`, `{"a":null,"b":"","c":[],"d":true,"e":"[redacted:field]"}`},
		{"star", []Rule{{Fields: []string{"/payload/*/ip"}}}, "", `{"a":{"ip":"x","y":1},"b":[{"ip":"z"}],"ip":1}`, `{"a":{"ip":"[redacted:field]","y":1},"b":[{"ip":"z"}],"ip":1}`},
		{"array", []Rule{{Fields: []string{"/payload/entries/*/info/ip"}}}, "", `{"entries":[{"info":{"ip":"a"}},{"info":{"ip":"b"}}],"x":{"info":{"ip":"c"}}}`,
			`{"entries":[{"info":{"ip":"[redacted:field]"}},{"info":{"ip":"[redacted:field]"}}],"x":{"info":{"ip":"c"}}}`},
		{"elements", []Rule{{Fields: []string{"/payload/p/*"}}}, "", `{"p":["a",["b"],1],"q":["a"]}`, `{"p":["[redacted:field]","[redacted:field]","[redacted:field]"],"q":["a"]}`},
		{"escaped pointer and key", []Rule{{Fields: []string{"/payload/a~1b"}}}, "", `{"a\/b":"x"}`, `{"a\/b":"[redacted:field]"}`},
		{"outside the payload", []Rule{{Fields: []string{"/note/x"}}}, "", `{"note":{"x":1}}`, `{"note":{"x":1}}`},

		{"remove first", []Rule{{Keys: []string{"a"}, Action: "remove"}, {Keys: []string{"aa"}, Action: "remove"}}[1:], "", `{"aa":1,"b":2}`, `{"b":2}`},
		{"remove last", []Rule{{Keys: []string{"bb"}, Action: "remove"}}, "", `{"a":1 , "bb":{"x":[]}}`, `{"a":1 }`},
		{"remove in the middle", []Rule{{Keys: []string{"bb"}, Action: "remove"}}, "", `{"a":1,"bb":null,"c":3}`, `{"a":1,"c":3}`},
		{"remove all", []Rule{{Fields: []string{"/payload/*"}, Action: "remove"}}, "", `{"a":1, "b":[1,2], "c":"x"}`, `{}`},
		{"remove elements", []Rule{{Fields: []string{"/payload/p/*"}, Action: "remove"}}, "", `{"p":[1,{"a":2},"x"],"q":1}`, `{"p":[],"q":1}`},
		{"remove text", []Rule{{Detect: []string{"email"}, Action: "remove"}}, "", `"a bob@example.com b"`, `"a  b"`},

		{"key", []Rule{{Keys: []string{"employee_number"}}}, "", `{"x":{"employeeNumber":17,"Employee-Number":"a"}}`, `{"x":{"employeeNumber":"[redacted:key]","Employee-Number":"[redacted:key]"}}`},
		{"key in nested json", []Rule{{Keys: []string{"sn"}}}, "", `"got {\"sn\":\"Smith\",\"x\":{\"sn\": 12}}"`, `"got {\"sn\":\"[redacted:key]\",\"x\":{\"sn\": \"[redacted:key]\"}}"`},
		{"key in a url", []Rule{{Keys: []string{"sn"}}}, "", `"/x?sn=Smith&y=1&goto=%2Fa%3Fsn%3DSmith%26z"`, `"/x?sn=[redacted:key]&y=1&goto=%2Fa%3Fsn%3D[redacted:key]%26z"`},
		{"key in a dn", []Rule{{Keys: []string{"uid"}}}, "", `"uid=bob,ou=people,o=x"`, `"uid=[redacted:key],ou=people,o=x"`},
		{"key in prose", []Rule{{Keys: []string{"message"}}}, "", `"message: all is well"`, `"message: all is well"`},
		{"key of a pair", []Rule{{Keys: []string{"mail"}}}, "", `{"field":"/mail","value":"x"}`, `{"field":"/mail","value":"[redacted:key]"}`},

		{"own action for a detector", []Rule{mail}, "", `"to bob@example.com"`, `"to ***@example.com"`},
		{"detector in a field", []Rule{{Detect: []string{"ip"}, Fields: []string{"/payload/client"}, Action: "truncate"}}, "",
			`{"client":{"ip":"203.0.113.9","l":[["2001:db8:1:2::3"]]},"x":"203.0.113.9"}`, `{"client":{"ip":"203.0.113.0","l":[["2001:db8:1::"]]},"x":"203.0.113.9"}`},
		{"field before detector", []Rule{{Detect: []string{"email"}, Fields: []string{"/payload/a"}, Action: "remove"}, mail}, "", `{"a":"bob@example.com","b":"bob@example.com"}`, `{"a":"","b":"***@example.com"}`},
		{"first wins", []Rule{mail, {Detect: []string{"email"}, Action: "remove"}}, "", `"bob@example.com"`, `"***@example.com"`},
		{"keep", []Rule{{Detect: []string{"phone"}, Action: "keep"}}, "", `"+14155552671 bob@example.com"`, `"+14155552671 [redacted:email]"`},
		{"keep in a field", []Rule{{Detect: []string{"email"}, Fields: []string{"/payload/a"}, Action: "keep"}}, "", `{"a":"bob@example.com","b":"bob@example.com"}`, `{"a":"bob@example.com","b":"[redacted:email]"}`},
		{"secrets stay", []Rule{{Preset: "secrets"}, {Fields: []string{"/payload/a"}, Action: "keep"}}, "", `{"a":{"password":"x"}}`, `{"a":{"password":"[redacted:secret]"}}`},
		{"secrets stay, all kept", []Rule{{Preset: "secrets"}, {Fields: []string{"/payload/*"}, Action: "keep"}}, "", `{"password":"x","a":"b"}`, `{"password":"[redacted:secret]","a":"b"}`},
		{"secrets in part", []Rule{{Fields: []string{"/payload/*"}, Action: "partial"}}, "", `{"password":"0123456789abcdef","b":{"pwd":["0123456789abcdef"],"c":"0123456789abcdef"}}`,
			`{"password":"[redacted:secret]","b":{"pwd":"[redacted:secret]","c":"************cdef"}}`},
		{"keys in a field", []Rule{{Detect: []string{"ipv4"}, Fields: []string{"/payload/a"}, Action: "truncate"}}, "", `{"a":{"203.0.113.9":1},"203.0.113.9":2}`, `{"a":{"203.0.113.0":1},"203.0.113.9":2}`},
		{"gdpr", []Rule{{Preset: "gdpr"}}, "am-access", `{"userId":"","principal":[],"sn":null,"x":"10.0.0.7"}`, `{"userId":"","principal":[],"sn":null,"x":"10.0.0.0"}`},
		{"off and own", []Rule{{Preset: "off"}, {Keys: []string{"sn"}}}, "", `{"sn":"x","password":"y"}`, `{"sn":"[redacted:key]","password":"y"}`},

		{"sources", []Rule{{Keys: []string{"sn"}, Sources: []string{"am-core"}}}, "am-core", `{"sn":"x"}`, `{"sn":"[redacted:key]"}`},
		{"other source", []Rule{{Keys: []string{"sn"}, Sources: []string{"am-core"}}}, "am-access", `{"sn":"x"}`, `{"sn":"x"}`},
		{"except", []Rule{{Keys: []string{"sn"}, Except: []string{"am-core"}}}, "am-core", `{"sn":"x"}`, `{"sn":"x"}`},
		{"except others", []Rule{{Keys: []string{"sn"}, Except: []string{"am-core"}}}, "am-access", `{"sn":"x"}`, `{"sn":"[redacted:key]"}`},
		{"unknown source", []Rule{{Keys: []string{"sn"}, Except: []string{"am-core"}}, {Keys: []string{"cn"}, Sources: []string{"x"}}}, "", `{"sn":"x","cn":"y"}`, `{"sn":"[redacted:key]","cn":"[redacted:key]"}`},

		{"pattern", []Rule{{Pattern: `CUST-\d+`}}, "", `"a CUST-1234 b CUST-5"`, `"a [redacted:pattern] b [redacted:pattern]"`},
		{"group", []Rule{{Pattern: `customer (\d+)`, Name: "customer"}}, "", `"a customer 12 b"`, `"a customer [redacted:customer] b"`},
		{"accept", []Rule{{Pattern: `\b\d{8}\b`, Accept: "luhn"}}, "", `"12345674 12345678"`, `"[redacted:pattern] 12345678"`},
		{"number", []Rule{{Pattern: `\d{4}`}}, "", `{"a":1234,"b":12}`, `{"a":"[redacted:pattern]","b":12}`},
		{"pattern in a key", []Rule{{Pattern: `CUST-\d+`}}, "", `{"CUST-1":1}`, `{"[redacted:pattern]":1}`},
		{"pattern in a field", []Rule{{Pattern: `CUST-\d+`, Fields: []string{"/payload/a"}}}, "", `{"a":"CUST-1","b":"CUST-1"}`, `{"a":"[redacted:pattern]","b":"CUST-1"}`},
		{"pattern of everything", []Rule{{Pattern: `.+`}}, "", `"a b"`, `"[redacted:pattern]"`},
		{"pattern of words", []Rule{{Pattern: `[a-z]+`}}, "", `"some 1 [redacted:x] \"words\""`, `"[redacted:pattern] 1 [redacted:x] \"[redacted:pattern]\""`},
		{"partial pattern", []Rule{{Pattern: `\d{12}`, Action: "partial"}}, "", `"123456789012"`, `"********9012"`},

		{"partial", []Rule{{Keys: []string{"sn", "mail", "acct"}, Action: "partial"}}, "", `{"sn":"Müller","mail":"bob@example.com","acct":"123456789012"}`, `{"sn":"******","mail":"***@example.com","acct":"********9012"}`},
		{"partial card", []Rule{{Detect: []string{"card", "iban", "phone"}, Action: "partial"}}, "", `{"a":"4111 1111 1111 1111 / DE44 5001 0517 5407 3249 31","b":"+49 30 1234567","c":4111111111111111}`,
			`{"a":"**** **** **** 1111 / DE** **** **** **** **49 31","b":"+** ** ****567","c":"************1111"}`},
		{"gdpr without wrapping", []Rule{{Preset: "gdpr"}}, "", `{"givenName":"Bob","client":{"ip":"203.0.113.9"},"x":"RSSMRA85T10A562S"}`, `{"givenName":"[redacted:person]","client":{"ip":"203.0.113.0"},"x":"[redacted:national_id]"}`},
		{"number in nested json", nil, "", `"{\"n\":4111111111111111,\"m\":\"{\\\"n\\\": 4111111111111111}\"}"`, `"{\"n\":\"[redacted:card]\",\"m\":\"{\\\"n\\\": \\\"[redacted:card]\\\"}\"}"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := payloadOf(t, newSet(t, c.rules...), c.source, c.payload); got != c.want {
				t.Errorf("\n from %s\n  got %s\n want %s", c.payload, got, c.want)
			}
		})
	}
}

func TestEnvelopeStays(t *testing.T) {
	set := newSet(t, Rule{Keys: []string{"source", "type", "timestamp", "payload"}, Action: "remove"}, Rule{Pattern: "[a-z]+"})
	raw := `{"payload":{"type":"x"},"source":"am-core","type":"json","timestamp":"now"}`
	want := `{"payload":{},"source":"am-core","type":"json","timestamp":"now"}`
	if got, _ := redactBy(t, set, "am-core", raw); got != want {
		t.Errorf("got %s", got)
	}
}

func TestRuleProblems(t *testing.T) {
	for _, c := range []struct {
		rule Rule
		want string
	}{
		{Rule{Preset: "all"}, `[0].preset: want one of gdpr, default, secrets, off, got "all"`},
		{Rule{Preset: "default", Keys: []string{"x"}}, `[0]: a preset stands alone: put the other keys into a rule of their own`},
		{Rule{Action: "hash"}, `[0]: chooses nothing: want preset, fields, keys, detect or pattern`},
		{Rule{Keys: []string{"ab"}, Detect: []string{"email"}}, `[0]: keys, detect and pattern exclude each other: make a rule of each`},
		{Rule{Keys: []string{"ab"}, Fields: []string{"/payload/x"}}, `[0].fields: has no effect beside keys: name the field's whole path in fields instead`},
		{Rule{Keys: []string{"a"}}, `[0].keys[0]: want the name of a member, 2 to 48 characters, without a path`},
		{Rule{Fields: []string{"payload"}}, `[0].fields[0]: want a path that begins with a slash, such as /payload/userId`},
		{Rule{Fields: []string{"/payload"}}, `[0].fields[0]: want a path below /payload: the envelope stays as it is`},
		{Rule{Fields: []string{"/source/x"}}, `[0].fields[0]: want a path below /payload: the envelope stays as it is`},
		{Rule{Fields: []string{"/payload/a/0"}}, `[0].fields[0]: elements of arrays have no numbers here: write * for any of them`},
		{Rule{Fields: []string{"/payload/a//b"}}, `[0].fields[0]: has an empty step: remove the slash that is too much`},
		{Rule{Keys: []string{"ab"}, Action: "encrypt"}, `[0].action: want one of mask, remove, partial, hash, truncate, tokenise, keep, got "encrypt"`},
		{Rule{Keys: []string{"ab"}, Action: "hash"}, `[0].action: hash needs a key: set filter.hash_key_file`},
		{Rule{Keys: []string{"ab"}, Action: "truncate"}, `[0].action: truncate is for IP addresses: add detect: [ipv4, ipv6]`},
		{Rule{Keys: []string{"password"}, Action: "partial"}, `[0].action: partial is not possible for password: the name is that of a secret; use mask, remove or hash`},
		{Rule{Fields: []string{"/payload/token"}, Action: "keep"}, `[0].action: keep is not possible for token: the name is that of a secret; use mask, remove or hash`},
		{Rule{Detect: []string{"jwt"}, Action: "keep"}, `[0].action: keep is not possible for jwt: secrets and tokens are taken out by every preset but off`},
		{Rule{Detect: []string{"email"}, Action: "truncate"}, `[0].action: truncate is not possible for email; it is for ipv4, ipv6`},
		{Rule{Detect: []string{"secret_key"}}, `[0].detect[0]: there is no detector "secret_key"; there are ` + strings.Join(detectNames(), ", ")},
		{Rule{Detect: []string{"email"}, Name: "x"}, `[0].name: detectors have names of their own: remove it`},
		{Rule{Keys: []string{"ab"}, Name: "A b"}, `[0].name: want 1 to 32 characters of a-z, 0-9, _ and -, beginning with a letter`},
		{Rule{Keys: []string{"ab"}, Sources: []string{"x"}, Except: []string{"y"}}, `[0].except: set together with sources: remove one of them`},
		{Rule{Keys: []string{"ab"}, Accept: "luhn"}, `[0].accept: is for pattern alone: remove it`},
		{Rule{Keys: []string{"ab"}, Example: "x"}, `[0].example: is for pattern alone: remove it`},
		{Rule{Pattern: "("}, "[0].pattern: is no regular expression (RE2): error parsing regexp: missing closing ): `(`"},
		{Rule{Pattern: "x*"}, `[0].pattern: matches the empty text: it would match everywhere`},
		{Rule{Pattern: "(a)(b)"}, `[0].pattern: has several groups: keep the one to be replaced and write the others as (?:...)`},
		{Rule{Pattern: strings.Repeat("x", 1001)}, `[0].pattern: is longer than 1000 characters: split it into several rules`},
		{Rule{Pattern: strings.Repeat("[a-z]{100}", 60)}, `[0].pattern: is too large: use smaller numbers of repetitions`},
		{Rule{Pattern: "ab", Accept: "crc"}, `[0].accept: want luhn or mod97`},
		{Rule{Pattern: "ab", Action: "keep"}, `[0].action: keep is not possible for a pattern: use except or sources`},
		{Rule{Pattern: `AB(\d+)`, Accept: "luhn", Example: "AB12"}, `[0].example: the pattern finds nothing in it, or accept refuses what it finds`},
	} {
		_, err := New(Config{Rules: []Rule{c.rule}})
		if err == nil || err.Error() != c.want {
			t.Errorf("%+v\n  got %v\n want %s", c.rule, err, c.want)
		}
	}
	if _, err := New(Config{Rules: []Rule{{Preset: "off"}, {Preset: "default"}}}); err == nil {
		t.Error("off beside another preset was accepted")
	}
}

func TestRuleWarnings(t *testing.T) {
	set, err := New(Config{Rules: []Rule{
		{Preset: "gdpr"},
		{Preset: "secrets"},
		{Fields: []string{"/payload/*", "/payload/a/b"}},
		{Fields: []string{"/payload/a", "/payload/b/c"}, Sources: []string{"am-core"}},
		{Keys: []string{"userName"}, Except: []string{"am-core"}},
		{Keys: []string{"user-name", "x1"}, Except: []string{"am-core"}},
		{Keys: []string{"userName"}},
		{Detect: []string{"ipv4"}, Fields: []string{"/note/x"}, Action: "truncate"},
		{Detect: []string{"ip"}, Fields: []string{"/note/x/y"}},
		{Detect: []string{"email"}, Fields: []string{"/payload/c"}},
		{Pattern: `[0-9]{3}`, Example: "123"},
		{Pattern: `ab[0-9]`},
	}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, w := range set.Warnings() {
		got = append(got, w.Key+": "+w.Msg)
	}
	want := []string{
		"[10].pattern: has no fixed text in it by which strings without a match could be told quickly: every string is searched by it, which takes time",
		"[11].example: missing: give a text in which the pattern must find something, so that a mistake in it shows here",
		"[1].preset: has no effect: a stricter preset is there, too",
		": the preset gdpr masks user ids, so that one user's events cannot be found any more: with filter.hash_key_file they are hashed instead",
		"[3].fields[0]: has no effect: rule [2] has handled it before",
		"[5].keys[0]: has no effect: rule [4] has handled it before",
		"[8].detect: has no effect for ipv4: rule [7] has handled it before",
		"[9].fields[0]: has no effect: rule [2] replaces the whole field",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestOrderOfPointers: the first rule wins however its pointers overlap with others.
func TestOrderOfPointers(t *testing.T) {
	exact := Rule{Fields: []string{"/payload/a/b"}, Name: "exact"}
	star := Rule{Fields: []string{"/payload/*/b"}, Name: "star"}
	for want, rules := range map[string][]Rule{"exact": {exact, star}, "star": {star, exact}} {
		payload := `{"a":{"b":"x"},"z":{"b":"x"}}`
		expected := fmt.Sprintf(`{"a":{"b":"[redacted:%s]"},"z":{"b":"[redacted:star]"}}`, want)
		if got := payloadOf(t, newSet(t, rules...), "", payload); got != expected {
			t.Errorf("%s first: %s", want, got)
		}
	}
}
