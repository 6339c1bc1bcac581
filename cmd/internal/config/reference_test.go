package config

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const referenceFile = "../../../docs/configuration-reference.md"

// TestReference holds docs/configuration-reference.md to the code: its tables are made
// of the tags, the defaults and the comments of this package. -update writes it.
func TestReference(t *testing.T) {
	r := &reference{t: t, docs: fieldComments(t)}
	r.group("", "", reflect.ValueOf(withDefaults(Config{})))
	text := `# Configuration reference

Every key with its default. This page is made of the code: ` + "`go test ./cmd/internal/config -update`" + ` writes it.
[config.example.yaml](../config.example.yaml) shows the keys in their places, and [configuration.md](configuration.md) says how a
value gets there.

Types: *text*; *secret*, a text that is never shown; *list* of texts; *duration*, such as 300ms, 30s or 24h; *size*, such as 64KiB or
512MiB; *number*; *true or false*; *names*, where you choose the keys below. ` + "`NAME`" + ` stands for a name of yours, ` + "`[]`" + ` for an
entry of a list.
` + r.b.String()
	if *update {
		if err := os.WriteFile(referenceFile, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(referenceFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), text); diff != "" {
		t.Errorf("docs/configuration-reference.md is stale: go test ./cmd/internal/config -update (-file +code)\n%s", diff)
	}
}

// withDefaults returns a struct with its defaults.
func withDefaults[T any](v T) T {
	if d, ok := any(&v).(defaulter); ok {
		d.setDefaults()
	}
	return v
}

// reference writes the page.
type reference struct {
	t    *testing.T
	docs map[string]map[string]string
	b    strings.Builder
}

// section is a group whose table follows that of the one above it.
type section struct {
	path, title string
	value       reflect.Value
}

// group writes the table of a struct that holds defaults, and then those below it.
func (r *reference) group(path, title string, v reflect.Value) {
	r.table(path, title, v, keysOf(v.Type()))
	for _, s := range r.below(path, v) {
		r.group(s.path, s.title, s.value)
	}
	for _, variant := range variantsOf(v.Type()) {
		inner := reflect.New(variant.typ)
		if d, ok := inner.Interface().(defaulter); ok {
			d.setDefaults()
		}
		r.group(path, fmt.Sprintf("`%s` with `type: %s`", path, variant.name), inner.Elem())
	}
}

func (r *reference) table(path, title string, v reflect.Value, keys []key) {
	if path != "" {
		if title == "" {
			title = "`" + path + "`"
		}
		fmt.Fprintf(&r.b, "\n## %s\n", title)
	}
	r.b.WriteString("\n| key | type | default | values | meaning |\n|---|---|---|---|---|\n")
	for _, k := range keys {
		field := v.Type().Field(k.index)
		meaning := r.meaning(v.Type(), field.Name)
		fmt.Fprintf(&r.b, "| `%s` | %s | %s | %s | %s |\n", k.name, kindOf(k.typ), r.standard(path, meaning, v.Field(k.index), k), strings.Join(k.want, ", "), meaning)
	}
}

// below returns the groups in a struct, with their defaults.
func (r *reference) below(path string, v reflect.Value) []section {
	var out []section
	for _, k := range keysOf(v.Type()) {
		here := below(path, k.name)
		switch {
		case k.typ.Kind() == reflect.Slice && isGroup(k.typ.Elem()):
			out = append(out, section{path: here + "[]", value: reflect.New(k.typ.Elem()).Elem()})
		case k.typ.Kind() == reflect.Map && isGroup(k.typ.Elem()):
			inner := reflect.New(k.typ.Elem())
			if d, ok := inner.Interface().(defaulter); ok {
				d.setDefaults()
			}
			out = append(out, section{path: here + ".NAME", value: inner.Elem()})
		case k.typ.Kind() == reflect.Struct && isGroup(k.typ):
			s := section{path: here, value: v.Field(k.index)}
			for _, variant := range variantsOf(reflect.TypeFor[Sink]()) {
				if variant.typ == v.Type() { // the types share the names of groups
					s.title = fmt.Sprintf("`%s` with `type: %s`", here, variant.name)
				}
			}
			out = append(out, s)
		}
	}
	return out
}

// kindOf names a type for people.
func kindOf(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[Secret]():
		return "secret"
	case reflect.TypeFor[time.Duration]():
		return "duration"
	case reflect.TypeFor[Bytes]():
		return "size"
	}
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Float64:
		return "number"
	case reflect.Slice:
		return "list"
	case reflect.Map:
		return "names"
	}
	return "keys"
}

