package filter

import (
	"encoding/json"
	"errors"
	"time"

	"aictail"
	"aictail/filter/query"
	"aictail/filter/redact"
)

// reason is why an event was quarantined; a bounded set, for it is a label.
type reason int

const (
	invalidJSON reason = iota
	panicked
	failed
	numReasons
	noReason reason = -1
)

func (r reason) label() string {
	switch r {
	case invalidJSON:
		return "invalid_json"
	case panicked:
		return "panic"
	}
	return "error"
}

// text is the reason in the words of the notice.
func (r reason) text() string {
	switch r {
	case invalidJSON:
		return "invalid JSON"
	case panicked:
		return "a filter rule crashed"
	}
	return "redaction failed"
}

func reasonOf(err error) reason {
	if errors.Is(err, redact.ErrInvalid) || errors.Is(err, query.ErrUnreadable) {
		return invalidJSON
	}
	return failed
}

// quarantine makes e structure only, appended to dst: what remains is what the
// event itself knows, its source and time, and a notice in the payload's place.
// Nothing is taken from e.Raw.
func quarantine(dst []byte, e *aictail.Event, why reason) []byte {
	start := len(dst)
	dst = append(dst, `{"payload":`...)
	payload := aictail.Span{Start: len(dst) - start}
	dst = append(dst, `"[aictail: withheld, could not be redacted: `...)
	dst = append(dst, why.text()...)
	dst = append(dst, `]"`...)
	payload.End = len(dst) - start
	dst = append(dst, `,"timestamp":"`...)
	dst = e.Time.UTC().AppendFormat(dst, time.RFC3339Nano)
	dst = append(dst, `","type":"text/plain"`...)
	if e.Source != "" {
		// Marshal of a string does not fail.
		source, _ := json.Marshal(e.Source)
		dst = append(dst, `,"source":`...)
		dst = append(dst, source...)
	}
	dst = append(dst, '}')
	e.Type = "text/plain"
	e.Raw, e.Payload = dst[start:len(dst):len(dst)], payload
	return dst
}
