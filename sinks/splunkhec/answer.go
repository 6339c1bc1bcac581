package splunkhec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"aictail/sinks"
)

const (
	// maxAnswer bounds what is read of an answer. HEC's have less than 200 bytes,
	// those to an acknowledgement query some 12 for each request of a batch.
	maxAnswer = 256 << 10
	// maxRetryAfter bounds what a server may ask for: delivery is looked at again
	// after five minutes whatever a proxy says.
	maxRetryAfter = 5 * time.Minute
)

// The codes of HEC that the program tells apart by name.
const (
	codeSuccess = 0
	codeNoData  = 5
	codeHealthy = 17
)

// answer is what came back on one request.
type answer struct {
	status int
	header http.Header
	// body is the beginning of the body, at most maxAnswer bytes.
	body []byte
}

// reply is the body of an answer of HEC.
type reply struct {
	// code is -1 if there is none that can be read.
	code int
	// number is invalid-event-number, -1 if there is none.
	number int
	// ack is the ackId, nil if there is none.
	ack *uint64
}

// parseReply reads the body of an answer. Whatever is not exactly one JSON object
// of HEC's has no code.
func parseReply(body []byte) reply {
	none := reply{code: -1, number: -1}
	// Into a map, because a struct also takes keys in another case.
	var doc map[string]json.RawMessage
	if len(body) >= maxAnswer || json.Unmarshal(body, &doc) != nil {
		return none
	}
	r := none
	if !parseNumber(doc["code"], &r.code) {
		return none
	}
	parseNumber(doc["invalid-event-number"], &r.number)
	var ack uint64
	if raw := doc["ackId"]; len(raw) > 0 && raw[0] >= '0' && raw[0] <= '9' && json.Unmarshal(raw, &ack) == nil {
		r.ack = &ack
	}
	return r
}

// parseNumber reads a whole number that is not negative; null is none.
func parseNumber(raw json.RawMessage, out *int) bool {
	var n int
	if len(raw) == 0 || raw[0] < '0' || raw[0] > '9' || json.Unmarshal(raw, &n) != nil {
		return false
	}
	*out = n
	return true
}

// parseAcks reads the answer to an acknowledgement query: which ids are indexed.
// What is not exactly that is an error, never an acknowledgement.
func parseAcks(body []byte) (map[string]bool, error) {
	var doc map[string]json.RawMessage
	var acks map[string]*bool
	if len(body) >= maxAnswer || json.Unmarshal(body, &doc) != nil ||
		json.Unmarshal(doc["acks"], &acks) != nil || acks == nil {
		return nil, errors.New("the answer to the acknowledgement query cannot be read")
	}
	indexed := make(map[string]bool, len(acks))
	for id, is := range acks {
		indexed[id] = is != nil && *is
	}
	return indexed, nil
}

// outcome is what one request came to.
type outcome struct {
	// ok: Splunk has taken the events, and nothing below is set but ack.
	ok  bool
	ack *uint64

	kind sinks.Kind
	// single: the failure is about one event of the request, not about all.
	single bool
	// number is invalid-event-number, -1 if unknown.
	number int
	// doubtful: the events may have been taken all the same.
	doubtful bool
	after    time.Duration
	err      error
}

// meaning is what a code of HEC stands for.
type meaning struct {
	kind     sinks.Kind
	single   bool
	doubtful bool
	text     string
}

