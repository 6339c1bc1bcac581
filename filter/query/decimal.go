package query

import (
	"bytes"
	"cmp"
)

// decimal is a number as it was written, so that it can be compared by value
// without rounding: 0.DIGITS * 10^exponent, the digits being those of whole and
// then those of fraction, of which the first is not 0.
type decimal struct {
	negative        bool
	whole, fraction []byte // both empty for 0
	exponent        int64
}

const (
	// maxExponent bounds the exponents of a query's numbers ...
	maxExponent = 999_999
	// ... and hugeExponent stands for all exponents of an event's numbers that are
	// larger, wherever their decimal point may be.
	hugeExponent = 1 << 40
)

// parseDecimal reads a number as JSON writes it.
func parseDecimal(b []byte) decimal {
	var d decimal
	if b, d.negative = trimSign(b); len(b) == 0 {
		return d
	}
	mantissa := b
	if i := bytes.IndexAny(b, "eE"); i >= 0 {
		mantissa = b[:i]
		d.exponent = parseExponent(b[i+1:])
	}
	d.whole, d.fraction, _ = bytes.Cut(mantissa, []byte("."))
	d.whole = bytes.TrimLeft(d.whole, "0")
	d.exponent += int64(len(d.whole))
	if len(d.whole) == 0 {
		digits := bytes.TrimLeft(d.fraction, "0")
		d.exponent -= int64(len(d.fraction) - len(digits))
		d.fraction = digits
	}
	if len(d.whole)+len(d.fraction) == 0 {
		return decimal{} // 0 and -0, whatever the exponent
	}
	return d
}

func trimSign(b []byte) (rest []byte, negative bool) {
	rest, negative = bytes.CutPrefix(b, []byte("-"))
	return rest, negative
}

func parseExponent(b []byte) int64 {
	b, negative := trimSign(bytes.TrimPrefix(b, []byte("+")))
	var n int64
	for _, c := range b {
		if n = n*10 + int64(c-'0'); n >= hugeExponent {
			n = hugeExponent
			break
		}
	}
	if negative {
		return -n
	}
	return n
}

// isUsual tells whether the exponent is one that a query's number may have.
func (d *decimal) isUsual() bool { return d.exponent >= -maxExponent && d.exponent <= maxExponent }

// digit returns the digit at i behind the decimal point of 0.DIGITS.
func (d *decimal) digit(i int) byte {
	if i < len(d.whole) {
		return d.whole[i]
	}
	if i -= len(d.whole); i < len(d.fraction) {
		return d.fraction[i]
	}
	return '0'
}

func (d *decimal) digits() int { return len(d.whole) + len(d.fraction) }

func (d *decimal) sign() int {
	switch {
	case d.digits() == 0:
		return 0
	case d.negative:
		return -1
	}
	return 1
}

// compare returns -1, 0 or 1, as d is less than, equal to or greater than other.
func (d *decimal) compare(other *decimal) int {
	sign := d.sign()
	if c := cmp.Compare(sign, other.sign()); c != 0 || sign == 0 {
		return c
	}
	if c := cmp.Compare(d.exponent, other.exponent); c != 0 {
		return sign * c
	}
	for i := range max(d.digits(), other.digits()) {
		if c := cmp.Compare(d.digit(i), other.digit(i)); c != 0 {
			return sign * c
		}
	}
	return 0
}
