package service

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// refusal is what became of the last reload: a configuration that cannot be used must
// not go unnoticed until the next restart fails with it.
type refusal struct {
	reason atomic.Pointer[string] // nil if there is none
}

func (r *refusal) register(registry prometheus.Registerer) {
	loaded := prometheus.NewGauge(prometheus.GaugeOpts{Name: "aictail_config_last_reload_success_timestamp_seconds",
		Help: "When the configuration that is in effect was loaded."})
	loaded.SetToCurrentTime()
	registry.MustRegister(loaded, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "aictail_config_last_reload_successful",
		Help: "1 if the configuration was last loaded without an error, 0 if the daemon goes on with an older one."},
		func() float64 {
			if r.text() == "" {
				return 1
			}
			return 0
		}))
}

func (r *refusal) text() string {
	if reason := r.reason.Load(); reason != nil {
		return *reason
	}
	return ""
}

// Refused notes why the configuration could not be reloaded. With nil the file holds again what
// is in effect.
func (s *Service) Refused(err error) {
	if err == nil {
		s.refusal.reason.Store(nil)
		return
	}
	reason := err.Error()
	s.refusal.reason.Store(&reason)
}
