package redact

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
)

// sample is a labelled payload: what it holds and which detector is to find it. A
// look-alike holds nothing.
type sample struct {
	detector string
	value    string
	payload  string // JSON
}

// corpus makes the same labelled payloads every time: values of every detector in the
// disguises in which logs have them, and what AM and IDM log that resembles them. The
// values come from code of its own (corpusvalues_test.go), not from the detectors.
type corpus struct {
	*rand.Rand
	samples []sample
}

// perDetector is how many values of each detector there are.
const perDetector = 84

func newCorpus(t testing.TB) *corpus {
	t.Helper()
	c := &corpus{Rand: rand.New(rand.NewPCG(20261, 7))}
	for _, d := range c.values() {
		for i := range perDetector {
			text, value := d.make()
			payload := text
			if !d.json {
				payload = c.disguise(t, text, i, d.plain)
			}
			c.samples = append(c.samples, sample{d.name, value, payload})
		}
	}
	for _, text := range c.lookAlikes() {
		c.samples = append(c.samples, sample{payload: c.disguise(t, text, c.IntN(10), true)})
	}
	return c
}

// disguise puts a text into a payload in the n-th way. Structured texts only go where
// they stay what they are.
func (c *corpus) disguise(t testing.TB, text string, n int, plain bool) string {
	object := func(name, value string) string { return fmt.Sprintf(`{"level":"INFO",%q:%s}`, name, quoted(t, value)) }
	ways := []func() string{
		func() string { return quoted(t, text) },
		func() string { return object("message", "Could not process "+text+", giving up") },
		func() string { return object("message", "user input: "+text) },
		func() string {
			return object("exception", "java.lang.IllegalArgumentException: bad value "+text+"\n\tat org.forgerock.openam.core.rest.Handler.handle(Handler.java:54)\n\tat java.base/java.lang.Thread.run(Thread.java:829)")
		},
		func() string { return object("body", `{"data":`+quoted(t, text)+`,"n":1}`) },
		func() string { return object("body", `{"x":`+quoted(t, `{"data":[`+quoted(t, text)+`]}`)+`}`) },
		func() string { return `{"http":{"request":{"headers":{"x-custom":[` + quoted(t, text) + `]}}}}` },
		func() string { return `{"message":"` + unicodeEscaped(text) + `"}` },
		func() string { return object("message", "<ns:value>"+text+"</ns:value>") },
		func() string { return object("message", "got '"+text+"' and \""+text+"\"") },
	}
	if !plain {
		ways = append(ways,
			func() string {
				return object("path", "/am/json/authenticate?goto=x&data="+url.QueryEscape(text)+"&realm=%2Falpha")
			},
			func() string {
				return object("path", "https://am.example.com/am?goto="+url.QueryEscape("https://a.example.com/?d="+text+"&y=1"))
			},
			func() string { return object("objectId", "cn="+text+",ou=agents,o=alpha,ou=services,ou=am-config") },
			func() string { return object("message", "{name=demo, data="+text+", realm=/alpha}") },
			func() string { return object("message", "[data="+text+"]") },
			func() string { return `{"attributes":{` + quoted(t, text) + `:true}}` },
			func() string { return object("message", "data="+text+";x=1") },
		)
	}
	return ways[n%len(ways)]()
}

// unicodeEscaped writes what is neither letter nor digit as escapes of JSON.
func unicodeEscaped(text string) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		if isAlnum(c) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, `\u%04x`, c)
		}
	}
	return b.String()
}

func (c *corpus) pick(from ...string) string { return from[c.IntN(len(from))] }

func (c *corpus) digits(n int) string { return c.from("0123456789", n) }

func (c *corpus) from(alphabet string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[c.IntN(len(alphabet))]
	}
	return string(b)
}

func (c *corpus) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(c.Uint32())
	}
	return b
}

func (c *corpus) hex(n int) string { return hex.EncodeToString(c.bytes(n)) }

func (c *corpus) uuid() string {
	h := c.hex(16)
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-a" + h[17:20] + "-" + h[20:]
}

func (c *corpus) base64url(n int) string { return base64.RawURLEncoding.EncodeToString(c.bytes(n)) }

