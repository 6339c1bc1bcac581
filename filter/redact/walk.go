package redact

import (
	"bytes"
	"strconv"
)

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

// member handles the member of an object whose key is raw[start:end] and whose
// value begins at v. It returns where to go on, or -1.
func (r *Redactor) member(start, end, first, v int) int {
	raw, key := r.raw, r.raw[start:end]
	if v == len(raw) {
		return -1
	}
	if first >= 0 && bytes.IndexByte(key, '\\') >= 0 {
		var ok bool
		if r.key, ok = appendUnescaped(r.key[:0], key); !ok {
			return -1
		}
		key = r.key
	}
	var s *state
	if r.variant.root != nil {
		s = r.path[r.depth].child(key)
	}
	rule := r.ruleOf(key, s)
	if rule != nil && rule.action == Remove {
		return r.apply(rule, start-1, v)
	}
	if p := r.planOfKeys(); (first >= 0 || p != r.variant.base || len(p.patterns) > 0) && (r.depth > 1 || !isEnvelope(key) && string(key) != "payload") {
		r.begin = start - 1
		if text, changed := r.examine(p, key, 0); changed {
			r.replaceKey(start, end, text)
		}
	}
	if rule != nil {
		return r.apply(rule, start-1, v)
	}
	if raw[v] == '"' {
		if r.depth == 1 && isEnvelope(key) {
			if v = closingQuote(raw, v+1, v+1); v < 0 {
				return -1
			}
			return v + 1
		}
		if isPairName(key) {
			r.notePair(v)
		}
	}
	r.at, r.named = s, r.variant.root != nil
	return v
}

// ruleOf returns the rule for the value under a key, or nil. A secret is never kept or
// shown in part, whatever a rule says of all members of an object.
func (r *Redactor) ruleOf(key []byte, s *state) *ownRule {
	isSecret := r.variant.secrets && isSecretKey(key)
	kept := s != nil && s.whole != nil && s.whole.action == Keep
	if rule := s.replaced(); rule != nil && !(isSecret && rule.action == Partial) {
		return rule
	}
	if r.depth > 1 && !kept {
		if own := r.variant.keys.find(key); own != nil {
			if own.action == Keep {
				return nil
			}
			return own
		}
	}
	if isSecret {
		return r.set.secretRule
	}
	if rule := r.pair[r.depth]; rule != nil && isPairValue(key) {
		return rule
	}
	return nil
}

// notePair notes for whose value the string at v announces its neighbour "value": the
// last step of what may be a JSON pointer, "/password".
func (r *Redactor) notePair(v int) {
	r.pair[r.depth] = nil
	q := closingQuote(r.raw, v+1, v+1)
	if q < 0 {
		return
	}
	name := r.raw[v+1 : q]
	if k := bytes.LastIndexByte(name, '/'); k >= 0 {
		name = name[k+1:]
	}
	if own := r.variant.keys.find(name); own != nil && own.action != Keep {
		r.pair[r.depth] = own
	} else if r.variant.secrets && isSecretKey(name) {
		r.pair[r.depth] = r.set.secretRule
	}
}

// replaceKey replaces the key raw[start:end]. The second and later ones of an
// event get a number, for a receiver may refuse an object with equal keys. It
// stands in front, where it can't become the value of a name at the key's end.
func (r *Redactor) replaceKey(start, end int, text []byte) {
	r.cut(start, end)
	at := len(r.out)
	if r.keys++; r.keys > 1 {
		r.out = strconv.AppendInt(r.out, int64(r.keys), 10)
		r.out = append(r.out, '#')
	}
	r.out = appendEscaped(r.out, text)
	r.moved(start, end, at)
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

// valueEnd returns the end of the JSON value that begins at b[i], or -1.
func valueEnd(b []byte, i int) int {
	depth := 0
	for i < len(b) {
		switch c := b[i]; {
		case c == '"':
			if i = closingQuote(b, i+1, i+1); i < 0 {
				return -1
			}
			i++
		case c == '{' || c == '[':
			depth++
			i++
		case c == '}' || c == ']':
			depth--
			i++
		case isDigit(c) || c == '-':
			i = numberEnd(b, i)
		case depth > 0 && isPunctuation(c):
			i++
			continue // a comma or a colon ends no value
		default:
			n := literal(b[i:])
			if n == 0 {
				return -1
			}
			i += n
		}
		if depth <= 0 {
			break
		}
	}
	if depth != 0 {
		return -1
	}
	return i
}

func numberEnd(b []byte, i int) int {
	for i < len(b) && (isDigit(b[i]) || b[i] == '.' || b[i] == '-' || b[i] == '+' || b[i]|0x20 == 'e') {
		i++
	}
	return i
}

// literal returns the length of the literal that b begins with, or 0.
func literal(b []byte) int {
	switch {
	case len(b) >= 4 && (string(b[:4]) == "true" || string(b[:4]) == "null"):
		return 4
	case len(b) >= 5 && string(b[:5]) == "false":
		return 5
	}
	return 0
}

func isPunctuation(c byte) bool { return c == ',' || c == ':' || isSpace(c) }

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func skipSpace(b []byte, i int) int {
	for i < len(b) && isSpace(b[i]) {
		i++
	}
	return i
}

// isEnvelope reports whether key is one of the envelope's members that are the
// API's own words and stay as they are.
func isEnvelope(key []byte) bool {
	switch string(key) {
	case "timestamp", "type", "source":
		return true
	}
	return false
}
