package elasticsearch

import (
	"encoding/json"
	"errors"
)

// item is what the server said of one event. Its slices are valid until the next
// answer is read.
type item struct {
	id     []byte // nil if there is none
	status int    // 0 if there is none
	// errType and errReason describe a failure. The reason may quote the event.
	errType, errReason []byte
	// redirected: the document went to the failure store of its data stream.
	redirected bool
}

// errAnswer is the error of an answer that says nothing certain.
var errAnswer = errors.New("the answer cannot be read as that of a _bulk request")

// readAnswer calls each for the items of a _bulk answer, in order. What it can't
// make sense of is errAnswer, also after items; then none of them is to be believed.
func readAnswer(b []byte, each func(i int, it item)) (items int, err error) {
	// Once it is known to be valid, the walker needs no checks of its own.
	if !json.Valid(b) {
		return 0, errAnswer
	}
	w := walker{b: b}
	if !w.enter('{') {
		return 0, errAnswer
	}
	var errs, said, failures, listed bool
	for w.more('}') {
		switch string(w.key()) {
		case "errors":
			errs, said = w.boolean()
		case "items":
			if listed || !w.enter('[') {
				return 0, errAnswer
			}
			listed = true
			for ; w.more(']'); items++ {
				it, ok := w.item()
				if !ok {
					return 0, errAnswer
				}
				failures = failures || it.status < 200 || it.status > 299
				each(items, it)
			}
		default:
			w.skip()
		}
	}
	if !said || !listed || errs && !failures {
		return 0, errAnswer
	}
	return items, nil
}

// item reads {"create":{…}}.
func (w *walker) item() (item, bool) {
	var it item
	if !w.enter('{') || !w.more('}') || string(w.key()) != "create" || !w.enter('{') {
		return it, false
	}
	for w.more('}') {
		switch string(w.key()) {
		case "_id":
			it.id = w.text()
		case "status":
			it.status = w.integer()
		case "error":
			it.errType, it.errReason = w.cause()
		case "failure_store":
			it.redirected = string(w.text()) == "used"
		default:
			w.skip()
		}
	}
	return it, !w.more('}')
}

// cause reads the type and the reason of an error. Some errors are only a text,
// which is the reason.
func (w *walker) cause() (typ, reason []byte) {
	if !w.enter('{') {
		return nil, w.text()
	}
	for w.more('}') {
		switch string(w.key()) {
		case "type":
			typ = w.text()
		case "reason":
			reason = w.text()
		default:
			w.skip()
		}
	}
	return typ, reason
}

// walker steps through valid JSON. Each method begins and ends between two tokens.
type walker struct {
	b []byte
	i int
}

// peek returns the next byte that is not white space, 0 at the end.
func (w *walker) peek() byte {
	for ; w.i < len(w.b); w.i++ {
		if !isSpace(w.b[w.i]) {
			return w.b[w.i]
		}
	}
	return 0
}

// enter steps into an object or array; it stays where it is before anything else.
func (w *walker) enter(opener byte) bool {
	if w.peek() != opener {
		return false
	}
	w.i++
	return true
}

// more steps to the next member or element, or behind the end.
func (w *walker) more(closer byte) bool {
	switch w.peek() {
	case closer:
		w.i++
		return false
	case ',':
		w.i++
	}
	return true
}

// key steps over a member's name and its colon. A name with escapes, which no
// server writes, is returned with them.
func (w *walker) key() []byte {
	name, _ := w.quoted()
	if w.peek() == ':' {
		w.i++
	}
	return name
}

// quoted steps over a string and returns what is between its quotes.
func (w *walker) quoted() (text []byte, escaped bool) {
	if w.peek() != '"' {
		return nil, false
	}
	w.i++
	start := w.i
	for ; w.b[w.i] != '"'; w.i++ {
		if w.b[w.i] == '\\' {
			escaped = true
			w.i++
		}
	}
	w.i++
	return w.b[start : w.i-1], escaped
}

// text steps over a value and returns it if it is a string, else nil.
func (w *walker) text() []byte {
	if w.peek() != '"' {
		w.skip()
		return nil
	}
	start := w.i
	text, escaped := w.quoted()
	if !escaped {
		return text
	}
	var s string
	_ = json.Unmarshal(w.b[start:w.i], &s) // it is valid
	return []byte(s)
}

// integer steps over a value and returns it if it is a number of three digits,
// which every status is, else 0.
func (w *walker) integer() int {
	w.peek()
	start := w.i
	w.skip()
	digits := w.b[start:w.i]
	if len(digits) != 3 {
		return 0
	}
	n := 0
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0
		}
		n = 10*n + int(c-'0')
	}
	return n
}

// boolean steps over a value and returns it, and whether it is true or false.
func (w *walker) boolean() (value, ok bool) {
	c := w.peek()
	w.skip()
	return c == 't', c == 't' || c == 'f'
}

// skip steps over a value.
func (w *walker) skip() {
	depth := 0
	for {
		switch w.peek() {
		case '"':
			w.quoted()
		case '{', '[':
			depth++
			w.i++
			continue
		case '}', ']':
			depth--
			w.i++
		case ',', ':':
			w.i++
			continue
		default:
			w.literal()
		}
		if depth == 0 {
			return
		}
	}
}

// literal steps over a number, true, false or null.
func (w *walker) literal() {
	for ; w.i < len(w.b); w.i++ {
		switch w.b[w.i] {
		case ',', ':', '}', ']', ' ', '\t', '\n', '\r':
			return
		}
	}
}
