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
	var s *state
	if r.variant.root != nil {
		s = r.path[r.depth].child(key)
	}
	rule := r.ruleOf(key, s)
	if rule != nil && rule.action == Remove {
		return r.apply(rule, start-1, v)
	}
	if p := r.planOfKeys(); (first >= 0 || p != r.variant.base || len(p.patterns) > 0) && (r.depth > 1 || !isEnvelope(key) && string(key) != "payload") {
		r.searchKey(p, key, start, end)
	}
	if rule != nil {
		return r.apply(rule, start-1, v)
	}
	if raw[v] == '"' {
		if r.depth == 1 && isEnvelope(key) {
			if v = closingQuote(raw, v+1, v+1); v < 0 {
				return -1
			}
			return v + 1
		}
		if isPairName(key) {
			r.notePair(v)
		}
	}
	r.at, r.named = s, r.variant.root != nil
	return v
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

// notePair notes for whose value the string at v announces its neighbour "value": the
// last step of what may be a JSON pointer, "/password".
func (r *Redactor) notePair(v int) {
	r.pair[r.depth] = nil
	q := closingQuote(r.raw, v+1, v+1)
	if q < 0 {
		return
	}
	name := r.raw[v+1 : q]
	if k := bytes.LastIndexByte(name, '/'); k >= 0 {
		name = name[k+1:]
	}
	if own := r.variant.keys.find(name); own != nil && own.action != Keep {
		r.pair[r.depth] = own
	} else if r.variant.secrets && isSecretKey(name) {
		r.pair[r.depth] = r.set.secretRule
	}
}

// searchKey searches the key raw[start:end], here without its escapes. A number that
// replaceKey may have put in front is left out: an own pattern could find it.
func (r *Redactor) searchKey(p *plan, key []byte, start, end int) {
	const most = 4 // digits
	n := digitRun(key, 0)
	if n == 0 || n > most || n == len(key) || key[n] != '#' {
		n = -1
	}
	r.begin = start - 1
	text, changed := r.examine(p, key[n+1:], 0)
	if !changed {
		return
	}
	if n > 0 {
		r.whole = append(append(r.whole[:0], key[:n+1]...), text...)
		text = r.whole
	}
	r.replaceKey(start, end, text)
}

// replaceKey replaces the key raw[start:end]. The second and later ones of an
// event get a number, for a receiver may refuse an object with equal keys. It
// stands in front, where it can't become the value of a name at the key's end.
func (r *Redactor) replaceKey(start, end int, text []byte) {
	r.cut(start, end)
	at := len(r.out)
	if r.keys++; r.keys > 1 {
		r.out = strconv.AppendInt(r.out, int64(r.keys), 10)
		r.out = append(r.out, '#')
	}
	r.out = appendEscaped(r.out, text)
	r.moved(start, end, at)
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
