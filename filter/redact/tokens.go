package redact

import (
	"bytes"
	"encoding/base64"
)

// Tokens and credentials that are known by their shape: JSON Web Tokens, HTTP
// credentials, AM session tokens and private keys.

// minHeader is the length of the shortest JOSE header in use, {"alg":"A"}.
const minHeader = 10

// findJWT looks for a signed (three parts) or encrypted (five parts) token at the
// J of eyJ, which is {" in base64url. A token whose end was cut off is one too if
// its second part is an object.
func findJWT(t []byte, i, lo int) match {
	start := i - 2
	if start < lo || t[start] != 'e' || t[start+1] != 'y' {
		return match{}
	}
	end := jwtEnd(t, start)
	if end == 0 {
		return match{}
	}
	return match{start: start, end: end}
}

// jwtEnd returns the end of the token at t[start], or 0 if there is none.
func jwtEnd(t []byte, start int) int {
	// Far above real headers, even with certificates in them. It keeps a text
	// made of nothing but beginnings of tokens from taking quadratic time.
	const maxHeader = 8 << 10
	head := t[:min(len(t), start+maxHeader)]
	if bytes.IndexByte(head[start:], '.') < 0 {
		return 0
	}
	first := segmentEnd(head, start)
	if first-start < minHeader || !isHeader(t[start:first]) {
		return 0
	}
	var ends [5]int // of the parts
	parts := 0
	for end := first; ; end = segmentEnd(t, end+1) {
		ends[parts] = end
		if parts++; parts == len(ends) || end == len(t) || t[end] != '.' {
			break
		}
	}
	switch {
	case parts == 5 && ends[4] > ends[3]+1:
		return ends[4]
	case parts >= 3 && ends[1] > ends[0]+1:
		return ends[2]
	case parts == 2 && hasAt(t, first+1, "ey"):
		return ends[1]
	}
	return 0
}

func segmentEnd(t []byte, i int) int {
	for i < len(t) && isBase64URL(t[i]) {
		i++
	}
	return i
}

