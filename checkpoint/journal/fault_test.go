package journal

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"aictail"
)

// world is a workload on a journal that fails and crashes, together with what
// the appenders were told and what a sink has read.
type world struct {
	fs      *fakeFS
	j       *Journal
	damages []Damage

	acked   []string          // ids whose Sync returned nil, in order
	open    map[string]string // by stream: the id that must be appended again
	unsure  map[string]bool   // ids appended whose outcome a crash left open
	read    []string          // what the sink got
	passed  aictail.Position  // of the sink
	applied aictail.Position
	serial  int
}

func newWorld() *world {
	return &world{fs: newFakeFS(), open: map[string]string{}, unsure: map[string]bool{}, passed: 1}
}

var worldStreams = []string{"tail/a", "tail/b", "sweep/a"}

// reopen opens the journal, trying again as long as the disk fails.
func (w *world) reopen() error {
	var err error
	for range 50 {
		w.j, err = Open(Options{
			Dir: testDir, FS: w.fs, SegmentSize: 900, MaxSize: 1 << 20, AtLeast: max(w.passed, w.applied),
			OnDamage: func(d Damage) { w.damages = append(w.damages, d) },
		})
		if err == nil {
			return nil
		}
	}
	return err
}

// append appends a record to a stream, the one that failed before if there is one.
func (w *world) append(stream string) (string, aictail.Position) {
	id := w.open[stream]
	if id == "" {
		w.serial++
		id = fmt.Sprintf("%s-%d", stream, w.serial)
		w.open[stream] = id
	}
	first, _, err := w.j.Append(testRecord(stream, id+"/1", id+"/2"))
	if err != nil {
		return id, 0
	}
	return id, first
}

// round appends to all streams, then waits for all. Only then records that a
// crash would leave open are known to be settled.
func (w *world) round() {
	type appended struct {
		stream, id string
		pos        aictail.Position
	}
	var all []appended
	for _, s := range worldStreams {
		if id, pos := w.append(s); pos > 0 {
			all = append(all, appended{s, id, pos})
		}
	}
	for _, a := range all {
		if err := w.j.Sync(context.Background(), a.pos); err == nil {
			w.acked = append(w.acked, a.id+"/1", a.id+"/2")
			delete(w.open, a.stream)
		}
	}
}

// deliver lets the sink read everything there is, and start anew at its stored
// position after an error.
func (w *world) deliver() error {
	r := w.j.NewReader(w.passed)
	defer r.Close()
	for {
		events, next, err := r.Next(ended(), Limit{Events: 3})
		if errors.Is(err, errNoMore) {
			w.passed = next
			return nil
		}
		if err != nil {
			if errors.Is(err, syscall.EIO) {
				return nil
			}
			return err
		}
		for _, e := range events {
			w.read = append(w.read, string(e.ID))
		}
		w.passed = next
	}
}

// forget is what the end of the process means to the appenders: what was not
// acknowledged may have been kept, and they don't repeat it.
func (w *world) forget() {
	for _, id := range w.open {
		w.unsure[id] = true
	}
	clear(w.open)
}

// crash is a power failure.
func (w *world) crash(rng *rand.Rand) error {
	w.forget()
	w.fs.crash(rng)
	return w.reopen()
}

// check compares what the sink got with what was acknowledged.
func (w *world) check() error {
	if err := w.deliver(); err != nil {
		return err
	}
	var got []string
	for i := 0; i < len(w.read); i++ {
		if id := w.read[i]; len(id) > 2 && w.unsure[id[:len(id)-2]] {
			// A record is kept as a whole or not at all.
			if i+1 == len(w.read) || w.read[i+1] != id[:len(id)-1]+"2" {
				return fmt.Errorf("half of record %s", id)
			}
			delete(w.unsure, id[:len(id)-2]) // and once
			i++
			continue
		}
		got = append(got, w.read[i])
	}
	if d := cmp.Diff(w.acked, got); d != "" {
		return fmt.Errorf("acknowledged -, read +:\n%s", d)
	}
	if len(w.damages) > 0 {
		return fmt.Errorf("damage reported: %+v", w.damages)
	}
	return nil
}

