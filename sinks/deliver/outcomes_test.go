package deliver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap/zapcore"

	"aictail"
	"aictail/sinks"
	"aictail/sinks/deliver/deadletter"
)

// texts returns the events as text.
func texts(events []aictail.Event) []string {
	var list []string
	for _, e := range events {
		list = append(list, string(e.Raw))
	}
	return list
}

// named answers for a batch: the events at the given indexes fail.
func (s *fakeSink) named(events []aictail.Event, failed ...sinks.Failure) error {
	worst := sinks.Poison
	for i := range events {
		if len(failed) > 0 && failed[0].Index == i {
			if failed[0].Kind == sinks.Refused || failed[0].Kind == sinks.Retry && worst != sinks.Refused {
				worst = failed[0].Kind
			}
			failed = failed[1:]
			continue
		}
		s.take(events[i])
	}
	return &sinks.Error{Kind: worst, Err: errors.New("some events failed"), Failed: failed}
}

func failure(i int, kind sinks.Kind) sinks.Failure {
	return sinks.Failure{Index: i, Kind: kind, Err: fmt.Errorf("%s at %d", kind, i)}
}

// partial is a sink that answers for each event: at the first call the events 2, 4
// and 5 of six are not taken.
func partial(b *bench, sent *[][]string) {
	b.sink.fail = func(call int, events []aictail.Event) error {
		*sent = append(*sent, texts(events))
		switch call {
		case 1:
			failed := []sinks.Failure{failure(1, sinks.Retry), failure(3, sinks.Poison), failure(4, sinks.Retry)}
			err := b.sink.named(events, failed...).(*sinks.Error)
			err.Failed = failed
			return err
		case 2:
			failed := []sinks.Failure{failure(1, sinks.Retry)}
			err := b.sink.named(events, failed...).(*sinks.Error)
			err.Failed = failed
			return err
		}
		return nil
	}
}

// TestSendsOnlyWhatFailed: what was taken is not sent again, what is poisonous is
// a dead letter, and the position moves as soon as it can.
func TestSendsOnlyWhatFailed(t *testing.T) {
	for _, stateful := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, events(1, 6), events(7, 2))
			if !stateful {
				b.stateless()
			}
			var sent [][]string
			partial(b, &sent)
			if err := b.worker.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			want := [][]string{
				{"event 1", "event 2", "event 3", "event 4", "event 5", "event 6"},
				{"event 2", "event 5"}, {"event 5"}, {"event 7", "event 8"},
			}
			if diff := cmp.Diff(want, sent); diff != "" {
				t.Errorf("sent (-want +got):\n%s", diff)
			}
			commits := []string{"2: ", "5: ", "7: ", "9: "}
			if stateful {
				// Its state is ahead of the position until the batch is done.
				commits = []string{"7: 5 sent", "9: 7 sent"}
			}
			if diff := cmp.Diff(commits, b.store.commits); diff != "" {
				t.Errorf("commits (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{"event 4 rejected: poison at 3 (1)"}, b.stored(t)); diff != "" {
				t.Errorf("letters (-want +got):\n%s", diff)
			}
			for name, want := range map[string]float64{
				"aictail_sink_events_total": 7, "aictail_dead_letters": 1, "aictail_dead_letter_bytes": float64(b.letters.Bytes()),
			} {
				if got := b.value(t, name, "sink", "test"); got != want || got == 0 {
					t.Errorf("%s is %v, want %v", name, got, want)
				}
			}
			if got := b.value(t, "aictail_dead_letters_total", "reason", "rejected"); got != 1 {
				t.Errorf("dead_letters_total is %v, want 1", got)
			}
		})
	}
}

