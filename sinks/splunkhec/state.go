package splunkhec

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"

	"aictail"
)

// stateVersion is the version of the stored state. It changes when an older
// program would misread the new form.
const stateVersion = 1

// state is what the sink keeps with its read position.
type state struct {
	Version int `json:"version"`
	// Channel is the sink's X-Splunk-Request-Channel.
	Channel string `json:"channel"`
	// Sent is the highest position of an event that may have been sent. It is
	// stored before the sending, so that after a crash it is known which of the
	// events that come again Splunk may already have.
	Sent aictail.Position `json:"sent"`
}

// decodeState reads a stored state; nothing stored is the zero state.
func decodeState(b []byte) (state, error) {
	if len(b) == 0 {
		return state{}, nil
	}
	var s state
	if err := json.Unmarshal(b, &s); err != nil {
		return state{}, fmt.Errorf("read the Splunk sink's stored state: %w", err)
	}
	if s.Version != stateVersion {
		return state{}, fmt.Errorf("the Splunk sink's stored state has version %d and this program reads version %d: run the version of aictail that wrote it",
			s.Version, stateVersion)
	}
	if s.Channel == "" {
		return state{}, errors.New("the Splunk sink's stored state is damaged: it has no channel")
	}
	return s, nil
}

func (s state) encode() []byte {
	s.Version = stateVersion
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // two numbers and a text always encode
	}
	return b
}

// newChannel returns a random GUID (RFC 9562, version 4), which is what Splunk
// wants a channel to be.
func newChannel() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// doubt remembers which events Splunk may already have although they were not
// delivered.
type doubt struct {
	// before: all events up to here may have been sent by the process before.
	before aictail.Position
	// events are those whose outcome in this process is unknown. deliver sends them
	// again before anything else, so that they are never more than a batch.
	events map[aictail.Position]struct{}
}

// count returns how many of the events Splunk may already have.
func (d *doubt) count(events []aictail.Event) int {
	n := 0
	for i := range events {
		pos := events[i].Position
		if _, unknown := d.events[pos]; unknown || pos != 0 && pos <= d.before {
			n++
		}
	}
	return n
}

// add notes that the outcome of events is unknown.
func (d *doubt) add(events []aictail.Event) {
	if d.events == nil {
		d.events = make(map[aictail.Position]struct{}, len(events))
	}
	for i := range events {
		d.events[events[i].Position] = struct{}{}
	}
}

// settle forgets events that do not come again.
func (d *doubt) settle(events []aictail.Event) {
	if len(d.events) == 0 {
		return
	}
	for i := range events {
		delete(d.events, events[i].Position)
	}
}

// highest returns the highest position that Splunk may already have.
func (d *doubt) highest() aictail.Position {
	highest := d.before
	for pos := range d.events {
		highest = max(highest, pos)
	}
	return highest
}
