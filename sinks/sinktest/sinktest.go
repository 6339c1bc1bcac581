// Package sinktest is the suite that every sink must pass. It drives a sink as
// deliver does, through restarts, crashes and failures of the destination, and
// compares what the destination then holds with what was sent: every event,
// once, in order per source, byte for byte. It generates the events itself.
//
// It does not test what only one kind of destination has (rotation, bulk
// answers, partitions); that belongs into the sink's own tests.
package sinktest

import (
	"testing"

	"go.uber.org/goleak"

	"aictail"
	"aictail/sinks"
)

// Harness is one destination, empty at first, and the ways to reach it. Fields
// that are not marked optional are required.
type Harness struct {
	// New returns a new sink for the destination, as a new process would make it.
	// The suite opens and closes it.
	New func(t testing.TB) sinks.Sink

	// Received returns what the destination holds for good: for each event, in
	// the order in which it would be read, the bytes that Want describes.
	Received func(t testing.TB) [][]byte

	// Want returns what the destination is to hold for an event. Optional;
	// default: the event's Raw.
	Want func(e *aictail.Event) []byte

	// Break makes the destination fail until Mend. Optional, both or none.
	Break, Mend func(t testing.TB)

	// AtLeastOnce allows duplicates after a crash or a failed Send, for
	// destinations that can't do better. Without either they are never allowed.
	AtLeastOnce bool

	// Unordered is for destinations that have no order, such as an index.
	Unordered bool

	// Remembers is for sinks that can know, of events sent before a crash, that the
	// destination has them: for those they need not reach it again.
	Remembers bool

	// MaxEvent is the largest Raw in bytes that the destination takes. Optional;
	// default: 1 MiB.
	MaxEvent int
}

// defaultMaxEvent is beyond every buffer a sink is likely to have, and what a
// Kafka broker and an HEC take with their own defaults.
const defaultMaxEvent = 1 << 20

// Run runs the suite. setup is called once for each test and returns a
// destination of its own; it cleans up with t.Cleanup. What runs beside the
// sink (a fake server) is started in setup, so that the check for leaked
// goroutines leaves it alone.
func Run(t *testing.T, setup func(t testing.TB) Harness) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { runCase(t, c, setup) })
	}
}

// testCase is one test. It is written against testing.TB so that the suite's
// own tests can watch it fail.
type testCase struct {
	name string
	run  func(d *driver)
	// breaks: the test needs Break and Mend.
	breaks bool
}

func runCase(t testing.TB, c testCase, setup func(t testing.TB) Harness) {
	t.Helper()
	h := setup(t)
	if h.New == nil || h.Received == nil || (h.Break == nil) != (h.Mend == nil) {
		t.Fatal("the harness needs New and Received, and Break and Mend both or not at all")
	}
	if c.breaks && h.Break == nil {
		t.Skip("the harness can't break its destination")
	}
	if h.Want == nil {
		h.Want = func(e *aictail.Event) []byte { return e.Raw }
	}
	if h.MaxEvent == 0 {
		h.MaxEvent = defaultMaxEvent
	}
	others := goleak.IgnoreCurrent()
	d := &driver{t: t, h: h}
	func() {
		defer d.stop()
		c.run(d)
	}()
	if err := goleak.Find(others); err != nil {
		t.Errorf("after Close goroutines of the sink are left: %v", err)
	}
}
