package budget

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// got collects the order in which requests of several classes go out.
type got struct {
	mu    sync.Mutex // guards order
	order []Class
}

// wait sends n requests of a class, one after the other.
func (g *got) wait(t *testing.T, b *Budget, c Class, n int) {
	for range n {
		if err := b.Wait(t.Context(), c); err != nil {
			t.Error(err)
		}
		g.mu.Lock()
		g.order = append(g.order, c)
		g.mu.Unlock()
	}
}

// answered returns a budget that has sent one request and been told the limit.
func answered(limit int) *Budget {
	b := New(Options{Reserve: 0.1})
	if err := b.Wait(context.Background(), Tail); err != nil {
		panic(err) // the background does not end
	}
	b.Observe(Observation{Known: true, Limit: limit, Remaining: limit - 1, ResetIn: window})
	return b
}

// waited returns how long one request waits.
func waited(t *testing.T, b *Budget, c Class) time.Duration {
	t.Helper()
	start := time.Now()
	if err := b.Wait(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	return time.Since(start)
}

func TestOneRequestBeforeTheFirstAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(Options{Reserve: 0.1})
		if d := waited(t, b, Backfill); d != 0 {
			t.Errorf("the first request waited %s", d)
		}
		var second time.Duration
		go func() { second = waited(t, b, Tail) }()
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if second != 0 {
			t.Fatal("a second request went out before the first was answered")
		}
		b.Observe(Observation{Known: true, Limit: 60, Remaining: 59, ResetIn: window})
		synctest.Wait()
		if second != 3*time.Second {
			t.Errorf("the second request went out after %s, want 3s, when the first was answered", second)
		}
		if b.Limit() != 60 || b.Remaining() != 58 {
			t.Errorf("limit %d, remaining %d", b.Limit(), b.Remaining())
		}
	})
}

// TestNoAnswerAtAll: a network that is down must not stop requests for good.
func TestNoAnswerAtAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(Options{})
		for i := range 5 {
			if d := waited(t, b, Tail); i > 0 && d != probeEvery {
				t.Errorf("request %d waited %s, want %s", i, d, probeEvery)
			}
		}
	})
}

func TestTailMayBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := answered(60)
		time.Sleep(10 * time.Second)
		for i := range burst + 1 {
			if d := waited(t, b, Tail); d != 0 {
				t.Errorf("request %d of a burst waited %s", i, d)
			}
		}
		if d := waited(t, b, Tail); d < time.Second/2 || d > 2*time.Second {
			t.Errorf("the request after a burst waited %s, want about the even pace", d)
		}
		if d := waited(t, b, Backfill); d < 2*time.Second {
			t.Errorf("a backfill after a burst waited %s, want until the burst is made up for", d)
		}
	})
}

func TestBlocks(t *testing.T) {
	const second = time.Second
	tests := map[string]struct {
		o    Observation
		want time.Duration
	}{
		"enough left":            {Observation{Known: true, Limit: 60, Remaining: 30, ResetIn: 40 * second}, 0},
		"no headers":             {Observation{}, 0},
		"reserve reached":        {Observation{Known: true, Limit: 60, Remaining: 6, ResetIn: 40 * second}, 40*second + safe},
		"reset in the past":      {Observation{Known: true, Limit: 60, Remaining: 0, ResetIn: -second}, window + safe},
		"reset far away":         {Observation{Known: true, Limit: 60, Remaining: 0, ResetIn: time.Hour}, window + safe},
		"more left than allowed": {Observation{Known: true, Limit: 60, Remaining: 61, ResetIn: second}, 0},
		"a limit of none":        {Observation{Known: true, Limit: 0, Remaining: 0, ResetIn: second}, 0},
		"refused, told when":     {Observation{Known: true, Limit: 60, Refused: true, RetryAfter: 7 * second, ResetIn: 7 * second}, 7*second + safe},
		"refused, told for ever": {Observation{Refused: true, RetryAfter: time.Hour}, maxBlock},
		"refused, reset":         {Observation{Known: true, Limit: 60, Refused: true, ResetIn: 50 * second}, 50*second + safe},
		"refused, no headers":    {Observation{Refused: true}, unspokenBlock},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := New(Options{Reserve: 0.1})
				waited(t, b, Tail)
				b.Observe(tt.o)
				if got := waited(t, b, Tail); got != tt.want {
					t.Errorf("waited %s, want %s", got, tt.want)
				}
			})
		})
	}
}

