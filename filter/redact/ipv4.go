package redact

import "slices"

// findIPv4 looks for an IPv4 address at its first digit. Versions of programs and
// object identifiers have the same form; what stands around them tells.
func findIPv4(t []byte, i, lo int) match {
	n := digitRun(t, i)
	if n > 3 || i+n+1 >= len(t) || t[i+n] != '.' || !isDigit(t[i+n+1]) {
		return match{} // nearly always
	}
	var octets [4]int
	end := i
	for k := range octets {
		if k > 0 {
			if end == len(t) || t[end] != '.' {
				return match{}
			}
			end++
		}
		n := digitRun(t, end)
		if n == 0 || n > 3 || n > 1 && t[end] == '0' {
			return match{}
		}
		for _, c := range t[end : end+n] {
			octets[k] = octets[k]*10 + int(c-'0')
		}
		if octets[k] > 255 {
			return match{}
		}
		end += n
	}
	if !isHost(octets) || !endsIPv4(t, end) || !beginsIPv4(t, i, lo) || isVersion(t, i, end, lo) {
		return match{}
	}
	return match{start: i, end: end}
}

// isHost leaves out what no user has: loopback, multicast and reserved addresses, and
// the object identifiers of X.500 (2.5.4.3 is cn).
func isHost(o [4]int) bool {
	return o[0] != 0 && o[0] != 127 && o[0] < 224 && (o[0] != 2 || o[1] != 5 || o[2] != 4 && o[2] != 29)
}

func beginsIPv4(t []byte, i, lo int) bool {
	if i == lo {
		return true
	}
	switch t[i-1] {
	case '_', '.':
		return false
	case '-':
		return i-1 == lo || !isAlnum(t[i-2])
	}
	return true
}

func endsIPv4(t []byte, i int) bool {
	if i == len(t) {
		return true
	}
	switch c := t[i]; {
	case isAlnum(c), c == '_', c == '=':
		return false
	case c == '.':
		return i+1 == len(t) || !isAlnum(t[i+1])
	case c == '-':
		return i+1 == len(t) || !isLetter(t[i+1])
	}
	return true
}

// isVersion reports whether t[i:end] is rather the version of a program: after the
// name of a product and a slash (Chrome/105.0.0.0), or after a word that says so.
func isVersion(t []byte, i, end, lo int) bool {
	port := end+1 < len(t) && t[end] == ':' && isDigit(t[end+1])
	if port {
		return false
	}
	if i > lo && t[i-1] == '/' {
		start := backTo(t, i-1, lo, maxName, isBase64URL)
		if start == i-1 || start > lo && (t[start-1] == '/' || t[start-1] == '.' || t[start-1] == ':') {
			return false // /10.0.0.1, a part of a path, host.example.com/10.0.0.1
		}
		return string(t[start:i-1]) != "localhost"
	}
	last := i
	for last > lo && i-last < 3 && (t[last-1] == ' ' || t[last-1] == '=' || t[last-1] == ':' || t[last-1] == '"' || t[last-1] == '(') {
		last--
	}
	word := t[backTo(t, last, lo, maxName, isLetter):last]
	return len(word) > 0 && len(word) <= 10 && slices.ContainsFunc(versionWords(), func(w string) bool {
		return len(w) == len(word) && hasFold(word, 0, w)
	})
}

// versionWords lists what stands before versions in logs of this product.
func versionWords() []string {
	return []string{
		"version", "versions", "ver", "v", "release", "rel", "build", "patch", "revision", "upgrade", "jdk", "openjdk", "java", "jre",
		"am", "idm", "ds", "ig", "openam", "openidm", "opendj", "forgerock", "tomcat", "netty", "kernel", "sdk", "agent", "chrome", "edge",
	}
}

// truncateIPv4 keeps the first three numbers: a network of 256 addresses.
func truncateIPv4(dst, t []byte) []byte {
	last := len(t)
	for t[last-1] != '.' {
		last--
	}
	return append(append(dst, t[:last]...), '0')
}