func (c *corpus) transaction() string {
	return fmt.Sprintf("%d-%s-%d/0", 1664000000000+c.Int64N(1e11), c.hex(10), c.IntN(1e5))
}

// lookAlikes returns what AM, IDM and what they are made of write into logs.
func (c *corpus) lookAlikes() []string {
	class := func() string {
		return c.pick("org.forgerock.openam.core.rest.session.SessionResource", "com.sun.identity.authentication.service.AMLoginContext", "org.forgerock.json.jose.jws.SignedJwt",
			"org.forgerock.openidm.sync.impl.ObjectMapping", "com.iplanet.dpro.session.SessionID", "org.forgerock.opendj.ldap.CachedConnectionPool")
	}
	year := func() int { return 2020 + c.IntN(7) }
	makers := []func() string{
		c.uuid,
		func() string { return fmt.Sprintf("%s-%d", c.uuid(), c.IntN(1e6)) },
		c.transaction,
		func() string { return c.transaction() + "/" + fmt.Sprint(c.IntN(9)) + "/0" },
		func() string { return fmt.Sprintf("%s-request-%d/0", c.uuid(), c.IntN(90)) },
		func() string {
			return fmt.Sprintf("%d-%02d-%02dT%02d:%02d:%02d.%09dZ", year(), 1+c.IntN(12), 1+c.IntN(28), c.IntN(24), c.IntN(60), c.IntN(60), c.IntN(1e9))
		},
		func() string {
			return fmt.Sprintf("%d-%02d-%02d %02d:%02d:%02d,%03d", year(), 1+c.IntN(12), 1+c.IntN(28), c.IntN(24), c.IntN(60), c.IntN(60), c.IntN(1000))
		},
		func() string {
			return fmt.Sprintf("Dec %02d, %d %d:%02d:%02d PM %s readInstance", 1+c.IntN(28), year(), 1+c.IntN(12), c.IntN(60), c.IntN(60), class())
		},
		func() string {
			return fmt.Sprintf("[%02d/Dec/%d:%02d:%02d:%02d +0%d00]", 1+c.IntN(28), year(), c.IntN(24), c.IntN(60), c.IntN(60), c.IntN(10))
		},
		func() string {
			return fmt.Sprintf("%d%02d%02d%02d%02d%02dZ", year(), 1+c.IntN(12), 1+c.IntN(28), c.IntN(24), c.IntN(60), c.IntN(60))
		},
		func() string { return fmt.Sprint(1600000000000 + c.Int64N(2e11)) },
		func() string { return fmt.Sprint((1600000000 + c.Int64N(2e8)) * 1e9) },
		func() string { return fmt.Sprint(1600000000 + c.Int64N(2e8)) },
		func() string { return class() + "@" + strings.TrimLeft(c.hex(4), "0") },
		func() string { return fmt.Sprintf("%s$$Lambda$%d/0x%s@%s", class(), c.IntN(2000), c.hex(8), c.hex(4)) },
		func() string {
			return fmt.Sprintf("\tat %s.handle(%s.java:%d)", class(), "SessionResource", c.IntN(2000))
		},
		func() string {
			return fmt.Sprintf("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.0.0 Safari/537.36", 90+c.IntN(40))
		},
		func() string {
			return fmt.Sprintf("Chrome/%d.0.%d.%d Edg/%d.0.%d.%d", 90+c.IntN(40), 100+c.IntN(150), c.IntN(250), 90+c.IntN(40), 100+c.IntN(150), c.IntN(90))
		},
		func() string {
			return fmt.Sprintf("Apache-HttpAsyncClient/4.1.%d (Java/11.0.%d.%d)", c.IntN(9), 10+c.IntN(12), 1+c.IntN(9))
		},
		func() string {
			return fmt.Sprintf("ForgeRock AM 7.%d.%d.%d Build %s (%d-March-11 14:40)", c.IntN(6), c.IntN(4), 1+c.IntN(9), c.hex(5), year())
		},
		func() string {
			return fmt.Sprintf("version %d.%d.%d.%d", 1+c.IntN(20), c.IntN(20), c.IntN(20), c.IntN(200))
		},
		func() string { return fmt.Sprintf("tomcat-embed-core-9.0.%d.%d.jar", c.IntN(90), c.IntN(9)) },
		func() string { return fmt.Sprintf("v%d.%d.%d.%d", c.IntN(9), c.IntN(9), c.IntN(9), c.IntN(90)) },
		func() string { return "1.3.6.1.4.1.36733.2.1." + fmt.Sprint(c.IntN(9)) + "." + fmt.Sprint(c.IntN(300)) },
		func() string { return fmt.Sprintf("2.5.4.%d", 3+c.IntN(60)) },
		func() string { return "md5 " + c.hex(16) },
		func() string { return c.hex(20) },
		func() string { return "sha256:" + c.hex(32) },
		func() string { return "00-" + c.hex(16) + "-" + c.hex(8) + "-01" },
		func() string { return c.hex(16) + "/" + fmt.Sprint(c.Uint64()>>1) + ";o=1" },
		func() string {
			return strings.ToUpper(strings.TrimRight(strings.ReplaceAll(fmt.Sprintf("% x", c.bytes(20)), " ", ":"), ":"))
		},
		func() string { return strings.ReplaceAll(fmt.Sprintf("% x", c.bytes(6)), " ", ":") },
		func() string { return fmt.Sprintf("http-nio-8080-exec-%d", c.IntN(300)) },
		func() string {
			return fmt.Sprintf("127.0.0.1:%d -> localhost:%d", 1024+c.IntN(60000), 8080+c.IntN(900))
		},
		func() string {
			return fmt.Sprintf("elapsedTime=%d, size=%d, maxPoolSize=%d", c.IntN(9000), c.IntN(1e9), c.IntN(99))
		},
		func() string {
			return fmt.Sprintf("\"GET /am/json/health/live HTTP/1.1\" 200 %d %d", c.IntN(1e5), c.IntN(9000))
		},
		func() string {
			return "ou=default,ou=OrganizationConfig,ou=1.0,ou=AgentService,ou=services,o=alpha,ou=services,ou=am-config"
		},
		func() string { return "managed/alpha_organization/" + c.uuid() },
		func() string { return "internal/role/" + c.uuid() },
		func() string { return fmt.Sprintf("W/\"%x-%s\"", c.IntN(1e6), c.from("abcdefABCDEF0123456789+/", 22)) },
		func() string { return "grant_type=client_credentials&scope=fr%3Aidm%3A*&token_type_hint=access_token" },
		func() string { return "code_challenge=" + c.base64url(32) + "&code_challenge_method=S256" },
		func() string {
			return c.pick("Failed to decode token: invalid signature", "Bearer token expired", "Basic authentication failed for realm /alpha", "Bearer realm=\"idm\", error=\"invalid_token\"")
		},
		func() string {
			return c.pick("passwordChanged=false", "password=null", "secret: {}", "token == null", "changedFields=[/password]", "LOADED SECRET TO ESV", "tokenType=Bearer")
		},
		func() string { return fmt.Sprintf("amlbcookie=%02d; Path=/; Secure", c.IntN(99)) },
		func() string { return "urn:ietf:params:oauth:grant-type:jwt-bearer" },
		func() string {
			return fmt.Sprintf("org.forgerock.openam.Foo::bar, Map::entry %d::%d", c.IntN(9), c.IntN(9))
		},
		func() string { return fmt.Sprintf("logo@%dx.png", 2+c.IntN(2)) },
		func() string { return fmt.Sprintf("lodash@4.17.%d", c.IntN(30)) },
		func() string {
			return fmt.Sprintf("sequence %d of %d, revision=%d", c.IntN(1e7), c.IntN(1e8), c.IntN(1e9))
		},
		func() string { return fmt.Sprintf("-Xmx%dm -XX:MaxMetaspaceSize=%dm", 256*c.IntN(16), 256*c.IntN(4)) },
		func() string { return fmt.Sprintf("heap 0x%s..0x%s", c.hex(8), c.hex(8)) },
		func() string {
			return fmt.Sprintf("ratio %d.%d, load %d.%02d %d.%02d", c.IntN(9), c.IntN(1e9), c.IntN(9), c.IntN(99), c.IntN(9), c.IntN(99))
		},
		func() string {
			return fmt.Sprintf("<InvalidPassword><InvalidCount>%d</InvalidCount><LastInvalidAt>%d</LastInvalidAt></InvalidPassword>", c.IntN(5), 1600000000000+c.Int64N(2e11))
		},
		func() string { return c.pick("AKMT", "GCP", "JOB", "REQ") + "-" + c.digits(9) },
		func() string {
			return "kid=" + c.from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", 27) + "="
		},
	}
	var texts []string
	for range 24 {
		for _, m := range makers {
			texts = append(texts, m())
		}
	}
	return texts
}

