package redact

import "encoding/binary"

// isASCII reports whether all bytes are below 0x80. It is quicker than utf8.Valid, which
// nearly every event would pass the same way.
func isASCII(b []byte) bool {
	const high = 0x8080808080808080
	for len(b) >= 32 {
		if (binary.NativeEndian.Uint64(b)|binary.NativeEndian.Uint64(b[8:])|
			binary.NativeEndian.Uint64(b[16:])|binary.NativeEndian.Uint64(b[24:]))&high != 0 {
			return false
		}
		b = b[32:]
	}
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool  { return c-'0' < 10 }
func isLetter(c byte) bool { return (c|0x20)-'a' < 26 }
func isAlnum(c byte) bool  { return isDigit(c) || isLetter(c) }
func isHex(c byte) bool    { return isDigit(c) || (c|0x20)-'a' < 6 }

func hexValue(c byte) byte {
	if isDigit(c) {
		return c - '0'
	}
	return (c | 0x20) - 'a' + 10
}

// isBase64URL reports whether c can stand in base64url, the alphabet of tokens.
func isBase64URL(c byte) bool { return isAlnum(c) || c == '-' || c == '_' }

// isNameChar reports whether c can stand in the name of a key or parameter.
func isNameChar(c byte) bool { return isBase64URL(c) || c == '.' }

// percentAt returns the byte that the URL escape at t[i] stands for.
func percentAt(t []byte, i int) (byte, bool) {
	if i < 0 || i+2 >= len(t) || t[i] != '%' || !isHex(t[i+1]) || !isHex(t[i+2]) {
		return 0, false
	}
	return hexValue(t[i+1])<<4 | hexValue(t[i+2]), true
}

// encodedAt returns the byte that t[i] stands for, as it is, as a URL escape
// (%40) or as a JSON escape that is still there because the text is JSON within
// a string (\u0040), and how many bytes that takes.
func encodedAt(t []byte, i int) (c byte, width int) {
	switch t[i] {
	case '%':
		if c, ok := percentAt(t, i); ok {
			return c, 3
		}
	case '\\':
		if u, ok := hex4(t[i:]); ok && u < 0x80 {
			return byte(u), 6
		}
	}
	return t[i], 1
}

// gapAt returns what separates the groups of a number at t[i] and its length: a space
// (which forms write as +), a hyphen or a dot, or an escape of one of these; 0 if there
// is none.
func gapAt(t []byte, i int) (c byte, width int) {
	if i >= len(t) {
		return 0, 0
	}
	switch c, width = encodedAt(t, i); {
	case c == ' ', c == '+' && width == 1:
		return ' ', width
	case c == '-', c == '.':
		return c, width
	}
	return 0, 0
}

// startsWord reports whether a word or number begins at t[i]: at the edge of
// the text, after something that is no letter or digit, or after an escape.
func startsWord(t []byte, i, lo int) bool {
	return i == lo || !isAlnum(t[i-1]) || afterEscape(t, i, lo)
}

// afterEscape reports whether a URL escape (%3D) or, in JSON within a string, an
// escape (\n, \u003d) ends just before t[i]. JSON may be within JSON within a
// string, so the number of backslashes does not matter.
func afterEscape(t []byte, i, lo int) bool {
	if i-lo >= 3 && t[i-3] == '%' && isHex(t[i-2]) && isHex(t[i-1]) {
		return true
	}
	if i-lo >= 6 && t[i-6] == '\\' {
		if _, ok := hex4(t[i-6:]); ok {
			return true
		}
	}
	return i-lo >= 2 && isEscapeLetter(t[i-1]) && t[i-2] == '\\'
}

func isEscapeLetter(c byte) bool {
	return c == 'n' || c == 't' || c == 'r' || c == 'b' || c == 'f'
}

// backslashes counts the backslashes just before t[i].
func backslashes(t []byte, i, lo int) int {
	n := 0
	for i-n > lo && t[i-n-1] == '\\' {
		n++
	}
	return n
}

// backTo returns the beginning of the longest run of bytes that are in and end at
// t[end], without escapes or parts of them, and at most most bytes long.
func backTo(t []byte, end, lo, most int, in func(byte) bool) int {
	i := end
	for i > lo && end-i < most && in(t[i-1]) && !afterEscape(t, i, lo) {
		i--
	}
	return i
}

// hasFold reports whether t[i:] begins with the lower-case word, in any case.
func hasFold(t []byte, i int, word string) bool {
	if i < 0 || len(t)-i < len(word) {
		return false
	}
	for k := range len(word) {
		if c := t[i+k]; c != word[k] && c|0x20 != word[k] {
			return false
		}
	}
	return true
}

func hasAt(t []byte, i int, word string) bool {
	return i >= 0 && len(t)-i >= len(word) && string(t[i:i+len(word)]) == word
}
