package tailer

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"aictail"
	"aictail/tailer/simulator"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// everySource is how a tenant is polled whole within few requests.
var everySource = []string{
	"am-access", "am-core", "idm-core",
	"am-activity,am-authentication,am-config,idm-access,idm-activity,idm-authentication,idm-config,idm-recon,idm-sync,ws-activity,ws-config,ws-core",
}

func TestEveryEntryOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, simulator.Options{Rate: 10, Seed: 1, Ledger: true, MissingCookie: 0.05})
		w.run(10*time.Minute, everySource...)
		w.wantAllOnce(everySource...)
		if got := w.gaps(); len(got) > 0 {
			t.Errorf("gaps without a fault: %v", got)
		}
		if got := w.metric("aictail_api_requests_total", "code"); slices.ContainsFunc(got, func(s string) bool { return !strings.HasPrefix(s, "200: ") }) {
			t.Errorf("requests by code: %v, want only 200: the budget must keep within the limit", got)
		}
	})
}

// TestFaultyAnswers: whatever goes wrong with an answer, its page is asked for
// again. Refused cookies are left to another test, since they lose entries.
func TestFaultyAnswers(t *testing.T) {
	for _, fault := range simulator.AnyFault() {
		if fault.Effect == simulator.RefuseCookie {
			continue
		}
		t.Run(string(fault.Effect), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, simulator.Options{Rate: 5, Seed: 2, Ledger: true})
				if err := w.tenant.FaultShare(0.3, fault); err != nil {
					t.Fatal(err)
				}
				w.run(5*time.Minute, "am-access", "am-core")
				if err := w.tenant.FaultShare(0); err != nil {
					t.Fatal(err)
				}
				w.run(3*time.Minute, "am-access", "am-core")
				w.wantAllOnce("am-access", "am-core")
			})
		})
	}
}

// TestLargePagesCutOff cuts pages of many chunks off in the middle: what has
// been read of them is in the journal and must not be repeated.
func TestLargePagesCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, simulator.Options{Seed: 3, Ledger: true, Limit: 600})
		w.tenant.Generate(12_000)
		cut, err := w.tenant.Inject(simulator.Fault{Effect: simulator.Cut, Endpoint: simulator.Tail, Times: 3})
		if err != nil {
			t.Fatal(err)
		}
		w.run(time.Minute, "am-everything")
		if cut.Fired() != 3 {
			t.Errorf("%d answers were cut off, want 3", cut.Fired())
		}
		w.wantAllOnce("am-everything")
	})
}

func TestRestarts(t *testing.T) {
	for _, keepPending := range []bool{false, true} {
		t.Run(fmt.Sprintf("kept %v", keepPending), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, simulator.Options{Rate: 50, Seed: 4, Ledger: true})
				chance := rand.New(rand.NewPCG(4, 4))
				for range 40 {
					w.run(time.Duration(chance.IntN(20_000))*time.Millisecond, everySource...)
					w.journal.restart(keepPending)
					w.restart()
				}
				w.run(time.Minute, everySource...)
				w.wantAllOnce(everySource...)
			})
		})
	}
}

// TestIdleSourceAfterRestart: the last entry of a source that has been silent
// for hours comes again with every page, also after a restart.
func TestIdleSourceAfterRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, simulator.Options{Seed: 5, Ledger: true})
		for i := range 3 {
			add(t, w.tenant, "am-config", fmt.Sprintf(`"change %d"`, i), time.Now())
			time.Sleep(time.Second)
		}
		w.run(time.Minute, "am-config")
		before := len(w.journal.raws())
		for range 5 {
			time.Sleep(3 * time.Hour)
			// Only the checkpoints survive: the journal has been trimmed.
			w.journal.restart(true)
			saved := w.journal.savedLocked()
			w.journal.durable = nil
			for stream, checkpoint := range saved {
				w.journal.durable = append(w.journal.durable, kept{pos: w.journal.next, stream: stream, checkpoint: checkpoint})
			}
			w.restart()
			w.run(time.Minute, "am-config")
		}
		if got := len(w.journal.raws()); before != 3 || got != 0 {
			t.Errorf("%d events at first and %d after restarts, want 3 and 0", before, got)
		}
	})
}

func add(t *testing.T, tenant *simulator.Tenant, source, payload string, at time.Time) {
	t.Helper()
	if err := tenant.Add(simulator.Entry{Source: source, Payload: []byte(payload), Time: at}); err != nil {
		t.Fatal(err)
	}
}

