package budget

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// traffic is the rate of one stream in events per second, at its peak and as a
// share of that at a moment.
type traffic struct {
	peak  float64
	share func(t float64) float64
}

func steady(rate float64) traffic {
	return traffic{rate, func(float64) float64 { return 1 }}
}

// bursty is silent but for 100 events within 30 s every period.
func bursty(period, phase float64) traffic {
	return traffic{100.0 / 30, func(t float64) float64 {
		if math.Mod(t+phase, period) < 30 {
			return 1
		}
		return 0
	}}
}

// swapping is loud and quiet in turn, a quarter of an hour each.
func swapping(loud, quiet, phase float64) traffic {
	return traffic{loud, func(t float64) float64 {
		if math.Mod(t+phase, 1800) < 900 {
			return 1
		}
		return quiet / loud
	}}
}

// mixes are what the table in docs/polling.md shows.
func mixes() (names []string, all map[string][]traffic) {
	all = map[string][]traffic{}
	add := func(name string, streams []traffic) {
		names = append(names, name)
		all[name] = streams
	}
	add("12 alike, 1/s each", slices.Repeat([]traffic{steady(1)}, 12))
	add("12 alike, 1 in 20 s each", slices.Repeat([]traffic{steady(0.05)}, 12))
	add("1 loud (20/s), 10 quiet (0.1/s)", append(slices.Repeat([]traffic{steady(0.1)}, 10), steady(20)))
	var tenant []traffic
	for _, perMille := range []float64{300, 250, 150, 120, 50, 40, 35, 20, 15, 10, 5, 3, 1, 0.5, 0.5} {
		tenant = append(tenant, steady(perMille/1000*30))
	}
	add("typical tenant, 30/s", tenant)
	var quietTenant []traffic
	for _, t := range tenant {
		quietTenant = append(quietTenant, steady(t.peak/30))
	}
	add("typical tenant at night, 1/s", quietTenant)
	var bursts []traffic
	for i := range 8 {
		bursts = append(bursts, bursty(300+60*float64(i), 77*float64(i)))
	}
	add("8 in bursts, 4 steady (2/s)", append(bursts, slices.Repeat([]traffic{steady(2)}, 4)...))
	add("6 that change (10/s, 0.1/s), 6 quiet (0.2/s)", append(slices.Repeat([]traffic{steady(0.2)}, 6),
		swapping(10, 0.1, 0), swapping(10, 0.1, 300), swapping(10, 0.1, 600),
		swapping(10, 0.1, 900), swapping(10, 0.1, 1200), swapping(10, 0.1, 1500)))
	return names, all
}

// outcome is what one simulated way of polling led to.
type outcome struct {
	delays []float64
	polls  int
}

func (o *outcome) mean() float64 {
	sum := 0.0
	for _, d := range o.delays {
		sum += d
	}
	return sum / float64(len(o.delays))
}

func (o *outcome) p99() float64 {
	slices.Sort(o.delays)
	return o.delays[len(o.delays)*99/100]
}

// poll simulates polling for some hours; next returns a stream's next interval
// after a poll that found n events in the time since the one before.
func poll(streams []traffic, seconds float64, next func(stream, n int, since float64) float64) outcome {
	var o outcome
	type state struct {
		rng       *rand.Rand
		arrival   float64 // the next event
		last, due float64 // polls
	}
	states := make([]state, len(streams))
	advance := func(i int) { // Poisson arrivals; thinning makes the rate vary
		s := &states[i]
		for {
			s.arrival += s.rng.ExpFloat64() / streams[i].peak
			if s.arrival > seconds || s.rng.Float64() < streams[i].share(s.arrival) {
				return
			}
		}
	}
	for i := range states {
		// A stream's arrivals are the same in every simulation of its mix.
		states[i].rng = rand.New(rand.NewPCG(uint64(i), 7))
		states[i].due = states[i].rng.Float64() * 20
		advance(i)
	}
	const settle = 600 // the first ten minutes are for learning
	for {
		i := 0
		for j := range states {
			if states[j].due < states[i].due {
				i = j
			}
		}
		s := &states[i]
		now := s.due
		if now > seconds {
			return o
		}
		n := 0
		for s.arrival <= now {
			if now > settle {
				o.delays = append(o.delays, now-s.arrival)
			}
			n++
			advance(i)
		}
		if now > settle {
			o.polls++
		}
		s.due = now + next(i, n, now-s.last)
		s.last = now
	}
}

