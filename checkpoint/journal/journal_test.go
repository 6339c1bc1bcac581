package journal

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"aictail"
)

func TestRoundTripOnDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "journal")
	events := []aictail.Event{
		{ID: []byte("a"), Tenant: "prod", Source: "am-access", Type: "application/json", Time: time.Unix(1, 5).UTC(), Raw: []byte(`{"payload":"x"}`), Payload: aictail.Span{Start: 11, End: 14}},
		{ID: []byte{}, Raw: []byte{}},
		{ID: []byte("c"), Tenant: "prod", Source: "idm-core", Type: "text/plain", Time: time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC), Raw: []byte(`{}`)},
		{ID: []byte("d"), Tenant: "other", Time: time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC), Raw: bytes.Repeat([]byte("é"), 5000)},
	}
	j := mustOpen(t, Options{Dir: dir})
	first, next := mustStore(t, j, Record{Stream: "tail/prod/am-access", Checkpoint: []byte("c1"), Events: events})
	if first != 1 || next != 5 {
		t.Fatalf("positions %d, %d", first, next)
	}
	for i := range events {
		events[i].Position = aictail.Position(i + 1)
	}
	check := func(j *Journal) {
		t.Helper()
		r := j.NewReader(1)
		defer r.Close()
		var got []aictail.Event
		for len(got) < len(events) {
			es, _, err := r.Next(t.Context(), Limit{Events: 3})
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range es {
				e.ID, e.Raw = bytes.Clone(e.ID), bytes.Clone(e.Raw)
				got = append(got, e)
			}
		}
		if d := cmp.Diff(events, got); d != "" {
			t.Error(d)
		}
	}
	check(j)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = mustOpen(t, Options{Dir: dir})
	check(j)
	if f, _ := mustStore(t, j, testRecord("s", "z")); f != 5 {
		t.Errorf("first position after reopening: %d", f)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]fs.FileMode{"": 0o750, segmentName(1): 0o640, segmentName(5): 0o640} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got&^want != 0 {
			t.Errorf("%q has mode %o", name, got)
		}
	}
}

