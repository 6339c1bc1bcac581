package redact

import (
	"bytes"
	"strconv"
)

// walk goes over the event once, without recursion: in valid JSON a string is a
// key if and only if a colon follows, so no stack is needed. Strings, numbers
// and literals are looked at; any other byte that is not punctuation makes the
// event invalid, so that no text escapes by standing outside a string.
func (r *Redactor) walk() error {
	raw := r.raw
	i := skipSpace(raw, 0)
	if i == len(raw) || raw[i] != '{' {
		return ErrInvalid
	}
	for i < len(raw) {
		switch c := raw[i]; c {
		case '"':
			if i = r.str(i); i < 0 {
				return ErrInvalid
			}
		case '{', '[':
			r.depth++
			i++
		case '}', ']':
			r.pair &^= 1 << (r.depth & 63)
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
			if isDigit(c) || c == '-' {
				i = r.number(i)
			} else if n := literal(raw[i:]); n > 0 {
				i += n
			} else {
				return ErrInvalid
			}
		}
	}
	return ErrInvalid
}

// str handles the string that begins at raw[i] and, if it is a key, as much of
// the member as needs to know the key. It returns where to go on, or -1.
func (r *Redactor) str(i int) int {
	raw, class := r.raw, &r.set.class
	start := i + 1
	end := start
	for end < len(raw) && class[raw[end]] == plain {
		end++
	}
	if end == len(raw) {
		return -1
	}
	first := -1 // the first byte that a rule may want to look at
	if raw[end] != '"' {
		first = end
		if end = closingQuote(raw, start, end); end < 0 {
			return -1
		}
	}
	colon := skipSpace(raw, end+1)
	if colon == len(raw) || raw[colon] != ':' {
		if first >= 0 && !r.value(start, end, first) {
			return -1
		}
		return end + 1
	}
	return r.member(start, end, first, skipSpace(raw, colon+1))
}

// value examines the string raw[start:end], of which first is the first byte of
// interest. It reports false if the string is not valid.
func (r *Redactor) value(start, end, first int) bool {
	t := r.raw[start:end]
	from := first - start
	if bytes.IndexByte(t[from:], '\\') >= 0 {
		var ok bool
		if r.decoded, ok = appendUnescaped(r.decoded[:0], t); !ok {
			return false
		}
		t, from = r.decoded, 0
	}
	if text, changed := r.examine(t, from); changed {
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
	if first >= 0 {
		if bytes.IndexByte(key, '\\') >= 0 {
			var ok bool
			if r.key, ok = appendUnescaped(r.key[:0], key); !ok {
				return -1
			}
			key = r.key
		}
		if text, changed := r.examine(key, 0); changed {
			r.replaceKey(start, end, text)
		}
	}
	bit := uint64(1) << (r.depth & 63)
	if isSecretKey(key) || r.pair&bit != 0 && isPairValue(key) {
		return r.secret(v)
	}
	if raw[v] != '"' {
		return v
	}
	if r.depth == 1 && isEnvelope(key) {
		if v = closingQuote(raw, v+1, v+1); v < 0 {
			return -1
		}
		return v + 1
	}
	if isPairName(key) {
		r.pair &^= bit
		if q := closingQuote(raw, v+1, v+1); q > 0 && namesSecret(raw[v+1:q]) {
			r.pair |= bit
		}
	}
	return v
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

// secret replaces the value at v, which stands under a secret's name, unless
// there is nothing in it to hide: null, true, false, "", {}, [] and what has
// been replaced before. It returns where to go on, or -1.
func (r *Redactor) secret(v int) int {
	end := valueEnd(r.raw, v)
	if end < 0 {
		return -1
	}
	switch c := r.raw[v]; {
	case c == '"':
		if inside := r.raw[v+1 : end-1]; len(inside) == 0 || string(inside) == markerSecret {
			return end
		}
	case c == '{' || c == '[':
		if skipSpace(r.raw, v+1) == end-1 {
			return end
		}
	case !isDigit(c) && c != '-':
		return v // a literal; the walk checks it
	}
	r.replaceValue(v, end, ruleSecretKey)
	return end
}

// number handles the number at raw[i] and returns its end.
func (r *Redactor) number(i int) int {
	end := numberEnd(r.raw, i)
	if n := end - i; n >= minCardDigits && n <= maxCardDigits {
		for _, k := range r.set.byNumber {
			if r.set.rules[k].number(r.raw[i:end]) {
				r.replaceValue(i, end, k)
				break
			}
		}
	}
	return end
}

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
