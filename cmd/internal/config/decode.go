package config

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// decoder fills the structs from a tree whose values are text, nil, lists and
// groups. It reports what does not fit and goes on with the default there.
type decoder struct {
	*collector
	env map[string]string
}

// defaulter is a struct that has defaults of its own.
type defaulter interface{ setDefaults() }

// shortened is a struct that a single value can stand for: that of the field which
// short returns.
type shortened interface{ short() *string }

// typeDefaulter is a struct with defaults that depend on its key "type".
type typeDefaulter interface{ setTypeDefaults(typ string) }

// group fills a struct. Keys that are not there keep their defaults.
func (d *decoder) group(path string, raw any, out reflect.Value) {
	if dflt, ok := out.Addr().Interface().(defaulter); ok {
		dflt.setDefaults()
	}
	if raw == nil {
		raw = map[string]any{}
	}
	tree, ok := raw.(map[string]any)
	if s, may := out.Addr().Interface().(shortened); may && !ok && shape(raw) == "a single value" {
		d.scalar(path, raw, reflect.ValueOf(s.short()).Elem(), key{})
		return
	}
	if !ok {
		d.addBroken(path, "want keys below it, got %s", shape(raw))
		return
	}
	targets := map[string]reflect.Value{}
	keys := keysOf(out.Type())
	for _, k := range keys {
		targets[k.name] = out.Field(k.index)
	}
	if variants := variantsOf(out.Type()); len(variants) > 0 {
		chosen, ok := d.variant(path, tree["type"], variants)
		if !ok {
			return
		}
		inner := reflect.New(chosen.typ)
		if dflt, ok := inner.Interface().(defaulter); ok {
			dflt.setDefaults()
		}
		out.Field(chosen.index).Set(inner)
		if dflt, ok := out.Addr().Interface().(typeDefaulter); ok {
			dflt.setTypeDefaults(chosen.name)
		}
		for _, k := range keysOf(chosen.typ) {
			keys = append(keys, k)
			targets[k.name] = inner.Elem().Field(k.index)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(tree)) {
		here := below(path, name)
		i := slices.IndexFunc(keys, func(k key) bool { return k.name == name })
		switch {
		case i < 0:
			d.unknown(path, name, names(keys), tree)
		case keys[i].unsupported():
			d.addBroken(here, "not supported by this version of aictail; remove it")
		case tree[name] != nil:
			d.value(here, tree[name], targets[name], keys[i])
		case isGroup(keys[i].typ):
			d.value(here, map[string]any{}, targets[name], keys[i])
		}
	}
}

// unknown reports a key that does not exist. The key that was most likely meant is
// not reported as missing as well.
func (d *decoder) unknown(path, name string, known []string, tree map[string]any) {
	here := below(path, name)
	meant := closest(name, known)
	if meant == "" {
		d.addBroken(here, "unknown key; known here: %s", strings.Join(known, ", "))
		return
	}
	d.addBroken(here, "unknown key; did you mean %s?", meant)
	if _, there := tree[meant]; !there {
		d.seen[below(path, meant)] = true
	}
}

// variant finds the variant that the key "type" names. Without one, nothing can be
// said about the other keys.
func (d *decoder) variant(path string, raw any, variants []variant) (variant, bool) {
	var supported []string
	for _, v := range variants {
		if !v.unsupported() {
			supported = append(supported, v.name)
		}
	}
	list := strings.Join(supported, ", ")
	here := below(path, "type")
	var name string
	ok := true
	if raw != nil {
		name, ok = d.text(here, raw)
	}
	i := slices.IndexFunc(variants, func(v variant) bool { return v.name == name })
	switch {
	case !ok:
	case name == "":
		d.add(here, "missing; supported: %s", list)
	case i < 0:
		d.add(here, "unknown type%s; supported: %s", strings.TrimPrefix(d.got(here, name), ", got"), list)
	case variants[i].unsupported():
		d.add(here, "%s is not supported by this version; supported: %s", name, list)
	default:
		return variants[i], true
	}
	d.broken[path] = true
	return variant{}, false
}

// value fills one value of any type. raw is not nil.
func (d *decoder) value(path string, raw any, out reflect.Value, k key) {
	switch {
	case out.Kind() == reflect.Map:
		d.named(path, raw, out, k)
	case isGroup(out.Type()):
		d.group(path, raw, out)
	case out.Kind() == reflect.Slice:
		d.items(path, raw, out)
	default:
		d.scalar(path, raw, out, k)
	}
}

// named fills a map from names to structs, or to values of a key's type.
func (d *decoder) named(path string, raw any, out reflect.Value, k key) {
	tree, ok := raw.(map[string]any)
	if !ok {
		d.addBroken(path, "want names with %s, got %s", map[bool]string{true: "keys below them", false: "their values"}[isGroup(out.Type().Elem())], shape(raw))
		return
	}
	out.Set(reflect.MakeMap(out.Type()))
	for name, child := range tree {
		element := reflect.New(out.Type().Elem()).Elem()
		switch {
		case isGroup(element.Type()):
			d.group(below(path, name), child, element)
		case child == nil:
			d.addBroken(below(path, name), "missing its value: give one, or remove the name")
		default:
			d.value(below(path, name), child, element, k)
		}
		out.SetMapIndex(reflect.ValueOf(name), element)
	}
}

// items fills a slice. In a variable a list is written as a,b or as [a, "b,c"].
func (d *decoder) items(path string, raw any, out reflect.Value) {
	items, ok := raw.([]any)
	if text, isText := raw.(string); isText && d.override(path) != "" {
		var err error
		if items, err = splitList(text); err != nil {
			d.addBroken(path, "%v", err)
			return
		}
	} else if !ok {
		d.addBroken(path, "want a list, such as [a, b], got %s", shape(raw))
		return
	}
	out.Set(reflect.MakeSlice(out.Type(), len(items), len(items)))
	for i, item := range items {
		here := fmt.Sprintf("%s[%d]", path, i)
		if item == nil {
			d.addBroken(here, "the entry is empty: remove it")
			continue
		}
		d.value(here, item, out.Index(i), key{})
	}
}

// splitList reads a list from a variable. The error does not repeat the text.
func splitList(text string) ([]any, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return []any{}, nil
	}
	if !strings.HasPrefix(text, "[") {
		var items []any
		for item := range strings.SplitSeq(text, ",") {
			items = append(items, strings.TrimSpace(item))
		}
		return items, nil
	}
	tree, err := strictYAML{}.Unmarshal([]byte("list: " + text))
	items, ok := tree["list"].([]any)
	if err != nil || !ok || len(tree) != 1 {
		return nil, errors.New("want a list, such as a,b or [a, b]")
	}
	return items, nil
}

