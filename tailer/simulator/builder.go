package simulator

import "strconv"

// builder writes JSON. Keys are not escaped; a key of "" writes an array's
// element.
type builder struct{ b []byte }

func (b *builder) key(key string) {
	if n := len(b.b); n > 0 && b.b[n-1] != '{' && b.b[n-1] != '[' {
		b.b = append(b.b, ',')
	}
	if key != "" {
		b.b = append(b.b, '"')
		b.b = append(b.b, key...)
		b.b = append(b.b, `":`...)
	}
}

// raw writes a value that is JSON already.
func (b *builder) raw(key, value string) {
	b.key(key)
	b.b = append(b.b, value...)
}

// open begins an object with "{" or an array with "[".
func (b *builder) open(key, bracket string) { b.raw(key, bracket) }

// shut ends objects and arrays: "}", "]" or several of them.
func (b *builder) shut(brackets string) { b.b = append(b.b, brackets...) }

func (b *builder) str(key, value string) {
	b.key(key)
	b.b = appendQuoted(b.b, value)
}

func (b *builder) int(key string, value int) {
	b.key(key)
	b.b = strconv.AppendInt(b.b, int64(value), 10)
}

// list writes an array of strings.
func (b *builder) list(key string, values ...string) {
	b.open(key, "[")
	for _, v := range values {
		b.str("", v)
	}
	b.shut("]")
}

// appendQuoted appends s as a JSON string; s is UTF-8.
func appendQuoted(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, '\\', 'n')
		case c == '\t':
			b = append(b, '\\', 't')
		case c == '\r':
			b = append(b, '\\', 'r')
		case c < ' ':
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}
