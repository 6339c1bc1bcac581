package redact

// maxLocal and maxDomain are the limits of RFC 5321 on the parts of an address,
// with room for URL escapes in the first.
const (
	maxLocal  = 3 * 64
	maxDomain = 255
)

// findEmail looks for an address at the @, which may be escaped: bob%40ex.org.
func findEmail(t []byte, i, lo int) match {
	c, width := encodedAt(t, i)
	if c != '@' {
		return match{}
	}
	end := domainEnd(t, i+width)
	if end == 0 {
		return match{}
	}
	i -= backslashes(t, i, lo)
	start := localStart(t, i, lo)
	if start == i {
		return match{}
	}
	return match{start: start, end: end}
}

// localStart returns where the local part begins that ends at t[end]. Of the
// characters that RFC 5322 allows, those that join words in logs (= / & ? { |)
// don't belong to it, and some only between letters.
func localStart(t []byte, end, lo int) int {
	i := end
	for i > lo && end-i < maxLocal {
		c := t[i-1]
		if e, ok := percentAt(t, i-3); ok && i-3 >= lo && i < len(t) {
			if e == '+' || e == '.' || e == '_' || e == '-' || e >= 0x80 || isAlnum(e) {
				i -= 3
				continue
			}
			break
		}
		if i < end && afterEscape(t, i, lo) {
			break
		}
		if isAlnum(c) || c >= 0x80 || c == '.' || c == '_' || c == '-' || c == '+' {
			i--
			continue
		}
		if isLocalBetween(c) && i < end && i-1 > lo && isAlnum(t[i]) && isAlnum(t[i-2]) {
			i--
			continue
		}
		break
	}
	for i < end && (t[i] == '.' || t[i] == '-' || t[i] == '+') {
		i++
	}
	return i
}

func isLocalBetween(c byte) bool {
	return c == '\'' || c == '!' || c == '#' || c == '$' || c == '~' || c == '^' || c == '*'
}

// domainEnd returns the end of the longest domain name at t[i], or 0. It has a
// dot, and a last label of letters; any script counts.
func domainEnd(t []byte, i int) int {
	start, end, labels, numeric := i, 0, 0, 0
	if isDensity(t, i) {
		return 0
	}
	for i < len(t) && i-start < maxDomain {
		label, letters, digits := i, 0, 0
		for i < len(t) && (isAlnum(t[i]) || t[i] == '-' || t[i] >= 0x80) {
			switch {
			case isDigit(t[i]):
				digits++
			case t[i] != '-' && letters == i-label:
				letters++ // letters so far
			}
			i++
		}
		if i == label || t[label] == '-' {
			break
		}
		// A label that goes on with digits ends the name all the same: an
		// address may be glued to what follows it.
		if labels > 0 && numeric < 2 {
			if letters >= 2 || i-label > 4 && hasFold(t, label, "xn--") {
				end = label + letters
				if hasFold(t, label, "xn--") {
					end = i
				}
			}
		}
		if digits == i-label {
			numeric++
		}
		labels++
		if i == len(t) || t[i] != '.' {
			break
		}
		i++
	}
	return end
}

// isDensity recognises the file names of images for dense screens: logo@2x.png.
func isDensity(t []byte, i int) bool {
	return i+2 < len(t) && isDigit(t[i]) && t[i+1] == 'x' && t[i+2] == '.'
}
