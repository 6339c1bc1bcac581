package tailer

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"aictail/tailer/simulator"
	"aictail/tailer/sweep"
)

// TestSweepCrashesInTheMiddle: a window of twelve pages is confirmed page by page.
// A process that lives for two pages at a time gets through it, and asks for no
// page more than a few times.
func TestSweepCrashesInTheMiddle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, simulator.Options{Seed: 30, Ledger: true, Limit: 600})
		begin := time.Now()
		const entries = 12_000
		for i := range entries {
			add(t, w.tenant, "am-access", fmt.Sprintf(`{"_id":"e-%d"}`, i), begin.Add(time.Duration(i)*100*time.Millisecond))
		}
		time.Sleep(time.Hour)
		w.began = begin
		w.restart()
		complete := begin.Add(-time.Minute) // the first tail may look back a little
		lives := 0
		for ; lives < 40 && time.Since(complete) > 30*time.Minute; lives++ {
			w.calm(2*time.Second, "am-access")
			p := w.streams[0].Progress(time.Now())
			if p.CompleteUntil.Before(complete) {
				t.Fatalf("complete-until went back from %s to %s", complete, p.CompleteUntil)
			}
			complete = p.CompleteUntil
			w.journal.restart(true)
			w.restart()
		}
		w.calm(5*time.Minute, "am-access")
		if n := len(w.journal.raws()); n != entries {
			t.Errorf("%d of %d entries are there after %d lives", n, entries, lives)
		}
		if pages := w.requests(simulator.Range); pages > 60 {
			t.Errorf("%d range requests for 12 pages", pages)
		}
		w.wantNoneRefused()
	})
}

// requests counts the requests to an endpoint.
func (w *world) requests(endpoint simulator.Endpoint) int {
	n := 0
	for r, k := range w.tenant.Requests() {
		if r.Endpoint == endpoint {
			n += k
		}
	}
	return n
}

// descending turns the results of range queries around, page by page.
func descending(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/monitoring/logs" {
			h.ServeHTTP(w, r)
			return
		}
		r.Header.Del("Accept-Encoding")
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, r)
		body := answer.Body.Bytes()
		var page map[string]json.RawMessage
		var result []json.RawMessage
		if json.Unmarshal(body, &page) == nil && json.Unmarshal(page["result"], &result) == nil {
			slices.Reverse(result)
			page["result"], _ = json.Marshal(result) //nolint:errchkjson // raw messages that were just read
			body, _ = json.Marshal(page)             //nolint:errchkjson // the same
		}
		for name, values := range answer.Header() {
			w.Header()[name] = values
		}
		w.Header().Del("Content-Length")
		w.WriteHeader(answer.Code)
		_, _ = w.Write(body)
	})
}

// TestDisorderedAnswers: a tenant whose answers do not ascend is believed window by
// window only. Nothing is missed, and nothing is claimed too early.
func TestDisorderedAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, simulator.Options{Seed: 31, Ledger: true, Limit: 600})
		w.net.handler = descending(w.tenant)
		begin := time.Now()
		for i := range 3500 {
			add(t, w.tenant, "am-access", fmt.Sprintf(`{"_id":"e-%d"}`, i), begin.Add(time.Duration(i)*100*time.Millisecond))
		}
		time.Sleep(time.Hour)
		w.began = begin
		w.restart()
		for range 60 {
			w.calm(time.Second, "am-access")
			w.checkClaims()
			w.journal.restart(true)
			w.restart()
		}
		w.calm(5*time.Minute, "am-access")
		w.checkClaims()
		if n := len(w.journal.raws()); n != 3500 {
			t.Errorf("%d of 3500 entries are there", n)
		}
		if w.logged("do not ascend") == 0 {
			t.Error("nobody was told")
		}
		if p := w.streams[0].Progress(time.Now()); p.Behind > 2*time.Minute {
			t.Errorf("behind by %s", p.Behind)
		}
	})
}

// TestGapsMode: with sweep: gaps the sweep reads what the tail may have left out,
// and little else.
func TestGapsMode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, simulator.Options{
			Seed: 32, Ledger: true, Limit: 60, Rate: 20, Sources: []string{"am-access"}, TailCap: 15_000, TailSkips: true,
		})
		w.mode = sweep.Gaps
		w.run(10*time.Minute, "am-access")
		swept := w.requests(simulator.Range)
		if swept > 10 {
			t.Errorf("%d range requests in ten minutes without a gap", swept)
		}

		// An outage, a kill and a refused cookie: three reasons for a gap.
		time.Sleep(3 * time.Minute)
		w.journal.restart(true)
		w.restart()
		w.tenant.Generate(500)
		w.run(3*time.Minute, "am-access")
		if _, err := w.tenant.Inject(simulator.Fault{Effect: simulator.RefuseCookie, Endpoint: simulator.Tail, Times: 1}); err != nil {
			t.Fatal(err)
		}
		w.run(3*time.Minute, "am-access")
		w.calm(15*time.Minute, "am-access")
		w.checkClaims()
		w.wantWholeOnce()
		if w.requests(simulator.Range) == swept {
			t.Error("the gaps were not swept")
		}
		w.wantNoneRefused()
	})
}

