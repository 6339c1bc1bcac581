package tailer

import (
	"testing"
	"time"
)

func TestCatchUp(t *testing.T) {
	began := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	var c catchUp
	steps := []struct {
		after     time.Duration
		behind    time.Duration
		want      news
		remaining time.Duration
	}{
		{0, 30 * time.Second, noNews, 0},
		{0, 10 * time.Hour, catchUpBegins, 0},
		{30 * time.Second, 9 * time.Hour, noNews, 0}, // too early to tell
		{2 * time.Minute, 8 * time.Hour, noNews, 8 * time.Minute},
		{5 * time.Minute, 5 * time.Hour, catchUpGoesOn, 5 * time.Minute},
		{6 * time.Minute, 20 * time.Hour, noNews, 0}, // a backfill on top
		{8 * time.Minute, 10 * time.Hour, noNews, 2 * time.Minute},
		{10 * time.Minute, 6 * time.Minute, catchUpGoesOn, 1 * time.Second},
		{11 * time.Minute, 4 * time.Minute, catchUpEnds, 0},
		{12 * time.Minute, 6 * time.Minute, noNews, 0},
	}
	for _, s := range steps {
		now := began.Add(s.after)
		if got := c.note(s.behind, now); got != s.want {
			t.Errorf("after %s, %s behind: news %d, want %d", s.after, s.behind, got, s.want)
		}
		if got := c.remaining(now); (got - s.remaining).Abs() > 2*time.Second {
			t.Errorf("after %s, %s behind: %s remaining, want %s", s.after, s.behind, got, s.remaining)
		}
	}
}
