package redact

// The length of payment card numbers (ISO/IEC 7812).
const (
	minCardDigits = 13
	maxCardDigits = 19
)

// cardLayouts are the groups in which card numbers are printed.
func cardLayouts() [5][5]int {
	return [5][5]int{{4, 4, 4, 4, 3}, {4, 4, 4, 4}, {4, 6, 5}, {4, 6, 4}, {6, 13}}
}

// findCard looks for a card number at the first digit of a run, in one piece or
// in groups. A number that is part of something longer (an id, a UUID, a decimal
// fraction) is none.
func findCard(t []byte, i, lo int) match {
	if i > lo {
		switch c := t[i-1]; {
		case c == '_', (c == '-' || c == '.') && i-1 > lo && isAlnum(t[i-2]):
			return match{}
		}
	}
	n := digitRun(t, i)
	if n >= minCardDigits && n <= maxCardDigits {
		if endsCard(t, i+n) && isCard(t[i:i+n]) && !isSpan(t, i, lo) {
			return match{start: i, end: i + n}
		}
		return match{}
	}
	if n != 4 && n != 6 || i+n == len(t) {
		return match{}
	}
	_, width := gapAt(t, i+n)
	if second := digitRun(t, i+n+width); second != 4 && second != 6 && second != 13 {
		return match{} // nearly always: a year, a part of an id
	}
	for _, layout := range cardLayouts() {
		if end := groupedCard(t, i, layout); end > 0 {
			return match{start: i, end: end}
		}
	}
	return match{}
}

// isSpan reports whether the number at t[i] is the span of a trace, as in Google's header
// x-cloud-trace-context: 32 hexadecimal digits, a slash and up to 20 decimal ones.
func isSpan(t []byte, i, lo int) bool {
	const trace = 32
	for _, width := range [...]int{1, 3} { // a slash or %2F
		slash := i - width
		if slash-trace < lo {
			return false
		}
		if c, w := encodedAt(t, slash); c == '/' && w == width && backTo(t, slash, lo, trace, isHex) == slash-trace {
			return true
		}
	}
	return false
}

// groupedCard returns the end of a card number in the given groups at t[i], or 0.
func groupedCard(t []byte, i int, layout [5]int) int {
	var digits [maxCardDigits]byte
	n, sep := 0, byte(0)
	for k, size := range layout {
		if size == 0 {
			break
		}
		if k > 0 {
			gap, width := gapAt(t, i)
			if gap != ' ' && gap != '-' || k > 1 && gap != sep {
				return 0
			}
			sep = gap
			i += width
		}
		if digitRun(t, i) != size {
			return 0
		}
		n += copy(digits[n:], t[i:i+size])
		i += size
	}
	if !endsCard(t, i) || !isCard(digits[:n]) {
		return 0
	}
	return i
}

// endsCard reports whether nothing at t[i] continues the number before it.
func endsCard(t []byte, i int) bool {
	if i == len(t) {
		return true
	}
	c := t[i]
	if isAlnum(c) || c == '_' {
		return false
	}
	return c != '-' && c != '.' || i+1 == len(t) || !isAlnum(t[i+1]) || c == '.' && !isDigit(t[i+1])
}

func digitRun(t []byte, i int) int {
	n := 0
	for i+n < len(t) && isDigit(t[i+n]) {
		n++
	}
	return n
}

// isCard reports whether the digits are a number of a known network with a right
// check digit.
func isCard(digits []byte) bool {
	for _, c := range digits {
		if !isDigit(c) {
			return false
		}
	}
	return len(digits) >= minCardDigits && len(digits) <= maxCardDigits && isIssued(digits) && luhn(digits)
}

// isIssued reports whether a network issues numbers of that length with these
// first six digits. Numbers beginning with 1, such as times, are never cards.
func isIssued(digits []byte) bool {
	iin := 0
	for _, c := range digits[:6] {
		iin = iin*10 + int(c-'0')
	}
	n := len(digits)
	in := func(lo, hi, width int) bool { return iin/width >= lo && iin/width <= hi }
	const six, four, three, two, one = 1, 100, 1000, 10000, 100000
	switch {
	case in(4, 4, one): // Visa
		return n == 13 || n == 16 || n == 19
	case in(51, 55, two), in(2221, 2720, four): // Mastercard
		return n == 16
	case in(34, 34, two), in(37, 37, two): // American Express
		return n == 15
	case in(300, 305, three), in(3095, 3095, four), in(36, 36, two), in(38, 39, two): // Diners Club
		return n >= 14
	case in(3528, 3589, four), in(2200, 2204, four): // JCB, Mir
		return n >= 16
	case in(6011, 6011, four), in(644, 659, three): // Discover, RuPay, Verve
		return n >= 16
	case in(60, 60, two), in(508, 508, three), in(353, 353, three), in(356, 356, three): // RuPay, Hipercard
		return n == 16
	case in(62, 62, two), in(81, 82, two): // UnionPay, RuPay
		return n >= 16
	case in(506099, 506198, six): // Verve
		return n == 16 || n == 18 || n == 19
	case in(9792, 9792, four): // Troy
		return n == 16
	case in(5018, 5018, four), in(5020, 5020, four), in(5038, 5038, four), in(5893, 5893, four),
		in(6304, 6304, four), in(6759, 6759, four), in(6761, 6763, four): // Maestro
		return true
	}
	return false
}
