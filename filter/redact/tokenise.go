package redact

import "math"

// The action "tokenise": other characters of the same kind in the same places. It is
// one-way, for they come from a keyed hash of the value. Whoever has the key can only
// try values; nobody can compute a value from its token.

// minTokenBits is the room that a value's characters must have for a token of their
// own kind: 48 bits that tell values apart and 32 by which a token is recognised when
// it is redacted again. Shorter values get a hash token.
const (
	minTokenBits   = 80
	tokenCheckBits = 32
)

// appendToken appends the token of a value that is known by where it stands, or the
// value itself if it is a token.
func (h *hasher) appendToken(dst, value []byte) []byte {
	kind := kindsOf(value)
	check := kind.checkFrom(value)
	if check == 0 || h.isHash(value) {
		return h.appendHash(dst, value)
	}
	for k := range h.ids {
		if h.hasCheck(k, value, kind, check) {
			return append(dst, value...)
		}
	}
	at := len(dst)
	dst = append(dst, value...)
	token := dst[at:]
	seen := kind.fill(token[:check], false, h.stream("token", value))
	kind.fill(token[check:], seen, h.streamOf(0, "token:check", token[:check]))
	return dst
}

// hasCheck reports whether the characters from check on are the HMAC by key k of
// those before.
func (h *hasher) hasCheck(k int, value []byte, kind kinds, check int) bool {
	h.canon = append(h.canon[:0], value[check:]...)
	want := h.canon
	kind.fill(want, hasLetter(value[:check]), h.streamOf(k, "token:check", value[:check]))
	return string(want) == string(value[check:])
}

// kinds says how the letters of a value are replaced: those of a number in
// hexadecimal digits by others of a to f.
type kinds struct{ letters int }

func kindsOf(value []byte) kinds {
	for _, c := range value {
		if isLetter(c) && !isHex(c) {
			return kinds{letters: 26}
		}
	}
	return kinds{letters: 6}
}

// bits returns the room of a character; 0 if it stays.
func (k kinds) bits(c byte) float64 {
	switch {
	case isDigit(c):
		return math.Log2(10)
	case isLetter(c):
		return math.Log2(float64(k.letters))
	}
	return 0
}

// checkFrom returns where the check begins, or 0 if there is not enough room.
func (k kinds) checkFrom(value []byte) int {
	room := 0.0
	for _, c := range value {
		if c >= 0x80 || c == '%' {
			return 0 // letters of other alphabets would stay, URL escapes become others
		}
		room += k.bits(c)
	}
	if room < minTokenBits {
		return 0
	}
	i := len(value)
	for room = 0; room < tokenCheckBits; {
		i--
		room += k.bits(value[i])
	}
	return i
}

// fill replaces the letters and digits of t and reports whether a letter is among them or
// was seen before. The first letter of all is none of a to f if others are not, so that
// a token is of the same kind as its value.
func (k kinds) fill(t []byte, seen bool, s *stream) bool {
	for i, c := range t {
		switch {
		case isDigit(c):
			t[i] = s.digit()
		case isLetter(c) && k.letters == 26 && !seen:
			t[i], seen = c&0x20|('G'+byte(s.below(20))), true
		case isLetter(c):
			t[i], seen = c&0x20|('A'+byte(s.below(k.letters))), true
		}
	}
	return seen
}

func hasLetter(t []byte) bool {
	for _, c := range t {
		if isLetter(c) {
			return true
		}
	}
	return false
}

// tokeniseCard makes a number of the same length in the same groups. Its check digit
// is right and it begins with 1, which no card network has: it cannot be
// mistaken for a card, by people or by findCard.
func tokeniseCard(dst, t []byte, s *stream) []byte {
	at := len(dst)
	dst = appendDecoded(dst, t)
	var digits [maxCardDigits]byte
	n := countDigits(dst[at:])
	digits[0] = '1'
	for i := 1; i < n-1; i++ {
		digits[i] = s.digit()
	}
	for digits[n-1] = '0'; !luhn(digits[:n]); digits[n-1]++ {
	}
	k := 0
	for i, c := range dst[at:] {
		if isDigit(c) {
			dst[at+i] = digits[k]
			k++
		}
	}
	return dst
}

func countDigits(t []byte) int {
	n := 0
	for _, c := range t {
		if isDigit(c) {
			n++
		}
	}
	return n
}

// tokenisePhone makes a number with the country code 999, which is not assigned, or,
// of a North American number, one with an area code that begins with 0.
func tokenisePhone(dst, t []byte, s *stream) []byte {
	var plus bool
	for i := 0; i < len(t); {
		c, width := encodedAt(t, i)
		plus = plus || c == '+'
		i += width
	}
	fixed := "0"
	switch {
	case plus:
		fixed = "999"
	case hasAt(t, 0, "00"):
		fixed = "00999"
	case t[0] == '1':
		fixed = "10"
	}
	k := 0
	for i := 0; i < len(t); {
		c, width := encodedAt(t, i)
		i += width
		if isDigit(c) {
			if k < len(fixed) {
				c = fixed[k]
			} else {
				c = '1' + byte(s.below(9)) // no 0, which could begin another number
			}
			k++
		}
		dst = append(dst, c)
	}
	return dst
}

// tokeniseIBAN makes a number of the country XX, which there is not, with a right
// check number.
func tokeniseIBAN(dst, t []byte, s *stream) []byte {
	at := len(dst)
	dst = appendDecoded(dst, t)
	token := dst[at:]
	copy(token, "XX00")
	kinds{letters: 26}.fill(token[4:], true, s)
	check := 98 - mod97(token)
	token[2], token[3] = '0'+byte(check/10), '0'+byte(check%10)
	return dst
}