func TestRefusedCookie(t *testing.T) {
	tests := map[string]struct {
		outage time.Duration // before the cookie is refused
		gaps   []string
	}{
		"at once":         {0, nil},
		"after an outage": {50 * time.Second, []string{"cookie_refused: 1"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, simulator.Options{Rate: 20, Seed: 6, Ledger: true})
				w.run(time.Minute, "am-core")
				outage, err := w.tenant.Inject(simulator.Fault{Effect: simulator.RefuseCookie, Times: 1})
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(tt.outage)
				w.run(time.Minute, "am-core")
				if outage.Fired() != 1 {
					t.Fatal("the cookie was not refused")
				}
				w.wantAllOnce("am-core")
				if diff := cmp.Diff(tt.gaps, w.gaps()); diff != "" {
					t.Errorf("gaps (-want +got):\n%s", diff)
				}
				if w.logged("refused the tail's cookie") != 1 {
					t.Errorf("the refused cookie is not in the log: %v", w.logs.All())
				}
			})
		})
	}
}

func TestPolledLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, simulator.Options{Rate: 10, Seed: 7, Ledger: true})
		w.run(5*time.Minute, "am-core")
		if got := w.gaps(); len(got) > 0 {
			t.Fatalf("gaps while polling: %v", got)
		}
		time.Sleep(10 * time.Minute)
		w.run(time.Minute, "am-core")
		if diff := cmp.Diff([]string{"polled_late: 1"}, w.gaps()); diff != "" {
			t.Errorf("gaps (-want +got):\n%s", diff)
		}
	})
}

// TestIdleIsNotLate: a source without events is polled and its checkpoint kept
// fresh, so that a restart raises no alarm.
func TestIdleIsNotLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, simulator.Options{Seed: 7})
		w.run(2*time.Hour, "am-config")
		w.journal.restart(true)
		w.restart()
		w.run(time.Minute, "am-config")
		if got := w.gaps(); len(got) > 0 {
			t.Errorf("gaps of an idle source: %v", got)
		}
	})
}

// TestFullPage reads audit logs: so many log records at once would be mixed beyond
// assembly.
func TestFullPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, simulator.Options{Seed: 8, Ledger: true})
		w.tenant.Generate(120_000)
		start := time.Now()
		w.run(20*time.Second, "am-access,idm-access")
		w.wantAllOnce("am-access,idm-access")
		if got := w.gaps(); len(got) != 2 || !strings.HasPrefix(got[0], "page_full: ") || got[0] != got[1] {
			t.Errorf("gaps %v, want page_full for both sources", got)
		}
		if n := len(w.journal.raws()); n < 25_000 {
			t.Errorf("%d events after %s: a full page must be followed by the next at once", n, time.Since(start))
		}
	})
}

// TestFailingJournal: what the journal did not take is taken when it comes
// again, and what it did take is not repeated.
func TestFailingJournal(t *testing.T) {
	for _, op := range []string{"append", "sync"} {
		t.Run(op, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, simulator.Options{Rate: 5, Seed: 9, Ledger: true, Limit: 600})
				w.tenant.Generate(5_000)
				chance, broken := rand.New(rand.NewPCG(9, 9)), true
				w.journal.fail = func(o string) error {
					if broken && o == op && chance.Float64() < 0.3 {
						return errors.New("no space left on device")
					}
					return nil
				}
				w.run(3*time.Minute, "am-everything", "idm-access")
				broken = false
				w.run(2*time.Minute, "am-everything", "idm-access")
				w.wantAllOnce("am-everything", "idm-access")
				if w.logged("the journal takes no events") == 0 {
					t.Error("the log does not say that the journal fails")
				}
			})
		})
	}
}

func TestFullJournalStopsPolling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, simulator.Options{Rate: 20, Seed: 10, Ledger: true})
		w.journal.full = make(chan struct{})
		go func() {
			time.Sleep(time.Minute)
			if got := w.metric("aictail_api_requests_total", "code"); len(got) > 0 {
				t.Errorf("requests while the journal is full: %v", got)
			}
			close(w.journal.full)
		}()
		w.run(3*time.Minute, "am-core")
		w.wantAllOnce("am-core")
	})
}

func TestRefusedKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, simulator.Options{Rate: 20, Seed: 11, Ledger: true})
		refusal, err := w.tenant.Inject(simulator.Fault{Effect: simulator.Status, Status: 401, Times: -1})
		if err != nil {
			t.Fatal(err)
		}
		w.run(10*time.Minute, everySource...)
		if w.logged("the tenant refuses the API key") != 1 {
			t.Errorf("want one line for all tailers, got %v", w.logs.All())
		}
		if diff := cmp.Diff([]string{"prod: 0"}, w.metric("aictail_tenant_up", "tenant")); diff != "" {
			t.Errorf("tenant_up (-want +got):\n%s", diff)
		}
		if err := w.shared.Health(); err == nil {
			t.Error("the tenant is healthy with a refused key")
		}
		if n := refusal.Fired(); n > 11*len(everySource) {
			t.Errorf("%d probes in ten minutes, want about one a minute and tailer", n)
		}
		refusal.Remove()
		w.run(3*time.Minute, everySource...)
		if err := w.shared.Health(); err != nil {
			t.Errorf("after recovery: %v", err)
		}
		w.wantAllOnce(everySource...)
		for _, e := range w.logs.All() {
			if s := fmt.Sprint(e); strings.Contains(s, "5uQ1") || strings.Contains(s, "8fK3") {
				t.Errorf("a log entry shows the key: %s", s)
			}
		}
	})
}

// TestClockSkew: the tenant's clock is a minute behind. With a whole second's
// precision, that is a minute or a little more.
func TestClockSkew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, simulator.Options{Now: func() time.Time { return time.Now().Add(-time.Minute) }})
		w.run(10*time.Second, "am-core")
		var skew float64
		for _, got := range w.metric("aictail_clock_skew_seconds", "tenant") {
			if _, err := fmt.Sscanf(got, "prod: %g", &skew); err != nil {
				t.Fatal(err)
			}
		}
		if skew < 60 || skew >= 61 {
			t.Errorf("skew %g, want 60 to 61", skew)
		}
	})
}

func TestUnreachableTenant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, simulator.Options{Rate: 5, Seed: 12, Ledger: true})
		w.run(time.Minute, everySource...)
		w.restart()
		end := time.Now().Add(20 * time.Minute)
		w.net.down = func() error {
			if time.Now().Before(end) {
				return errors.New("dial tcp: connection refused")
			}
			return nil
		}
		w.run(23*time.Minute, everySource...)
		if w.logged("the tenant cannot be reached") != 1 || w.logged("polling works again") == 0 {
			t.Errorf("want one line for the outage and one for its end, got %v", w.logs.All())
		}
		w.wantAllOnce(everySource...)
		if got := w.gaps(); len(got) == 0 {
			t.Error("an outage of twenty minutes left no gap in the metrics")
		}
	})
}

// hideEven drops every second event, so that pages without journaled events
// occur.
type hideEven struct{}

func (hideEven) Apply(events []aictail.Event) []aictail.Event {
	return slices.DeleteFunc(events, func(e aictail.Event) bool { return e.ID[len(e.ID)-1]%2 == 0 })
}

func TestFilteredEventsAreNotReadForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, simulator.Options{Rate: 5, Seed: 13, Ledger: true})
		w.filter = hideEven{}
		w.run(5*time.Minute, "am-access")
		received := w.metric("aictail_events_received_total", "source")
		if want := fmt.Sprintf("am-access: %d", len(w.returned())); len(received) != 1 || received[0] != want {
			t.Errorf("received %v, want %q: every entry counts once, kept or dropped", received, want)
		}
		if kept := len(w.journal.raws()); kept == 0 || kept >= len(w.returned()) {
			t.Errorf("%d of %d events kept", kept, len(w.returned()))
		}
	})
}

// TestDroppedEventsAreNotLate: what was dropped before a restart is not in the
// journal, so the sweep that reads its time again does not know its ids. It is
// dropped again; it has not come late.
func TestDroppedEventsAreNotLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, simulator.Options{Rate: 5, Seed: 17, Ledger: true})
		w.filter = hideEven{}
		for range 3 {
			w.run(3*time.Minute, "am-access")
			w.journal.restart(true)
			w.restart()
		}
		w.run(3*time.Minute, "am-access")
		if got := w.metric("aictail_late_arrival_seconds", "tenant"); len(got) != 0 {
			t.Errorf("late arrivals: %v", got)
		}
		seen := map[string]bool{}
		for _, raw := range w.journal.raws() {
			if seen[raw] {
				t.Fatalf("twice in the journal: %.80s", raw)
			}
			seen[raw] = true
		}
	})
}

// TestSameTextOtherTime: twins that differ only in their timestamp are two
// events; twins that differ in nothing are, too.
func TestSameTextOtherTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, simulator.Options{Ledger: true, ShowLast: true})
		at := time.Now()
		for _, d := range []time.Duration{0, 1, 1, 1, 2} {
			add(t, w.tenant, "idm-core", `"FINE: Read name=user id=anonymous"`, at.Add(d))
		}
		w.run(time.Minute, "idm-core")
		if got := len(w.journal.raws()); got != 5 {
			t.Errorf("%d events, want 5", got)
		}
	})
}
