package terminal

import (
	"fmt"
	"strings"
	"unicode"
)

// look is how a text stands out.
type look int

const (
	lookPlain look = iota
	lookDim
	lookSource
	lookSevere
	lookWarning
	lookInfo
	lookBad
)

// escapes are the SGR parameters of the looks (ECMA-48), from the eight colours that
// every terminal has and people set to their taste.
func (l look) escapes() string {
	switch l {
	case lookDim:
		return "2"
	case lookSource:
		return "36"
	case lookSevere:
		return "1;31"
	case lookWarning:
		return "33"
	case lookInfo:
		return "32"
	case lookBad:
		return "31"
	}
	return ""
}

// flow writes words one after the other and breaks lines between them.
type flow struct {
	out    []byte
	color  bool
	width  int // columns; 0 breaks no lines
	indent int // of the lines that follow
	column int
	fresh  bool // nothing stands on this line but its indent
}

// add writes a text, its words apart by one space. Within a word no line is broken,
// however long it is: the terminal does that by itself, and what is copied then is
// still whole.
func (f *flow) add(text string, l look) {
	for word := range strings.FieldsSeq(text) {
		f.word(word, l)
	}
}

// verbatim writes a line with its own indent.
func (f *flow) verbatim(line string) {
	body := strings.TrimLeft(line, " \t")
	own := strings.ReplaceAll(line[:len(line)-len(body)], "\t", "    ")
	f.out = append(f.out, own...)
	f.column += len(own)
	f.indent += len(own)
	f.add(body, lookPlain)
	f.indent -= len(own)
}

func (f *flow) word(word string, l look) {
	word = Printable(word)
	columns := columnsOf(word)
	switch {
	case f.fresh:
	case f.width > 0 && f.column+1+columns > f.width && f.column > f.indent:
		f.line()
	default:
		f.out = append(f.out, ' ')
		f.column++
	}
	f.fresh = false
	f.column += columns
	f.styled(word, l)
}

func (f *flow) styled(text string, l look) {
	if code := l.escapes(); f.color && code != "" {
		f.out = append(append(append(append(f.out, "\x1b["...), code...), 'm'), text...)
		f.out = append(f.out, "\x1b[0m"...)
		return
	}
	f.out = append(f.out, text...)
}

// line begins a new line.
func (f *flow) line() {
	f.out = append(f.out, '\n')
	for range f.indent {
		f.out = append(f.out, ' ')
	}
	f.column, f.fresh = f.indent, true
}

// Printable returns a text in which nothing acts on a terminal: control characters,
// those that change the direction of writing and others without a shape are shown by
// their number.
func Printable(text string) string {
	odd := func(r rune) bool { return !unicode.IsPrint(r) }
	if strings.IndexFunc(text, odd) < 0 {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		switch {
		case !odd(r):
			b.WriteRune(r)
		case r == '\t' || unicode.Is(unicode.Zs, r):
			b.WriteByte(' ')
		default:
			fmt.Fprintf(&b, "\\u%04x", r)
		}
	}
	return b.String()
}

// columnsOf returns how many columns a text takes: two for the characters of East
// Asia and pictures, none for marks on others. That is right for what logs hold; a
// line that is broken a little early or late does no harm.
func columnsOf(text string) int {
	n := 0
	for _, r := range text {
		switch {
		case r < 0x300:
			n++
		case unicode.In(r, unicode.Mn, unicode.Me):
		case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul),
			r >= 0x3000 && r <= 0x303f, r >= 0xff01 && r <= 0xff60, r >= 0x1f300 && r <= 0x1faff:
			n += 2
		default:
			n++
		}
	}
	return n
}
