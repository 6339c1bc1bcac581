package query

import (
	"errors"
	"strings"
	"testing"

	"aictail"
)

// Entries after the model of real ones.
const (
	ping = `{"payload":{"_id":"a9a32d9e-7029-45e6-b581-eafb5d502273-49025","client":{"ip":"198.51.100.7","port":56278},` +
		`"eventName":"access","http":{"request":{"headers":{"host":["idm"],"accept":["text/html","application/json"]},"method":"GET",` +
		`"path":"http://idm/openidm/info/ping","secure":false}},"level":"INFO","response":{"elapsedTime":2,"statusCode":"200"},` +
		`"roles":["internal/role/openidm-reg"],"source":"audit","objectId":null,"userId":"anonymous"},` +
		`"timestamp":"2022-11-01T15:04:50.110401762Z","type":"application/json","source":"idm-access"}`
	journey = `{"payload":{"entries":[{"info":{"nodeType":"PageNode","authLevel":"0"}},{"info":{"nodeType":"ScriptedDecisionNode"}}],` +
		`"principal":["bob"],"empty":[],"none":[null],"matrix":[[1,2],[3,[4]]]},"source":"am-authentication"}`
	record = `{"payload":"Dec 05, 2022 8:01:34 PM org.example.ObjectSet readInstance\nFINE: Read name=user \"x\"","timestamp":"2022-12-05T20:01:34.448290946Z","type":"text/plain","source":"idm-core"}`
	odd    = ` { "payload" : { "\u006cevel" : "WARN\u0049NG" , "n" : 12345678901234567890123 , "e" : 1.50e2 , "a/b" : { "m~n" : -0 } , "0":{"0":"zero"}, "emoji":"\ud83d\ude00" } } `
)

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		entry, query string
		want         bool
	}{
		{ping, `true`, true},
		{ping, `false`, false},
		{ping, `/source eq "idm-access" and /payload/http/request/path co "/openidm/info/ping"`, true},
		{ping, `/source sw "idm"`, true},
		{ping, `/source pr`, true},
		{ping, `/source/x pr`, false},
		{ping, `/type eq "application/json"`, true},
		{ping, `/timestamp sw "2022-11-01T15:04"`, true},
		{ping, `/timestamp ge "2022-11-01T15:04:50" and /timestamp lt "2022-11-01T15:04:51"`, true},
		{ping, `/payload/level eq "info"`, false},
		{ping, `/payload/level eq 'INFO'`, true},
		{ping, `/payload/response/statusCode eq 200`, false},
		{ping, `/payload/response/statusCode eq "200"`, true},
		{ping, `/payload/response/statusCode ge "4"`, false},
		{ping, `/payload/response/elapsedTime gt 1.99`, true},
		{ping, `/payload/response/elapsedTime eq 2e0`, true},
		{ping, `/payload/response/elapsedTime eq "2"`, false},
		{ping, `/payload/http/request/secure eq false`, true},
		{ping, `/payload/http/request/secure eq "false"`, false},
		{ping, `/payload/http/request/headers/host eq "idm"`, true},
		{ping, `/payload/http/request/headers/accept co "json"`, true},
		{ping, `/payload/http/request/headers/accept/1 co "json"`, true},
		{ping, `/payload/http/request/headers/accept/0 co "json"`, false},
		{ping, `/payload/http/request/headers/accept/2 pr`, false},
		{ping, `/payload/http pr`, true},
		{ping, `/payload/http eq "x"`, false},
		{ping, `/payload pr`, true},
		{ping, `/payload co "ping"`, false},
		{ping, `/payload/objectId pr`, false},
		{ping, `/payload/objectId eq "null"`, false},
		{ping, `/payload/absent pr`, false},
		{ping, `!(/payload/absent eq "x")`, true},
		{ping, `!/payload/absent pr`, true},
		{ping, `/payload/level eq "X" and /payload/level eq "Y" or /source pr`, true},
		{ping, `/payload/level eq "X" and (/payload/level eq "Y" or /source pr)`, false},
		{ping, `!/payload/level eq "X" and /source eq "Y"`, false},
		{ping, `!(/payload/level eq "X" and /source eq "Y")`, true},
		{journey, `/payload/entries/info/nodeType eq "ScriptedDecisionNode"`, true},
		{journey, `/payload/entries/1/info/nodeType eq "ScriptedDecisionNode"`, true},
		{journey, `/payload/entries/0/info/nodeType eq "ScriptedDecisionNode"`, false},
		{journey, `/payload/entries/info/nodeType pr`, true},
		{journey, `/payload/entries/info/absent pr`, false},
		{journey, `/payload/empty pr`, true},
		{journey, `/payload/empty eq "x"`, false},
		{journey, `/payload/none pr`, true},
		{journey, `/payload/none/0 pr`, false},
		{journey, `/payload/matrix eq 4`, true},
		{journey, `/payload/matrix/0 eq 4`, false},
		{journey, `/payload/matrix/1/1 eq 4`, true},
		{record, `/payload co "FINE: Read"`, true},
		{record, `/payload co "readInstance\nFINE: Read name=user \"x"`, true},
		{record, `/payload sw "Dec 05, 2022"`, true},
		{record, `/payload/level pr`, false},
		{odd, `/payload/level eq "WARNING"`, true},
		{odd, `/payload/level eq "W\u0041RNING"`, true},
		{odd, `/payload/n eq 12345678901234567890123`, true},
		{odd, `/payload/n eq 12345678901234567890124`, false},
		{odd, `/payload/n lt 12345678901234567890124`, true},
		{odd, `/payload/n gt 1e22`, true},
		{odd, `/payload/e eq 150`, true},
		{odd, `/payload/a~1b/m~0n eq 0`, true},
		{odd, `/payload/0/0 eq "zero"`, true},
		{odd, `/payload/emoji eq "😀"`, true},
		{odd, `/payload/emoji gt "\uffff"`, true},
		{odd, `/source pr`, false},
		{`{"payload":{"a":1,"b":2,"a":[3]}}`, `/payload/a eq 1`, false},
		{`{"payload":{"a":1,"b":2,"a":[3]}}`, `/payload/a eq 3`, true},
		{`{"payload":{"a":{"x":1},"a":{"y":2}}}`, `/payload/a/x pr`, false},
		{`{"payload":{"l":[{"a":1},{"b":2}]}}`, `/payload/l/a eq 1 and /payload/l/b eq 2`, true},
		{`{"payload":{"a":1},"payload":{"a":2}}`, `/payload/a eq 1`, false},
		{`{"payload":{"a":1},"payload":{"a":2}}`, `/payload/a eq 2`, true},
		{`{"x":{"payload":1,"source":2}}`, `/x/payload eq 1 and /x/source eq 2`, true},
		{`{}`, `/payload pr`, false},
		{`{"payload":""}`, `/payload pr and /payload eq "" and /payload co ""`, true},
	} {
		e := entry(t, c.entry)
		q := compile(t, c.query)
		if got := match(t, q, e); got != c.want {
			t.Errorf("%s\nof %s\nis %v", c.query, c.entry, got)
		}
		if got := reference(q.x, e); got != c.want {
			t.Errorf("the reference says %v to %s", got, c.query)
		}
	}
}

