// Package doctor looks at everything that a configuration names: this machine, the
// running daemon, the tenants and the sinks. It changes nothing, takes no lock but
// for the moment of asking who has it, and sends three requests to each tenant. What
// a sink can say of its destination, the sink says itself (sinks.Prober).
package doctor

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"aictail/cmd/internal/config"
	"aictail/cmd/internal/service"
	"aictail/sinks"
)

const (
	// targetTime bounds the examination of one target: longer than a connection and
	// two slow answers take, and as long as people wait before they press Ctrl-C.
	targetTime = 20 * time.Second
	// answerTime bounds one request to a tenant or to the daemon.
	answerTime = 10 * time.Second
)

// Target is what was examined as one, with what was found.
type Target struct {
	Name     string          `json:"target"`
	Findings []sinks.Finding `json:"findings"`
}

// Deps is what the program injects.
type Deps struct {
	// Version of the program.
	Version string
	// Warnings are about the configuration, besides its own.
	Warnings []config.Problem
}

// Examine looks at everything, the targets side by side, and returns them in the
// order of the configuration's groups and then of their names.
func Examine(ctx context.Context, cfg *config.Config, deps Deps) []Target {
	examinations := []examination{
		{"configuration", func(context.Context) []sinks.Finding { return configuration(cfg, deps) }},
		{"data_dir " + cfg.DataDir, func(context.Context) []sinks.Finding { return dataDir(cfg) }},
		{"daemon", func(ctx context.Context) []sinks.Finding { return daemon(ctx, cfg, deps.Version) }},
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Tenants)) {
		t := newTenant(name, cfg.Tenants[name], deps.Version)
		examinations = append(examinations, examination{"tenant " + name, t.examine})
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Sinks)) {
		c := cfg.Sinks[name]
		examinations = append(examinations, examination{
			"sink " + name + " (" + c.Type + ")",
			func(ctx context.Context) []sinks.Finding { return sink(ctx, name, c) },
		})
	}
	return run(ctx, examinations)
}

// examination looks at one target.
type examination struct {
	name string
	look func(context.Context) []sinks.Finding
}

func run(ctx context.Context, list []examination) []Target {
	targets := make([]Target, len(list))
	var all sync.WaitGroup
	for i, x := range list {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, targetTime)
			defer cancel()
			targets[i] = Target{Name: x.name, Findings: x.look(ctx)}
		})
	}
	all.Wait()
	return targets
}

func configuration(cfg *config.Config, deps Deps) []sinks.Finding {
	list := []sinks.Finding{good("file", "%d tenant(s), %d sink(s)", len(cfg.Tenants), len(cfg.Sinks))}
	for _, w := range slices.Concat(cfg.Warnings, deps.Warnings) {
		list = append(list, sinks.Finding{Check: "warning", Verdict: sinks.Doubtful, Found: w.String()})
	}
	return list
}

// Invalid is the examination of a configuration that is not valid: nothing else can
// be looked at.
func Invalid(problems *config.Problems) []Target {
	var list []sinks.Finding
	for _, p := range problems.List {
		list = append(list, sinks.Finding{Check: "file", Verdict: sinks.Bad, Found: p.String()})
	}
	return []Target{{Name: "configuration " + problems.File, Findings: list}}
}

func sink(ctx context.Context, name string, c config.Sink) []sinks.Finding {
	p, err := service.NewProber(name, c)
	switch {
	case err != nil:
		return []sinks.Finding{sinks.FindingOf("configuration", err)}
	case p == nil:
		return []sinks.Finding{good("destination", "a sink of this type cannot be looked at without sending it an event")}
	}
	return p.Probe(ctx)
}

// Count returns how many findings have a verdict.
func Count(targets []Target, v sinks.Verdict) int {
	n := 0
	for _, t := range targets {
		for _, f := range t.Findings {
			if f.Verdict == v {
				n++
			}
		}
	}
	return n
}
