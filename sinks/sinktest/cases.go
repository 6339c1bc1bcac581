package sinktest

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"aictail/sinks"
)

var cases = []testCase{
	{name: "arrives", run: testArrives},
	{name: "empty batch", run: testEmptyBatch},
	{name: "large batch", run: testLargeBatch},
	{name: "large event", run: testLargeEvent},
	{name: "odd text", run: testOddText},
	{name: "crash before commit", run: testCrashBeforeCommit},
	{name: "crash before the first commit", run: testCrashBeforeFirstCommit},
	{name: "crash and other batches", run: testCrashOtherBatches},
	{name: "restart", run: testRestart},
	{name: "cancelled before", run: testCancelledBefore},
	{name: "cancelled during", run: testCancelledDuring},
	{name: "close", run: testClose},
	{name: "destination fails", run: testFails, breaks: true},
	{name: "destination fails at start", run: testFailsAtStart, breaks: true},
	{name: "crash while failing", run: testCrashWhileFailing, breaks: true},
	{name: "anything", run: testAnything},
}

func testArrives(d *driver) {
	d.start()
	d.add(newEvents(0, 100)...)
	d.deliver(1)
	d.verify()
	d.deliver(9)
	d.verify()
	d.deliverAll(30)
	d.verify()
}

func testEmptyBatch(d *driver) {
	d.start()
	d.deliver(0)
	d.verify()
	d.add(newEvents(0, 3)...)
	d.deliver(3)
	d.deliver(0)
	d.verify()
}

func testLargeBatch(d *driver) {
	d.start()
	const count = 5000
	d.add(newEvents(0, count)...)
	d.deliver(count)
	d.verify()
}

func testLargeEvent(d *driver) {
	d.start()
	d.add(newEvents(0, 2)...)
	d.add(largeEvent(2, d.h.MaxEvent))
	d.add(newEvents(3, 7)...)
	d.add(largeEvent(10, d.h.MaxEvent))
	d.deliverAll(4)
	d.verify()
}

func testOddText(d *driver) {
	d.start()
	for i, payload := range oddPayloads() {
		d.add(newEvent(i, payload))
	}
	d.deliverAll(5)
	d.verify()
}

// testCrashBeforeCommit ends the process between a successful Send and its
// commit, so that the same events come again.
func testCrashBeforeCommit(d *driver) {
	d.start()
	d.add(newEvents(0, 50)...)
	d.deliver(20)
	d.sendOnly(15)
	d.restart()
	d.deliver(15)
	d.verify()
	d.deliverAll(10)
	d.verify()
}

func testCrashBeforeFirstCommit(d *driver) {
	d.add(newEvents(0, 30)...)
	for range 3 {
		d.start()
		d.sendOnly(10)
		d.uncertain = true
		d.stop()
	}
	d.start()
	d.deliverAll(10)
	d.verify()
}

// testCrashOtherBatches has the events come again in larger and in smaller
// batches than before the crash.
func testCrashOtherBatches(d *driver) {
	d.start()
	d.add(newEvents(0, 80)...)
	d.deliver(5)
	d.sendOnly(10)
	d.restart()
	d.deliver(25)
	d.verify()
	d.sendOnly(30)
	d.restart()
	d.deliver(3)
	d.verify()
	d.deliverAll(7)
	d.verify()
}

func testRestart(d *driver) {
	d.add(newEvents(0, 60)...)
	for d.position < len(d.events) {
		d.start()
		d.deliver(7)
		d.deliver(6)
		d.stop()
		d.verify()
	}
}

// testCancelledBefore calls Send with a context that has ended already.
func testCancelledBefore(d *driver) {
	d.start()
	d.add(newEvents(0, 20)...)
	d.deliver(5)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	started := time.Now()
	if err := d.send(ctx, d.next(5)); err == nil {
		d.t.Error("Send claims success although its context had ended before")
	}
	if took := time.Since(started); took > patience/2 {
		d.t.Errorf("Send took %v to notice that its context had ended", took)
	}
	d.deliverAll(5)
	d.verify()
}

