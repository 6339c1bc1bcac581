package aic

import (
	"strings"
	"time"

	"aictail"
)

// Entry is one element of a page's result array. Its bytes lie in the page's
// buffer: they are valid until the page's next Next or Close and must not be
// modified.
type Entry struct {
	// Raw is the element as the tenant sent it, except that line ends and tabs
	// between its tokens have become spaces. It is a JSON object unless the
	// tenant sent something else, of which nothing but Raw is known.
	Raw []byte
	// Payload is the part of Raw that is the value of "payload", of whatever
	// kind; it is empty if there is none.
	Payload aictail.Span
	// ID is the payload's _id, or nil if it is missing, empty, not a string or
	// contains an escape.
	ID []byte
	// Time is the value of "timestamp" in UTC, or the zero time if it is missing
	// or not in RFC 3339. Digits beyond nanoseconds are cut off.
	Time time.Time
	// Source is the value of "source". Where the tenant left it out or sent
	// "unknown", it is inferred from the request and the payload, or "".
	Source string
	// Type is the value of "type".
	Type string
}

// text is the inside of a string value in the buffer. The zero text stands for
// a value that is missing or not a string.
type text struct {
	start, end int
	escaped    bool
}

// members are those parts of one entry that something is made of. An object
// may have a member twice; then, as in encoding/json, the last one counts.
type members struct {
	payload                 aictail.Span // from the beginning of the buffer
	timestamp, source, typ  text
	id, topic, event, audit text // of the payload; audit is its "source"
}

// entry scans one element of the result array.
func (s *scanner) entry(i int, m *members) int {
	*m = members{}
	if s.b[i] != '{' {
		return s.value(i, 0)
	}
	if i++; s.b[i] <= ' ' {
		i = s.space(i)
	}
	if s.b[i] == '}' {
		return i + 1
	}
	for {
		name, start := s.key(i)
		if start < 0 {
			return -1
		}
		var end int
		switch string(name) {
		case "payload":
			end = s.payload(start, m)
			m.payload = aictail.Span{Start: start, End: end}
		case "timestamp":
			m.timestamp, end = s.text(start, 1)
		case "source":
			m.source, end = s.text(start, 1)
		case "type":
			m.typ, end = s.text(start, 1)
		default:
			end = s.value(start, 1)
		}
		if end < 0 {
			return -1
		}
		var done bool
		if i, done = s.after(end, '}'); done || i < 0 {
			return i
		}
	}
}

// payload scans the value of "payload".
func (s *scanner) payload(i int, m *members) int {
	m.id, m.topic, m.event, m.audit = text{}, text{}, text{}, text{}
	if s.b[i] != '{' {
		return s.value(i, 1)
	}
	if i++; s.b[i] <= ' ' {
		i = s.space(i)
	}
	if s.b[i] == '}' {
		return i + 1
	}
	for {
		name, start := s.key(i)
		if start < 0 {
			return -1
		}
		var end int
		switch string(name) {
		case "_id":
			m.id, end = s.text(start, 2)
		case "topic":
			m.topic, end = s.text(start, 2)
		case "source":
			m.audit, end = s.text(start, 2)
		case "eventName":
			m.event, end = s.text(start, 2)
		default:
			end = s.value(start, 2)
		}
		if end < 0 {
			return -1
		}
		var done bool
		if i, done = s.after(end, '}'); done || i < 0 {
			return i
		}
	}
}

// text scans any value and returns its inside if it is a string. depth is as in
// value.
func (s *scanner) text(i, depth int) (t text, end int) {
	if s.b[i] != '"' {
		return text{}, s.value(i, depth)
	}
	end, escaped := s.str(i + 1)
	if end < 0 {
		return text{}, -1
	}
	return text{start: i + 1, end: end - 1, escaped: escaped}, end
}

// bytes returns the text's value. It allocates only for a text with escapes,
// which none of the members has in practice.
func (s *scanner) bytes(t text) []byte {
	if t.escaped {
		return []byte(unescape(s.b[t.start-1 : t.end+1]))
	}
	return s.b[t.start:t.end:t.end]
}

// fill sets e from the members of the element at b[start:end].
func (p *Page) fill(e *Entry, start, end int, m *members) {
	s := &p.buf.scan
	e.Raw = s.b[start:end:end]
	e.Payload = aictail.Span{}
	if m.payload.End > 0 {
		e.Payload = aictail.Span{Start: m.payload.Start - start, End: m.payload.End - start}
	}
	e.ID = nil
	if m.id.end > m.id.start && !m.id.escaped {
		e.ID = s.b[m.id.start:m.id.end:m.id.end]
	}
	e.Time = parseTime(s.bytes(m.timestamp))
	e.Type = p.buf.types.string(s.bytes(m.typ))
	source := s.bytes(m.source)
	if len(source) > 0 && !isUnknown(source) {
		e.Source = p.buf.sources.string(source)
		return
	}
	e.Source = ""
	if m.payload.End > 0 || p.infer.only != "" {
		e.Source = p.infer.source(s.bytes(m.topic), s.bytes(m.event), s.bytes(m.audit))
	}
}

func isUnknown(source []byte) bool {
	return len(source) == len("unknown") && strings.EqualFold(string(source), "unknown")
}

// intern hands out one string for equal bytes, so that an entry costs no
// allocation.
type intern struct {
	last  string
	known map[string]string
}

// maxInterned bounds what a page of nonsense can leave in memory: ten times the
// sources that any tenant is known to have.
const maxInterned = 256

func (n *intern) string(b []byte) string {
	if string(b) == n.last {
		return n.last
	}
	if len(b) == 0 {
		return ""
	}
	text, ok := n.known[string(b)]
	if !ok {
		text = string(b)
		if len(n.known) < maxInterned && len(b) <= maxInterned {
			n.known[text] = text
		}
	}
	n.last = text
	return text
}
