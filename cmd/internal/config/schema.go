package config

import (
	"reflect"
	"strings"
)

// key is one key of a group, read from the tags of a struct field.
type key struct {
	name  string
	typ   reflect.Type
	index int
	// want lists the allowed values, and later those that only the design has
	// yet; both are empty for a key that takes any value of its type.
	want, later []string
}

func (k key) unsupported() bool { return k.typ == reflect.TypeFor[unsupported]() }

// variant is one of the types that a group with a key "type" can have.
type variant struct {
	name  string
	typ   reflect.Type // what the pointer points to, or unsupported
	index int
}

func (v variant) unsupported() bool { return v.typ == reflect.TypeFor[unsupported]() }

// keysOf returns the keys of a struct, in the order of its fields.
func keysOf(t reflect.Type) []key {
	var keys []key
	for i := range t.NumField() {
		f := t.Field(i)
		if name, ok := f.Tag.Lookup("config"); ok && name != "-" {
			keys = append(keys, key{
				name: name, typ: f.Type, index: i,
				want: alternatives(f.Tag.Get("want")), later: alternatives(f.Tag.Get("later")),
			})
		}
	}
	return keys
}

// variantsOf returns the types that the struct's key "type" chooses from.
func variantsOf(t reflect.Type) []variant {
	var variants []variant
	for i := range t.NumField() {
		f := t.Field(i)
		name, ok := f.Tag.Lookup("type")
		if !ok {
			continue
		}
		typ := f.Type
		if typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		variants = append(variants, variant{name: name, typ: typ, index: i})
	}
	return variants
}

// allKeysOf returns the keys of a struct and of all its variants.
func allKeysOf(t reflect.Type) []key {
	keys := keysOf(t)
	for _, v := range variantsOf(t) {
		keys = append(keys, keysOf(v.typ)...)
	}
	return keys
}

// isGroup says whether values of the type have keys below them.
func isGroup(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Map:
		return true
	case reflect.Struct:
		return t != reflect.TypeFor[Secret]() && t != reflect.TypeFor[unsupported]()
	}
	return false
}

func names(keys []key) []string {
	var out []string
	for _, k := range keys {
		if !k.unsupported() {
			out = append(out, k.name)
		}
	}
	return out
}

func alternatives(tag string) []string {
	if tag == "" {
		return nil
	}
	return strings.Split(tag, "|")
}
