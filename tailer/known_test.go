package tailer

import (
	"testing"
	"time"

	"aictail"
	"aictail/tailer/sweep"
)

// TestMinuteIsKnownAsAWhole: a minute long before the newest coverage of which one half
// is covered. After a restart both halves are known by their ids; a minute that is
// covered as a whole is known by its coverage.
func TestMinuteIsKnownAsAWhole(t *testing.T) {
	begin := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := NewStream("prod", "am-core", SweepConfig{Mode: sweep.Full, Settle: 30 * time.Second, Start: begin.Add(-time.Hour)})
	var c sweep.Coverage
	c.Add(sweep.Interval{Begin: begin.Add(-time.Hour), End: begin.Add(30 * time.Second)})
	c.Add(sweep.Interval{Begin: begin.Add(45 * time.Second), End: begin.Add(time.Hour)})
	s.Inherit(begin.Add(-time.Hour), c)

	times := map[string]time.Time{
		"covered half": begin.Add(10 * time.Second), "in the gap": begin.Add(40 * time.Second), "covered minute": begin.Add(10 * time.Minute),
	}
	for id, at := range times {
		s.RecoverEvent([]byte(id), at, 7)
	}
	for id, at := range times {
		counts := sourceCounts{}
		counts.reset()
		fresh, _ := s.accept([]aictail.Event{{ID: []byte(id), Time: at, Source: "am-core"}}, nil, &counts)
		if len(fresh) > 0 {
			t.Errorf("%s: an event that is in the journal is accepted again", id)
		}
	}
	if s.ids.size != 2 {
		t.Errorf("%d ids are remembered, want those of the minute with the gap", s.ids.size)
	}
}

// TestReread: of a time that is read once more, what the journal holds is recognised;
// what it does not is accepted, and other times are as before.
func TestReread(t *testing.T) {
	begin := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := NewStream("prod", "am-core", SweepConfig{Mode: sweep.Full, Settle: 30 * time.Second, Start: begin})
	var c sweep.Coverage
	c.Add(sweep.Interval{Begin: begin.Add(-time.Nanosecond), End: begin.Add(time.Hour)})
	s.Inherit(begin, c)
	accepts := func(id string, at time.Time) bool {
		counts := sourceCounts{}
		counts.reset()
		fresh, _ := s.accept([]aictail.Event{{ID: []byte(id), Time: at, Source: "am-core"}}, nil, &counts)
		return len(fresh) > 0
	}
	at := begin.Add(20 * time.Minute)
	if accepts("missed", at) {
		t.Error("an event of a covered time is accepted")
	}
	known := s.Known(at, at.Add(time.Minute))
	for _, e := range []aictail.Event{{ID: []byte("journaled"), Time: at.Add(30 * time.Second), Position: 7}, {ID: []byte("elsewhen"), Time: begin}} {
		if err := known.Add(&e); err != nil {
			t.Fatal(err)
		}
	}
	s.Reread(known)
	now := begin.Add(time.Hour)
	if p := s.Progress(now); !p.CompleteUntil.Before(at) || len(p.Missing) != 1 || p.Missing[0].End.Sub(p.Missing[0].Begin) != 2*time.Minute {
		t.Errorf("complete until %s, missing %v", p.CompleteUntil, p.Missing)
	}
	if low := s.Needed(); low != 7 {
		t.Errorf("the journal is needed from %d on, want 7: the next start must know these ids", low)
	}
	for id, want := range map[string]bool{"missed": true, "journaled": false} {
		if got := accepts(id, at.Add(30*time.Second)); got != want {
			t.Errorf("%s: accepted %t, want %t", id, got, want)
		}
	}
	if accepts("before", at.Add(-time.Second)) {
		t.Error("an event of the minute before is accepted")
	}
}

// TestKnownIsBounded: what a stream cannot remember it does not begin to read.
func TestKnownIsBounded(t *testing.T) {
	s := NewStream("prod", "am-core", SweepConfig{Mode: sweep.Full})
	at := time.Now()
	known := s.Known(at, at)
	var err error
	for i := 0; err == nil && i <= maxIDs; i++ {
		err = known.Add(&aictail.Event{ID: []byte{byte(i), byte(i >> 8), byte(i >> 16)}, Time: at})
	}
	if err == nil || len(known.ids) != maxIDs/2 {
		t.Errorf("%v after %d ids", err, len(known.ids))
	}
}
