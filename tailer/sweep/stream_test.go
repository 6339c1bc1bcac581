package sweep

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const day = 24 * time.Hour

// rig drives a stream by hand.
type rig struct {
	t   *testing.T
	s   *Stream
	now time.Time
}

func newRig(t *testing.T, cfg Config, covered Coverage) *rig {
	t.Helper()
	cfg.Settle = 30 * time.Second
	return &rig{t: t, s: New(cfg, covered), now: epoch}
}

// due returns the next window, which must be due now.
func (r *rig) due() Window {
	r.t.Helper()
	w, wait := r.s.Next(r.now)
	if wait != 0 {
		r.t.Fatalf("no window; wait %v", wait)
	}
	checkWindow(r.t, w, r.now)
	return w
}

// idle checks that nothing is due and returns the wait.
func (r *rig) idle() time.Duration {
	r.t.Helper()
	w, wait := r.s.Next(r.now)
	if wait <= 0 {
		r.t.Fatalf("unexpected window %v", w)
	}
	return wait
}

// sweep completes the next window, with the given number of entries an hour.
func (r *rig) sweep(perHour float64) Window {
	r.t.Helper()
	w := r.due()
	n := int(perHour * w.Duration().Hours())
	r.s.Done(w, Result{Entries: n, Pages: n/pageSize + 1}, r.now)
	return w
}

// sweepAll goes on until nothing is due.
func (r *rig) sweepAll(perHour float64) (windows int) {
	r.t.Helper()
	for windows = 0; ; windows++ {
		w, wait := r.s.Next(r.now)
		if wait > 0 {
			return windows
		}
		if windows > 5000 {
			r.t.Fatalf("no end: %v", w)
		}
		checkWindow(r.t, w, r.now)
		n := int(perHour * w.Duration().Hours())
		r.s.Done(w, Result{Entries: n, Pages: n/pageSize + 1}, r.now)
	}
}

func (r *rig) completeUntil(want time.Time) {
	r.t.Helper()
	if got := r.s.CompleteUntil(r.now); !got.Equal(want) {
		r.t.Errorf("complete until %v, want %v", got, want)
	}
}

func (r *rig) lost(want ...Interval) {
	r.t.Helper()
	if got := r.s.Lost(r.now); len(got)+len(want) > 0 && !cmp.Equal(got, want) {
		r.t.Errorf("lost %v, want %v", got, want)
	}
}

func checkWindow(t interface{ Fatalf(string, ...any) }, w Window, now time.Time) {
	switch {
	case w.Empty() || w.Query.Duration() > 24*time.Hour:
		t.Fatalf("window %v with a query of %v", w.Interval, w.Query.Duration())
	case w.Query.End.After(now) || w.End.After(now.Add(-30*time.Second)):
		t.Fatalf("at %v, window %v asks until %v", now, w.Interval, w.Query.End)
	case w.Query.Begin.After(w.Begin.Add(-time.Second)) || w.Query.End.Before(w.End.Add(time.Second)):
		t.Fatalf("window %v is not widened: %v", w.Interval, w.Query)
	case !w.Recheck.Empty() && (w.Class != Tip || !w.Recheck.End.Equal(w.Begin) || w.Recheck.Begin.Before(w.Query.Begin)):
		t.Fatalf("window %v rechecks %v of query %v", w.Interval, w.Recheck, w.Query)
	}
}

func TestFreshStartNow(t *testing.T) {
	r := newRig(t, Config{Start: epoch}, Coverage{})
	r.completeUntil(epoch)
	// Never more than the interval at a time, since Uncover may come in between.
	for r.now.Before(epoch.Add(time.Minute)) {
		wait := r.idle()
		if wait > defaultInterval {
			t.Fatalf("wait %v", wait)
		}
		r.now = r.now.Add(wait)
	}
	if w := r.sweep(0); w.Class != Tip || w.Interval != span(0, 30) {
		t.Errorf("first window %v", w)
	}
	r.completeUntil(epoch.Add(30 * time.Second))
	if wait := r.idle(); wait != defaultInterval {
		t.Errorf("wait %v after the first window", wait)
	}
	r.now = r.now.Add(45 * time.Second)
	w := r.sweep(0)
	if w.Interval != span(30, 75) || w.Recheck != span(0, 30) || w.Query != span(0, 76) {
		t.Errorf("second window %v", w)
	}
	r.lost()
}

