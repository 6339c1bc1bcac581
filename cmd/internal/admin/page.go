package admin

import (
	"fmt"
	"html/template"
	"strings"
	"time"
)

// view is a Status as the page shows it: with the stretch of time that the
// timelines span.
type view struct {
	Status
	Span  time.Duration
	Spans []span
}

// span is a stretch of time to choose.
type span struct {
	Name string
	Long time.Duration
}

func spans() []span {
	return []span{{"10m", 10 * time.Minute}, {"1h", time.Hour}, {"6h", 6 * time.Hour}, {"24h", 24 * time.Hour}, {"7d", 7 * 24 * time.Hour}, {"30d", 30 * 24 * time.Hour}}
}

// newView shows the stretch of the given name, or without one the shortest that
// shows everything that is missing.
func newView(s Status, name string) view {
	v := view{Status: s, Spans: spans()}
	oldest := s.Now
	for _, c := range s.Coverage {
		if len(c.Missing) > 0 && c.Missing[0].Begin.Before(oldest) {
			oldest = c.Missing[0].Begin
		}
	}
	for _, x := range v.Spans {
		if x.Name == name {
			v.Span = x.Long
			return v
		}
		if v.Span == 0 && s.Now.Sub(oldest) < x.Long {
			v.Span = x.Long
		}
	}
	if v.Span == 0 {
		v.Span = v.Spans[len(v.Spans)-1].Long
	}
	return v
}

// Delivered returns until when everything is in every sink; zero if that is not
// known of one of them.
func (v view) Delivered() time.Time {
	until := v.CompleteUntil
	for _, k := range v.Sinks {
		if k.CompleteUntil.Before(until) {
			until = k.CompleteUntil
		}
	}
	return until
}

// bar is a part of a timeline, in thousandths of its width.
type bar struct {
	X, Width float64
	Class    string
	Title    string
}

// Bars returns the parts of a source entry's timeline: what is confirmed, what is
// still to be swept, and what is too young to be.
func (v view) Bars(c Coverage) []bar {
	begin := v.Now.Add(-v.Span)
	var bars []bar
	add := func(from, to time.Time, class, title string) {
		if from.Before(begin) {
			from = begin
		}
		if to.After(v.Now) {
			to = v.Now
		}
		if !to.After(from) {
			return
		}
		bars = append(bars, bar{
			X: float64(from.Sub(begin)) / float64(v.Span) * 1000, Width: max(2, float64(to.Sub(from))/float64(v.Span)*1000),
			Class: class, Title: fmt.Sprintf("%s: %s to %s UTC", title, clock(from), clock(to)),
		})
	}
	for _, iv := range c.Covered {
		add(iv.Begin, iv.End, "covered", "confirmed")
	}
	for _, iv := range c.Missing {
		add(iv.Begin, iv.End, "missing", "to be swept")
	}
	add(v.Now.Add(-seconds(c.SettleSeconds)), v.Now, "settling", "settling")
	return bars
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") }

var funcs = template.FuncMap{
	"size": Size,
	"ago": func(now, t time.Time) string {
		if t.IsZero() {
			return "–"
		}
		return short(now.Sub(t)) + " ago"
	},
	"since": func(now, t time.Time) string { return short(now.Sub(t)) },
	// Long entries may be wrapped after a comma.
	"spaced": func(s string) string { return strings.ReplaceAll(s, ",", ", ") },
	"clock": func(t time.Time) string {
		if t.IsZero() {
			return "not known yet"
		}
		return clock(t) + " UTC"
	},
	"seconds": func(s float64) string { return short(seconds(s)) },
	"share": func(part, whole int64) float64 {
		if whole <= 0 {
			return 0
		}
		return min(100, max(0, float64(part)/float64(whole)*100))
	},
	"used": func(limit, remaining int) int64 { return int64(limit - remaining) },
	"wide": func(n int) int64 { return int64(n) },
	"iso":  func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
}

// short prints a duration for people, with two units at most.
func short(d time.Duration) string {
	switch d = max(0, d); {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d d %d h", int(d.Hours())/24, int(d.Hours())%24)
}
