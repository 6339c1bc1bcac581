package redact

// National identity numbers with letters in them.

// findNINO looks for a British national insurance number, AB123456C or AB 12 34 56 C,
// at its first digit.
func findNINO(t []byte, i, lo int) match {
	n := digitRun(t, i)
	if n != 2 && n != 6 {
		return match{}
	}
	prefix := i - 2
	for _, width := range [...]int{1, 3} { // a space or %20
		if gap, w := gapAt(t, max(lo, i-width)); gap == ' ' && w == width && i-width >= lo {
			prefix -= width
			break
		}
	}
	if prefix < lo || !startsWord(t, prefix, lo) || !isNINOPrefix(t[prefix], t[prefix+1]) || prefix > lo && (t[prefix-1] == '-' || t[prefix-1] == '_') {
		return match{}
	}
	end := i + n
	for n == 2 && end < i+12 {
		gap, width := gapAt(t, end)
		if gap != ' ' || digitRun(t, end+width) != 2 {
			break
		}
		end += width + 2
	}
	if gap, width := gapAt(t, end); gap == ' ' {
		end += width
	}
	if end >= len(t) || countDigitsOf(t[i:end]) != 6 || t[end] < 'A' || t[end] > 'D' || !endsCard(t, end+1) {
		return match{}
	}
	return match{start: prefix, end: end + 1}
}

// countDigitsOf counts the digits that are no part of an escape.
func countDigitsOf(t []byte) int {
	n := 0
	for i := 0; i < len(t); {
		c, width := encodedAt(t, i)
		if isDigit(c) {
			n++
		}
		i += width
	}
	return n
}

// isNINOPrefix knows the letters that are issued (HMRC manual NIM39110).
func isNINOPrefix(a, b byte) bool {
	for _, c := range [2]byte{a, b} {
		if c < 'A' || c > 'Z' || c == 'D' || c == 'F' || c == 'I' || c == 'Q' || c == 'U' || c == 'V' {
			return false
		}
	}
	switch string([]byte{a, b}) {
	case "BG", "GB", "NK", "KN", "TN", "NT", "ZZ":
		return false
	}
	return b != 'O'
}

// findDNI looks for a Spanish identity number, 12345678Z, or that of a foreigner,
// X1234567L, at its first digit. A hyphen may stand at the letters.
func findDNI(t []byte, i, lo int) match {
	n := digitRun(t, i)
	if n != 7 && n != 8 {
		return match{}
	}
	start, first := i, 0
	if n == 7 {
		start--
		if start >= lo && t[start] == '-' {
			start--
		}
		if start < lo || t[start] < 'X' || t[start] > 'Z' {
			return match{}
		}
		first = int(t[start] - 'X')
	}
	end := i + n
	if end < len(t) && t[end] == '-' {
		end++
	}
	if end >= len(t) || !standsAlone(t, start, lo) || !endsCard(t, end+1) {
		return match{}
	}
	const letters = "TRWAGMYFPDXBNJZSQVHLCKE"
	if t[end] != letters[(first*1e7+value10(t[i:i+n]))%len(letters)] {
		return match{}
	}
	return match{start: start, end: end + 1}
}

// findCodiceFiscale looks for an Italian tax code, RSSMRA85T10A562S, at its first digit.
// Those in which letters stand for digits are not found.
func findCodiceFiscale(t []byte, i, lo int) match {
	const length = 16
	start := i - 6
	if start < lo || digitRun(t, i) != 2 || start+length > len(t) || !startsWord(t, start, lo) || !endsCard(t, start+length) {
		return match{}
	}
	var code [length]byte
	for k, c := range t[start : start+length] {
		isNumber := k == 6 || k == 7 || k == 9 || k == 10 || k >= 12 && k <= 14
		if isNumber != isDigit(c) || !isNumber && !isLetter(c) {
			return match{}
		}
		code[k] = c &^ 0x20
		if isNumber {
			code[k] = c
		}
	}
	day := value10(code[9:11]) % 40
	if day < 1 || day > 31 || !isCodiceMonth(code[8]) || codiceCheck(code[:15]) != code[15] {
		return match{}
	}
	return match{start: start, end: start + length}
}

func isCodiceMonth(c byte) bool {
	switch c {
	case 'A', 'B', 'C', 'D', 'E', 'H', 'L', 'M', 'P', 'R', 'S', 'T':
		return true
	}
	return false
}

// codiceCheck computes the last letter (decree of 23 December 1976).
func codiceCheck(code []byte) byte {
	const odd = "BAKPLCQDREVOSFTGUHMINJWZYX" // the letter at the place v has the value v
	sum := 0
	for k, c := range code {
		v := int(c - '0')
		if !isDigit(c) {
			v = int(c - 'A')
		}
		if k%2 == 0 {
			for place := range odd {
				if int(odd[place]-'A') == v {
					v = place
					break
				}
			}
		}
		sum += v
	}
	return 'A' + byte(sum%26)
}
