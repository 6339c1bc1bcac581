package deliver

import (
	"github.com/prometheus/client_golang/prometheus"

	"aictail/sinks"
	"aictail/sinks/deliver/deadletter"
)

// Metrics are the metrics of all workers of the process.
type Metrics struct {
	registerer prometheus.Registerer
	events     *prometheus.CounterVec
	errors     *prometheus.CounterVec
	paused     *prometheus.GaugeVec
	duration   *prometheus.HistogramVec
	letters    *prometheus.CounterVec
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
		letters: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "aictail_dead_letters_total",
			Help: "Events that the sink will never take, by reason: rejected or too_large. They are kept as dead letters."}, []string{"sink", "reason"}),
	}
	r.MustRegister(m.events, m.errors, m.paused, m.duration, m.letters)
	return m
}

// add makes the worker's series appear, at 0, from the start.
func (m *Metrics) add(w *Worker) {
	m.events.WithLabelValues(w.name)
	m.paused.WithLabelValues(w.name).Set(0)
	m.duration.WithLabelValues(w.name)
	for _, kind := range []sinks.Kind{sinks.Retry, sinks.Split, sinks.Poison, sinks.Refused} {
		m.errors.WithLabelValues(w.name, kind.String())
	}
	for _, reason := range []deadletter.Reason{deadletter.Rejected, deadletter.TooLarge} {
		m.letters.WithLabelValues(w.name, string(reason))
	}
	gauge := func(name, help string, value func() float64) {
		m.registerer.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: name, Help: help, ConstLabels: prometheus.Labels{"sink": w.name},
		}, value))
	}
	gauge("aictail_sink_lag_seconds", "Age of the oldest event that is not yet delivered.",
		func() float64 { return w.Lag().Seconds() })
	gauge("aictail_dead_letters", "Dead letters that are stored.",
		func() float64 { return float64(w.deps.Letters.Count()) })
	gauge("aictail_dead_letter_bytes", "Size of the file of dead letters.",
		func() float64 { return float64(w.deps.Letters.Bytes()) })
	gauge("aictail_dead_letter_max_bytes", "Size of the file of dead letters beyond which the sink pauses.",
		func() float64 { return float64(w.deps.Letters.MaxBytes()) })
}
