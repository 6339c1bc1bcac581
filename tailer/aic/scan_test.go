package aic

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// jsonTexts are values and what only looks like one, for tests and as seeds.
var jsonTexts = []string{
	`{}`, `[]`, `""`, `null`, `true`, `false`, `0`, `-0`, `10`, `-1.5e+30`, `1E9`, `0.10`, `12345678901234567890123`,
	`{"a":1}`, `{"a":{"b":[1,[2,{}],"]"]}}`, ` { "a" : [ 1 , 2 ] } `, "{\n\t\"a\":\r\n1}", `{"":""}`,
	`"\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00"`, `"\ud800"`, "\"\x7f\u2028 é\"", "\"\xff\xfe\"", `"12345678"`, `"1234567\n"`, `"long: ` + strings.Repeat("x", 100) + `"`,
	`1,2`, `{},{}`, `{"payload":{"_id":"x"},"timestamp":"2026-01-02T03:04:05.678Z"}`,
	`{"payload":1,"payload":{"_id":1,"_id":"last"},"source":"a","source":"b"}`, `{"p\u0061yload":"text","type":"text\/plain"}`,
	`{"payload":{"_id":"a","_id":null}}`, `{"payload":{"_id":"a"},"payload":[]}`, `{"payload":{"\u005fid":"a\u0062"}}`,
	// Not JSON:
	``, ` `, `,`, `1,`, `,1`, `[`, `]`, `{`, `}`, `[}`, `{]`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{,}`, `{1:2}`, `{"a" 1}`, `[1 2]`, `[1,]`, `{"a":1 "b":2}`,
	`01`, `-`, `+1`, `1.`, `.1`, `1e`, `1e+`, `0x1`, `1a`, `--1`, `-a`, `NaN`, `tru`, `truE`, `nul`, `falsey`, `trueish`, `'a'`,
	`"`, `"\"`, `"\x"`, `"\u12"`, `"\u12g4"`, "\"\n\"", "\"\x00\"", "\"1234567\x1f\"", "\x00", "1\x00", "\u00a01", "\ufeff1", "\v1", `//`, `/**/1`,
	`],"b":[`, `1],"result":[2`, `1]}`, `1]}{`, strings.Repeat("[", 990) + strings.Repeat("]", 990), strings.Repeat(`{"a":`, 50) + "1" + strings.Repeat("}", 50),
}

// checkArray compares what a page does with {"result":[x]} to encoding/json.
func checkArray(t *testing.T, c *Client, x string, wrap func(io.Reader) io.Reader) {
	t.Helper()
	body := `{"result":[` + x + `]}`
	got, err := readAll(t, openBody(t, c, "am-everything", wrap(strings.NewReader(body))))
	if err != nil && !errors.Is(err, ErrBody) {
		t.Fatalf("unexpected kind of error: %v", err)
	}
	var want []json.RawMessage
	if json.Unmarshal([]byte("["+x+"]"), &want) != nil {
		if err == nil && !json.Valid([]byte(body)) {
			t.Errorf("%q was accepted", body)
		}
		return
	}
	if err != nil {
		t.Fatalf("%q was refused: %v", body, err)
	}
	if len(got) != len(want) {
		t.Fatalf("%q: %d entries, want %d", body, len(got), len(want))
	}
	for i := range got {
		checkEntry(t, got[i], want[i])
	}
}

