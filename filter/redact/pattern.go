package redact

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"

	"aictail"
)

// Bounds of an own pattern. RE2 takes time linear to the text times the size of the
// program, so that bounding the program bounds the time.
const (
	maxPattern     = 1000 // characters
	maxPatternSize = 5000 // instructions, roughly
)

// pattern is an own regular expression. If it has a group, what the group matches is
// replaced, otherwise the whole match.
type pattern struct {
	re *regexp.Regexp
	// literal stands in every match; empty if no such text is known.
	literal []byte
	accept  func(match []byte) bool
}

var errAccept = errors.New("want luhn or mod97")

// compilePattern compiles an expression and finds its prefilter.
func compilePattern(expr, accept string) (*pattern, error) {
	if len(expr) > maxPattern {
		return nil, fmt.Errorf("is longer than %d characters: split it into several rules", maxPattern)
	}
	parsed, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("is no regular expression (RE2): %w", err)
	}
	if patternSize(parsed) > maxPatternSize {
		return nil, errors.New("is too large: use smaller numbers of repetitions")
	}
	re, err := regexp.Compile(expr)
	switch {
	case err != nil:
		return nil, fmt.Errorf("is no regular expression (RE2): %w", err)
	case re.MatchString(""):
		return nil, errors.New("matches the empty text: it would match everywhere")
	case re.NumSubexp() > 1:
		return nil, errors.New("has several groups: keep the one to be replaced and write the others as (?:...)")
	}
	p := &pattern{re: re, literal: []byte(requiredLiteral(parsed.Simplify()))}
	switch accept {
	case "":
	case "luhn":
		p.accept = acceptLuhn
	case "mod97":
		p.accept = acceptMod97
	default:
		return nil, errAccept
	}
	return p, nil
}

// patternSize estimates the number of instructions that an expression is compiled to.
func patternSize(re *syntax.Regexp) int {
	size := 1 + len(re.Rune)/2
	for _, sub := range re.Sub {
		size += patternSize(sub)
	}
	if re.Op == syntax.OpRepeat {
		size *= max(1, re.Min, re.Max)
	}
	return min(size, 2*maxPatternSize) // so that nothing overflows
}

// requiredLiteral returns the longest text that stands in every match, "" if none is
// known. Expressions that ignore case have none.
func requiredLiteral(re *syntax.Regexp) string {
	switch re.Op {
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase == 0 {
			return string(re.Rune)
		}
	case syntax.OpCapture, syntax.OpPlus:
		return requiredLiteral(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return requiredLiteral(re.Sub[0])
		}
	case syntax.OpConcat:
		longest := ""
		for _, sub := range re.Sub {
			if lit := requiredLiteral(sub); len(lit) > len(longest) {
				longest = lit
			}
		}
		return longest
	}
	return ""
}

// find returns the spans of the matches that are accepted and not a part of a marker.
// It allocates only if there is a match.
func (p *pattern) find(t []byte) []aictail.Span {
	if !bytes.Contains(t, p.literal) {
		return nil
	}
	var spans []aictail.Span
	for _, m := range p.re.FindAllSubmatchIndex(t, -1) {
		start, end := m[0], m[1]
		if len(m) > 2 {
			start, end = m[2], m[3]
		}
		if end <= start || isInMarker(t, start, end) {
			continue
		}
		if p.accept == nil || p.accept(t[start:end]) {
			spans = append(spans, aictail.Span{Start: start, End: end})
		}
	}
	return spans
}

func acceptLuhn(match []byte) bool {
	var digits []byte
	for _, c := range match {
		if isDigit(c) {
			digits = append(digits, c)
		}
	}
	return len(digits) > 1 && luhn(digits)
}

func acceptMod97(match []byte) bool { return mod97(match) == 1 }
