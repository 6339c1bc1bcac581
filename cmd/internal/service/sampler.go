package service

import (
	"sync"
	"time"
)

const (
	// sampleEvery and samples make rates an average over the last minute: short
	// enough to see a source fall silent, long enough for a poll every 30 s.
	sampleEvery = 10 * time.Second
	samples     = 7
)

// sampler keeps the last minute of some growing numbers, for the status page.
type sampler struct {
	mu   sync.Mutex // guards ring
	ring []sample   // oldest first
}

// sample is what was there at one moment.
type sample struct {
	at      time.Time
	events  map[[2]string]uint64 // read, by tenant and source
	journal int64                // bytes
}

// due tells whether it is time for the next sample.
func (s *sampler) due(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.ring) == 0 || now.Sub(s.ring[len(s.ring)-1].at) >= sampleEvery
}

func (s *sampler) add(x sample) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.ring) == samples {
		s.ring = append(s.ring[:0], s.ring[1:]...)
	}
	s.ring = append(s.ring, x)
}

// span returns the oldest sample and the seconds since then; false if there is
// nothing to compare with yet.
func (s *sampler) span(now time.Time) (sample, float64, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.ring) == 0 || now.Sub(s.ring[0].at) < sampleEvery/2 {
		return sample{}, 0, false
	}
	return s.ring[0], now.Sub(s.ring[0].at).Seconds(), true
}