// checkEntry compares an entry to what encoding/json makes of its text.
func checkEntry(t *testing.T, got seen, raw json.RawMessage) {
	t.Helper()
	// In valid JSON these three stand between tokens only.
	line := strings.NewReplacer("\n", " ", "\r", " ", "\t", " ").Replace(string(raw))
	if got.Raw != line {
		t.Errorf("Raw is %q, want %q", got.Raw, line)
	}
	var members, payload map[string]json.RawMessage
	if line[0] == '{' {
		if err := json.Unmarshal([]byte(line), &members); err != nil {
			t.Fatal(err)
		}
	}
	if want := string(members["payload"]); got.Payload != want {
		t.Errorf("Payload of %q is %q, want %q", line, got.Payload, want)
	}
	id := ""
	if p := members["payload"]; len(p) > 0 && p[0] == '{' {
		if err := json.Unmarshal(p, &payload); err != nil {
			t.Fatal(err)
		}
		if v := string(payload["_id"]); strings.HasPrefix(v, `"`) && !strings.Contains(v, `\`) {
			id = v[1 : len(v)-1]
		}
	}
	if got.ID != id {
		t.Errorf("ID of %q is %q, want %q", line, got.ID, id)
	}
	var typ string
	_ = json.Unmarshal(members["type"], &typ) // other kinds count as missing
	if strings.ToValidUTF8(got.Type, "") != strings.ToValidUTF8(typ, "") && !strings.Contains(typ, "\ufffd") {
		t.Errorf("Type of %q is %q, want %q", line, got.Type, typ)
	}
}

func whole(r io.Reader) io.Reader { return r }

func TestScanAsEncodingJSON(t *testing.T) {
	large, tiny := newClient(t, nil), small(newClient(t, nil))
	for _, x := range jsonTexts {
		checkArray(t, large, x, whole)
		checkArray(t, tiny, x, iotest.OneByteReader)
		checkArray(t, tiny, `{"a":1},`+x, iotest.HalfReader)
		checkArray(t, tiny, `{"a":`+x+`}`, iotest.DataErrReader)
		checkArray(t, tiny, `{"payload":{"b":`+x+`,"_id":"i"}}`, whole)
	}
}

func FuzzScan(f *testing.F) {
	for _, x := range jsonTexts {
		f.Add(x)
	}
	large, tiny := newClient(f, nil), small(newClient(f, nil))
	f.Fuzz(func(t *testing.T, x string) {
		if strings.Count(x, "[")+strings.Count(x, "{") >= 10_000-10 || len(x) > 8<<10 {
			t.Skip() // encoding/json gives up there
		}
		checkArray(t, large, x, whole)
		checkArray(t, tiny, x, iotest.OneByteReader)
	})
}

// FuzzPage feeds whole bodies: a page without an error must be an object with
// an array in result, and compressing the body must change nothing.
func FuzzPage(f *testing.F) {
	for _, s := range []string{
		`{"result":[],"pagedResultsCookie":null}`, `{"pagedResultsCookie":"a\u0062","result":[{"a":1}],"resultCount":"1"} `,
		`{}`, `{"result":{}}`, `<html><title>Log in</title>`, `{"result":[1]}x`, "\x1f\x8b", string(gzipped(f, `{"result":[1]}`)),
	} {
		f.Add([]byte(s))
	}
	large, tiny := newClient(f, nil), small(newClient(f, nil))
	f.Fuzz(func(t *testing.T, body []byte) {
		if len(body) > 8<<10 {
			t.Skip()
		}
		p := openBody(t, large, "a,b", bytes.NewReader(body))
		entries, err := readAll(t, p)
		packed := openBody(t, tiny, "a,b", bytes.NewReader(gzipped(t, string(body))))
		again, packedErr := readAll(t, packed)
		if isGzip(body) {
			return
		}
		if (err == nil) != (packedErr == nil) {
			t.Fatalf("plain: %v, compressed: %v", err, packedErr)
		}
		if err != nil {
			return
		}
		if diff := cmp.Diff(entries, again); diff != "" || p.Cookie() != packed.Cookie() {
			t.Fatal(diff, p.Cookie(), packed.Cookie())
		}
		var doc map[string]json.RawMessage
		if json.Unmarshal(body, &doc) != nil || !bytes.HasPrefix(doc["result"], []byte("[")) {
			t.Fatalf("%q was accepted", body)
		}
		var cookie string
		if json.Unmarshal(doc["pagedResultsCookie"], &cookie); cookie != p.Cookie() {
			t.Fatalf("cookie is %q, want %q", p.Cookie(), cookie)
		}
	})
}

// TestDepth: an entry that is nested deeper than anybody reads does not keep its page,
// and with it its source, from being read.
func TestDepth(t *testing.T) {
	c := newClient(t, nil)
	for _, depth := range []int{usualDepth, usualDepth + 1, 100_000} {
		// The entry is one container, its payload another one.
		inner := strings.Repeat("[", depth-2) + strings.Repeat("]", depth-2)
		for _, body := range []string{
			`{"result":[{"payload":{"a":` + inner + `}}]}`,
			`{"result":[{"payload":[` + inner + `]}]}`,
			`{"result":[{"source":[` + inner + `]}]}`,
			`{"other":[[` + inner + `]],"result":[]}`,
		} {
			if _, err := readAll(t, openBody(t, c, "a", strings.NewReader(body))); err != nil {
				t.Errorf("depth %d: %v", depth, err)
			}
		}
		broken := `{"result":[{"payload":{"a":` + inner[:len(inner)-1] + `}}]}`
		if _, err := readAll(t, openBody(t, c, "a", strings.NewReader(broken))); err == nil {
			t.Errorf("depth %d: an array that is not closed is taken", depth)
		}
	}
}

var timestamps = []string{
	"2022-10-05T18:21:48.249782137Z", "2022-10-05T18:21:48Z", "2022-10-05T18:21:48.1Z", "2024-02-29T00:00:00Z",
	"2000-02-29T23:59:59.999999999+23:59", "1969-12-31T23:59:59.5Z", "0000-01-01T00:00:00Z", "0000-03-01T00:00:00-23:59",
	"9999-12-31T23:59:59.000000001-01:30", "2022-10-05T18:21:48.12345678901Z", "2022-10-05t18:21:48z",
	"", "2022", "2022-10-05", "2022-10-05T18:21:48", "2022-10-05 18:21:48Z", "2023-02-29T00:00:00Z", "1900-02-29T00:00:00Z",
	"2022-13-01T00:00:00Z", "2022-00-01T00:00:00Z", "2022-04-31T00:00:00Z", "2022-01-00T00:00:00Z", "2022-10-05T24:00:00Z",
	"2022-10-05T18:60:00Z", "2022-10-05T18:21:60Z", "2022-10-05T18:21:48.Z", "2022-10-05T18:21:48,1Z", "2022-10-05T18:21:48.1",
	"2022-10-05T18:21:48+0100", "2022-10-05T18:21:48+24:00", "2022-10-05T18:21:48+01:60", "2022-10-05T18:21:48*01:00",
	"2022-10-05T18:21:48ZZ", "2022-10-05T8:21:48Z", "20a2-10-05T18:21:48Z", "-022-10-05T18:21:48Z", "2022-1:-05T18:21:48Z", "1664994108",
}

// rfc3339 is here since time.Parse also accepts some that the RFC does not.
var rfc3339 = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$`)

func checkTime(t *testing.T, text string) {
	t.Helper()
	got := parseTime([]byte(text))
	var want time.Time
	if upper := strings.ToUpper(text); rfc3339.MatchString(upper) {
		if at, err := time.Parse(time.RFC3339Nano, upper); err == nil {
			want = at.UTC()
		}
	}
	// == rather than Equal: the location must be UTC as well.
	if got != want {
		t.Errorf("%q: got %v, want %v", text, got, want)
	}
}

func TestParseTime(t *testing.T) {
	for _, text := range timestamps {
		checkTime(t, text)
	}
	// Every day of four centuries, so that no leap rule is left out.
	for day := time.Date(1800, 1, 1, 12, 0, 0, 0, time.UTC); day.Year() < 2201; day = day.AddDate(0, 0, 1) {
		if got := parseTime(day.AppendFormat(nil, time.RFC3339Nano)); got != day {
			t.Fatalf("got %v, want %v", got, day)
		}
	}
}

func FuzzParseTime(f *testing.F) {
	for _, text := range timestamps {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, c := range []byte(text) {
			if c >= 0x80 {
				t.Skip() // ToUpper may change it
			}
		}
		checkTime(t, text)
	})
}
