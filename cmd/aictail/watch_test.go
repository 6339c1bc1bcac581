package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"aictail/cmd/internal/admin"
)

// watch reads the metrics of a daemon several times a second, through all of its
// lives, until the test ends.
type watch struct {
	url string // of the admin server
	// extra is noted with each sample.
	extra func() int

	mu      sync.Mutex // guards samples
	samples []sample
}

// sample is what the metrics were at a moment.
type sample struct {
	at time.Time
	// values are those of the sinks' series, by name and labels.
	values map[string]float64
	extra  int
}

// sampleEvery is short against the lag of a second that a healthy sink may have.
const sampleEvery = 200 * time.Millisecond

// watchMetrics watches the daemon with that admin address.
func watchMetrics(t *testing.T, address string, extra func() int) *watch {
	t.Helper()
	w := &watch{url: "http://" + address, extra: extra}
	stop := make(chan struct{})
	var ended sync.WaitGroup
	ended.Go(func() {
		ticker := time.NewTicker(sampleEvery)
		defer ticker.Stop()
		for {
			w.take()
			select {
			case <-stop:
				return
			case <-ticker.C:
			}
		}
	})
	t.Cleanup(func() { close(stop); ended.Wait() })
	return w
}

// take takes a sample, unless the daemon is down.
func (w *watch) take() {
	s := sample{at: time.Now(), extra: w.extra()}
	body, status := get(w.url + "/metrics")
	if status != 200 {
		return
	}
	s.values = parseMetrics(body)
	body, _ = get(w.url + "/api/status")
	var says admin.Status
	if json.Unmarshal([]byte(body), &says) == nil {
		for _, k := range says.Sinks {
			if !k.CompleteUntil.IsZero() {
				s.values[ofSink(completeness, k.Name)] = says.Now.Sub(k.CompleteUntil).Seconds()
			}
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.samples = append(w.samples, s)
}

// parseMetrics returns the values of the sinks' series, and the start of the
// process.
func parseMetrics(body string) map[string]float64 {
	return parseSeries(body, "aictail_sink_", "aictail_dead_", processStart)
}

// parseSeries reads the series of a /metrics page that begin with one of the prefixes.
func parseSeries(body string, prefixes ...string) map[string]float64 {
	values := map[string]float64{}
	for line := range strings.Lines(body) {
		if !slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(line, p) }) {
			continue
		}
		series, text, _ := strings.Cut(strings.TrimSpace(line), "} ")
		if text == "" {
			series, text, _ = strings.Cut(strings.TrimSpace(line), " ")
		} else {
			series += "}"
		}
		if v, err := strconv.ParseFloat(text, 64); err == nil {
			values[series] = v
		}
	}
	return values
}

const processStart = "process_start_time_seconds"

// completeness stands for how long ago it is that the status page says a sink is
// complete until, as if it were a metric.
const completeness = "complete_until_ago"

// between returns the samples of a time.
func (w *watch) between(from, to time.Time) []sample {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []sample
	for _, s := range w.samples {
		if !s.at.Before(from) && !s.at.After(to) {
			list = append(list, s)
		}
	}
	return list
}

// total adds up a counter over the lives of the daemon, as far as it was seen.
func (w *watch) total(series string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	lives := map[float64]float64{}
	for _, s := range w.samples {
		life := s.values[processStart]
		lives[life] = max(lives[life], s.values[series])
	}
	sum := 0.0
	for _, v := range lives {
		sum += v
	}
	return int(sum)
}

// extraAt returns what extra was at a moment or shortly before.
func (w *watch) extraAt(at time.Time) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range slices.Backward(w.samples) {
		if !s.at.After(at) {
			return s.extra
		}
	}
	return 0
}

// figures are what a series was over a time.
type figures struct {
	samples              int
	median, most, centil float64
}

// figuresOf says what a series was like in some samples.
func figuresOf(samples []sample, series string) figures {
	var values []float64
	for _, s := range samples {
		if v, ok := s.values[series]; ok {
			values = append(values, v)
		}
	}
	if len(values) == 0 {
		return figures{}
	}
	slices.Sort(values)
	n := len(values)
	return figures{samples: n, median: values[n/2], centil: values[n*99/100], most: values[n-1]}
}

// String implements fmt.Stringer.
func (f figures) String() string {
	return fmt.Sprintf("median %.1f s, 99%% %.1f s, most %.1f s (%d samples)", f.median, f.centil, f.most, f.samples)
}

// ofSink names a series of a sink's.
func ofSink(metric, sink string) string { return fmt.Sprintf(`aictail_%s{sink=%q}`, metric, sink) }