// workload is a run with rotation, reading, trimming and two restarts.
func (w *world) workload() error {
	for i := range 11 {
		w.round()
		if i%3 == 2 {
			if err := w.deliver(); err != nil {
				return err
			}
			_, w.applied = w.j.Checkpoints()
			_ = w.j.Trim(w.passed, w.applied)
		}
		if i == 4 || i == 7 {
			// An error of Close says that records became void; their Sync said so.
			_ = w.j.Close()
			w.forget()
			if err := w.reopen(); err != nil {
				return err
			}
			if err := w.j.Recover(w.applied, 0, func(RecordInfo) error { return nil }); err != nil && !errors.Is(err, syscall.EIO) {
				return err
			}
		}
	}
	return nil
}

// Every single file operation fails, once or for a while, and afterwards the
// machine goes on or crashes: whatever was acknowledged is read once, nothing else.
func TestEveryFileOperationFails(t *testing.T) {
	count := newWorld()
	err := errors.Join(count.reopen(), count.workload())
	total := count.fs.ops
	if err := errors.Join(err, count.check(), count.j.Close()); err != nil {
		t.Fatal(err)
	}
	if total < 150 {
		t.Fatalf("the workload has only %d file operations", total)
	}
	for _, length := range []int{1, 2, 20} {
		// A long outage meets the same places from many starts: a sample will do.
		step := 1
		if length > 2 {
			step = 4
		}
		for n := 1; n <= total; n += step {
			for _, crash := range []bool{false, true} {
				w := newWorld()
				w.fs.fail = func(_ string, i int) error {
					if i >= n && i < n+length {
						return syscall.EIO
					}
					return nil
				}
				err := errors.Join(w.reopen(), w.workload())
				w.fs.setFail(nil)
				if crash && err == nil {
					err = w.crash(rand.New(rand.NewPCG(uint64(n), uint64(length))))
				}
				if err == nil {
					w.round()
					err = w.check()
				}
				if len(w.open) > 0 {
					t.Errorf("operation %d: the journal does not go on after the fault", n)
				}
				if w.fs.failed == 0 {
					t.Errorf("operation %d did not fail", n)
				}
				if err == nil {
					err = w.j.Close()
				}
				if err != nil {
					t.Fatalf("operations %d to %d fail, crash %t: %v", n, n+length-1, crash, err)
				}
			}
		}
	}
}

// Random operations, faults, crashes and trims.
func TestRandomFaultsAndCrashes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		if err := w.reopen(); err != nil {
			t.Fatal(err)
		}
		step := func(err error) {
			if err != nil {
				t.Fatal(err)
			}
		}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			switch rapid.SampledFrom([]string{"round", "round", "append", "read", "trim", "crash", "fault", "restart"}).Draw(t, "step") {
			case "round":
				w.round()
			case "append": // and nobody waits for it: a crash leaves it open
				stream := fmt.Sprintf("lost/%d", w.serial)
				if id, pos := w.append(stream); pos > 0 || id != "" {
					w.unsure[id] = true
					delete(w.open, stream)
				}
			case "read":
				step(w.deliver())
			case "trim":
				_, w.applied = w.j.Checkpoints()
				step(w.j.Trim(w.passed, w.applied))
			case "crash":
				step(w.crash(rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))))
			case "fault":
				at := w.fs.ops + rapid.IntRange(1, 30).Draw(t, "after")
				until := at + rapid.IntRange(1, 20).Draw(t, "for")
				w.fs.setFail(func(_ string, n int) error {
					if n >= at && n < until {
						return syscall.EIO
					}
					return nil
				})
				for range 6 {
					w.round()
				}
				w.fs.setFail(nil)
			case "restart":
				step(w.j.Close())
				w.forget()
				step(w.reopen())
			}
		}
		w.round()
		step(w.check())
		step(w.j.Close())
	})
}

