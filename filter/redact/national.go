package redact

import "bytes"

// National identity numbers in digits. Only those are here that can be told from other
// numbers by their form or check digits, or by the word before them.

// grouped reads digits in groups of the given sizes at t[i], with the same separator
// between all of them, or in one piece. It returns 0 if they do not stand alone.
func grouped(t []byte, i, lo int, digits []byte, sizes ...int) (end int) {
	if !standsAlone(t, i, lo) {
		return 0
	}
	total, sep := 0, byte(0)
	for _, n := range sizes {
		total += n
	}
	if run := digitRun(t, i); run == total {
		copy(digits, t[i:i+total])
		end = i + total
	} else {
		n, at := 0, i
		for k, size := range sizes {
			if k > 0 {
				gap, width := gapAt(t, at)
				if gap == 0 || k > 1 && gap != sep {
					return 0
				}
				sep = gap
				at += width
			}
			if digitRun(t, at) != size {
				return 0
			}
			n += copy(digits[n:], t[at:at+size])
			at += size
		}
		end = at
	}
	if !endsPhone(t, end) {
		return 0
	}
	return end
}

// findSSN looks for a US social security number, 123-45-6789. Nine digits in one piece
// could be anything.
func findSSN(t []byte, i, lo int) match {
	var d [9]byte
	gap, _ := gapAt(t, i+3)
	if digitRun(t, i) != 3 || gap != '-' && gap != ' ' {
		return match{}
	}
	end := grouped(t, i, lo, d[:], 3, 2, 4)
	area := value10(d[:3])
	if end == 0 || area == 0 || area == 666 || area >= 900 || value10(d[3:5]) == 0 || value10(d[5:]) == 0 {
		return match{}
	}
	if gap == ' ' && !hasWordBefore(t, i, lo, "ssn", "social") {
		return match{} // three numbers in a row
	}
	return match{start: i, end: end}
}

// findSteuerID looks for a German tax identification number.
func findSteuerID(t []byte, i, lo int) match {
	var d [11]byte
	if n := digitRun(t, i); n != 11 && n != 2 {
		return match{}
	}
	end := grouped(t, i, lo, d[:], 2, 3, 3, 3)
	if end == 0 || !isSteuerID(d[:]) {
		return match{}
	}
	return match{start: i, end: end}
}

// isSteuerID reports whether the digits are a German tax identification number: of the
// first ten digits one occurs twice or three times and no other more than once.
func isSteuerID(digits []byte) bool {
	if len(digits) != 11 || digits[0] == '0' || !mod11and10(digits) {
		return false
	}
	var count [10]int
	for _, c := range digits[:10] {
		count[c-'0']++
	}
	repeated := 0
	for _, n := range count {
		switch {
		case n > 3:
			return false
		case n > 1:
			repeated++
		}
	}
	return repeated == 1
}

// findNIR looks for a French social security number with its key.
func findNIR(t []byte, i, lo int) match {
	var d [15]byte
	if n := digitRun(t, i); n != 15 && n != 1 && n != 13 {
		return match{}
	}
	end := grouped(t, i, lo, d[:], 1, 2, 2, 2, 3, 3, 2)
	if end == 0 {
		end = grouped(t, i, lo, d[:], 13, 2)
	}
	if end == 0 || !isNIR(d[:]) {
		return match{}
	}
	return match{start: i, end: end}
}

// isNIR reports whether the digits are a French social security number with its key.
// Those of people born in Corsica before 1976 have a letter and are not found.
func isNIR(digits []byte) bool {
	if len(digits) != 15 || digits[0] != '1' && digits[0] != '2' {
		return false
	}
	month, key := value10(digits[3:5]), value10(digits[13:])
	if month < 1 || month > 12 && month < 20 || month > 42 && month < 50 {
		return false
	}
	return key == 97-value10(digits[:13])%97
}

// findBSN looks for a Dutch citizen service number after a word that announces it: its
// check alone is passed by one in eleven numbers.
func findBSN(t []byte, i, lo int) match {
	if digitRun(t, i) != 9 || !standsAlone(t, i, lo) || !endsPhone(t, i+9) || !elevenTest(t[i:i+9]) {
		return match{}
	}
	if !hasWordBefore(t, i, lo, "bsn", "burgerservicenummer", "sofinummer") {
		return match{}
	}
	return match{start: i, end: i + 9}
}

// findAHV looks for a Swiss social security number, 756.1234.5678.97.
func findAHV(t []byte, i, lo int) match {
	var d [13]byte
	if !hasAt(t, i, "756") {
		return match{}
	}
	end := grouped(t, i, lo, d[:], 3, 4, 4, 2)
	if end == 0 || !isAHV(d[:]) {
		return match{}
	}
	return match{start: i, end: end}
}

func isAHV(digits []byte) bool {
	return len(digits) == 13 && string(digits[:3]) == "756" && ean13(digits)
}

// hasWordBefore reports whether one of the words, in any case, stands in the few
// characters before t[i].
func hasWordBefore(t []byte, i, lo int, words ...string) bool {
	const reach = 32
	before := t[max(lo, i-reach):i]
	for _, w := range words {
		for at := 0; at+len(w) <= len(before); at++ {
			k := bytes.IndexByte(before[at:], w[0])
			if u := bytes.IndexByte(before[at:], w[0]&^0x20); k < 0 || u >= 0 && u < k {
				k = u
			}
			if k < 0 {
				break
			}
			at += k
			if hasFold(before, at, w) {
				return true
			}
		}
	}
	return false
}