// TestLoneEventBecomesALetter: what can be neither split nor taken is kept, and
// delivery goes on.
func TestLoneEventBecomesALetter(t *testing.T) {
	for kind, want := range map[sinks.Kind]string{
		sinks.Split:  "event 3 too_large: never (3)",
		sinks.Poison: "event 3 rejected: never (3)",
	} {
		b := newBench(t, events(1, 5), events(6, 5))
		var sizes []int
		b.sink.fail = func(_ int, events []aictail.Event) error {
			sizes = append(sizes, len(events))
			if strings.Contains(strings.Join(texts(events), " "), "event 3") {
				return &sinks.Error{Kind: kind, Err: errors.New("never")}
			}
			return nil
		}
		if err := b.worker.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{want}, b.stored(t)); diff != "" {
			t.Errorf("letters (-want +got):\n%s", diff)
		}
		if len(b.sink.got) != 9 || b.store.pos != 11 {
			t.Errorf("%s: got %v, position %d", kind, b.sink.got, b.store.pos)
		}
		if last := sizes[len(sizes)-1]; last != 5 {
			t.Errorf("%s: sizes %v: after the bisecting batches are to be whole again", kind, sizes)
		}
		if n := b.logs.FilterLevelExact(zapcore.WarnLevel).Len(); n != 1 || b.logs.Len() != 1 {
			t.Errorf("%s: %d log entries for a dead letter, want one warning: %v", kind, b.logs.Len(), b.logs.All())
		}
	}
}

// TestPauseIsOneSpell: a sink that refuses, and cannot be reached now and then, is
// paused until it accepts events.
func TestPauseIsOneSpell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, events(1, 2))
		b.sink.fail = func(call int, _ []aictail.Event) error {
			switch {
			case call == 10:
				return nil
			case call%2 == 0:
				return errors.New("timeout")
			}
			return &sinks.Error{Kind: sinks.Refused, Err: errors.New("forbidden")}
		}
		if err := b.worker.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.wantAll(t, 2)
		if got := b.logs.Len(); got != 2 {
			t.Errorf("%d log entries for one pause, want its beginning and its end: %v", got, b.logs.All())
		}
	})
}

// TestPausesWhenLettersAreFull: nothing is dropped for want of room, and the
// remedy works without a restart.
func TestPausesWhenLettersAreFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, events(1, 4))
		b.stateless()
		b.worker.deps.Letters = deadletter.New(deadletter.Options{Dir: filepath.Join(t.TempDir(), "dead-letters"), Sink: "test", MaxSize: 300})
		b.letters = b.worker.deps.Letters
		var mended atomic.Bool
		b.sink.fail = func(_ int, events []aictail.Event) error {
			if len(events) > 1 || !mended.Load() && string(events[0].Raw) > "event 1" {
				return &sinks.Error{Kind: sinks.Poison, Err: errors.New("no such field")}
			}
			return nil
		}
		done := make(chan error)
		go func() { done <- b.worker.Run(t.Context()) }()
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := b.letters.Count(); n != 1 || b.store.pos != 3 {
			t.Errorf("%d letters and position %d, want one letter and the position of the second: 3", n, b.store.pos)
		}
		if got := b.value(t, "aictail_sink_paused"); got != 1 {
			t.Errorf("sink_paused is %v, want 1", got)
		}
		if err := b.worker.Health(); err == nil || !strings.Contains(err.Error(), "sinks.test.dead_letters.max_size") {
			t.Errorf("health: %v, want reason and remedy", err)
		}
		if n := b.logs.FilterLevelExact(zapcore.ErrorLevel).Len(); n != 1 {
			t.Errorf("%d errors logged in an hour, want 1", n)
		}
		mended.Store(true)
		if o, err := b.worker.ReplayLetters(t.Context(), nil); o != (Outcome{Accepted: 1}) || err != nil {
			t.Errorf("ReplayLetters: %+v, %v", o, err)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		// Event 3 was found to be poisonous before the cause was mended.
		if diff := cmp.Diff([]string{"event 1", "event 2", "event 4"}, b.sink.got); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"event 3 rejected: no such field (3)"}, b.stored(t)); diff != "" {
			t.Errorf("letters (-want +got):\n%s", diff)
		}
		if got := b.value(t, "aictail_sink_paused"); got != 0 {
			t.Errorf("sink_paused is %v at the end, want 0", got)
		}
	})
}

// brokenFS fails to create letters as long as it is broken.
type brokenFS struct {
	deadletter.FS
	broken atomic.Bool
}