// TestPacedAgainstUniform compares the pacer with polling all streams alike,
// with the same number of polls. go test -v prints the table.
func TestPacedAgainstUniform(t *testing.T) {
	const polls = 0.5 // per second, 0.6 of what a limit of 60 leaves
	var table strings.Builder
	table.WriteString("| Traffic | uniform, mean | paced, mean | less by | uniform, 99 % | paced, 99 % |\n|---|---|---|---|---|---|\n")
	names, all := mixes()
	for _, name := range names {
		streams := all[name]
		total := 0.0
		for _, stream := range streams {
			total += stream.peak
		}
		seconds := min(max(7200, 40_000/total), 12*3600) // enough events that chance is small
		pacer := NewPacer(PacerOptions{Min: time.Second, Max: 2 * time.Minute, Polls: func() float64 { return polls }})
		paces := make([]*Pace, len(streams))
		for i := range streams {
			paces[i] = pacer.Add(fmt.Sprint(i))
		}
		paced := poll(streams, seconds, func(i, n int, since float64) float64 {
			paces[i].Polled(n, time.Duration(since*float64(time.Second)))
			return paces[i].Interval().Seconds()
		})
		rng := rand.New(rand.NewPCG(1, 1))
		used := float64(paced.polls) / (seconds - 600)
		uniform := poll(streams, seconds, func(int, int, float64) float64 {
			return float64(len(streams)) / used * (1 + jitter*(2*rng.Float64()-1))
		})
		gain := 1 - paced.mean()/uniform.mean()
		fmt.Fprintf(&table, "| %s | %.1f s | %.1f s | %.0f %% | %.0f s | %.0f s |\n",
			name, uniform.mean(), paced.mean(), 100*gain, uniform.p99(), paced.p99())
		if used > polls*1.02 {
			t.Errorf("%s: %.3f polls per second, want at most %v", name, used, polls)
		}
		t.Logf("%s: %.3f polls per second", name, used)
		if alike := strings.Contains(name, "alike"); alike && gain < -0.03 || !alike && gain <= 0 {
			t.Errorf("%s: the mean delay is %.1f s, with uniform polling %.1f s", name, paced.mean(), uniform.mean())
		}
	}
	t.Logf("\n%s", table.String())
}

// fixedPace returns a pacer whose streams have had the given rates for long.
func fixedPace(o PacerOptions, rates ...float64) (*Pacer, []*Pace) {
	p := NewPacer(o)
	var paces []*Pace
	for i, rate := range rates {
		s := p.Add(fmt.Sprint(i))
		for range 1000 {
			s.Polled(int(rate*100), 100*time.Second)
		}
		paces = append(paces, s)
	}
	return p, paces
}

func near(t *testing.T, what string, got, want time.Duration) {
	t.Helper()
	if ratio := float64(got) / float64(want); ratio < 1/(1+jitter)/1.03 || ratio > (1+jitter)*1.03 {
		t.Errorf("%s: %s, want %s within a tenth", what, got, want)
	}
}

func TestInterval(t *testing.T) {
	const second = time.Second
	tests := map[string]struct {
		min, max time.Duration
		polls    float64
		rates    []float64
		want     []time.Duration
	}{
		"four times the events, half the interval": {second, time.Hour, 0.3, []float64{4, 1}, []time.Duration{5 * second, 10 * second}},
		"alone":                      {second, time.Hour, 0.5, []float64{3}, []time.Duration{2 * second}},
		"at Min, the rest gets more": {10 * second, time.Hour, 0.15, []float64{10000, 1}, []time.Duration{10 * second, 20 * second}},
		"at Max, the rest gets less": {second, 20 * second, 0.15, []float64{10000, 0}, []time.Duration{10 * second, 20 * second}},
		"more polls than needed":     {2 * second, time.Hour, 100, []float64{5, 1, 0}, []time.Duration{2 * second, 2 * second, 2 * second}},
		"too few polls":              {second, 30 * second, 0.1, []float64{10000, 0, 0, 0}, []time.Duration{25 * second, 50 * second, 50 * second, 50 * second}},
		"hardly any polls":           {second, 30 * second, 0.001, []float64{5, 1, 0}, []time.Duration{300 * second, 300 * second, 300 * second}},
		"no polls at all":            {second, 30 * second, 0, []float64{5}, []time.Duration{300 * second}},
		"all idle":                   {second, time.Hour, 0.2, []float64{0, 0}, []time.Duration{10 * second, 10 * second}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, paces := fixedPace(PacerOptions{Min: tt.min, Max: tt.max, Polls: func() float64 { return tt.polls }}, tt.rates...)
			for i, s := range paces {
				near(t, fmt.Sprintf("stream %d", i), s.Interval(), tt.want[i])
			}
		})
	}
}