// TestHugeExponents has numbers that no arithmetic could hold.
func TestHugeExponents(t *testing.T) {
	for number, want := range map[string]bool{
		`1e999999999999999999999`: true, `-1e999999999999999999999`: false, `1e-999999999999999999999`: false,
		`0e999999999999999999999`: false, `10e999998`: true, `1.01E+999998`: true, `1E999998`: false, `9.99e999997`: false,
	} {
		if got := match(t, compile(t, `/payload gt 1e999998`), entry(t, `{"payload":`+number+`}`)); got != want {
			t.Errorf("%s: %v", number, got)
		}
	}
}

// TestInferredSource: where the tenant left the source out or did not know it,
// /source is what it was inferred to be.
func TestInferredSource(t *testing.T) {
	for _, raw := range []string{`{"payload":{}}`, `{"payload":{},"source":"unknown"}`} {
		e := entry(t, raw)
		e.Source = "am-access"
		if !match(t, compile(t, `/source eq "am-access"`), e) || match(t, compile(t, `/source eq "unknown"`), e) {
			t.Errorf("%s", raw)
		}
	}
}

func TestUnreadable(t *testing.T) {
	deep := strings.Repeat("[", 2000) + strings.Repeat("]", 2000)
	for _, c := range []struct{ payload, query string }{
		{`{"level":"INFO"`, `/payload/level pr`},
		{`{"level" "INFO"}`, `/payload/level pr`},
		{`{"level":"\x"}`, `/payload/level eq "x"`},
		{`{"level":"\u12"}`, `/payload/level eq "x"`},
		{`{"\x":1}`, `/payload/level pr`},
		{`{"level":hello world}`, `/payload/level pr`},
		{`{level:1}`, `/payload/level pr`},
		{`["a" "b"]`, `/payload/x pr`},
		{`{"a":[1,2`, `/payload/a eq 1`},
		{`{"a":"x`, `/payload/a pr`},
		{`{"a":` + deep + `}`, `/payload/a eq 1`},
	} {
		e := &aictail.Event{Raw: []byte(`{"payload":` + c.payload + `}`)}
		e.Payload = aictail.Span{Start: len(`{"payload":`), End: len(e.Raw) - 1}
		if _, err := compile(t, c.query).Match(e); !errors.Is(err, ErrUnreadable) {
			t.Errorf("%.60s: %v", c.payload, err)
		}
	}
	for _, raw := range []string{``, `[]`, `{"type"`, `{"type":`, `{"type":"x"`, `{"type":"x",`, `{"type":}`} {
		if _, err := compile(t, `/type pr`).Match(&aictail.Event{Raw: []byte(raw)}); !errors.Is(err, ErrUnreadable) {
			t.Errorf("%s: %v", raw, err)
		}
	}
}

