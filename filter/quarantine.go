package filter

import (
	"bytes"
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
	invalidUTF8
	tooDeep
	tooLarge
	panicked
	failed
	numReasons
	noReason reason = -1
)

func (r reason) label() string {
	switch r {
	case invalidJSON:
		return "invalid_json"
	case invalidUTF8:
		return "invalid_utf8"
	case tooDeep:
		return "too_deep"
	case tooLarge:
		return "too_large"
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
	case invalidUTF8:
		return "invalid UTF-8"
	case tooDeep:
		return "nested too deeply"
	case tooLarge:
		return "too large"
	case panicked:
		return "a filter rule crashed"
	}
	return "redaction failed"
}

func reasonOf(err error) reason {
	switch {
	case errors.Is(err, redact.ErrInvalid), errors.Is(err, query.ErrUnreadable):
		return invalidJSON
	case errors.Is(err, redact.ErrEncoding):
		return invalidUTF8
	case errors.Is(err, redact.ErrDepth):
		return tooDeep
	case errors.Is(err, redact.ErrSize):
		return tooLarge
	}
	return failed
}

// withheld is how the notice begins that stands in a payload's place.
const withheld = `"[aictail: withheld, could not be redacted: `

// quarantine makes e structure only, appended to dst: what remains is what the
// event itself knows, its source and time, and a notice in the payload's place.
// Nothing is taken from e.Raw.
func quarantine(dst []byte, e *aictail.Event, why reason) []byte {
	start := len(dst)
	dst = append(dst, `{"payload":`...)
	payload := aictail.Span{Start: len(dst) - start}
	dst = append(dst, withheld...)
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

// IsWithheld reports whether the event is one that could not be redacted.
func IsWithheld(e *aictail.Event) bool {
	return bytes.HasPrefix(e.PayloadBytes(), []byte(withheld))
}
