package redact

import "bytes"

// User ids stand in different wrappings: AM logs id=bob,ou=user,ou=am-config, IDM logs
// managed/alpha_user/bob or bob alone. Only the id itself is replaced, so that all of
// them give the same token.

// findUserID looks for a user id at the comma after it in a distinguished name, or at
// the slash before it in the name of a managed object.
func findUserID(t []byte, i, lo int) match {
	switch c, width := encodedAt(t, i); c {
	case ',':
		return userInDN(t, i, i+width, lo)
	case '/':
		if m := userInPath(t, i, i+width, lo); m.end > 0 && !isWholeMarker(t[m.start:m.end]) {
			return m
		}
	}
	return match{}
}

// userInDN finds the id in id=bob,ou=user.
func userInDN(t []byte, i, after, lo int) match {
	if gap, width := gapAt(t, after); gap == ' ' {
		after += width
	}
	if !followsUser(t, after) {
		return match{}
	}
	const maxID = 256
	for eq := i - 1; eq > lo && i-eq < maxID; eq-- {
		c, width := encodedAt(t, eq)
		if c == ',' || c == '"' || c == '\n' {
			break
		}
		if c != '=' {
			continue
		}
		start := backTo(t, eq, lo, maxName, isBase64URL)
		if !isUserAttribute(t[start:eq]) {
			continue
		}
		if eq += width; eq == i || isWholeMarker(t[eq:i]) {
			break
		}
		return match{start: eq, end: i}
	}
	return match{}
}

func followsUser(t []byte, i int) bool {
	for _, unit := range [...]string{"ou=user", "ou=people", "ou%3Duser", "ou%3Dpeople", "ou%3duser", "ou%3dpeople"} {
		if hasFold(t, i, unit) {
			return true
		}
	}
	return false
}

func isUserAttribute(name []byte) bool {
	for _, a := range [...]string{"id", "uid", "cn", "fr-idm-uuid"} {
		if len(name) == len(a) && hasFold(name, 0, a) {
			return true
		}
	}
	return false
}

// userInPath finds the id in managed/alpha_user/bob, also with the realm left out.
func userInPath(t []byte, i, start, lo int) match {
	const user = "user"
	if i-len(user) < lo || !hasAt(t, i-len(user), user) {
		return match{}
	}
	name := backTo(t, i, lo, maxName, isBase64URL)
	kind := t[name:i]
	if string(kind) != user && !bytes.HasSuffix(kind, []byte("_"+user)) {
		return match{}
	}
	if !hasAt(t, name-len("managed/"), "managed/") && !hasAt(t, name-len("managed%2F"), "managed%2F") && !hasAt(t, name-len("managed%2f"), "managed%2f") {
		return match{}
	}
	end, ok := isMarker(t, start)
	if !ok {
		end = start
	}
	for end < len(t) && !endsPathStep(t, end) {
		end++
	}
	if end == start {
		return match{}
	}
	return match{start: start, end: end}
}

func endsPathStep(t []byte, i int) bool {
	switch c, _ := encodedAt(t, i); c {
	case '/', '?', '&', '#', ' ', ',', ';', '"', '\'', '\\', '<', '>', ')', ']', '}', '\n', '\t':
		return true
	}
	return false
}

// subject returns the part of a whole value that is the id itself.
func subject(value []byte) (start, end int) {
	name, rest, _ := bytes.Cut(value, []byte{','})
	if eq := bytes.IndexByte(name, '='); eq > 0 && eq+1 < len(name) && isUserAttribute(name[:eq]) && isUnits(rest) {
		return eq + 1, len(name)
	}
	if slash := bytes.LastIndexByte(value, '/'); slash > 0 && slash+1 < len(value) && hasAt(value, 0, "managed/") {
		if m := userInPath(value, slash, slash+1, 0); m.end == len(value) {
			return m.start, m.end
		}
	}
	return 0, len(value)
}

// isUnits reports whether the rest of a distinguished name holds nothing but
// organisations, which say nothing of a person.
func isUnits(rest []byte) bool {
	if len(rest) == 0 {
		return true
	}
	for unit := range bytes.SplitSeq(rest, []byte{','}) {
		unit = bytes.TrimLeft(unit, " ")
		if !hasFold(unit, 0, "ou=") && !hasFold(unit, 0, "o=") && !hasFold(unit, 0, "dc=") {
			return false
		}
	}
	return true
}
