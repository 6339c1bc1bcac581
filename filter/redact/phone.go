package redact

// The number of digits of a number with its country code: E.164 allows 15 at
// most, and shorter than 8 are so few that a sum or an offset is likelier.
const (
	minPhoneDigits = 8
	maxPhoneDigits = 15
	// americanDigits is the length of every number with the country code 1.
	americanDigits = 11
)

// findPhone looks for a telephone number: +49 30 1234567, 0049 30 1234567,
// (415) 555-2671 or 415-555-2671.
func findPhone(t []byte, i, lo int) match {
	if isDigit(t[i]) {
		if t[i] == '0' {
			return zeroPhone(t, i, lo)
		}
		return americanPhone(t, i, lo)
	}
	c, width := encodedAt(t, i)
	if c != '+' || !startsWord(t, i, lo) || isFormSpace(t, i, lo) {
		return match{}
	}
	first := i + width
	if first < len(t) && t[first] == ' ' {
		first++
	}
	if first >= len(t) || t[first] < '1' || t[first] > '9' {
		return match{}
	}
	d := dial(t, first)
	if t[first] == '1' && d.digits != americanDigits {
		return match{}
	}
	if d.digits < minPhoneDigits || d.end < len(t) && (isAlnum(t[d.end]) || t[d.end] == '_') || isUnassigned(t, first) {
		return match{}
	}
	return match{start: i, end: d.end}
}

// isUnassigned reports whether the digits at t[i] begin with the country code 999, which
// no country has: what tokenisePhone makes.
func isUnassigned(t []byte, i int) bool {
	for range 3 {
		if i += phoneSeparator(t, i); i >= len(t) || t[i] != '9' {
			return false
		}
		i++
	}
	return true
}

// dialled is a sequence of digits in groups.
type dialled struct {
	end     int
	digits  int
	groups  int
	longest int  // the longest group after the first
	more    bool // another group follows that did not fit
}

// dial reads the groups of digits at t[i], as many as make a telephone number. A
// date or a time of day after the number is no part of it.
func dial(t []byte, i int) dialled {
	var d dialled
	limit := maxPhoneDigits
	if t[i] == '1' {
		limit = americanDigits
	}
	for {
		n := digitRun(t, i)
		if n == 0 || d.digits+n > limit || d.groups > 0 && startsTime(t, i, n) {
			d.more = n > 0
			return d
		}
		if d.groups > 0 {
			d.longest = max(d.longest, n)
		}
		d.digits += n
		d.groups++
		d.end = i + n
		i = d.end + phoneSeparator(t, d.end)
		if i == d.end {
			return d
		}
	}
}

// phoneSeparator returns the length of the separator at t[i]: one of space,
// hyphen, dot and slash, or a parenthesis with at most one of these on each side.
func phoneSeparator(t []byte, i int) int {
	n := phoneGap(t, i)
	if c, width := charAt(t, i+n); c == '(' || c == ')' {
		n += width
		n += phoneGap(t, i+n)
	}
	return n
}

func phoneGap(t []byte, i int) int {
	if _, width := gapAt(t, i); width > 0 {
		return width
	}
	if c, width := charAt(t, i); c == '/' {
		return width
	}
	return 0
}

// charAt is encodedAt that returns 0 at the end of the text.
func charAt(t []byte, i int) (c byte, width int) {
	if i >= len(t) {
		return 0, 0
	}
	return encodedAt(t, i)
}

// startsTime reports whether the n digits at t[i] begin a date (2022-12-05) or
// a time of day (20:01).
func startsTime(t []byte, i, n int) bool {
	end := i + n
	switch {
	case end >= len(t):
		return false
	case t[end] == ':':
		return digitRun(t, end+1) > 0
	case n == 4 && t[end] == '-':
		return digitRun(t, end+1) == 2 && end+3 < len(t) && t[end+3] == '-'
	}
	return false
}

// zeroPhone looks for a number with the prefix 00. It must be in groups and must
// not go on after the number, for many ids begin with zeros.
func zeroPhone(t []byte, i, lo int) match {
	if !hasAt(t, i, "00") || !standsAlone(t, i, lo) {
		return match{}
	}
	first := i + 2
	if first < len(t) && t[first] == ' ' {
		first++
	}
	if first >= len(t) || t[first] < '1' || t[first] > '9' {
		return match{}
	}
	d := dial(t, first)
	if d.digits < minPhoneDigits || d.groups < 2 || d.longest < 3 || d.more || !endsPhone(t, d.end) || isUnassigned(t, first) {
		return match{}
	}
	return match{start: i, end: d.end}
}

// americanPhone looks for ten digits in the North American form, with or
// without the country code 1, at the area code.
func americanPhone(t []byte, i, lo int) match {
	if digitRun(t, i) != 3 || t[i] < '2' {
		return match{}
	}
	start, next := i, i+3
	sep, width := charAt(t, next)
	next += width
	if sep == ')' {
		if start = openingParenthesis(t, i, lo); start < 0 {
			return match{}
		}
		_, width = gapAt(t, next)
		next += width
	} else if sep != '-' && sep != '.' {
		return match{} // three numbers with spaces between them are too common
	}
	if digitRun(t, next) != 3 || t[next] < '2' {
		return match{}
	}
	gap, width := gapAt(t, next+3)
	last := next + 3 + width
	if digitRun(t, last) != 4 || sep == ')' && gap == 0 || sep != ')' && gap != sep {
		return match{}
	}
	if k := start - 2; k >= lo && t[k] == '1' && (t[k+1] == '-' || t[k+1] == '.' || t[k+1] == ' ') && standsAlone(t, k, lo) {
		start = k
	}
	if !standsAlone(t, start, lo) || !endsPhone(t, last+4) {
		return match{}
	}
	return match{start: start, end: last + 4}
}

// openingParenthesis returns where the parenthesis just before t[i] begins, which may be
// escaped, or -1.
func openingParenthesis(t []byte, i, lo int) int {
	for _, width := range [...]int{1, 3, 6} {
		if i-width >= lo {
			if c, w := encodedAt(t, i-width); c == '(' && w == width {
				return i - width
			}
		}
	}
	return -1
}

// isFormSpace reports whether the plus sign at t[i] is a space in a form: what is before
// it is an escaped character after which a space is usual.
func isFormSpace(t []byte, i, lo int) bool {
	c, ok := percentAt(t, i-3)
	return ok && i-3 >= lo && t[i] == '+' && (c == ':' || c == ',' || c == ';')
}

// standsAlone reports whether nothing before t[i] makes it a part of an id, an
// address or a number.
func standsAlone(t []byte, i, lo int) bool {
	if !startsWord(t, i, lo) {
		return false
	}
	if i == lo || t[i-1] != '-' && t[i-1] != '.' && t[i-1] != '_' && t[i-1] != '+' {
		return true
	}
	return t[i-1] == '+' && i-1 > lo && (isLetter(t[i-2]) || isFormSpace(t, i-1, lo))
}

// endsPhone reports whether nothing at t[i] makes the number before it a part of
// an id, an address or a longer number.
func endsPhone(t []byte, i int) bool {
	if i == len(t) {
		return true
	}
	if isAlnum(t[i]) || t[i] == '_' {
		return false
	}
	if i+1 == len(t) {
		return true
	}
	switch t[i] {
	case '-':
		return !isAlnum(t[i+1])
	case '.', ':', '/':
		return !isDigit(t[i+1])
	}
	return true
}