func TestLimitIsLearned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(Options{Reserve: 0.1})
		rate := func(limit int) float64 { return float64(limit) / memory.Seconds() }
		if b.Limit() != assumedLimit || b.Rate() != rate(25) {
			t.Errorf("before any answer: limit %d, rate %v", b.Limit(), b.Rate())
		}
		for _, limit := range []int{60, 28, 30, 600} {
			waited(t, b, Tail)
			b.Observe(Observation{Known: true, Limit: limit, Remaining: limit, ResetIn: window})
			b.Observe(Observation{}) // changes nothing
			if want := limit - (limit+9)/10; b.Limit() != limit || b.Rate() != rate(want) {
				t.Errorf("limit %d: limit %d, rate %v, want %v", limit, b.Limit(), b.Rate(), rate(want))
			}
		}
	})
}

func TestReserve(t *testing.T) {
	for reserve, want := range map[float64]int{0: 60, 0.1: 54, 0.11: 53, 1: 6, -1: 60, math.Inf(1): 6, math.NaN(): 60} {
		b := New(Options{Reserve: reserve, Saved: &State{Limit: 60}})
		if got := b.usableLocked(); got != want {
			t.Errorf("reserve %v of 60 leaves %d, want %d", reserve, got, want)
		}
	}
}

// TestPriority: everything waits at once; tail goes first, the tip gets its
// floor, backfill comes last.
func TestPriority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := answered(60)
		var g got
		var all sync.WaitGroup
		for _, c := range []Class{Backfill, Tip, Tail} {
			all.Go(func() { g.wait(t, b, c, 20) })
		}
		all.Wait()
		first := g.order[:25]
		tails, tips := 0, 0
		for _, c := range first {
			switch c {
			case Tail:
				tails++
			case Tip:
				tips++
			}
		}
		if tails < 19 || tips < 4 || tails+tips < 25 {
			t.Errorf("of the first 25 requests %d were tails and %d tips: %v", tails, tips, first)
		}
		if last := g.order[40:]; slices.Contains(last, Tail) || slices.Contains(last, Tip) {
			t.Errorf("a backfill went before others that waited: %v", g.order)
		}
	})
}

// TestBackfillLeavesRoom: tails that are polled now and then never wait long for
// a backfill that would take all there is.
func TestBackfillLeavesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{kind: fromFirst, limit: 28}
		c := &client{b: New(Options{Reserve: 0.1}), s: s}
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for i := range 4 {
			all.Go(func() { c.send(ctx, Backfill, uint64(i)) })
		}
		start := time.Now()
		var longest time.Duration
		for time.Since(start) < 20*time.Minute {
			d := waited(t, c.b, Tail)
			if time.Since(start) > 3*time.Minute {
				longest = max(longest, d)
			}
			c.b.Observe(s.request())
			time.Sleep(6 * time.Second)
		}
		cancel()
		all.Wait()
		s.assertNoRefusals(t)
		if longest > 5*time.Second {
			t.Errorf("a tail waited %s", longest)
		}
		if use := s.inUse(start.Add(time.Minute), 25); use < 0.8 {
			t.Errorf("%.0f %% of what is usable was used", 100*use)
		}
	})
}

func TestFirstComeFirstServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := answered(28)
		var mu sync.Mutex // guards order
		var order []int
		var all sync.WaitGroup
		for i := range 30 {
			all.Go(func() {
				if err := b.Wait(t.Context(), Tip); err != nil {
					t.Error(err)
				}
				mu.Lock()
				order = append(order, i)
				mu.Unlock()
			})
			synctest.Wait() // it is in the queue
		}
		all.Wait()
		if !slices.IsSorted(order) {
			t.Errorf("order %v", order)
		}
	})
}

func TestCancelTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := answered(28)
		b.Observe(Observation{Refused: true})
		var saved int
		b.save = func(State) { saved++ }
		before := b.Remaining()
		var all sync.WaitGroup
		for i := range 30 {
			all.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%5)*time.Second)
				defer cancel()
				if err := b.Wait(ctx, Class(i%classes)); err == nil {
					t.Error("Wait returned nil although its context had ended")
				}
			})
		}
		var last time.Duration
		all.Go(func() { time.Sleep(time.Second); last = waited(t, b, Tip) })
		all.Wait()
		if b.Remaining() != before-1 || saved != 1 {
			t.Errorf("remaining %d, before %d; saved %d times, want once", b.Remaining(), before, saved)
		}
		if want := unspokenBlock - time.Second; last != want {
			t.Errorf("who did not give up waited %s, want %s", last, want)
		}
		for c, queue := range b.queues {
			if len(queue) > 0 {
				t.Errorf("%d still wait in class %d", len(queue), c)
			}
		}
	})
}

func TestEndedContext(t *testing.T) {
	b := New(Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Wait(ctx, Tail); err != context.Canceled || b.Remaining() != assumedLimit {
		t.Errorf("error %v, remaining %d", err, b.Remaining())
	}
}

// TestSaveComesFirst: when Wait returns, the request is in what was saved.
func TestSaveComesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var saved State
		b := New(Options{Save: func(s State) { saved = s }})
		for n := 1; n <= 10; n++ {
			waited(t, b, Tail)
			sum := 0
			for _, c := range saved.Recent {
				sum += c
			}
			if sum != n {
				t.Fatalf("after %d requests %d are saved", n, sum)
			}
			b.Observe(Observation{Known: true, Limit: 28, Remaining: 28 - n, ResetIn: 50 * time.Second})
		}
		if saved.Limit != 28 || saved.Spent != 10 {
			t.Errorf("saved limit %d, spent %d", saved.Limit, saved.Spent)
		}
	})
}

func TestStateIsPermanent(t *testing.T) {
	const text = `{"at":"2026-01-02T03:04:05Z","limit":28,"spent":12,"window_end":"2026-01-02T03:04:45Z",` +
		`"next":"2026-01-02T03:04:07Z","blocked_until":"2026-01-02T03:05:05Z","others":3,"recent":[1,0,2]}`
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	want := State{
		At: at, Limit: 28, Spent: 12, WindowEnd: at.Add(40 * time.Second), Next: at.Add(2 * time.Second),
		BlockedUntil: at.Add(time.Minute), Others: 3, Recent: []int{1, 0, 2},
	}
	var got State
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if again, err := json.Marshal(want); err != nil || string(again) != text {
		t.Errorf("%s, %v", again, err)
	}
}

