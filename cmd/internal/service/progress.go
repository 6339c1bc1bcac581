package service

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"aictail/cmd/internal/admin"
	"aictail/tailer"
	"aictail/tailer/sweep"
)

// progressCollector tells, at every scrape, how far the sweeps and the sinks have
// come.
type progressCollector struct{ s *Service }

func completeUntilDesc() *prometheus.Desc {
	return prometheus.NewDesc("aictail_complete_until_timestamp_seconds",
		"Time until which every entry of the source is in the journal, confirmed by a sweep after the settle time.",
		[]string{"tenant", "source"}, nil)
}

func behindDesc() *prometheus.Desc {
	return prometheus.NewDesc("aictail_sweep_behind_seconds",
		"Time that remains to be swept, the settle time not counted.", []string{"tenant", "source"}, nil)
}

func oldestMissingDesc() *prometheus.Desc {
	return prometheus.NewDesc("aictail_oldest_missing_timestamp_seconds",
		"Oldest time that remains to be swept, backfills included. The tenant deletes it 30 days after.", []string{"tenant", "source"}, nil)
}

func sinkUntilDesc() *prometheus.Desc {
	return prometheus.NewDesc("aictail_sink_complete_until_timestamp_seconds",
		"Time until which every entry of every swept source has reached the sink.", []string{"sink"}, nil)
}

// Describe implements prometheus.Collector.
func (c progressCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- completeUntilDesc()
	ch <- behindDesc()
	ch <- oldestMissingDesc()
	ch <- sinkUntilDesc()
}

// Collect implements prometheus.Collector.
func (c progressCollector) Collect(ch chan<- prometheus.Metric) {
	now := time.Now()
	for _, r := range c.s.allReadings() {
		p := r.stream.Progress(now)
		if p.Mode == sweep.Off {
			continue
		}
		for _, source := range r.stream.Sources() {
			if !p.CompleteUntil.IsZero() {
				ch <- prometheus.MustNewConstMetric(completeUntilDesc(), prometheus.GaugeValue,
					float64(p.CompleteUntil.UnixNano())/1e9, r.tenant.name, source)
			}
			ch <- prometheus.MustNewConstMetric(behindDesc(), prometheus.GaugeValue, p.Behind.Seconds(), r.tenant.name, source)
			ch <- prometheus.MustNewConstMetric(oldestMissingDesc(), prometheus.GaugeValue,
				float64(p.OldestMissing.UnixNano())/1e9, r.tenant.name, source)
		}
	}
	for _, k := range c.s.sinks {
		if until := c.s.marks.passed(k.passed()); !until.IsZero() {
			ch <- prometheus.MustNewConstMetric(sinkUntilDesc(), prometheus.GaugeValue, float64(until.UnixNano())/1e9, k.name)
		}
	}
}

// Backfill has the sweep of a source read a stretch of time that was not wanted
// before. It is remembered through restarts until it is covered.
func (s *Service) Backfill(req admin.BackfillRequest) error {
	stream := s.bySource().find(req.Tenant, req.Source, "")
	oldest := time.Now().Add(-tailer.Retention)
	switch {
	case stream == nil:
		return fmt.Errorf("tenant %q has no source %q in this configuration", req.Tenant, req.Source)
	case stream.Mode() == sweep.Off:
		return fmt.Errorf("the sweep of %s is off: set its sweep.mode to full or gaps", req.Source)
	case !req.End.After(req.Begin):
		return errors.New("the end must be after the begin")
	case req.End.After(time.Now()):
		return errors.New("the end is in the future")
	case req.Begin.Before(oldest):
		return fmt.Errorf("the tenant keeps 30 days: begin at %s or later", oldest.UTC().Format(time.RFC3339))
	}
	stream.Backfill(req.Begin, req.End)
	s.log.Info("backfill", zap.String("tenant", req.Tenant), zap.String("source", req.Source),
		zap.Time("from", req.Begin), zap.Time("to", req.End))
	return nil
}

// Covered tells whether all of a stretch of time of a source has been swept.
func (s *Service) Covered(req admin.BackfillRequest) bool {
	stream := s.bySource().find(req.Tenant, req.Source, "")
	return stream != nil && stream.CoversAll(req.Begin, req.End)
}