func TestFreshStartInThePast(t *testing.T) {
	r := newRig(t, Config{Start: epoch.Add(-30 * day)}, Coverage{})
	if got := r.s.Behind(r.now); got != 30*day-30*time.Second {
		t.Errorf("behind %v", got)
	}
	first := r.sweep(100)
	if first.Class != Tip || !first.End.Equal(epoch.Add(-30*time.Second)) || first.Duration() != time.Hour {
		t.Errorf("first window %v", first)
	}
	// What is about to leave the retention comes next, oldest first, until the
	// margin of 6 h is swept: an hour, then two and four of them.
	end := r.s.edge(r.now)
	for _, want := range []time.Duration{time.Hour, 2 * time.Hour, 4 * time.Hour} {
		w := r.sweep(100)
		if w.Class != Backfill || !w.Begin.Equal(end) || w.Duration() != want {
			t.Errorf("%v long window %v, want %v from %v", w.Duration(), w.Interval, want, end)
		}
		end = w.End
	}
	begin := first.Begin
	for range 4 {
		w := r.sweep(100)
		if w.Class != Backfill || !w.End.Equal(begin) {
			t.Errorf("window %v does not end at %v", w.Interval, begin)
		}
		begin = w.Begin
	}
	if n := r.sweepAll(100); n > 35 {
		t.Errorf("%d windows for what is left of 30 quiet days", n)
	}
	r.completeUntil(epoch.Add(-30 * time.Second))
	r.lost()
	if got := r.s.Behind(r.now); got != 0 {
		t.Errorf("behind %v after everything", got)
	}
}

func TestRestart(t *testing.T) {
	start := epoch.Add(-100 * day)
	for _, tt := range []struct {
		name    string
		away    time.Duration
		windows int
		lost    []Interval
	}{
		{"10 minutes", 10 * time.Minute, 1, nil},
		{"a day", day, 7, nil},
		{"40 days", 40 * day, 50, []Interval{{epoch.Add(-40 * day), epoch.Add(-30 * day)}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, Config{Start: start}, covering(Interval{epoch.Add(-75 * day), epoch.Add(-tt.away)}))
			r.lost(tt.lost...)
			r.lost()
			if n := r.sweepAll(10); n > tt.windows {
				t.Errorf("%d windows, want at most %d", n, tt.windows)
			}
			r.completeUntil(epoch.Add(-30 * time.Second))
			if got := r.s.Coverage(); got.list[0].Begin.Before(r.s.edge(r.now)) || len(got.list) != 1 {
				t.Errorf("coverage %v", got.list)
			}
			// Nothing is lost a second time after another restart, and the bounds
			// stay exact while time passes.
			r = newRig(t, Config{Start: start}, r.s.Coverage())
			r.lost()
			r.now = epoch.Add(31 * day)
			r.lost(Interval{epoch.Add(-30 * time.Second), epoch.Add(day)})
		})
	}
}

func TestWindowsFollowTheTraffic(t *testing.T) {
	for _, tt := range []struct {
		name     string
		perHour  float64
		min, max time.Duration
	}{
		{"silent", 0, maxWindow, maxWindow},
		{"quiet", 100, maxWindow, maxWindow},
		{"steady", 3600, 80 * time.Minute, 85 * time.Minute},
		{"loud", 1_680_000, 10 * time.Second, 11 * time.Second},
		{"absurd", 1e9, minWindow, minWindow},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, Config{Start: epoch.Add(-20 * day)}, Coverage{})
			for range 10 {
				r.sweep(tt.perHour)
			}
			if w := r.due(); w.Class != Backfill || w.Duration() < tt.min || w.Duration() > tt.max {
				t.Errorf("%s window of %v, want %v to %v", w.Class, w.Duration(), tt.min, tt.max)
			}
		})
	}
}

func TestSmallPagesShrinkTheWindow(t *testing.T) {
	r := newRig(t, Config{Start: epoch.Add(-day)}, Coverage{})
	r.sweep(0)
	before := r.due()
	r.s.Done(before, Result{Entries: 2000, Pages: 22}, r.now) // a tenant that gives 100 at a time
	if w := r.due(); w.Duration() != before.Duration()/4 {
		t.Errorf("window of %v after one of %v with 22 pages", w.Duration(), before.Duration())
	}
}

