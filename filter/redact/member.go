package redact

import (
	"bytes"
	"strconv"
)

// member handles the member of an object whose key is raw[start:end] and whose
// value begins at v. It returns where to go on, or -1.
func (r *Redactor) member(start, end, first, v int) int {
	raw, key := r.raw, r.raw[start:end]
	if v == len(raw) {
		return -1
	}
	if first >= 0 && bytes.IndexByte(key, '\\') >= 0 {
		var ok bool
		if r.key, ok = appendUnescaped(r.key[:0], key); !ok {
			return -1
		}
		key = r.key
	}
	s := r.place(key)
	rule := r.ruleOf(key, s)
	if rule != nil && rule.action == Remove {
		return r.apply(rule, start-1, v)
	}
	isAPIs := r.depth == 1 && isEnvelope(key)
	if p := r.planOfKeys(); (first >= 0 || p != r.variant.base || len(p.patterns) > 0) && !isAPIs && (r.depth > 1 || string(key) != "payload") {
		if renamed := r.searchKey(p, key, start, end); renamed != nil {
			key = renamed
			rule, s = r.ruleOfRenamed(rule, key)
		}
	}
	if raw[v] == '"' && isPairName(key) && !isAPIs {
		return r.pairName(rule, s, start-1, v)
	}
	if rule != nil {
		return r.apply(rule, start-1, v)
	}
	if raw[v] == '"' && isAPIs {
		if v = closingQuote(raw, v+1, v+1); v < 0 {
			return -1
		}
		return v + 1
	}
	r.at, r.named = s, r.variant.root != nil
	return v
}

// place returns where the member with that key stands in the tree of pointers.
func (r *Redactor) place(key []byte) *state {
	if r.variant.root == nil {
		return nil
	}
	return r.path[r.depth].child(key)
}

// ruleOfRenamed returns the rule and the place of the value whose key has become
// another, so that redacting the event again finds the same. was is the rule that the
// key had before: what it was to hide stays hidden.
func (r *Redactor) ruleOfRenamed(was *ownRule, key []byte) (*ownRule, *state) {
	s := r.place(key)
	rule := r.ruleOf(key, s)
	if rule == nil && was != nil {
		rule = &ownRule{action: Mask, place: was.place}
	}
	return rule, s
}

// ruleOf returns the rule for the value under a key, or nil. A secret is never kept or
// shown in part, whatever a rule says of all members of an object.
func (r *Redactor) ruleOf(key []byte, s *state) *ownRule {
	isSecret := r.variant.secrets && isSecretKey(key)
	kept := s != nil && s.whole != nil && s.whole.action == Keep
	if rule := s.replaced(); rule != nil && !(isSecret && rule.action == Partial) {
		return rule
	}
	if r.depth > 1 && !kept {
		if own := r.variant.keys.find(key); own != nil {
			if own.action == Keep {
				return nil
			}
			return own
		}
	}
	if isSecret {
		return r.set.secretRule
	}
	if rule := r.pair[r.depth]; rule != nil && isPairValue(key) {
		return rule
	}
	return nil
}

// pairName handles the string at v that says whose value its neighbour "value" is. It
// counts as it is and as it becomes: what it was to hide is hidden, and redacting the
// event again finds the same.
func (r *Redactor) pairName(rule *ownRule, s *state, start, v int) int {
	end := closingQuote(r.raw, v+1, v+1)
	if end < 0 {
		return -1
	}
	r.pair[r.depth] = r.announced(r.raw[v+1 : end])
	copied, at := r.copied, len(r.out)
	var next int
	if rule != nil {
		next = r.apply(rule, start, v)
	} else {
		r.at, r.named = s, r.variant.root != nil
		next = r.str(v)
	}
	if next > 0 && r.copied > v && (rule == nil || rule.action != Remove) {
		becomes := bytes.Trim(r.out[at+v-copied:], `"`)
		if own := r.announced(becomes); own != nil {
			r.pair[r.depth] = own
		}
	}
	return next
}

// announced returns the rule for the value whose name is the last step of what may be a
// JSON pointer, "/password", or nil. The name is the inside of a JSON string.
func (r *Redactor) announced(name []byte) *ownRule {
	if bytes.IndexByte(name, '\\') >= 0 {
		if decoded, ok := appendUnescaped(nil, name); ok {
			name = decoded
		}
	}
	if k := bytes.LastIndexByte(name, '/'); k >= 0 {
		name = name[k+1:]
	}
	if own := r.variant.keys.find(name); own != nil && own.action != Keep {
		return own
	}
	if r.variant.secrets && isSecretKey(name) {
		return r.set.secretRule
	}
	return nil
}

// searchKey searches the key raw[start:end], here without its escapes, and returns what
// it becomes, or nil if it stays. A number that it may have put in front before is left
// out: an own pattern could find it.
//
// The second and later keys of an event that are replaced get a number, for a receiver
// may refuse an object with equal keys. It stands in front, where it can't become the
// value of a name at the key's end.
func (r *Redactor) searchKey(p *plan, key []byte, start, end int) []byte {
	const most = 4 // digits
	n := digitRun(key, 0)
	if n == 0 || n > most || n == len(key) || key[n] != '#' {
		n = -1
	}
	r.begin = start - 1
	text, changed := r.examine(p, key[n+1:], 0)
	if !changed {
		return nil
	}
	r.whole = r.whole[:0]
	if r.keys++; r.keys > 1 {
		r.whole = append(strconv.AppendInt(r.whole, int64(r.keys), 10), '#')
	}
	if n > 0 {
		r.whole = append(r.whole, key[:n+1]...)
	}
	r.whole = append(r.whole, text...)
	r.key = append(r.key[:0], r.whole...)
	r.replaceText(start, end, r.key)
	return r.key
}

// isEnvelope reports whether key is one of the envelope's members that are the
// API's own words and stay as they are.
func isEnvelope(key []byte) bool {
	switch string(key) {
	case "timestamp", "type", "source":
		return true
	}
	return false
}
