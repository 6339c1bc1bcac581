package redact

import (
	"errors"
	"unicode/utf8"

	"aictail"
)

// The errors of Append. They carry nothing of the event.
var (
	// ErrInvalid says that an event is not the JSON it should be.
	ErrInvalid = errors.New("invalid JSON")
	// ErrEncoding says that an event is not UTF-8: what it reads as depends on the
	// reader, so that nothing can be said of what is in it.
	ErrEncoding = errors.New("invalid UTF-8")
	// ErrDepth says that an event is nested more than maxDepth deep.
	ErrDepth = errors.New("nested too deeply")
	// ErrSize says that an event is larger than maxEvent.
	ErrSize = errors.New("too large")
)

const (
	// maxDepth is far above real events, which have less than 20 levels.
	maxDepth = 512
	// maxEvent is far above real events; the largest seen have less than 1 MB. What is
	// larger would hold up the source for seconds.
	maxEvent = 16 << 20
)

// Redactor redacts one event at a time with a Set's rules. It holds scratch
// memory and must not be used by two goroutines at once.
type Redactor struct {
	// Counts holds, for each of the set's rules, how often it has replaced
	// something since its owner last cleared it.
	Counts []int
	// Trace, if set, hears of every replacement. It is for people who try rules out:
	// it gets what was there before.
	Trace func(Change)

	set    *Set
	hasher *hasher
	event  []int // counts of the event at hand

	// The event at hand. out receives the result and is a copy of raw up to
	// copied, with the replacements made so far; it is untouched before the first.
	raw     []byte
	out     []byte
	copied  int
	base    int // where the result begins in out
	span    aictail.Span
	payload aictail.Span
	variant *variant
	depth   int
	// pair holds, for each level, the rule for its "value" if the object there says
	// whose it is: {"name": "password", "value": ...}.
	pair [maxDepth + 1]*ownRule
	// path holds, for each level, where the object or array there stands in the tree
	// of pointers. at is that of the member's value that comes next, if named is set.
	path  [maxDepth + 1]*state
	at    *state
	named bool
	// keys counts replaced object keys, to keep them apart.
	keys int
	// begin is where the value at hand begins in raw.
	begin int

	text    [2][]byte // examine's buffers, used in turn
	flip    int
	whole   []byte // a transformed value
	decoded []byte // a string without its escapes
	key     []byte // a key without its escapes
}

// Change is one replacement.
type Change struct {
	Rule   string
	Offset int // of the string or value in the event
	// Before and After are valid during the call only. After is empty if the rule
	// removes, and so is Before if the whole member is.
	Before, After []byte
}

// scratchLimit is the size above which scratch memory is given back after an
// event: far above usual strings (a stack trace has 10 KB), and small beside
// the 128 MiB that the whole daemon should stay under.
const scratchLimit = 256 << 10

// NewRedactor returns a redactor with its own scratch memory.
func (s *Set) NewRedactor() *Redactor {
	return &Redactor{set: s, Counts: make([]int, len(s.detectors)), event: make([]int, len(s.detectors)), hasher: newHasher(s.keys)}
}

// Append redacts the event raw of a source, whose payload is at the given span. If no
// rule touches it, dst is returned as it was. Otherwise the redacted event is appended
// to dst, and span is where its payload is now, counted from the event's start.
//
// The envelope's timestamp, type and source are left alone. On an error dst is
// returned as it was and the event must not go on as it is. raw is not modified.
func (r *Redactor) Append(dst, raw []byte, payload aictail.Span, source string) (out []byte, span aictail.Span, err error) {
	clear(r.event)
	r.raw, r.out, r.copied, r.base = raw, dst, 0, len(dst)
	r.span, r.payload = payload, payload
	r.depth, r.keys, r.named = 0, 0, false
	r.variant = r.set.variantOf(source)
	switch {
	case payload.Start < 0 || payload.End > len(raw):
		err = ErrInvalid
	case len(raw) > maxEvent:
		err = ErrSize
	case !isASCII(raw) && !utf8.Valid(raw):
		err = ErrEncoding
	default:
		err = r.walk()
	}
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
	for _, b := range []*[]byte{&r.text[0], &r.text[1], &r.decoded, &r.key, &r.whole, &r.hasher.canon} {
		if cap(*b) > scratchLimit {
			*b = nil
		}
	}
}

// changed counts a replacement by rule k.
func (r *Redactor) changed(k int, before, after []byte) {
	r.event[k]++
	if r.Trace != nil {
		r.Trace(Change{Rule: r.set.detectors[k].name, Offset: r.begin, Before: before, After: after})
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

// replaceValue replaces the JSON value raw[start:end] by the text of rule k.
func (r *Redactor) replaceValue(start, end, k int, text []byte) {
	r.writeString(start, end, text)
	r.begin = start
	before := r.raw[start:end]
	if before[0] == '"' {
		before = before[1 : len(before)-1]
	}
	r.changed(k, before, text)
}

// replaceText replaces the inside of the JSON string raw[start:end].
func (r *Redactor) replaceText(start, end int, text []byte) {
	r.cut(start, end)
	at := len(r.out)
	r.out = appendEscaped(r.out, text)
	r.moved(start, end, at)
}

// removeValue removes raw[start:end], a member of an object or an element of an array,
// and the comma that goes with it. It returns where to go on.
func (r *Redactor) removeValue(start, end, k int) int {
	r.cut(start, end)
	removed := r.raw[start:end]
	at := len(r.out)
	last := at
	for last > r.base && isSpace(r.out[last-1]) {
		last--
	}
	if r.out[last-1] == ',' {
		r.out = r.out[:last-1]
	} else if next := skipSpace(r.raw, end); next < len(r.raw) && r.raw[next] == ',' {
		end = skipSpace(r.raw, next+1) // it was the first
		r.copied = end
	}
	r.moved(start, end, at)
	r.begin = start
	r.changed(k, removed, nil)
	return end
}