// testCancelledDuring ends the context at some moment of Send. Either answer is
// right, as long as it is true.
func testCancelledDuring(d *driver) {
	d.start()
	d.add(newEvents(0, 4000)...)
	for d.position < len(d.events) {
		const batch = 500
		delay := time.Duration(d.position) * time.Microsecond / 2
		ctx, cancel := context.WithTimeout(context.Background(), delay)
		started := time.Now()
		err := d.send(ctx, d.next(batch))
		cancel()
		if took := time.Since(started); took > patience/2 {
			d.t.Fatalf("Send took %v to notice that its context had ended", took)
		}
		if err == nil {
			d.commit(batch)
		} else {
			d.deliver(batch)
		}
	}
	d.verify()
}

func testClose(d *driver) {
	if err := d.h.New(d.t).Close(); err != nil {
		d.t.Errorf("Close without Open: %v", err)
	}
	d.start()
	if err := d.sink.Close(); err != nil {
		d.t.Errorf("Close after Open: %v", err)
	}
	d.start()
	d.add(newEvents(0, 10)...)
	d.deliverAll(10)
	d.stop()
	d.verify()
	d.start()
	d.verify()
}

// testFails breaks the destination between two batches and mends it.
func testFails(d *driver) {
	d.start()
	d.add(newEvents(0, 60)...)
	d.deliver(20)
	d.h.Break(d.t)
	for n := range 3 {
		if err := d.send(context.Background(), d.next(10+n)); err == nil {
			d.t.Error("Send claims success although the destination is broken")
		}
	}
	d.h.Mend(d.t)
	d.deliverAll(15)
	d.verify()
}

// testFailsAtStart has the destination broken when the process starts. Open may
// fail or leave it to Send; both are to work once it is mended.
func testFailsAtStart(d *driver) {
	d.add(newEvents(0, 20)...)
	d.h.Break(d.t)
	d.sink = d.h.New(d.t)
	opened := d.open()
	if opened == nil {
		if err := d.send(context.Background(), d.next(10)); err == nil {
			d.t.Error("Send claims success although the destination is broken")
		}
	}
	d.h.Mend(d.t)
	if opened != nil {
		if err := d.open(); err != nil {
			d.t.Fatalf("Open after an Open that failed: %v", err)
		}
	}
	d.deliverAll(10)
	d.verify()
}

// testCrashWhileFailing ends the process while the destination is broken.
func testCrashWhileFailing(d *driver) {
	d.start()
	d.add(newEvents(0, 50)...)
	d.deliver(10)
	d.sendOnly(10)
	for range 2 {
		d.restart()
		d.h.Break(d.t)
		if err := d.send(context.Background(), d.next(20)); err == nil {
			d.t.Error("Send claims success although the destination is broken")
		}
		d.h.Mend(d.t)
	}
	d.h.Break(d.t)
	d.stop()
	d.h.Mend(d.t)
	d.start()
	d.deliverAll(20)
	d.verify()
}

// testAnything mixes it all at random, the same way every time.
func testAnything(d *driver) {
	r := rand.New(rand.NewPCG(20, 26))
	d.add(newEvents(0, 300)...)
	d.start()
	for d.position < len(d.events) {
		n := 1 + r.IntN(15)
		switch r.IntN(6) {
		case 0:
			d.sendOnly(n)
			d.restart()
		case 1:
			d.restart()
		case 2:
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			if err := d.send(ctx, d.next(n)); err == nil {
				d.t.Error("Send claims success although its context had ended before")
			}
		case 3:
			if d.h.Break == nil {
				continue
			}
			d.h.Break(d.t)
			if err := d.send(context.Background(), d.next(n)); err == nil && !d.h.Remembers {
				d.t.Error("Send claims success although the destination is broken")
			}
			if r.IntN(2) == 0 {
				d.stop()
				d.h.Mend(d.t)
				d.start()
			} else {
				d.h.Mend(d.t)
			}
		default:
			d.deliver(n)
		}
		d.verify()
	}
}

// sendOnly sends the next n events with success and does not commit them: what
// follows must be the end of the process, as deliver never goes on without it.
func (d *driver) sendOnly(n int) {
	d.t.Helper()
	batches := [][]int{{d.position, min(d.position+n, len(d.events))}}
	for len(batches) > 0 {
		from, to := batches[0][0], batches[0][1]
		batches = batches[1:]
		err := d.send(context.Background(), d.events[from:to])
		d.tried = max(d.tried, to)
		if err == nil {
			continue
		}
		if sinks.KindOf(err) != sinks.Split || to-from < 2 {
			d.t.Fatalf("Send: %v", err)
		}
		middle := (from + to) / 2
		batches = slices.Insert(batches, 0, []int{from, middle}, []int{middle, to})
	}
}