func TestOnlyDurableRecordsAreVisible(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := mustOpen(t, Options{FS: newFakeFS()})
		first, _ := mustAppend(t, j, testRecord("s", "a", "b"))
		if got := readAll(t, j, 1); got != nil {
			t.Errorf("read %v before Sync", got)
		}
		if cps, pos := j.Checkpoints(); len(cps) != 0 || pos != 1 {
			t.Errorf("checkpoints %v up to %d before Sync", cps, pos)
		}
		got := make(chan []string)
		go func() {
			r := j.NewReader(2)
			defer r.Close()
			events, next, err := r.Next(context.Background(), Limit{})
			if err != nil || next != 3 {
				t.Errorf("next %d, %v", next, err)
			}
			var ids []string
			for _, e := range events {
				ids = append(ids, string(e.ID))
			}
			got <- ids
		}()
		synctest.Wait()
		if err := j.Sync(t.Context(), first); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff([]string{"b"}, <-got); d != "" {
			t.Error(d)
		}
		if cps, pos := j.Checkpoints(); string(cps["s"]) != "after b" || pos != 3 {
			t.Errorf("checkpoints %q up to %d", cps, pos)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestSyncIsShared(t *testing.T) {
	f := newFakeFS()
	j := mustOpen(t, Options{FS: f})
	mustStore(t, j, testRecord("s", "0"))
	const callers = 20
	var positions []aictail.Position
	for i := range callers {
		first, _ := mustAppend(t, j, testRecord("s", "x"+string(rune('a'+i))))
		positions = append(positions, first)
	}
	syncs := 0
	f.setFail(func(op string, _ int) error {
		if op == "sync" {
			syncs++
		}
		return nil
	})
	var wg sync.WaitGroup
	for _, p := range positions {
		wg.Go(func() {
			if err := j.Sync(t.Context(), p); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if syncs != 1 {
		t.Errorf("%d fsyncs for %d callers whose records were written before", syncs, callers)
	}
	if err := j.Sync(t.Context(), 1000); err == nil {
		t.Error("Sync of a position that was never given out returned nil")
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestReaderLimitsAndPositions(t *testing.T) {
	f := newFakeFS()
	j := mustOpen(t, Options{FS: f, SegmentSize: 2000})
	var want []string
	for i := range 30 {
		some := ids(string(rune('A'+i)), i%7)
		mustStore(t, j, Record{Stream: "s", Events: testRecord("s", some...).Events})
		want = append(want, some...)
	}
	for _, limit := range []Limit{{}, {Events: 1}, {Events: 4}, {Bytes: 1}, {Bytes: 250}, {Events: 100, Bytes: 1 << 30}} {
		r := j.NewReader(0)
		got, err := readMore(r, limit)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%+v: %s", limit, d)
		}
		// All that is left is passed, records without events too.
		if _, next, err := r.Next(ended(), limit); next != j.Stats().Next || !errors.Is(err, errNoMore) {
			t.Errorf("%+v: next %d, %v", limit, next, err)
		}
		r.Close()
	}
	// From every position the same sequence follows.
	all := map[aictail.Position]string{}
	r := j.NewReader(0)
	for {
		events, _, err := r.Next(ended(), Limit{})
		if err != nil {
			break
		}
		for _, e := range events {
			all[e.Position] = string(e.ID)
		}
	}
	for from := aictail.Position(0); from <= j.Stats().Next; from++ {
		var want []string
		for p := from; p < j.Stats().Next; p++ {
			if id, ok := all[p]; ok {
				want = append(want, id)
			}
		}
		r.Seek(from)
		got, err := readMore(r, Limit{Events: 3})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("from %d: %s", from, d)
		}
	}
	r.Close()
	if _, _, err := r.Next(t.Context(), Limit{}); !errors.Is(err, ErrClosed) {
		t.Errorf("closed reader: %v", err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

// Events of one call must not change while later records are read into buffers.
func TestEventsStayValidDuringTheCall(t *testing.T) {
	j := mustOpen(t, Options{FS: newFakeFS(), SegmentSize: 300 << 10})
	var want []string
	for i := range 40 {
		big := testEvent("x" + string(rune('A'+i)))
		big.Raw = append(big.Raw, bytes.Repeat([]byte{byte('a' + i%26)}, 60<<10)...)
		mustStore(t, j, Record{Stream: "s", Events: []aictail.Event{big}})
		want = append(want, string(big.Raw))
	}
	r := j.NewReader(1)
	defer r.Close()
	var got []string
	largest := 0
	for len(got) < len(want) {
		events, _, err := r.Next(ended(), Limit{Bytes: 600 << 10})
		if err != nil {
			t.Fatal(err)
		}
		largest = max(largest, len(events))
		for _, e := range events {
			got = append(got, string(e.Raw))
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error("events changed")
	}
	if largest < 5 {
		t.Errorf("the largest batch had %d events: records are not joined", largest)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestCloseAppend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := mustOpen(t, Options{FS: newFakeFS()})
		first, _ := mustAppend(t, j, testRecord("s", "a"))
		r := j.NewReader(1)
		done := make(chan error, 1)
		go func() {
			if events, _, err := r.Next(context.Background(), Limit{}); err != nil || len(events) != 1 {
				done <- errors.Join(err, errors.New("no event"))
				return
			}
			_, _, err := r.Next(context.Background(), Limit{})
			done <- err
		}()
		synctest.Wait()
		j.CloseAppend()
		if err := <-done; !errors.Is(err, io.EOF) {
			t.Errorf("after the last record: %v", err)
		}
		if err := j.Sync(t.Context(), first); err != nil {
			t.Error(err)
		}
		if _, _, err := j.Append(testRecord("s", "b")); !errors.Is(err, ErrClosed) {
			t.Errorf("Append: %v", err)
		}
		if err := j.WaitRoom(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("WaitRoom: %v", err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		if _, _, err := r.Next(t.Context(), Limit{}); !errors.Is(err, ErrClosed) {
			t.Errorf("Next: %v", err)
		}
		r.Close()
	})
}

func TestRefusesWhatItCannotHold(t *testing.T) {
	j := mustOpen(t, Options{FS: newFakeFS()})
	bad := testEvent("secret-id")
	bad.Payload.End = len(bad.Raw) + 1
	huge := aictail.Event{Raw: make([]byte, maxRecord)}
	for name, c := range map[string]struct {
		rec Record
		is  error
	}{
		"span":   {Record{Events: []aictail.Event{bad}}, nil},
		"stream": {Record{Stream: strings.Repeat("s", maxStream)}, ErrTooLarge},
		"size":   {Record{Events: []aictail.Event{huge}}, ErrTooLarge},
	} {
		_, _, err := j.Append(c.rec)
		if err == nil || c.is != nil && !errors.Is(err, c.is) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if first, _ := mustStore(t, j, testRecord("s", "a")); first != 1 {
		t.Errorf("first position %d", first)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestTrimAndFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeFS()
		j := mustOpen(t, Options{FS: f, MaxSize: 8000, Retain: time.Hour})
		var next aictail.Position
		for !j.Full() {
			_, next = mustStore(t, j, testRecord("s", ids("e", 3)...))
		}
		trim := func(passed, applied aictail.Position) Stats {
			t.Helper()
			if err := j.Trim(passed, applied); err != nil {
				t.Fatal(err)
			}
			return j.Stats()
		}
		full := j.Stats()
		if s := trim(next, next); s.Segments != full.Segments {
			t.Errorf("trimmed records younger than MinRetain: %+v", s)
		}
		room := make(chan error, 1)
		go func() { room <- j.WaitRoom(context.Background()) }()
		time.Sleep(MinRetain)
		synctest.Wait()
		if s := trim(next, 1); s.Segments != full.Segments {
			t.Errorf("trimmed records that are not applied: %+v", s)
		}
		if s := trim(1, next); s.Segments != full.Segments {
			t.Errorf("trimmed records that are not passed: %+v", s)
		}
		s := trim(next, next)
		if s.Segments >= full.Segments || s.Bytes < 8000/2 {
			t.Errorf("a full journal was trimmed to %+v", s)
		}
		if err := <-room; err != nil {
			t.Error(err)
		}
		time.Sleep(time.Hour)
		if s := trim(next, next); s.Segments != 1 {
			t.Errorf("after the retention: %+v", s)
		}
		if got := readAll(t, j, 0); len(got) == 0 {
			t.Error("the newest segment is gone")
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		j = mustOpen(t, Options{FS: f})
		if s := j.Stats(); s.Next != next {
			t.Errorf("next position %d, want %d", s.Next, next)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// One record that fills the journal alone must not stop it for ever.
func TestTrimOfALoneSegment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := mustOpen(t, Options{FS: newFakeFS(), MaxSize: 1000})
		_, next := mustStore(t, j, testRecord("s", ids("e", 10)...))
		time.Sleep(MinRetain)
		if err := j.Trim(next, next); err != nil {
			t.Fatal(err)
		}
		if j.Full() {
			t.Errorf("still full: %+v", j.Stats())
		}
		if first, _ := mustStore(t, j, testRecord("s", "x")); first < next {
			t.Errorf("position %d was used before", first)
		}
		if d := cmp.Diff([]string{"x"}, readAll(t, j, next)); d != "" {
			t.Error(d)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestFullDisk(t *testing.T) {
	f := newFakeFS()
	j := mustOpen(t, Options{FS: f})
	mustStore(t, j, testRecord("s", "a"))
	pending, _ := mustAppend(t, j, testRecord("t", "b"))
	mustAppend(t, j, testRecord("u", "never repeated"))
	f.setFail(func(op string, _ int) error {
		if op == "write" || op == "open" {
			return syscall.ENOSPC
		}
		return nil
	})
	for range 3 {
		_, _, err := j.Append(testRecord("s", "c"))
		if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), testDir) || !strings.Contains(err.Error(), "free space") {
			t.Errorf("Append: %v", err)
		}
	}
	if err := j.Sync(t.Context(), pending); !errors.Is(err, ErrVoid) || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Sync of a void record: %v", err)
	}
	f.setFail(nil)
	mustStore(t, j, testRecord("s", "c"))
	mustStore(t, j, testRecord("t", "b"))
	if err := j.Sync(t.Context(), pending); !errors.Is(err, ErrVoid) {
		t.Errorf("a void record became durable: %v", err)
	}
	if d := cmp.Diff([]string{"a", "c", "b"}, readAll(t, j, 0)); d != "" {
		t.Error(d)
	}
	if cps, _ := j.Checkpoints(); string(cps["s"]) != "after c" || string(cps["t"]) != "after b" || cps["u"] != nil {
		t.Errorf("checkpoints %q", cps)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestAtLeast(t *testing.T) {
	f := newFakeFS()
	var damages []Damage
	o := Options{FS: f, AtLeast: 100, OnDamage: func(d Damage) { damages = append(damages, d) }}
	j := mustOpen(t, o)
	if len(damages) != 1 || damages[0].First != 1 || damages[0].Next != 100 {
		t.Errorf("damages %+v", damages)
	}
	if first, _ := mustStore(t, j, testRecord("s", "a")); first != 100 {
		t.Errorf("first position %d", first)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = mustOpen(t, o)
	if len(damages) != 1 {
		t.Errorf("reported again: %+v", damages)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestRecover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeFS()
		j := mustOpen(t, Options{FS: f, SegmentSize: 700})
		for i := range 20 {
			mustStore(t, j, testRecord([]string{"a", "b", "c"}[i%3], "e"+string(rune('A'+i))))
			time.Sleep(time.Second)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			from  aictail.Position
			since time.Duration
			want  string
		}{
			{math.MaxUint64, 0, "T"},
			{math.MaxUint64, 4 * time.Second, "PQRST"},
			{19, 0, "ST"},
			{19, 3 * time.Second, "QRST"},
			{12, 3 * time.Second, "LMNOPQRST"},
			{1, 0, "ABCDEFGHIJKLMNOPQRST"},
			{0, time.Hour, "ABCDEFGHIJKLMNOPQRST"},
		} {
			j := mustOpen(t, Options{FS: f})
			got := ""
			err := j.Recover(c.from, c.since, func(r RecordInfo) error {
				id := string(r.Events[0].ID)
				if string(r.Checkpoint) != "after "+id || r.Next != r.First+1 || r.Appended.IsZero() {
					t.Errorf("record %+v", r)
				}
				got += id[1:]
				return nil
			})
			if err != nil || got != c.want {
				t.Errorf("from %d since %v: %s, want %s, %v", c.from, c.since, got, c.want, err)
			}
			if cps, pos := j.Checkpoints(); pos != 21 || string(cps["b"]) != "after eT" {
				t.Errorf("checkpoints %q up to %d", cps, pos)
			}
			boom := errors.New("boom")
			if err := j.Recover(1, 0, func(RecordInfo) error { return boom }); !errors.Is(err, boom) {
				t.Errorf("error of fn: %v", err)
			}
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestRemovedSegment: somebody has deleted a file to make room. The reader does not go
// on as if nothing had been there, and says what to do.
func TestRemovedSegment(t *testing.T) {
	f := newFakeFS()
	j := mustOpen(t, Options{FS: f, SegmentSize: 1})
	mustStore(t, j, testRecord("s", "a"))
	mustStore(t, j, testRecord("s", "b"))
	if err := f.Remove(filepath.Join(testDir, segmentName(1))); err != nil {
		t.Fatal(err)
	}
	r := j.NewReader(1)
	defer r.Close()
	_, _, err := r.Next(ended(), Limit{})
	if err == nil || !strings.Contains(err.Error(), "put it back") || !strings.Contains(err.Error(), "aictail backfill") {
		t.Errorf("got %v, want a remedy", err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}
