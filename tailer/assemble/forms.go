package assemble

import (
	"bytes"
	"strings"
)

// form is what an ordinary line looks like.
type form int

const (
	plainLine     form = iota
	headerLine         // Dec 05, 2022 8:01:34 PM org.forgerock.x.Y method
	levelLine          // FINE: Read name=user
	exceptionLine      // java.lang.X: message; Exception in thread "main" ...
	traceLine          // tab at ..., Caused by: ..., ... 12 more
)

// formOf recognises the lines that java.util.logging's SimpleFormatter and
// Throwable.printStackTrace write.
func formOf(text []byte) form {
	if len(text) == 0 {
		return plainLine
	}
	switch x := text[0]; {
	case isSpace(x):
		if isTrace(bytes.TrimLeft(text, " \t")) {
			return traceLine
		}
		return plainLine
	case x >= 'A' && x <= 'Z':
		switch {
		case isHeader(text):
			return headerLine
		case isLevel(text):
			return levelLine
		case bytes.HasPrefix(text, []byte("Caused by: ")) || bytes.HasPrefix(text, []byte("Suppressed: ")):
			return traceLine
		case bytes.HasPrefix(text, []byte("Exception in thread ")):
			return exceptionLine
		}
		return plainLine
	case x == '.':
		if isTrace(text) {
			return traceLine
		}
	case isException(text):
		return exceptionLine
	}
	return plainLine
}

// isTrace reports whether a line without its indent belongs to a stack trace.
func isTrace(text []byte) bool {
	if rest, ok := bytes.CutPrefix(text, []byte("at ")); ok {
		return bytes.IndexByte(rest, '(') > 0
	}
	if rest, ok := bytes.CutPrefix(text, []byte("... ")); ok {
		digits := 0
		for digits < len(rest) && isDigit(rest[digits]) {
			digits++
		}
		return digits > 0 && bytes.HasPrefix(rest[digits:], []byte(" "))
	}
	return bytes.HasPrefix(text, []byte("Caused by: ")) || bytes.HasPrefix(text, []byte("Suppressed: "))
}

// headerForm is the beginning of a header: 0 stands for a digit, the rest for
// itself. The month before it is checked apart.
const headerForm = " 00, 0000 "

func isHeader(text []byte) bool {
	const months = "JanFebMarAprMayJunJulAugSepOctNovDec"
	if len(text) < len("Jan")+len(headerForm) || strings.Index(months, string(text[:3]))%3 != 0 {
		return false
	}
	rest := text[len("Jan"):]
	if !matches(rest, headerForm) {
		return false
	}
	rest = rest[len(headerForm):]
	switch {
	case matches(rest, "00:00:00"):
		rest = rest[len("00:00:00"):]
	case matches(rest, "0:00:00"):
		rest = rest[len("0:00:00"):]
	default:
		return false
	}
	// Java 20 and later write a narrow no-break space before AM and PM.
	if r, ok := bytes.CutPrefix(rest, []byte("\u202f")); ok {
		rest = r
	} else if r, ok := bytes.CutPrefix(rest, []byte(" ")); ok {
		rest = r
	}
	return len(rest) > 3 && (rest[0] == 'A' || rest[0] == 'P') && rest[1] == 'M' && rest[2] == ' '
}

func matches(text []byte, form string) bool {
	if len(text) < len(form) {
		return false
	}
	for i := range len(form) {
		if form[i] == '0' && !isDigit(text[i]) || form[i] != '0' && text[i] != form[i] {
			return false
		}
	}
	return true
}

func isLevel(text []byte) bool {
	const longest = len("WARNING")
	i := bytes.IndexByte(text[:min(len(text), longest+1)], ':')
	if i < 0 || i+1 < len(text) && !isSpace(text[i+1]) {
		return false
	}
	switch string(text[:i]) {
	case "SEVERE", "WARNING", "INFO", "CONFIG", "FINE", "FINER", "FINEST":
		return true
	}
	return false
}

// isException recognises a.b.SomeException, alone or before a colon and a
// message: a name of at least three parts, packages in small letters, whose last
// part begins with a capital and ends like the names of throwables do.
func isException(text []byte) bool {
	end := bytes.IndexByte(text, ':')
	if end < 0 {
		end = len(bytes.TrimRight(text, "\r\n"))
	} else if end+1 < len(text) && !isSpace(text[end+1]) {
		return false
	}
	name := text[:end]
	dot := bytes.LastIndexByte(name, '.')
	if dot < 0 || bytes.IndexByte(name[:dot], '.') < 0 {
		return false
	}
	for i, x := range name {
		letter := x|0x20 >= 'a' && x|0x20 <= 'z'
		switch {
		case letter || isDigit(x) || x == '_' || x == '$':
		case x != '.' || i == 0 || name[i-1] == '.':
			return false
		}
	}
	class := name[dot+1:]
	if len(class) == 0 || class[0] < 'A' || class[0] > 'Z' || name[0] < 'a' {
		return false
	}
	for _, suffix := range []string{"Exception", "Error", "Throwable", "Failure"} {
		if bytes.HasSuffix(class, []byte(suffix)) {
			return true
		}
	}
	return false
}
