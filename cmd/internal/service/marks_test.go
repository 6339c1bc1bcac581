package service

import (
	"testing"
	"time"

	"go.uber.org/zap"

	"aictail"
	"aictail/checkpoint/journal"
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

// TestMarksAreRemembered: after a restart it is known until when a sink that is behind
// has everything, unless other sources are swept now.
func TestMarksAreRemembered(t *testing.T) {
	cfg := testConfig(t)
	began := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	run := func(do func(*Service)) {
		t.Helper()
		s, err := New(cfg, "test", zap.NewNop())
		if err != nil {
			t.Fatal(err)
		}
		do(s)
		s.close()
	}
	run(func(s *Service) {
		s.marks.add(began, 1)
		s.marks.add(began.Add(time.Minute), 2)
		s.marks.add(began.Add(2*time.Minute), 1000) // the journal does not reach that far
		s.rememberMarks(began)
		s.marks.add(began.Add(time.Hour), 1003) // within a minute: not stored again
		s.rememberMarks(began.Add(time.Second))
	})
	run(func(s *Service) {
		for pos, want := range map[aictail.Position]time.Time{1: began, 2: began.Add(time.Minute), 2000: began.Add(time.Minute)} {
			if got := s.marks.passed(pos); !got.Equal(want) {
				t.Errorf("at position %d: %s, want %s", pos, got, want)
			}
		}
		s.damages = append(s.damages, journal.Damage{First: 1, Next: 2})
		s.healDamage()
		if got := s.marks.passed(2); !got.IsZero() {
			t.Errorf("%s is claimed, though events before were lost", got)
		}
	})
	tenant := cfg.Tenants["prod"]
	tenant.Sources = append(tenant.Sources, "idm-core")
	cfg.Tenants["prod"] = tenant
	run(func(s *Service) {
		if got := s.marks.passed(2); !got.IsZero() {
			t.Errorf("%s is claimed, though another source is swept now", got)
		}
	})
}

// TestFewMarks: what is stored is little, and has the mark that each sink has passed.
func TestFewMarks(t *testing.T) {
	began := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	var m, later marks
	for i := range 1500 {
		m.add(began.Add(time.Duration(i)*time.Second), aictail.Position(10*i+10))
	}
	passed := []aictail.Position{5, 777, 14_999, 20_000}
	later.restore(m.few(passed))
	if n := len(later.list); n > 2*storedMarks {
		t.Errorf("%d marks are stored", n)
	}
	for _, pos := range passed {
		if got, want := later.passed(pos), m.passed(pos); !got.Equal(want) {
			t.Errorf("at position %d: %s, was %s", pos, got, want)
		}
	}
	for pos := aictail.Position(0); pos < 16_000; pos += 7 {
		if got, most := later.passed(pos), m.passed(pos); got.After(most) {
			t.Fatalf("at position %d: %s is claimed, %s is true", pos, got, most)
		}
	}
}
