package redact

import (
	"fmt"
	"slices"
)

// shadowed warns of rules that have no effect because an earlier one has handled the
// same before.
func (c *checker) shadowed(rules []ownRule) {
	for j := range rules {
		for i := range j {
			if early, late := &rules[i], &rules[j]; early.coversSources(late) {
				c.overlap(early, late)
			}
		}
	}
	for i := range rules {
		for j := range rules {
			if whole, in := &rules[i], &rules[j]; whole.kind == byField && in.kind != byField && whole.action != Keep && whole.coversSources(in) {
				c.inside(whole, in)
			}
		}
	}
}

// coversSources reports whether the rule applies wherever the other one does.
func (r *ownRule) coversSources(other *ownRule) bool {
	return len(r.sources)+len(r.except) == 0 || slices.Equal(r.sources, other.sources) && slices.Equal(r.except, other.except)
}

func (c *checker) overlap(early, late *ownRule) {
	if early.kind != late.kind {
		return
	}
	switch late.kind {
	case byField:
		for n, steps := range late.fields {
			if slices.ContainsFunc(early.fields, func(e []string) bool { return len(e) == len(steps) && isAbove(e, steps) }) {
				c.shadow(fmt.Sprintf("%s.fields[%d]", late.key, n), early)
			}
		}
	case byKey:
		for n, key := range late.keys {
			if slices.Contains(early.keys, key) {
				c.shadow(fmt.Sprintf("%s.keys[%d]", late.key, n), early)
			}
		}
	case byDetector:
		if !early.coversFields(late) {
			return
		}
		for _, k := range late.detect {
			if slices.Contains(early.detect, k) {
				c.warn(late.key+".detect", "has no effect for %s: rule %s has handled it before", c.detectors[k].name, early.key)
			}
		}
	case byPattern:
		if early.pattern.re.String() == late.pattern.re.String() && early.coversFields(late) {
			c.shadow(late.key+".pattern", early)
		}
	}
}

func (c *checker) shadow(key string, early *ownRule) {
	c.warn(key, "has no effect: rule %s has handled it before", early.key)
}

// inside warns of a rule that looks into a field which another one replaces.
func (c *checker) inside(whole, in *ownRule) {
	for n, steps := range in.fields {
		if slices.ContainsFunc(whole.fields, func(w []string) bool { return isAbove(w, steps) }) {
			c.warn(fmt.Sprintf("%s.fields[%d]", in.key, n), "has no effect: rule %s replaces the whole field", whole.key)
		}
	}
}

// coversFields reports whether the rule looks everywhere where the other one does.
func (r *ownRule) coversFields(other *ownRule) bool {
	if len(r.fields) == 0 {
		return true
	}
	return len(other.fields) > 0 && !slices.ContainsFunc(other.fields, func(o []string) bool {
		return !slices.ContainsFunc(r.fields, func(f []string) bool { return isAbove(f, o) })
	})
}

// isAbove reports whether the pointer a leads to the same place as b or to one above.
func isAbove(a, b []string) bool {
	if len(a) > len(b) {
		return false
	}
	for i := range a {
		if a[i] != anyStep && a[i] != b[i] {
			return false
		}
	}
	return true
}

// presetWarnings warns of presets that do less than they seem to.
func (c *checker) presetWarnings(config Config, level preset) {
	for i, r := range config.Rules {
		if p, ok := parsePreset(r.Preset); ok && p < level {
			c.warn(fmt.Sprintf("[%d].preset", i), "has no effect: a stricter preset is there, too")
		}
	}
	if level == presetGDPR && !c.hasKeys {
		c.warn("", "the preset gdpr masks user ids, so that one user's events cannot be found any more: with filter.hash_key_file they are hashed instead")
	}
}
