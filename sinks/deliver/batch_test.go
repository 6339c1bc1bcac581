package deliver

import (
	"errors"
	"fmt"
	"math/bits"
	"testing"

	"pgregory.net/rapid"

	"aictail"
	"aictail/sinks"
	"aictail/sinks/deliver/deadletter"
)

// receiver is a destination as a batch sees it: it takes no bad event, no more
// than most events at once, and none that is large.
type receiver struct {
	bad, large map[aictail.Position]bool
	most       int
	names      bool // whether it answers for each event
	// flaky tells whether it fails for the moment; if it names events, that is
	// asked for each.
	flaky func() bool

	got   map[aictail.Position]int
	order []aictail.Position
	sends int
	moved int // events sent, with repetitions
}

func (r *receiver) take(e *aictail.Event) {
	r.got[e.Position]++
	r.order = append(r.order, e.Position)
}

func (r *receiver) send(events []aictail.Event) error {
	r.sends++
	r.moved += len(events)
	if len(events) > r.most {
		return &sinks.Error{Kind: sinks.Split, Err: errors.New("too many")}
	}
	if !r.names {
		return r.sendWhole(events)
	}
	var failed []sinks.Failure
	worst := sinks.Poison
	for i := range events {
		f := sinks.Failure{Index: i, Err: errors.New("no")}
		switch pos := events[i].Position; {
		case r.bad[pos]:
			f.Kind = sinks.Poison
		case r.large[pos]:
			f.Kind = sinks.Split
		case r.flaky():
			f.Kind, worst = sinks.Retry, sinks.Retry
		default:
			r.take(&events[i])
			continue
		}
		failed = append(failed, f)
	}
	if len(failed) == 0 {
		return nil
	}
	return &sinks.Error{Kind: worst, Err: errors.New("some"), Failed: failed}
}

func (r *receiver) sendWhole(events []aictail.Event) error {
	if r.flaky() {
		return errors.New("busy")
	}
	for i := range events {
		if r.bad[events[i].Position] {
			return &sinks.Error{Kind: sinks.Poison, Err: errors.New("bad")}
		}
		if r.large[events[i].Position] {
			return &sinks.Error{Kind: sinks.Split, Err: errors.New("large")}
		}
	}
	for i := range events {
		r.take(&events[i])
	}
	return nil
}

// run sends a batch to the end and checks after every answer that the position
// lies before everything that is not done.
func (r *receiver) run(t interface{ Fatalf(string, ...any) }, b *batch) map[aictail.Position]rejection {
	rejected := map[aictail.Position]rejection{}
	var all []aictail.Position
	for i := range b.events {
		all = append(all, b.events[i].Position)
	}
	for len(b.events) > 0 {
		if r.sends > 100_000 {
			t.Fatalf("no end after %d sends", r.sends)
		}
		before := len(r.order)
		delivered, _ := b.digest(r.send(b.part()))
		if took := len(r.order) - before; took != delivered {
			t.Fatalf("the receiver took %d events and the batch counts %d", took, delivered)
		}
		for _, pos := range all {
			_, stored := rejected[pos]
			if r.got[pos] == 0 && !stored && pos < b.position() {
				t.Fatalf("the position %d lies behind event %d, which is not done", b.position(), pos)
			}
		}
		for _, x := range b.rejected {
			rejected[x.event.Position] = x
		}
		b.rejected = nil // stored
	}
	if !b.done() || b.position() != b.next {
		t.Fatalf("at the end the position is %d, want %d", b.position(), b.next)
	}
	return rejected
}

