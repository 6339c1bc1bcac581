package aic

import (
	"encoding/binary"
	"encoding/json"
	"math/bits"
)

const (
	// usualDepth is the nesting for which there is room from the start. Log entries
	// nest about ten deep. There is no bound: a single entry that somebody nests
	// deeper than that must not keep its page from being read. It costs a byte of
	// memory for each level, and the filter puts it into quarantine.
	usualDepth = 1000
	// pad zero bytes follow the data. A zero is not allowed anywhere in JSON, so
	// every loop of the scanner ends there without comparing its index, and a
	// load of eight bytes that begins within the data stays in the buffer.
	pad = 8
)

// scanner reads JSON from a buffer, as strictly as encoding/json.Valid but without
// its bound on depth. It never looks at a byte twice while the data
// suffices. Its methods take the index where something begins and return the
// index after it, or -1 after noting the failure.
//
// As in encoding/json, bytes above 0x7f are taken as they are.
type scanner struct {
	b []byte // b[:n] is data, followed by at least pad zero bytes
	n int

	// Of the last failure: the reason, or "" if the data ended too early, and
	// the index of the offending byte.
	reason string
	at     int

	closers []byte // the end of each open container; from 1 on
}

// fail notes why scanning stopped. At the end of the data it always stops, and
// then the only reason is that there is no more of it.
func (s *scanner) fail(i int, reason string) int {
	s.at, s.reason = i, reason
	if i >= s.n {
		s.reason = ""
	}
	return -1
}

// space returns the index of the next byte that is not white space. Line ends
// and tabs become spaces, so that an entry is one line.
func (s *scanner) space(i int) int {
	for {
		switch s.b[i] {
		case ' ':
		case '\n', '\r', '\t':
			s.b[i] = ' '
		default:
			return i
		}
		i++
	}
}

// Eight bytes at a time: c times each byte of a word.
const (
	ones  = 0x0101010101010101
	highs = 0x80 * ones
)

// str scans the rest of a string whose opening quote is just before i. It also
// reports whether the string contains an escape.
func (s *scanner) str(i int) (end int, escaped bool) {
	b := s.b
	for {
		x := binary.LittleEndian.Uint64(b[i : i+8])
		// The high bit of each byte is set where it is a quote or a control
		// character (both are below 0x21 after xor with 2) or a backslash. A
		// borrow can only disturb bytes after a hit, and the first one counts.
		hit := (((x ^ 0x02*ones) - 0x21*ones) | ((x ^ '\\'*ones) - ones)) &^ x & highs
		if hit == 0 {
			i += 8
			continue
		}
		i += bits.TrailingZeros64(hit) >> 3
		switch b[i] {
		case '"':
			return i + 1, escaped
		case '\\':
			escaped = true
			if i = s.escape(i + 1); i < 0 {
				return -1, escaped
			}
		default:
			return s.fail(i, "control character in a string"), escaped
		}
	}
}

// escape scans what follows a backslash.
func (s *scanner) escape(i int) int {
	switch s.b[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 1
	case 'u':
		for range 4 {
			i++
			switch c := s.b[i]; {
			case c >= '0' && c <= '9', c >= 'a' && c <= 'f', c >= 'A' && c <= 'F':
			default:
				return s.fail(i, `four hexadecimal digits expected after \u`)
			}
		}
		return i + 1
	}
	return s.fail(i, "unknown escape in a string")
}

// number scans a number. At the very end of the data it fails as incomplete,
// since more digits may follow; in a page something always does.
func (s *scanner) number(i int) int {
	b := s.b
	if b[i] == '-' {
		i++
	}
	switch {
	case b[i] == '0':
		i++
	case b[i] >= '1' && b[i] <= '9':
		i = digits(b, i)
	default:
		return s.fail(i, "digit expected")
	}
	if b[i] == '.' {
		i++
		if b[i] < '0' || b[i] > '9' {
			return s.fail(i, "digit expected after the decimal point")
		}
		i = digits(b, i)
	}
	if b[i] == 'e' || b[i] == 'E' {
		i++
		if b[i] == '+' || b[i] == '-' {
			i++
		}
		if b[i] < '0' || b[i] > '9' {
			return s.fail(i, "digit expected in the exponent")
		}
		i = digits(b, i)
	}
	if i >= s.n {
		return s.fail(i, "")
	}
	return i
}

