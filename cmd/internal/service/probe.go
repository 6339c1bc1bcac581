package service

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"aictail/cmd/internal/config"
	"aictail/sinks"
)

// NewProber makes a configured sink only to look at its destination. It is not
// opened, and nothing of it is seen in logs or metrics. A sink that has no probe
// returns nil.
func NewProber(name string, c config.Sink) (sinks.Prober, error) {
	s := &Service{log: zap.NewNop(), registry: prometheus.NewRegistry()}
	k, err := s.newSink(name, c, &sink{})
	if err != nil {
		return nil, fmt.Errorf("sinks.%s: %w", name, err)
	}
	p, _ := k.(sinks.Prober)
	return p, nil
}
