package redact

// maxRounds bounds how often a text with matches is searched again. Two rounds
// are usual: one that finds, one that finds nothing more. A replacement can lay
// open a match beside it, and then a third is needed.
const maxRounds = 8

// next returns the first match in t at or after from, and its rule. lo is the
// end of the previous match: nothing before it is looked at.
func (s *Set) next(t []byte, from, lo int) (match, int) {
	class := &s.class
	for i := from; i < len(t); {
		c := t[i]
		if class[c] == plain {
			i++
			continue
		}
		switch class[c] {
		case trigger, backslash:
			for _, k := range s.byTrigger[c] {
				if m := s.rules[k].find(t, i, lo); m.end > 0 {
					return m, k
				}
			}
			i++
			if c == '%' && i+1 < len(t) && isHex(t[i]) && isHex(t[i+1]) {
				i += 2 // so that what follows %20 is not taken for a part of it
			}
		case digit:
			end := i + 1
			for end < len(t) && isDigit(t[end]) {
				end++
			}
			if digitsMayMatch(t, i, end, lo) {
				for _, k := range s.byDigit {
					if m := s.rules[k].find(t, i, lo); m.end > 0 {
						return m, k
					}
				}
			}
			i = end
		default:
			i++
		}
	}
	return match{}, 0
}

// digitsMayMatch tells in a few instructions that most runs of digits (in UUIDs,
// times, line numbers) are neither the beginning of a card number nor of a
// telephone number: either is long or goes on after a separator.
func digitsMayMatch(t []byte, i, end, lo int) bool {
	if end-i < minCardDigits {
		if end == len(t) {
			return false
		}
		switch t[end] {
		case ' ', '-', '.', '+', ')', '(':
		default:
			return false
		}
		if end-i < 3 && t[i] != '0' {
			return false // days, hours, parts of addresses
		}
	}
	return startsWord(t, i, lo)
}

// examine replaces all matches in t, of which the first trigger is at or after
// from. The result is in one of the redactor's buffers, or is t itself if
// nothing matched. It is searched until nothing is found, so that redacting it
// again changes nothing.
func (r *Redactor) examine(t []byte, from int) (text []byte, changed bool) {
	m, k := r.set.next(t, from, 0)
	for round := 0; m.end > 0; round++ {
		if round == maxRounds {
			// Never seen; rather lose the text than let a part of it through.
			r.event[ruleSecretText]++
			return append(r.text[round&1][:0], markerSecret...), true
		}
		out, lo := r.text[round&1][:0], 0
		for m.end > 0 {
			out = append(out, t[lo:m.start]...)
			out = append(out, m.quote...)
			out = append(out, r.set.rules[k].marker...)
			out = append(out, m.quote...)
			r.event[k]++
			lo = m.end
			m, k = r.set.next(t, lo, lo)
		}
		out = append(out, t[lo:]...)
		r.text[round&1] = out
		t, changed = out, true
		m, k = r.set.next(t, 0, 0)
	}
	return t, changed
}
