package redact

import "bytes"

// ownKeys are the names of own rules by key.
type ownKeys struct {
	rules map[string]*ownRule // by folded name
	ends  [32 * 32]bool       // the last two letters of the names
}

func newOwnKeys() *ownKeys { return &ownKeys{rules: map[string]*ownRule{}} }

func (o *ownKeys) add(name string, r *ownRule) {
	if o.rules[name] == nil {
		o.rules[name] = r
		o.ends[endOf([]byte(name))] = true
	}
}

// endOf maps the last two bytes of a name to an index, without regard to case.
func endOf(name []byte) int {
	n := len(name)
	return int(name[n-2]&31)<<5 | int(name[n-1]&31)
}

// find returns the rule for a name as it stands in the event, or nil.
func (o *ownKeys) find(name []byte) *ownRule {
	if o == nil || len(name) < 2 || len(name) > 2*maxName {
		return nil
	}
	if last := name[len(name)-1]; !isSeparator(last) && !isSeparator(name[len(name)-2]) && !o.ends[endOf(name)] {
		return nil // nearly always
	}
	var folded [maxName]byte
	n := 0
	for _, c := range name {
		if isSeparator(c) {
			continue
		}
		if n == len(folded) {
			return nil
		}
		if c-'A' < 26 {
			c |= 0x20
		}
		folded[n] = c
		n++
	}
	return o.rules[string(folded[:n])]
}

func isSeparator(c byte) bool { return c == '_' || c == '-' || c == '.' || c == ' ' }

// foldName returns a name as it is compared: without case and separators.
func foldName(name string) string {
	var folded []byte
	for _, c := range []byte(name) {
		if isSeparator(c) {
			continue
		}
		if c-'A' < 26 {
			c |= 0x20
		}
		folded = append(folded, c)
	}
	return string(folded)
}

// inText looks for the value of one of a rule's names in text: a parameter of a URL, a
// member of JSON within a string, a part of a distinguished name or of a map. Unlike
// the name of a secret, a name before a colon counts only in quotes, for such names
// are words of prose.
func (o *ownKeys) inText(r *ownRule) func(t []byte, i, lo int) match {
	return func(t []byte, i, lo int) match {
		c, width := encodedAt(t, i)
		if c != '=' && c != ':' {
			return match{}
		}
		sep := separator{at: i - backslashes(t, i, lo), end: i + width, char: c}
		end := sep.at
		for end > lo && t[end-1] == ' ' && sep.at-end < 2 {
			end--
		}
		nameEnd, quote := keyQuote(t, end, lo)
		if c == ':' && len(quote) == 0 || nameEnd-lo < 2 || !o.ends[endOf(t[:nameEnd])] {
			return match{}
		}
		start := backTo(t, nameEnd, lo, 2*maxName, isNameChar)
		if o.find(t[start:nameEnd]) != r {
			return match{}
		}
		v, ok := valueStart(t, sep)
		if !ok {
			return match{}
		}
		m := findValue(t, v, value{kind: password, sep: sep, quote: quote})
		if comma := bytes.IndexByte(t[v:max(v, m.end)], ','); comma > 0 && len(quote) == 0 && startsPair(t, v+comma+1) {
			m.end = v + comma // the next part of a distinguished name
		}
		return m
	}
}
