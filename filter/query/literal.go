package query

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// value reads the value of a comparison.
func (p *parser) value() (operand, error) {
	if p.pos < len(p.text) && (p.text[p.pos] == '"' || p.text[p.pos] == '\'') {
		text, err := p.quoted()
		return operand{kind: textOperand, text: text}, err
	}
	word := p.word()
	switch {
	case word == "":
		return operand{}, p.fail(p.pos, "a value is missing here", `write a text in quotes, a number, true or false`)
	case word == "true" || word == "false":
		p.pos += len(word)
		return operand{kind: boolOperand, text: word}, nil
	case isNumber(word):
		if d := parseDecimal([]byte(word)); !d.isUsual() {
			return operand{}, p.fail(p.pos, "the exponent of the number is too large", "want at most 999999")
		}
		p.pos += len(word)
		return operand{kind: numberOperand, text: word}, nil
	}
	return operand{}, p.notValue(word)
}

// notValue explains a word that stands where a value should.
func (p *parser) notValue(word string) error {
	lower := strings.ToLower(word)
	switch first, _ := utf8.DecodeRuneInString(word); {
	case lower == "true" || lower == "false":
		return p.fail(p.pos, "true and false are written in small letters", "write "+lower)
	case lower == "null":
		return p.fail(p.pos, "null is no value to compare with", "write !(... pr) for a field that is absent or null")
	case strings.ContainsRune("“”‘’„«»`", first):
		return p.fail(p.pos, "these are not straight quotes", `use " or '`)
	case first >= '0' && first <= '9' || first == '-' || first == '+' || first == '.':
		return p.fail(p.pos, "this is not a number", "write it as in JSON, such as 200 or -1.5, or put a text in quotes")
	}
	return p.fail(p.pos, "a text must stand in quotes", `write "`+short(word)+`"`)
}

// quoted reads a text in quotes. Escapes are those of JSON (RFC 7159, section 7),
// which the vendor's documentation refers to, and \' for the other quote.
func (p *parser) quoted() (string, error) {
	open, quote := p.pos, p.text[p.pos]
	var b strings.Builder
	for p.pos++; p.pos < len(p.text); {
		switch c := p.text[p.pos]; {
		case c == quote:
			p.pos++
			if p.pos < len(p.text) && !isSpace(p.text[p.pos]) && p.text[p.pos] != ')' {
				return "", p.fail(p.pos, "a space is missing here", `put one behind the value, or \ before a quote that belongs to it`)
			}
			return b.String(), nil
		case c == '\\':
			r, err := p.escape()
			if err != nil {
				return "", err
			}
			b.WriteRune(r)
		case c < ' ':
			return "", p.fail(p.pos, "a control character stands in a text", `write \n for a line break and \t for a tab`)
		default:
			b.WriteByte(c)
			p.pos++
		}
	}
	return "", p.fail(open, "the quote is never closed", "add "+string(rune(quote))+" where the text ends")
}

// escape reads a backslash and what follows.
func (p *parser) escape() (rune, error) {
	at := p.pos
	p.pos += 2
	if p.pos > len(p.text) {
		return 0, p.fail(at, "the query ends with a backslash", `write \\ for the character \ and close the quote`)
	}
	switch c := p.text[at+1]; c {
	case '"', '\'', '\\', '/':
		return rune(c), nil
	case 'b':
		return '\b', nil
	case 'f':
		return '\f', nil
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 't':
		return '\t', nil
	case 'u':
		r, ok := p.unit()
		if ok && utf16.IsSurrogate(r) && strings.HasPrefix(p.text[p.pos:], `\u`) {
			p.pos += 2
			var low rune
			low, ok = p.unit()
			r = utf16.DecodeRune(r, low)
		}
		if !ok || utf16.IsSurrogate(r) || r == utf8.RuneError && !strings.EqualFold(p.text[at:p.pos], `\ufffd`) {
			return 0, p.fail(at, "this escape stands for no character", `write \u and four hexadecimal digits, or the character itself`)
		}
		return r, nil
	}
	return 0, p.fail(at, "there is no such escape", `write \\ for the character \`)
}

// unit reads four hexadecimal digits.
func (p *parser) unit() (rune, bool) {
	if p.pos+4 > len(p.text) {
		return 0, false
	}
	n, err := strconv.ParseUint(p.text[p.pos:p.pos+4], 16, 16)
	if err != nil {
		return 0, false
	}
	p.pos += 4
	return rune(n), true
}

// isNumber tells whether a word is a number as JSON writes it.
func isNumber(word string) bool {
	word = strings.TrimPrefix(word, "-")
	digits := func() int {
		n := 0
		for n < len(word) && word[n] >= '0' && word[n] <= '9' {
			n++
		}
		return n
	}
	n := digits()
	if n == 0 || n > 1 && word[0] == '0' {
		return false
	}
	word = word[n:]
	if rest, ok := strings.CutPrefix(word, "."); ok {
		word = rest
		if n = digits(); n == 0 {
			return false
		}
		word = word[n:]
	}
	if word != "" && word[0]|0x20 == 'e' {
		word = word[1:]
		if word != "" && (word[0] == '+' || word[0] == '-') {
			word = word[1:]
		}
		if n = digits(); n == 0 {
			return false
		}
		word = word[n:]
	}
	return word == ""
}
