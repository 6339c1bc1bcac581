package service

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"aictail/cmd/internal/config"
	"aictail/filter"
	"aictail/filter/redact"
)

// NewFilter compiles the configured filter. What is wrong with a rule is returned as
// *config.Problems, and what is doubtful as warnings.
func NewFilter(cfg *config.Config, registerer prometheus.Registerer) (*filter.Chain, []config.Problem, error) {
	var problems []config.Problem
	rules := redact.Config{Rules: redactRules(cfg.Filter.Redact)}
	if !cfg.Filter.HashKey.IsZero() {
		keys, err := redact.ParseKeyring(cfg.Filter.HashKey.Value())
		if err != nil {
			problems = append(problems, config.Problem{Key: "filter.hash_key_file", Msg: cfg.Filter.HashKeyFile + ": " + err.Error()})
			keys = &redact.Keyring{} // the rules that need it are not at fault
		}
		rules.Keys = keys
	}
	chain, err := filter.New(withDrops(filter.Config{Redact: rules}, cfg.Filter), filter.Deps{Registerer: registerer})
	if wrong, ok := errors.AsType[*redact.Problems](err); ok {
		problems, err = append(problems, redactProblems(wrong.List)...), nil
	}
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("build the filter: %w", err)
	case len(problems) > 0:
		return nil, nil, &config.Problems{File: "configuration", List: problems}
	}
	return chain, redactProblems(chain.Warnings()), nil
}

func redactRules(configured []config.RedactRule) []redact.Rule {
	rules := make([]redact.Rule, len(configured))
	for i, r := range configured {
		rules[i] = redact.Rule{
			Preset: r.Preset, Fields: r.Fields, Keys: r.Keys, Detect: r.Detect,
			Pattern: r.Pattern, Accept: r.Accept, Example: r.Example,
			Name: r.Name, Action: r.Action, Sources: r.Sources, Except: r.Except.Sources,
		}
	}
	return rules
}

// redactProblems gives problems of rules their place in the configuration.
func redactProblems(list []redact.Problem) []config.Problem {
	var out []config.Problem
	for _, p := range list {
		out = append(out, config.Problem{Key: "filter.redact" + p.Key, Msg: p.Msg})
	}
	return out
}