// standard returns a key's default.
func (r *reference) standard(path, meaning string, v reflect.Value, k key) string {
	switch {
	case regexp.MustCompile(`(?i)\brequired\b`).MatchString(meaning):
		return "required"
	case strings.HasPrefix(path, "tenants.NAME.source_options"):
		return "the tenant's"
	case path == "sinks.NAME.batch" || path == "sinks.NAME.dead_letters":
		return r.byType(k, path[strings.LastIndex(path, ".")+1:])
	case k.name == "redact":
		return "`[{preset: default}]`"
	}
	return shownDefault(v)
}

// byType returns a default that depends on the type of sink.
func (r *reference) byType(k key, group string) string {
	values := map[string][]string{}
	for _, variant := range variantsOf(reflect.TypeFor[Sink]()) {
		var s Sink
		s.setTypeDefaults(variant.name)
		v := reflect.ValueOf(s.Batch)
		if group == "dead_letters" {
			v = reflect.ValueOf(s.DeadLetters)
		}
		shown := shownDefault(v.Field(k.index))
		values[shown] = append(values[shown], variant.name)
	}
	var parts []string
	for shown, types := range values {
		if len(values) == 1 {
			return shown
		}
		parts = append(parts, shown+" ("+strings.Join(types, ", ")+")")
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

func shownDefault(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case time.Duration:
		return "`" + shortly(x) + "`"
	case Secret:
		return ""
	}
	switch v.Kind() {
	case reflect.Struct, reflect.Slice, reflect.Map:
		return ""
	}
	text := fmt.Sprint(v.Interface())
	if text == "" {
		return ""
	}
	return "`" + text + "`"
}

// meaning returns what the field's comment says of its key.
func (r *reference) meaning(t reflect.Type, field string) string {
	text := r.docs[t.Name()][field]
	if text == "" {
		r.t.Errorf("%s.%s has no comment: it is what the reference says of the key", t.Name(), field)
	}
	for i := range t.NumField() {
		f := t.Field(i)
		if name, ok := f.Tag.Lookup("config"); ok && name != "-" {
			text = regexp.MustCompile(`\b`+f.Name+`\b`).ReplaceAllString(text, "`"+name+"`")
		}
	}
	// The table has the key beside it.
	own := "`" + keyOf(t, field) + "` "
	for _, beginning := range []string{own + "is ", own + "are ", own} {
		if rest, ok := strings.CutPrefix(text, beginning); ok {
			text = strings.ToUpper(rest[:1]) + rest[1:]
			break
		}
	}
	return strings.ReplaceAll(text, "|", `\|`)
}

func keyOf(t reflect.Type, field string) string {
	f, _ := t.FieldByName(field)
	return f.Tag.Get("config")
}

// fieldComments returns the first paragraph of the comment of every field, by struct.
func fieldComments(t *testing.T) map[string]map[string]string {
	t.Helper()
	docs := map[string]map[string]string{}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok {
				if s, ok := spec.Type.(*ast.StructType); ok {
					docs[spec.Name.Name] = commentsOf(s)
				}
			}
			return true
		})
	}
	return docs
}

func commentsOf(s *ast.StructType) map[string]string {
	comments := map[string]string{}
	for _, f := range s.Fields.List {
		first, _, _ := strings.Cut(f.Doc.Text(), "\n\n")
		for _, name := range f.Names {
			comments[name.Name] = strings.Join(strings.Fields(first), " ")
		}
	}
	return comments
}