// TestQuality holds the detectors to the corpus: of what is there at least 99 % must be
// found, and of what is found at least 98 % must be there, by each detector.
func TestQuality(t *testing.T) {
	samples := newCorpus(t).samples
	if len(samples) < 2000 {
		t.Fatalf("only %d samples", len(samples))
	}
	rules := []Rule{{Preset: PresetDefault}}
	for _, d := range table() {
		if d.group == gdpr {
			rules = append(rules, Rule{Detect: []string{d.name}})
		}
	}
	r := newSet(t, rules...).NewRedactor()
	scores := map[string]*score{}
	for _, d := range table() {
		scores[d.name] = &score{}
	}
	for _, s := range samples {
		judge(t, r, s, scores)
	}
	t.Logf("%-18s %7s %7s %7s %10s %10s", "detector", "found", "missed", "wrong", "recall", "precision")
	for _, d := range table() {
		sc := scores[d.name]
		t.Logf("%-18s %7d %7d %7d %9.1f%% %9.1f%%", d.name, sc.found, sc.missed, sc.wrong, 100*sc.recall(), 100*sc.precision())
		if sc.found+sc.missed < perDetector {
			t.Errorf("%s: only %d values", d.name, sc.found+sc.missed)
		}
		if sc.recall() < 0.99 {
			t.Errorf("%s: recall %.1f %%: missed, for instance, %s", d.name, 100*sc.recall(), sc.missing)
		}
		if sc.precision() < 0.98 {
			t.Errorf("%s: precision %.1f %%: found, for instance, %s", d.name, 100*sc.precision(), sc.mistaken)
		}
	}
	t.Logf("%d samples", len(samples))
}

