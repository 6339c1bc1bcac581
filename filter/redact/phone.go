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
	if c != '+' || !startsWord(t, i, lo) {
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
	n := 0
	one := func() {
		if i+n < len(t) && (t[i+n] == ' ' || t[i+n] == '-' || t[i+n] == '.' || t[i+n] == '/') {
			n++
		}
	}
	one()
	if i+n < len(t) && (t[i+n] == '(' || t[i+n] == ')') {
		n++
		one()
	}
	return n
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
	if digitRun(t, i) != 3 || t[i] < '2' || i+3 >= len(t) {
		return match{}
	}
	start, next, sep := i, i+4, t[i+3]
	if sep == ')' {
		if i == lo || t[i-1] != '(' {
			return match{}
		}
		start--
		if next < len(t) && (t[next] == ' ' || t[next] == '-' || t[next] == '.') {
			next++
		}
	} else if sep != '-' && sep != '.' {
		return match{} // three numbers with spaces between them are too common
	}
	if digitRun(t, next) != 3 || t[next] < '2' || digitRun(t, next+4) != 4 {
		return match{}
	}
	if s := t[next+3]; sep == ')' && s != '-' && s != '.' && s != ' ' || sep != ')' && s != sep {
		return match{}
	}
	if k := start - 2; k >= lo && t[k] == '1' && (t[k+1] == '-' || t[k+1] == '.' || t[k+1] == ' ') && standsAlone(t, k, lo) {
		start = k
	}
	end := next + 8
	if !standsAlone(t, start, lo) || !endsPhone(t, end) {
		return match{}
	}
	return match{start: start, end: end}
}

// standsAlone reports whether nothing before t[i] makes it a part of an id, an
// address or a number.
func standsAlone(t []byte, i, lo int) bool {
	if !startsWord(t, i, lo) {
		return false
	}
	return i == lo || t[i-1] != '-' && t[i-1] != '.' && t[i-1] != '_' && t[i-1] != '+'
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