// isHeader reports whether a token's first part begins as JSON does. Names in
// which eyJ occurs, such as KeyJournal, don't.
func isHeader(b []byte) bool {
	var decoded [6]byte
	if _, err := base64.RawURLEncoding.Decode(decoded[:], b[:8]); err != nil {
		return false
	}
	for _, c := range decoded {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return decoded[0] == '{' && decoded[1] == '"'
}

// findBearer looks for "Bearer" and a token at the space between them.
func findBearer(t []byte, i, lo int) match {
	v, ok := afterScheme(t, i, lo, "bearer")
	if !ok || hasAt(t, v, "eyJ") && jwtEnd(t, v) > 0 {
		return match{} // the rule for JWTs says more
	}
	end := v
	for end < len(t) && (isToken68(t[end]) || t[end] == '%') {
		end++
	}
	for end > v && t[end-1] == '.' { // the end of a sentence
		end--
	}
	b := t[v:end]
	if k := bytes.IndexByte(b, '='); k >= 0 && k < minToken && !bytes.ContainsAny(b[:k], "0123456789") {
		return match{} // Bearer realm="...: a challenge
	}
	if !looksRandom(b) {
		return match{}
	}
	return match{start: v, end: end}
}

// findBasic looks for "Basic" and credentials at the space between them. They
// are base64 with a colon in it, which tells them from words.
func findBasic(t []byte, i, lo int) match {
	v, ok := afterScheme(t, i, lo, "basic")
	if !ok {
		return match{}
	}
	end := v
	for end < len(t) && (isAlnum(t[end]) || t[end] == '+' || t[end] == '/' || t[end] == '-' || t[end] == '_') {
		end++
	}
	if !isUserAndPassword(t[v:end]) {
		return match{}
	}
	for end < len(t) && t[end] == '=' {
		end++
	}
	for hasAt(t, end, "%3D") || hasAt(t, end, "%3d") {
		end += 3
	}
	return match{start: v, end: end}
}

// afterScheme returns where the credentials begin if t[i], a space or its
// escape, follows the scheme.
func afterScheme(t []byte, i, lo int, scheme string) (v int, ok bool) {
	at := i - len(scheme)
	if at < lo || t[i-1]|0x20 != scheme[len(scheme)-1] || !hasFold(t, at, scheme) || !startsWord(t, at, lo) {
		return 0, false
	}
	for i < len(t) {
		switch {
		case t[i] == ' ' || t[i] == '+':
			i++
		case hasAt(t, i, "%20"):
			i += 3
		default:
			return i, i > at+len(scheme)
		}
	}
	return 0, false
}

// isToken68 reports whether c can stand in HTTP credentials (RFC 9110).
func isToken68(c byte) bool {
	return isBase64URL(c) || c == '.' || c == '~' || c == '+' || c == '/' || c == '='
}

// isUserAndPassword decodes base64 as far as a user name may go, and looks for
// the colon after it.
func isUserAndPassword(b []byte) bool {
	if len(b) < 4 {
		return false
	}
	var buf [192]byte
	b = b[:min(len(b), 256)]
	enc := base64.RawStdEncoding
	if bytes.ContainsAny(b, "-_") {
		enc = base64.RawURLEncoding
	}
	if len(b)%4 == 1 {
		b = b[:len(b)-1] // was cut off
	}
	n, err := enc.Decode(buf[:], b)
	if err != nil {
		return false
	}
	colon := bytes.IndexByte(buf[:n], ':')
	if colon < 0 {
		return false
	}
	for _, c := range buf[:colon] {
		if c < ' ' || c == 0x7F {
			return false
		}
	}
	return true
}

// minToken is the length of the shortest AM session token, well below real ones
// (above 60), so that one that was cut off is found too.
const minToken = 20

// findSSOToken looks for a session token of AM: AQIC... (the older form), or
// characters followed by *AAJ..., where the server and site are.
func findSSOToken(t []byte, i, lo int) match {
	switch t[i] {
	case 'Q':
		start := i - 1
		if start < lo || !hasAt(t, start, "AQIC") || !startsWord(t, start, lo) {
			return match{}
		}
		end := i
		for end < len(t) && isSSOChar(t, end) {
			end++
		}
		if end-start < minToken {
			return match{}
		}
		return match{start: start, end: end}
	default:
		c, width := encodedAt(t, i)
		if c != '*' || !hasAt(t, i+width, "AAJ") {
			return match{}
		}
		end := segmentEnd(t, i+width)
		for end < len(t) && (isSSOChar(t, end) || t[end] == '.') {
			end++
		}
		start := backTo(t, i, lo, 4096, isNameChar)
		if end-start < minToken {
			return match{}
		}
		return match{start: start, end: end}
	}
}

// isSSOChar reports whether t[i] can stand in a session token: base64 of either
// alphabet, its separators, and URL escapes of these.
func isSSOChar(t []byte, i int) bool {
	switch c := t[i]; c {
	case '.', '*', '@', '#', '=', '+', '/':
		return true
	case '%':
		e, ok := percentAt(t, i)
		return ok && (e == '*' || e == '@' || e == '#' || e == '=' || e == '+' || e == '/')
	default:
		return isBase64URL(c)
	}
}

// findPrivateKey looks for a private key in PEM form at the space after BEGIN,
// and takes it to its end or to that of the text. In URLs the space is escaped.
func findPrivateKey(t []byte, i, lo int) match {
	const begin, endMark, dashes = "-----BEGIN", "-----END", "-----"
	start := i - len(begin)
	if start < lo || t[i-1] != 'N' || !hasAt(t, start, begin) {
		return match{}
	}
	const maxLabel = 48 // "ENCRYPTED PRIVATE KEY" with escaped spaces, and then some
	if label := t[i:min(len(t), i+maxLabel)]; !bytes.Contains(label, []byte("PRIVATE")) || !bytes.Contains(label, []byte("KEY")) {
		return match{}
	}
	end := bytes.Index(t[i:], []byte(endMark))
	if end < 0 {
		return match{start: start, end: len(t)}
	}
	end += i + len(endMark)
	if k := bytes.Index(t[end:], []byte(dashes)); k >= 0 && k <= maxLabel {
		end += k + len(dashes)
	}
	return match{start: start, end: end}
}
