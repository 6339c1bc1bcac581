package redact

// luhn checks the last digit (ISO/IEC 7812-1, annex B).
func luhn(digits []byte) bool {
	sum := 0
	for k, c := range digits {
		d := int(c - '0')
		if (len(digits)-k)%2 == 0 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

// mod11and10 checks the last digit (ISO 7064, MOD 11,10).
func mod11and10(digits []byte) bool {
	product := 10
	last := len(digits) - 1
	for _, c := range digits[:last] {
		sum := (int(c-'0') + product) % 10
		if sum == 0 {
			sum = 10
		}
		product = sum * 2 % 11
	}
	return (11-product)%10 == int(digits[last]-'0')
}

// ean13 checks the last of 13 digits (GS1).
func ean13(digits []byte) bool {
	sum := 0
	for k, c := range digits {
		sum += int(c-'0') * (1 + 2*(k%2))
	}
	return sum%10 == 0
}

// elevenTest checks the last digit of a Dutch BSN.
func elevenTest(digits []byte) bool {
	sum := 0
	for k, c := range digits[:len(digits)-1] {
		sum += int(c-'0') * (len(digits) - k)
	}
	return (sum-int(digits[len(digits)-1]-'0'))%11 == 0
}

// value returns the number that the digits stand for.
func value10(digits []byte) int {
	n := 0
	for _, c := range digits {
		n = n*10 + int(c-'0')
	}
	return n
}
