package redact

import "bytes"

// walk goes over the event once, without recursion: in valid JSON a string is a
// key if and only if a colon follows. Strings, numbers and literals are looked at;
// any other byte that is not punctuation makes the event invalid, so that no text
// escapes by standing outside a string.
func (r *Redactor) walk() error {
	raw := r.raw
	i := skipSpace(raw, 0)
	if i == len(raw) || raw[i] != '{' {
		return ErrInvalid
	}
	r.at, r.named = r.variant.root, true
	for i < len(raw) {
		switch c := raw[i]; c {
		case '"':
			if i = r.str(i); i < 0 {
				return ErrInvalid
			}
		case '{', '[':
			if i = r.open(i); i < 0 {
				return ErrInvalid
			}
			if r.depth > maxDepth {
				return ErrDepth
			}
		case '}', ']':
			r.depth--
			i++
			if r.depth == 0 {
				if skipSpace(raw, i) != len(raw) {
					return ErrInvalid
				}
				return nil
			}
		case ',', ':', ' ', '\t', '\n', '\r':
			i++
		default:
			if i = r.bare(i); i < 0 {
				return ErrInvalid
			}
		}
	}
	return ErrInvalid
}

// state returns where the value that begins here stands in the tree of pointers.
func (r *Redactor) state() *state {
	if r.named {
		r.named = false
		return r.at
	}
	if s := r.path[r.depth]; s != nil && r.variant.root != nil {
		return s.other // an element of an array
	}
	return nil
}

// replaced returns the rule for the value as a whole, if it is to be replaced.
func (s *state) replaced() *ownRule {
	if s == nil || s.whole == nil || s.whole.action == Keep {
		return nil
	}
	return s.whole
}

// isTimestamp recognises 2022-12-05T20:01:34.448Z, which every event has and in which
// no detector finds anything.
func isTimestamp(t []byte) bool {
	const form = "0000-00-00T00:00:00."
	if len(t) <= len(form) || len(t) > len(form)+10 || t[len(t)-1] != 'Z' || t[10] != 'T' {
		return false
	}
	for i, c := range t[:len(t)-1] {
		if isDigit(c) != (i >= len(form) || form[i] == '0') || !isDigit(c) && c != form[i] {
			return false
		}
	}
	return true
}

// open goes into the object or array at raw[i]. It returns where to go on, or -1.
func (r *Redactor) open(i int) int {
	s := r.state()
	if rule := s.replaced(); rule != nil {
		return r.apply(rule, i, i)
	}
	if r.depth++; r.depth <= maxDepth {
		r.path[r.depth], r.pair[r.depth] = s, nil
	}
	return i + 1
}

// bare handles the number or literal at raw[i]. It returns where to go on, or -1.
func (r *Redactor) bare(i int) int {
	s := r.state()
	if rule := s.replaced(); rule != nil {
		return r.apply(rule, i, i)
	}
	if c := r.raw[i]; isDigit(c) || c == '-' {
		return r.number(i, s)
	}
	if n := literal(r.raw[i:]); n > 0 {
		return i + n
	}
	return -1
}

// planOf returns what is looked for at a place.
func (r *Redactor) planOf(s *state) *plan {
	if s != nil && s.plan != nil {
		return s.plan
	}
	return r.variant.base
}

// planOfKeys returns what is looked for in the keys of the object at hand.
func (r *Redactor) planOfKeys() *plan {
	if r.variant.root == nil {
		return r.variant.base
	}
	return r.planOf(r.path[r.depth])
}

// str handles the string that begins at raw[i] and, if it is a key, as much of
// the member as needs to know the key. It returns where to go on, or -1.
func (r *Redactor) str(i int) int {
	raw, class := r.raw, &r.variant.base.class
	start := i + 1
	end := start
	for end < len(raw) && class[raw[end]] == plain {
		end++
	}
	if end == len(raw) {
		return -1
	}
	first := -1 // the first byte that a detector may want to look at
	if raw[end] != '"' {
		first = end
		if end = closingQuote(raw, start, end); end < 0 {
			return -1
		}
	}
	colon := skipSpace(raw, end+1)
	if colon < len(raw) && raw[colon] == ':' {
		return r.member(start, end, first, skipSpace(raw, colon+1))
	}
	s := r.state()
	if rule := s.replaced(); rule != nil {
		return r.apply(rule, i, i)
	}
	p := r.planOf(s)
	if p != r.variant.base || len(p.patterns) > 0 {
		first = start // the scan above has looked for something else
	}
	if first >= 0 && !r.value(p, start, end, first) {
		return -1
	}
	return end + 1
}

// value examines the string raw[start:end], of which first is the first byte of
// interest. It reports false if the string is not valid.
func (r *Redactor) value(p *plan, start, end, first int) bool {
	t := r.raw[start:end]
	if len(p.patterns) == 0 && isTimestamp(t) {
		return true
	}
	from := first - start
	if bytes.IndexByte(t[from:], '\\') >= 0 {
		var ok bool
		if r.decoded, ok = appendUnescaped(r.decoded[:0], t); !ok {
			return false
		}
		t, from = r.decoded, 0
	}
	r.begin = start - 1
	if text, changed := r.examine(p, t, from); changed {
		r.replaceText(start, end, text)
	}
	return true
}

// number handles the number at raw[i] and returns its end. What replaces it is a string
// and is searched as one.
func (r *Redactor) number(i int, s *state) int {
	end := numberEnd(r.raw, i)
	t, p := r.raw[i:end], r.planOf(s)
	r.begin = i
	for _, k := range p.patterns {
		if text, changed := r.replacePattern(p, t, k); changed {
			text, _ = r.examine(p, text, 0)
			r.writeString(i, end, text)
			return end
		}
	}
	if len(t) < minNumber || len(t) > maxCardDigits || !isAllDigits(string(t)) {
		return end
	}
	for _, k := range p.byNumber {
		if p.detectors[k].number(t) {
			r.whole = r.appendMatch(r.whole[:0], t, k, p.actions[k])
			r.changed(k, t, r.whole)
			text, _ := r.examine(p, r.whole, 0)
			r.writeString(i, end, text)
			break
		}
	}
	return end
}

// writeString replaces the JSON value raw[start:end] by a string.
func (r *Redactor) writeString(start, end int, text []byte) {
	r.cut(start, end)
	at := len(r.out)
	r.out = append(r.out, '"')
	r.out = appendEscaped(r.out, text)
	r.out = append(r.out, '"')
	r.moved(start, end, at)
}

// minNumber is the length of the shortest number that a detector looks at.
const minNumber = 11