func TestRestored(t *testing.T) {
	const second = time.Second
	tests := map[string]struct {
		state func(now time.Time) State
		want  []time.Duration // how long the first requests wait
	}{
		"nothing told yet": {
			func(now time.Time) State { return State{At: now.Add(-time.Second), Recent: []int{0, 1}} },
			[]time.Duration{probeEvery - 2*time.Second, probeEvery},
		},
		"an hour old": {
			func(now time.Time) State { return State{At: now.Add(-time.Hour), Limit: 60, Recent: []int{60}} },
			[]time.Duration{0, probeEvery},
		},
		"plenty left": {
			func(now time.Time) State { return State{At: now, Limit: 60, Recent: []int{1}} },
			[]time.Duration{0, 0, 0},
		},
		"all spent by us": {
			func(now time.Time) State { return State{At: now.Add(-10 * second), Limit: 60, Recent: []int{54}} },
			[]time.Duration{52 * second},
		},
		"all spent by us, the clock was set back": {
			func(now time.Time) State { return State{At: now.Add(time.Hour), Limit: 60, Recent: []int{54}} },
			[]time.Duration{62 * second},
		},
		"all spent by others": {
			func(now time.Time) State {
				return State{At: now, Limit: 60, Spent: 54, WindowEnd: now.Add(20 * second), Recent: []int{1}}
			},
			[]time.Duration{20*second + safe},
		},
		"blocked": {
			func(now time.Time) State {
				return State{At: now.Add(-5 * second), Limit: 60, BlockedUntil: now.Add(25 * second)}
			},
			[]time.Duration{25 * second, probeEvery},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				state := tt.state(time.Now())
				b := New(Options{Reserve: 0.1, Saved: &state})
				var got []time.Duration
				for range tt.want {
					got = append(got, waited(t, b, Tail))
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// FuzzRestore: whatever stands in the file, requests go out within two windows.
func FuzzRestore(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"limit":-5,"spent":-1,"recent":[-1,5]}`, `{"at":"2000-01-01T00:00:00Z","limit":28,"recent":[1,2,3]}`,
		`{"at":"2000-01-01T00:00:00Z","limit":9000000000000000000,"spent":9000000000000000000,"others":9000000000000000000,` +
			`"next":"9999-01-01T00:00:00Z","window_end":"9999-01-01T00:00:00Z","blocked_until":"9999-01-01T00:00:00Z","recent":[9000000000000000000]}`,
		`{"at":"9999-01-01T00:00:00Z","window_end":"0001-01-01T00:00:01Z","limit":1,"recent":[1,1,1]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var s State
		if json.Unmarshal(text, &s) != nil {
			t.Skip()
		}
		synctest.Test(t, func(t *testing.T) {
			b := New(Options{Reserve: 0.1, Saved: &s, Save: func(State) {}})
			for range 3 {
				if d := waited(t, b, Tail); d > maxBlock+2*window {
					t.Errorf("a request waited %s", d)
				}
			}
			if b.Rate() <= 0 || b.Remaining() < 0 {
				t.Errorf("rate %v, remaining %d", b.Rate(), b.Remaining())
			}
		})
	})
}

// TestManyWaiters is for the race detector.
func TestManyWaiters(t *testing.T) {
	b := New(Options{Saved: &State{At: time.Now(), Limit: 10_000_000}, Save: func(State) {}})
	var all sync.WaitGroup
	for i := range 30 {
		all.Go(func() {
			for n := range 30 {
				ctx, cancel := context.WithCancel(t.Context())
				if n%10 == 9 {
					cancel()
				}
				err := b.Wait(ctx, Class(i%classes))
				if n%10 != 9 && err != nil {
					t.Error(err)
				}
				cancel()
				b.Observe(Observation{Known: true, Limit: 10_000_000, Remaining: 9_000_000, ResetIn: window})
				_, _, _ = b.Limit(), b.Remaining(), b.Rate()
			}
		})
	}
	all.Wait()
}

func BenchmarkWait(b *testing.B) {
	budget := New(Options{Saved: &State{At: time.Now(), Limit: 1 << 30}, Save: func(State) {}})
	b.ReportAllocs()
	for b.Loop() {
		if err := budget.Wait(b.Context(), Tail); err != nil {
			b.Fatal(err)
		}
		budget.Observe(Observation{Known: true, Limit: 1 << 30, Remaining: 1 << 29, ResetIn: window})
	}
}

func ExampleBudget() {
	b := New(Options{Reserve: 0.1})
	if err := b.Wait(context.Background(), Tail); err != nil {
		return
	}
	// Send the request, then say what its headers told:
	b.Observe(Observation{Known: true, Limit: 28, Remaining: 27, ResetIn: time.Minute})
	fmt.Println(b.Limit(), b.Remaining())
	// Output: 28 27
}
