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
	// Preset is the set of redaction rules: "default" (secrets, tokens and
	// personal data), "secrets" (secrets and tokens) or "off". Empty means
	// "default", so that nobody stores personal data by leaving something out.
	Preset string
}

// Deps is what the program injects.
type Deps struct {
	// Registerer receives the metrics; nil leaves them unregistered. Several
	// chains with the same registerer share one set of counters.
	Registerer prometheus.Registerer
}

// Chain is the compiled filter. It is immutable and shared by all tailers.
type Chain struct {
	rules   *redact.Set // nil if the preset is "off"
	metrics *metrics
}

// New compiles the filter. Its error names the configuration key.
func New(config Config, deps Deps) (*Chain, error) {
	rules, err := redact.New(config.Preset)
	if err != nil {
		return nil, fmt.Errorf("filter.redact.preset: %w", err)
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
