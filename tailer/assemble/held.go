package assemble

import (
	"time"

	"aictail/tailer/aic"
)

// held is a copy of an entry that is held back.
type held struct {
	aic.Entry           // Raw is the copy's own, ID is nil
	seq       uint64    // grows with each entry held
	since     time.Time // real time
	form      form      // of a line
	text      []byte    // of a part: its log text
	strong    bool      // of a part: it cannot be an ordinary line
	contested bool      // of a part: it also fitted within an event that was given up
}

func (h *held) size() int { return len(h.Raw) + len(h.text) }

// keep copies an entry, and its text if it is a part.
func (a *Assembler) keep(e *aic.Entry, text []byte) *held {
	h := &held{}
	if n := len(a.free); n > 0 {
		h, a.free = a.free[n-1], a.free[:n-1]
	}
	raw, own := h.Raw[:0], h.text[:0]
	a.seq++
	*h = held{Entry: *e, seq: a.seq, since: a.now}
	h.Raw, h.text, h.ID = append(raw, e.Raw...), append(own, text...), nil //nolint:gocritic // two halves of one allocation
	a.open++
	a.bytes += h.size()
	return h
}

// drop says that h is not held any more. Its bytes stay valid until the next
// call.
func (a *Assembler) drop(h *held) {
	a.open--
	a.bytes -= h.size()
	a.retired = append(a.retired, h)
}

// dropUnseen is drop for an entry that no event points to.
func (a *Assembler) dropUnseen(h *held) {
	a.open--
	a.bytes -= h.size()
	a.recycle(h)
}

func (a *Assembler) recycle(h *held) {
	if len(a.free) < maxFree && cap(h.Raw) <= maxKept && cap(h.text) <= maxKept {
		a.free = append(a.free, h)
	}
}

// single appends h as it came.
func (a *Assembler) single(dst []Event, h *held) []Event {
	a.drop(h)
	return append(dst, Event{Entry: h.Entry, Parts: 1})
}

// loose appends h with the mark.
func (a *Assembler) loose(dst []Event, h *held) []Event {
	e := Event{Entry: h.Entry, Parts: 1, Outcome: Loose}
	// An entry with a payload is an object with a member at least.
	if n := len(h.Raw) - 1; n >= 0 && h.Raw[n] == '}' {
		start := len(a.out)
		a.out = append(a.out, h.Raw[:n]...)
		a.out = append(a.out, ","+Mark+"}"...)
		e.Raw = a.out[start:len(a.out):len(a.out)]
	}
	a.drop(h)
	return append(dst, e)
}

// join appends one event made of the entries hs, the first of which gives it
// its envelope. payload appends the event's payload.
func (a *Assembler) join(dst []Event, hs []*held, o Outcome, payload func([]byte) []byte) []Event {
	first := hs[0]
	timestamp, source := envelope(&first.Entry)
	e := Event{Entry: first.Entry, Parts: len(hs), Outcome: o}
	e.Type = "text/plain"
	if o == Joined {
		e.Type = "application/json"
	}
	start := len(a.out)
	b := append(a.out, `{"payload":`...) //nolint:gocritic // a.out takes it back at the end
	e.Payload.Start = len(b) - start
	b = payload(b)
	e.Payload.End = len(b) - start
	b = append(append(b, `,"timestamp":`...), timestamp...)
	b = append(append(append(b, `,"type":"`...), e.Type...), '"')
	if source != nil {
		b = append(append(b, `,"source":`...), source...)
	}
	a.out = append(b, '}') //nolint:gocritic // see above
	e.Raw = a.out[start:len(a.out):len(a.out)]
	if o == Joined {
		e.ID = payloadID(e.Payload.Of(e.Raw))
	}
	a.drop(first)
	for _, h := range hs[1:] {
		a.dropUnseen(h)
	}
	return append(dst, e)
}
