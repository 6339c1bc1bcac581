package budget

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// These tests run a budget against models of a tenant's rate limit.

// crowd is enough parallel requests to use up a limit of 600.
var crowd = slices.Concat(slices.Repeat([]Class{Tail}, 10), slices.Repeat([]Class{Tip}, 4), slices.Repeat([]Class{Backfill}, 4))

func TestNoRefusals(t *testing.T) {
	for name, kind := range models {
		for _, limit := range []int{1, 5, 28, 60, 600} {
			for _, reserve := range []float64{0, 0.1, 0.5} {
				if limit == 600 && reserve != 0.1 || reserve == 0.5 && limit != 60 {
					continue // many requests to simulate, and nothing new in them
				}
				t.Run(fmt.Sprintf("%s, %d, %v", name, limit, reserve), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						time.Sleep(17300 * time.Millisecond)
						s := &server{kind: kind, limit: limit, offset: 11400 * time.Millisecond, floor: limit == 60}
						s.late, s.skew = limit == 28, time.Duration(limit)*time.Minute
						c := &client{b: New(Options{Reserve: reserve}), s: s, seed: uint64(limit)}
						start := time.Now()
						c.run(5*time.Minute, crowd...)
						s.assertNoRefusals(t)
						if got := s.inUse(start.Add(time.Minute), c.b.usableLocked()); got < 0.9 && limit >= 28 {
							t.Errorf("%.1f %% of what is usable was used", 100*got)
						}
					})
				})
			}
		}
	}
}

// TestOthers: somebody else takes a third of the quota at once, every minute at
// the same moment.
func TestOthers(t *testing.T) {
	for name, kind := range models {
		for _, limit := range []int{28, 60} {
			for _, at := range []time.Duration{2, 20, 40, 54} {
				t.Run(fmt.Sprintf("%s, %d, second %d", name, limit, at), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						s := &server{kind: kind, limit: limit, settle: time.Now().Add(time.Minute)}
						c := &client{b: New(Options{Reserve: 0.1}), s: s, seed: uint64(at)}
						start := time.Now()
						done := make(chan struct{})
						go func() {
							defer close(done)
							for time.Sleep(at * time.Second); time.Since(start) < 12*time.Minute; time.Sleep(time.Minute) {
								s.other(limit / 3)
							}
						}()
						c.run(12*time.Minute, crowd...)
						<-done
						s.assertNoRefusals(t)
						if s.rejected > limit/3+2 { // the first time
							t.Errorf("%d requests of others were refused, %d were not", s.rejected, s.theirs)
						}
						if got := s.inUse(start.Add(time.Minute), c.b.usableLocked()-limit/3); got < 0.6 {
							t.Errorf("%.1f %% of what is left was used", 100*got)
						}
					})
				})
			}
		}
	}
}

// TestOthersAtTheWorstMoment: somebody comes in the last second of each window,
// when nothing shows it in time. That is noticed by refusals alone; they must
// stay few.
func TestOthersAtTheWorstMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{kind: aligned, limit: 28, settle: time.Now().Add(time.Minute)}
		c := &client{b: New(Options{Reserve: 0.1}), s: s}
		done := make(chan struct{})
		start := time.Now()
		go func() {
			defer close(done)
			for time.Sleep(59500 * time.Millisecond); time.Since(start) < time.Hour; time.Sleep(time.Minute) {
				s.other(9)
			}
		}()
		c.run(time.Hour, crowd...)
		<-done
		t.Logf("%d refused, others %d", s.refused, s.rejected)
		if s.refused > 5 {
			t.Errorf("%d refused in an hour", s.refused)
		}
	})
}

// TestOthersLeave: what was set aside for somebody who is gone is used again.
func TestOthersLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{kind: aligned, limit: 60}
		c := &client{b: New(Options{Reserve: 0.1}), s: s}
		s.other(20)
		c.run(2*time.Minute, crowd...)
		if aside := c.b.asideLocked(); aside < 15 {
			t.Errorf("%d set aside for others who took 20", aside)
		}
		c.run(30*time.Minute, crowd...)
		if aside := c.b.asideLocked(); aside > 2 {
			t.Errorf("%d still set aside for others", aside)
		}
		s.assertNoRefusals(t)
	})
}

// TestLimitChanges: at the beginning of a window, up and down.
func TestLimitChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{kind: aligned, limit: 60}
		c := &client{b: New(Options{Reserve: 0.1}), s: s}
		start := time.Now()
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i, limit := range []int{28, 60, 28, 120, 28} {
				time.Sleep(time.Until(start.Add(time.Duration(3*(i+1)) * time.Minute)))
				s.setLimit(limit)
			}
		}()
		c.run(20*time.Minute, crowd...)
		<-done
		s.assertNoRefusals(t)
		if got := s.inUse(start.Add(17*time.Minute), 25); got < 0.85 {
			t.Errorf("%.1f %% of what is usable was used", 100*got)
		}
	})
}

