package splunkhec

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"aictail/sinks"
	"aictail/sinks/splunkhec/hectest"
)

// answers is every answer that HEC and what stands in front of it are known to
// give, and what it means for a request of several events.
var answers = []struct {
	name     string
	status   int
	body     string
	kind     sinks.Kind
	single   bool
	doubtful bool
	want     string // in the error
}{
	{"1 token disabled", 403, `{"text":"Token disabled","code":1}`, sinks.Refused, false, false, "the HEC token is disabled"},
	{"2 token required", 401, `{"text":"Token is required","code":2}`, sinks.Refused, false, false, "no token arrived"},
	{"3 invalid authorization", 401, `{"text":"Invalid authorization","code":3}`, sinks.Refused, false, false, "check token"},
	{"4 invalid token", 403, `{"text":"Invalid token","code":4}`, sinks.Refused, false, false, "does not know the token"},
	{"5 no data", 400, `{"text":"No data","code":5}`, sinks.Refused, false, false, "compression: none"},
	{"6 invalid format", 400, `{"text":"Invalid data format","code":6,"invalid-event-number":1}`, sinks.Poison, true, false, "cannot read the event"},
	{"7 incorrect index", 400, `{"text":"Incorrect index","code":7,"invalid-event-number":2}`, sinks.Refused, true, false, "change index"},
	{"8 internal error", 500, `{"text":"Internal server error","code":8}`, sinks.Retry, false, true, "internal error"},
	{"9 busy", 503, `{"text":"Server is busy","code":9}`, sinks.Retry, false, false, "busy"},
	{"10 channel missing", 400, `{"text":"Data channel is missing","code":10}`, sinks.Refused, false, false, "acknowledge: true"},
	{"11 invalid channel", 400, `{"text":"Invalid data channel","code":11}`, sinks.Refused, false, false, "X-Splunk-Request-Channel"},
	{"12 event required", 400, `{"text":"Event field is required","code":12,"invalid-event-number":0}`, sinks.Poison, true, false, "no event field"},
	{"13 event blank", 400, `{"text":"Event field cannot be blank","code":13,"invalid-event-number":0}`, sinks.Poison, true, false, "blank"},
	{"14 acknowledgement disabled", 400, `{"text":"ACK is disabled","code":14}`, sinks.Refused, false, false, "acknowledge: false"},
	{"15 indexed fields", 400, `{"text":"Error in handling indexed fields","code":15,"invalid-event-number":0}`, sinks.Poison, true, false, "indexed fields"},
	{"16 query string", 400, `{"text":"Query string authorization is not enabled","code":16}`, sinks.Refused, false, false, "query string"},
	{"17 healthy, to an event", 200, `{"text":"HEC is healthy","code":17}`, sinks.Retry, false, true, "HEC code 17"},
	{"18 queues full", 503, `{"text":"HEC is unhealthy, queues are full","code":18}`, sinks.Retry, false, false, "queues are full"},
	{"19 ack service down", 503, `{"text":"HEC is unhealthy, ack service unavailable","code":19}`, sinks.Retry, false, false, "acknowledgement service"},
	{"20 both", 503, `{"text":"HEC is unhealthy, queues are full, ack service unavailable","code":20}`, sinks.Retry, false, false, "queues are full"},
	{"23 unknown, by status", 503, `{"text":"Server is shutting down","code":23}`, sinks.Retry, false, true, "HEC code 23"},
	{"404 unknown, by status", 404, `{"text":"The requested URL was not found on this server.","code":404}`, sinks.Refused, false, false, "no HEC at this address"},
	{"0 with a bad status", 503, `{"text":"Success","code":0}`, sinks.Retry, false, true, "HTTP 503, HEC code 0"},
	{"busy with a good status", 200, `{"text":"Server is busy","code":9}`, sinks.Retry, false, false, "busy"},
	{"no code", 200, `{"text":"Success"}`, sinks.Retry, false, true, "HTTP 200"},
	{"code null", 200, `{"text":"Success","code":null}`, sinks.Retry, false, true, "HTTP 200"},
	{"code as text", 200, `{"text":"Success","code":"0"}`, sinks.Retry, false, true, "HTTP 200"},
	{"code of another case", 200, `{"text":"Success","Code":0}`, sinks.Retry, false, true, "HTTP 200"},
	{"code negative", 200, `{"code":-0}`, sinks.Retry, false, true, "HTTP 200"},
	{"cut off", 200, `{"text":"Success","code":0`, sinks.Retry, false, true, "HTTP 200"},
	{"two answers", 200, `{"text":"Success","code":0}{"code":9}`, sinks.Retry, false, true, "HTTP 200"},
	{"too long", 200, `{"text":"` + strings.Repeat("x", maxAnswer) + `","code":0}`, sinks.Retry, false, true, "HTTP 200"},
	{"empty", 200, ``, sinks.Retry, false, true, "HTTP 200"},
	{"a list", 200, `[{"code":0}]`, sinks.Retry, false, true, "HTTP 200"},
	{"html 200", 200, `<html>Sign in</html>`, sinks.Retry, false, true, "HTTP 200, an HTML page"},
	{"html 502", 502, ` <html>Bad gateway</html>`, sinks.Retry, false, true, "HTTP 502, an HTML page"},
	{"504", 504, ``, sinks.Retry, false, true, "HTTP 504"},
	{"204", 204, ``, sinks.Retry, false, true, "HTTP 204"},
	{"429", 429, ``, sinks.Retry, false, false, "HTTP 429"},
	{"408", 408, ``, sinks.Retry, false, false, "HTTP 408"},
	{"413", 413, `Content-Length of 9 too large`, sinks.Split, true, false, "too large"},
	{"413 with a code", 413, `{"text":"Request entity too large","code":27}`, sinks.Split, true, false, "too large"},
	{"401 without code", 401, ``, sinks.Refused, false, false, "check token"},
	{"403 html", 403, `<html>WAF</html>`, sinks.Refused, false, false, "check token"},
	{"400 without code", 400, `<html>`, sinks.Refused, false, false, "check url"},
	{"417", 417, ``, sinks.Retry, false, false, "100-continue"},
	{"302", 302, ``, sinks.Refused, false, false, "redirect"},
}

