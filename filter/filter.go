// Package filter is the chain that every event passes before anything of it
// touches the disk. It owns the order of the steps, what happens to an event
// for which a step fails, and the metrics; the steps themselves are packages of
// their own (filter/redact), as is the language in which events are chosen (filter/query). It knows nothing of where events come from or go.
//
// First come the rules that drop events, then redaction. An event that a rule
// drops is as if the tenant had never had it, except that it has been seen: it
// is not in the journal, and when it is read again, after a restart or a failed
// write, it is judged again, with the same result.
//
// The chain fails closed. An event that can't be judged or redacted goes on as
// structure only (see Pass.Apply), never as it was.
package filter

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"aictail/filter/redact"
)

// Config is what the user sets.
type Config struct {
	// Redact is what is taken out of events. The zero value is the preset "default",
	// so that nobody stores personal data by leaving something out.
	Redact redact.Config
	// Drop, Noise, Levels and Sample say which events no sink is to get, in the
	// order in which they are asked. Without any of them everything goes on.
	Drop []DropRule
	// Noise names loggers, and built-in lists of loggers, whose entries are
	// dropped below WARNING.
	Noise []string
	// Levels is the least level that is kept, by source.
	Levels map[string]string
	Sample []SampleRule
}

// Deps is what the program injects.
type Deps struct {
	// Registerer receives the metrics; nil leaves them unregistered. Several
	// chains with the same registerer share one set of counters.
	Registerer prometheus.Registerer
}

// Chain is the compiled filter. It is immutable and shared by all tailers.
type Chain struct {
	drops   *drops      // nil if nothing is to be dropped
	rules   *redact.Set // nil if nothing is redacted
	metrics *metrics
}

// New compiles the filter. An error about a rule is *redact.Problems, with key paths
// below filter.redact.
func New(config Config, deps Deps) (*Chain, error) {
	rules, err := redact.New(config.Redact)
	if err != nil {
		return nil, fmt.Errorf("filter.redact: %w", err)
	}
	var names []string
	if rules != nil {
		names = rules.Rules()
	}
	m, err := newMetrics(deps.Registerer, names)
	if err != nil {
		return nil, err
	}
	drops, err := newDrops(config, deps.Registerer)
	if err != nil {
		return nil, err
	}
	return &Chain{drops: drops, rules: rules, metrics: m}, nil
}

// Warnings are about rules that are valid and probably not what was meant, with key
// paths below filter.redact.
func (c *Chain) Warnings() []redact.Problem { return c.rules.Warnings() }
