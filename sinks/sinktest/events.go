package sinktest

import (
	"fmt"
	"strings"
	"time"

	"aictail"
)

// confidential stands in every payload and must never turn up in an error.
const confidential = "confidential-5f1d"

// firstTime is the time of the first event; the next ones follow each second,
// so that a test of some size goes past midnight UTC.
var firstTime = time.Date(2026, 3, 1, 23, 50, 0, 123456789, time.UTC)

// sourceNames are those of the events, in turn. The empty one is what an entry
// without a source has.
var sourceNames = []string{"am-access", "idm-core", "am-core", "idm-sync", ""}

// newEvents returns n events of several sources, numbered from first, with
// positions that have gaps as those of the journal do.
func newEvents(first, n int) []aictail.Event {
	events := make([]aictail.Event, n)
	for i := range events {
		number := first + i
		events[i] = newEvent(number, fmt.Sprintf(`{"_id":"id-%d","note":%q,"level":"INFO"}`, number, confidential))
	}
	return events
}

// newEvent returns event number with the given payload, a JSON value.
func newEvent(number int, payload string) aictail.Event {
	at := firstTime.Add(time.Duration(number) * time.Second)
	source := sourceNames[number%len(sourceNames)]
	const before = `{"payload":`
	raw := fmt.Sprintf(`%s%s,"timestamp":%q,"type":"application/json","source":%q}`,
		before, payload, at.Format(time.RFC3339Nano), source)
	return aictail.Event{
		ID:       fmt.Appendf(nil, "id-%d", number),
		Tenant:   "suite",
		Source:   source,
		Type:     "application/json",
		Time:     at,
		Raw:      []byte(raw),
		Payload:  aictail.Span{Start: len(before), End: len(before) + len(payload)},
		Position: aictail.Position(number + number/7 + 1),
	}
}

// largeEvent returns an event whose Raw has exactly size bytes.
func largeEvent(number, size int) aictail.Event {
	empty := newEvent(number, fmt.Sprintf(`{"_id":"id-%d","text":""}`, number))
	filler := strings.Repeat("large ", size/6+1)[:max(0, size-len(empty.Raw))]
	return newEvent(number, fmt.Sprintf(`{"_id":"id-%d","text":"%s"}`, number, filler))
}

// oddPayloads are JSON values that come out changed if they are decoded and
// encoded again, or are written as anything but bytes.
func oddPayloads() []string {
	return []string{
		`"a plain text line\n"`,
		`"tab\t, quote \", backslash \\, slash \/ and /"`,
		`"escaped \u00e9\u4e2d\ud83d\ude00, raw é中😀"`,
		`"half a pair \ud83d, nul \u0000, del ` + "\x7f" + `, separators \u2028 ` + "\u2028\u2029" + `"`,
		`{"big":12345678901234567890,"precise":0.1000000000000000055511151231257827,"exp":1E+2,"neg":-0}`,
		`{"z":1,"a":2,"z":3,"":null}`,
		`{ "spaces" :  [ 1 , 2 ] }`,
		`{"html":"<script>&amp;</script>","brace":"}}{{","newline":"\n\r"}`,
		`""`, `{}`, `null`, `[]`,
	}
}