func TestClassify(t *testing.T) {
	for _, tt := range answers {
		t.Run(tt.name, func(t *testing.T) {
			out := classify(answer{status: tt.status, body: []byte(tt.body[:min(len(tt.body), maxAnswer)])}, false)
			if out.ok || out.kind != tt.kind || out.single != tt.single || out.doubtful != tt.doubtful {
				t.Errorf("got %+v", out)
			}
			if !strings.Contains(out.err.Error(), tt.want) {
				t.Errorf("%v: does not say %q", out.err, tt.want)
			}
		})
	}
	for _, acknowledge := range []bool{false, true} {
		out := classify(answer{status: 200, body: []byte(`{"text":"Success","code":0,"ackId":7}`)}, acknowledge)
		if !out.ok || *out.ack != 7 {
			t.Errorf("acknowledge %v: got %+v", acknowledge, out)
		}
	}
	for _, body := range []string{`{"code":0}`, `{"code":0,"ackId":null}`, `{"code":0,"ackId":-1}`, `{"code":0,"ackId":"7"}`, `{"code":0,"ackId":1.5}`} {
		if out := classify(answer{status: 200, body: []byte(body)}, true); out.ok || out.kind != sinks.Refused || !out.doubtful {
			t.Errorf("%s: got %+v", body, out)
		}
	}
}