// TestHeaders: without headers, and with wrong ones.
func TestHeaders(t *testing.T) {
	calls := 0
	tests := map[string]struct {
		change func(Observation) Observation
		least  float64
	}{
		"absent":          {func(o Observation) Observation { return Observation{Refused: o.Refused, RetryAfter: o.RetryAfter} }, 0.9},
		"reset long past": {func(o Observation) Observation { o.ResetIn = -1000 * time.Hour; return o }, 0.9},
		"reset just past": {func(o Observation) Observation { o.ResetIn = -2 * time.Second; return o }, 0.9},
		"reset in a year": {func(o Observation) Observation { o.ResetIn = 365 * 24 * time.Hour; return o }, 0.9},
		"nothing but noise": {func(o Observation) Observation {
			o.Remaining, o.ResetIn = -1, 5*time.Second
			return o
		}, 0.9},
		"now and then": {func(o Observation) Observation {
			if calls++; calls%3 > 0 {
				return Observation{}
			}
			return o
		}, 0.9},
	}
	for name, tt := range tests {
		for kindName, kind := range models {
			t.Run(name+", "+kindName, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := &server{kind: kind, limit: 28, headers: tt.change, offset: 5 * time.Second}
					c := &client{b: New(Options{Reserve: 0.1}), s: s}
					start := time.Now()
					c.run(10*time.Minute, crowd...)
					s.assertNoRefusals(t)
					if got := s.inUse(start.Add(time.Minute), 25); got < tt.least {
						t.Errorf("%.1f %% of what is usable was used", 100*got)
					}
				})
			})
		}
	}
}

// TestCrashes kills the process every few seconds, with requests on their way.
func TestCrashes(t *testing.T) {
	for name, kind := range models {
		for _, limit := range []int{28, 60} {
			for _, others := range []int{0, limit / 5} {
				if others > 0 && (kind == sliding || kind == slidingFixed) {
					continue // who is not there for long cannot tell others' requests from its own
				}
				t.Run(fmt.Sprintf("%s, %d, others %d", name, limit, others), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						s := &server{kind: kind, limit: limit, offset: 5 * time.Second, settle: time.Now().Add(time.Minute)}
						rng := rand.New(rand.NewPCG(1, uint64(limit)))
						var saved *State
						start := time.Now()
						done := make(chan struct{})
						go func() {
							defer close(done)
							for time.Sleep(25 * time.Second); time.Since(start) < 12*time.Minute; time.Sleep(time.Minute) {
								s.other(others)
							}
						}()
						for life := uint64(0); time.Since(start) < 12*time.Minute; life++ {
							b := New(Options{Reserve: 0.1, Saved: saved, Save: func(s State) { saved = &s }})
							c := &client{b: b, s: s, seed: life}
							c.run(time.Duration(1000+rng.IntN(9000))*time.Millisecond, crowd...)
						}
						<-done
						s.assertNoRefusals(t)
						least := 0.85
						if others > 0 {
							least = 0.8 // one more than was seen is set aside for them
						}
						if got := s.inUse(start.Add(time.Minute), limit*9/10-others); got < least {
							t.Errorf("%.1f %% of what is usable was used", 100*got)
						}
					})
				})
			}
		}
	}
}

// TestNeverOverTheLimit: whatever the tenant's way of counting, the traffic, the
// crashes and the latency of answers, no request is refused and no minute holds
// more of our requests than is usable.
func TestNeverOverTheLimit(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := &server{
			kind:   model(rapid.IntRange(0, len(models)-1).Draw(rt, "kind")),
			limit:  rapid.IntRange(28, 120).Draw(rt, "limit"),
			offset: time.Duration(rapid.IntRange(0, 59999).Draw(rt, "offset")) * time.Millisecond,
			floor:  rapid.Bool().Draw(rt, "floor"),
			late:   rapid.Bool().Draw(rt, "late"),
			skew:   time.Duration(rapid.IntRange(-1_000_000, 1_000_000).Draw(rt, "skew")) * time.Millisecond,
		}
		reserve := float64(rapid.IntRange(0, 90).Draw(rt, "reserve")) / 100
		lives := rapid.SliceOfN(rapid.IntRange(100, 200_000), 1, 6).Draw(rt, "lives")
		classes := rapid.SliceOfN(rapid.IntRange(int(Tail), int(Backfill)), 1, 12).Draw(rt, "requests")
		parallel := make([]Class, len(classes))
		for i, c := range classes {
			parallel[i] = Class(c)
		}
		usable := 0
		synctest.Test(t, func(t *testing.T) {
			var saved *State
			for life, ms := range lives {
				b := New(Options{Reserve: reserve, Saved: saved, Save: func(s State) { saved = &s }})
				usable = max(usable, b.usableLocked())
				c := &client{b: b, s: s, seed: uint64(life)}
				c.run(time.Duration(ms)*time.Millisecond, parallel...)
				usable = max(usable, b.usableLocked())
			}
		})
		if s.refused > 0 {
			rt.Fatalf("%d requests refused, %d not", s.refused, len(s.ours))
		}
		for i := range s.ours {
			if j := i + usable; j < len(s.ours) && s.ours[j].Sub(s.ours[i]) < window {
				rt.Fatalf("%d requests within %s", usable+1, s.ours[j].Sub(s.ours[i]))
			}
		}
	})
}
