package elasticsearch

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"aictail"
)

// eventOf returns an event of a Raw in which the payload, if there is one, stands
// between « and ».
func eventOf(raw string) aictail.Event {
	e := aictail.Event{ID: []byte("a"), Tenant: "t", Source: "s", Time: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)}
	before, rest, ok := strings.Cut(raw, "«")
	payload, after, _ := strings.Cut(rest, "»")
	if ok {
		e.Payload = aictail.Span{Start: len(before), End: len(before) + len(payload)}
	}
	e.Raw = []byte(before + payload + after)
	return e
}

func documentOf(e *aictail.Event, f form) string {
	return string(appendDocument(nil, e, appendID(nil, e), f))
}

func TestDocument(t *testing.T) {
	const head = `{"@timestamp":"2026-03-04T05:06:07Z","aictail":{"id":"a","tenant":"t","source":"s"}`
	const text = `{"@timestamp":"2026-03-04T05:06:07Z","aictail":{"id":"a","tenant":"t","source":"s","as_text":true},"message":`
	deep := strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100)
	tests := []struct{ name, raw, want string }{
		{"object", `{"payload":«{"a":1}»,"type":"x"}`, head + `,"payload":{"a":1},"type":"x"}`},
		{"text", `{"payload":«"line\n"»,"type":"x"}`, head + `,"message":"line\n","type":"x"}`},
		{"text at the end", `{"type":"x", "payload" : «"line"» }`, head + `,"type":"x", "message" : "line" }`},
		{"empty text", `{"payload":«""»}`, head + `,"message":""}`},
		{"spaces", `{ "payload":«{}» }`, head + `, "payload":{} }`},
		{"no payload", `{"type":"x"}`, head + `,"type":"x"}`},
		{"no members", `{}`, head + `}`},
		{"no members, spaces", `{  }`, head + `  }`},
		{"names in the payload", `{"payload":«{"@timestamp":1,"aictail":2,"message":3}»}`, head + `,"payload":{"@timestamp":1,"aictail":2,"message":3}}`},
		{"a name as a value", `{"payload":«{}»,"type":"message","x":["aictail"]}`, head + `,"payload":{},"type":"message","x":["aictail"]}`},
		{"escapes elsewhere", `{"payload":«{}»,"type":"text\/plain"}`, head + `,"payload":{},"type":"text\/plain"}`},
		{"many braces in text", `{"payload":«"` + strings.Repeat("{[", 100) + `"»}`, head + `,"message":"` + strings.Repeat("{[", 100) + `"}`},
		{"wide", `{"payload":«[]»}`, text + `"{\"payload\":[]}"}`},
		{"number", `{"payload":«7»}`, text + `"{\"payload\":7}"}`},
		{"null", `{"payload":«null»}`, text + `"{\"payload\":null}"}`},
		{"@timestamp", `{"@timestamp":1,"payload":«{}»}`, text + `"{\"@timestamp\":1,\"payload\":{}}"}`},
		{"aictail", `{"payload":«{}»,"aictail":1}`, text + `"{\"payload\":{},\"aictail\":1}"}`},
		{"message", `{"payload":«"x"»,"message":1}`, text + `"{\"payload\":\"x\",\"message\":1}"}`},
		{"a name with escapes", `{"\u0061ictail":1,"payload":«{}»}`, text + `"{\"\\u0061ictail\":1,\"payload\":{}}"}`},
		{"payload with escapes", `{"p\u0061yload":«"x"»}`, text + `"{\"p\\u0061yload\":\"x\"}"}`},
		{"aictail without payload", `{"aictail":1}`, text + `"{\"aictail\":1}"}`},
		{"not an object", `"x"`, text + `"\"x\""}`},
		{"empty", ``, text + `""}`},
		{"two lines", "{\n\"payload\":«{}»}", text + `"{\n\"payload\":{}}"}`},
		{"just not too deep", `{"payload":«` + deep[len(`{"a":`):len(deep)-1] + `»}`, head + `,"payload":` + deep[len(`{"a":`):len(deep)-1] + `}`},
		{"too deep", `{"payload":«` + deep + `»}`, text + `"{\"payload\":` + strings.ReplaceAll(deep, `"`, `\"`) + `}"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := eventOf(tt.raw)
			got := documentOf(&e, asObject)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if strings.Contains(got, "\n") || !json.Valid([]byte(got)) {
				t.Errorf("not one line of JSON: %s", got)
			}
			if got := string(rawOf(t, documentOf(&e, asText))); got != string(e.Raw) {
				t.Errorf("as text it is %q", got)
			}
		})
	}
}

func TestDocumentEnvelope(t *testing.T) {
	e := eventOf(`{}`)
	e.ID, e.Tenant, e.Source = []byte("q\"\\\x01é"), "T\n", ""
	e.Time = time.Date(2026, 3, 4, 5, 6, 7, 123456780, time.FixedZone("", 3600))
	want := `{"@timestamp":"2026-03-04T04:06:07.12345678Z","aictail":{"id":"q\"\\\u0001é","tenant":"T\n"}}`
	if diff := cmp.Diff(want, documentOf(&e, asObject)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestID(t *testing.T) {
	long := strings.Repeat("é", 256)
	tests := []struct{ name, id, want string }{
		{"as it is", "45463f84-ff1b-499f-aa84-8d4bd93150de-256218", "45463f84-ff1b-499f-aa84-8d4bd93150de-256218"},
		{"512 bytes", long, long},
		{"513 bytes", long + "x", "sha256-"},
		{"not UTF-8", "a\xff", "sha256-"},
		{"empty", "", "sha256-"},
	}
	seen := map[string]string{}
	for _, tt := range tests {
		e := eventOf(`{"payload":«{}»}`)
		e.ID = []byte(tt.id)
		got := string(appendID(nil, &e))
		if !strings.HasPrefix(got, tt.want) || len(got) > maxID || !utf8.ValidString(got) {
			t.Errorf("%s: %q", tt.name, got)
		}
		if other := seen[got]; other != "" {
			t.Errorf("%s and %s have the same _id", tt.name, other)
		}
		seen[got] = tt.name
		if again := string(appendID(nil, &e)); again != got {
			t.Errorf("%s: another time %q", tt.name, again)
		}
	}
}

func FuzzDocument(f *testing.F) {
	for _, raw := range []string{`{"payload":{"a":1},"type":"x"}`, `{"payload":"x"}`, `{}`, `{"payload":null}`, `{"aictail":{}}`, `{"m\u0065ssage":1}`, "{\"payload\":\"\xff\"}"} {
		f.Add([]byte(raw), []byte("id"), 11, 5)
	}
	f.Fuzz(func(t *testing.T, raw, id []byte, start, length int) {
		if !json.Valid(raw) || start < 0 || length < 0 || start > len(raw) || length > len(raw)-start {
			return
		}
		e := aictail.Event{ID: id, Tenant: "t", Raw: raw}
		if json.Valid(raw[start : start+length]) {
			e.Payload = aictail.Span{Start: start, End: start + length}
		}
		for _, form := range []form{asObject, asText} {
			got := documentOf(&e, form)
			if !json.Valid([]byte(got)) || strings.Contains(got, "\n") {
				t.Fatalf("not one line of JSON: %q", got)
			}
		}
		var doc struct{ Message string }
		if err := json.Unmarshal([]byte(documentOf(&e, asText)), &doc); err != nil {
			t.Fatal(err)
		}
		if want := strings.ToValidUTF8(string(raw), "\ufffd"); utf8.Valid(raw) && doc.Message != want {
			t.Fatalf("as text it is %q, want %q", doc.Message, want)
		}
	})
}
