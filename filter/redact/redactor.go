package redact

import (
	"bytes"
	"errors"

	"aictail"
)

// ErrInvalid says that an event is not the JSON it should be, so that it can't
// be redacted. It carries nothing of the event.
var ErrInvalid = errors.New("invalid JSON")

// Redactor redacts one event at a time with a Set's rules. It holds scratch
// memory and must not be used by two goroutines at once.
type Redactor struct {
	// Counts holds, for each of the set's rules, how often it has replaced
	// something since its owner last cleared it.
	Counts []int

	set   *Set
	event [maxRules]int // counts of the event at hand

	// The event at hand. out receives the result and is a copy of raw up to
	// copied, with the replacements made so far; it is untouched before the first.
	raw     []byte
	out     []byte
	copied  int
	base    int // where the result begins in out
	span    aictail.Span
	payload aictail.Span
	depth   int
	// pair has bit d set if the object at depth d says that its "value" is a
	// secret: {"name": "password", "value": ...}.
	pair uint64
	// keys counts replaced object keys, to keep them apart.
	keys int

	text    [2][]byte // examine's buffers
	decoded []byte    // a string without its escapes
	key     []byte    // a key without its escapes
}

// scratchLimit is the size above which scratch memory is given back after an
// event: far above usual strings (a stack trace has 10 KB), and small beside
// the 128 MiB that the whole daemon should stay under.
const scratchLimit = 256 << 10

// NewRedactor returns a redactor with its own scratch memory.
func (s *Set) NewRedactor() *Redactor {
	return &Redactor{set: s, Counts: make([]int, len(s.rules))}
}

// Append redacts the event raw, whose payload is at the given span. If no rule
// touches it, dst is returned as it was. Otherwise the redacted event is appended
// to dst, and span is where its payload is now, counted from the event's start.
//
// The envelope's timestamp, type and source are left alone. On an error, which
// is ErrInvalid, dst is returned as it was and the event must not go on as it is.
// raw is not modified.
func (r *Redactor) Append(dst, raw []byte, payload aictail.Span) (out []byte, span aictail.Span, err error) {
	clear(r.event[:])
	r.raw, r.out, r.copied, r.base = raw, dst, 0, len(dst)
	r.span, r.payload = payload, payload
	r.depth, r.pair, r.keys = 0, 0, 0
	if payload.Start < 0 || payload.End > len(raw) {
		return dst, payload, ErrInvalid
	}
	err = r.walk()
	out = r.out
	r.raw, r.out = nil, nil
	r.trim()
	if err != nil {
		return dst, payload, err
	}
	if r.copied == 0 {
		return dst, payload, nil
	}
	for k := range r.Counts {
		r.Counts[k] += r.event[k]
	}
	return append(out, raw[r.copied:]...), r.span, nil
}

// trim gives back scratch memory that one huge event has claimed.
func (r *Redactor) trim() {
	for _, b := range []*[]byte{&r.text[0], &r.text[1], &r.decoded, &r.key} {
		if cap(*b) > scratchLimit {
			*b = nil
		}
	}
}

// cut begins a replacement of raw[start:end]: the bytes before it are copied, and
// the caller appends the replacement to r.out and then calls moved.
func (r *Redactor) cut(start, end int) {
	r.out = append(r.out, r.raw[r.copied:start]...)
	r.copied = end
}

// moved ends a replacement of raw[start:end] that began at r.out[at], and moves
// the payload's span along.
func (r *Redactor) moved(start, end, at int) {
	by := len(r.out) - at - (end - start)
	if end <= r.payload.Start {
		r.span.Start += by
	}
	if end <= r.payload.End {
		r.span.End += by
	}
}

// replaceValue replaces the JSON value raw[start:end] by the rule's marker.
func (r *Redactor) replaceValue(start, end, k int) {
	r.cut(start, end)
	at := len(r.out)
	r.out = append(r.out, '"')
	r.out = append(r.out, r.set.rules[k].marker...)
	r.out = append(r.out, '"')
	r.event[k]++
	r.moved(start, end, at)
}

// replaceText replaces the inside of the JSON string raw[start:end].
func (r *Redactor) replaceText(start, end int, text []byte) {
	r.cut(start, end)
	at := len(r.out)
	r.out = appendEscaped(r.out, text)
	r.moved(start, end, at)
}

// closingQuote returns the index of the quote that ends the JSON string whose
// inside begins at start, or -1. No quote that ends it is before from.
func closingQuote(b []byte, start, from int) int {
	for i := from; ; {
		k := bytes.IndexByte(b[i:], '"')
		if k < 0 {
			return -1
		}
		i += k
		n := i
		for n > start && b[n-1] == '\\' {
			n--
		}
		if (i-n)%2 == 0 {
			return i
		}
		i++
	}
}
