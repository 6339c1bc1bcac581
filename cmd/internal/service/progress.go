package service

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

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
