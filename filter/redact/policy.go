package redact

import "strings"

// The presets, from strict to none. Their names are configuration values.
const (
	PresetGDPR    = "gdpr"    // and users, IP addresses, national ids, profile data
	PresetDefault = "default" // secrets, tokens and personal data that has a form
	PresetSecrets = "secrets" // secrets and tokens only
	PresetOff     = "off"     // nothing
)

// preset is a preset's place in the order of what it takes out.
type preset int

const (
	presetOff preset = iota
	presetSecrets
	presetDefault
	presetGDPR
)

func parsePreset(name string) (preset, bool) {
	switch name {
	case PresetOff:
		return presetOff, true
	case PresetSecrets:
		return presetSecrets, true
	case PresetDefault:
		return presetDefault, true
	case PresetGDPR:
		return presetGDPR, true
	}
	return 0, false
}

// Config is what the user sets.
type Config struct {
	// Rules are in the order of the configuration. Of several presets the strictest
	// holds; without one, "default" does, so that nobody stores personal data by
	// leaving something out. Of the other rules the first that applies to a value
	// wins, and each of them wins over the presets.
	Rules []Rule
	// Keys are for the actions hash and tokenise; nil if there are none.
	Keys *Keyring
}

// Rule is one rule: a preset alone, or what Fields, Keys, Detect or Pattern choose.
// Fields may stand beside Detect or Pattern and then says where these look.
type Rule struct {
	Preset  string
	Fields  []string // JSON pointers into the entry; * is any name or array element
	Keys    []string // names of members at any depth
	Detect  []string // names of detectors, or of groups of them
	Pattern string   // a regular expression (RE2)
	Accept  string   // a check of what the pattern matches: luhn or mod97
	Example string   // a text in which the pattern must find something
	Name    string   // for marker and metrics; "" is chosen by the kind of rule
	Action  string   // "" is mask
	Sources []string // only there; nil is everywhere
	Except  []string // everywhere but there
}

// Problem is something wrong with a rule.
type Problem struct {
	// Key is the path within the configuration of redaction, such as [2].action.
	Key string
	// Msg says what is wrong and what to do.
	Msg string
}

// Problems is the error of New: everything that is wrong.
type Problems struct{ List []Problem } //nolint:errname // a list, returned as an error

// Error lists all problems.
func (p *Problems) Error() string {
	var lines []string
	for _, problem := range p.List {
		lines = append(lines, problem.Key+": "+problem.Msg)
	}
	return strings.Join(lines, "; ")
}

// ownRule is a checked rule that is not a preset.
type ownRule struct {
	key     string // its path, such as [2]; "" for the rules of a preset
	kind    kind
	name    string
	action  Action
	fields  [][]string // pointers, split into their steps
	keys    []string   // folded
	detect  []int      // detectors
	pattern *pattern
	sources []string
	except  []string
	place   int // among the detectors of the set, for its counts
}

// kind is what a rule chooses by.
type kind int

const (
	byField kind = iota
	byKey
	byDetector
	byPattern
)

// appliesTo reports whether the rule holds for a source. An entry of which the source
// is not known is redacted by every rule.
func (r *ownRule) appliesTo(source string) bool {
	if source == "" {
		return true
	}
	for _, s := range r.except {
		if s == source {
			return false
		}
	}
	for _, s := range r.sources {
		if s == source {
			return true
		}
	}
	return len(r.sources) == 0
}

// gdprRules are what the preset gdpr has beside detectors: who did something, and what
// is known of people. With keys users stay joinable, without them they are masked.
func gdprRules(hasKeys bool) []ownRule {
	action := Mask
	if hasKeys {
		action = Hash
	}
	user := []string{"/payload/userId", "/payload/runAs", "/payload/principal", "/payload/entries/*/info/principal"}
	rules := []ownRule{
		{kind: byField, name: "user_id", action: action},
		{kind: byKey, name: "user_id", action: action, keys: []string{"userName", "loginName", "uid"}},
		{kind: byKey, name: "person", action: Mask, keys: []string{
			"givenName", "sn", "surname", "displayName", "commonName", "birthDate", "dateOfBirth",
			"mail", "emailAddress", "telephoneNumber", "phoneNumber", "mobileNumber", "postalAddress", "streetAddress", "postalCode",
		}},
	}
	for _, pointer := range user {
		steps, _ := splitPointer(pointer)
		rules[0].fields = append(rules[0].fields, steps)
	}
	for i := range rules {
		for j, k := range rules[i].keys {
			rules[i].keys[j] = foldName(k)
		}
	}
	return rules
}
