package sinktest

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"aictail"
	"aictail/sinks"
)

// patience is how long one call of a sink may take before it counts as hanging.
// Calls against a local destination take milliseconds.
const patience = 30 * time.Second

// maxAttempts bounds the retries of one batch at a destination that works. One
// is normal; a sink may need a few to find its connection again.
const maxAttempts = 20

// driver stands for deliver: it keeps the read position and the sink's state,
// and changes them together and only after a successful Send.
type driver struct {
	t testing.TB
	h Harness

	sink sinks.Sink
	// events are all events of the test, the first position of them committed.
	events   []aictail.Event
	position int
	state    []byte
	// tried is how many events Send was ever called with: those behind it can't
	// be at the destination.
	tried int
	// uncertain: something happened after which an at-least-once sink may repeat.
	uncertain bool
}

// start makes and opens a sink, as after a start of the process.
func (d *driver) start() {
	d.t.Helper()
	d.sink = d.h.New(d.t)
	if err := d.open(); err != nil {
		d.t.Fatalf("Open: %v", err)
	}
}

func (d *driver) open() error {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return d.sink.Open(ctx, sinks.Saved{
		State: bytes.Clone(d.state),
		Save: func(state []byte) error {
			d.state = bytes.Clone(state)
			return nil
		},
	})
}

// stop closes the sink if there is one.
func (d *driver) stop() {
	d.t.Helper()
	if d.sink == nil {
		return
	}
	if err := d.sink.Close(); err != nil {
		d.t.Errorf("Close: %v", err)
	}
	d.sink = nil
}

// restart ends one process and starts the next. What was sent and not committed
// comes again.
func (d *driver) restart() {
	d.t.Helper()
	if d.tried > d.position {
		d.uncertain = true
	}
	d.stop()
	d.start()
}

// add appends events to those that are to be delivered.
func (d *driver) add(events ...aictail.Event) { d.events = append(d.events, events...) }

// next returns the next n events.
func (d *driver) next(n int) []aictail.Event {
	return d.events[d.position:min(d.position+n, len(d.events))]
}