// scalar fills a value that is written as text.
func (d *decoder) scalar(path string, raw any, out reflect.Value, k key) {
	text, ok := d.text(path, raw)
	if !ok {
		return
	}
	switch p := out.Addr().Interface().(type) {
	case *Secret:
		*p = NewSecret(text)
	case *string:
		if d.allowed(path, text, k) {
			*p = text
		}
	case *bool:
		assign(d, path, text, p, parseBool)
	case *int:
		assign(d, path, text, p, parseInt)
	case *float64:
		assign(d, path, text, p, parseFloat)
	case *Bytes:
		assign(d, path, text, p, ParseBytes)
	case *time.Duration:
		assign(d, path, text, p, parseDuration)
	default:
		d.add(path, "no value of type %s can be read: this is a mistake in aictail", out.Type())
	}
}

// assign parses text into *out, or reports the parser's error.
func assign[T any](d *decoder, path, text string, out *T, parse func(string) (T, error)) {
	value, err := parse(text)
	if err != nil {
		d.addBroken(path, "%v%s", err, d.got(path, text))
		return
	}
	*out = value
}

func parseBool(text string) (bool, error) {
	if text != "true" && text != "false" {
		return false, errors.New("want true or false")
	}
	return text == "true", nil
}

func parseInt(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, errors.New("want a whole number")
	}
	return n, nil
}

func parseFloat(text string) (float64, error) {
	x, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, errors.New("want a number")
	}
	return x, nil
}

// text returns a value that must be text, with its ${} variables expanded.
func (d *decoder) text(path string, raw any) (string, bool) {
	text, ok := raw.(string)
	if !ok {
		d.addBroken(path, "want a single value, got %s", shape(raw))
		return "", false
	}
	if d.override(path) != "" {
		return text, true
	}
	expanded, names, err := expand(text, d.env)
	if err != nil {
		d.addBroken(path, "%v", err)
		return "", false
	}
	if len(names) > 0 {
		d.references[path] = strings.Join(names, ", ")
		d.written[path] = text
	}
	return expanded, true
}

// allowed checks a text against the values that its key allows.
func (d *decoder) allowed(path, text string, k key) bool {
	if len(k.want) == 0 || slices.Contains(k.want, text) {
		return true
	}
	list := strings.Join(k.want, ", ")
	if slices.Contains(k.later, text) {
		d.addBroken(path, "%s is not supported by this version; supported: %s", text, list)
		return false
	}
	d.addBroken(path, "want %s%s", choice(k.want), d.got(path, text))
	return false
}

// choice lists what is allowed: a, b or c.
func choice(allowed []string) string {
	last := len(allowed) - 1
	if last == 0 {
		return allowed[0]
	}
	return strings.Join(allowed[:last], ", ") + " or " + allowed[last]
}

// shape names what a value is, without showing it.
func shape(raw any) string {
	switch raw.(type) {
	case map[string]any:
		return "keys below it"
	case []any:
		return "a list"
	case nil:
		return "nothing"
	}
	return "a single value"
}
