package budget

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// TestNeverOverTheLimit counts requests in every span of one minute, not only
// in aligned ones: the tenant's windows start when they like.
func TestNeverOverTheLimit(t *testing.T) {
	for _, limit := range []int{28, 60, 600} {
		synctest.Test(t, func(t *testing.T) {
			b := New(0.1)
			b.Observe(Observation{Limit: limit, Remaining: limit, ResetIn: window})
			var sent []time.Time
			for start := time.Now(); time.Since(start) < 5*time.Minute; {
				if err := b.Wait(t.Context()); err != nil {
					t.Fatal(err)
				}
				sent = append(sent, time.Now())
			}
			usable := int(float64(limit) * 0.9)
			for i := range sent {
				if j := i + usable; j < len(sent) && sent[j].Sub(sent[i]) < window {
					t.Fatalf("limit %d: %d requests within %s", limit, usable+1, sent[j].Sub(sent[i]))
				}
			}
			if want := 5 * usable * 8 / 10; len(sent) < want {
				t.Errorf("limit %d: %d requests in five minutes, want at least %d", limit, len(sent), want)
			}
		})
	}
}

func TestBlocks(t *testing.T) {
	tests := map[string]struct {
		o    Observation
		want time.Duration
	}{
		"enough left":         {Observation{Limit: 60, Remaining: 30, ResetIn: 40 * time.Second}, 0},
		"reserve reached":     {Observation{Limit: 60, Remaining: 6, ResetIn: 40 * time.Second}, 40 * time.Second},
		"reset in the past":   {Observation{Limit: 60, Remaining: 0, ResetIn: -time.Second}, 0},
		"reset far away":      {Observation{Limit: 60, Remaining: 0, ResetIn: time.Hour}, maxBlock},
		"refused, told when":  {Observation{Refused: true, RetryAfter: 7 * time.Second, ResetIn: 50 * time.Second}, 7 * time.Second},
		"refused, reset":      {Observation{Refused: true, ResetIn: 50 * time.Second}, 50 * time.Second},
		"refused, no headers": {Observation{Refused: true}, 15 * time.Second},
		"no headers":          {Observation{}, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := New(0.1)
				b.Observe(tt.o)
				start := time.Now()
				if err := b.Wait(t.Context()); err != nil {
					t.Fatal(err)
				}
				if got := time.Since(start); got != tt.want {
					t.Errorf("waited %s, want %s", got, tt.want)
				}
			})
		})
	}
}

func TestLimitIsLearned(t *testing.T) {
	b := New(0)
	if got := b.Limit(); got != assumedLimit {
		t.Errorf("before any answer: %d, want %d", got, assumedLimit)
	}
	b.Observe(Observation{Limit: 28, Remaining: 28})
	b.Observe(Observation{}) // an answer without headers changes nothing
	if got := b.Limit(); got != 28 {
		t.Errorf("after an answer: %d, want 28", got)
	}
}

func TestWaitEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(0.1)
		b.Observe(Observation{Refused: true})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := b.Wait(ctx); err == nil {
			t.Error("Wait returned nil although its context had ended")
		}
	})
}
