package service

import (
	"errors"
	"fmt"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"

	"aictail/cmd/internal/admin"
)

// checks are the conditions of readiness: every tenant answers, every sink is
// open and accepts events, and the journal has room.
func (s *Service) checks() []admin.Check {
	var list []admin.Check
	for _, t := range s.tenants {
		list = append(list, admin.Check{Name: "tenant " + t.name, Err: t.shared.Health})
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

// summary returns in one line how the daemon fares: what is wrong, or that nothing is
// and until when everything there is has been read.
func (s *Service) summary() string {
	text := s.readiness()
	if s.refusal.text() != "" {
		text += "; the configuration file was refused, an older one is in effect"
	}
	return text
}

func (s *Service) readiness() string {
	var wrong []string
	for _, c := range s.checks() {
		if err := c.Err(); err != nil {
			wrong = append(wrong, c.Name+": "+err.Error())
		}
	}
	if len(wrong) > 0 {
		return "not ready: " + strings.Join(wrong, "; ")
	}
	text := fmt.Sprintf("ready: %d source entries, %d sinks", len(s.allReadings()), len(s.sinks))
	if until := s.completeUntil(time.Now()); !until.IsZero() {
		text += ", complete until " + until.UTC().Format(time.RFC3339)
	}
	return text
}

// Status returns what the daemon says of itself at this moment. The counts are
// those of the metrics, so that page and alerts agree.
func (s *Service) Status() (admin.Status, error) {
	m, err := s.gather()
	if err != nil {
		return admin.Status{}, err
	}
	status := admin.Status{
		Version: s.version, Installation: s.state.Installation(), Started: s.started, Now: time.Now(),
		Tenants: s.tenantStatus(m), Sources: s.sourceStatus(m), ConfigRefused: s.refusal.text(),
	}
	s.addCoverage(&status)
	s.addRates(&status)
	for _, x := range m["aictail_redactions_total"].GetMetric() {
		status.Redactions += uint64(x.GetCounter().GetValue())
	}
	s.addSinks(&status, m)
	status.Judge()
	return status, nil
}

func (s *Service) gather() (gathered, error) {
	families, err := s.registry.Gather()
	if err != nil {
		return nil, fmt.Errorf("gather the metrics: %w", err)
	}
	m := make(gathered, len(families))
	for _, f := range families {
		m[f.GetName()] = f
	}
	return m, nil
}

func (s *Service) tenantStatus(m gathered) (list []admin.Tenant) {
	for _, t := range s.tenants {
		list = append(list, admin.Tenant{
			Name: t.name, Trouble: text(t.shared.Health()),
			Limit:     int(m.value("aictail_rate_limit_limit", "tenant", t.name)),
			Remaining: int(m.value("aictail_rate_limit_remaining", "tenant", t.name)),
		})
	}
	return list
}

func (s *Service) sourceStatus(m gathered) (list []admin.Source) {
	for _, x := range m["aictail_last_event_timestamp_seconds"].GetMetric() {
		tenant, source := label(x, "tenant"), label(x, "source")
		last := m.value("aictail_last_event_timestamp_seconds", "tenant", tenant, "source", source)
		list = append(list, admin.Source{
			Tenant: tenant, Source: source,
			LastEvent: time.UnixMicro(int64(last * 1e6)).UTC(),
		})
	}
	sumEvents(list, m)
	return list
}

// addSinks adds the sinks, and until when what is complete has reached each.
func (s *Service) addSinks(status *admin.Status, m gathered) {
	for _, k := range s.sinks {
		status.Sinks = append(status.Sinks, admin.Sink{
			Name: k.name, Type: k.kind, Trouble: text(k.worker.Health()),
			Events:        uint64(m.value("aictail_sink_events_total", "sink", k.name)),
			CompleteUntil: s.marks.passed(k.passed()),
			LagSeconds:    k.worker.Lag().Seconds(),
			Paused:        m.value("aictail_sink_paused", "sink", k.name) == 1,
			DeadLetters:   k.letters.Count(),
		})
	}
}

// takeSample notes, now and then, what rates are computed from.
func (s *Service) takeSample(now time.Time) {
	if !s.sampler.due(now) {
		return
	}
	m, err := s.gather()
	if err != nil {
		return // Status tells
	}
	x := sample{at: now, events: map[[2]string]uint64{}, journal: s.journal.Stats().Bytes}
	for _, source := range s.sourceStatus(m) {
		x.events[[2]string{source.Tenant, source.Source}] = source.Events
	}
	s.sampler.add(x)
}

// addRates adds what follows from the last minute.
func (s *Service) addRates(status *admin.Status) {
	js := s.journal.Stats()
	status.Journal = admin.Journal{Bytes: js.Bytes, MaxBytes: js.MaxBytes, Full: s.journal.Full()}
	before, seconds, ok := s.sampler.span(status.Now)
	if !ok {
		return
	}
	for i := range status.Sources {
		x := &status.Sources[i]
		if events := before.events[[2]string{x.Tenant, x.Source}]; x.Events > events {
			x.Rate = float64(x.Events-events) / seconds
		}
	}
	if grown := float64(js.Bytes-before.journal) / seconds; grown > 0 {
		status.Journal.FullInSeconds = float64(js.MaxBytes-js.Bytes) / grown
	}
}

// sumEvents adds up what tail and sweep have read of each source.
func sumEvents(sources []admin.Source, m gathered) {
	for i := range sources {
		x := &sources[i]
		for _, via := range []string{"tail", "sweep"} {
			x.Events += uint64(m.value("aictail_events_received_total", "tenant", x.Tenant, "source", x.Source, "via", via))
		}
	}
}

// addCoverage adds how far the sweeps have come.
func (s *Service) addCoverage(status *admin.Status) {
	until := map[[2]string]time.Time{}
	for _, r := range s.allReadings() {
		p := r.stream.Progress(status.Now)
		status.Coverage = append(status.Coverage, coverageOf(r.tenant.name, r.tenant.cfg, p))
		for _, source := range r.stream.Sources() {
			until[[2]string{r.tenant.name, source}] = p.CompleteUntil
		}
	}
	for i := range status.Sources {
		x := &status.Sources[i]
		t, ok := until[[2]string{x.Tenant, x.Source}]
		if !ok {
			product, _, _ := strings.Cut(x.Source, "-")
			t = until[[2]string{x.Tenant, product + "-everything"}]
		}
		x.CompleteUntil = t
	}
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