type score struct {
	found, missed, wrong int
	missing, mistaken    string // the last of each
}

func (s *score) recall() float64    { return float64(s.found) / float64(max(1, s.found+s.missed)) }
func (s *score) precision() float64 { return float64(s.found) / float64(max(1, s.found+s.wrong)) }

// judge redacts a sample. It counts as found if nothing of the value is left and the
// detector, or one that takes out what is around the value, has found all of it.
func judge(t *testing.T, r *Redactor, s sample, scores map[string]*score) {
	t.Helper()
	raw := []byte(`{"payload":` + s.payload + `}`)
	if !json.Valid(raw) {
		t.Fatalf("not valid: %s", raw)
	}
	found := false
	r.Trace = func(change Change) {
		all := strings.Contains(bare(string(change.Before)), bare(s.value))
		switch {
		case s.value != "" && all && (change.Rule == s.detector || wraps(change.Rule)):
			found = true
		case s.value != "" && change.Rule == s.detector:
			// A part of it only.
		default:
			sc := scores[change.Rule]
			sc.wrong++
			sc.mistaken = fmt.Sprintf("%q in %s", change.Before, raw)
		}
	}
	out, _, err := r.Append(nil, raw, payloadSpan(t, raw), "")
	if err != nil {
		t.Fatalf("%v: %s", err, raw)
	}
	if s.value == "" {
		return
	}
	if sc := scores[s.detector]; found && !strings.Contains(bare(string(out)), bare(s.value)) {
		sc.found++
	} else {
		sc.missed++
		sc.missing = fmt.Sprintf("%q in %s, which became %s", s.value, raw, out)
	}
}

// wraps reports whether a detector rightly takes out what is found in its values too.
func wraps(rule string) bool {
	return rule == "secret_key" || rule == "secret_text" || rule == "bearer" || rule == "basic"
}

// bare returns the letters and digits of a text, without its escapes.
func bare(text string) string {
	decoded := string(appendDecoded(nil, []byte(text)))
	return strings.Map(func(c rune) rune {
		if c < 0x80 && !isAlnum(byte(c)) {
			return -1
		}
		return c
	}, decoded)
}
