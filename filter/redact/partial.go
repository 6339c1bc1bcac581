package redact

import (
	"bytes"
	"unicode/utf8"
)

// What the action "partial" leaves of values. The rest becomes stars, one for each
// character, so that doing it twice changes nothing.

// partialLastFour keeps the last four digits and everything that is no digit.
func partialLastFour(dst, t []byte) []byte { return starDigits(dst, t, 4) }

// partialPhone keeps the last three digits: of the longest numbers a thousandth,
// of the shortest (eight digits) one in 100,000 fits.
func partialPhone(dst, t []byte) []byte { return starDigits(dst, t, 3) }

// starDigits replaces all digits but the last keep ones. Escapes such as %20 between
// them are resolved: their digits would count otherwise.
func starDigits(dst, t []byte, keep int) []byte {
	at := len(dst)
	dst = appendDecoded(dst, t)
	left := countDigits(dst[at:])
	for i, c := range dst[at:] {
		if isDigit(c) {
			if left > keep {
				dst[at+i] = '*'
			}
			left--
		}
	}
	return dst
}

// appendDecoded appends t without URL escapes and escapes of JSON within a string.
func appendDecoded(dst, t []byte) []byte {
	for i := 0; i < len(t); {
		c, width := encodedAt(t, i)
		dst = append(dst, c)
		i += width
	}
	return dst
}

// partialIBAN keeps the country and the last four characters.
func partialIBAN(dst, t []byte) []byte {
	at := len(dst)
	dst = appendDecoded(dst, t)
	left := 0
	for _, c := range dst[at:] {
		if isAlnum(c) {
			left++
		}
	}
	for i, c := range dst[at:] {
		if isAlnum(c) {
			if i >= 2 && left > 4 {
				dst[at+i] = '*'
			}
			left--
		}
	}
	return dst
}

// partialEmail keeps the domain. The @ may be escaped.
func partialEmail(dst, t []byte) []byte {
	for i := range t {
		if c, width := encodedAt(t, i); c == '@' {
			return append(append(dst, "***@"...), t[i+width:]...)
		}
	}
	return append(dst, markerEmail...) // findEmail finds nothing without an @
}

// minPartial is the length from which a value shows its last four characters:
// shorter ones would give away more than a third.
const minPartial = 12

// partialValue is for values that are known by where they stand.
func partialValue(dst, t []byte) []byte {
	if at := bytes.LastIndexByte(t, '@'); at > 0 && domainEnd(t, at+1) == len(t) {
		return append(append(dst, "***"...), t[at:]...)
	}
	n := utf8.RuneCount(t)
	keep := 0
	if n >= minPartial {
		keep = 4
	}
	for ; n > keep; n-- {
		_, size := utf8.DecodeRune(t)
		dst, t = append(dst, '*'), t[size:]
	}
	return append(dst, t...)
}
