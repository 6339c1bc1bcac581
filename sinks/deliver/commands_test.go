package deliver

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"aictail"
	"aictail/sinks"
	"aictail/sinks/deliver/deadletter"
)

// run starts the worker and returns what ends it.
func (b *bench) run(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- b.worker.Run(ctx) }()
	synctest.Wait()
	return func() {
		t.Helper()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v, want the context's error", err)
		}
	}
}

// TestRewindWhileIdle interrupts the worker's wait for more events.
func TestRewindWhileIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, events(1, 2), events(3, 2))
		b.stateless()
		b.reader.open = true
		stop := b.run(t)
		if from, err := b.worker.Rewind(t.Context(), 2); from != 5 || err != nil {
			t.Errorf("Rewind: %d, %v", from, err)
		}
		// What is not behind the position changes nothing.
		if from, err := b.worker.Rewind(t.Context(), 100); from > 5 || err != nil {
			t.Errorf("Rewind forward: %d, %v", from, err)
		}
		synctest.Wait()
		stop()
		want := []string{"event 1", "event 2", "event 3", "event 4", "event 2", "event 3", "event 4"}
		if diff := cmp.Diff(want, b.sink.got); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"3: ", "5: ", "5: "}, b.store.commits); diff != "" {
			t.Errorf("commits (-want +got):\n%s", diff)
		}
	})
}

// TestRewindWhileFailing abandons the batch in hand: it is read again.
func TestRewindWhileFailing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, events(1, 2), events(3, 4))
		b.stateless()
		b.reader.open = true
		mended := false
		b.sink.fail = func(call int, events []aictail.Event) error {
			switch {
			case call == 1 || mended:
				return nil
			case call > 2:
				return errors.New("busy")
			}
			failed := []sinks.Failure{failure(0, sinks.Retry), failure(2, sinks.Retry), failure(3, sinks.Retry)}
			err := b.sink.named(events, failed...).(*sinks.Error)
			err.Failed = failed
			return err
		}
		stop := b.run(t)
		time.Sleep(time.Minute)
		synctest.Wait()
		mended = true
		if from, err := b.worker.Rewind(t.Context(), 1); from != 3 || err != nil {
			t.Errorf("Rewind: %d, %v", from, err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		stop()
		last := b.sink.got[len(b.sink.got)-6:]
		want := []string{"event 1", "event 2", "event 3", "event 4", "event 5", "event 6"}
		if diff := cmp.Diff(want, last); diff != "" {
			t.Errorf("the last events (-want +got):\n%s", diff)
		}
		if b.store.pos != 7 {
			t.Errorf("position %d at the end, want 7", b.store.pos)
		}
	})
}

// TestRewindBeforeOpen: the sink cannot be opened, and its held batch is dropped.
func TestRewindBeforeOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, events(1, 2), events(3, 2))
		b.stateless()
		b.reader.open = true
		b.reader.all, b.reader.batches = b.reader.batches[0], b.reader.batches[1:]
		b.store.pos = 3
		b.sink.opens = []error{errors.New("no"), errors.New("no"), errors.New("no")}
		stop := b.run(t)
		if from, err := b.worker.Rewind(t.Context(), 1); from != 3 || err != nil {
			t.Errorf("Rewind: %d, %v", from, err)
		}
		if _, err := b.worker.ReplayLetters(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "not open: no") {
			t.Errorf("ReplayLetters of a sink that is not open: %v", err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		stop()
		b.wantAll(t, 4)
	})
}

// TestNobodyWaitsForABusySink: who asks is told, and what was asked is not done
// later.
func TestNobodyWaitsForABusySink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, events(1, 2))
		b.reader.open = true
		release := make(chan struct{})
		b.sink.fail = func(int, []aictail.Event) error { <-release; return nil }
		stop := b.run(t)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if _, err := b.worker.Rewind(ctx, 1); !errors.Is(err, ErrBusy) {
			t.Errorf("Rewind: %v, want ErrBusy", err)
		}
		close(release)
		synctest.Wait()
		if b.store.pos != 3 {
			t.Errorf("position %d: a withdrawn request was done", b.store.pos)
		}
		stop()
		if _, err := b.worker.Rewind(t.Context(), 1); !errors.Is(err, ErrStopped) {
			t.Errorf("Rewind after the end: %v, want ErrStopped", err)
		}
	})
}

