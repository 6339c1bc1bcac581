package filter

import (
	"bytes"
	"fmt"

	"aictail"
	"aictail/filter/query"
)

// SampleRule keeps a share of the events that match a query and drops the rest.
type SampleRule struct {
	// Name is the rule's label in the metrics; "" is its place in the list, such
	// as sample[0].
	Name string
	// When is the query (package filter/query).
	When string
	// Keep is the share that is kept, more than 0 and less than 1.
	Keep float64
}

// sample is a compiled SampleRule.
//
// Whether an event is kept follows from its transaction alone, or from its id
// where it has none: all events of a request are kept or dropped together, whether
// they come from AM or IDM, by tail or sweep, today or after a restart. What a
// rule keeps, a rule with a larger share keeps, too.
type sample struct {
	query int
	keep  float64
}

func newSample(rule SampleRule, set *query.Set) (sample, error) {
	q, err := query.Compile(rule.When)
	if err != nil {
		return sample{}, err
	}
	if !(rule.Keep > 0 && rule.Keep < 1) {
		return sample{}, fmt.Errorf("keep %v: want a share of more than 0 and less than 1", rule.Keep)
	}
	return sample{query: set.Add(q), keep: rule.Keep}, nil
}

// keeps tells whether the events of a unit are kept.
func (s *sample) keeps(unit []byte) bool {
	// FNV-1a, and the last step of MurmurHash3, without which ids that differ in
	// their last digits would have neighbouring numbers. It must never change: an
	// entry that is read again must be judged as before.
	hash := uint64(0xcbf29ce484222325)
	for _, c := range unit {
		hash = (hash ^ uint64(c)) * 0x100000001b3
	}
	hash = (hash ^ hash>>33) * 0xff51afd7ed558ccd
	hash = (hash ^ hash>>33) * 0xc4ceb9fe1a85ec53
	hash ^= hash >> 33
	return float64(hash>>11)/(1<<53) < s.keep
}

// unit returns what an event is kept or dropped together with: the part of its
// transaction id before the slash, which all entries of a request have in common,
// or its own id.
func (d *dropper) unit(e *aictail.Event) []byte {
	id := d.matcher.Text(d.fields.transaction)
	if len(id) == 0 {
		id = d.matcher.Text(d.fields.nestedTransactions)
	}
	if request, _, _ := bytes.Cut(id, []byte("/")); len(request) > 0 {
		return request
	}
	return e.ID
}
