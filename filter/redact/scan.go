package redact

import "bytes"

// maxRounds bounds how often a text with matches is searched again. Two rounds
// are usual: one that finds, one that finds nothing more. A replacement can lay
// open a match beside it, and then a third is needed.
const maxRounds = 8

// next returns the first match in t at or after from, and its detector. lo is the
// end of the previous match: nothing before it is looked at.
func (p *plan) next(t []byte, from, lo int) (match, int) {
	class := &p.class
	for i := from; i < len(t); {
		c := t[i]
		if class[c] == plain {
			i++
			continue
		}
		switch class[c] {
		case trigger, backslash:
			for _, f := range p.byTrigger[c] {
				if f.prev != 0 && (i == lo || t[i-1]|0x20 != f.prev) {
					continue
				}
				if m := f.find(t, i, lo); m.end > 0 {
					return m, f.place
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
			// The conditions tell in a few instructions that most runs of digits (in
			// UUIDs, times, line numbers) are no part of anything.
			n := end - i
			if n > 1 && i-1 > lo && isLetter(t[i-1]) && isLetter(t[i-2]) {
				for _, f := range p.byLetters {
					if m := f.find(t, i, lo); m.end > 0 {
						return m, f.place
					}
				}
			}
			if n >= minCardDigits || end < len(t) && p.afterDigits[t[end]] && (n > 2 || c == '0') {
				if i == lo || !isAlnum(t[i-1]) || afterEscape(t, i, lo) {
					for _, f := range p.byLongRun {
						if m := f.find(t, i, lo); m.end > 0 {
							return m, f.place
						}
					}
				}
			}
			if p.everyRun {
				if m, k := p.atRun(t, i, end, lo); m.end > 0 {
					return m, k
				}
			}
			i = end
		default:
			i++
		}
	}
	return match{}, 0
}

// atRun tries the detectors that look at short runs of digits, too, here t[i:end].
func (p *plan) atRun(t []byte, i, end, lo int) (match, int) {
	if i > lo && isLetter(t[i-1]) {
		for _, f := range p.byLetter {
			if m := f.find(t, i, lo); m.end > 0 {
				return m, f.place
			}
		}
	}
	if n := end - i; n <= maxRun && len(p.byAnyRun[n]) > 0 && startsWord(t, i, lo) {
		for _, f := range p.byAnyRun[n] {
			if m := f.find(t, i, lo); m.end > 0 {
				return m, f.place
			}
		}
	}
	return match{}, 0
}

// examine replaces all matches in t, of which the first trigger is at or after
// from. The result is in one of the redactor's buffers, or is t itself if
// nothing matched. It is searched until nothing is found, so that redacting it
// again changes nothing.
func (r *Redactor) examine(p *plan, t []byte, from int) (text []byte, changed bool) {
	for round := 0; ; round++ {
		if round == maxRounds {
			// Never seen without own patterns; rather lose the text than let a part
			// of it through.
			r.event[detectSecretText]++
			return append(r.text[round&1][:0], markerSecret...), true
		}
		byPattern := false
		for _, k := range p.patterns {
			if out, found := r.replacePattern(p, t, k); found {
				t, from, byPattern = out, 0, true
			}
		}
		m, k := p.next(t, from, 0)
		if m.end == 0 && !byPattern {
			return t, changed // nearly always, in the first round
		}
		out, found := r.replaceMatches(p, t, m, k)
		if !found && !byPattern {
			return t, changed
		}
		t, changed, from = out, true, 0
	}
}

// buffer returns the text buffer that t is not in.
func (r *Redactor) buffer() *[]byte {
	r.flip ^= 1
	return &r.text[r.flip]
}

// replaceMatches replaces all matches of detectors, of which m by detector k is the
// first, once.
func (r *Redactor) replaceMatches(p *plan, t []byte, m match, k int) (text []byte, changed bool) {
	if m.end == 0 {
		return t, false
	}
	buf := r.buffer()
	out, lo := (*buf)[:0], 0
	for m.end > 0 {
		out = append(out, t[lo:m.start]...)
		was := t[m.start:m.end]
		if m.quote == nil && p.actions[k] != Remove {
			m.quote = nestedQuote(t, m)
		}
		at := len(out)
		out = append(out, m.quote...)
		out = r.appendMatch(out, was, k, p.actions[k])
		out = append(out, m.quote...)
		if !bytes.Equal(out[at:], was) {
			r.changed(k, was, out[at:])
			changed = true
		}
		lo = m.end
		m, k = p.next(t, lo, lo)
	}
	out = append(out, t[lo:]...)
	*buf = out
	if !changed {
		r.flip ^= 1 // t may be in the other buffer
		return t, false
	}
	return out, true
}

// replacePattern replaces all matches of an own pattern, once.
func (r *Redactor) replacePattern(p *plan, t []byte, k int) (text []byte, changed bool) {
	spans := p.detectors[k].pattern.find(t)
	if len(spans) == 0 {
		return t, false
	}
	buf := r.buffer()
	out, lo := (*buf)[:0], 0
	for _, m := range spans {
		out = append(out, t[lo:m.Start]...)
		at := len(out)
		out = r.appendMatch(out, m.Of(t), k, p.actions[k])
		if !bytes.Equal(out[at:], m.Of(t)) {
			r.changed(k, m.Of(t), out[at:])
			changed = true
		}
		lo = m.End
	}
	out = append(out, t[lo:]...)
	*buf = out
	if !changed {
		r.flip ^= 1 // t may be in the other buffer
		return t, false
	}
	return out, true
}

// nestedQuote returns the quotes that JSON within a string needs around what replaces a
// number that is the value of a member.
func nestedQuote(t []byte, m match) []byte {
	i := m.start
	if i == 0 || !isDigit(t[i]) || m.end < len(t) && t[m.end] != ',' && t[m.end] != '}' && !isSpace(t[m.end]) {
		return nil
	}
	for i > 0 && isSpace(t[i-1]) {
		i--
	}
	if i == 0 || t[i-1] != ':' {
		return nil
	}
	for _, c := range t[m.start:m.end] {
		if !isDigit(c) {
			return nil
		}
	}
	_, quote := keyQuote(t, i-1, 0)
	return quote
}
