package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Diff lists what differs from an older configuration, one line for each key, such
// as "journal.retain: 1h0m0s, was 2h0m0s". Secrets show only that they changed.
func Diff(older, newer *Config) []string {
	var d differ
	d.group("", reflect.ValueOf(older).Elem(), reflect.ValueOf(newer).Elem())
	for _, key := range slices.Sorted(maps.Keys(newer.Authorities)) {
		if was, ok := older.Authorities[key]; ok && was != newer.Authorities[key] {
			d.add(key, "the file has changed")
		}
	}
	return d
}

// differ collects the lines.
type differ []string

func (d *differ) add(path, format string, args ...any) {
	*d = append(*d, path+": "+fmt.Sprintf(format, args...))
}

// group compares two structs of the same type.
func (d *differ) group(path string, a, b reflect.Value) {
	for _, k := range keysOf(a.Type()) {
		d.value(below(path, k.name), a.Field(k.index), b.Field(k.index))
	}
	for _, v := range variantsOf(a.Type()) {
		x, y := a.Field(v.index), b.Field(v.index)
		// Where the types differ, the key "type" has said so.
		if x.Kind() == reflect.Pointer && !x.IsNil() && !y.IsNil() {
			d.group(path, x.Elem(), y.Elem())
		}
	}
}

func (d *differ) value(path string, a, b reflect.Value) {
	switch {
	case a.Type() == reflect.TypeFor[Secret]():
		if !a.Interface().(Secret).Equal(b.Interface().(Secret)) {
			d.add(path, "changed")
		}
	case a.Kind() == reflect.Map && isGroup(a.Type().Elem()):
		d.named(path, a, b)
	case a.Kind() == reflect.Struct && isGroup(a.Type()):
		d.group(path, a, b)
	case !reflect.DeepEqual(a.Interface(), b.Interface()):
		d.add(path, "%s, was %s", shown(b), shown(a))
	}
}

// named compares two maps by name.
func (d *differ) named(path string, a, b reflect.Value) {
	var all []string
	for _, m := range []reflect.Value{a, b} {
		for _, k := range m.MapKeys() {
			all = append(all, k.String())
		}
	}
	slices.Sort(all)
	for _, name := range slices.Compact(all) {
		here, k := below(path, name), reflect.ValueOf(name)
		switch x, y := a.MapIndex(k), b.MapIndex(k); {
		case !x.IsValid():
			d.add(here, "added")
		case !y.IsValid():
			d.add(here, "removed")
		default:
			d.value(here, x, y)
		}
	}
}

// shown prints a value on one line.
func shown(v reflect.Value) string {
	text := fmt.Sprintf("%+v", v.Interface())
	if v.Kind() == reflect.String {
		text = fmt.Sprintf("%q", v.Interface())
	}
	return strings.ReplaceAll(text, "\n", " ")
}