func digits(b []byte, i int) int {
	for b[i] >= '0' && b[i] <= '9' {
		i++
	}
	return i
}

func (s *scanner) literal(i int, word string) int {
	for k := range len(word) {
		if s.b[i+k] != word[k] {
			return s.fail(i+k, "a JSON value expected")
		}
	}
	return i + len(word)
}

// scalar scans a value that is neither object nor array.
func (s *scanner) scalar(i int) int {
	switch s.b[i] {
	case '"':
		end, _ := s.str(i + 1)
		return end
	case 't':
		return s.literal(i, "true")
	case 'f':
		return s.literal(i, "false")
	case 'n':
		return s.literal(i, "null")
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return s.number(i)
	}
	return s.fail(i, "a JSON value expected")
}

// value scans any value, starting at its first byte. depth is the number of
// containers that are open around it.
func (s *scanner) value(i, depth int) int {
	b := s.b
	outer := depth
	for {
		// A value begins at i.
		switch c := b[i]; c {
		case '{', '[':
			depth++
			if depth >= len(s.closers) {
				s.closers = append(s.closers, make([]byte, max(usualDepth, len(s.closers)))...)
			}
			s.closers[depth] = c + 2 // '[' and ']', '{' and '}' are two apart
			if i++; b[i] <= ' ' {
				i = s.space(i)
			}
			if b[i] == c+2 {
				i++
				depth--
				break
			}
			if c == '{' {
				if i = s.skipKey(i); i < 0 {
					return -1
				}
			}
			continue
		case '"':
			i, _ = s.str(i + 1)
		default:
			i = s.scalar(i)
		}
		if i < 0 {
			return -1
		}
		// A value ended just before i: go on in the container around it.
		for {
			if depth == outer {
				return i
			}
			if b[i] <= ' ' {
				i = s.space(i)
			}
			closer := s.closers[depth]
			if b[i] == closer {
				i++
				depth--
				continue
			}
			if b[i] != ',' {
				return s.fail(i, "comma or end of the object or array expected")
			}
			if i++; b[i] <= ' ' {
				i = s.space(i)
			}
			if closer == '}' {
				if i = s.skipKey(i); i < 0 {
					return -1
				}
			}
			break
		}
	}
}

// skipKey scans an object's key and the colon and returns where the value
// begins.
func (s *scanner) skipKey(i int) int {
	if s.b[i] != '"' {
		return s.fail(i, "an object's key expected")
	}
	end, _ := s.str(i + 1)
	if end < 0 {
		return -1
	}
	return s.colon(end)
}

func (s *scanner) colon(i int) int {
	if s.b[i] <= ' ' {
		i = s.space(i)
	}
	if s.b[i] != ':' {
		return s.fail(i, "colon expected")
	}
	if i++; s.b[i] <= ' ' {
		i = s.space(i)
	}
	return i
}

// key is skipKey for where the key's name matters.
func (s *scanner) key(i int) (name []byte, value int) {
	if s.b[i] != '"' {
		return nil, s.fail(i, "an object's key expected")
	}
	end, escaped := s.str(i + 1)
	if end < 0 {
		return nil, -1
	}
	name = s.b[i+1 : end-1]
	if escaped {
		name = []byte(unescape(s.b[i:end]))
	}
	return name, s.colon(end)
}

// after steps over what follows a member or element: it returns the index of
// the next one, or done and the index after the closer.
func (s *scanner) after(i int, closer byte) (next int, done bool) {
	if s.b[i] <= ' ' {
		i = s.space(i)
	}
	switch s.b[i] {
	case closer:
		return i + 1, true
	case ',':
		if i++; s.b[i] <= ' ' {
			i = s.space(i)
		}
		return i, false
	}
	return s.fail(i, "comma or end of the object or array expected"), false
}

// unescape returns the text of a JSON string with its quotes that has been
// scanned before.
func unescape(quoted []byte) string {
	var text string
	// It cannot fail: the scanner is as strict. If it did, the text would be "",
	// which is treated as missing.
	_ = json.Unmarshal(quoted, &text)
	return text
}
