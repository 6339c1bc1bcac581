package splunkhec

import (
	"fmt"
	"strings"
)

// unknownValue stands for an empty tenant or source, which Splunk would not take.
const unknownValue = "unknown"

// template is text with {tenant} and {source}.
type template struct {
	parts []part
}

// part is literal text or, if literal is "", a field.
type part struct{ literal, field string }

// parseTemplate reads the template that the configuration has under key.
func parseTemplate(key, text string) (template, error) {
	var t template
	for rest := text; rest != ""; {
		open := strings.IndexAny(rest, "{}")
		if open < 0 {
			t.parts = append(t.parts, part{literal: rest})
			break
		}
		end := strings.IndexByte(rest[open:], '}')
		if rest[open] == '}' || end < 0 {
			return template{}, fmt.Errorf("%s: a brace without its partner near %q", key, rest[open:])
		}
		if open > 0 {
			t.parts = append(t.parts, part{literal: rest[:open]})
		}
		name := rest[open+1 : open+end]
		if name != "tenant" && name != "source" {
			return template{}, fmt.Errorf("%s: unknown placeholder {%s}; known are {tenant} and {source}", key, name)
		}
		t.parts = append(t.parts, part{field: name})
		rest = rest[open+end+1:]
	}
	return t, nil
}

// expand returns the text for an event of the tenant and source.
func (t template) expand(tenant, source string) string {
	var b strings.Builder
	for _, p := range t.parts {
		value := p.literal
		switch p.field {
		case "tenant":
			value = orUnknown(tenant)
		case "source":
			value = orUnknown(source)
		}
		b.WriteString(value)
	}
	return b.String()
}

func orUnknown(value string) string {
	if value == "" {
		return unknownValue
	}
	return value
}

// indexName makes a text the name of an index: Splunk takes lower-case letters,
// digits, _ and -, the first not being one of the last two.
func indexName(text string) string {
	name := []byte(strings.ToLower(text))
	for i, c := range name {
		letter := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		if !letter && c != '_' && c != '-' {
			name[i] = '_'
		}
	}
	return orUnknown(strings.TrimLeft(string(name), "_-"))
}
