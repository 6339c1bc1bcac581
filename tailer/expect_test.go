package tailer

import (
	"testing"
	"time"
)

func TestExpect(t *testing.T) {
	load := Load{Limit: 60, Reserve: 0.1, MinInterval: time.Second, MaxInterval: 30 * time.Second, Settle: 30 * time.Second}
	for _, tt := range []struct {
		name              string
		change            func(*Load)
		poll, sweep, near time.Duration
		most              int
	}{
		// 54 requests in 62 s, 55 % of them for polls: one every 2.1 s.
		{"few", func(l *Load) { l.Entries = 5 }, 10400 * time.Millisecond, 30 * time.Second, 200 * time.Millisecond, 14},
		{"many", func(l *Load) { l.Entries = 20 }, 41700 * time.Millisecond, 76500 * time.Millisecond, 300 * time.Millisecond, 14},
		{"low limit", func(l *Load) { l.Entries, l.Limit = 5, 28 }, 22500 * time.Millisecond, 41300 * time.Millisecond, 300 * time.Millisecond, 6},
		{"high limit", func(l *Load) { l.Entries, l.Limit = 1, 60_000 }, time.Second, 30 * time.Second, 0, 14370},
		{"short settle", func(l *Load) { l.Entries, l.Settle = 1, 10*time.Second }, 2085 * time.Millisecond, 10 * time.Second, 50 * time.Millisecond, 14},
	} {
		l := load
		tt.change(&l)
		x := Expect(l)
		if (x.Poll-tt.poll).Abs() > tt.near || (x.Sweep-tt.sweep).Abs() > tt.near || x.Most != tt.most {
			t.Errorf("%s: %+v, want about %s, %s and %d", tt.name, x, tt.poll, tt.sweep, tt.most)
		}
	}
}
