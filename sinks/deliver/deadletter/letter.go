package deadletter

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"aictail"
)

// Reason says why a sink will never take an event. Its text is permanent: it
// stands in the files and is the value of a metric's label.
type Reason string

// The reasons.
const (
	// Rejected: the destination refuses the event as it is.
	Rejected Reason = "rejected"
	// TooLarge: the destination takes no event of that size.
	TooLarge Reason = "too_large"
)

// Letter is one dead letter: an event that a sink will not take, and why.
type Letter struct {
	// Time is when the sink refused the event the last time.
	Time   time.Time
	Sink   string
	Reason Reason
	// Error is what the receiver said, as the sink gave it: without event content.
	Error string
	// Attempts is how often the event was sent.
	Attempts int
	// Event is the event as it came from the journal.
	Event aictail.Event
}

// Key tells letters apart. The id alone would do as long as the journal is never
// lost; the position alone would not if it was, since positions then begin anew.
type Key struct {
	Position aictail.Position
	ID       string
}

// Key returns the letter's key.
func (l *Letter) Key() Key { return Key{Position: l.Event.Position, ID: string(l.Event.ID)} }

// line is the form of a letter in the file, one JSON object per line. It is
// permanent: later versions read it. The entry comes last.
type line struct {
	Time      time.Time        `json:"time"`
	Sink      string           `json:"sink"`
	Reason    Reason           `json:"reason"`
	Error     string           `json:"error"`
	Attempts  int              `json:"attempts"`
	Position  aictail.Position `json:"position"`
	ID        string           `json:"id"`
	Tenant    string           `json:"tenant"`
	Source    string           `json:"source"`
	Type      string           `json:"type"`
	EventTime time.Time        `json:"event_time"`
	// Payload is where the payload begins and ends in the entry, in bytes, so that
	// what is sent again is the same event.
	Payload [2]int `json:"payload_span"`
	// Entry is the event's Raw, byte for byte.
	Entry json.RawMessage `json:"entry,omitempty"`
	// EntryBase64 takes the place of Entry where that cannot stand in a line of
	// JSON. No entry of a tenant has been seen that cannot.
	EntryBase64 []byte `json:"entry_base64,omitempty"`
}

// appendLine appends the letter's line, with its line end.
func appendLine(b []byte, l *Letter) ([]byte, error) {
	e := &l.Event
	out := line{
		Time: l.Time.UTC(), Sink: l.Sink, Reason: l.Reason, Error: l.Error, Attempts: l.Attempts,
		Position: e.Position, ID: string(e.ID), Tenant: e.Tenant, Source: e.Source, Type: e.Type,
		EventTime: e.Time.UTC(), Payload: [2]int{e.Payload.Start, e.Payload.End},
	}
	plain := len(e.Raw) > 0 && len(bytes.TrimSpace(e.Raw)) == len(e.Raw) &&
		bytes.IndexByte(e.Raw, '\n') < 0 && json.Valid(e.Raw)
	if !plain {
		out.EntryBase64 = e.Raw
	}
	head, err := json.Marshal(out)
	if err != nil {
		return b, fmt.Errorf("write a dead letter: %w", err)
	}
	if !plain {
		b = append(b, head...)
		return append(b, '\n'), nil
	}
	// By hand, since encoding/json would change the bytes of the entry.
	b = append(b, head[:len(head)-1]...)
	b = append(b, `,"entry":`...)
	b = append(b, e.Raw...)
	return append(b, "}\n"...), nil
}

// Parse reads a line of a dead-letter file. The letter shares no memory with it.
// The error says what is wrong with the line, without event content.
func Parse(text []byte) (Letter, error) {
	var in line
	if err := json.Unmarshal(text, &in); err != nil {
		// The error of encoding/json may quote what it found.
		return Letter{}, errors.New("it is not a JSON object of a dead letter")
	}
	raw := []byte(in.Entry)
	if raw == nil {
		raw = in.EntryBase64
	}
	switch {
	case len(raw) == 0:
		return Letter{}, errors.New("it has no entry")
	case in.Position == 0 || in.ID == "":
		return Letter{}, errors.New("it has no position or no id")
	case in.Payload[0] < 0 || in.Payload[0] > in.Payload[1] || in.Payload[1] > len(raw):
		return Letter{}, errors.New("its payload_span lies outside its entry")
	}
	return Letter{
		Time: in.Time, Sink: in.Sink, Reason: in.Reason, Error: in.Error, Attempts: in.Attempts,
		Event: aictail.Event{
			ID: []byte(in.ID), Tenant: in.Tenant, Source: in.Source, Type: in.Type, Time: in.EventTime,
			Raw: raw, Payload: aictail.Span{Start: in.Payload[0], End: in.Payload[1]}, Position: in.Position,
		},
	}, nil
}
