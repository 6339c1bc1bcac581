package query

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// appendUnescaped appends the text of a JSON string, without its quotes, to dst.
// Half a surrogate pair becomes U+FFFD, as in encoding/json.
func appendUnescaped(dst, inside []byte) ([]byte, bool) {
	for {
		i := bytes.IndexByte(inside, '\\')
		if i < 0 {
			return append(dst, inside...), true
		}
		dst = append(dst, inside[:i]...)
		if i+1 == len(inside) {
			return dst, false
		}
		c := inside[i+1]
		inside = inside[i+2:]
		if c != 'u' {
			if c = unescaped(c); c == 0 {
				return dst, false
			}
			dst = append(dst, c)
			continue
		}
		r, ok := hex4(inside)
		if !ok {
			return dst, false
		}
		inside = inside[4:]
		if utf16.IsSurrogate(r) {
			low := rune(-1)
			if len(inside) >= 6 && inside[0] == '\\' && inside[1] == 'u' {
				low, _ = hex4(inside[2:])
			}
			if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
				inside = inside[6:]
			}
		}
		dst = utf8.AppendRune(dst, r)
	}
}

// unescaped returns what a letter stands for behind a backslash, or 0.
func unescaped(c byte) byte {
	switch c {
	case '"', '\\', '/':
		return c
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return 0
}

func hex4(b []byte) (r rune, ok bool) {
	if len(b) < 4 {
		return 0, false
	}
	for _, c := range b[:4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}
