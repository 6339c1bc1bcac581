package tailer

import (
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"aictail/tailer/assemble"
)

// Metrics are the counters of all tailers of the process.
type Metrics struct {
	received   *prometheus.CounterVec
	duplicates *prometheus.CounterVec
	lastEvent  *prometheus.GaugeVec
	requests   *prometheus.CounterVec
	limit      *prometheus.GaugeVec
	remaining  *prometheus.GaugeVec
	gaps       *prometheus.CounterVec
	inexact    *prometheus.CounterVec
	up         *prometheus.GaugeVec
	skew       *prometheus.GaugeVec
	fragments  *prometheus.CounterVec
	late       *prometheus.HistogramVec
	lost       *prometheus.CounterVec

	mu   sync.Mutex // guards last
	last map[[2]string]time.Time
}

// NewMetrics registers the metrics with r.
func NewMetrics(r prometheus.Registerer) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "aictail_" + name, Help: help}, labels)
		r.MustRegister(v)
		return v
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "aictail_" + name, Help: help}, labels)
		r.MustRegister(v)
		return v
	}
	late := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "aictail_late_arrival_seconds",
		Help: "Age of entries that the tenant showed only after their time had been swept.",
		// From the least settle time that makes sense to a day.
		Buckets: []float64{10, 20, 30, 60, 120, 300, 900, 3600, 6 * 3600, 24 * 3600}}, []string{"tenant"})
	r.MustRegister(late)
	m := &Metrics{
		last: map[[2]string]time.Time{},
		received: counter("events_received_total",
			"Events read from the tenant for the first time, before the filter. via says by which endpoint.", "tenant", "source", "via"),
		duplicates: counter("events_duplicate_total",
			"Entries that were read again and dropped by their id.", "tenant", "source"),
		lastEvent: gauge("last_event_timestamp_seconds",
			"Timestamp of the newest event read, by the tenant's clock.", "tenant", "source"),
		requests: counter("api_requests_total",
			"Requests to the log API by outcome: the HTTP status, network (no answer) or body (an answer that was cut off or is not a page).", "tenant", "endpoint", "code"),
		limit: gauge("rate_limit_limit",
			"Requests that the tenant allows per minute, as last told.", "tenant"),
		remaining: gauge("rate_limit_remaining",
			"Requests left in the tenant's current minute, as last told.", "tenant"),
		gaps: counter("gaps_total",
			"Times the tail may have left out entries of the source: page_full, cookie_refused or polled_late.", "tenant", "source", "reason"),
		inexact: counter("entries_without_timestamp_total",
			"Entries whose timestamp could not be read; they were forwarded with the time of receipt.", "tenant"),
		up: gauge("tenant_up",
			"1 while the tenant answers, 0 while it cannot be reached or refuses the API key.", "tenant"),
		skew: gauge("clock_skew_seconds",
			"How far this machine's clock is ahead of the tenant's, by the Date of its last answer: good to a second, and the answer's way counts in.", "tenant"),
		fragments: counter("fragments_total",
			"What became of events that the tenant returned in several entries: joined (split JSON), record (lines of one log record), loose (forwarded part by part, marked) or left_to_sweep (not joined by the tail; the sweep decides).", "outcome"),
		late: late,
		lost: counter("lost_seconds_total",
			"Time of the source whose entries the tenant gave up before they were swept.", "tenant", "source"),
	}
	for _, outcome := range []string{"joined", "record", "loose", "left_to_sweep"} {
		m.fragments.WithLabelValues(outcome)
	}
	return m
}

// addTenant makes the tenant's series appear, at 0, from the start: the first 429
// is a change then, and not a series that comes from nowhere. Other statuses appear
// when they are answered.
func (m *Metrics) addTenant(name string) {
	m.up.WithLabelValues(name).Set(1)
	m.late.WithLabelValues(name)
	m.inexact.WithLabelValues(name)
	for _, endpoint := range []string{endpointTail, endpointRange} {
		for _, code := range []string{"200", "400", "401", "403", "429", "500", "502", "503", "504", "network", "body"} {
			m.requests.WithLabelValues(name, endpoint, code)
		}
	}
}

// addStream does the same for the sources of a stream.
func (m *Metrics) addStream(s *Stream) {
	for _, source := range s.Sources() {
		for _, reason := range []string{"page_full", "cookie_refused", "polled_late"} {
			m.gaps.WithLabelValues(s.tenant, source, reason)
		}
		m.lost.WithLabelValues(s.tenant, source)
		if strings.HasSuffix(source, "-everything") {
			continue // its events name the sources that it shows
		}
		m.duplicates.WithLabelValues(s.tenant, source)
		for _, via := range []string{"tail", "sweep"} {
			m.received.WithLabelValues(s.tenant, source, via)
		}
	}
}

// assembled counts a page's events by how they were put together.
func (m *Metrics) assembled(n [4]int) {
	for outcome, label := range map[assemble.Outcome]string{
		assemble.Joined: "joined", assemble.Record: "record", assemble.Loose: "loose",
	} {
		if n[outcome] > 0 {
			m.fragments.WithLabelValues(label).Add(float64(n[outcome]))
		}
	}
}

// maxSources bounds the sources counted apart in one chunk of a page. Tenants
// have about twenty.
const maxSources = 64

// sourceCounts collects the counts of a chunk by source, so that the metrics
// are touched once per chunk and not once per event.
type sourceCounts struct{ list []sourceCount }

type sourceCount struct {
	source               string
	received, duplicates int
	last                 time.Time
}

func (c *sourceCounts) reset() { c.list = c.list[:0] }

func (c *sourceCounts) of(source string) *sourceCount {
	for i := range c.list {
		if c.list[i].source == source {
			return &c.list[i]
		}
	}
	if len(c.list) >= maxSources {
		return &c.list[maxSources-1]
	}
	c.list = append(c.list, sourceCount{source: source})
	return &c.list[len(c.list)-1]
}

func (c *sourceCounts) received(source string, at time.Time) {
	s := c.of(source)
	s.received++
	if at.After(s.last) {
		s.last = at
	}
}

func (c *sourceCounts) duplicate(source string) { c.of(source).duplicates++ }

func (m *Metrics) count(tenant, via string, c *sourceCounts) {
	for i := range c.list {
		s := &c.list[i]
		source := sourceLabel(s.source)
		if s.received > 0 {
			m.received.WithLabelValues(tenant, source, via).Add(float64(s.received))
			m.newest(tenant, source, s.last)
		}
		if s.duplicates > 0 {
			m.duplicates.WithLabelValues(tenant, source).Add(float64(s.duplicates))
		}
	}
}

// newest raises the time of a source's newest event; the sweep brings older ones,
// too.
func (m *Metrics) newest(tenant, source string, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := [2]string{tenant, source}
	if at.After(m.last[key]) {
		m.last[key] = at
		m.lastEvent.WithLabelValues(tenant, source).Set(float64(at.UnixNano()) / 1e9)
	}
}

// sourceLabel is the label value for a source that the tenant named. What does
// not look like a source's name does not become a label: the answers of a server
// gone wrong must not grow the metrics without end.
func sourceLabel(source string) string {
	if source == "" {
		return "unknown"
	}
	if len(source) > 40 {
		return "other"
	}
	for _, c := range []byte(source) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return "other"
		}
	}
	return source
}
