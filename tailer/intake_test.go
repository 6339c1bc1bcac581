package tailer

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"aictail"
	"aictail/tailer/aic"
	"aictail/tailer/assemble"
	"aictail/tailer/sweep"
)

// slowJournal holds every append of the tail up until it is let go.
type slowJournal struct {
	*memoryJournal
	appending, goOn chan struct{}
}

func (j slowJournal) Append(rec aictail.Record) (first, next aictail.Position, err error) {
	if rec.Stream == "tail/prod/am-access" {
		j.appending <- struct{}{}
		<-j.goOn
	}
	return j.memoryJournal.Append(rec)
}

// readers returns the tail's and the sweep's way of one stream into a journal.
func readers(j Journal) (tail, sweeping *intake) {
	s := NewStream("prod", "am-access", SweepConfig{Mode: sweep.Full, Settle: time.Second, Start: time.Now().Add(-time.Hour)})
	m := NewMetrics(prometheus.NewRegistry())
	of := func(name, via string) *intake {
		in := &intake{
			stream: s, name: name, via: via, filter: keepAll{}, journal: j, metrics: m,
			goesOn: func(*assemble.Event) bool { return true }, asm: assemble.New(assemble.Options{}), ident: newIdentifier(),
		}
		in.begin()
		return in
	}
	return of(s.TailName(), "tail"), of(s.SweepName(), "sweep")
}

func someEntry() []aic.Entry {
	const before = `{"payload":`
	const payload = `{"_id":"x"}`
	return []aic.Entry{{
		Raw: []byte(before + payload + `}`), Payload: aictail.Span{Start: len(before), End: len(before) + len(payload)},
		Time: time.Now().Add(-time.Minute), Source: "am-access", Type: "application/json",
	}}
}

// TestSweepWaitsForTheTail: the sweep finds an entry that the tail has accepted and
// not yet written. Its coverage must not be in the journal before the event is: a
// kill in between would lose it.
func TestSweepWaitsForTheTail(t *testing.T) {
	j := slowJournal{&memoryJournal{}, make(chan struct{}), make(chan struct{})}
	tail, sweeping := readers(j)
	entries := someEntry()
	tailed := make(chan error, 1)
	go func() { tailed <- tail.add(entries, time.Now()) }()
	<-j.appending // accepted, not written

	if err := sweeping.add(entries, time.Now()); err != nil {
		t.Fatal(err)
	}
	swept := make(chan error, 1)
	go func() { swept <- sweeping.commit(t.Context(), []byte(`"covered"`)) }()
	for range 100 {
		runtime.Gosched() // let it overtake, if it can
	}
	select {
	case err := <-swept:
		t.Fatalf("the sweep was committed before the tail's event was written: %v", err)
	default:
	}
	close(j.goOn)
	if err := errors.Join(<-tailed, <-swept); err != nil {
		t.Fatal(err)
	}
	if n := len(j.raws()); n != 1 {
		t.Errorf("%d durable events once the coverage stands, want the one", n)
	}
}

// TestSweepDoesNotTrustLostEvents: what the sweep took for a duplicate did not reach
// the journal. The window must not count, and the entry is accepted when it is read
// again.
func TestSweepDoesNotTrustLostEvents(t *testing.T) {
	for name, tailFirst := range map[string]bool{"the tail finds out first": true, "the sweep finds out first": false} {
		t.Run(name, func(t *testing.T) {
			j := &memoryJournal{}
			tail, sweeping := readers(j)
			entries := someEntry()
			if err := errors.Join(tail.add(entries, time.Now()), sweeping.add(entries, time.Now())); err != nil {
				t.Fatal(err)
			}
			j.fail = func(string) error { return errors.New("input/output error") }
			if tailFirst {
				if err := tail.commit(context.Background(), []byte(`"cookie"`)); err == nil {
					t.Fatal("the tail's commit worked on a broken disk")
				}
				j.fail = nil
			}
			if err := sweeping.commit(context.Background(), []byte(`"covered"`)); err == nil {
				t.Error("a coverage was committed that rests on a lost event")
			}
			j.fail = nil
			if !tailFirst {
				if err := tail.commit(context.Background(), []byte(`"cookie"`)); err == nil {
					t.Error("the tail was not told that its chunk is void")
				}
			}
			sweeping.begin()
			if err := errors.Join(sweeping.add(entries, time.Now()), sweeping.commit(context.Background(), []byte(`"covered"`))); err != nil {
				t.Fatal(err)
			}
			if n := len(j.raws()); n != 1 {
				t.Errorf("%d durable events after the window was read again, want the one", n)
			}
		})
	}
}
