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
