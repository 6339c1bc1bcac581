package elasticsearch

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"aictail"
)

const (
	// maxName is what the servers allow for the name of an index or data stream,
	// in bytes.
	maxName = 255
	// maxValue bounds a value in a name: the longest source known has 23 bytes and
	// a tenant at most 63, and two values with a date leave room for 80 more.
	maxValue = 80
	// unknownValue stands for an empty tenant or source.
	unknownValue = "unknown"
	// maxRoutes bounds the memory for names, of which an index with a date makes
	// new ones for ever; at some 200 bytes each, 1 MiB.
	maxRoutes = 4096

	secondsPerDay = 24 * 60 * 60
)

// target makes the name of the index or data stream of an event.
type target struct {
	key    string // the configuration key that it comes from
	stream bool   // it is a data stream
	text   string // as configured

	parts        []part
	tenant, days bool // what the name depends on
	source       bool

	// routes leads from what decides an event's index to its name.
	routes map[route]*named
	last   *named // that of the event before
}

// named is a route with its name, which needs no escapes in JSON.
type named struct {
	route route
	name  string
}

// part is literal text, a field or a layout of the event's time; the other two
// are "".
type part struct{ literal, field, layout string }

// route is what decides an event's index. What the name does not depend on is
// zero, so that all its values share one route.
type route struct {
	tenant, source string
	day            int64 // since 1970, in UTC
}

var (
	placeholders = regexp.MustCompile(`\{[^{}]*\}`)
	timeFields   = regexp.MustCompile(`^(yyyy|MM|dd)([._-](yyyy|MM|dd))*$`)
	plainName    = regexp.MustCompile(`^[a-z0-9._-]*$`)
)

// parseTarget reads the name of the target, of which exactly one is given.
func parseTarget(dataStream, index string) (*target, error) {
	t := &target{key: "index", text: index, routes: make(map[route]*named)}
	switch {
	case dataStream != "" && index != "":
		return nil, errors.New("index: set together with data_stream; remove one of them")
	case dataStream != "":
		t.key, t.text, t.stream = "data_stream", dataStream, true
	case index == "":
		return nil, errors.New("index: missing; give index, such as aic-{source}-{yyyy.MM}, or data_stream, such as logs-aic.{source}-default")
	}
	longest, at := 0, 0
	for _, found := range placeholders.FindAllStringIndex(t.text, -1) {
		t.parts = append(t.parts, part{literal: t.text[at:found[0]]})
		p, err := t.placeholder(t.text[found[0]+1 : found[1]-1])
		if err != nil {
			return nil, err
		}
		t.parts = append(t.parts, p)
		if longest += len(p.layout); p.field != "" {
			longest += maxValue
		}
		at = found[1]
	}
	t.parts = append(t.parts, part{literal: t.text[at:]})
	for _, p := range t.parts {
		if !plainName.MatchString(p.literal) {
			return nil, fmt.Errorf("%s: only a-z, 0-9, '.', '-' and '_' may stand beside the placeholders", t.key)
		}
		longest += len(p.literal)
	}
	if first := t.text[0]; strings.IndexByte("-_.", first) >= 0 {
		return nil, fmt.Errorf("%s: must not begin with %q", t.key, first)
	}
	if longest > maxName {
		return nil, fmt.Errorf("%s: the name may have %d bytes, with values in place of the placeholders; at most %d are allowed", t.key, longest, maxName)
	}
	return t, nil
}

func (t *target) placeholder(name string) (part, error) {
	switch {
	case name == "tenant":
		t.tenant = true
		return part{field: name}, nil
	case name == "source":
		t.source = true
		return part{field: name}, nil
	case !timeFields.MatchString(name):
		return part{}, fmt.Errorf("%s: unknown placeholder {%s}; known are {tenant}, {source} and, for an index, {yyyy}, {MM} and {dd}", t.key, name)
	case t.stream:
		return part{}, fmt.Errorf("%s: {%s} is for index; a data stream begins new indices by itself", t.key, name)
	}
	t.days = true
	return part{layout: strings.NewReplacer("yyyy", "2006", "MM", "01", "dd", "02").Replace(name)}, nil
}

// checkSetup returns an error if the index template of setup would hold for the indices
// of others: it decides their fields and policy, and may keep them from being made.
func (t *target) checkSetup() error {
	begin, _, _ := strings.Cut(t.text, "{")
	for _, shared := range []string{"logs-", "metrics-", "traces-", "synthetics-"} {
		begin = strings.TrimPrefix(begin, shared)
	}
	if begin == "" {
		return fmt.Errorf("%s: the index template that setup installs would hold for others' indices, too (%s): begin with a text of its own, such as aic-, or logs-aic. for a data stream; or install the template yourself and set setup.enabled: false", t.key, t.pattern())
	}
	return nil
}

// pattern returns what matches every name of the target, for an index template.
func (t *target) pattern() string { return placeholders.ReplaceAllString(t.text, "*") }

// label returns the name of the target's template and policy, which must be in small
// letters: other targets have other labels.
func (t *target) label() string {
	return "aictail-" + strings.ToLower(strings.NewReplacer("{", "", "}", "").Replace(t.text))
}

// of returns the name of the event's index or data stream. It depends on nothing but
// the event.
func (t *target) of(e *aictail.Event) string {
	var r route
	if t.tenant {
		r.tenant = e.Tenant
	}
	if t.source {
		r.source = e.Source
	}
	if t.days {
		seconds := e.Time.Unix()
		if r.day = seconds / secondsPerDay; seconds%secondsPerDay < 0 {
			r.day--
		}
	}
	if t.last != nil && t.last.route == r {
		return t.last.name
	}
	n := t.routes[r]
	if n == nil {
		if len(t.routes) >= maxRoutes {
			clear(t.routes)
		}
		// The event's strings may be parts of a page; a clone does not keep it.
		r.tenant, r.source = strings.Clone(r.tenant), strings.Clone(r.source)
		n = &named{route: r, name: t.expand(r)}
		t.routes[r] = n
	}
	t.last = n
	return n.name
}

func (t *target) expand(r route) string {
	var b strings.Builder
	for _, p := range t.parts {
		switch {
		case p.field == "tenant":
			b.WriteString(cleanValue(r.tenant))
		case p.field == "source":
			b.WriteString(cleanValue(r.source))
		case p.layout != "":
			b.WriteString(time.Unix(r.day*secondsPerDay, 0).UTC().Format(p.layout))
		default:
			b.WriteString(p.literal)
		}
	}
	name := b.String()
	// A placeholder at the beginning can bring what no name begins with.
	if strings.IndexByte("-_.", name[0]) >= 0 {
		name = "x" + name[1:]
	}
	return name
}

// cleanValue makes a value safe as a part of a name. Small letters, digits, '-',
// '_' and '.' stay, capital letters become small and everything else '_'. Values
// that then are the same share an index, in which every document still says
// where it is from. A value that is too long is cut and gets a hash of the whole.
func cleanValue(value string) string {
	if value == "" {
		return unknownValue
	}
	out := make([]byte, 0, min(len(value), maxValue))
	for i := 0; i < len(value) && len(out) < maxValue; i++ {
		c := value[i]
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_', c == '.':
		case c >= 'A' && c <= 'Z':
			c += 'a' - 'A'
		default:
			c = '_'
		}
		out = append(out, c)
	}
	if len(value) > maxValue {
		sum := sha256.Sum256([]byte(value))
		out = append(out[:maxValue-17], '-')
		out = hex.AppendEncode(out, sum[:8])
	}
	return string(out)
}
