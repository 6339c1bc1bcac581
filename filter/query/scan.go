package query

// maxNesting bounds how deep arrays and objects are followed; package tailer/aic
// lets none through that nest deeper.
const maxNesting = 1000

type valueKind uint8

const (
	noValue     valueKind = iota // of a member that a later one of its name replaced
	textValue                    // raw[start:end], without escapes
	escapedText                  // raw[start:end], with escapes
	decodedText                  // Matcher.text[start:end]
	numberValue
	trueValue
	falseValue
	nullValue
	objectValue
	arrayValue
)

// value is what a field's pointer leads to in the event.
type value struct {
	kind       valueKind
	element    bool // of an array that the pointer itself leads to
	start, end int
	next       int // the field's next value, or none
}

// occurrence is where the last member that led to a node left its values, so that
// a later one of the same name in the same object can replace it.
type occurrence struct {
	object   uint64
	from, to int
}

// scan looks up the fields in a part of the event.
func (m *Matcher) scan(where part) {
	m.scanned[where] = true
	switch where {
	case noPart:
		if m.e.Source != "" {
			start := len(m.text)
			m.text = append(m.text, m.e.Source...)
			m.record(m.source, value{kind: decodedText, start: start, end: len(m.text)})
		}
	case payload:
		if m.e.Payload.Len() > 0 {
			m.b = m.e.Raw[:m.e.Payload.End]
			if m.value(m.e.Payload.Start, payloadNode, false) != m.e.Payload.End {
				m.unreadable = true
			}
		}
	case envelope:
		m.b = m.e.Raw
		if i := m.space(0); i == len(m.b) || m.b[i] != '{' || m.object(i, rootNode, false) < 0 {
			m.unreadable = true
		}
	}
}

func (m *Matcher) record(f Field, v value) {
	v.next = m.first[f]
	m.first[f] = len(m.values)
	m.values = append(m.values, v)
}

func (m *Matcher) space(i int) int {
	for i < len(m.b) && isSpace(m.b[i]) {
		i++
	}
	return i
}

// value scans the value at i, to which the pointers of a node lead, and returns
// its end, or -1. With element, it is one of an array that has been passed
// through.
func (m *Matcher) value(i, at int, element bool) int {
	if i >= len(m.b) {
		return -1
	}
	n := &m.set.nodes[at]
	f, v := n.field, value{start: i, element: element && n.field != none}
	var end int
	switch c := m.b[i]; c {
	case '{':
		v.kind = objectValue
		m.keep(f, v)
		if len(n.keys) == 0 {
			return m.skip(i)
		}
		return m.inside(i, at, element)
	case '[':
		v.kind = arrayValue
		m.keep(f, v)
		if len(n.keys) == 0 && f == none {
			return m.skip(i)
		}
		return m.inside(i, at, element)
	case '"':
		v.kind, v.start = textValue, i+1
		var escaped bool
		if end, escaped = stringEnd(m.b, i+1); escaped {
			v.kind = escapedText
		}
		v.end = end - 1
	default:
		end = wordEnd(m.b, i)
		v.end = end
		switch {
		case c == '-' || c >= '0' && c <= '9':
			v.kind = numberValue
		case c == 't':
			v.kind = trueValue
		case c == 'f':
			v.kind = falseValue
		case c == 'n':
			v.kind = nullValue
		default:
			return -1
		}
	}
	if end >= 0 {
		m.keep(f, v)
	}
	return end
}

func (m *Matcher) keep(f Field, v value) {
	if f != none {
		m.record(f, v)
	}
}

// inside scans the object or array at i.
func (m *Matcher) inside(i, at int, element bool) (end int) {
	if m.nesting == maxNesting {
		return -1
	}
	m.nesting++
	if m.b[i] == '{' {
		end = m.object(i, at, element)
	} else {
		end = m.array(i, at, element)
	}
	m.nesting--
	return end
}

// object scans the object at i. With element, the object is an element of an
// array that the pointers pass through: a number in a pointer has meant the array.
func (m *Matcher) object(i, at int, element bool) int {
	m.objects++
	this := m.objects
	b := m.b
	if i = m.space(i + 1); i < len(b) && b[i] == '}' {
		return i + 1
	}
	for i < len(b) && b[i] == '"' {
		end, escaped := stringEnd(b, i+1)
		if end < 0 {
			return -1
		}
		kid := m.kid(at, i+1, end-1, escaped, element)
		if i = m.space(end); i == len(b) || b[i] != ':' {
			return -1
		}
		i = m.space(i + 1)
		switch {
		case at == rootNode && i == m.e.Payload.Start && m.e.Payload.Len() > 0:
			i = m.e.Payload.End
		case kid == none:
			i = m.skip(i)
		default:
			o := &m.last[kid]
			if o.object == this {
				m.forget(o.from, o.to)
			}
			from := len(m.values)
			i = m.value(i, kid, false)
			m.last[kid] = occurrence{object: this, from: from, to: len(m.values)}
		}
		if i < 0 {
			return -1
		}
		if i = m.space(i); i < len(b) && b[i] == '}' {
			return i + 1
		}
		if i == len(b) || b[i] != ',' {
			return -1
		}
		i = m.space(i + 1)
	}
	return -1
}

// kid returns the node that a member's name leads to, or none.
func (m *Matcher) kid(at, start, end int, escaped, element bool) int {
	name := m.b[start:end]
	if escaped {
		var ok bool
		if m.key, ok = appendUnescaped(m.key[:0], name); !ok {
			m.unreadable = true
		}
		name = m.key
	}
	n := &m.set.nodes[at]
	for j, key := range n.keys {
		if string(name) != key || element && n.elements[j] != none {
			continue
		}
		if at == rootNode && (key == "payload" || key == "source") {
			return none // the event knows them
		}
		return n.kids[j]
	}
	return none
}

// forget takes back the values of a member that is replaced by a later one.
func (m *Matcher) forget(from, to int) {
	for i := from; i < to; i++ {
		m.values[i].kind = noValue
	}
}

// array scans the array at i: single elements for the pointers that have their
// number, and every element for the others.
func (m *Matcher) array(i, at int, element bool) int {
	n, b := &m.set.nodes[at], m.b
	if i = m.space(i + 1); i < len(b) && b[i] == ']' {
		return i + 1
	}
	for count := 0; ; count++ {
		end := none
		if !element {
			for j, wanted := range n.elements {
				if wanted == count {
					if end = m.value(i, n.kids[j], false); end < 0 {
						return -1
					}
				}
			}
		}
		if n.passes {
			end = m.value(i, at, true)
		} else if end == none {
			end = m.skip(i)
		}
		if end < 0 {
			return -1
		}
		if i = m.space(end); i < len(b) && b[i] == ']' {
			return i + 1
		}
		if i == len(b) || b[i] != ',' {
			return -1
		}
		i = m.space(i + 1)
	}
}