func TestNewTipComesBeforeBackfill(t *testing.T) {
	r := newRig(t, Config{Start: epoch.Add(-day)}, Coverage{})
	r.sweep(100)
	if w := r.sweep(100); w.Class != Backfill {
		t.Fatalf("window %v", w)
	}
	r.now = r.now.Add(29 * time.Second)
	if w := r.sweep(100); w.Class != Backfill {
		t.Errorf("a tip shorter than the interval was swept: %v", w)
	}
	r.now = r.now.Add(time.Second)
	if w := r.sweep(100); w.Class != Tip || w.Duration() != 30*time.Second {
		t.Errorf("window %v", w)
	}
}

func TestLookBackStaysWithinThePage(t *testing.T) {
	for _, tt := range []struct {
		perHour float64
		want    time.Duration
	}{
		{0, 30 * time.Second},
		{36_000, 30 * time.Second}, // 300 in the tip, 300 before it
		{72_000, 10 * time.Second}, // 600 in the tip, room for 200
		{360_000, 5 * time.Second}, // 3,000 in the tip, a page begins
		{36_000_000, 0},            // only the newest second, with nothing covered before it
	} {
		r := newRig(t, Config{Start: epoch.Add(-time.Minute)}, Coverage{})
		r.sweep(tt.perHour)
		r.now = r.now.Add(30 * time.Second)
		if w := r.due(); w.Recheck.Duration().Round(time.Millisecond) != tt.want {
			t.Errorf("%.0f an hour: rechecks %v, want %v", tt.perHour, w.Recheck.Duration(), tt.want)
		}
	}
}

func TestLookBackEndsWhereTheCoverageBegins(t *testing.T) {
	r := newRig(t, Config{Start: epoch.Add(-35 * time.Second), Interval: 5 * time.Second}, Coverage{})
	r.sweep(0)
	r.now = r.now.Add(5 * time.Second)
	if w := r.due(); w.Recheck != span(-35, -30) || w.Query != span(-35, -24) {
		t.Errorf("window %v", w)
	}
}

func TestLookBackKeepsTheQueryWithinADay(t *testing.T) {
	r := newRig(t, Config{Start: epoch.Add(-day)}, Coverage{})
	r.sweepAll(0)
	r.s.sizes[Tip] = maxWindow
	r.now = r.now.Add(maxWindow - 5*time.Second)
	if w := r.due(); w.Duration() != maxWindow-5*time.Second || w.Query.Duration() != day || w.Recheck.Duration() != 6*time.Second {
		t.Errorf("window of %v, query of %v, recheck of %v", w.Duration(), w.Query.Duration(), w.Recheck.Duration())
	}
}

func TestFailingWindowShrinksAndIsSetAside(t *testing.T) {
	r := newRig(t, Config{Start: epoch.Add(-10 * time.Hour)}, Coverage{})
	r.sweep(100) // the tip
	bad := r.due()
	want := bad.Duration()
	for i := range setAsideAfter {
		w := r.due()
		if w.End != bad.End || w.Duration() != want {
			t.Fatalf("try %d: %v long window %v, want %v", i, w.Duration(), w.Interval, want)
		}
		r.s.Failed(w, r.now)
		if got := r.idle(); got != time.Second<<i {
			t.Errorf("pause of %v after failure %d", got, i+1)
		}
		r.now = r.now.Add(time.Second << i)
		if i > 0 {
			want /= 2
		}
	}
	if next := r.sweep(100); !next.End.Equal(bad.Begin) || next.Duration() != time.Hour {
		t.Errorf("after the stretch was set aside: %v", next)
	}
	r.sweepAll(100)
	r.now = r.now.Add(firstHold)
	if w := r.sweep(100); w.Class != Tip {
		t.Errorf("window %v", w)
	}
	if w := r.sweep(100); w.Duration() != want || w.End != bad.End {
		t.Errorf("after the hold: %v long window %v", w.Duration(), w.Interval)
	}
	if w := r.sweep(100); w.Duration() != 2*want {
		t.Errorf("after the first piece: %v long window %v", w.Duration(), w.Interval)
	}
	r.sweepAll(100)
	r.completeUntil(r.s.cov.last().End)
	if len(r.s.retry.stretches) != 0 {
		t.Errorf("failures are still remembered: %v", r.s.retry.stretches)
	}
}

