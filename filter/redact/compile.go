package redact

import (
	"fmt"
	"maps"
	"slices"
)

// Set is a compiled configuration. It is immutable and may be shared.
type Set struct {
	// detectors are those of the table and then one for each own rule.
	detectors []detector
	keys      *Keyring
	// variants holds what applies to the sources that rules name, rest to all others,
	// and unknown to entries without a source.
	variants      map[string]*variant
	rest, unknown *variant
	// secretRule stands for the names of secrets where an own rule could stand.
	secretRule *ownRule
	warnings   []Problem
}

// variant is what applies to one source.
type variant struct {
	base *plan
	root *state   // nil if no rule names a field
	keys *ownKeys // nil if no rule names a key
	// secrets is whether the names of secrets count.
	secrets bool
}

// New compiles the configuration. It returns nil if nothing is to be redacted. The
// error is *Problems.
func New(config Config) (*Set, error) {
	s := &Set{detectors: table(), keys: config.Keys}
	c := &checker{detectors: s.detectors, hasKeys: config.Keys != nil}
	level := c.presets(config.Rules)
	var rules []ownRule
	for i, r := range config.Rules {
		if r.Preset == "" {
			rules = append(rules, c.rule(fmt.Sprintf("[%d]", i), r))
		}
	}
	if len(c.problems) > 0 {
		return nil, &Problems{List: c.problems}
	}
	c.presetWarnings(config, level)
	c.shadowed(rules)
	s.warnings = c.warnings
	if level == presetOff && len(rules) == 0 {
		return nil, nil
	}
	if level == presetGDPR {
		rules = append(rules, gdprRules(c.hasKeys)...)
	}
	s.build(rules, level)
	return s, nil
}

// Warnings are about rules that are valid and probably not what was meant.
func (s *Set) Warnings() []Problem {
	if s == nil {
		return nil
	}
	return s.warnings
}

// Rules returns the names of the rules, in the order of Redactor.Counts; own rules may
// share one. Detectors that are not in use are named too: they count 0.
func (s *Set) Rules() []string {
	names := make([]string, len(s.detectors))
	for i := range s.detectors {
		names[i] = s.detectors[i].name
	}
	return names
}

func (s *Set) build(rules []ownRule, level preset) {
	s.secretRule = &ownRule{kind: byKey, action: Mask, place: detectSecretKey}
	names := newOwnKeys()
	sources := map[string]bool{}
	for i := range rules {
		r := &rules[i]
		for _, key := range r.keys {
			names.add(key, r)
		}
		for _, source := range slices.Concat(r.sources, r.except) {
			sources[source] = true
		}
		if r.kind == byDetector {
			continue // counted by the detectors
		}
		r.place = len(s.detectors)
		d := detector{name: r.name, marker: markerOpen + r.name + "]", pattern: r.pattern}
		s.detectors = append(s.detectors, d)
	}
	compile := func(source string) *variant {
		b := builder{set: s, level: level}
		for i := range rules {
			if rules[i].appliesTo(source) {
				b.rules = append(b.rules, &rules[i])
			}
		}
		return b.variant()
	}
	s.variants = map[string]*variant{}
	for source := range maps.Keys(sources) {
		s.variants[source] = compile(source)
	}
	s.unknown = compile("")
	s.rest = compile("\x00") // no source is called that
}

// variantOf returns what applies to a source.
func (s *Set) variantOf(source string) *variant {
	if source == "" {
		return s.unknown
	}
	if v, ok := s.variants[source]; ok {
		return v
	}
	return s.rest
}

// builder compiles what applies to one source.
type builder struct {
	set   *Set
	level preset
	rules []*ownRule // that apply to it, in their order
	keys  *ownKeys
	plans map[string]*plan // by the rules that narrow detection down
}

func (b *builder) variant() *variant {
	b.plans = map[string]*plan{}
	var start []position
	for _, r := range b.rules {
		for _, steps := range r.fields {
			start = append(start, position{r, steps})
		}
		for _, key := range r.keys {
			if b.keys == nil {
				b.keys = newOwnKeys()
			}
			b.keys.add(key, r)
		}
	}
	return &variant{base: b.plan(nil), root: buildState(start, b.plan), keys: b.keys, secrets: b.level >= presetSecrets}
}

// plan makes the plan for a place at which these rules narrow detection down.
func (b *builder) plan(scoped []*ownRule) *plan {
	id := ""
	for _, r := range b.rules {
		if slices.Contains(scoped, r) {
			id += r.key + ","
		}
	}
	if p, ok := b.plans[id]; ok {
		return p
	}
	p := newPlan(b.set.detectors)
	decided := make([]bool, len(b.set.detectors))
	use := func(k int, a Action) {
		if decided[k] {
			return
		}
		decided[k] = true
		if a != Keep && a != none {
			p.add(k, a)
		}
	}
	for _, r := range b.rules {
		if len(r.fields) > 0 && !slices.Contains(scoped, r) {
			continue
		}
		switch r.kind {
		case byDetector:
			for _, k := range r.detect {
				use(k, r.action)
			}
		case byKey:
			d := &p.detectors[r.place]
			d.triggers, d.find = "=:%\\", b.keys.inText(r)
			use(r.place, r.action)
		case byPattern:
			use(r.place, r.action)
		}
	}
	for k := range table() {
		use(k, b.set.detectors[k].byPreset(b.level, b.set.keys != nil))
	}
	p.seal()
	b.plans[id] = p
	return p
}
