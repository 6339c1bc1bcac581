package query

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// maxText bounds a query. The tenant gets it in a URL, where a few KB are the
	// limit; a list of a thousand names in a rule of our own fits, too.
	maxText = 64 << 10
	// maxDepth bounds how deep parentheses and negations nest: what the vendor's
	// published parser accepts (256 steps of its grammar, four to a level).
	maxDepth = 64
)

// parser reads a query by recursive descent. Its methods begin and end at pos.
type parser struct {
	text  string
	pos   int
	depth int
}

func parse(text string) (*expr, error) {
	p := &parser{text: text}
	if len(text) > maxText {
		p.pos = maxText
		for !utf8.RuneStart(text[p.pos]) {
			p.pos--
		}
		return nil, p.fail(p.pos, "the query is too long", "want at most 64 KiB; split it into several rules")
	}
	if !utf8.ValidString(text) {
		for utf8.FullRuneInString(text[p.pos:]) {
			r, size := utf8.DecodeRuneInString(text[p.pos:])
			if r == utf8.RuneError && size == 1 {
				break
			}
			p.pos += size
		}
		return nil, p.fail(p.pos, "this is not valid UTF-8", "save the file as UTF-8")
	}
	x, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.pos < len(text) {
		return nil, p.fail(p.pos, "a parenthesis is closed that was not opened", "remove it, or open it with (")
	}
	return x, nil
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func (p *parser) space() {
	for p.pos < len(p.text) && isSpace(p.text[p.pos]) {
		p.pos++
	}
}

// word returns what stands before the next white space or parenthesis, without
// going on.
func (p *parser) word() string {
	end := p.pos
	for end < len(p.text) && !isSpace(p.text[end]) && p.text[end] != '(' && p.text[end] != ')' {
		end++
	}
	return p.text[p.pos:end]
}

func (p *parser) or() (*expr, error) { return p.list(opOr, p.and) }

func (p *parser) and() (*expr, error) { return p.list(opAnd, p.not) }

// list reads one or more parts with the operator's name between them.
func (p *parser) list(o op, part func() (*expr, error)) (*expr, error) {
	var kids []*expr
	for {
		kid, err := part()
		if err != nil {
			return nil, err
		}
		kids = append(kids, kid)
		next, err := p.connective()
		if err != nil {
			return nil, err
		}
		if next != o.String() {
			return join(o, kids), nil
		}
		p.pos += len(next)
	}
}

// connective returns the "and" or "or" that follows, without going on, or "" at
// the end of the query or a closing parenthesis.
func (p *parser) connective() (string, error) {
	p.space()
	if p.pos == len(p.text) || p.text[p.pos] == ')' {
		return "", nil
	}
	const what = "and, or, a closing parenthesis or the end is expected here"
	word := p.word()
	switch strings.ToLower(word) {
	case "and", "or":
		if lower := strings.ToLower(word); lower != word {
			return "", p.fail(p.pos, "operators are written in small letters", "write "+lower)
		}
		return word, nil
	case "&&", "&", ",":
		return "", p.fail(p.pos, what, "write and")
	case "||", "|":
		return "", p.fail(p.pos, what, "write or")
	case "":
		return "", p.fail(p.pos, what, "write and or or before the parenthesis")
	}
	return "", p.fail(p.pos, what, `put and or or between two comparisons, and a text in quotes: "..."`)
}

func (p *parser) not() (*expr, error) {
	p.space()
	if p.pos == len(p.text) || p.text[p.pos] != '!' {
		return p.primary()
	}
	start := p.pos
	p.pos++
	p.space()
	if p.pos < len(p.text) && p.text[p.pos] == '!' {
		return nil, p.fail(p.pos, "! cannot follow !", "leave out both")
	}
	// In !(...) negation and parentheses are one level.
	if p.pos == len(p.text) || p.text[p.pos] != '(' {
		if err := p.deeper(start); err != nil {
			return nil, err
		}
		defer func() { p.depth-- }()
	}
	kid, err := p.primary()
	if err != nil {
		return nil, err
	}
	return &expr{op: opNot, kids: []*expr{kid}}, nil
}

func (p *parser) deeper(at int) error {
	if p.depth++; p.depth > maxDepth {
		return p.fail(at, "the query is nested too deeply", "want at most 64 levels of parentheses and !; split it into several rules")
	}
	return nil
}

func (p *parser) primary() (*expr, error) {
	p.space()
	if p.pos < len(p.text) && p.text[p.pos] == '(' {
		return p.parenthesised()
	}
	switch word := p.word(); word {
	case "true", "false":
		p.pos += len(word)
		if word == "true" {
			return &expr{op: opTrue}, nil
		}
		return &expr{op: opFalse}, nil
	case "":
		return nil, p.fail(p.pos, "a comparison is missing here", `write one, such as /payload/level eq "ERROR"`)
	}
	pointer, err := p.pointer()
	if err != nil {
		return nil, err
	}
	return p.comparison(pointer)
}

func (p *parser) parenthesised() (*expr, error) {
	open := p.pos
	if err := p.deeper(open); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	p.pos++
	x, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.pos == len(p.text) {
		return nil, p.fail(open, "this parenthesis is never closed", "add ) where it ends")
	}
	p.pos++
	return x, nil
}

// pointer reads a JSON pointer (RFC 6901).
func (p *parser) pointer() ([]string, error) {
	word := p.word()
	if word[0] != '/' {
		return nil, p.notPointer(word)
	}
	if i := strings.IndexAny(word, `"'`); i >= 0 {
		return nil, p.fail(p.pos+i, "a quote cannot be part of a field", "put a space between the field, the operator and the value")
	}
	if i := strings.Index(word, "//"); i >= 0 {
		return nil, p.fail(p.pos+i, "a part of the field is empty", "write one slash between the parts")
	}
	if strings.HasSuffix(word, "/") {
		return nil, p.fail(p.pos+len(word)-1, "a field does not end with a slash", "remove the slash")
	}
	for i := range len(word) {
		if word[i] == '~' && (i+1 == len(word) || word[i+1] != '0' && word[i+1] != '1') {
			return nil, p.fail(p.pos+i, "~ must be followed by 0 or 1", "write ~0 for ~ and ~1 for a slash inside a name")
		}
	}
	parts := strings.Split(word[1:], "/")
	for i, part := range parts {
		// One pass from left to right: ~01 is ~1, not a slash.
		parts[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
	}
	p.pos += len(word)
	return parts, nil
}

// notPointer explains a word that stands where a field should.
func (p *parser) notPointer(word string) error {
	lower := strings.ToLower(word)
	switch {
	case lower == "not":
		return p.fail(p.pos, "there is no operator of this name", `write !, as in !(/payload/level eq "DEBUG")`)
	case lower == "true" || lower == "false":
		return p.fail(p.pos, "true and false are written in small letters", "write "+lower)
	case lower == "and" || lower == "or":
		return p.fail(p.pos, "a comparison is missing here", "write one before "+short(word))
	case !isNameStart(word):
		return p.fail(p.pos, "a field is expected here", `a comparison begins with a field, such as /payload/level eq "ERROR"`)
	}
	return p.fail(p.pos, "a field must begin with a slash", "add the slash: /"+short(strings.ReplaceAll(word, ".", "/")))
}

// isNameStart tells whether a word may be a field without its slash.
func isNameStart(word string) bool {
	c, _ := utf8.DecodeRuneInString(word)
	return c == '_' || unicode.IsLetter(c)
}

// comparison reads what follows a pointer.
func (p *parser) comparison(pointer []string) (*expr, error) {
	p.space()
	at, word := p.pos, p.word()
	if word == "" {
		return nil, p.fail(at, "an operator is missing here", "write one of "+operators)
	}
	if word == "pr" {
		p.pos += len(word)
		return &expr{op: opPr, pointer: pointer}, nil
	}
	o, known := comparison(word)
	if !known {
		return nil, p.notOperator(word, appendPointer(nil, pointer))
	}
	p.pos += len(word)
	p.space()
	at = p.pos
	value, err := p.value()
	if err != nil {
		return nil, err
	}
	switch {
	case (o == opCo || o == opSw) && value.kind != textOperand:
		return nil, p.fail(at, o.String()+" compares texts only", "put the value in quotes, or use eq")
	case value.kind == boolOperand && o != opEq:
		return nil, p.fail(at, "true and false have no order", "use eq")
	}
	return &expr{op: o, pointer: pointer, operand: value}, nil
}

const operators = "eq, co, sw, lt, le, gt, ge, pr"

// notOperator explains a word that stands where an operator should.
func (p *parser) notOperator(word string, pointer []byte) error {
	const what = "there is no operator of this name"
	lower := strings.ToLower(word)
	if _, ok := comparison(lower); ok || lower == "pr" {
		return p.fail(p.pos, "operators are written in small letters", "write "+lower)
	}
	for o := opEq; o <= opGe; o++ {
		if rest, ok := strings.CutPrefix(word, o.String()); ok && strings.ContainsAny(rest[:1], `"'`) {
			return p.fail(p.pos+2, "a space is missing here", "put one between the operator and the value")
		}
	}
	for meant, names := range map[string][]string{
		"eq": {"=", "==", "===", "is", "equals"}, "co": {"contains", "like", "~", "=~", "matches"},
		"sw": {"starts", "startswith", "prefix"}, "lt": {"<"}, "le": {"<=", "lte"}, "gt": {">"}, "ge": {">=", "gte"},
		"pr": {"exists", "present"},
	} {
		if slices.Contains(names, lower) {
			return p.fail(p.pos, what, "write "+meant)
		}
	}
	switch lower {
	case "ne", "!=", "<>":
		return p.fail(p.pos, what, "write !("+short(string(pointer))+" eq ...)")
	case "ew", "endswith":
		return p.fail(p.pos, what, "use co; there is none for the end of a text")
	case "in":
		return p.fail(p.pos, what, "write several comparisons with or between them")
	}
	return p.fail(p.pos, what, "write one of "+operators)
}
