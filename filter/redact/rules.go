package redact

import (
	"fmt"
	"strings"
)

// The presets, from strict to none. Their names are configuration values.
const (
	PresetDefault = "default" // secrets, tokens and personal data
	PresetSecrets = "secrets" // secrets and tokens only
	PresetOff     = "off"     // nothing
)

// Markers stand where something was taken out. Sinks and searches rely on them.
const (
	markerSecret = "[redacted:secret]"
	markerToken  = "[redacted:token]"
	markerJWT    = "[redacted:jwt]"
	markerEmail  = "[redacted:email]"
	markerPhone  = "[redacted:phone]"
	markerCard   = "[redacted:card]"
)

// rule is one line of the rule table.
type rule struct {
	// name is the value of the label "rule" in metrics; it is permanent.
	name string
	// marker is what replaces a match.
	marker string
	// personal rules belong to the default preset only.
	personal bool
	// triggers are the bytes at which find is tried. They must be rare in logs:
	// everything else is skipped without a call.
	triggers string
	// digits makes find be tried at the first digit of a run of digits.
	digits bool
	// find looks for a match at the trigger t[i]. It looks back no further than
	// lo, where the previous match ended, and must be cheap when it fails.
	find func(t []byte, i, lo int) match
	// number reports whether a whole JSON number, digits only, is a match.
	number func(digits []byte) bool
}

// match is the part of a text that a rule wants replaced; none if end is 0.
type match struct {
	start, end int
	// quote is put before and after the marker. It keeps JSON inside a string
	// valid when a number or an object in it is replaced. It is a part of the text.
	quote []byte
}

// ruleSecretKey and ruleSecretText are the places of these rules in the table,
// which the walk over the JSON uses by itself.
const (
	ruleSecretKey = iota
	ruleSecretText
)

// maxRules bounds the table, so that counts fit an array.
const maxRules = 32

// table lists the rules. Where two match at the same byte, the earlier one wins.
func table() []rule {
	return []rule{
		ruleSecretKey:  {name: "secret_key", marker: markerSecret},
		ruleSecretText: {name: "secret_text", marker: markerSecret, triggers: "=:>@%\\", find: findSecretText},
		{name: "private_key", marker: markerSecret, triggers: " ", find: findPrivateKey},
		{name: "jwt", marker: markerJWT, triggers: "J", find: findJWT},
		{name: "bearer", marker: markerToken, triggers: " +%", find: findBearer},
		{name: "basic", marker: markerSecret, triggers: " +%", find: findBasic},
		{name: "sso_token", marker: markerToken, triggers: "Q*%", find: findSSOToken},
		{name: "email", marker: markerEmail, personal: true, triggers: "@%\\", find: findEmail},
		{name: "card", marker: markerCard, personal: true, digits: true, find: findCard, number: isCard},
		{name: "phone", marker: markerPhone, personal: true, triggers: "+%", digits: true, find: findPhone},
	}
}

// What a byte means to the scan of a string.
const (
	plain     = iota // skipped
	trigger          // some rule wants to look
	digit            // a digit, and some rule wants to look at digits
	quote            // ends a string in JSON
	backslash        // begins an escape in JSON; some rule may want to look
)

// Set is a compiled preset. It is immutable and may be shared.
type Set struct {
	rules     []rule
	class     [256]uint8
	byTrigger [256][]int
	byDigit   []int
	byNumber  []int
}

// New compiles the preset, or returns nil for PresetOff. An empty name means
// PresetDefault: who configures nothing is to be safe.
func New(preset string) (*Set, error) {
	switch preset {
	case "", PresetDefault:
		return compile(table(), true), nil
	case PresetSecrets:
		return compile(table(), false), nil
	case PresetOff:
		return nil, nil
	}
	return nil, fmt.Errorf("unknown redaction preset %q; use one of %s", preset,
		strings.Join([]string{PresetDefault, PresetSecrets, PresetOff}, ", "))
}

// Rules returns the names of the rules, in the order of Redactor.Counts. Rules
// that the preset leaves out are named too: they count 0.
func (s *Set) Rules() []string {
	names := make([]string, len(s.rules))
	for i := range s.rules {
		names[i] = s.rules[i].name
	}
	return names
}

func compile(rules []rule, personal bool) *Set {
	s := &Set{rules: rules}
	for k, r := range rules {
		if r.personal && !personal {
			continue
		}
		for _, c := range []byte(r.triggers) {
			s.class[c] = trigger
			s.byTrigger[c] = append(s.byTrigger[c], k)
		}
		if r.digits {
			s.byDigit = append(s.byDigit, k)
		}
		if r.number != nil {
			s.byNumber = append(s.byNumber, k)
		}
	}
	if len(s.byDigit) > 0 {
		for c := '0'; c <= '9'; c++ {
			s.class[c] = digit
		}
	}
	s.class['"'] = quote
	s.class['\\'] = backslash
	return s
}
