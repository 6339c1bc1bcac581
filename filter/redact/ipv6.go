package redact

import "net/netip"

// maxIPv6 is the length of the longest form: eight groups, or six and an IPv4 address.
const maxIPv6 = 45

// findIPv6 looks for an IPv6 address at its first colon. Colons may be escaped.
func findIPv6(t []byte, i, lo int) match {
	c, width := encodedAt(t, i)
	if c != ':' {
		return match{}
	}
	start := backTo(t, i, lo, 5, isHex)
	if i-start > 4 || start == i && !isColon(t, i+width) || start > lo && !beginsIPv6(t, start, lo) {
		return match{}
	}
	var text [maxIPv6 + 1]byte
	n, end := 0, start
	for end < len(t) {
		c, width := encodedAt(t, end)
		if !isHex(c) && c != ':' && !(c == '.' && end+1 < len(t) && isDigit(t[end+1])) {
			break
		}
		if n == len(text) {
			return match{}
		}
		text[n] = c
		n++
		end += width
	}
	if n > 0 && text[n-1] == ':' && (n < 2 || text[n-2] != ':') { // what follows an address in prose
		n, end = n-1, end-1
	}
	if end < len(t) && (isAlnum(t[end]) || t[end] == '_') || !hasIPv6Form(text[:n]) {
		return match{}
	}
	addr, err := netip.ParseAddr(string(text[:n]))
	if err != nil || addr.IsLoopback() || addr.IsUnspecified() || addr.IsMulticast() {
		return match{}
	}
	return match{start: start, end: end}
}

func isColon(t []byte, i int) bool {
	if i >= len(t) {
		return false
	}
	c, _ := encodedAt(t, i)
	return c == ':'
}

func beginsIPv6(t []byte, i, lo int) bool {
	c := t[i-1]
	return startsWord(t, i, lo) && c != ':' && c != '.' && c != '_' && !hasAt(t, i-3, "%3A") && !hasAt(t, i-3, "%3a")
}

// hasIPv6Form tells most of what has colons (times, MAC addresses, fingerprints, code)
// from addresses before it is parsed: there are seven colons or a double one, a group
// longer than two digits, and a decimal digit.
func hasIPv6Form(b []byte) bool {
	colons, double, digits, group, longest := 0, false, 0, 0, 0
	for i, c := range b {
		switch {
		case c == ':':
			colons++
			double = double || i > 0 && b[i-1] == ':'
			group = 0
			continue
		case isDigit(c):
			digits++
		case c == '.':
			colons++ // an IPv4 address at the end takes two groups
			double = double || colons >= 9
		}
		group++
		longest = max(longest, group)
	}
	return digits > 0 && colons >= 2 && longest > 2 && (double || colons >= 7)
}

// truncateIPv6 keeps the first 48 bits, a site; of an IPv4 address in IPv6 form, its
// first three numbers.
func truncateIPv6(dst, t []byte) []byte {
	var text [maxIPv6]byte
	n := 0
	for i := 0; i < len(t) && n < len(text); n++ {
		c, width := encodedAt(t, i)
		text[n] = c
		i += width
	}
	addr, err := netip.ParseAddr(string(text[:n]))
	if err != nil {
		return append(dst, markerIP...) // findIPv6 has parsed it
	}
	bits := 48
	if addr.Is4In6() {
		bits = 96 + 24
	}
	prefix, err := addr.Prefix(bits)
	if err != nil {
		return append(dst, markerIP...)
	}
	return prefix.Addr().AppendTo(dst)
}