func TestOutageDoesNotShrinkWindows(t *testing.T) {
	r := newRig(t, Config{Start: epoch.Add(-5 * day)}, Coverage{})
	r.sweep(100)
	requests := 0
	for end := epoch.Add(6 * time.Hour); r.now.Before(end); {
		w, wait := r.s.Next(r.now)
		if wait == 0 {
			requests++
			r.s.Failed(w, r.now)
		}
		r.now = r.now.Add(wait)
	}
	if requests > 6*60+10 {
		t.Errorf("%d requests in 6 h of outage", requests)
	}
	if len(r.s.retry.stretches) > maxStretches {
		t.Errorf("%d stretches are remembered", len(r.s.retry.stretches))
	}
	if n := r.sweepAll(100); n > 25 {
		t.Errorf("%d windows after the outage", n)
	}
	r.completeUntil(r.now.Add(-30 * time.Second))
}

func TestGapsMode(t *testing.T) {
	r := newRig(t, Config{Mode: Gaps, Start: epoch.Add(-time.Hour)}, Coverage{})
	r.s.Tailed(epoch)
	if w := r.sweep(100); w.Class != Tip || !w.End.Equal(epoch.Add(-30*time.Second)) {
		t.Errorf("what was before the tail: %v", w)
	}
	r.sweepAll(100)
	// The tail works: nothing to sweep but the stretch before its first report
	// (the 30 s that had not settled), and complete-until follows the tail.
	for range 100 {
		r.now = r.now.Add(10 * time.Second)
		r.s.Tailed(r.now.Add(-5 * time.Second))
		if n := r.sweepAll(100); n > 1 {
			t.Fatalf("%d windows", n)
		}
	}
	r.completeUntil(r.now.Add(-35 * time.Second))

	full := Interval{r.now.Add(-4 * time.Second), r.now.Add(-2 * time.Second)}
	r.s.Suspect(full)
	r.s.Tailed(r.now.Add(-2 * time.Second))
	r.idle()
	r.now = r.now.Add(2 * time.Minute)
	r.s.Tailed(r.now)
	w := r.due()
	if want := (Interval{full.Begin.Add(-30 * time.Second), full.End.Add(30 * time.Second)}); w.Class != Backfill ||
		!w.Begin.Equal(want.Begin) || !w.End.Equal(want.End) {
		t.Errorf("swept %v for the suspicion %v", w.Interval, want)
	}
	r.completeUntil(w.Begin)
	if got := r.s.Suspected(); len(got) != 1 || got[0] != w.Interval {
		t.Errorf("suspected %v", got)
	}
	r.s.Done(w, Result{}, r.now)
	r.idle()
	r.completeUntil(r.now.Add(-30 * time.Second))
	if got := r.s.Suspected(); len(got) != 0 {
		t.Errorf("still suspected: %v", got)
	}
}

func TestGapsModeLooksAfterASilentTail(t *testing.T) {
	r := newRig(t, Config{Mode: Gaps, Start: epoch}, Coverage{})
	r.s.Tailed(epoch)
	r.now = r.now.Add(5*time.Minute + 29*time.Second)
	r.idle()
	r.now = r.now.Add(time.Second)
	if w := r.sweep(1); w.Class != Tip || w.Duration() != 5*time.Minute {
		t.Errorf("window %v", w)
	}
	r.idle()
}

func TestGapsModeSurvivesTimesInTheFuture(t *testing.T) {
	r := newRig(t, Config{Mode: Gaps, Start: epoch}, Coverage{})
	r.s.Tailed(epoch.Add(100 * day))
	r.idle()
	r.now = r.now.Add(2 * time.Minute)
	r.s.Tailed(epoch.Add(200 * day)) // an entry with a nonsensical time
	r.sweepAll(1)
	r.completeUntil(r.now.Add(-30 * time.Second))
	if end := r.s.Coverage().last().End; end.After(r.now) {
		t.Errorf("covered until %v", end)
	}
	r.now = r.now.Add(time.Minute)
	r.s.Tailed(r.now)
	r.idle()
	r.completeUntil(r.now.Add(-30 * time.Second))
}

func TestModeOff(t *testing.T) {
	r := newRig(t, Config{Mode: Off, Start: epoch.Add(-day)}, Coverage{})
	r.s.Suspect(span(-100, -50))
	r.s.Uncover(span(-100, -50))
	r.s.Backfill(span(-1e6, -9e5))
	r.s.Tailed(epoch)
	r.idle()
	r.completeUntil(time.Time{})
	r.lost()
	if got := r.s.Behind(r.now); got != 0 || len(r.s.Suspected()) != 0 {
		t.Errorf("behind %v, suspected %v", got, r.s.Suspected())
	}
}

