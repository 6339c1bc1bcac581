package sweep

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The simulation runs a stream against a model of a tenant: entries with random
// times that arrive up to the settle time late and are gone after the retention.
// Windows fail and the process restarts at random. Retention is 2 days, so that
// a case is short; nothing in the package depends on the unit.
const simRetention = 48 * time.Hour

type simEntry struct {
	at, arrives time.Time
	swept       bool
}

type simulation struct {
	t       *rapid.T
	cfg     Config
	s       *Stream
	now     time.Time
	entries []simEntry // by at
	bad     Interval   // windows that touch it and are longer than badMax fail
	badMax  time.Duration
	steps   int
	tailed  time.Time
}

func newSimulation(t *rapid.T) *simulation {
	sim := &simulation{t: t, now: epoch}
	sim.cfg = Config{
		Mode:      rapid.SampledFrom([]Mode{Full, Full, Gaps}).Draw(t, "mode"),
		Settle:    30 * time.Second,
		Retention: simRetention,
		Start:     epoch.Add(-time.Duration(rapid.IntRange(0, 72).Draw(t, "hours")) * time.Hour),
	}
	sim.s = New(sim.cfg, Coverage{})
	first := sim.cfg.Start.Add(-time.Hour)
	span := int(epoch.Add(simRetention).Sub(first) / time.Second)
	for range rapid.IntRange(0, 60).Draw(t, "bursts") {
		at := first.Add(time.Duration(rapid.IntRange(0, span).Draw(t, "at")) * time.Second)
		late := time.Duration(rapid.IntRange(0, 30).Draw(t, "late")) * time.Second
		for range rapid.SampledFrom([]int{1, 1, 2, 40}).Draw(t, "burst") {
			at = at.Add(time.Millisecond)
			sim.entries = append(sim.entries, simEntry{at: at, arrives: at.Add(late)})
		}
	}
	slices.SortFunc(sim.entries, func(a, b simEntry) int { return a.at.Compare(b.at) })
	bad := epoch.Add(-time.Duration(rapid.IntRange(0, 48).Draw(t, "bad")) * time.Hour)
	sim.bad = Interval{bad, bad.Add(10 * time.Minute)}
	sim.badMax = time.Duration(rapid.IntRange(1, 120).Draw(t, "bad max")) * time.Minute
	return sim
}

// fetch marks the entries of the query as swept, as the tenant would return them
// now, and counts those of the window.
func (sim *simulation) fetch(w Window) Result {
	var res Result
	edge := sim.now.Add(-simRetention)
	for i := range sim.entries {
		e := &sim.entries[i]
		if !w.Query.Contains(e.at) || e.arrives.After(sim.now) || !e.at.After(edge) {
			continue
		}
		if w.Contains(e.at) {
			res.Entries++
		}
		if !e.swept && w.Recheck.Contains(e.at) {
			sim.t.Fatalf("%v was found late, in %v", e.at, w.Recheck)
		}
		e.swept = true
	}
	res.Pages = res.Entries/pageSize + 1
	return res
}

// tail reports to a stream in Gaps mode, now and then with a suspicion; entries
// that no suspicion names have been brought by it.
func (sim *simulation) tail() {
	if sim.cfg.Mode != Gaps {
		return
	}
	from := sim.tailed
	sim.tailed = sim.now
	if !from.IsZero() && rapid.IntRange(0, 5).Draw(sim.t, "suspicion") == 0 {
		sim.s.Suspect(Interval{from, sim.now})
	} else if !from.IsZero() {
		for i := range sim.entries {
			e := &sim.entries[i]
			e.swept = e.swept || (Interval{from.Add(-sim.cfg.Settle), sim.now}).Contains(e.at) && !e.arrives.After(sim.now)
		}
	}
	sim.s.Tailed(sim.now)
}

// step asks for a window and executes it, or lets time pass.
func (sim *simulation) step(mayFail bool) (idle bool) {
	sim.steps++
	before := sim.s.uncovered(sim.now)
	w, wait := sim.s.Next(sim.now)
	if wait > 0 {
		if wait > time.Hour {
			sim.t.Fatalf("wait %v", wait)
		}
		sim.now = sim.now.Add(wait)
		sim.check()
		return true
	}
	checkWindow(sim.t, w, sim.now)
	sim.checkOrder(w, before)
	failed := mayFail && (w.overlaps(sim.bad) && w.Duration() > sim.badMax || rapid.IntRange(0, 9).Draw(sim.t, "fails") == 0)
	res := Result{}
	if !failed {
		res = sim.fetch(w)
	}
	sim.now = sim.now.Add(2 * time.Second)
	if failed {
		sim.s.Failed(w, sim.now)
	} else {
		sim.s.Done(w, res, sim.now)
		if !sim.s.cov.CoversAll(Interval{later(w.Begin, sim.s.edge(sim.now)), w.End}) {
			sim.t.Fatalf("%v was swept and is not covered", w.Interval)
		}
	}
	sim.check()
	return false
}

