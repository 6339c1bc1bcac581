package redact

// appendCanonical appends a value in the form in which it is hashed, so that equal
// values give equal tokens however they were written: without URL escapes, without
// spaces around it, ASCII letters in lower case, and, if it has at least eight digits
// and otherwise only what separates them, without separators.
func appendCanonical(dst, value []byte) []byte {
	start := len(dst)
	digits, numeric := 0, true
	for i := 0; i < len(value); {
		c, width := encodedAt(value, i)
		i += width
		switch {
		case isDigit(c):
			digits++
		case c-'A' < 26:
			c |= 0x20
			numeric = false
		case c != ' ' && c != '-' && c != '.' && c != '(' && c != ')' && c != '/' && c != '+':
			numeric = false
		}
		dst = append(dst, c)
	}
	text := dst[start:]
	for len(text) > 0 && isSpace(text[0]) {
		text = text[1:]
	}
	for len(text) > 0 && isSpace(text[len(text)-1]) {
		text = text[:len(text)-1]
	}
	kept := 0
	for _, c := range text {
		if !numeric || digits < 8 || isDigit(c) {
			dst[start+kept] = c
			kept++
		}
	}
	return dst[:start+kept]
}
