package service

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"aictail/cmd/internal/config"
	"aictail/sinks"
	"aictail/sinks/kafka"
)

// NewProber makes a configured sink only to look at its destination. It is not
// opened, and nothing of it is seen in logs or metrics. A sink that has no probe
// returns nil.
func NewProber(name string, c config.Sink) (sinks.Prober, error) {
	k, err := newIdle(name, c)
	if err != nil {
		return nil, fmt.Errorf("sinks.%s: %w", name, err)
	}
	p, _ := k.(sinks.Prober)
	return p, nil
}

// newIdle makes a sink of no daemon's.
func newIdle(name string, c config.Sink) (sinks.Sink, error) {
	if c.Kafka != nil {
		// The installation only marks what is sent, and nothing is.
		return newKafka(c.Kafka, kafka.Deps{Installation: "none", Name: name, Log: zap.NewNop()})
	}
	s := &Service{log: zap.NewNop(), registry: prometheus.NewRegistry()}
	return s.newSink(name, c, &sink{})
}
