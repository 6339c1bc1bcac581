package deadletter

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"aictail"
)

// world is what outlives the process: the disk and the committed read position. It
// drives a store as deliver does.
type world struct {
	fs       *memFS
	rand     *rand.Rand
	count    int // of events, all of which become letters
	position int // the first one that is not committed
	// removed are the letters whose removal was tried, true once it is certain.
	removed map[string]bool
	changed map[string]bool // the same of those that were refused again
	retries int
}

func newWorld(seed uint64, count int) *world {
	return &world{
		fs: newMemFS(seed), rand: rand.New(rand.NewPCG(seed, 9)), count: count, position: 1,
		removed: map[string]bool{}, changed: map[string]bool{},
	}
}

func testLetter(n int) Letter {
	raw := fmt.Sprintf(`{"payload":{"n":%d,"filler":"%s"},"source":"am-core"}`, n, strings.Repeat("x", n%17))
	return Letter{
		Time: time.Date(2026, 1, 2, 3, 4, n, 0, time.UTC), Sink: "siem", Reason: Rejected, Error: "no such field", Attempts: 1,
		Event: aictail.Event{
			ID: fmt.Appendf(nil, "id-%d", n), Tenant: "prod", Source: "am-core", Type: "application/json",
			Time: time.Date(2026, 1, 2, 0, 0, n, 5, time.UTC), Raw: []byte(raw),
			Payload: aictail.Span{Start: 11, End: len(raw) - 20}, Position: aictail.Position(n),
		},
	}
}

func (w *world) open() *Store {
	return New(Options{Dir: "/data/dead-letters", Sink: "siem", MaxSize: 1 << 20, FS: w.fs})
}

// run lives until every event is committed (true) or the process dies (false).
func (w *world) run(t *testing.T) bool {
	t.Helper()
	s := w.open()
	for s.Open() != nil {
		if w.dies(t) {
			return false
		}
	}
	for w.position <= w.count {
		var letters []Letter
		for n := w.position; n <= w.count && len(letters) < 1+w.rand.IntN(5); n++ {
			letters = append(letters, testLetter(n))
		}
		for len(letters) > 0 {
			done, err := s.Add(letters)
			letters = letters[done:]
			if err != nil && w.dies(t) {
				return false
			}
			if w.rand.IntN(6) == 0 {
				return w.kill() // between the store and the commit
			}
			w.position += done
		}
		if w.rand.IntN(3) == 0 && !w.rewrite(t, s) {
			return false
		}
	}
	return true
}

// rewrite removes some letters, as if the sink had taken them, and changes others.
func (w *world) rewrite(t *testing.T, s *Store) bool {
	t.Helper()
	changed := map[Key]*Letter{}
	for n := 1; n < w.position; n++ {
		l := testLetter(n)
		id := string(l.Event.ID)
		if _, gone := w.removed[id]; gone {
			continue
		}
		switch w.rand.IntN(4) {
		case 0:
			changed[l.Key()] = nil
			w.removed[id] = false
		case 1:
			l.Attempts = 2
			changed[l.Key()] = &l
			if _, ok := w.changed[id]; !ok {
				w.changed[id] = false
			}
		}
	}
	if s.Rewrite(changed) != nil {
		return !w.dies(t) // not repeated: the letters are sent again some other day
	}
	for key, l := range changed {
		if l == nil {
			w.removed[key.ID] = true
		} else {
			w.changed[key.ID] = true
		}
	}
	return true
}

func (w *world) kill() bool {
	w.fs.dead = true
	return false
}

// dies tells whether a failure was the death of the process.
func (w *world) dies(t *testing.T) bool {
	t.Helper()
	if w.retries++; w.retries > 1000 {
		t.Fatal("the store does not recover")
	}
	return w.fs.dead
}

// verify checks that every letter is there once, except those that were removed.
func (w *world) verify(t *testing.T) {
	t.Helper()
	w.fs.failAt, w.fs.dieAt = 0, 0
	s := w.open()
	if err := s.Open(); err != nil {
		t.Fatal(err)
	}
	listed := map[string]int{}
	err := s.Each(func(l Letter) error {
		id := string(l.Event.ID)
		listed[id]++
		want := testLetter(int(l.Event.Position))
		if string(l.Event.Raw) != string(want.Event.Raw) || l.Event.Payload != want.Event.Payload {
			t.Errorf("letter %s has changed: %s", id, l.Event.Raw)
		}
		if sure := w.changed[id]; sure && l.Attempts != 2 {
			t.Errorf("letter %s has %d attempts, want 2", id, l.Attempts)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= w.count; n++ {
		id := fmt.Sprintf("id-%d", n)
		sure, tried := w.removed[id]
		if got := listed[id]; got > 1 || got == 0 && !tried || got == 1 && sure {
			t.Errorf("letter %s is listed %d times; removal tried: %t, done: %t", id, got, tried, sure)
		}
	}
	if s.Count() != len(listed) || s.Unreadable() != 0 {
		t.Errorf("the store counts %d letters and %d unreadable lines, want %d and 0", s.Count(), s.Unreadable(), len(listed))
	}
}

// TestEveryOperationFails fails each file operation once, in turn.
func TestEveryOperationFails(t *testing.T) {
	for _, failure := range []error{syscall.EIO, syscall.ENOSPC} {
		seen := map[string]int{}
		for n := 1; ; n++ {
			w := newWorld(uint64(n), 40)
			w.fs.failAt, w.fs.failWith = n, failure
			for !w.run(t) {
				w.fs.dead = false
			}
			if !w.fs.failed {
				break
			}
			seen[w.fs.lastOp]++
			w.fs.restart(true)
			w.verify(t)
			if t.Failed() {
				t.Fatalf("after the failure of operation %d, %s", n, w.fs.lastOp)
			}
		}
		for _, op := range []string{"mkdir", "open", "size", "read", "write", "sync", "close", "rename", "remove", "syncfolder"} {
			if seen[op] == 0 {
				t.Errorf("no %s was ever failed", op)
			}
		}
	}
}

// TestEveryOperationKills ends the process at each file operation, in turn, as by
// kill -9 and as by a power failure.
func TestEveryOperationKills(t *testing.T) {
	for _, power := range []bool{false, true} {
		killed := 0
		for n := 1; n < 400; n++ {
			w := newWorld(uint64(n), 40)
			w.fs.dieAt = n
			for !w.run(t) {
				if w.fs.ops >= n {
					killed++
				}
				w.fs.restart(power)
			}
			w.fs.restart(power)
			w.verify(t)
			if t.Failed() {
				t.Fatalf("after death at operation %d, %s (power failure: %v)", n, w.fs.lastOp, power)
			}
		}
		if killed < 100 {
			t.Errorf("only %d deaths: the test proves little", killed)
		}
	}
}

// TestManyFaults kills and fails again and again, also during recovery.
func TestManyFaults(t *testing.T) {
	deaths := 0
	for seed := range uint64(200) {
		w := newWorld(seed, 60)
		w.fs.failWith = errors.Join(syscall.EIO)
		for {
			w.fs.failAt, w.fs.failMore = w.fs.ops+1+w.rand.IntN(60), w.rand.IntN(5)
			w.fs.dieAt = w.fs.ops + 1 + w.rand.IntN(150)
			if w.run(t) {
				break
			}
			deaths++
			w.fs.restart(w.rand.IntN(2) == 0)
		}
		w.fs.restart(true)
		w.verify(t)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	if deaths < 200 {
		t.Errorf("only %d deaths: the test proves little", deaths)
	}
}