// TestStopAnswersWhoWaits: the worker ends while a request waits for a sink.
func TestStopAnswersWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, events(1, 2))
		ctx, cancel := context.WithCancel(t.Context())
		b.sink.fail = func(int, []aictail.Event) error { <-ctx.Done(); return ctx.Err() }
		done := make(chan error)
		go func() { done <- b.worker.Run(ctx) }()
		synctest.Wait()
		asked := make(chan error)
		go func() {
			_, err := b.worker.ReplayLetters(t.Context(), nil)
			asked <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-asked; !errors.Is(err, ErrStopped) {
			t.Errorf("ReplayLetters: %v, want ErrStopped", err)
		}
		<-done
	})
}

// poisoned is a bench whose sink has refused every event of 1 to n.
func poisoned(t *testing.T, n int) *bench {
	b := newBench(t, events(1, n))
	b.reader.open, b.reader.more = true, make(chan []aictail.Event)
	b.sink.fail = func(int, []aictail.Event) error {
		return &sinks.Error{Kind: sinks.Poison, Err: errors.New("no such field")}
	}
	return b
}

func TestReplayLetters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := poisoned(t, 5)
		stop := b.run(t)
		if n := b.letters.Count(); n != 5 {
			t.Fatalf("%d letters, want 5", n)
		}
		// The sink takes all but event 2 now, and says so event by event.
		b.sink.fail = func(_ int, events []aictail.Event) error {
			for i := range events {
				if string(events[i].Raw) != "event 2" {
					continue
				}
				err := b.sink.named(events, failure(i, sinks.Poison)).(*sinks.Error)
				err.Failed = []sinks.Failure{{Index: i, Kind: sinks.Poison, Err: errors.New("still no such field")}}
				return err
			}
			return nil
		}
		for _, tt := range []struct {
			ids  []string
			want Outcome
		}{
			{[]string{"id-4", "id-9"}, Outcome{Accepted: 1}},
			{[]string{"id-9"}, Outcome{}},
			{nil, Outcome{Accepted: 3, Refused: 1}},
			{nil, Outcome{Refused: 1}},
		} {
			if got, err := b.worker.ReplayLetters(t.Context(), tt.ids); got != tt.want || err != nil {
				t.Errorf("ReplayLetters(%v): %+v, %v; want %+v", tt.ids, got, err, tt.want)
			}
		}
		if diff := cmp.Diff([]string{"event 2 rejected: still no such field (6)"}, b.stored(t)); diff != "" {
			t.Errorf("letters (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"event 4", "event 1", "event 3", "event 5"}, b.sink.got); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		// The sink's state is stored before letters are forgotten.
		if n := len(b.store.states); n < 2 || b.store.states[n-1] != "4 sent" {
			t.Errorf("states %v", b.store.states)
		}
		b.sink.fail = nil
		b.reader.more <- events(6, 1)
		synctest.Wait()
		if b.store.pos != 7 {
			t.Errorf("position %d: delivery does not go on after a replay", b.store.pos)
		}
		stop()
	})
}

// TestReplayLettersOfASinkThatIsDown leaves the letters as they are.
func TestReplayLettersOfASinkThatIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := poisoned(t, 3)
		stop := b.run(t)
		before := b.stored(t)
		b.sink.fail = func(int, []aictail.Event) error { return errors.New("connection refused") }
		o, err := b.worker.ReplayLetters(t.Context(), nil)
		if o != (Outcome{}) || err == nil || !strings.Contains(err.Error(), "connection refused") {
			t.Errorf("ReplayLetters: %+v, %v", o, err)
		}
		if diff := cmp.Diff(before, b.stored(t)); diff != "" {
			t.Errorf("letters (-before +after):\n%s", diff)
		}
		stop()
	})
}

