// Package filter is the chain that every event passes before anything of it
// touches the disk. It owns the order of the steps, what happens to an event
// for which a step fails, and the metrics; the steps themselves are packages of
// their own (filter/redact). It knows nothing of where events come from or go.
//
// The chain fails closed. An event that can't be redacted goes on as structure
// only (see Pass.Apply), never as it was.
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
}

// Deps is what the program injects.
type Deps struct {
	// Registerer receives the metrics; nil leaves them unregistered. Several
	// chains with the same registerer share one set of counters.
	Registerer prometheus.Registerer
}

// Chain is the compiled filter. It is immutable and shared by all tailers.
type Chain struct {
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
	return &Chain{rules: rules, metrics: m}, nil
}

// Warnings are about rules that are valid and probably not what was meant, with key
// paths below filter.redact.
func (c *Chain) Warnings() []redact.Problem { return c.rules.Warnings() }