func TestFullModeRemembersSuspicions(t *testing.T) {
	r := newRig(t, Config{Start: epoch.Add(-time.Hour)}, covering(span(-3600, -600)))
	r.s.Suspect(span(-700, -590)) // swept but for the last 10 s and what they are widened by
	if got := r.s.Suspected(); !cmp.Equal(got, []Interval{span(-600, -560)}) {
		t.Errorf("suspected %v", got)
	}
	if !r.s.Coverage().Equal(covering(span(-3600, -600))) {
		t.Error("the sweep's word was taken back")
	}
	late := New(r.s.cfg, r.s.Coverage())
	late.Suspect(span(-700, -590))
	late.Next(epoch.Add(31 * day))
	if got := late.Suspected(); len(got) != 0 {
		t.Errorf("suspected although it is gone: %v", got)
	}
	r.sweepAll(1)
	if got := r.s.Suspected(); len(got) != 0 {
		t.Errorf("still suspected: %v", got)
	}
}

func TestUncoverAndBackfill(t *testing.T) {
	r := newRig(t, Config{Start: epoch.Add(-day)}, covering(Interval{epoch.Add(-day), epoch.Add(-30 * time.Second)}))
	r.idle()
	before := Interval{epoch.Add(-3 * day), epoch.Add(-2 * day)}
	r.s.Backfill(before)
	r.s.Uncover(span(-500, -400))
	if w := r.sweep(1); w.Interval != span(-500, -400) {
		t.Errorf("window %v", w)
	}
	r.sweepAll(1)
	if !r.s.Coverage().CoversAll(before) || r.s.Coverage().CoversAll(Interval{before.End, r.now.Add(-day)}) {
		t.Errorf("coverage %v", r.s.cov.list)
	}
	r.s.Backfill(before)
	r.idle()
	r.s.Uncover(Interval{before.Begin, before.Begin.Add(time.Hour)})
	if w := r.sweep(1); !w.Begin.Equal(before.Begin) || w.Duration() != time.Hour {
		t.Errorf("window %v", w)
	}
	gone := Interval{epoch.Add(-40 * day), epoch.Add(-35 * day)}
	r.s.Backfill(gone)
	r.lost(gone)
	r.lost()
	r.idle()
}

// TestOldestMissing: it is what a backfill asks for, then what is left of the
// stream's own time, and the settled present once nothing is.
func TestOldestMissing(t *testing.T) {
	r := newRig(t, Config{Start: epoch.Add(-time.Hour)}, covering(span(-3600, -600), span(-500, -30)))
	want := func(seconds int) {
		t.Helper()
		if got := r.s.OldestMissing(r.now).Sub(epoch).Seconds(); got != float64(seconds) {
			t.Errorf("oldest missing at %v s, want %d s", got, seconds)
		}
	}
	want(-600)
	r.s.Backfill(span(-9000, -8000))
	want(-9000)
	r.sweepAll(10)
	want(-30)
}

func TestUncoverDuringTheSweep(t *testing.T) {
	r := newRig(t, Config{Start: epoch.Add(-time.Hour)}, Coverage{})
	w := r.due()
	r.s.Uncover(span(-1000, -900))
	r.s.Done(w, Result{}, r.now)
	if w := r.sweep(1); w.Interval != span(-1000, -900) {
		t.Errorf("the window's end covered what was uncovered meanwhile; next %v", w)
	}
	r.idle()
}

func TestLossIsReportedAfterTheClockWasFarAhead(t *testing.T) {
	r := newRig(t, Config{Start: epoch.Add(-day)}, Coverage{})
	r.now = epoch.Add(365 * day)
	r.sweepAll(1)
	r.lost(Interval{epoch.Add(-day), epoch.Add(335 * day)})
	r.now = epoch
	r.sweepAll(1)
	r.lost()
	r.now = epoch.Add(31 * day)
	r.lost(Interval{epoch.Add(-30 * time.Second), epoch.Add(day)})
}

func TestRestartBeforeAnythingWasSwept(t *testing.T) {
	cfg := Config{Start: epoch.Add(-300 * day)}
	r := newRig(t, cfg, covering(Interval{epoch.Add(-75 * day), epoch.Add(-40 * day)}))
	gone := Interval{epoch.Add(-40 * day), epoch.Add(-30 * day)}
	r.lost(gone)
	// The report is repeated, but nothing that was swept is called lost.
	r = newRig(t, cfg, r.s.Coverage())
	r.lost(gone)
}

