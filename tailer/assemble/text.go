package assemble

import (
	"bytes"
	"strconv"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"aictail/tailer/aic"
)

// unescape appends the text of the inside of a JSON string to dst. Bytes that
// are not escaped are taken as they are. Half a character, escaped as a lone
// surrogate, becomes the three bytes that UTF-8 would have for it (and forbids):
// where two halves meet in a join, mend makes a character of them.
func unescape(dst, inside []byte) []byte {
	for {
		i := bytes.IndexByte(inside, '\\')
		if i < 0 || i+1 >= len(inside) {
			return append(dst, inside...)
		}
		dst = append(dst, inside[:i]...)
		x := inside[i+1]
		inside = inside[i+2:]
		switch x {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r, n := unit(inside)
			inside = inside[n:]
			if utf16.IsSurrogate(r) && len(inside) >= 2 && inside[0] == '\\' && inside[1] == 'u' {
				second, m := unit(inside[2:])
				if whole := utf16.DecodeRune(r, second); whole != utf8.RuneError {
					r, inside = whole, inside[2+m:]
				}
			}
			dst = appendRune(dst, r)
		default: // a quote, a backslash or a slash
			dst = append(dst, x)
		}
	}
}

// unit returns the number in the hexadecimal digits that b begins with, at most
// four, and how many there are.
func unit(b []byte) (r rune, n int) {
	for n < 4 && n < len(b) && isHex(b[n]) {
		x := b[n]
		if !isDigit(x) {
			x = x | 0x20 - 'a' + 10
		}
		r = r<<4 | rune(x&15)
		n++
	}
	return r, n
}

// appendRune is utf8.AppendRune, except that it encodes surrogates too.
func appendRune(dst []byte, r rune) []byte {
	if utf16.IsSurrogate(r) {
		return append(dst, 0xED, 0x80|byte(r>>6)&0x3F, 0x80|byte(r)&0x3F)
	}
	return utf8.AppendRune(dst, r)
}

// mend appends piece to text. Where the text ends in the first half of a
// surrogate pair and the piece begins with the second, they become one
// character.
func mend(text, piece []byte) []byte {
	if n := len(text); n >= 3 && len(piece) >= 3 && text[n-3] == 0xED && piece[0] == 0xED {
		whole := utf16.DecodeRune(surrogate(text[n-3:]), surrogate(piece))
		if whole != utf8.RuneError {
			return append(utf8.AppendRune(text[:n-3], whole), piece[3:]...)
		}
	}
	return append(text, piece...)
}

func surrogate(b []byte) rune {
	return 0xD000 | rune(b[1]&0x3F)<<6 | rune(b[2]&0x3F)
}

// inside returns what stands between the quotes of the entry's payload, or false
// if the payload is not a string.
func inside(e *aic.Entry) ([]byte, bool) {
	p := e.Payload.Of(e.Raw)
	if len(p) < 2 || p[0] != '"' || p[len(p)-1] != '"' {
		return nil, false
	}
	return p[1 : len(p)-1], true
}

// envelope returns the values of an entry's timestamp and source as they came,
// nil for one that is missing.
func envelope(e *aic.Entry) (timestamp, source []byte) {
	eachMember(e.Raw, func(name, value []byte) {
		switch string(name) {
		case "timestamp":
			timestamp = value
		case "source":
			source = value
		}
	})
	if timestamp == nil { // not from package aic
		timestamp = strconv.AppendQuote(nil, e.Time.Format(time.RFC3339Nano))
	}
	return timestamp, source
}

// payloadID returns what aic.Entry.ID is for a payload: its _id, unless that is
// missing, empty, not a string or contains an escape.
func payloadID(object []byte) (id []byte) {
	eachMember(object, func(name, value []byte) {
		if string(name) != "_id" {
			return
		}
		id = nil
		if len(value) > 2 && value[0] == '"' && bytes.IndexByte(value, '\\') < 0 {
			id = value[1 : len(value)-1 : len(value)-1]
		}
	})
	return id
}

// eachMember calls f for the members of a JSON object, with the inside of the
// name as it came and the value. It stops where b is not an object.
func eachMember(b []byte, f func(name, value []byte)) {
	i := space(b, 0)
	if i >= len(b) || b[i] != '{' {
		return
	}
	for i = space(b, i+1); i < len(b) && b[i] == '"'; i = space(b, i+1) {
		end := valueEnd(b, i)
		name := b[i+1 : max(i+1, end-1)]
		if i = space(b, end); i >= len(b) || b[i] != ':' {
			return
		}
		start := space(b, i+1)
		if end = valueEnd(b, start); end <= start {
			return
		}
		f(name, b[start:end:end])
		if i = space(b, end); i >= len(b) || b[i] != ',' {
			return
		}
	}
}

func space(b []byte, i int) int {
	for i < len(b) && isSpace(b[i]) {
		i++
	}
	return i
}

func isSpace(x byte) bool { return x == ' ' || x == '\n' || x == '\r' || x == '\t' }

// valueEnd returns the end of the valid JSON value that begins at b[i].
func valueEnd(b []byte, i int) int {
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			for i++; i < len(b) && b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
			i = min(i+1, len(b))
			if depth == 0 {
				return i
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ':', ' ', '\n', '\r', '\t':
			if depth == 0 {
				return i
			}
		}
		i++
	}
	return i
}
