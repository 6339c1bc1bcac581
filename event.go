package aictail

import "time"

// Event is one log event on its way from a tenant to the sinks.
//
// Its byte slices point into buffers that belong to whoever handed the event
// out (a page, a filter pass, a journal reader). They are valid until that
// owner's next call and must not be modified; keep a copy to keep them longer.
type Event struct {
	// ID identifies the event however and how often it is read: the payload's
	// _id for audit events, otherwise 32 hexadecimal digits (see package tailer).
	ID []byte
	// Tenant is the name of the tenant in the configuration.
	Tenant string
	// Source is the log source, or "" if the tenant did not say and it could
	// not be inferred.
	Source string
	// Type is the entry's type, "application/json" or "text/plain".
	Type string
	// Time is the envelope's timestamp in UTC, to the nanosecond.
	Time time.Time
	// Raw is the entry as the tenant sent it (after redaction): one JSON object
	// on one line, without a line end.
	Raw []byte
	// Payload is the part of Raw that is the value of "payload", a JSON object
	// or a JSON string with its quotes. It is empty if there is none.
	Payload Span
	// Position is the event's place in the journal; 0 before it is journaled.
	Position Position
}

// PayloadBytes returns the payload as it stands in Raw, or nil without one.
func (e *Event) PayloadBytes() []byte { return e.Payload.Of(e.Raw) }

// Span is the half-open range [Start, End) of bytes in a buffer.
type Span struct{ Start, End int }

// Of returns the bytes of b that s covers, or nil for an empty span.
func (s Span) Of(b []byte) []byte {
	if s.Start >= s.End {
		return nil
	}
	return b[s.Start:s.End:s.End]
}

// Len returns the number of bytes that s covers.
func (s Span) Len() int { return s.End - s.Start }

// Position is the place of an event in the journal. Positions start at 1, grow
// with every event and are never used twice, but have gaps: a journal record
// without events takes one, and a failed write may leave some unused. A read
// position is the position of the first event that has not been delivered.
type Position uint64
