package elasticsearch

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"
	"unicode/utf8"

	"aictail"
)

const (
	// maxID is what the servers allow for an _id, in bytes.
	maxID = 512
	// maxDepth is how deep an event may be nested to be sent as an object: the
	// depth_limit of the template. Log entries nest about ten deep. A flat_object of
	// 900 levels overflows the stack of OpenSearch 3.5, which then never answers.
	maxDepth = 100
)

// form is one of the two ways to write a document.
type form int

const (
	// asObject has the members of Raw as they are: an object payload can be
	// searched by its fields. Not every event has this form.
	asObject form = iota
	// asText has the whole of Raw as one string, and "aictail.as_text": true.
	asText
)

// appendID returns the event's _id, a UTF-8 text of 1 to 512 bytes: the event's id
// where it is one, else "sha256-" and its hash.
func appendID(dst []byte, e *aictail.Event) []byte {
	if n := len(e.ID); n > 0 && n <= maxID && utf8.Valid(e.ID) {
		return append(dst, e.ID...)
	}
	from := e.ID
	if len(from) == 0 {
		from = e.Raw
	}
	sum := sha256.Sum256(from)
	return hex.AppendEncode(append(dst, "sha256-"...), sum[:])
}

// appendDocument appends the event's document in the form, or as text if it has
// no other; one line without its end. id is the event's _id.
func appendDocument(dst []byte, e *aictail.Event, id []byte, f form) []byte {
	layout, ok := layoutOf(e)
	text := f == asText || !ok
	dst = append(dst, `{"@timestamp":"`...)
	dst = e.Time.UTC().AppendFormat(dst, time.RFC3339Nano)
	dst = append(dst, `","aictail":{"id":`...)
	dst = appendString(dst, id)
	dst = append(dst, `,"tenant":`...)
	dst = appendString(dst, e.Tenant)
	if e.Source != "" {
		dst = append(dst, `,"source":`...)
		dst = appendString(dst, e.Source)
	}
	if text {
		dst = append(dst, `,"as_text":true},"message":`...)
		dst = appendString(dst, e.Raw)
		return append(dst, '}')
	}
	dst = append(dst, '}')
	if !layout.empty {
		dst = append(dst, ',')
	}
	if layout.key == (aictail.Span{}) {
		return append(dst, e.Raw[1:]...)
	}
	dst = append(dst, e.Raw[1:layout.key.Start]...)
	dst = append(dst, `"message"`...)
	return append(dst, e.Raw[layout.key.End:]...)
}

// layout is where an event's Raw is taken apart.
type layout struct {
	empty bool         // there are no members
	key   aictail.Span // the key "payload" with its quotes, if it becomes "message"
}

// layoutOf reports false for an event that has only the form of text: its Raw is
// not one object on one line or nests too deep, its payload is neither object nor
// string, or it has a member of a name that is ours.
func layoutOf(e *aictail.Event) (layout, bool) {
	raw := e.Raw
	if len(raw) < 2 || raw[0] != '{' || bytes.IndexByte(raw, '\n') >= 0 || tooDeep(raw) {
		return layout{}, false
	}
	l := layout{empty: bytes.HasPrefix(bytes.TrimLeft(raw[1:], " \t\r"), []byte{'}'})}
	payload := e.PayloadBytes()
	if len(payload) == 0 {
		return l, !namesOurs(raw, raw)
	}
	if namesOurs(raw[:e.Payload.Start], raw) || namesOurs(raw[e.Payload.End:], raw) {
		return layout{}, false
	}
	if payload[0] == '{' {
		return l, true
	}
	if payload[0] != '"' {
		return layout{}, false
	}
	const key = `"payload"`
	before := bytes.TrimRight(raw[:e.Payload.Start], " \t\r")
	before, colon := bytes.CutSuffix(before, []byte{':'})
	before = bytes.TrimRight(before, " \t\r")
	if !colon || !bytes.HasSuffix(before, []byte(key)) {
		return layout{}, false // it has escapes
	}
	l.key = aictail.Span{Start: len(before) - len(key), End: len(before)}
	return l, true
}

// namesOurs says whether Raw has a member of a name that the document adds. Part
// is what there is of Raw to look at; a name that it shows may also be a value.
func namesOurs(part, raw []byte) bool {
	if !bytes.Contains(part, []byte(`"@timestamp"`)) && !bytes.Contains(part, []byte(`"aictail"`)) &&
		!bytes.Contains(part, []byte(`"message"`)) && bytes.IndexByte(part, '\\') < 0 {
		return false
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil {
		return true
	}
	for _, name := range []string{"@timestamp", "aictail", "message"} {
		if _, ok := members[name]; ok {
			return true
		}
	}
	return false
}

// tooDeep says whether valid JSON nests deeper than maxDepth.
func tooDeep(raw []byte) bool {
	// Almost no event opens so many.
	if bytes.Count(raw, []byte{'{'})+bytes.Count(raw, []byte{'['}) <= maxDepth {
		return false
	}
	depth, inString := 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case inString:
			switch c {
			case '\\':
				i++
			case '"':
				inString = false
			}
		case c == '"':
			inString = true
		case c == '{', c == '[':
			if depth++; depth > maxDepth {
				return true
			}
		case c == '}', c == ']':
			depth--
		}
	}
	return false
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// appendString appends text as a JSON string. Bytes that are not UTF-8, which no
// JSON string can hold, become U+FFFD.
func appendString[T string | []byte](dst []byte, text T) []byte {
	const hexDigits = "0123456789abcdef"
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(text); {
		c := text[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(string(text[i:min(i+utf8.UTFMax, len(text))]))
			if r != utf8.RuneError || n > 1 {
				i += n
				continue
			}
			dst = append(dst, text[from:i]...)
			dst = append(dst, `\ufffd`...)
			i++
			from = i
			continue
		}
		dst = append(dst, text[from:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		from = i
	}
	dst = append(dst, text[from:]...)
	return append(dst, '"')
}
