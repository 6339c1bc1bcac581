package redact

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// checker turns rules into checked ones and collects what is wrong with them.
type checker struct {
	detectors []detector
	hasKeys   bool
	problems  []Problem
	warnings  []Problem
}

func (c *checker) add(key, format string, args ...any) {
	c.problems = append(c.problems, Problem{Key: key, Msg: fmt.Sprintf(format, args...)})
}

func (c *checker) warn(key, format string, args ...any) {
	c.warnings = append(c.warnings, Problem{Key: key, Msg: fmt.Sprintf(format, args...)})
}

// presets returns the strictest of the presets.
func (c *checker) presets(rules []Rule) preset {
	strictest, named := presetOff, false
	var off string
	for i, r := range rules {
		if r.Preset == "" {
			continue
		}
		here := fmt.Sprintf("[%d]", i)
		p, ok := parsePreset(r.Preset)
		if !ok {
			c.add(here+".preset", "want one of %s, got %q", strings.Join([]string{PresetGDPR, PresetDefault, PresetSecrets, PresetOff}, ", "), r.Preset)
		}
		r.Preset = ""
		if !isEmpty(r) {
			c.add(here, "a preset stands alone: put the other keys into a rule of their own")
		}
		if p == presetOff {
			off = here
		}
		strictest, named = max(strictest, p), true
	}
	if off != "" && strictest > presetOff {
		c.add(off+".preset", "off beside another preset: remove one of them")
	}
	if !named {
		return presetDefault
	}
	return strictest
}

func isEmpty(r Rule) bool {
	return len(r.Fields)+len(r.Keys)+len(r.Detect)+len(r.Sources)+len(r.Except) == 0 &&
		r.Pattern+r.Accept+r.Example+r.Name+r.Action == ""
}

// rule checks a rule that is not a preset.
func (c *checker) rule(here string, r Rule) ownRule {
	own := ownRule{key: here, name: r.Name, sources: r.Sources, except: r.Except}
	before := len(c.problems)
	c.kind(&own, r)
	action, err := parseAction(r.Action)
	if err != nil {
		c.add(here+".action", "%v", err)
	}
	own.action = action
	if r.Name != "" && !regexp.MustCompile(`^[a-z][a-z0-9_-]{0,31}$`).MatchString(r.Name) {
		c.add(here+".name", "want 1 to %d characters of a-z, 0-9, _ and -, beginning with a letter", maxMarkerName)
	}
	if len(r.Sources) > 0 && len(r.Except) > 0 {
		c.add(here+".except", "set together with sources: remove one of them")
	}
	for i, pointer := range r.Fields {
		steps, err := splitPointer(pointer)
		if err != nil {
			c.add(fmt.Sprintf("%s.fields[%d]", here, i), "%v", err)
			continue
		}
		own.fields = append(own.fields, steps)
	}
	c.keyNames(&own, r)
	c.detectNames(&own, r)
	c.pattern(&own, r)
	if len(c.problems) == before {
		c.action(&own)
	}
	return own
}

// kind finds out by what the rule chooses.
func (c *checker) kind(own *ownRule, r Rule) {
	chosen := 0
	for k, set := range []bool{byField: len(r.Fields) > 0, byKey: len(r.Keys) > 0, byDetector: len(r.Detect) > 0, byPattern: r.Pattern != ""} {
		if !set {
			continue
		}
		if own.kind = kind(k); own.kind != byField {
			chosen++
		}
	}
	switch {
	case chosen > 1:
		c.add(own.key, "keys, detect and pattern exclude each other: make a rule of each")
	case chosen == 0 && len(r.Fields) == 0:
		c.add(own.key, "chooses nothing: want preset, fields, keys, detect or pattern")
	case own.kind == byKey && len(r.Fields) > 0:
		c.add(own.key+".fields", "has no effect beside keys: name the field's whole path in fields instead")
	}
	if own.name == "" {
		own.name = [...]string{byField: "field", byKey: "key", byDetector: "", byPattern: "pattern"}[own.kind]
	}
}