// TestReplayLettersOnce does without a running worker.
func TestReplayLettersOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := poisoned(t, 3)
		b.run(t)()
		b.sink.fail, b.sink.closed = nil, false
		if o, err := b.worker.ReplayLettersOnce(t.Context(), nil); o != (Outcome{Accepted: 3}) || err != nil {
			t.Errorf("ReplayLettersOnce: %+v, %v", o, err)
		}
		b.wantAll(t, 3)
		if n := b.letters.Count(); n != 0 {
			t.Errorf("%d letters remain", n)
		}
		b.sink.opens = []error{errors.New("no such host")}
		if _, err := b.worker.ReplayLettersOnce(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "no such host") {
			t.Errorf("ReplayLettersOnce of a sink that cannot be opened: %v", err)
		}
	})
}

// strictStore refuses a state that speaks of more events than the position does.
type strictStore struct {
	*fakeStore
	sink *fakeSink
	bad  int
}

func (s *strictStore) SaveState(state []byte) error {
	// Events 1 and 2 are of the journal, the letter is neither.
	if slices.Contains(s.sink.got, "event 1") && s.pos < 3 {
		s.bad++
	}
	return s.fakeStore.SaveState(state)
}

// TestReplayWhileThePositionCannotBeStored: the sink has taken a batch and the disk
// does not take the position. A state that was stored alone now would have a crash
// repeat the batch.
func TestReplayWhileThePositionCannotBeStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, events(1, 2))
		b.reader.open = true
		b.store.fails = 3
		strict := &strictStore{fakeStore: b.store, sink: b.sink}
		b.worker.deps.Store = strict
		if _, err := b.letters.Add([]deadletter.Letter{{Sink: "test", Reason: deadletter.Rejected, Event: events(9, 1)[0]}}); err != nil {
			t.Fatal(err)
		}
		stop := b.run(t)
		outcome, err := b.worker.ReplayLetters(t.Context(), nil)
		if outcome.Accepted != 1 || err != nil {
			t.Errorf("ReplayLetters: %+v, %v", outcome, err)
		}
		stop()
		if strict.bad > 0 {
			t.Error("the state of delivered events was stored before their position")
		}
		if b.store.pos != 3 {
			t.Errorf("position %d at the end, want 3", b.store.pos)
		}
	})
}

// TestReplayWhileTheLettersAreFull: a destination that answers for each event has taken
// those around one that is refused, and the store has no room for that. To replay its
// letters is what makes room.
func TestReplayWhileTheLettersAreFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, events(1, 3))
		b.reader.open = true
		b.letters = deadletter.New(deadletter.Options{Dir: filepath.Join(t.TempDir(), "dead-letters"), Sink: "test", MaxSize: 300})
		b.worker.deps.Letters = b.letters
		if _, err := b.letters.Add([]deadletter.Letter{{Sink: "test", Reason: deadletter.Rejected, Event: events(9, 1)[0]}}); err != nil {
			t.Fatal(err)
		}
		b.sink.fail = func(_ int, events []aictail.Event) error {
			if len(events) < 3 {
				return nil
			}
			err := b.sink.named(events, failure(0, sinks.Poison)).(*sinks.Error)
			err.Failed = []sinks.Failure{failure(0, sinks.Poison)}
			return err
		}
		stop := b.run(t)
		if got := b.value(t, "aictail_sink_paused"); got != 1 {
			t.Fatalf("the sink is not paused: %v", got)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if _, err := b.worker.Rewind(ctx, 1); !errors.Is(err, ErrBusy) {
			t.Errorf("Rewind: %v, want ErrBusy: the sink has events behind the position", err)
		}
		ctx, cancel = context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		outcome, err := b.worker.ReplayLetters(ctx, nil)
		if outcome.Accepted != 1 || err != nil {
			t.Errorf("ReplayLetters: %+v, %v", outcome, err)
		}
		synctest.Wait()
		stop()
		if b.store.pos != 4 || b.letters.Count() != 1 {
			t.Errorf("position %d with %d letters at the end, want 4 with one", b.store.pos, b.letters.Count())
		}
		if len(b.store.states) > 0 {
			t.Errorf("a state was stored that the position does not agree with: %q", b.store.states)
		}
	})
}