// TestBatchProperty has random receivers refuse random events: every good one
// arrives once and in order, every other one is rejected for the right reason.
func TestBatchProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 80).Draw(t, "n")
		kinds := rapid.SliceOfN(rapid.SampledFrom([]string{"good", "good", "good", "bad", "large"}), n, n).Draw(t, "kinds")
		r := &receiver{
			bad: map[aictail.Position]bool{}, large: map[aictail.Position]bool{}, got: map[aictail.Position]int{},
			most: rapid.IntRange(1, 100).Draw(t, "most"), names: rapid.Bool().Draw(t, "names"),
			flaky: func() bool { return rapid.IntRange(0, 5).Draw(t, "flaky") == 0 },
		}
		list := events(10, n)
		for i, kind := range kinds {
			r.bad[list[i].Position] = kind == "bad"
			r.large[list[i].Position] = kind == "large"
		}
		rejected := r.run(t, newBatch(list, aictail.Position(10+n), nil))
		for i, kind := range kinds {
			pos := aictail.Position(10 + i)
			x, is := rejected[pos]
			want := map[string]deadletter.Reason{"bad": deadletter.Rejected, "large": deadletter.TooLarge}[kind]
			if is != (kind != "good") || is && x.reason != want || is == (r.got[pos] > 0) || r.got[pos] > 1 {
				t.Fatalf("event %d (%s): rejected %t for %q, taken %d times", pos, kind, is, x.reason, r.got[pos])
			}
			if is && string(x.event.Raw) != fmt.Sprintf("event %d", pos) {
				t.Fatalf("the rejection of event %d holds %s", pos, x.event.Raw)
			}
		}
		// Those that are named and fail for the moment may be overtaken.
		for i := 1; i < len(r.order) && !r.names; i++ {
			if r.order[i] <= r.order[i-1] {
				t.Fatalf("order %v", r.order)
			}
		}
	})
}

// TestBisectIsCheap counts what a receiver that names no events costs.
func TestBisectIsCheap(t *testing.T) {
	for _, tt := range []struct{ n, every int }{{5000, 0}, {5000, 5000}, {5000, 1000}, {5000, 100}, {4096, 1}, {1, 1}} {
		r := &receiver{
			bad: map[aictail.Position]bool{}, got: map[aictail.Position]int{},
			most: tt.n, flaky: func() bool { return false },
		}
		bad := 0
		for i := 1; tt.every > 0 && i <= tt.n; i++ {
			if i%tt.every == tt.every/2 {
				r.bad[aictail.Position(i)] = true
				bad++
			}
		}
		rejected := r.run(t, newBatch(events(1, tt.n), aictail.Position(tt.n+1), nil))
		log := bits.Len(uint(tt.n - 1))
		most := 1 + bad*(2*log+2)
		if bad > tt.n/4 {
			most = 2 * tt.n
		}
		if len(rejected) != bad || r.sends > most || r.moved > tt.n*(log+2) {
			t.Errorf("%d events, %d of them bad: %d rejected with %d sends of %d events, want at most %d sends of %d events",
				tt.n, bad, len(rejected), r.sends, r.moved, most, tt.n*(log+2))
		}
		t.Logf("%d events, %d bad: %d sends, %.1f times the events", tt.n, bad, r.sends, float64(r.moved)/float64(tt.n))
	}
}

// TestMalformedFailures: what a sink names wrongly is not believed, so that
// nothing is taken for delivered.
func TestMalformedFailures(t *testing.T) {
	f := func(indexes ...int) (list []sinks.Failure) {
		for _, i := range indexes {
			list = append(list, sinks.Failure{Index: i, Kind: sinks.Retry, Err: errors.New("no")})
		}
		return list
	}
	for _, failed := range [][]sinks.Failure{f(3), f(-1), f(1, 1), f(2, 0), nil} {
		b := newBatch(events(1, 3), 4, nil)
		b.part()
		delivered, fault := b.digest(&sinks.Error{Kind: sinks.Retry, Err: errors.New("some"), Failed: failed})
		if delivered != 0 || fault == nil || len(b.events) != 3 || b.position() != 1 {
			t.Errorf("%v: %d delivered, %d events remain, fault %v", failed, delivered, len(b.events), fault)
		}
	}
}