func TestNewStreamsArePolledAlike(t *testing.T) {
	p := NewPacer(PacerOptions{Min: time.Second, Max: time.Minute, Polls: func() float64 { return 0.4 }})
	a, b := p.Add("a"), p.Add("b")
	near(t, "a", a.Interval(), 5*time.Second)
	near(t, "b", b.Interval(), 5*time.Second)
	if p.Add("a") != a {
		t.Error("the same name gave another stream")
	}
}

// TestIdleStreamWakes: a burst is followed at once, and forgotten in minutes.
func TestIdleStreamWakes(t *testing.T) {
	_, paces := fixedPace(PacerOptions{Min: time.Second, Max: time.Minute, Polls: func() float64 { return 0.5 }},
		0, 1, 1, 1, 1, 1, 1, 1, 1)
	s := paces[0]
	near(t, "idle", s.Interval(), time.Minute)
	s.Polled(100, time.Minute)
	if got := s.Interval(); got > 25*time.Second {
		t.Errorf("after 100 events: %s", got)
	}
	s.Polled(100, 10*time.Second)
	if got := s.Interval(); got > 12*time.Second {
		t.Errorf("after 100 more in ten seconds: %s", got)
	}
	for range 30 {
		s.Polled(0, 30*time.Second)
	}
	if got := s.Interval(); got < 25*time.Second {
		t.Errorf("after a quarter of an hour of silence: %s", got)
	}
}

func TestPaceKeepsItsPromises(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		lowest := time.Duration(rapid.Int64Range(1, 1000).Draw(rt, "min ms")) * time.Millisecond
		highest := lowest * time.Duration(rapid.Int64Range(1, 1000).Draw(rt, "max"))
		polls := rapid.Float64Range(0, 100).Draw(rt, "polls")
		p := NewPacer(PacerOptions{Min: lowest, Max: highest, Polls: func() float64 { return polls }})
		for i := range rapid.IntRange(1, 20).Draw(rt, "streams") {
			s := p.Add(fmt.Sprint(i))
			for range rapid.IntRange(0, 5).Draw(rt, "polled") {
				s.Polled(rapid.IntRange(-1, 1_000_000).Draw(rt, "events"),
					time.Duration(rapid.Int64Range(-1, int64(time.Hour)).Draw(rt, "since")))
			}
			longest := p.longestLocked(polls)
			if enough := float64(len(p.streams))/highest.Seconds() <= polls; enough && longest != highest.Seconds() {
				rt.Fatalf("the longest interval is %v s although there are polls for %s", longest, highest)
			}
			if d := s.Interval().Seconds(); d < lowest.Seconds()*0.89 || d > longest*1.11 {
				rt.Fatalf("interval %v s is not between %s and %v s", d, lowest, longest)
			}
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		longest := p.longestLocked(polls)
		share, sum := p.shareLocked(polls, longest), 0.0
		for _, s := range p.streams {
			sum += 1 / p.intervalLocked(s, share, longest).Seconds()
		}
		if least := float64(len(p.streams)) / longest; sum > max(polls, least)*1.001 {
			rt.Fatalf("%v polls per second, allowed %v", sum, polls)
		}
		if most := float64(len(p.streams)) / p.min.Seconds(); sum < min(polls, most)*0.999 {
			rt.Fatalf("%v polls per second, allowed %v, most %v", sum, polls, most)
		}
	})
}

func BenchmarkPace(b *testing.B) {
	_, paces := fixedPace(PacerOptions{Min: time.Second, Max: time.Minute, Polls: func() float64 { return 0.5 }},
		30, 20, 10, 5, 3, 2, 1, 1, 1, 0.5, 0.1, 0)
	b.ReportAllocs()
	for i := range b.N {
		s := paces[i%len(paces)]
		s.Polled(i%5, time.Second)
		_ = s.Interval()
	}
}
