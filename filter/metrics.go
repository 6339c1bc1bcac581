package filter

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics holds one counter for each label value, looked up once, all of them
// visible from the start so that an alert can tell 0 from absent.
type metrics struct {
	redactions  []prometheus.Counter // in the order of the rules
	quarantined [numReasons]prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, rules []string) (*metrics, error) {
	redactions, err := register(reg, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "aictail_redactions_total",
		Help: "Values and parts of text replaced by a redaction rule.",
	}, []string{"rule"}))
	if err != nil {
		return nil, err
	}
	quarantined, err := register(reg, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "aictail_events_quarantined_total",
		Help: "Events that could not be redacted and went on as structure only.",
	}, []string{"reason"}))
	if err != nil {
		return nil, err
	}
	m := &metrics{}
	for _, rule := range rules {
		m.redactions = append(m.redactions, redactions.WithLabelValues(rule))
	}
	for r := range numReasons {
		m.quarantined[r] = quarantined.WithLabelValues(r.label())
	}
	return m, nil
}

// register registers the counters, or returns those that another chain has
// registered under the same name.
func register(reg prometheus.Registerer, c *prometheus.CounterVec) (*prometheus.CounterVec, error) {
	if reg == nil {
		return c, nil
	}
	err := reg.Register(c)
	if already, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		if existing, ok := already.ExistingCollector.(*prometheus.CounterVec); ok {
			return existing, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("register filter metrics: %w", err)
	}
	return c, nil
}