// TestGapBeforeAFullPage: a full page of the tail may leave out what precedes it, up to the
// page before.
func TestGapBeforeAFullPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, simulator.Options{
			Seed: 35, Ledger: true, Limit: 60, Rate: 1, Sources: []string{"am-access"}, TailCap: 15_000, TailSkips: true,
		})
		w.mode = sweep.Gaps
		go func() {
			time.Sleep(5 * time.Minute)
			// A slow answer, not as late as would be a gap by itself.
			inject(t, w, simulator.Fault{Effect: simulator.Stall, Endpoint: simulator.Tail, For: 50 * time.Second})
			time.Sleep(10 * time.Second)
			w.tenant.Generate(3000)
			time.Sleep(40 * time.Second)
			w.tenant.Generate(15_000)
		}()
		w.run(15*time.Minute, "am-access")
		if got := w.gaps(); len(got) != 1 || got[0] != "page_full: 1" {
			t.Errorf("gaps %v, want one full page", got)
		}
		w.checkClaims() // before a restart, which sweeps what only the tail has claimed
		w.calm(10*time.Minute, "am-access")
		w.wantWholeOnce()
	})
}

// TestTenantsApart: two tenants in one process. While one is flooded, refuses the
// key, answers faultily or not at all, the other's events arrive as if it were alone.
func TestTenantsApart(t *testing.T) {
	troubles := map[string]func(t *testing.T, w *world){
		"flooded": func(_ *testing.T, w *world) { w.tenant.Generate(200_000) },
		"faulty":  func(t *testing.T, w *world) { inject(t, w, simulator.Fault{Effect: simulator.HTML, Times: 1_000_000}) },
		"silent":  func(t *testing.T, w *world) { inject(t, w, simulator.Fault{Effect: simulator.Stall, Times: 1_000_000}) },
		"limited": func(t *testing.T, w *world) {
			inject(t, w, simulator.Fault{Effect: simulator.RateLimited, Times: 1_000_000})
		},
		"no fault": func(*testing.T, *world) {},
	}
	delays := map[string]time.Duration{}
	for name, trouble := range troubles {
		synctest.Test(t, func(t *testing.T) {
			ill := newWorld(t, simulator.Options{Seed: 33, Limit: 28})
			well := newWorld(t, simulator.Options{Seed: 34, Limit: 60, Rate: 2, Ledger: true, Sources: []string{"am-access"}})
			well.journal = ill.journal // as in one process
			ill.name, well.name = "ill", "well"
			ill.quiet = true
			well.restart()
			ill.restart()
			trouble(t, ill)
			done := make(chan struct{})
			go func() {
				defer close(done)
				ill.run(10*time.Minute, "am-access", "am-core")
			}()
			well.run(10*time.Minute, "am-access")
			<-done
			worst := time.Duration(0)
			for _, k := range well.journal.durable {
				for _, at := range k.times {
					if k.stream == "tail/well/am-access" {
						worst = max(worst, k.at.Sub(at))
					}
				}
			}
			delays[name] = worst
			if p := well.streams[0].Progress(time.Now()); p.Behind > 2*time.Minute {
				t.Errorf("%s: the other tenant's sweep is behind by %s", name, p.Behind)
			}
		})
	}
	t.Logf("longest delay of the other tenant's events: %v", delays)
	for name, worst := range delays {
		if worst == 0 || worst > 2*delays["no fault"] {
			t.Errorf("%s: an event of the other tenant took %s, without a fault %s", name, worst, delays["no fault"])
		}
	}
}

func inject(t *testing.T, w *world, f simulator.Fault) {
	t.Helper()
	if _, err := w.tenant.Inject(f); err != nil {
		t.Fatal(err)
	}
}

// TestTextAtTheEndOfAPage: the last entry of a page is a text that the tail leaves to
// the sweep. Its id is in the tail's restart state, for the next page begins with it;
// after a restart it must not pass for journaled.
func TestTextAtTheEndOfAPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, simulator.Options{Seed: 36, Ledger: true, Limit: 60, ShowLast: true})
		at := time.Now()
		add(t, w.tenant, "am-core", `{"n":1}`, at)
		add(t, w.tenant, "am-core", `"a line"`, at.Add(10*time.Millisecond))
		w.calm(3*time.Second, "am-core")
		if got := len(w.journal.raws()); got != 1 {
			t.Fatalf("%d events after the first page, want the object alone", got)
		}
		w.journal.restart(true)
		w.restart()
		w.calm(3*time.Minute, "am-core")
		if got := len(w.journal.raws()); got != 2 {
			t.Errorf("%d events, want both", got)
		}
	})
}
