package redact

import "bytes"

// The bits of JSON syntax that the walk needs.

// closingQuote returns the index of the quote that ends the JSON string whose
// inside begins at start, or -1. No quote that ends it is before from.
func closingQuote(b []byte, start, from int) int {
	for i := from; ; {
		k := bytes.IndexByte(b[i:], '"')
		if k < 0 {
			return -1
		}
		i += k
		n := i
		for n > start && b[n-1] == '\\' {
			n--
		}
		if (i-n)%2 == 0 {
			return i
		}
		i++
	}
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