// meanings has what each code says and what to do about it. Splunk's own text is
// not repeated anywhere: a server that only looks like Splunk may put parts of the
// events into it.
func meanings(code int) (meaning, bool) {
	const where = "in Splunk under Settings > Data inputs > HTTP Event Collector"
	m, known := map[int]meaning{
		1: {kind: sinks.Refused, text: "the HEC token is disabled: enable it " + where},
		2: {kind: sinks.Refused, text: "no token arrived: look for a proxy that removes the Authorization header"},
		3: {kind: sinks.Refused, text: "the Authorization header is not understood: check token, and that url is the address of HEC"},
		4: {kind: sinks.Refused, text: "Splunk does not know the token: check token or token_file, and that url leads to the Splunk that has it"},
		// A request never is empty: it lost its body on the way, or something there
		// does not understand gzip. No event is to blame.
		codeNoData: {kind: sinks.Refused, text: "the request arrived empty: look for a proxy that drops its body, or try compression: none"},
		6:          {kind: sinks.Poison, single: true, text: "Splunk cannot read the event"},
		7:          {kind: sinks.Refused, single: true, text: "the index does not exist or the token may not write to it: create it, allow it for the token, or change index"},
		8:          {kind: sinks.Retry, doubtful: true, text: "internal error of Splunk"},
		9:          {kind: sinks.Retry, text: "Splunk is busy"},
		10:         {kind: sinks.Refused, text: "the token has indexer acknowledgement enabled: set acknowledge: true, or disable it for the token"},
		11:         {kind: sinks.Refused, text: "Splunk refuses the request channel: look for a proxy that changes X-Splunk-Request-Channel"},
		12:         {kind: sinks.Poison, single: true, text: "Splunk finds no event field"},
		13:         {kind: sinks.Poison, single: true, text: "Splunk finds the event blank"},
		14:         {kind: sinks.Refused, text: "the token has indexer acknowledgement disabled: enable it for the token, or set acknowledge: false"},
		15:         {kind: sinks.Poison, single: true, text: "Splunk refuses the event's indexed fields"},
		16:         {kind: sinks.Refused, text: "the token is taken from the query string: look for a proxy that rewrites the request"},
		18:         {kind: sinks.Retry, text: "Splunk's queues are full"},
		19:         {kind: sinks.Retry, text: "Splunk's acknowledgement service is down"},
		20:         {kind: sinks.Retry, text: "Splunk's queues are full and its acknowledgement service is down"},
	}[code]
	return m, known
}

// classify says what the answer to a request with events means. acknowledge:
// success needs an ackId.
func classify(a answer, acknowledge bool) outcome {
	r := parseReply(a.body)
	if a.status == http.StatusOK && r.code == codeSuccess {
		if acknowledge && r.ack == nil {
			// Splunk has them, but will never say that they are indexed.
			return outcome{kind: sinks.Refused, number: -1, doubtful: true, err: errors.New(
				"HEC code 0 without an ackId: enable indexer acknowledgement for the token, or set acknowledge: false")}
		}
		return outcome{ok: true, ack: r.ack}
	}
	out := outcome{number: r.number, after: retryAfter(a.header, time.Now())}
	m, known := meanings(r.code)
	switch {
	case a.status == http.StatusRequestEntityTooLarge:
		out.kind, out.single = sinks.Split, true
		m.text = "the request is too large for Splunk or a proxy in front of it"
	case known:
		out.kind, out.single, out.doubtful = m.kind, m.single, m.doubtful
	default:
		out.kind, out.doubtful, m.text = byStatus(a.status)
	}
	said := "HTTP " + strconv.Itoa(a.status)
	if r.code >= 0 {
		said += ", HEC code " + strconv.Itoa(r.code)
	} else if html := bytes.TrimSpace(a.body); len(html) > 0 && html[0] == '<' {
		said += ", an HTML page"
	}
	if m.text == "" {
		m.text = "not an answer of HEC that this version knows"
	}
	out.err = fmt.Errorf("%s: %s", said, m.text)
	return out
}

// byStatus says what an answer without a known code means.
func byStatus(status int) (kind sinks.Kind, doubtful bool, text string) {
	switch {
	case status == http.StatusTooManyRequests || status == http.StatusRequestTimeout || status == http.StatusTooEarly:
		return sinks.Retry, false, "too many requests, or too slow ones"
	case status == http.StatusExpectationFailed:
		return sinks.Retry, false, "a proxy does not know Expect: 100-continue, which is left out from now on"
	case status >= 300 && status < 400:
		return sinks.Refused, false, "a redirect, which is not followed with the token: give the final address as url"
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return sinks.Refused, false, "not allowed: check token, and what a proxy in front of Splunk asks for"
	case status == http.StatusNotFound || status == http.StatusMethodNotAllowed:
		return sinks.Refused, false, "there is no HEC at this address: check url, and that HEC is enabled under its global settings"
	case status >= 400 && status < 500:
		// Nobody says that the events are bad: they stay.
		return sinks.Refused, false, "the request is refused: check url and what stands between aictail and Splunk"
	}
	// 5xx, a 200 that is not HEC's, and what no server should send.
	return sinks.Retry, true, ""
}

// retryAfter returns what the header asks for, between 0 and maxRetryAfter.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(text, 10, 32); err == nil {
		return min(time.Duration(seconds)*time.Second, maxRetryAfter)
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, min(at.Sub(now), maxRetryAfter))
	}
	return 0
}
