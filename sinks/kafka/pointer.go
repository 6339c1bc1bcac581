package kafka

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
)

// pointer is a JSON pointer (RFC 6901), its tokens unescaped.
type pointer []string

// parsePointer reads the text of a pointer; "" is none, which finds nothing.
func parsePointer(text string) (pointer, error) {
	if text == "" {
		return nil, nil
	}
	if text[0] != '/' {
		return nil, errors.New("want a JSON pointer into the event, which begins with /, such as /payload/transactionId")
	}
	tokens := strings.Split(text[1:], "/")
	for i, token := range tokens {
		if bad := strings.ReplaceAll(strings.ReplaceAll(token, "~0", ""), "~1", ""); strings.Contains(bad, "~") {
			return nil, errors.New("a ~ in a JSON pointer is written ~0, and a / inside a name ~1")
		}
		tokens[i] = strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")
	}
	return tokens, nil
}

// find returns the bytes of the value that p points to: the text of a string, or
// a number, true or false as it is written. It returns nil, which is not the
// empty text, for anything else: nothing there, null, an object or an array. The
// result is a part of raw unless the string has escapes. raw is not checked beyond what the way to the
// value takes; of two members with one name the first counts.
func (p pointer) find(raw []byte) []byte {
	if len(p) == 0 {
		return nil
	}
	s := scanner{b: raw}
	for _, token := range p {
		switch s.peek() {
		case '{':
			if !s.member(token) {
				return nil
			}
		case '[':
			if !s.element(token) {
				return nil
			}
		default:
			return nil
		}
	}
	switch s.peek() {
	case '"':
		text, escaped, ok := s.text()
		if !ok {
			return nil
		}
		if escaped {
			return unescape(text)
		}
		return text
	case '{', '[', 'n', 0:
		return nil
	}
	start := s.i
	s.literal()
	return raw[start:s.i]
}

// unescape decodes the inside of a JSON string; nil if it is none.
func unescape(text []byte) []byte {
	quoted := make([]byte, 0, len(text)+2)
	quoted = append(append(append(quoted, '"'), text...), '"')
	var out string
	if json.Unmarshal(quoted, &out) != nil {
		return nil
	}
	return []byte(out)
}

// scanner walks over JSON text without decoding it. It stops at the end of the
// text whatever the text is.
type scanner struct {
	b []byte
	i int
}

// peek returns the next byte that is not white space, 0 at the end.
func (s *scanner) peek() byte {
	for ; s.i < len(s.b); s.i++ {
		switch c := s.b[s.i]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// accept steps over c if it is next.
func (s *scanner) accept(c byte) bool {
	if s.peek() != c {
		return false
	}
	s.i++
	return true
}

// member moves from an object's brace to the value of the member with the name.
func (s *scanner) member(name string) bool {
	if !s.accept('{') || s.peek() == '}' {
		return false
	}
	for {
		if s.peek() != '"' {
			return false
		}
		text, escaped, ok := s.text()
		if !ok || !s.accept(':') {
			return false
		}
		if escaped && string(unescape(text)) == name || !escaped && string(text) == name {
			return true
		}
		if !s.value() || !s.accept(',') {
			return false
		}
	}
}

// element moves from an array's bracket to its element with the number.
func (s *scanner) element(number string) bool {
	n, err := strconv.ParseUint(number, 10, 31)
	if err != nil || len(number) > 1 && number[0] == '0' || !s.accept('[') || s.peek() == ']' {
		return false
	}
	for ; n > 0; n-- {
		if !s.value() || !s.accept(',') {
			return false
		}
	}
	return true
}

// text steps over a string and returns what stands between its quotes.
func (s *scanner) text() (text []byte, escaped, ok bool) {
	start := s.i + 1
	for at := start; ; {
		end := bytes.IndexByte(s.b[at:], '"')
		if end < 0 {
			s.i = len(s.b)
			return nil, false, false
		}
		end += at
		backslashes := 0
		for end-backslashes > start && s.b[end-1-backslashes] == '\\' {
			backslashes++
		}
		if backslashes%2 == 0 {
			s.i = end + 1
			text = s.b[start:end]
			return text, bytes.IndexByte(text, '\\') >= 0, true
		}
		at = end + 1
	}
}

// literal steps over a number, true, false or null.
func (s *scanner) literal() {
	for ; s.i < len(s.b); s.i++ {
		switch s.b[s.i] {
		case ',', '}', ']', ' ', '\t', '\n', '\r':
			return
		}
	}
}

// value steps over a value of any kind.
func (s *scanner) value() bool {
	switch s.peek() {
	case 0, ',', '}', ']', ':':
		return false
	case '"':
		_, _, ok := s.text()
		return ok
	case '{', '[':
		return s.container()
	}
	s.literal()
	return true
}

// container steps over an object or array with all that is in it.
func (s *scanner) container() bool {
	for depth := 0; s.i < len(s.b); {
		switch s.b[s.i] {
		case '"':
			if _, _, ok := s.text(); !ok {
				return false
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		s.i++
		if depth == 0 {
			return true
		}
	}
	return false
}
