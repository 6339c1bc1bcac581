package query

import (
	"encoding/binary"
	"math/bits"
)

// skip returns the end of the value at i, or -1. It sees no more of the value
// than it needs to find the end.
func (m *Matcher) skip(i int) int {
	b := m.b
	if i >= len(b) {
		return -1
	}
	switch b[i] {
	case '"':
		end, _ := stringEnd(b, i+1)
		return end
	case '{', '[':
	default:
		return wordEnd(b, i)
	}
	for depth := 0; i < len(b); {
		switch b[i] {
		case '"':
			if i, _ = stringEnd(b, i+1); i < 0 {
				return -1
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
		i++
	}
	return -1
}

// wordEnd returns the end of the number or literal at i, or -1.
func wordEnd(b []byte, i int) int {
	start := i
	for i < len(b) && (b[i] >= '0' && b[i] <= '9' || b[i]|0x20 >= 'a' && b[i]|0x20 <= 'z' ||
		b[i] == '.' || b[i] == '-' || b[i] == '+') {
		i++
	}
	if i == start {
		return -1
	}
	return i
}

// Eight bytes at a time: c times each byte of a word.
const (
	ones  = 0x0101010101010101
	highs = 0x80 * ones
)

// stringEnd returns the index behind the quote that ends the string whose first
// byte is at i, or -1, and whether there is an escape in it.
func stringEnd(b []byte, i int) (end int, escaped bool) {
	for {
		for i+8 <= len(b) {
			x := binary.LittleEndian.Uint64(b[i:])
			q, s := x^'"'*ones, x^'\\'*ones
			// A borrow can only disturb bytes after a hit, and the first one counts.
			if hit := ((q-ones)&^q | (s-ones)&^s) & highs; hit != 0 {
				i += bits.TrailingZeros64(hit) >> 3
				break
			}
			i += 8
		}
		for i < len(b) && b[i] != '"' && b[i] != '\\' {
			i++
		}
		if i >= len(b) {
			return -1, escaped
		}
		if b[i] == '"' {
			return i + 1, escaped
		}
		escaped = true
		i += 2
	}
}
