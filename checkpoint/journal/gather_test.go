package journal

import (
	"context"
	"errors"
	"io"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// next reads once and returns the ids and how long it took.
func next(t *testing.T, ctx context.Context, r *Reader, limit Limit) ([]string, time.Duration, error) {
	t.Helper()
	start := time.Now()
	events, _, err := r.Next(ctx, limit)
	var got []string
	for i := range events {
		got = append(got, string(events[i].ID))
	}
	return got, time.Since(start), err
}

// TestNextGathers: with a time in the limit Next waits for more until then, and no
// longer than the limit wants.
func TestNextGathers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := mustOpen(t, Options{FS: newFakeFS()})
		r := j.NewReader(0)
		defer r.Close()
		// One event every 100 ms, each in a record of its own.
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			for _, id := range ids("e", 100) {
				select {
				case <-ctx.Done():
					return
				case <-time.After(100 * time.Millisecond):
				}
				mustStore(t, j, testRecord("s", id))
			}
		}()
		start := time.Now()
		got, took, err := next(t, ctx, r, Limit{NotBefore: start.Add(1050 * time.Millisecond)})
		if len(got) != 10 || took != 1050*time.Millisecond || err != nil {
			t.Errorf("%d events after %s, %v; want what came within the time", len(got), took, err)
		}
		got, took, err = next(t, ctx, r, Limit{Events: 3, NotBefore: start.Add(time.Hour)})
		if len(got) != 3 || took != 250*time.Millisecond || err != nil {
			t.Errorf("%d events after %s, %v; want three as soon as they are there", len(got), took, err)
		}
		size := len(testEvent("e0").Raw)
		got, took, err = next(t, ctx, r, Limit{Bytes: 10 * size, NotBefore: start.Add(time.Hour)})
		if len(got) == 0 || len(got) > 10 || took > time.Second || err != nil {
			t.Errorf("%d events after %s, %v; want about ten", len(got), took, err)
		}
		// Nothing waits for a time that has passed, nor when the context has ended.
		got, took, err = next(t, ctx, r, Limit{NotBefore: start})
		if len(got) != 1 || took > 100*time.Millisecond || err != nil {
			t.Errorf("%d events after %s, %v", len(got), took, err)
		}
		_, took, err = next(t, ended(), r, Limit{NotBefore: start.Add(time.Hour)})
		if took != 0 || !errors.Is(err, errNoMore) {
			t.Errorf("with an ended context: %s, %v", took, err)
		}
		stop()
		<-done

		// The end of appending ends the waiting.
		mustStore(t, j, testRecord("s", "last"))
		time.AfterFunc(time.Second, j.CloseAppend)
		got, took, err = next(t, t.Context(), r, Limit{NotBefore: time.Now().Add(time.Hour)})
		if len(got) == 0 || got[len(got)-1] != "last" || took != time.Second || err != nil {
			t.Errorf("%v after %s, %v", got, took, err)
		}
		if _, _, err := next(t, t.Context(), r, Limit{NotBefore: time.Now().Add(time.Hour)}); !errors.Is(err, io.EOF) {
			t.Errorf("after the end: %v", err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestSince finds records by the time they were written, over several segments,
// before and after a restart.
func TestSince(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := newFakeFS()
		opts := Options{FS: fs, SegmentSize: 700, Retain: 30 * time.Minute}
		j := mustOpen(t, opts)
		if found, oldest, err := j.Since(time.Now()); found != (Place{}) || oldest != (Place{}) || err != nil {
			t.Errorf("of an empty journal: %+v, %+v, %v", found, oldest, err)
		}
		start := time.Now()
		at := func(minute int) time.Time { return start.Add(time.Duration(minute) * time.Minute) }
		mustStore(t, j, Record{Stream: "s", Checkpoint: []byte("no events")})
		var places []Place
		for i := range 20 {
			time.Sleep(time.Until(at(i + 1)))
			pos, _ := mustStore(t, j, testRecord("s", ids(string(rune('A'+i)), 1+i%3)...))
			places = append(places, Place{pos, time.Now()})
			mustStore(t, j, Record{Stream: "s", Checkpoint: []byte("no events")})
		}
		check := func(first int) {
			t.Helper()
			for minute := range 23 {
				for _, off := range []time.Duration{-time.Second, 0} {
					want := Place{}
					if i := max(minute-1, first); i < len(places) {
						want = places[i]
					}
					found, oldest, err := j.Since(at(minute).Add(off))
					if !samePlace(found, want) || !samePlace(oldest, places[first]) || err != nil {
						t.Errorf("since minute %d%+v: %+v, oldest %+v, %v; want %+v", minute, off, found, oldest, err, want)
					}
				}
			}
		}
		check(0)
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		j = mustOpen(t, opts)
		check(0)

		// What was trimmed is not found any more.
		time.Sleep(time.Until(at(40)))
		if err := j.Trim(j.Stats().Next, j.Stats().Next); err != nil {
			t.Fatal(err)
		}
		first := 0
		for places[first].Position < j.Stats().First {
			first++
		}
		if first == 0 {
			t.Fatal("nothing was trimmed")
		}
		check(first)
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func samePlace(a, b Place) bool {
	return a.Position == b.Position && a.Written.Equal(b.Written)
}

// TestSinceOnABrokenDisk: an error is one, and not "nothing there".
func TestSinceOnABrokenDisk(t *testing.T) {
	fs := newFakeFS()
	j := mustOpen(t, Options{FS: fs})
	mustStore(t, j, testRecord("s", "a"))
	fs.setFail(func(string, int) error { return syscall.EIO })
	if found, _, err := j.Since(time.Now().Add(-time.Hour)); err == nil {
		t.Errorf("Since: %+v without an error", found)
	}
	fs.setFail(nil)
	if found, _, err := j.Since(time.Now().Add(-time.Hour)); found.Position != 1 || err != nil {
		t.Errorf("Since once the disk works again: %+v, %v", found, err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestTrimSparesWhatIsReadAgain: a reader that was set back holds the journal.
func TestTrimSparesWhatIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := mustOpen(t, Options{FS: newFakeFS(), SegmentSize: 700})
		want := ids("e", 30)
		for _, id := range want {
			mustStore(t, j, testRecord("s", id))
		}
		r := j.NewReader(0)
		defer r.Close()
		if _, err := readMore(r, Limit{}); err != nil {
			t.Fatal(err)
		}
		r.Seek(1)
		time.Sleep(time.Hour)
		trim := func() {
			if err := j.Trim(r.Passed(), j.Stats().Next); err != nil {
				t.Fatal(err)
			}
		}
		trim()
		if first := j.Stats().First; first != 1 {
			t.Errorf("the journal begins at %d, want 1", first)
		}
		got, err := readMore(r, Limit{Events: 7})
		if len(got) != len(want) || err != nil {
			t.Errorf("%d events were read again, %v; want %d", len(got), err, len(want))
		}
		trim()
		if first := j.Stats().First; first == 1 {
			t.Error("nothing was trimmed once it was read again")
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