// checkOrder holds a window against the rule: the tip, what is about to be lost,
// the newest.
func (sim *simulation) checkOrder(w Window, uncovered Coverage) {
	if !uncovered.CoversAll(w.Interval) {
		sim.t.Fatalf("%v is not wanted or covered: %v", w.Interval, uncovered.list)
	}
	if len(sim.s.retry.stretches) > 0 {
		return // what failed may be set aside
	}
	gaps := uncovered.list
	if tip := gaps[len(gaps)-1]; tip.End.Equal(sim.s.settled(sim.now)) {
		if due := tip.Duration() >= sim.s.tipLength(); due || w.Class == Tip {
			if !due || w.Class != Tip || !w.End.Equal(tip.End) {
				sim.t.Fatalf("%s window %v with the tip %v", w.Class, w.Interval, tip)
			}
			return
		}
		gaps = gaps[:len(gaps)-1]
	}
	urgent := gaps[0].Begin.Before(sim.s.edge(sim.now).Add(simRetention / urgentShare))
	switch {
	case w.Class != Backfill:
		sim.t.Fatalf("tip window %v without a tip", w.Interval)
	case urgent && !w.Begin.Equal(gaps[0].Begin):
		sim.t.Fatalf("%v before the urgent %v", w.Interval, gaps[0])
	case !urgent && !w.End.Equal(gaps[len(gaps)-1].End):
		sim.t.Fatalf("%v before the newest %v", w.Interval, gaps[len(gaps)-1])
	}
}

// check holds the coverage against the entries: nothing that the tenant still
// holds may be missing from what is said to be complete.
func (sim *simulation) check() {
	until := sim.s.CompleteUntil(sim.now)
	if settled := sim.now.Add(-sim.cfg.Settle); until.After(later(settled, sim.cfg.Start)) {
		sim.t.Fatalf("at %v complete until %v", sim.now, until)
	}
	from := later(sim.cfg.Start, sim.now.Add(-simRetention))
	for i := range sim.entries {
		e := &sim.entries[i]
		claimed := e.at.After(from) && (!e.at.After(until) || sim.s.cov.Covers(e.at))
		if claimed && !e.swept {
			sim.t.Fatalf("at %v the entry of %v is missing; complete until %v, covered %v", sim.now, e.at, until, sim.s.cov.list)
		}
	}
}

// restart goes on with the coverage alone, after some time away.
func (sim *simulation) restart() {
	b, err := json.Marshal(sim.s.Coverage())
	if err != nil {
		sim.t.Fatal(err)
	}
	var cov Coverage
	if err := json.Unmarshal(b, &cov); err != nil {
		sim.t.Fatal(err)
	}
	sim.now = sim.now.Add(time.Duration(rapid.IntRange(1, 4*3600).Draw(sim.t, "away")) * time.Second)
	sim.tailed = time.Time{}
	sim.s = New(sim.cfg, cov)
	sim.check()
}

func TestSimulation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sim := newSimulation(t)
		var lost Coverage
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch rapid.IntRange(0, 19).Draw(t, "what") {
			case 0:
				sim.restart()
			case 1:
				begin := sim.now.Add(-time.Duration(rapid.IntRange(60, 36*3600).Draw(t, "uncover")) * time.Second)
				sim.s.Uncover(Interval{begin, begin.Add(time.Minute)})
			case 2, 3:
				sim.tail()
			default:
				sim.step(true)
			}
			for _, iv := range sim.s.Lost(sim.now) {
				lost.Add(iv)
			}
			sim.check()
		}
		// In peace, everything is covered within a bounded number of windows: 72 h
		// are three windows of a day, the bad stretch begins anew from minutes, and
		// each hole that was torn costs one.
		for n := 0; sim.s.Behind(sim.now) > 6*time.Minute || len(sim.s.uncovered(sim.now).list) > 1; n++ {
			if n > 250 {
				t.Fatalf("after %d steps still uncovered: %v", n, sim.s.uncovered(sim.now).list)
			}
			sim.step(false)
		}
		for _, iv := range lost.Intersect(sim.s.Coverage()).Intervals() {
			t.Fatalf("%v was lost and is covered", iv)
		}
	})
}

func BenchmarkNextAndDone(b *testing.B) {
	// A map with 500 holes, as after a bad month.
	var cov Coverage
	for i := range 500 {
		begin := epoch.Add(-time.Duration(i+1) * time.Hour)
		cov.Add(Interval{begin, begin.Add(50 * time.Minute)})
	}
	s := New(Config{Settle: 30 * time.Second, Start: epoch.Add(-29 * 24 * time.Hour)}, cov)
	now := epoch
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(30 * time.Second)
		if w, wait := s.Next(now); wait == 0 {
			s.Done(w, Result{Entries: 900, Pages: 1}, now)
		}
	}
}
