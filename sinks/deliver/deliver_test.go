package deliver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"aictail"
	"aictail/sinks"
	"aictail/sinks/deliver/deadletter"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeReader hands out batches and then ends, or blocks if open is true.
type fakeReader struct {
	batches [][]aictail.Event
	open    bool
	fails   int // how often the disk fails first
	limits  []Limit
	all     []aictail.Event // what was handed out
	more    chan []aictail.Event
}

func (r *fakeReader) Next(ctx context.Context, limit Limit) ([]aictail.Event, aictail.Position, error) {
	r.limits = append(r.limits, limit)
	if r.fails > 0 {
		r.fails--
		return nil, 0, errors.New("input/output error")
	}
	if len(r.batches) == 0 {
		if !r.open {
			return nil, 0, io.EOF
		}
		select {
		case b := <-r.more:
			r.batches = append(r.batches, b)
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		}
	}
	b := r.batches[0]
	r.batches = r.batches[1:]
	r.all = append(r.all, b...)
	return slices.Clone(b), b[len(b)-1].Position + 1, nil
}

func (r *fakeReader) Seek(pos aictail.Position) {
	rest := slices.Concat(append([][]aictail.Event{r.all}, r.batches...)...)
	rest = slices.DeleteFunc(rest, func(e aictail.Event) bool { return e.Position < pos })
	r.all, r.batches = nil, [][]aictail.Event{rest}
}

// fakeSink takes events unless fail says otherwise.
type fakeSink struct {
	fail   func(call int, events []aictail.Event) error
	opens  []error // errors of the first Opens
	opened int
	calls  int
	got    []string
	closed bool
}

func (s *fakeSink) Open(context.Context, sinks.Saved) error {
	s.opened++
	if len(s.opens) > 0 {
		err := s.opens[0]
		s.opens = s.opens[1:]
		return err
	}
	return nil
}

func (s *fakeSink) Send(_ context.Context, events []aictail.Event) error {
	s.calls++
	if s.fail != nil {
		if err := s.fail(s.calls, events); err != nil {
			return err
		}
	}
	s.take(events...)
	return nil
}

func (s *fakeSink) take(events ...aictail.Event) {
	for _, e := range events {
		s.got = append(s.got, string(e.Raw))
	}
}

func (s *fakeSink) State() []byte { return fmt.Appendf(nil, "%d sent", len(s.got)) }
func (s *fakeSink) Close() error  { s.closed = true; return nil }

// fakeStore keeps commits as text and fails as often as told.
type fakeStore struct {
	fails   int
	commits []string
	states  []string
	pos     aictail.Position
}

func (s *fakeStore) Saved() ([]byte, error) { return nil, nil }
func (s *fakeStore) SaveState(state []byte) error {
	s.states = append(s.states, string(state))
	return nil
}
func (s *fakeStore) Rewind(pos aictail.Position) (aictail.Position, error) {
	from := s.pos
	s.pos = min(s.pos, pos)
	return from, nil
}
func (s *fakeStore) Commit(pos aictail.Position, state []byte) error {
	if s.fails > 0 {
		s.fails--
		return errors.New("no space left on device")
	}
	s.pos = pos
	s.commits = append(s.commits, fmt.Sprintf("%d: %s", pos, state))
	return nil
}

// events returns n events from position first on.
func events(first, n int) []aictail.Event {
	list := make([]aictail.Event, n)
	for i := range list {
		list[i] = aictail.Event{
			ID: fmt.Appendf(nil, "id-%d", first+i), Raw: fmt.Appendf(nil, "event %d", first+i), Position: aictail.Position(first + i),
			Time: time.Now().Add(-time.Minute),
		}
	}
	return list
}

type bench struct {
	sink     *fakeSink
	letters  *deadletter.Store
	reader   *fakeReader
	store    *fakeStore
	registry *prometheus.Registry
	logs     *observer.ObservedLogs
	deps     Deps
	worker   *Worker
}

func newBench(t *testing.T, batches ...[]aictail.Event) *bench {
	t.Helper()
	core, logs := observer.New(zapcore.InfoLevel)
	b := &bench{
		sink: &fakeSink{}, reader: &fakeReader{batches: batches}, store: &fakeStore{},
		registry: prometheus.NewPedanticRegistry(), logs: logs,
		letters: deadletter.New(deadletter.Options{Dir: filepath.Join(t.TempDir(), "dead-letters"), Sink: "test", MaxSize: 1 << 20}),
	}
	b.deps = Deps{
		Sink: b.sink, Reader: b.reader, Store: b.store, Letters: b.letters,
		Metrics: NewMetrics(b.registry), Log: zap.New(core),
	}
	b.worker = New("test", Batching{MaxEvents: 5000, MaxBytes: 4 << 20}, b.deps)
	return b
}