// TestEveryAnswer gives each answer once to a sink over the network, and then the
// right ones.
func TestEveryAnswer(t *testing.T) {
	for _, tt := range answers {
		t.Run(tt.name, func(t *testing.T) {
			server := newServer(t, hectest.Options{})
			s := openSink(t, server, nil)
			const secret = "content of an event"
			fault := server.Inject(hectest.Fault{Service: hectest.Collect, Status: tt.status,
				Body: strings.Replace(tt.body, `{"text":"`, `{"text":"`+secret+" ", 1), Header: map[string]string{"Location": "https://elsewhere.example.com/"}})
			events := newEvents(1, 4)
			err := s.Send(t.Context(), events)
			switch {
			case tt.single && err != nil:
				t.Errorf("one bad answer to the whole is no reason to fail when the parts are taken: %v", err)
			case !tt.single && sinks.KindOf(err) != tt.kind:
				t.Errorf("got %v: %v", sinks.KindOf(err), err)
			case err != nil && strings.Contains(err.Error(), secret):
				t.Errorf("the server's text is repeated: %v", err)
			case err != nil && !strings.Contains(err.Error(), "POST "+server.URL()+"/services/collector/event"):
				t.Errorf("the error does not say where: %v", err)
			}
			if err != nil {
				if dead := drive(t, s, events); len(dead) > 0 {
					t.Errorf("events %v were given up", dead)
				}
			}
			if got := numbers(server); fmt.Sprint(got) != "[1 2 3 4]" {
				t.Errorf("Splunk has %v", got)
			}
			maybe := 0
			switch r := parseReply([]byte(tt.body[:min(len(tt.body), maxAnswer)])); {
			case tt.doubtful:
				maybe = 4
			case tt.kind != sinks.Split && r.number > 0:
				maybe = r.number
			}
			if got := repeats(t, s); got != maybe {
				t.Errorf("%d possible duplicates are counted, want %d", got, maybe)
			}
			if fault.Fired() != 1 {
				t.Errorf("the answer was given %d times", fault.Fired())
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	tests := map[string]time.Duration{
		"": 0, "7": 7 * time.Second, " 7 ": 7 * time.Second, "-7": 0, "x": 0, "99999": maxRetryAfter, "99999999999999": 0,
		now.Add(time.Minute).Format(http.TimeFormat): time.Minute,
		now.Add(-time.Hour).Format(http.TimeFormat):  0,
		now.Add(time.Hour).Format(http.TimeFormat):   maxRetryAfter,
	}
	for text, want := range tests {
		if got := retryAfter(http.Header{"Retry-After": {text}}, now); got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
	server := newServer(t, hectest.Options{})
	s := openSink(t, server, nil)
	server.Inject(hectest.Fault{Service: hectest.Collect, Status: 503, Body: `{"code":9}`, Header: map[string]string{"Retry-After": "42"}})
	if e := asError(t, s.Send(context.Background(), newEvents(1, 1))); e.After != 42*time.Second {
		t.Errorf("After is %v", e.After)
	}
}

func FuzzReply(f *testing.F) {
	for _, a := range answers {
		f.Add(a.status, []byte(a.body[:min(len(a.body), 1000)]))
	}
	f.Add(200, []byte(`{"acks":{"0":true,"1":false,"2":null}}`))
	f.Add(200, []byte(`{"code":1e0,"ackId":18446744073709551616,"invalid-event-number":99999999999999999999}`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		r := parseReply(body)
		if r.code < -1 || r.number < -1 {
			t.Errorf("got %+v", r)
		}
		for _, acknowledge := range []bool{false, true} {
			out := classify(answer{status: status, body: body}, acknowledge)
			if out.ok == (out.err != nil) {
				t.Errorf("neither success nor failure: %+v", out)
			}
			if out.ok && (status != 200 || r.code != 0 || acknowledge && out.ack == nil) {
				t.Errorf("success without code 0: %d %s", status, body)
			}
		}
		if acks, err := parseAcks(body); (acks == nil) == (err == nil) {
			t.Errorf("got %v and %v", acks, err)
		}
	})
}

func TestParseAcks(t *testing.T) {
	good, err := parseAcks([]byte(`{"acks":{"0":true,"1":false,"2":null}}`))
	if err != nil || !good["0"] || good["1"] || good["2"] {
		t.Errorf("got %v, %v", good, err)
	}
	for _, body := range []string{``, `{}`, `{"acks":null}`, `{"acks":[true]}`, `{"acks":{"0":1}}`, `{"acks":{"0":"true"}}`,
		`{"acks":{"0":true}`, `{"Acks":{"0":true}}`, `<html>`, `{"text":"x","code":8}`} {
		if acks, err := parseAcks([]byte(body)); err == nil {
			t.Errorf("%s: got %v", body, acks)
		}
	}
}
