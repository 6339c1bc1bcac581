package config

import (
	"errors"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"aictail/filter/query"
)

// query checks a text in the language of queries; it returns nil if it is wrong.
func (v *validator) query(key, text string) *query.Query {
	q, err := query.Compile(text)
	if err == nil {
		return q
	}
	wrong, ok := errors.AsType[*query.Error](err)
	if ok && v.origin(key) != "" {
		// The remedy may repeat what is not to be shown.
		v.add(key, "column %d: %s", wrong.Column, wrong.What)
		return nil
	}
	v.add(key, "%v", err)
	return nil
}

// queryFilter checks what is sent to the tenant, which answers some mistakes with an
// error that says nothing.
func (v *validator) queryFilter(key, text string) {
	if text == "" {
		return
	}
	if strings.ContainsFunc(text, unicode.IsControl) {
		v.add(key, "has a line break or other control character in it: write it on one line")
		return
	}
	q := v.query(key, text)
	if q == nil {
		return
	}
	if value, known := q.Constant(); known && !value {
		v.warn(key, "is false for every entry: nothing is fetched")
	} else if known {
		v.warn(key, "is true for every entry: it has no effect")
	}
	if pointer := q.Indexed(); pointer != "" && v.origin(key) == "" {
		v.warn(key, "the tenant finds no element of an array by its number: leave the number out of "+pointer)
	}
}

// where checks what a sink gets.
func (v *validator) where(key, text string) {
	if text == "" {
		return
	}
	q := v.query(key, text)
	if q == nil {
		return
	}
	if value, known := q.Constant(); known && !value {
		v.warn(key, "is false for every event: the sink gets nothing")
	} else if known {
		v.warn(key, "is true for every event: it has no effect")
	}
}

// drops checks the rules that drop events.
func (v *validator) drops(cfg *Config) {
	labels := map[string]string{}
	first := map[string]string{}
	for i, rule := range cfg.Filter.Drop {
		key := "filter.drop[" + strconv.Itoa(i) + "]"
		v.label(key, rule.Name, labels)
		when := below(key, "when")
		if rule.Name == "" && v.references[when] == "" {
			when = key // most likely it stands there alone
		}
		v.rule(when, rule.When, "drop", first)
	}
	first = map[string]string{}
	for i, rule := range cfg.Filter.Sample {
		key := "filter.sample[" + strconv.Itoa(i) + "]"
		v.label(key, rule.Name, labels)
		v.rule(below(key, "when"), rule.When, "sample", first)
		if !(rule.Keep > 0 && rule.Keep < 1) {
			v.add(below(key, "keep"), "want the share that is kept, more than 0 and less than 1, such as 0.01; to keep nothing, use drop")
		}
	}
	v.levels(cfg)
}

// label checks the name of a rule: it becomes a label beside those that rules have
// without one.
func (v *validator) label(key, name string, taken map[string]string) {
	switch other, twice := taken[name]; {
	case name == "":
		return
	case !regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`).MatchString(name):
		v.add(below(key, "name"), "want 1 to 63 characters of a-z, 0-9, - and _, beginning with a letter or digit")
	case name == "noise" || name == "level":
		v.add(below(key, "name"), "the name is that of a rule which is always there: choose another one")
	case twice:
		v.add(below(key, "name"), "the same as that of %s: choose another one", other)
	default:
		taken[name] = key
	}
}

// rule checks the query of a rule. In first are those before it.
func (v *validator) rule(key, text, verb string, first map[string]string) {
	if strings.TrimSpace(text) == "" {
		if !v.reportedBelow(key) {
			v.add(key, `missing or empty: want a query, such as '/payload/level eq "DEBUG"'`)
		}
		return
	}
	q := v.query(key, text)
	if q == nil {
		return
	}
	value, known := q.Constant()
	other, twice := first[q.String()]
	all, shadowed := first["true"]
	switch {
	case known && !value:
		v.warn(key, "is false for every event: the rule has no effect")
	case twice:
		v.warn(key, "is the same as "+other+", which comes first: the rule has no effect")
	case shadowed:
		v.warn(key, "comes after "+all+", which is true for every event: the rule has no effect")
	case known && verb == "drop":
		v.warn(key, "is true for every event: no sink gets anything")
	}
	form := q.String()
	if known && value {
		form = "true"
	}
	if first[form] == "" {
		first[form] = key
	}
}

// levels checks for which sources a least level is set.
func (v *validator) levels(cfg *Config) {
	const path = "filter.levels"
	var sources []string
	discover := false
	for _, t := range cfg.Tenants {
		sources = append(sources, t.names()...)
		discover = discover || t.Discover()
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Filter.Levels)) {
		key := below(path, name)
		if v.created[key] != "" && !slices.Contains(sources, name) {
			// The name of a variable does not keep the - that is in every source's.
			source := strings.ReplaceAll(name, "_", "-")
			cfg.Filter.Levels[source] = cfg.Filter.Levels[name]
			if source != name {
				delete(cfg.Filter.Levels, name)
				v.move(key, below(path, source))
			}
			name, key = source, below(path, source)
		}
		switch {
		case !isSource(name) || name == "all" || strings.HasSuffix(name, "-everything"):
			v.add(key, "want the name of a single source, such as am-core")
		case discover || slices.Contains(sources, name) || slices.Contains(sources, collective(name)):
		default:
			msg := "no tenant reads this source: the level has no effect"
			if meant := closest(name, sources); meant != "" {
				msg += "; did you mean " + meant + "?"
			}
			v.warn(key, msg)
		}
	}
}
