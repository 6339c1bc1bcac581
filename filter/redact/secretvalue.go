package redact

import "bytes"

// value is what is known of a value before it is looked at.
type value struct {
	kind  nameKind
	sep   separator
	quote []byte // of the key, as in JSON
}

// findValue takes the value that begins at t[v]: between quotes, between
// brackets, or up to where a bare value ends.
func findValue(t []byte, v int, val value) match {
	if end, ok := isMarker(t, v); ok && (end == len(t) || endsBare(t, end, val.sep)) {
		return match{}
	}
	if q := openingQuote(t, v); q > 0 {
		return quotedValue(t, v, v+q, val)
	}
	if t[v] == '[' || t[v] == '{' {
		closed := closingBracket(t, v)
		end := wordEnd(t, closed, val.sep) // {SSHA}..., as directories store passwords
		if end == closed && isNothing(bytes.TrimSpace(t[v+1:max(v+1, end-1)])) {
			return match{}
		}
		return match{start: v, end: end, quote: val.quote}
	}
	end, certain := bareEnd(t, v, val)
	if end == v || isNothing(t[v:end]) || !certain && !isLikely(t[v:end], val) {
		return match{}
	}
	return match{start: v, end: end, quote: val.quote}
}

// isLikely tells a bare value from a word of prose. Only after a colon is there
// any doubt: "token: not found".
func isLikely(b []byte, val value) bool {
	if val.kind == code {
		return len(b) >= 16
	}
	if val.sep.char == '=' || len(val.quote) > 0 || val.kind == password {
		return true
	}
	return looksRandom(b)
}

// looksRandom reports whether b is rather a token than a word, the name of a
// Java class, or a short number.
func looksRandom(b []byte) bool {
	for len(b) > 0 && (b[len(b)-1] == ':' || b[len(b)-1] == '!') {
		b = b[:len(b)-1]
	}
	letters := 0
	for _, c := range b {
		if isDigit(c) {
			return len(b) >= 6
		}
		if isLetter(c) || c == '.' {
			letters++
		}
	}
	return len(b) >= 16 && letters < len(b) || len(b) >= 32 && bytes.IndexByte(b, '.') < 0
}

// openingQuote returns the length of the quote at t[v] with the backslashes
// before it, or 0.
func openingQuote(t []byte, v int) int {
	if hasAt(t, v, "%22") {
		return 3
	}
	n := v
	for n < len(t) && t[n] == '\\' {
		n++
	}
	if n < len(t) && (t[n] == '"' || t[n] == '\'') {
		return n - v + 1
	}
	return 0
}

// quotedValue takes what is between the quote t[open:v] and the next one with at
// most as many backslashes, or the rest of the text if it was cut off there.
func quotedValue(t []byte, open, v int, val value) match {
	end := len(t)
	if t[open] == '%' {
		if k := bytes.Index(t[v:], []byte("%22")); k >= 0 {
			end = v + k
		}
	} else {
		depth := v - open - 1
		for i := v; i < len(t); i++ {
			if t[i] != t[v-1] {
				continue
			}
			if n := backslashes(t, i, v); n <= depth {
				end = i - n
				break
			}
		}
	}
	if m, ok := isMarker(t, v); ok && m == end || isNothing(t[v:end]) {
		return match{}
	}
	if val.kind == code && end-v < 16 {
		return match{}
	}
	return match{start: v, end: end}
}

// closingBracket returns the end of the brackets that open at t[v], or of the
// text if they are not closed.
func closingBracket(t []byte, v int) int {
	depth := 0
	for i := v; i < len(t); i++ {
		switch t[i] {
		case '[', '{':
			depth++
		case ']', '}':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(t)
}

// bareEnd returns the end of a value without quotes. It is certain to be secret
// if its form says so.
func bareEnd(t []byte, v int, val value) (end int, certain bool) {
	end = wordEnd(t, v, val.sep)
	switch val.kind {
	case authorization:
		scheme := t[v:end]
		if !isScheme(scheme) {
			return end, false
		}
		next := skipBlanks(t, end)
		if _, ok := isMarker(t, next); ok {
			return v, false
		}
		if hasFold(scheme, 0, "digest") {
			// Its parameters are quoted, so only a line's end ends them.
			if k := bytes.IndexByte(t[end:], '\n'); k >= 0 {
				return end + k, true
			}
			return len(t), true
		}
		if last := wordEnd(t, next, val.sep); last > next {
			return last, true
		}
		return v, false
	case cookie:
		if bytes.IndexByte(t[v:end], '=') > 0 {
			return lineEnd(t, end), true
		}
	}
	return end, false
}

// isScheme reports whether b is an HTTP authentication scheme.
func isScheme(b []byte) bool {
	for _, s := range [...]string{"bearer", "basic", "digest", "negotiate", "ntlm", "dpop", "token", "hmac", "apikey"} {
		if len(b) == len(s) && hasFold(b, 0, s) {
			return true
		}
	}
	return false
}

// wordEnd returns the end of the word at t[v].
func wordEnd(t []byte, v int, sep separator) int {
	for v < len(t) && !endsBare(t, v, sep) {
		v++
	}
	return v
}

// lineEnd returns the end of the line or of the quotes or brackets around it.
func lineEnd(t []byte, v int) int {
	for v < len(t) {
		switch t[v] {
		case '\n', '\r', '"', '}', ']', '<':
			return v - backslashes(t, v, 0)
		}
		v++
	}
	return v
}

func skipBlanks(t []byte, v int) int {
	for v < len(t) && (t[v] == ' ' || t[v] == '\t') {
		v++
	}
	return v
}

// endsBare reports whether a value without quotes ends before t[i]. Commas and
// brackets can be part of a password, so they end it only where a list goes on or
// ends with them.
func endsBare(t []byte, i int, sep separator) bool {
	switch c := t[i]; c {
	case ' ', '\t', '\n', '\r', '&', '"', '\'', '<', '>':
		return true
	case '\\':
		n := i
		for n < len(t) && t[n] == '\\' {
			n++
		}
		if u, ok := hex4(t[n-1:]); ok {
			return u == '&' || u == '"' || u == '<' || u == '>' || u == '\''
		}
		return n < len(t) && t[n] == '"'
	case '%':
		if e, ok := percentAt(t, i); ok && sep.escaped() {
			return e == '&' || e == '"' || e == ' ' || e == '\n'
		}
	case ',', ';':
		return endsList(t, i+1) || startsPair(t, i+1)
	case ')', ']', '}':
		return endsList(t, i+1)
	}
	return false
}

// endsList reports whether what follows a comma or bracket ends the value before.
func endsList(t []byte, i int) bool {
	if i == len(t) {
		return true
	}
	switch t[i] {
	case ' ', '\t', '\n', '\r', ',', ';', ')', ']', '}', '"', '\'', '\\':
		return true
	}
	return false
}

// startsPair reports whether the next pair of a list begins at t[i].
func startsPair(t []byte, i int) bool {
	start := i
	for i < len(t) && i-start < maxName && isNameChar(t[i]) {
		i++
	}
	return i > start && i < len(t) && (t[i] == '=' || t[i] == ':')
}