// send calls Send with copies of the events that exist only during the call,
// and checks that the sink left them as they were.
func (d *driver) send(ctx context.Context, events []aictail.Event) error {
	d.t.Helper()
	lent := make([]aictail.Event, len(events))
	for i := range events {
		lent[i] = events[i]
		lent[i].ID = bytes.Clone(events[i].ID)
		lent[i].Raw = bytes.Clone(events[i].Raw)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	d.tried = max(d.tried, d.position+len(events))
	err := d.sink.Send(ctx, lent)
	for i := range lent {
		if !bytes.Equal(lent[i].Raw, events[i].Raw) || !bytes.Equal(lent[i].ID, events[i].ID) {
			d.t.Fatalf("Send changed event %d of its batch; it belongs to the caller", i)
		}
		// A sink that still reads them now delivers this instead.
		clear(lent[i].Raw)
		clear(lent[i].ID)
	}
	if err != nil {
		d.uncertain = true
		d.checkError(err, len(events))
	}
	return err
}

// checkError refuses errors of a batch of n events that deliver can't act on or
// that tell too much.
func (d *driver) checkError(err error, n int) {
	d.t.Helper()
	if _, ok := errors.AsType[*sinks.Error](err); !ok {
		d.t.Errorf("Send returned a %T; it must be an *sinks.Error, which says how to go on: %v", err, err)
	}
	if strings.Contains(err.Error(), confidential) {
		d.t.Error("the error of Send contains event content")
	}
	last := -1
	for _, f := range failedOf(err) {
		if f.Index <= last || f.Index >= n || f.Err == nil {
			d.t.Fatalf("Send of %d events names a failure at %d after one at %d, or gives no reason", n, f.Index, last)
		}
		if strings.Contains(f.Err.Error(), confidential) {
			d.t.Error("a failure that Send names contains event content")
		}
		last = f.Index
	}
}

// deliver sends and commits the next n events; the destination works.
func (d *driver) deliver(n int) {
	d.t.Helper()
	d.deliverBatch(d.next(n))
}

func (d *driver) deliverBatch(batch []aictail.Event) {
	d.t.Helper()
	for attempt := 1; ; attempt++ {
		err := d.send(context.Background(), batch)
		switch {
		case err == nil:
			d.commit(len(batch))
			return
		case failedOf(err) != nil:
			d.deliverFailed(batch, failedOf(err))
			return
		case sinks.KindOf(err) == sinks.Split && len(batch) > 1:
			d.deliverBatch(batch[:len(batch)/2])
			d.deliverBatch(batch[len(batch)/2:])
			return
		case sinks.KindOf(err) != sinks.Retry && sinks.KindOf(err) != sinks.Refused:
			d.t.Fatalf("Send of %d good events: %v: %v", len(batch), sinks.KindOf(err), err)
		case attempt == maxAttempts:
			d.t.Fatalf("Send of %d events failed %d times, last: %v", len(batch), attempt, err)
		}
		// The wait between two attempts is deliver's; its length proves nothing.
	}
}

// failedOf returns the failures that err names one by one.
func failedOf(err error) []sinks.Failure {
	if e, ok := errors.AsType[*sinks.Error](err); ok {
		return e.Failed
	}
	return nil
}

// deliverFailed sends the events of the batch that failed until none does, and
// then commits the whole batch.
func (d *driver) deliverFailed(batch []aictail.Event, failed []sinks.Failure) {
	d.t.Helper()
	rest := batch
	for attempt := 1; len(failed) > 0; attempt++ {
		again := make([]aictail.Event, 0, len(failed))
		for _, f := range failed {
			if f.Kind != sinks.Retry && f.Kind != sinks.Refused {
				d.t.Fatalf("Send of a good event: %v: %v", f.Kind, f.Err)
			}
			again = append(again, rest[f.Index])
		}
		if attempt == maxAttempts {
			d.t.Fatalf("Send of %d events failed %d times, last: %v", len(again), attempt, failed[0].Err)
		}
		rest = again
		err := d.send(context.Background(), rest)
		if failed = failedOf(err); err != nil && failed == nil {
			failed = allFailed(len(rest), err)
		}
	}
	d.commit(len(batch))
}

// allFailed stands for an error that names no events.
func allFailed(n int, err error) []sinks.Failure {
	failed := make([]sinks.Failure, n)
	for i := range failed {
		failed[i] = sinks.Failure{Index: i, Kind: sinks.KindOf(err), Err: err}
	}
	return failed
}

// commit moves the read position over n events and stores the sink's state.
func (d *driver) commit(n int) {
	d.position += n
	if s, ok := d.sink.(sinks.Stateful); ok {
		d.state = bytes.Clone(s.State())
	}
}

// deliverAll delivers the rest in batches of n.
func (d *driver) deliverAll(n int) {
	d.t.Helper()
	for d.position < len(d.events) {
		d.deliver(n)
	}
}

// verify compares the destination with the events that were delivered: the
// committed ones must be there, those never tried must not.
func (d *driver) verify() {
	d.t.Helper()
	index := make(map[string]int, len(d.events))
	for i := range d.events {
		index[string(d.h.Want(&d.events[i]))] = i
	}
	if len(index) != len(d.events) {
		d.t.Fatal("the harness's Want must tell all events apart")
	}
	count := make([]int, len(d.events))
	order := make(map[string][]int)
	unknown := 0
	for _, got := range d.h.Received(d.t) {
		i, ok := index[string(got)]
		if !ok {
			unknown++
			continue
		}
		if count[i]++; count[i] == 1 {
			source := d.events[i].Source
			order[source] = append(order[source], i)
		}
	}
	if unknown > 0 {
		d.t.Errorf("%d lines at the destination are not, byte for byte, events that were sent", unknown)
	}
	d.verifyCounts(count)
	if d.h.Unordered {
		return
	}
	for source, indices := range order {
		if !slices.IsSorted(indices) {
			d.t.Errorf("events of source %q arrived out of order", source)
		}
	}
}

func (d *driver) verifyCounts(count []int) {
	d.t.Helper()
	missing, repeated, early := 0, 0, 0
	for i, n := range count {
		switch {
		case n == 0 && i < d.position:
			missing++
		case n > 1:
			repeated++
		case n > 0 && i >= d.tried:
			early++
		}
	}
	if missing > 0 {
		d.t.Errorf("%d of %d committed events are missing", missing, d.position)
	}
	if repeated > 0 && !(d.h.AtLeastOnce && d.uncertain) {
		d.t.Errorf("%d events are there more than once", repeated)
	}
	if early > 0 {
		d.t.Errorf("%d events are there that were never sent", early)
	}
}
