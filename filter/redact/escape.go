package redact

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// appendUnescaped appends the inside of a JSON string without its escapes and
// reports whether they were valid. Half of a surrogate pair, which JSON allows
// and UTF-8 does not, is kept in the three bytes that UTF-8 would give it, so
// that appendEscaped can write it again.
func appendUnescaped(dst, s []byte) ([]byte, bool) {
	for {
		k := bytes.IndexByte(s, '\\')
		if k < 0 {
			return append(dst, s...), true
		}
		dst = append(dst, s[:k]...)
		s = s[k:]
		if len(s) < 2 {
			return dst, false
		}
		switch c := s[1]; c {
		case '"', '\\', '/':
			dst = append(dst, c)
		case 'n':
			dst = append(dst, '\n')
		case 't':
			dst = append(dst, '\t')
		case 'r':
			dst = append(dst, '\r')
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'u':
			u, ok := hex4(s)
			if !ok {
				return dst, false
			}
			s = s[6:]
			if utf16.IsSurrogate(u) {
				if low, ok := hex4(s); ok {
					if full := utf16.DecodeRune(u, low); full != utf8.RuneError {
						dst = utf8.AppendRune(dst, full)
						s = s[6:]
						continue
					}
				}
				dst = append(dst, 0xE0|byte(u>>12), 0x80|byte(u>>6)&0x3F, 0x80|byte(u)&0x3F)
				continue
			}
			dst = utf8.AppendRune(dst, u)
			continue
		default:
			return dst, false
		}
		s = s[2:]
	}
}

// hex4 reads the escape \uXXXX that s begins with.
func hex4(s []byte) (rune, bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	var u rune
	for _, c := range s[2:6] {
		if !isHex(c) {
			return 0, false
		}
		u = u<<4 | rune(hexValue(c))
	}
	return u, true
}

const hexDigits = "0123456789abcdef"

// appendEscaped appends t as the inside of a JSON string. Bytes that are not
// valid UTF-8 stay as they came.
func appendEscaped(dst, t []byte) []byte {
	for i := 0; i < len(t); i++ {
		switch c := t[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\t':
			dst = append(dst, '\\', 't')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		case c < 0x20:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xF])
		case c == 0xED && i+2 < len(t) && t[i+1]&0xE0 == 0xA0 && t[i+2]&0xC0 == 0x80:
			dst = append(dst, '\\', 'u', 'd', hexDigits[t[i+1]>>2&0xF], hexDigits[t[i+1]<<2&0xC|t[i+2]>>4&0x3], hexDigits[t[i+2]&0xF])
			i += 2
		default:
			dst = append(dst, c)
		}
	}
	return dst
}
