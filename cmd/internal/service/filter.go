package service

import (
	"github.com/prometheus/client_golang/prometheus"

	"aictail/cmd/internal/config"
	"aictail/filter"
)

// NewFilter compiles the configured filter. What is doubtful in it is returned as
// warnings.
func NewFilter(cfg *config.Config, registerer prometheus.Registerer) (*filter.Chain, []config.Problem, error) {
	chain, err := filter.New(withDrops(filter.Config{Preset: cfg.Filter.Preset()}, cfg.Filter), filter.Deps{Registerer: registerer})
	return chain, nil, err
}
