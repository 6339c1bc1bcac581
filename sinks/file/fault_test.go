package file

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"aictail"
	"aictail/sinks"
)

// world is what outlives the process: the disk and the committed position and
// state. It drives a sink as deliver does.
type world struct {
	fs       *memFS
	events   []aictail.Event
	position int
	state    []byte
	clock    time.Time
	rand     *rand.Rand
	rotate   Rotate
	path     string
	retries  int
}

const worldPath = "/var/log/{tenant}/{source}.ndjson"

func newWorld(seed uint64, count int) *world {
	w := &world{
		fs: newMemFS(), rand: rand.New(rand.NewPCG(seed, 7)), path: worldPath,
		rotate: Rotate{MaxSize: 400}, clock: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
	w.fs.rand = rand.New(rand.NewPCG(seed, 8))
	w.events = makeEvents(w.rand, count)
	return w
}

func makeEvents(r *rand.Rand, count int) []aictail.Event {
	sources := []string{"am-access", "am-core", "idm-sync"}
	events := make([]aictail.Event, count)
	for i := range events {
		source := sources[r.IntN(len(sources))]
		raw := fmt.Sprintf(`{"payload":{"_id":"%d","filler":"%s"},"source":%q}`, i, strings.Repeat("x", r.IntN(40)), source)
		events[i] = aictail.Event{
			Tenant: "prod", Source: source, Raw: []byte(raw), Position: aictail.Position(i + 1),
			Time: time.Date(2026, 1, 2, 0, 0, i, 0, time.UTC),
		}
	}
	return events
}

func (w *world) save(state []byte) error {
	done, err := w.fs.step("save")
	if done {
		w.state = bytes.Clone(state)
	}
	return err
}

func (w *world) newSink(t *testing.T) *Sink {
	t.Helper()
	s, err := New(Config{Path: w.path, Rotate: w.rotate}, Deps{Log: zap.NewNop(), Now: func() time.Time {
		w.clock = w.clock.Add(time.Second / 3)
		if w.rand.IntN(40) == 0 {
			w.clock = w.clock.Add(idleAfter) // files without events are closed
		}
		return w.clock
	}})
	if err != nil {
		t.Fatal(err)
	}
	// The background goroutine would make the order of operations random.
	s.fs, s.archiveFS = w.fs, newMemFS()
	return s
}

// run lives until everything is delivered (true) or the process dies (false).
func (w *world) run(t *testing.T) bool {
	t.Helper()
	s := w.newSink(t)
	defer s.Close() // the dead process's handles; errors are expected
	for s.Open(t.Context(), sinks.Saved{State: bytes.Clone(w.state), Save: w.save}) != nil {
		if w.failure(t) {
			return false
		}
	}
	for w.position < len(w.events) {
		n := w.batchSize()
		for s.Send(t.Context(), w.events[w.position:w.position+n]) != nil {
			if w.failure(t) {
				return false
			}
			// deliver may come back with another batch from the same position.
			n = w.batchSize()
		}
		state := s.State()
		done, err := w.fs.step("commit")
		if done {
			w.position += n
			w.state = bytes.Clone(state)
		}
		if err != nil && !w.fs.dead {
			// A failed transaction is tried again until it succeeds.
			w.position += n
			w.state = bytes.Clone(state)
		}
		if w.fs.dead {
			return false
		}
	}
	return true
}

// batchSize is often so small that some files are not touched for a while.
func (w *world) batchSize() int {
	return min(1+w.rand.IntN(1+w.rand.IntN(12)), len(w.events)-w.position)
}

// failure reports whether a failure was the death of the process.
func (w *world) failure(t *testing.T) (dead bool) {
	t.Helper()
	w.retries++
	if w.retries > 1000 {
		t.Fatal("delivery does not recover")
	}
	return w.fs.dead
}

// verify checks that the files hold every event exactly once and in order.
func (w *world) verify(t *testing.T) {
	t.Helper()
	want := map[string]string{}
	for _, e := range w.events {
		want[e.Source] += string(e.Raw) + "\n"
	}
	if diff := cmp.Diff(want, contents(t, w.fs.files(), "/var/log/prod/")); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// contents joins each source's rotated files and its live one.
func contents(t *testing.T, files map[string]string, folder string) map[string]string {
	t.Helper()
	tmpl, err := parseTemplate(folder + "{source}.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	type piece struct {
		source, order, data string
	}
	var pieces []piece
	for path, data := range files {
		name, ok := strings.CutPrefix(path, folder)
		if !ok {
			t.Errorf("unexpected file %s", path)
			continue
		}
		p := piece{strings.TrimSuffix(name, ".ndjson"), "~live", data}
		if m := tmpl.rotated.FindStringSubmatch(name); m != nil {
			p = piece{m[1], fmt.Sprintf("%s-%4s", m[2], m[3]), data}
		}
		pieces = append(pieces, p)
	}
	slices.SortFunc(pieces, func(a, b piece) int { return strings.Compare(a.order, b.order) })
	got := map[string]string{}
	for _, p := range pieces {
		got[p.source] += p.data
	}
	return got
}

// TestEveryOperationFails fails each file operation once, in turn.
func TestEveryOperationFails(t *testing.T) {
	for _, failure := range []error{syscall.EIO, syscall.EACCES} {
		seen := map[string]int{}
		for n := 1; ; n++ {
			w := newWorld(uint64(n), 40)
			w.fs.failAt, w.fs.failWith = n, failure
			if !w.run(t) {
				t.Fatalf("operation %d: died", n)
			}
			if !w.fs.failed {
				break
			}
			seen[w.fs.lastOp]++
			w.verify(t)
			if t.Failed() {
				t.Fatalf("after the failure of operation %d, %s", n, w.fs.lastOp)
			}
		}
		for _, op := range []string{"open", "stat", "fstat", "write", "sync", "rename", "mkdir", "syncfolder", "save"} {
			if seen[op] == 0 {
				t.Errorf("no %s was ever failed", op)
			}
		}
	}
}

// TestEveryOperationKills ends the process at each file operation, in turn, as
// by kill -9 and as by a power failure.
func TestEveryOperationKills(t *testing.T) {
	for _, power := range []bool{false, true} {
		for n := 1; ; n++ {
			w := newWorld(uint64(n), 50)
			w.fs.dieAt = n
			if w.run(t) {
				break
			}
			w.fs.restart(power)
			if !w.run(t) {
				t.Fatal("died twice")
			}
			w.verify(t)
			if t.Failed() {
				t.Fatalf("after death at operation %d, %s (power failure: %v)", n, w.fs.lastOp, power)
			}
		}
	}
}

// TestManyFaults kills and fails again and again, also during recovery.
func TestManyFaults(t *testing.T) {
	deaths := 0
	for seed := range uint64(150) {
		w := newWorld(seed, 60)
		w.fs.failWith = syscall.EIO
		for {
			w.fs.failAt = w.fs.ops + 1 + w.rand.IntN(60)
			w.fs.dieAt = w.fs.ops + 1 + w.rand.IntN(120)
			if w.run(t) {
				break
			}
			deaths++
			w.fs.restart(w.rand.IntN(2) == 0)
		}
		w.verify(t)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	if deaths < 150 {
		t.Errorf("only %d deaths: the test proves little", deaths)
	}
}

// TestUncommittedStateRepeatsNothing covers a driver that commits only every
// few batches: lengths count as committed when State was asked for them.
func TestUncommittedStateRepeatsNothing(t *testing.T) {
	w := newWorld(1, 30)
	w.rotate = Rotate{}
	saved := func() sinks.Saved { return sinks.Saved{State: w.state, Save: w.save} }
	s := w.newSink(t)
	if err := s.Open(t.Context(), saved()); err != nil {
		t.Fatal(err)
	}
	send := func(s *Sink, from, to int) {
		t.Helper()
		if err := s.Send(context.Background(), w.events[from:to]); err != nil {
			t.Fatal(err)
		}
	}
	send(s, 0, 5)
	w.state = s.State() // committed at 5
	send(s, 5, 10)
	w.clock = w.clock.Add(idleAfter) // nothing is to be closed now
	other := aictail.Event{Tenant: "prod", Source: "new", Raw: []byte(`{"n":1}`)}
	if err := s.Send(t.Context(), []aictail.Event{other}); err != nil { // saves a state for the new file
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	w.events = slices.Insert(w.events, 10, other)

	s = w.newSink(t)
	defer s.Close()
	if err := s.Open(t.Context(), saved()); err != nil {
		t.Fatal(err)
	}
	send(s, 5, len(w.events))
	w.verify(t)
}
