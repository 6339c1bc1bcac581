package deliver

import "github.com/prometheus/client_golang/prometheus"

// Metrics are the metrics of all workers of the process.
type Metrics struct {
	registerer prometheus.Registerer
	events     *prometheus.CounterVec
	errors     *prometheus.CounterVec
	paused     *prometheus.GaugeVec
	duration   *prometheus.HistogramVec
}

// NewMetrics registers the metrics with r.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		registerer: r,
		events: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "aictail_sink_events_total",
			Help: "Events that the sink has acknowledged."}, []string{"sink"}),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "aictail_sink_errors_total",
			Help: "Failures of the sink by kind: retry, split, poison or refused."}, []string{"sink", "kind"}),
		paused: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "aictail_sink_paused",
			Help: "1 while delivery waits for somebody to mend credentials, permissions or configuration."}, []string{"sink"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "aictail_sink_batch_duration_seconds",
			Help: "Time that the sink took to acknowledge a batch.",
			// From a local fsync to a receiver's time-out.
			Buckets: []float64{.001, .003, .01, .03, .1, .3, 1, 3, 10, 30}}, []string{"sink"}),
	}
	r.MustRegister(m.events, m.errors, m.paused, m.duration)
	return m
}

// add makes the worker's series appear, at 0, from the start.
func (m *Metrics) add(w *Worker) {
	m.events.WithLabelValues(w.name)
	m.paused.WithLabelValues(w.name).Set(0)
	m.registerer.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "aictail_sink_lag_seconds", Help: "Age of the oldest event that is not yet delivered.",
		ConstLabels: prometheus.Labels{"sink": w.name},
	}, func() float64 { return w.Lag().Seconds() }))
}