// TestSet asks several queries and fields of one event, which is scanned once.
func TestSet(t *testing.T) {
	s := NewSet()
	a := s.Add(compile(t, `/payload/level eq "INFO"`))
	b := s.Add(compile(t, `/payload/level eq "DEBUG" or /source eq "x"`))
	level, host, payload, source := s.Field("payload", "level"), s.Field("payload", "http", "request", "headers", "host"), s.Field("payload"), s.Field("source")
	m := s.NewMatcher()
	for range 2 {
		m.Look(entry(t, ping))
		if !m.Match(a) || m.Match(b) {
			t.Error("wrong answers")
		}
		if got := string(m.Text(level)); got != "INFO" {
			t.Errorf("level is %q", got)
		}
		if m.Text(host) != nil || m.Text(payload) != nil {
			t.Error("an array and an object have a text")
		}
		if got := string(m.Text(source)); got != "idm-access" {
			t.Errorf("source is %q", got)
		}
		m.Look(entry(t, `{"payload":"line\n"}`))
		if m.Match(a) || m.Text(level) != nil || m.Text(source) != nil {
			t.Error("something of the event before is left")
		}
		if got := string(m.Text(payload)); got != "line\n" {
			t.Errorf("payload is %q", got)
		}
	}
	if m.Err() != nil {
		t.Error(m.Err())
	}
}

// TestRepeatedMembers: what replaces itself again and again costs no more than
// its length. Were it quadratic, this would take minutes.
func TestRepeatedMembers(t *testing.T) {
	many := strings.Repeat(`"b":1,`, 200_000)
	e := entry(t, `{"payload":{"a":[`+strings.Repeat("1,", 200_000)+`2],`+many+`"c":1}}`)
	if !match(t, compile(t, `/payload/a eq 2 and /payload/b eq 1 and !(/payload/b eq 2)`), e) {
		t.Error("no match")
	}
}

func TestNoAllocation(t *testing.T) {
	s := NewSet()
	s.Add(compile(t, `/source eq "idm-access" and (/payload/http/request/path co "/ping" or /payload/response/elapsedTime gt 10) and !(/payload/level eq "WARNING")`))
	s.Add(compile(t, `/payload co "FINE: Read name=user \"y"`))
	m := s.NewMatcher()
	for _, e := range []*aictail.Event{entry(t, ping), entry(t, journey), entry(t, record)} {
		if n := testing.AllocsPerRun(100, func() {
			m.Look(e)
			m.Match(0)
			m.Match(1)
		}); n != 0 {
			t.Errorf("%v allocations for %.60s", n, e.Raw)
		}
	}
}

func BenchmarkMatch(b *testing.B) {
	for name, text := range map[string]string{
		"source": `/source eq "am-access"`,
		"ping":   `/source eq "idm-access" and /payload/http/request/path co "/openidm/info/ping"`,
		"four":   `/payload/level eq "DEBUG" or /payload/userId sw "x" or /payload/response/elapsedTime gt 10 or /type eq "text/plain"`,
	} {
		b.Run(name, func(b *testing.B) {
			q, e := compile(b, text), entry(b, ping)
			b.SetBytes(int64(len(e.Raw)))
			b.ReportAllocs()
			for b.Loop() {
				_, _ = q.Match(e)
			}
		})
	}
}
