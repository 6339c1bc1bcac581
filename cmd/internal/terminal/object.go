package terminal

import (
	"bytes"
	"encoding/json"
	"strings"
)

// object is a JSON object of which single members are looked at. What is missing or
// of another kind than expected reads as empty: nothing that a tenant sends may keep
// an event from being shown.
type object map[string]json.RawMessage

func parseObject(raw []byte) object {
	var o object
	if json.Unmarshal(raw, &o) != nil {
		return nil
	}
	return o
}

// in returns the object that the path leads to. An array is passed through at its
// first element.
func (o object) in(path ...string) object {
	for _, key := range path {
		raw := bytes.TrimSpace(o[key])
		var list []json.RawMessage
		if len(raw) > 0 && raw[0] == '[' && json.Unmarshal(raw, &list) == nil && len(list) > 0 {
			raw = list[0]
		}
		o = parseObject(raw)
	}
	return o
}

// text returns the value of a member as text: that of a string, a number as it
// stands, the elements of an array with commas. It is "" for null, an object or
// nothing.
func (o object) text(key string) string { return textOf(o[key]) }

func textOf(raw json.RawMessage) string {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return ""
	}
	switch raw[0] {
	case '"':
		var text string
		if json.Unmarshal(raw, &text) != nil {
			return ""
		}
		return text
	case '[':
		var list []json.RawMessage
		if json.Unmarshal(raw, &list) != nil {
			return ""
		}
		var texts []string
		for _, element := range list {
			if text := textOf(element); text != "" {
				texts = append(texts, text)
			}
		}
		return strings.Join(texts, ", ")
	case '{', 'n':
		return ""
	}
	return string(raw)
}