func (c *checker) keyNames(own *ownRule, r Rule) {
	for i, name := range r.Keys {
		folded := foldName(name)
		if len(folded) < 2 || len(folded) > maxName || strings.ContainsAny(name, "/*") {
			c.add(fmt.Sprintf("%s.keys[%d]", own.key, i), "want the name of a member, 2 to %d characters, without a path", maxName)
			continue
		}
		own.keys = append(own.keys, folded)
	}
}

// detectNames resolves the names of detectors and of groups.
func (c *checker) detectNames(own *ownRule, r Rule) {
	for i, name := range r.Detect {
		found := c.detectorsOf(name)
		if len(found) == 0 {
			c.add(fmt.Sprintf("%s.detect[%d]", own.key, i), "there is no detector %q; there are %s", name, strings.Join(detectNames(), ", "))
		}
		own.detect = append(own.detect, found...)
	}
	if len(r.Detect) > 0 && r.Name != "" {
		c.add(own.key+".name", "detectors have names of their own: remove it")
	}
}

// detectorsOf returns the detectors of a name. Secrets by name are no choice: they are
// masked by every preset but off.
func (c *checker) detectorsOf(name string) []int {
	var found []int
	for k, d := range c.detectors {
		if k != detectSecretKey && k != detectSecretText && (d.name == name || "["+"redacted:"+name+"]" == d.marker && d.group == gdpr) {
			found = append(found, k)
		}
	}
	return found
}

// detectNames lists what may stand in detect.
func detectNames() []string {
	var names []string
	for _, d := range table()[detectSecretText+1:] {
		names = append(names, d.name)
	}
	return append(names, "ip", "national_id")
}

func (c *checker) pattern(own *ownRule, r Rule) {
	if r.Pattern == "" {
		if r.Accept != "" {
			c.add(own.key+".accept", "is for pattern alone: remove it")
		}
		if r.Example != "" {
			c.add(own.key+".example", "is for pattern alone: remove it")
		}
		return
	}
	p, err := compilePattern(r.Pattern, r.Accept)
	if err != nil {
		key := ".pattern"
		if errors.Is(err, errAccept) {
			key = ".accept"
		}
		c.add(own.key+key, "%v", err)
		return
	}
	own.pattern = p
	if r.Example == "" {
		c.warn(own.key+".example", "missing: give a text in which the pattern must find something, so that a mistake in it shows here")
	} else if len(p.find([]byte(r.Example))) == 0 {
		c.add(own.key+".example", "the pattern finds nothing in it, or accept refuses what it finds")
	}
	if len(p.literal) == 0 {
		c.warn(own.key+".pattern", "has no fixed text in it by which strings without a match could be told quickly: every string is searched by it, which takes time")
	}
}

// action checks whether the action can be done.
func (c *checker) action(own *ownRule) {
	here := own.key + ".action"
	if own.action.needsKey() && !c.hasKeys {
		c.add(here, "%v needs a key: set filter.hash_key_file", own.action)
	}
	switch own.kind {
	case byDetector:
		for _, k := range own.detect {
			if d := &c.detectors[k]; !d.offers(own.action) {
				c.add(here, "%v is not possible for %s%s", own.action, d.name, c.offering(own.action))
				return
			}
		}
		return
	case byField, byKey:
		if own.action != Partial && own.action != Keep {
			break
		}
		for _, name := range own.lastNames() {
			if isSecretKey([]byte(name)) {
				c.add(here, "%v is not possible for %s: the name is that of a secret; use mask, remove or hash", own.action, name)
				return
			}
		}
	case byPattern:
		if own.action == Keep {
			c.add(here, "keep is not possible for a pattern: use except or sources")
		}
	}
	if own.action == Truncate {
		c.add(here, "truncate is for IP addresses: add detect: [ipv4, ipv6]")
	}
}

// offering says which detectors an action is possible for.
func (c *checker) offering(a Action) string {
	var names []string
	for k := range c.detectors {
		if k > detectSecretText && c.detectors[k].offers(a) {
			names = append(names, c.detectors[k].name)
		}
	}
	if a == Keep {
		return ": secrets and tokens are taken out by every preset but off"
	}
	return "; it is for " + strings.Join(names, ", ")
}

// lastNames returns the names of the members that the rule replaces.
func (r *ownRule) lastNames() []string {
	names := slices.Clone(r.keys)
	for _, steps := range r.fields {
		names = append(names, steps[len(steps)-1])
	}
	return names
}
