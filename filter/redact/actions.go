package redact

import (
	"fmt"
	"strings"
)

// Action is what becomes of something that a rule applies to.
type Action int

// The actions. Their names are configuration values.
const (
	none     Action = iota
	Mask            // [redacted:email]
	Remove          // nothing is left, not even the member of an object
	Partial         // enough to recognise it: the last digits, an address's domain
	Hash            // [hash:k1:...], equal for equal values
	Truncate        // the network of an IP address
	Tokenise        // other characters of the same kind, equal for equal values
	Keep            // nothing; takes something out of a preset
)

func actionNames() []string {
	return []string{Mask: "mask", Remove: "remove", Partial: "partial", Hash: "hash", Truncate: "truncate", Tokenise: "tokenise", Keep: "keep"}
}

// String returns the action's name.
func (a Action) String() string { return actionNames()[a] }

// parseAction reads an action's name; "" is mask.
func parseAction(name string) (Action, error) {
	if name == "" {
		return Mask, nil
	}
	for a, n := range actionNames() {
		if n == name {
			return Action(a), nil
		}
	}
	return none, fmt.Errorf("want one of %s, got %q", strings.Join(actionNames()[Mask:], ", "), name)
}

// needsKey reports whether the action computes a keyed hash.
func (a Action) needsKey() bool { return a == Hash || a == Tokenise }

// offers reports whether the action is one that the detector has.
func (d *detector) offers(a Action) bool {
	switch a {
	case Partial:
		return d.partial != nil
	case Truncate:
		return d.truncate != nil
	case Tokenise:
		return d.tokenise != nil
	case Keep:
		return d.group != secret
	}
	return true
}

// appendMatch appends what becomes of a match of detector k.
func (r *Redactor) appendMatch(dst, match []byte, k int, a Action) []byte {
	d := &r.set.detectors[k]
	switch a {
	case Remove:
		return dst
	case Hash:
		return r.hasher.appendHash(dst, match)
	case Partial, Truncate, Tokenise:
		if !d.offers(a) { // of an own rule
			return r.appendWhole(dst, match, a)
		}
	}
	switch a {
	case Partial:
		return d.partial(dst, match)
	case Truncate:
		return d.truncate(dst, match)
	case Tokenise:
		return d.tokenise(dst, match, r.hasher.stream("token:"+d.name, match))
	}
	return append(dst, d.marker...)
}

// appendWhole appends what becomes of a value that is known by where it stands:
// under a field or key, or matched by an own pattern.
func (r *Redactor) appendWhole(dst, value []byte, a Action) []byte {
	if a == Partial {
		return partialValue(dst, value)
	}
	return r.hasher.appendToken(dst, value)
}
