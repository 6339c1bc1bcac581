package redact

// The length of an IBAN (ISO 13616): Norway's are the shortest, the standard allows 34.
const (
	minIBAN = 15
	maxIBAN = 34
)

// findIBAN looks for an international bank account number at its check number, which
// follows the two letters of the country. It may stand in groups of four.
func findIBAN(t []byte, i, lo int) match {
	start := i - 2
	if start < lo || !isLetter(t[start]) || !isLetter(t[start+1]) || i+1 >= len(t) || !isDigit(t[i+1]) {
		return match{}
	}
	if !startsWord(t, start, lo) || start > lo && (t[start-1] == '-' || t[start-1] == '_') {
		return match{}
	}
	want := ibanLength(t[start]&^0x20, t[start+1]&^0x20)
	if want == 0 || len(t)-start < want {
		return match{}
	}
	var number [maxIBAN]byte
	n, end := 0, start
	for end < len(t) && n < want {
		if n > 0 && n%4 == 0 {
			if gap, width := gapAt(t, end); gap == ' ' || gap == '-' {
				end += width
			}
		}
		if end == len(t) || !isAlnum(t[end]) {
			return match{}
		}
		number[n] = t[end]
		n++
		end++
	}
	if n < want || !endsCard(t, end) || mod97(number[:n]) != 1 {
		return match{}
	}
	return match{start: start, end: end}
}

// mod97 returns the remainder that ISO 7064 defines, after the first four characters
// have been moved to the end. It is 1 for a right number. What is not a letter or
// digit does not count.
func mod97(number []byte) int {
	rest := 0
	for _, part := range [2][]byte{number[min(4, len(number)):], number[:min(4, len(number))]} {
		for _, c := range part {
			switch {
			case isDigit(c):
				rest = (rest*10 + int(c-'0')) % 97
			case isLetter(c):
				rest = (rest*100 + int(c|0x20-'a') + 10) % 97
			}
		}
	}
	return rest
}

// ibanLength returns the length of a country's numbers, or 0 if it has none (the
// IBAN registry of SWIFT).
func ibanLength(a, b byte) int {
	switch string([]byte{a, b}) {
	case "NO":
		return 15
	case "BE":
		return 16
	case "DK", "FI", "FK", "FO", "GL", "NL", "SD":
		return 18
	case "MK", "SI":
		return 19
	case "AT", "BA", "EE", "KZ", "LT", "LU", "MN", "XK":
		return 20
	case "CH", "CR", "HR", "LI", "LV":
		return 21
	case "BG", "BH", "DE", "GB", "GE", "IE", "ME", "RS", "VA":
		return 22
	case "AE", "GI", "IL", "IQ", "OM", "SO", "TL":
		return 23
	case "AD", "CZ", "ES", "MD", "PK", "RO", "SA", "SE", "SK", "TN", "VG":
		return 24
	case "LY", "PT", "ST":
		return 25
	case "IS", "TR":
		return 26
	case "BI", "DJ", "FR", "GR", "IT", "MC", "MR", "SM":
		return 27
	case "AL", "AZ", "BY", "CY", "DO", "GT", "HU", "LB", "NI", "PL", "SV":
		return 28
	case "BR", "EG", "PS", "QA", "UA":
		return 29
	case "JO", "KW", "MU", "YE":
		return 30
	case "MT", "SC":
		return 31
	case "LC":
		return 32
	case "RU":
		return 33
	}
	return 0
}