// A torn end is cut at every length, with nothing of it shown or reported.
func TestTornTail(t *testing.T) {
	build := func() (*fakeFS, string, int64) {
		f := newFakeFS()
		j := mustOpen(t, Options{FS: f})
		mustStore(t, j, testRecord("s", "a", "b"))
		name := f.segmentNames()[0]
		end := int64(len(f.names[name].data))
		mustAppend(t, j, testRecord("s", "c", "d"))
		return f, name, end
	}
	f, name, end := build()
	full := int64(len(f.names[name].data))
	for size := end; size <= full; size += 3 {
		f, name, _ := build()
		n := f.names[name]
		n.data = n.data[:size]
		j := mustOpen(t, Options{FS: f}) // reports no damage
		want := []string{"a", "b"}
		if size == full {
			want = append(want, "c", "d")
		} else if got := int64(len(n.durable)); got != end {
			t.Errorf("torn at %d: the file has %d durable bytes, want %d", size, got, end)
		}
		mustStore(t, j, testRecord("s", "e"))
		if d := cmp.Diff(append(want, "e"), readAll(t, j, 0)); d != "" {
			t.Errorf("torn at %d: %s", size, d)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// After a power failure a later unsynced record may be whole while an earlier one
// is torn. Its checkpoint must not count: the earlier events would be skipped.
func TestTornGroup(t *testing.T) {
	f := newFakeFS()
	j := mustOpen(t, Options{FS: f})
	mustStore(t, j, testRecord("s", "a"))
	name := f.segmentNames()[0]
	torn := int64(len(f.names[name].data))
	mustAppend(t, j, Record{Stream: "s", Events: testRecord("s", "b").Events})
	mustAppend(t, j, testRecord("s", "c"))
	f.damage(name, torn+recordHeaderSize+20)
	var damages []Damage
	j = mustOpen(t, Options{FS: f, OnDamage: func(d Damage) { damages = append(damages, d) }})
	if err := j.Recover(0, 0, func(RecordInfo) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if cps, pos := j.Checkpoints(); string(cps["s"]) != "after a" || pos != 2 {
		t.Errorf("checkpoints %q up to %d", cps, pos)
	}
	if len(damages) != 1 || damages[0].First != 2 || damages[0].Next != 4 || damages[0].SetAside == "" {
		t.Errorf("damages %+v", damages)
	}
	mustStore(t, j, testRecord("s", "b", "c"))
	if d := cmp.Diff([]string{"a", "b", "c"}, readAll(t, j, 0)); d != "" {
		t.Error(d)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

// damageFixture has three segments of three records of two events each.
func damageFixture(t *testing.T) (*fakeFS, []string) {
	t.Helper()
	f := newFakeFS()
	var all []string
	for s := range 3 {
		j := mustOpen(t, Options{FS: f})
		for r := range 3 {
			some := ids(fmt.Sprintf("%c%d", 'A'+s, r), 2)
			mustStore(t, j, testRecord(fmt.Sprintf("stream%d", r), some...))
			all = append(all, some...)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return f, all
}

// Any single damaged byte loses at most its record, is reported once with the
// positions that are missing, and never shows as an event.
func TestEveryDamagedByte(t *testing.T) {
	f, all := damageFixture(t)
	names := f.segmentNames()
	if len(names) != 3 {
		t.Fatalf("segments %v", names)
	}
	size := int64(len(f.names[names[1]].data))
	for s, name := range names {
		// Every byte of the middle one, a sample of the others.
		step := int64(1)
		if s != 1 {
			step = 5
		}
		for off := int64(0); off < size; off += step {
			f, _ := damageFixture(t)
			f.damage(name, off)
			var damages []Damage
			j, err := Open(Options{
				Dir: testDir, FS: f, AtLeast: aictail.Position(len(all) + 1),
				OnDamage: func(d Damage) { damages = append(damages, d) },
			})
			if err != nil {
				t.Fatalf("%s byte %d: %v", name, off, err)
			}
			first := readAll(t, j, 0)
			if err := j.Recover(0, 0, func(RecordInfo) error { return nil }); err != nil {
				t.Fatal(err)
			}
			if again := readAll(t, j, 0); !slices.Equal(first, again) {
				t.Errorf("%s byte %d: a second reader got something else", name, off)
			}
			var want []string
			lost := 0
			for i, id := range all {
				pos := aictail.Position(i + 1)
				if slices.ContainsFunc(damages, func(d Damage) bool { return d.First <= pos && pos < d.Next }) {
					lost++
					continue
				}
				want = append(want, id)
			}
			if d := cmp.Diff(want, first); d != "" {
				t.Fatalf("%s byte %d: %s\n%+v", name, off, d, damages)
			}
			if len(damages) != 1 || lost > 2 || off >= segmentHeaderSize && lost != 2 {
				t.Fatalf("%s byte %d: lost %d, damages %+v", name, off, lost, damages)
			}
			if d := damages[0]; d.File != name || f.names[d.SetAside] == nil || !errors.Is(d.Err, errDamaged) {
				t.Fatalf("%s byte %d: %+v", name, off, d)
			}
			if s == 2 { // positions go on
				if first, _ := mustStore(t, j, testRecord("s", "new")); first < aictail.Position(len(all)+1) {
					t.Fatalf("position %d was used before", first)
				}
			}
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestDamageSaysWhatIsMissing(t *testing.T) {
	f, _ := damageFixture(t)
	name := f.segmentNames()[1]
	f.damage(name, int64(len(f.names[name].data))-1) // body of the last record
	var damages []Damage
	j := mustOpen(t, Options{FS: f, OnDamage: func(d Damage) { damages = append(damages, d) }})
	readAll(t, j, 0)
	at := testEvent("x").Time
	if len(damages) != 1 || damages[0].Stream != "stream2" || !damages[0].From.Equal(at) || !damages[0].To.Equal(at) ||
		damages[0].First != 11 || damages[0].Next != 13 || damages[0].AppendedFrom.IsZero() {
		t.Errorf("%+v", damages)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestMissingAndShortSegments(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*fakeFS, []string)
		lost  [2]aictail.Position
	}{
		"missing": {func(f *fakeFS, names []string) { delete(f.names, names[1]) }, [2]aictail.Position{7, 13}},
		"short": {func(f *fakeFS, names []string) {
			n := f.names[names[1]]
			n.data = n.data[:len(n.data)/2]
		}, [2]aictail.Position{9, 13}},
		"empty": {func(f *fakeFS, names []string) { f.names[names[1]].data = nil }, [2]aictail.Position{7, 13}},
	} {
		t.Run(name, func(t *testing.T) {
			f, all := damageFixture(t)
			c.spoil(f, f.segmentNames())
			var first, next aictail.Position = 1 << 60, 0
			j := mustOpen(t, Options{FS: f, OnDamage: func(d Damage) {
				if d.First < d.Next {
					first, next = min(first, d.First), max(next, d.Next)
				}
			}})
			want := slices.Concat(all[:c.lost[0]-1], all[c.lost[1]-1:])
			if d := cmp.Diff(want, readAll(t, j, 0)); d != "" {
				t.Error(d)
			}
			if got := [2]aictail.Position{first, next}; got != c.lost {
				t.Errorf("reported %v, want %v", got, c.lost)
			}
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestUnknownVersion(t *testing.T) {
	f, _ := damageFixture(t)
	n := f.names[f.segmentNames()[0]]
	n.data[8] = 9
	le.PutUint32(n.data[60:], checksum(n.data[:60]))
	_, err := Open(Options{Dir: testDir, FS: f})
	if _, ok := errors.AsType[versionError](err); !ok {
		t.Errorf("Open: %v", err)
	}
}

// A record that a failed fsync left on the disk must not come back after a
// restart, even if the file could not be cut.
func TestVoidRecordsStayVoid(t *testing.T) {
	f := newFakeFS()
	j := mustOpen(t, Options{FS: f})
	mustStore(t, j, testRecord("s", "a"))
	first, _ := mustAppend(t, j, testRecord("s", "void"))
	f.setFail(func(op string, _ int) error {
		if op == "sync" || op == "truncate" {
			return syscall.EIO
		}
		return nil
	})
	if err := j.Sync(t.Context(), first); !errors.Is(err, ErrVoid) {
		t.Errorf("Sync: %v", err)
	}
	f.setFail(nil)
	mustStore(t, j, testRecord("s", "b"))
	for range 2 {
		if d := cmp.Diff([]string{"a", "b"}, readAll(t, j, 0)); d != "" {
			t.Error(d)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		j = mustOpen(t, Options{FS: f})
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestVoidsAreBounded(t *testing.T) {
	var v voids
	for i := range aictail.Position(3 * maxVoids) {
		v.add(10*i+1, 10*i+5, errors.New("x"))
	}
	if len(v.ranges) > maxVoids || v.check(3) == nil || v.check(30*maxVoids-9+2) == nil || v.check(30*maxVoids-1) != nil {
		t.Errorf("%d ranges", len(v.ranges))
	}
}

// Concurrent appenders, readers and trims, for the race detector.
func TestConcurrentUse(t *testing.T) {
	j := mustOpen(t, Options{FS: newFakeFS(), SegmentSize: 4000, MaxSize: 1 << 20})
	const streams, records = 4, 50
	errs := make(chan error, streams+3)
	for s := range streams {
		go func() {
			for i := range records {
				first, _, err := j.Append(testRecord(fmt.Sprint(s), fmt.Sprintf("%d-%d", s, i)))
				if err == nil {
					err = j.Sync(context.Background(), first)
				}
				if err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	for range 2 {
		go func() {
			r := j.NewReader(0)
			defer r.Close()
			next := make(map[byte]int)
			for n := 0; n < streams*records; {
				events, pos, err := r.Next(context.Background(), Limit{Events: 7})
				if err != nil {
					errs <- err
					return
				}
				for _, e := range events {
					if want := fmt.Sprintf("%c-%d", e.ID[0], next[e.ID[0]]); want != string(e.ID) {
						errs <- fmt.Errorf("got %s, want %s", e.ID, want)
						return
					}
					next[e.ID[0]]++
				}
				n += len(events)
				_ = j.Trim(pos, pos)
			}
			errs <- nil
		}()
	}
	go func() { errs <- j.WaitRoom(context.Background()) }()
	deadline := time.After(time.Minute)
	for range streams + 3 {
		select {
		case err := <-errs:
			if err != nil {
				t.Error(err)
			}
		case <-deadline:
			t.Fatal("stuck")
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

// A write fails while an fsync is under way: the fsync's success means nothing to
// those who have been told already, or will be, that their record is void.
func TestWriteFailsDuringSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeFS()
		j := mustOpen(t, Options{FS: f})
		mustStore(t, j, testRecord("s", "a"))
		first, _ := mustAppend(t, j, testRecord("s", "b"))
		release := make(chan struct{})
		f.onSync = func() { <-release }
		synced := make(chan error)
		go func() { synced <- j.Sync(context.Background(), first) }()
		synctest.Wait()
		f.setFail(func(op string, _ int) error {
			if op == "write" || op == "truncate" {
				return syscall.EIO
			}
			return nil
		})
		if _, _, err := j.Append(testRecord("t", "c")); !errors.Is(err, ErrVoid) {
			t.Errorf("Append: %v", err)
		}
		f.setFail(nil)
		close(release)
		if err := <-synced; !errors.Is(err, ErrVoid) {
			t.Errorf("Sync: %v", err)
		}
		if got := j.Stats(); got.Durable != 2 || got.Next != 4 || got.Faults != 1 {
			t.Errorf("%+v", got)
		}
		mustStore(t, j, testRecord("s", "b"))
		if d := cmp.Diff([]string{"a", "b"}, readAll(t, j, 0)); d != "" {
			t.Error(d)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// An fsync fails while a write is under way: the record that is being written is
// void too, although its write succeeds.
func TestSyncFailsDuringWrite(t *testing.T) {
	f := newFakeFS()
	j := mustOpen(t, Options{FS: f})
	first, _ := mustAppend(t, j, testRecord("s", "a"))
	seg := j.active
	f.setFail(func(op string, _ int) error {
		if op == "sync" {
			return syscall.EIO
		}
		return nil
	})
	var once sync.Once
	j.active.file = interceptedFile{seg.file, func() {
		once.Do(func() {
			if err := j.Sync(context.Background(), first); !errors.Is(err, ErrVoid) {
				t.Errorf("Sync: %v", err)
			}
		})
	}}
	_, next, err := j.Append(testRecord("s", "b"))
	if !errors.Is(err, ErrVoid) || next != 0 {
		t.Errorf("Append: %d, %v", next, err)
	}
	if err := j.Sync(t.Context(), 2); !errors.Is(err, ErrVoid) {
		t.Errorf("Sync of the second: %v", err)
	}
	f.setFail(nil)
	if first, _ := mustStore(t, j, testRecord("s", "a", "b")); first != 3 {
		t.Errorf("position %d was used before", first)
	}
	if d := cmp.Diff([]string{"a", "b"}, readAll(t, j, 0)); d != "" {
		t.Error(d)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

// interceptedFile calls a function before it writes.
type interceptedFile struct {
	File
	before func()
}

func (f interceptedFile) WriteAt(b []byte, off int64) (int, error) {
	f.before()
	return f.File.WriteAt(b, off)
}

// Without AtLeast, a later record's word that an earlier one was durable tells
// damage from a torn tail.
func TestDamageInTheNewestSegmentIsNotTakenForATornTail(t *testing.T) {
	f := newFakeFS()
	j := mustOpen(t, Options{FS: f})
	for _, id := range []string{"a", "b", "c", "d"} {
		mustStore(t, j, testRecord("s", id))
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	f.damage(f.segmentNames()[0], segmentHeaderSize+recordHeaderSize+10)
	var damages []Damage
	j = mustOpen(t, Options{FS: f, OnDamage: func(d Damage) { damages = append(damages, d) }})
	if d := cmp.Diff([]string{"b", "c", "d"}, readAll(t, j, 0)); d != "" {
		t.Error(d)
	}
	if len(damages) != 1 || damages[0].First != 1 || damages[0].Next != 2 {
		t.Errorf("%+v", damages)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

// A record that stands where it can't be, such as a copy of an earlier one, is
// never read in its place.
func TestSearchPassesOverImplausibleRecords(t *testing.T) {
	var e encoder
	record := func(first aictail.Position) []byte {
		rec := testRecord("s", fmt.Sprint(first))
		b, err := e.encode(&rec, stamp{first: first})
		if err != nil {
			t.Fatal(err)
		}
		return slices.Clone(b)
	}
	f := newFakeFS()
	broken := record(2)
	broken[5] ^= 1
	data := slices.Concat(segmentHeader{first: 1}.encode(), record(1), broken, record(1), record(99), record(3))
	f.names[testDir+"/"+segmentName(1)] = &node{data: data}
	var damages []Damage
	s := scanner{report: func(d Damage) { damages = append(damages, d) }}
	file, err := f.OpenFile(testDir+"/"+segmentName(1), 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.reset(file, extent{first: 1, next: 4, end: int64(len(data))}, 0); err != nil {
		t.Fatal(err)
	}
	var got []aictail.Position
	for {
		h, _, err := s.next(true)
		if err != nil {
			break
		}
		got = append(got, h.first)
	}
	if d := cmp.Diff([]aictail.Position{1, 3}, got); d != "" || len(damages) != 1 || damages[0].First != 2 || damages[0].Next != 3 {
		t.Errorf("%s %+v", d, damages)
	}
}
