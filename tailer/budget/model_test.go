package budget

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// model is a way in which a tenant may count requests.
type model int

const (
	aligned      model = iota // windows at fixed moments
	fromFirst                 // a window begins with the first request after the last
	sliding                   // the last 60 s, reset at the oldest one's end
	slidingFixed              // the last 60 s, reset always 60 s ahead
)

var models = map[string]model{
	"aligned": aligned, "from first": fromFirst, "sliding": sliding, "sliding, reset always ahead": slidingFixed,
}

// server is a small model of a tenant's rate limit.
type server struct {
	kind     model
	offset   time.Duration // of aligned windows
	floor    bool          // reset is rounded down instead of up
	late     bool          // remaining does not count the request itself
	headers  func(Observation) Observation
	skew     time.Duration // the server's clock is that much ahead
	settle   time.Time     // refusals before are not counted
	mu       sync.Mutex    // guards what follows
	limit    int
	used     int
	end      time.Time
	log      []time.Time
	ours     []time.Time // accepted requests
	refused  int         // our refused requests
	theirs   int         // accepted requests of others
	rejected int         // refused requests of others
}

// take counts one request if the limit allows it.
func (s *server) take(now time.Time) bool {
	switch s.kind {
	case sliding, slidingFixed:
		for len(s.log) > 0 && now.Sub(s.log[0]) >= window {
			s.log = s.log[1:]
		}
		if len(s.log) >= s.limit {
			return false
		}
		s.log = append(s.log, now)
		s.used = len(s.log)
		s.end = now.Add(window)
		if s.kind == sliding {
			s.end = s.log[0].Add(window)
		}
		return true
	case aligned:
		if start := now.Add(-s.offset).Truncate(window).Add(s.offset); !now.Before(s.end) {
			s.used, s.end = 0, start.Add(window)
		}
	case fromFirst:
		if !now.Before(s.end) {
			s.used, s.end = 0, now.Add(window)
		}
	}
	if s.used >= s.limit {
		return false
	}
	s.used++
	return true
}

// request is one request of ours, answered with what its headers tell.
func (s *server) request() Observation {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	ok := s.take(now)
	if ok {
		s.ours = append(s.ours, now)
	} else if !now.Before(s.settle) {
		s.refused++
	}
	reset := s.end.Add(s.skew).Truncate(time.Second)
	if !s.floor && reset.Before(s.end.Add(s.skew)) {
		reset = reset.Add(time.Second)
	}
	o := Observation{
		Known: true, Limit: s.limit, Remaining: max(0, s.limit-s.used), Refused: !ok,
		ResetIn: reset.Sub(now.Add(s.skew).Truncate(time.Second)),
	}
	if s.late && ok {
		o.Remaining = min(s.limit, o.Remaining+1)
	}
	if !ok {
		o.RetryAfter = max(time.Second, o.ResetIn)
	}
	if s.headers != nil {
		o = s.headers(o)
	}
	return o
}

// other is n requests of somebody else.
func (s *server) other(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		if s.take(time.Now()) {
			s.theirs++
		} else {
			s.rejected++
		}
	}
}

func (s *server) setLimit(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limit = n
}

// client sends requests through a budget like the daemon does.
type client struct {
	b    *Budget
	s    *server
	seed uint64
	sent [classes]atomic.Int64
}

// send sends requests of a class until ctx ends.
func (c *client) send(ctx context.Context, class Class, seed uint64) {
	rng := rand.New(rand.NewPCG(c.seed, seed))
	for c.b.Wait(ctx, class) == nil {
		c.sent[class].Add(1)
		// To the tenant and back; now and then an answer takes long.
		there, back := time.Duration(rng.IntN(150))*time.Millisecond, time.Duration(rng.IntN(400))*time.Millisecond
		if rng.IntN(10) == 0 {
			back += time.Duration(rng.IntN(5000)) * time.Millisecond
		}
		if !pauseFor(ctx, there) {
			return // the request dies with the process
		}
		o := c.s.request()
		if !pauseFor(ctx, back) {
			return // it was counted, but nobody learns of the answer
		}
		c.b.Observe(o)
	}
}

func pauseFor(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// run sends requests of all classes without a pause for d, then stops as a
// process stops that is killed. It returns what was sent.
func (c *client) run(d time.Duration, parallel ...Class) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	var all sync.WaitGroup
	for i, class := range parallel {
		all.Go(func() { c.send(ctx, class, uint64(i)) })
	}
	all.Wait()
}

// inUse returns the share of the usable quota that was used after skip.
func (s *server) inUse(skip time.Time, usable int) float64 {
	n := 0
	for _, at := range s.ours {
		if at.After(skip) {
			n++
		}
	}
	return float64(n) / (time.Since(skip).Minutes() * float64(usable))
}

// assertNoRefusals is the promise of the package.
func (s *server) assertNoRefusals(t *testing.T) {
	t.Helper()
	if s.refused > 0 {
		t.Errorf("%d of our requests were refused, %d were not", s.refused, len(s.ours))
	}
}
