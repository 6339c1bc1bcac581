package service

import (
	"errors"
	"fmt"
	"time"

	dto "github.com/prometheus/client_model/go"

	"aictail/cmd/internal/admin"
)

// checks are the conditions of readiness: every tenant answers, every sink is
// open and accepts events, and the journal has room.
func (s *Service) checks() []admin.Check {
	var list []admin.Check
	for _, t := range s.tenants {
		list = append(list, admin.Check{Name: "tenant " + t.Name(), Err: t.Health})
	}
	list = append(list, admin.Check{Name: "journal", Err: func() error {
		if s.journal.Full() {
			return errors.New("full: polling waits for the sinks")
		}
		return nil
	}})
	for _, k := range s.sinks {
		list = append(list, admin.Check{Name: "sink " + k.name, Err: k.worker.Health})
	}
	return list
}

// Status returns what the daemon says of itself at this moment. The counts are
// those of the metrics, so that page and alerts agree.
func (s *Service) Status() (admin.Status, error) {
	families, err := s.registry.Gather()
	if err != nil {
		return admin.Status{}, fmt.Errorf("gather the metrics: %w", err)
	}
	m := make(gathered, len(families))
	for _, f := range families {
		m[f.GetName()] = f
	}
	js := s.journal.Stats()
	status := admin.Status{
		Version: s.version, Installation: s.state.Installation(), Started: s.started, Now: time.Now(),
		Journal: admin.Journal{Bytes: js.Bytes, MaxBytes: js.MaxBytes, Full: s.journal.Full()},
	}
	for _, t := range s.tenants {
		status.Tenants = append(status.Tenants, admin.Tenant{
			Name: t.Name(), Trouble: text(t.Health()),
			Limit:     int(m.value("aictail_rate_limit_limit", "tenant", t.Name())),
			Remaining: int(m.value("aictail_rate_limit_remaining", "tenant", t.Name())),
		})
	}
	for _, x := range m["aictail_events_received_total"].GetMetric() {
		tenant, source := label(x, "tenant"), label(x, "source")
		last := m.value("aictail_last_event_timestamp_seconds", "tenant", tenant, "source", source)
		status.Sources = append(status.Sources, admin.Source{
			Tenant: tenant, Source: source, Events: uint64(x.GetCounter().GetValue()),
			LastEvent: time.UnixMicro(int64(last * 1e6)).UTC(),
		})
	}
	for _, x := range m["aictail_redactions_total"].GetMetric() {
		status.Redactions += uint64(x.GetCounter().GetValue())
	}
	for _, k := range s.sinks {
		status.Sinks = append(status.Sinks, admin.Sink{
			Name: k.name, Type: k.kind, Trouble: text(k.worker.Health()),
			Events:     uint64(m.value("aictail_sink_events_total", "sink", k.name)),
			LagSeconds: k.worker.Lag().Seconds(),
			Paused:     m.value("aictail_sink_paused", "sink", k.name) == 1,
		})
	}
	return status, nil
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// gathered are metric families by name.
type gathered map[string]*dto.MetricFamily

// value returns the value of the counter or gauge with the given label values
// (name, value, name, value ...), or 0 if there is none.
func (g gathered) value(name string, labels ...string) float64 {
	for _, m := range g[name].GetMetric() {
		match := true
		for i := 0; i < len(labels); i += 2 {
			match = match && label(m, labels[i]) == labels[i+1]
		}
		if match {
			return m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return 0
}

func label(m *dto.Metric, name string) string {
	for _, l := range m.GetLabel() {
		if l.GetName() == name {
			return l.GetValue()
		}
	}
	return ""
}
