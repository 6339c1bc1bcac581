package redact

// Secrets that free text announces by name: key=value and key: value, parameters
// of URLs, JSON within a string at any depth, XML elements, and the password in
// the user part of a URL.

// findSecretText looks for a value at what may be the separator t[i].
func findSecretText(t []byte, i, lo int) match {
	c, width := encodedAt(t, i)
	end := i + width
	switch c {
	case '=', ':':
		if i-3 >= lo && isLetter(t[i-1]) && !endsLikeSecret(t[i-3:i]) {
			return match{} // nearly always
		}
		i -= backslashes(t, i, lo)
	case '@', '>':
		i -= backslashes(t, i, lo)
	}
	switch c {
	case '=', ':':
		return findPair(t, separator{at: i, end: end, char: c}, lo)
	case '@':
		return findUserInfo(t, i, lo)
	case '>':
		return findElement(t, i, end, lo)
	}
	return match{}
}

// separator is what stands between a name and its value: one byte, or its
// escape.
type separator struct {
	at, end int
	char    byte
}

func (s separator) escaped() bool { return s.end-s.at > 1 }

// findPair takes the value after a separator if a secret's name is before it.
func findPair(t []byte, sep separator, lo int) match {
	end := sep.at
	for end > lo && t[end-1] == ' ' && sep.at-end < 2 {
		end--
	}
	nameEnd, quote := keyQuote(t, end, lo)
	letters := nameEnd
	for letters > lo && isDigit(t[letters-1]) {
		letters--
	}
	if letters-lo < 3 || !endsLikeSecret(t[letters-3:letters]) {
		return match{} // nearly always
	}
	start := backTo(t, nameEnd, lo, 2*maxName, isNameChar)
	kind := secretName(t[start:nameEnd])
	if kind == notSecret {
		return match{}
	}
	v, ok := valueStart(t, sep)
	if !ok {
		return match{}
	}
	if kind == code && (sep.char != '=' || !isParameter(t, start, lo)) {
		return match{}
	}
	return findValue(t, v, value{kind: kind, sep: sep, quote: quote})
}

// keyQuote steps back over the quote that ends a key, with its backslashes if
// it is within a string, and over the bracket of form[password]=.
func keyQuote(t []byte, end, lo int) (nameEnd int, quote []byte) {
	if end-3 >= lo && hasAt(t, end-3, "%22") {
		return end - 3, t[end-3 : end]
	}
	if end > lo && t[end-1] == ']' {
		end--
	}
	if end == lo || t[end-1] != '"' && t[end-1] != '\'' {
		return end, nil
	}
	nameEnd = end - 1 - backslashes(t, end-1, lo)
	return nameEnd, t[nameEnd:end]
}

// valueStart steps from a separator to the value, and says if there can be one.
func valueStart(t []byte, sep separator) (v int, ok bool) {
	v = sep.end
	if sep.char == ':' && hasAt(t, v, ": ") {
		v++ // LDIF's userPassword:: before base64
	}
	switch {
	case v < len(t) && t[v] == sep.char, hasAt(t, v, "//"):
		return 0, false // a == b, Type::name, secret://
	case v < len(t) && sep.char == '=' && t[v] == '>':
		v++
	}
	for v < len(t) && (t[v] == ' ' || t[v] == '\t') {
		v++
	}
	return v, v < len(t)
}

// isParameter reports whether the name at t[start] is a parameter of a URL or
// of a form.
func isParameter(t []byte, start, lo int) bool {
	if start == 0 {
		return true // a form's first
	}
	if start > lo && (t[start-1] == '?' || t[start-1] == '&') {
		return true
	}
	for _, width := range [...]int{3, 6} {
		if start-width >= lo {
			if c, w := encodedAt(t, start-width); w == width && (c == '?' || c == '&') {
				return true
			}
		}
	}
	return false
}

// findUserInfo takes the password out of scheme://user:password@host, at the @.
func findUserInfo(t []byte, i, lo int) match {
	const maxUserInfo = 256
	start := i - 1
	for ; ; start-- {
		if start-2 < lo || i-start > maxUserInfo || t[start] <= ' ' || t[start] == '"' {
			return match{}
		}
		if t[start] == '/' && hasAt(t, start-2, "://") {
			start++
			break
		}
	}
	for start < i && t[start] != ':' {
		if c := t[start]; c == '/' || c == '?' || c == '#' {
			return match{} // the authority has ended
		}
		start++
	}
	start++
	if m, ok := isMarker(t, start); start >= i || ok && m == i {
		return match{}
	}
	port := start + digitRun(t, start)
	if c := t[port]; c == '/' || c == '?' || c == '#' {
		return match{} // host:8080/path/user@...
	}
	return match{start: start, end: i}
}

// findElement takes the text of an XML element with a secret's name, at the >.
func findElement(t []byte, i, v, lo int) match {
	if i == lo || !isAlnum(t[i-1]) {
		return match{}
	}
	start := backTo(t, i, lo, 2*maxName, isNameChar)
	open := start
	if open > lo && t[open-1] == ':' { // a namespace
		open = backTo(t, open-1, lo, maxName, isNameChar)
	}
	if open == lo || t[open-1] != '<' {
		return match{}
	}
	if kind := secretName(t[start:i]); kind == notSecret || kind == code {
		return match{}
	}
	end := v
	if hasAt(t, v, "<![CDATA[") {
		v += len("<![CDATA[")
		for end = v; end < len(t) && !hasAt(t, end, "]]>"); end++ {
		}
	} else {
		for end < len(t) && t[end] != '<' {
			end++
		}
	}
	for v < end && isSpace(t[v]) {
		v++
	}
	if isNothing(t[v:end]) {
		return match{}
	}
	if m, ok := isMarker(t, v); ok && len(trimSpace(t[m:end])) == 0 {
		return match{}
	}
	return match{start: v, end: end}
}

func trimSpace(b []byte) []byte {
	return b[skipSpace(b, 0):]
}