func TestClockThatGoesBack(t *testing.T) {
	r := newRig(t, Config{Start: epoch.Add(-day)}, Coverage{})
	r.sweepAll(1)
	w := Window{Interval: span(-30, 30), Class: Tip}
	r.s.Done(w, Result{}, r.now) // ends in the future by now
	r.completeUntil(epoch.Add(-30 * time.Second))

	r.now = epoch.Add(-time.Hour)
	r.idle()
	r.completeUntil(r.now.Add(-30 * time.Second))
	if end := r.s.Coverage().last().End; end.After(r.now) {
		t.Errorf("covered until %v", end)
	}
	r.now = epoch
	if w := r.sweep(1); w.Class != Tip || w.Duration() != time.Hour {
		t.Errorf("window %v", w)
	}
	// Far ahead and back: what was given up meanwhile is swept again.
	r.now = epoch.Add(365 * day)
	r.lost(Interval{epoch.Add(-30 * time.Second), epoch.Add(335 * day)})
	r.sweepAll(1)
	r.now = epoch
	r.sweepAll(1)
	r.completeUntil(epoch.Add(-30 * time.Second))
	r.lost()
	// A pause from before the jump does not hold up anything.
	r.now = epoch.Add(time.Minute)
	r.s.Failed(r.due(), r.now)
	r.now = epoch.Add(-time.Minute + 2*time.Second)
	if wait := r.idle(); wait > defaultInterval {
		t.Errorf("wait %v", wait)
	}
}

func TestManyHolesAreJoined(t *testing.T) {
	r := newRig(t, Config{Mode: Gaps, Start: epoch.Add(-10 * day)}, covering(Interval{epoch.Add(-10 * day), epoch.Add(-30 * time.Second)}))
	var holes []Interval
	for i := range maxIntervals + 200 {
		at := epoch.Add(-time.Duration(i+1) * 3 * time.Minute)
		holes = append(holes, Interval{at, at.Add(time.Second)})
		r.s.Suspect(holes[i])
	}
	cov := r.s.Coverage()
	if n := len(cov.Intervals()); n > maxIntervals || n < maxIntervals/2 {
		t.Errorf("%d intervals", n)
	}
	if n := len(r.s.Suspected()); n > maxIntervals {
		t.Errorf("%d suspicions", n)
	}
	for _, h := range holes {
		if cov.Intersect(covering(h)).Duration() != 0 {
			t.Fatalf("the hole %v was closed", h)
		}
	}
}

func TestRecommend(t *testing.T) {
	r := newRig(t, Config{Start: epoch.Add(-day)}, Coverage{})
	if d, ok := r.s.Recommend(); ok {
		t.Errorf("recommends %v without a late entry", d)
	}
	done := func(observe ...time.Duration) {
		w := Window{Interval: span(-60, -30), Class: Tip}
		var res Result
		for _, d := range observe {
			res.Observe(d)
		}
		r.s.Done(w, res, r.now)
	}
	done(31*time.Second, 44*time.Second)
	if d, ok := r.s.Recommend(); !ok || d != time.Minute {
		t.Errorf("recommends %v, %v", d, ok)
	}
	for range 2000 {
		done(35 * time.Second)
	}
	done(10 * time.Minute)
	if d, ok := r.s.Recommend(); !ok || d != 40*time.Second {
		t.Errorf("two of 2000 counts too much: %v, %v", d, ok)
	}
	r.s.Done(Window{Interval: span(-60, -30)}, Result{Late: 5, LateMax: 150 * time.Second}, r.now)
	if d, ok := r.s.Recommend(); !ok || d != 3*time.Minute {
		t.Errorf("recommends %v, %v after five of 150 s", d, ok)
	}
	r.now = r.now.Add(15 * day)
	done()
	if d, ok := r.s.Recommend(); ok {
		t.Errorf("still recommends %v after 15 days", d)
	}
	if got := r.s.Totals(); got.Late != 2008 || got.LateMax != 10*time.Minute || got.Windows != 2004 {
		t.Errorf("totals %+v", got)
	}
}

func TestModeNames(t *testing.T) {
	for _, m := range []Mode{Full, Gaps, Off} {
		if got, err := ParseMode(m.String()); err != nil || got != m {
			t.Errorf("%v was read as %v, %v", m, got, err)
		}
	}
	if _, err := ParseMode("Full"); err == nil {
		t.Error("a name in capitals was accepted")
	}
}
