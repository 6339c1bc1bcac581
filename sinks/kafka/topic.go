package kafka

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"aictail"
)

const (
	// maxTopic is the longest name of a topic that Kafka takes.
	maxTopic = 249
	// unknownValue stands for an empty tenant or source.
	unknownValue = "unknown"
	// maxRoutes bounds the memory for names of sources, which come from tenants.
	maxRoutes = 4096
)

// template is the name of a topic with {tenant} and {source}.
type template struct {
	parts          []part
	tenant, source bool
}

// part is literal text or, if literal is "", a field.
type part struct{ literal, field string }

// routeKey is what decides an event's topic. Fields that the template does not
// use are "", so that all their values share one key.
type routeKey struct{ tenant, source string }

func parseTemplate(text string) (*template, error) {
	if text == "" {
		return nil, errors.New("missing: give the name of a topic, such as aic.{source}")
	}
	t := &template{}
	rest := text
	for rest != "" {
		open := strings.IndexAny(rest, "{}")
		if open < 0 {
			open = len(rest)
		}
		if literal := rest[:open]; literal != "" {
			if clean(literal) != literal {
				return nil, fmt.Errorf("%q has a character that no topic has: use letters, digits, '.', '_' and '-', and {tenant} or {source}", text)
			}
			t.parts = append(t.parts, part{literal: literal})
		}
		rest = rest[open:]
		if rest == "" {
			break
		}
		end := strings.IndexByte(rest, '}')
		if rest[0] == '}' || end < 0 {
			return nil, fmt.Errorf("%q has a brace without its partner", text)
		}
		field := rest[1:end]
		switch field {
		case "tenant":
			t.tenant = true
		case "source":
			t.source = true
		default:
			return nil, fmt.Errorf("unknown placeholder {%s}; the placeholders are {tenant} and {source}", field)
		}
		t.parts = append(t.parts, part{field: field})
		rest = rest[end+1:]
	}
	if !t.tenant && !t.source && (len(text) > maxTopic || text == "." || text == "..") {
		return nil, fmt.Errorf("not a name that Kafka takes: . and .. are none, and one has at most %d characters", maxTopic)
	}
	return t, nil
}

// key returns what decides the event's topic. It does not allocate.
func (t *template) key(e *aictail.Event) routeKey {
	var k routeKey
	if t.tenant {
		k.tenant = e.Tenant
	}
	if t.source {
		k.source = e.Source
	}
	return k
}

// expand returns the topic for a key. Characters that Kafka does not take become
// '_', so that different sources can meet in one topic; their records still say
// which is which. A name that is too long ends in a hash of the whole.
func (t *template) expand(k routeKey) string {
	var b strings.Builder
	for _, p := range t.parts {
		value := p.literal
		switch p.field {
		case "tenant":
			value = orUnknown(k.tenant)
		case "source":
			value = orUnknown(k.source)
		}
		b.WriteString(clean(value))
	}
	name := b.String()
	switch {
	case name == "." || name == "..":
		return strings.ReplaceAll(name, ".", "_")
	case len(name) > maxTopic:
		sum := sha256.Sum256([]byte(name))
		tail := "-" + hex.EncodeToString(sum[:8])
		return name[:maxTopic-len(tail)] + tail
	}
	return name
}

func orUnknown(value string) string {
	if value == "" {
		return unknownValue
	}
	return value
}

// clean replaces every byte that Kafka does not take in the name of a topic.
func clean(value string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
			return r
		}
		return '_'
	}, value)
}
