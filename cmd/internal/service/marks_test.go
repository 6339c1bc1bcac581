package service

import (
	"testing"
	"time"

	"aictail"
)

func TestMarks(t *testing.T) {
	began := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	var m marks
	if got := m.passed(100); !got.IsZero() {
		t.Errorf("before the first mark: %s", got)
	}
	m.add(time.Time{}, 5) // nothing is known yet
	m.add(began, 10)
	m.add(began.Add(time.Second), 20)
	m.add(began.Add(2*time.Second), 20) // nothing came, but it is confirmed further
	m.add(began.Add(3*time.Second), 30)
	for pos, want := range map[aictail.Position]time.Duration{10: 0, 19: 0, 20: 2 * time.Second, 29: 2 * time.Second, 30: 3 * time.Second, 99: 3 * time.Second} {
		if got := m.passed(pos); !got.Equal(began.Add(want)) {
			t.Errorf("at position %d: %s, want %s", pos, got, began.Add(want))
		}
	}
	if got := m.passed(9); !got.IsZero() {
		t.Errorf("before the first mark's position: %s", got)
	}
}

// TestMarksAreBounded: with many marks, old ones are thinned out; what is left is
// still never too much.
func TestMarksAreBounded(t *testing.T) {
	began := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	var m marks
	const last = 100_000
	for i := range last + 1 {
		m.add(began.Add(time.Duration(i)*time.Second), aictail.Position(i))
	}
	if len(m.list) > maxMarks {
		t.Errorf("%d marks", len(m.list))
	}
	for _, pos := range []aictail.Position{1, 500, last / 2, last - 1, last} {
		got := m.passed(pos)
		if want := began.Add(time.Duration(pos) * time.Second); got.After(want) {
			t.Errorf("at position %d: %s is claimed, %s is true", pos, got, want)
		}
	}
	if got := m.passed(last); !got.Equal(began.Add(last * time.Second)) {
		t.Errorf("the newest mark is gone: %s", got)
	}
}