// stateless hides the sink's state, as most sinks have none.
func (b *bench) stateless() {
	b.deps.Sink = struct{ sinks.Sink }{b.sink}
	b.worker.deps.Sink = b.deps.Sink
}

// stored returns the dead letters as text.
func (b *bench) stored(t *testing.T) []string {
	t.Helper()
	var list []string
	err := deadletter.ReadFile(b.letters.File(), func(l deadletter.Line) error {
		list = append(list, fmt.Sprintf("%s %s: %s (%d)", l.Letter.Event.Raw, l.Letter.Reason, l.Letter.Error, l.Letter.Attempts))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// value returns one of the worker's counters or gauges.
func (b *bench) value(t *testing.T, name string, labels ...string) float64 {
	t.Helper()
	families, err := b.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			match := true
			for i := 0; i < len(labels); i += 2 {
				match = match && slices.ContainsFunc(m.GetLabel(), func(l *dto.LabelPair) bool {
					return l.GetName() == labels[i] && l.GetValue() == labels[i+1]
				})
			}
			if match {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	t.Fatalf("no metric %s%v", name, labels)
	return 0
}

// wantAll checks that the sink got the events 1 to n once and in order.
func (b *bench) wantAll(t *testing.T, n int) {
	t.Helper()
	var want []string
	for i := range n {
		want = append(want, fmt.Sprintf("event %d", i+1))
	}
	if diff := cmp.Diff(want, b.sink.got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if !b.sink.closed {
		t.Error("the sink was not closed")
	}
}

func TestDeliversAndCommits(t *testing.T) {
	b := newBench(t, events(1, 3), events(4, 2))
	if err := b.worker.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.wantAll(t, 5)
	if diff := cmp.Diff([]string{"4: 3 sent", "6: 5 sent"}, b.store.commits); diff != "" {
		t.Errorf("commits (-want +got):\n%s", diff)
	}
	want := "# HELP aictail_sink_events_total Events that the sink has acknowledged.\n" +
		"# TYPE aictail_sink_events_total counter\naictail_sink_events_total{sink=\"test\"} 5\n"
	if err := testutil.GatherAndCompare(b.registry, strings.NewReader(want), "aictail_sink_events_total"); err != nil {
		t.Error(err)
	}
}

// TestRetriesForEver lets Open, Send and the commit fail for a day.
func TestRetriesForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, events(1, 3), events(4, 2))
		b.sink.opens = []error{errors.New("not yet"), errors.New("not yet")}
		mended := time.Now().Add(24 * time.Hour)
		b.sink.fail = func(int, []aictail.Event) error {
			if time.Now().Before(mended) {
				return errors.New("connection refused")
			}
			return nil
		}
		b.store.fails, b.reader.fails = 3, 5 // three of them while the sink cannot be opened
		if err := b.worker.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.wantAll(t, 5)
		if took := time.Since(mended); took > 2*retryMax {
			t.Errorf("the end of the outage was noticed after %s, want at most %s", took, 2*retryMax)
		}
		// Each spell of failures is one warning and one recovery, however long, but
		// for the last one: it is short and comes at once after another.
		if got, want := b.logs.Len(), 6; got != want {
			t.Errorf("%d log entries for four spells, want %d: %v", got, want, b.logs.All())
		}
		if err := b.worker.Health(); err != nil {
			t.Errorf("health after recovery: %v", err)
		}
	})
}

// TestLogsOfASinkThatFailsHalfOfTheTime: a failure every two seconds is a line in
// the log each minute, which says how many there were.
func TestLogsOfASinkThatFailsHalfOfTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const batches = 600
		var list [][]aictail.Event
		for i := range batches {
			list = append(list, events(1+i, 1))
		}
		b := newBench(t, list...)
		b.sink.fail = func(call int, _ []aictail.Event) error {
			time.Sleep(time.Second)
			if call%2 == 1 {
				return errors.New("busy")
			}
			return nil
		}
		began := time.Now()
		if err := b.worker.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.wantAll(t, batches)
		warned, short := 0, 0
		for _, e := range b.logs.FilterLevelExact(zapcore.WarnLevel).All() {
			warned++
			if n, ok := e.ContextMap()["short_failures_before"].(int64); ok {
				short += int(n)
			}
		}
		minutes := int(time.Since(began) / time.Minute)
		if warned < minutes/2 || warned > minutes+1 {
			t.Errorf("%d warnings in %d minutes", warned, minutes)
		}
		if n := b.logs.FilterLevelExact(zapcore.InfoLevel).Len(); n != warned {
			t.Errorf("%d recoveries for %d warnings", n, warned)
		}
		if left := batches - warned - short; left < 0 || left > 60 {
			t.Errorf("%d failures, %d of them logged and %d counted there", batches, warned, short)
		}
	})
}

func TestPausesWhenRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, events(1, 2))
		mended := time.Now().Add(time.Hour)
		b.sink.fail = func(int, []aictail.Event) error {
			if time.Now().Before(mended) {
				return &sinks.Error{Kind: sinks.Refused, Err: errors.New("the token is disabled")}
			}
			return nil
		}
		done := make(chan error)
		go func() { done <- b.worker.Run(t.Context()) }()
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := testutil.ToFloat64(b.worker.deps.Metrics.paused.WithLabelValues("test")); got != 1 {
			t.Errorf("sink_paused is %v, want 1", got)
		}
		if err := b.worker.Health(); err == nil || !strings.Contains(err.Error(), "token is disabled") {
			t.Errorf("health: %v, want the reason", err)
		}
		if lag := b.worker.Lag(); lag < 2*time.Minute {
			t.Errorf("lag %s, want that of an undelivered event of two minutes", lag)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		b.wantAll(t, 2)
		if probes := time.Hour / probeInterval; b.sink.calls > int(probes)+2 {
			t.Errorf("%d probes in an hour, want about %d", b.sink.calls, probes)
		}
		if got := testutil.ToFloat64(b.worker.deps.Metrics.paused.WithLabelValues("test")); got != 0 {
			t.Errorf("sink_paused is %v after recovery, want 0", got)
		}
		if got := b.worker.Lag(); got != 0 {
			t.Errorf("lag %s after delivery, want 0", got)
		}
	})
}

func TestSplits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, events(1, 10))
		var sizes []int
		b.sink.fail = func(_ int, events []aictail.Event) error {
			sizes = append(sizes, len(events))
			if len(events) > 3 {
				return &sinks.Error{Kind: sinks.Split, Err: errors.New("413")}
			}
			return nil
		}
		if err := b.worker.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.wantAll(t, 10)
		if want := []int{10, 5, 3, 2, 5, 3, 2}; !slices.Equal(sizes, want) {
			t.Errorf("batch sizes %v, want %v", sizes, want)
		}
		want := []string{"4: 3 sent", "6: 5 sent", "9: 8 sent", "11: 10 sent"}
		if diff := cmp.Diff(want, b.store.commits); diff != "" {
			t.Errorf("commits (-want +got):\n%s", diff)
		}
	})
}

func TestWaitsAsLongAsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, events(1, 1))
		b.sink.fail = func(call int, _ []aictail.Event) error {
			if call == 1 {
				return &sinks.Error{Kind: sinks.Retry, After: 7 * time.Minute, Err: errors.New("429")}
			}
			return nil
		}
		start := time.Now()
		if err := b.worker.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := time.Since(start); got != 7*time.Minute {
			t.Errorf("waited %s, want 7m", got)
		}
	})
}

// TestStopCommitsWhatWasSent: a stop between Send and the commit must not undo
// the Send.
func TestStopCommitsWhatWasSent(t *testing.T) {
	b := newBench(t, events(1, 2))
	b.reader.open = true
	ctx, cancel := context.WithCancel(t.Context())
	b.sink.fail = func(int, []aictail.Event) error { cancel(); return nil }
	if err := b.worker.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("Run: %v, want the context's error", err)
	}
	if diff := cmp.Diff([]string{"3: 2 sent"}, b.store.commits); diff != "" {
		t.Errorf("commits (-want +got):\n%s", diff)
	}
}

// TestStopGivesUpOnABrokenStore: a commit that fails during the stop must not
// hold the stop up.
func TestStopGivesUpOnABrokenStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, events(1, 2))
		b.store.fails = 1000
		ctx, cancel := context.WithCancel(t.Context())
		b.sink.fail = func(int, []aictail.Event) error { cancel(); return nil }
		start := time.Now()
		if err := b.worker.Run(ctx); err == nil {
			t.Error("Run returned nil although the commit had failed")
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("the stop took %s", took)
		}
	})
}