func (f *brokenFS) Open(name string, flag int) (deadletter.File, error) {
	if f.broken.Load() && flag&os.O_CREATE != 0 {
		return nil, &os.PathError{Op: "open", Path: name, Err: syscall.ENOSPC}
	}
	return f.FS.Open(name, flag)
}

// TestLettersOnAFullDisk: the position does not move over what is not stored.
func TestLettersOnAFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, events(1, 2))
		fs := &brokenFS{FS: deadletter.OS()}
		fs.broken.Store(true)
		b.letters = deadletter.New(deadletter.Options{Dir: filepath.Join(t.TempDir(), "dead-letters"), Sink: "test", MaxSize: 1 << 20, FS: fs})
		b.worker.deps.Letters = b.letters
		b.sink.fail = func(_ int, events []aictail.Event) error {
			return &sinks.Error{Kind: sinks.Poison, Err: errors.New("never")}
		}
		done := make(chan error)
		go func() { done <- b.worker.Run(t.Context()) }()
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(b.store.commits) > 0 || b.sink.calls != 2 {
			t.Errorf("commits %v and %d sends while the letter is not stored", b.store.commits, b.sink.calls)
		}
		if err := b.worker.Health(); err == nil || !strings.Contains(err.Error(), "free space") {
			t.Errorf("health: %v", err)
		}
		fs.broken.Store(false)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if n := b.letters.Count(); n != 2 || b.store.pos != 3 {
			t.Errorf("%d letters, position %d", n, b.store.pos)
		}
	})
}

// TestCrashBetweenLetterAndCommit: the event comes again and is no second letter.
func TestCrashBetweenLetterAndCommit(t *testing.T) {
	b := newBench(t, events(1, 1))
	poison := func(int, []aictail.Event) error {
		return &sinks.Error{Kind: sinks.Poison, Err: errors.New("never")}
	}
	b.sink.fail = poison
	b.store.fails = 1
	ctx, cancel := context.WithCancel(t.Context())
	b.sink.fail = func(n int, e []aictail.Event) error { cancel(); return poison(n, e) }
	if err := b.worker.Run(ctx); err == nil || len(b.store.commits) > 0 {
		t.Fatalf("Run: %v, commits %v", err, b.store.commits)
	}
	again := newBench(t, events(1, 1))
	again.sink.fail = poison
	again.letters = deadletter.New(deadletter.Options{Dir: filepath.Dir(b.letters.File()), Sink: "test", MaxSize: 1 << 20})
	again.worker.deps.Letters = again.letters
	if err := again.worker.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := again.stored(t); len(got) != 1 || again.store.pos != 2 {
		t.Errorf("letters %v, position %d", got, again.store.pos)
	}
}

func TestWhere(t *testing.T) {
	b := newBench(t, events(1, 4), events(5, 2), events(7, 2))
	b.stateless()
	b.worker.deps.Where = func(e *aictail.Event) bool {
		return e.Position%2 == 0 && e.Position != 6
	}
	if err := b.worker.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"event 2", "event 4", "event 8"}, b.sink.got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"5: ", "7: ", "9: "}, b.store.commits); diff != "" {
		t.Errorf("commits (-want +got):\n%s", diff)
	}
	if got := b.value(t, "aictail_sink_events_total"); got != 3 {
		t.Errorf("sink_events_total is %v, want 3", got)
	}
}

// TestPace: a batch that is not full is read max_age after the one before, and not
// earlier.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, events(1, 1), events(2, 1))
		b.worker = New("paced", Batching{MaxEvents: 7, MaxBytes: 100, MaxAge: time.Second}, b.deps)
		b.sink.fail = func(int, []aictail.Event) error { time.Sleep(3 * time.Second); return nil }
		start := time.Now()
		if err := b.worker.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := []Limit{
			{7, 100, time.Time{}.Add(time.Second)}, {7, 100, start.Add(time.Second)}, {7, 100, start.Add(4 * time.Second)},
		}
		if diff := cmp.Diff(want, b.reader.limits); diff != "" {
			t.Errorf("limits (-want +got):\n%s", diff)
		}
	})
}

