package assemble

import (
	"strings"
	"unicode/utf8"
)

// look is what a text shows of itself, without knowledge of any other entry.
type look int

const (
	// bare: no sign of JSON.
	bare look = iota
	// escaped: could only be the inside of a string, and contains JSON escapes.
	escaped
	// closing: ends an object or array it did not begin, and has no quotes.
	closing
	// structured: strings with commas, colons or closing brackets where an object
	// that has been cut has them.
	structured
)

// lookAt says what a text is that does not begin an object. It can take an
// ordinary line for JSON only if the line reads like JSON from end to end.
func lookAt(text []byte) look {
	if !utf8.Valid(text) {
		return structured // the API sends valid texts, unless it cut a character
	}
	best := lookFrom(text, 0, false)
	for skip := 0; skip <= 1 && skip < len(text) && best != structured; skip++ {
		// Begins within a string; with skip, at the second byte of an escape.
		end, closed, escapes := stringEnd(text, skip)
		if closed {
			best = max(best, lookFrom(text, end, true))
		} else if end >= 0 && escapes {
			best = max(best, escaped)
		}
	}
	return best
}

// stringEnd returns the index after the quote that ends the string around
// text[i], len(text) if the string goes on, or -1 if it is none.
func stringEnd(text []byte, i int) (end int, closed, escapes bool) {
	for ; i < len(text); i++ {
		switch x := text[i]; {
		case x == '"':
			return i + 1, true, escapes
		case x < ' ':
			return -1, false, false
		case x == '\\':
			if i++; i == len(text) {
				return i, false, true
			}
			if strings.IndexByte(`"\/bfnrtu`, text[i]) < 0 {
				return -1, false, false
			}
			escapes = true
		}
	}
	return i, false, escapes
}

// tokens reads a text that was cut out of a JSON object, without knowing which
// containers are open around it.
type tokens struct {
	last   byte // the last token: one of {[}],:  " for a string, 0 for a scalar, 's' at the start
	open   []byte
	closed int // containers closed that the text did not open
	quotes int
	seps   int // commas and colons
}

// lookFrom reads text[i:], after a string if one ended just before i.
func lookFrom(text []byte, i int, afterString bool) look {
	t := tokens{last: 's'}
	if afterString {
		t.last, t.quotes = '"', 1
	}
	for i = space(text, i); i >= 0 && i < len(text); i = space(text, i) {
		if i = t.next(text, i); i < 0 {
			return bare
		}
	}
	switch {
	case t.quotes > 0 && t.seps+t.closed > 0:
		return structured
	case t.closed > 0:
		return closing
	}
	return bare
}

// next reads the token at text[i] and returns the index after it, or -1 if it
// cannot stand there.
func (t *tokens) next(text []byte, i int) int {
	x := text[i]
	begins := strings.IndexByte("s,:[", t.last) >= 0 // a value may begin
	ended := strings.IndexByte("s\"\x00}]", t.last) >= 0
	last := t.last
	t.last = x
	switch x {
	case '"':
		if !begins && last != '{' {
			return -1
		}
		end, _, _ := stringEnd(text, i+1)
		t.quotes++
		return end
	case ',', ':':
		t.seps++
		if !ended || x == ':' && last != '"' && last != 's' {
			return -1
		}
	case '{', '[':
		if !begins {
			return -1
		}
		t.open = append(t.open, x)
	case '}', ']':
		if !ended && last != x-2 { // {} and [] are two apart
			return -1
		}
		n := len(t.open)
		if n == 0 {
			t.closed++
			break
		}
		if t.open[n-1] != x-2 {
			return -1
		}
		t.open = t.open[:n-1]
	default:
		t.last = 0
		if !begins {
			return -1
		}
		return scalarEnd(text, i)
	}
	return i + 1
}

// scalarEnd returns the end of the number or literal at text[i], or of the part
// of it that is left where the text was cut, or -1.
func scalarEnd(text []byte, i int) int {
	start := i
	for i < len(text) && (isDigit(text[i]) || text[i]|0x20 >= 'a' && text[i]|0x20 <= 'z' || strings.IndexByte("+-.", text[i]) >= 0) {
		i++
	}
	word := string(text[start:i])
	if word == "" {
		return -1
	}
	if strings.Trim(word, "0123456789+-.eE") == "" {
		return i
	}
	for _, literal := range []string{"true", "false", "null"} {
		switch {
		case word == literal,
			start == 0 && strings.HasSuffix(literal, word),
			i == len(text) && strings.HasPrefix(literal, word),
			start == 0 && i == len(text) && strings.Contains(literal, word):
			return i
		}
	}
	return -1
}
