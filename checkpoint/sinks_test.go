package checkpoint

import (
	"errors"
	"testing"

	"aictail"
)

// TestRewindSink: only RewindSink goes back, the state stays, and what was reached
// once is not forgotten.
func TestRewindSink(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir)
	want := func(position, reached aictail.Position) {
		t.Helper()
		got, _, err := s.Sink("siem")
		if got.Position != position || string(got.State) != "a" || err != nil {
			t.Errorf("sink %+v, %v; want position %d", got, err, position)
		}
		if got, err := s.Reached(); got != reached || err != nil {
			t.Errorf("reached %d, %v; want %d", got, err, reached)
		}
	}
	if err := errors.Join(s.CommitSink("siem", 70, []byte("a")), s.CommitSink("other", 30, nil), s.SaveStreams(nil, 60)); err != nil {
		t.Fatal(err)
	}
	want(70, 70)
	for _, step := range []struct{ to, from, position aictail.Position }{
		{70, 70, 70}, {99, 70, 70}, {20, 70, 20}, {10, 20, 10},
	} {
		from, err := s.RewindSink("siem", step.to)
		if from != step.from || err != nil {
			t.Errorf("RewindSink(%d): from %d, %v; want %d", step.to, from, err, step.from)
		}
		want(step.position, 70)
	}
	if err := s.CommitSink("siem", 9, nil); err == nil {
		t.Error("CommitSink went back")
	}
	mustClose(t, s)
	s = mustOpen(t, dir)
	want(10, 70)
	if err := s.CommitSink("siem", 80, []byte("a")); err != nil {
		t.Fatal(err)
	}
	want(80, 80)
	if from, err := s.RewindSink("nobody", 5); from != 0 || err != nil {
		t.Errorf("a sink that has no position: %d, %v", from, err)
	}
	mustClose(t, s)
}
