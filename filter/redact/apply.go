package redact

import "bytes"

// apply does a rule's action to the value at v as a whole. start is where its member
// or array element begins. It returns where to go on, or -1.
func (r *Redactor) apply(rule *ownRule, start, v int) int {
	end := valueEnd(r.raw, v)
	switch {
	case end < 0:
		return -1
	case rule.action == Mask:
		r.mask(rule, v, end)
		return end
	case rule.action == Remove:
		return r.removeValue(start, end, rule.place)
	}
	return r.eachScalar(rule, v, end)
}

// mask replaces the value raw[v:end] by the rule's marker, unless there is nothing in
// it to hide: null, true, false, "", {}, [] and what has been replaced before.
func (r *Redactor) mask(rule *ownRule, v, end int) {
	switch c := r.raw[v]; {
	case c == '"':
		if inside := r.raw[v+1 : end-1]; len(inside) == 0 || isWholeMarker(inside) {
			return
		}
	case c == '{' || c == '[':
		if skipSpace(r.raw, v+1) == end-1 {
			return
		}
	case !isDigit(c) && c != '-':
		return
	}
	r.whole = append(r.whole[:0], r.set.detectors[rule.place].marker...)
	r.replaceValue(v, end, rule.place, r.whole)
}

// eachScalar does a rule's action to every string and number in the value raw[v:end].
// Keys in it stay, but are searched as all keys are.
func (r *Redactor) eachScalar(rule *ownRule, v, end int) int {
	raw := r.raw
	for i := v; i < end; {
		switch c := raw[i]; {
		case c == '"':
			q := closingQuote(raw, i+1, i+1)
			if colon := skipSpace(raw, q+1); colon < end && raw[colon] == ':' {
				isSecret, ok := r.keyInside(i+1, q)
				if !ok {
					return -1
				}
				if isSecret && rule.action == Partial {
					if q = r.apply(r.set.secretRule, i, skipSpace(raw, colon+1)) - 1; q < 0 {
						return -1
					}
				}
			} else if !r.scalar(rule, i, q+1) {
				return -1
			}
			i = q + 1
		case isDigit(c) || c == '-':
			n := numberEnd(raw, i)
			if !r.scalar(rule, i, n) {
				return -1
			}
			i = n
		default:
			i++
		}
	}
	return end
}

// keyInside searches the key raw[start:end] and reports whether its value is a secret. ok
// is false if the key is not valid.
func (r *Redactor) keyInside(start, end int) (isSecret, ok bool) {
	if r.key, ok = appendUnescaped(r.key[:0], r.raw[start:end]); !ok {
		return false, false
	}
	isSecret = isSecretKey(r.key)
	if renamed := r.searchKey(r.variant.base, r.key, start, end); renamed != nil {
		isSecret = isSecret || isSecretKey(renamed)
	}
	return isSecret && r.variant.secrets, true
}

// scalar does a rule's action to the string or number raw[start:end]. It reports false
// if it is not valid.
func (r *Redactor) scalar(rule *ownRule, start, end int) bool {
	t := r.raw[start:end]
	if t[0] == '"' {
		var ok bool
		if r.decoded, ok = appendUnescaped(r.decoded[:0], t[1:len(t)-1]); !ok {
			return false
		}
		t = r.decoded
	}
	text := r.transform(rule, t)
	if bytes.Equal(text, t) {
		return true
	}
	r.replaceValue(start, end, rule.place, text)
	return true
}

// transform returns what becomes of a whole value. Of a distinguished name or a managed
// object's name only the id is replaced, unless something is found in what is around it.
func (r *Redactor) transform(rule *ownRule, t []byte) []byte {
	if len(t) == 0 || isRedacted(t) {
		return t
	}
	start, end := 0, len(t)
	if rule.action.needsKey() {
		if start, end = subject(t); r.finds(t[:start]) || r.finds(t[end:]) {
			start, end = 0, len(t)
		}
		if isRedacted(t[start:end]) {
			return t
		}
	}
	r.whole = append(r.whole[:0], t[:start]...)
	r.whole = r.appendMatch(r.whole, t[start:end], rule.place, rule.action)
	r.whole = append(r.whole, t[end:]...)
	return r.whole
}

// finds reports whether a detector or an own pattern finds something in t.
func (r *Redactor) finds(t []byte) bool {
	p := r.variant.base
	for _, k := range p.patterns {
		if len(p.detectors[k].pattern.find(t)) > 0 {
			return true
		}
	}
	m, _ := p.next(t, 0, 0)
	return m.end > 0
}

// isRedacted reports whether nothing of a value is left but a marker. Hash tokens are
// not among them: only the keys tell whether they are.
func isRedacted(t []byte) bool {
	return bytes.HasPrefix(t, []byte(markerOpen)) && isWholeMarker(t)
}