// TestLagOfASinkThatCannotBeOpened is that of the events that wait for it.
func TestLagOfASinkThatCannotBeOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, events(1, 3), events(4, 1))
		b.reader.open = true
		b.sink.opens = make([]error, 200)
		for i := range b.sink.opens {
			b.sink.opens[i] = &sinks.Error{Kind: sinks.Refused, Err: errors.New("no such host")}
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- b.worker.Run(ctx) }()
		time.Sleep(time.Hour)
		synctest.Wait()
		if lag := b.worker.Lag(); lag < time.Hour+time.Minute {
			t.Errorf("lag %s after an hour, want that of the oldest event that waits", lag)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		b.sink.closed = true
		b.wantAll(t, 4)
		if lag := b.worker.Lag(); lag != 0 {
			t.Errorf("lag %s when all is delivered", lag)
		}
		cancel()
		<-done
	})
}

// TestLagOfEventsThatComeWhileASinkCannotBeOpened does not wait for the next probe.
func TestLagOfEventsThatComeWhileASinkCannotBeOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.reader.open, b.reader.more = true, make(chan []aictail.Event, 1)
		refusal := &sinks.Error{Kind: sinks.Refused, Err: errors.New("no such host")}
		b.sink.opens = []error{refusal, refusal, refusal, refusal}
		stop := b.run(t)
		b.reader.more <- events(1, 3)
		time.Sleep(probeInterval - 5*time.Second)
		synctest.Wait()
		if lag := b.worker.Lag(); lag < time.Minute {
			t.Errorf("lag %s before the next probe, want that of the events that wait", lag)
		}
		time.Sleep(5 * probeInterval)
		stop()
		b.wantAll(t, 3)
	})
}

// TestEOFOfAConnection is not that of the journal.
func TestEOFOfAConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, events(1, 2))
		b.sink.opens = []error{io.EOF, fmt.Errorf("post: %w", io.EOF)}
		b.sink.fail = func(call int, _ []aictail.Event) error {
			if call < 3 {
				return &sinks.Error{Kind: sinks.Retry, Err: io.EOF}
			}
			return nil
		}
		if err := b.worker.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.wantAll(t, 2)
	})
}

// TestNothingLeftForASinkThatCannotBeOpened: it does not hold the stop up.
func TestNothingLeftForASinkThatCannotBeOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.sink.opens = []error{errors.New("no"), errors.New("no"), errors.New("no")}
		start := time.Now()
		if err := b.worker.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took > time.Second || b.sink.opened != 1 {
			t.Errorf("took %s and %d attempts to open a sink that needs nothing", took, b.sink.opened)
		}
	})
}

// TestSinksAreIsolated: of four sinks one hangs, one cannot be opened, one is
// paused, and the fourth has everything at once.
func TestSinksAreIsolated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		good := newBench(t, events(1, 3), events(4, 2))
		benches := []*bench{good}
		for i, fail := range []func(int, []aictail.Event) error{
			func(int, []aictail.Event) error { <-ctx.Done(); return ctx.Err() },
			nil,
			func(int, []aictail.Event) error {
				return &sinks.Error{Kind: sinks.Refused, After: 24 * time.Hour, Err: errors.New("no")}
			},
		} {
			b := newBench(t, events(1, 3))
			if b.sink.fail = fail; fail == nil {
				b.sink.opens = make([]error, 1000)
				for n := range b.sink.opens {
					b.sink.opens[n] = errors.New("connection refused")
				}
			}
			b.worker = New(fmt.Sprint("bad-", i), b.worker.batching, Deps{
				Sink: b.sink, Reader: b.reader, Store: b.store, Letters: b.letters, Metrics: good.deps.Metrics, Log: good.deps.Log,
			})
			benches = append(benches, b)
		}
		done := make(chan error, len(benches))
		start := time.Now()
		for _, b := range benches[1:] {
			go func() { done <- b.worker.Run(ctx) }()
		}
		synctest.Wait()
		if err := good.worker.Run(ctx); err != nil {
			t.Fatal(err)
		}
		good.wantAll(t, 5)
		if took := time.Since(start); took != 0 {
			t.Errorf("the sink that works took %s", took)
		}
		cancel()
		for range benches[1:] {
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Errorf("Run: %v, want the context's error", err)
			}
		}
	})
}
