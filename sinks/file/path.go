package file

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"aictail"
)

const (
	// maxValue bounds a value in a path, in bytes: two values of 80, a date, a
	// hash each and the suffix of a rotated file fit into the 255 bytes that
	// file systems allow for a name.
	maxValue = 80
	// secondsPerDay turns a time into a day of UTC.
	secondsPerDay = 24 * 60 * 60
	// unknownValue stands for an empty tenant or source.
	unknownValue = "unknown"
	// valuePattern matches every cleaned value and every date.
	valuePattern = `[A-Za-z0-9._~-]+`
	// stampLayout is the time in the name of a rotated file, in UTC.
	stampLayout = "20060102T150405Z"
)

// rotatedEnd finds values that would make a file look like a rotated one.
var rotatedEnd = regexp.MustCompile(`\d{8}T\d{6}Z(-\d+)?$`)

// template is a path with {tenant}, {source} and {date}.
type template struct {
	parts  []part
	tenant bool
	source bool
	date   bool

	// ext is the literal extension, with its dot; a rotated file keeps it.
	ext string
	// root is the deepest folder without placeholders; the folders below it are
	// the sink's own.
	root string
	// levels are the path's elements below root.
	levels []level
	// whole matches every path that the template can produce.
	whole *regexp.Regexp
	// rotated matches the names of rotated files: stem, time, number,
	// compression, temporary.
	rotated *regexp.Regexp
}

// part is literal text or, if literal is "", a field.
type part struct{ literal, field string }

// level is one element of the path: literal text, or a pattern where it has
// placeholders.
type level struct {
	literal string
	pattern *regexp.Regexp
}

// routeKey is what decides an event's file. Fields that the template does not
// use are zero, so that all their values share one key.
type routeKey struct {
	tenant, source string
	day            int64
}

// parseTemplate reads and checks a path template. Relative paths are taken from
// the working directory of now.
func parseTemplate(path string) (*template, error) {
	switch {
	case path == "":
		return nil, errors.New("path: missing; give a file such as /var/log/aictail/{tenant}/{source}.ndjson")
	case !utf8.ValidString(path) || strings.ContainsRune(path, 0):
		return nil, errors.New("path: is not plain UTF-8 text")
	case strings.HasSuffix(path, string(filepath.Separator)):
		return nil, fmt.Errorf("path: %q is a folder; add a file name such as {source}.ndjson", path)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("path: %w", err)
	}
	t := &template{}
	if t.parts, err = splitParts(abs); err != nil {
		return nil, err
	}
	for _, p := range t.parts {
		t.tenant = t.tenant || p.field == "tenant"
		t.source = t.source || p.field == "source"
		t.date = t.date || p.field == "date"
	}
	return t, t.compile(abs)
}

func splitParts(path string) ([]part, error) {
	var parts []part
	for path != "" {
		open := strings.IndexAny(path, "{}")
		if open < 0 {
			return append(parts, part{literal: path}), nil
		}
		end := strings.IndexByte(path[open:], '}')
		if path[open] == '}' || end < 0 {
			return nil, fmt.Errorf("path: a brace without its partner near %q", path[open:])
		}
		if open > 0 {
			parts = append(parts, part{literal: path[:open]})
		}
		name := path[open+1 : open+end]
		switch name {
		case "tenant", "source", "date":
			parts = append(parts, part{field: name})
		default:
			return nil, fmt.Errorf("path: unknown placeholder {%s}; known are {tenant}, {source} and {date}", name)
		}
		path = path[open+end+1:]
	}
	return parts, nil
}

// compile derives from the checked path what rotation and recovery need.
func (t *template) compile(abs string) error {
	name := filepath.Base(abs)
	if ext := filepath.Ext(name); ext != name && !strings.Contains(ext, "{") {
		t.ext = ext
	}
	t.root = filepath.Dir(abs)
	for strings.Contains(t.root, "{") {
		t.root = filepath.Dir(t.root)
	}
	rest, err := filepath.Rel(t.root, abs)
	if err != nil {
		return fmt.Errorf("path: %w", err)
	}
	for _, element := range strings.Split(rest, string(filepath.Separator)) {
		l := level{literal: element}
		if strings.Contains(element, "{") {
			if l.pattern, err = regexp.Compile("^" + pattern(element) + "$"); err != nil {
				return fmt.Errorf("path: %w", err)
			}
		}
		t.levels = append(t.levels, l)
	}
	if t.whole, err = regexp.Compile("^" + pattern(abs) + "$"); err != nil {
		return fmt.Errorf("path: %w", err)
	}
	t.rotated, err = regexp.Compile("^(" + pattern(strings.TrimSuffix(name, t.ext)) + `)-(\d{8}T\d{6}Z)(?:-(\d+))?` +
		regexp.QuoteMeta(t.ext) + `(\.gz|\.zst)?(\.tmp)?$`)
	if err != nil {
		return fmt.Errorf("path: %w", err)
	}
	return nil
}

// pattern turns template text, whose placeholders were checked, into a regular
// expression.
func pattern(text string) string {
	var b strings.Builder
	for text != "" {
		open := strings.IndexByte(text, '{')
		if open < 0 {
			break
		}
		b.WriteString(regexp.QuoteMeta(text[:open]))
		b.WriteString(valuePattern)
		text = text[open+strings.IndexByte(text[open:], '}')+1:]
	}
	b.WriteString(regexp.QuoteMeta(text))
	return b.String()
}

// key returns what decides the event's file. It does not allocate; its strings
// are the event's.
func (t *template) key(e *aictail.Event) routeKey {
	var k routeKey
	if t.tenant {
		k.tenant = e.Tenant
	}
	if t.source {
		k.source = e.Source
	}
	if t.date {
		seconds := e.Time.Unix()
		k.day = seconds / secondsPerDay
		if seconds%secondsPerDay < 0 {
			k.day--
		}
	}
	return k
}

// expand returns the path for a key.
func (t *template) expand(k routeKey) string {
	var b strings.Builder
	for _, p := range t.parts {
		switch p.field {
		case "tenant":
			b.WriteString(cleanValue(k.tenant))
		case "source":
			b.WriteString(cleanValue(k.source))
		case "date":
			b.WriteString(time.Unix(k.day*secondsPerDay, 0).UTC().Format(time.DateOnly))
		default:
			b.WriteString(p.literal)
		}
	}
	return b.String()
}

// cleanValue makes a value safe as a part of a path. Letters, digits, '-', '_'
// and '.' stay; everything else and a leading dot become '_', so no value can
// name another folder or hide a file. A value that had to be changed or
// shortened gets '~' and a hash of the original: as '~' is never kept, it can't
// meet an unchanged value, and two changed values meet only if their hashes do.
// The one deliberate meeting is of the empty value and "unknown". Values that
// meet share a file, in which every line still carries its own source.
func cleanValue(value string) string {
	if value == "" {
		return unknownValue
	}
	out := make([]byte, 0, min(len(value), maxValue))
	for i, r := range value {
		if len(out) == maxValue {
			break
		}
		if isPlain(r) && (i > 0 || r != '.') {
			out = append(out, byte(r))
		} else {
			out = append(out, '_')
		}
	}
	if string(out) == value && !rotatedEnd.MatchString(value) {
		return value
	}
	sum := sha256.Sum256([]byte(value))
	return string(out) + "~" + hex.EncodeToString(sum[:4])
}

func isPlain(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.'
}
