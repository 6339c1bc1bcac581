package splunkhec

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"aictail"
	"aictail/sinks"
	"aictail/sinks/splunkhec/hectest"
)

// openSimulated returns an open sink that waits for acknowledgements, with the
// pauses of the real one, and a server without a network, for simulated time.
func openSimulated(t *testing.T, o hectest.Options) (*Sink, *hectest.Server) {
	t.Helper()
	o.Acknowledge = true
	server := hectest.NewHandler(o)
	s, err := New(Config{URLs: []string{"http://splunk.test"}, Token: "token", Acknowledge: true, MaxBody: 600}, Deps{})
	if err != nil {
		t.Fatal(err)
	}
	s.transport = direct{server}
	if err := s.Open(t.Context(), sinks.Saved{Save: func([]byte) error { return nil }}); err != nil {
		t.Fatal(err)
	}
	return s, server
}

// queries counts the acknowledgement queries, the one at Open left out.
func queries(server *hectest.Server) int {
	n := -1
	for _, r := range server.Requests() {
		if strings.HasSuffix(r.Path, "/ack") {
			n++
		}
	}
	return n
}

func TestAcknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, server := openSimulated(t, hectest.Options{PollsBefore: 3})
		began := time.Now()
		if err := s.Send(t.Context(), newEvents(1, 20)); err != nil {
			t.Fatal(err)
		}
		// 0.5 s, 1 s, 2 s and 4 s; all requests are asked for together.
		if took := time.Since(began); took != 7500*time.Millisecond || queries(server) != 4 {
			t.Errorf("Send took %v and %d queries", took, queries(server))
		}
		if got := numbers(server); !slices.Equal(got, seq(1, 21)) {
			t.Errorf("Splunk has %v", got)
		}
		if got := repeats(t, s); got != 0 {
			t.Errorf("%d possible duplicates are counted", got)
		}
	})
}

// TestNeverAcknowledged: a request that is lost is sent again after ack_timeout,
// and only that.
func TestNeverAcknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, server := openSimulated(t, hectest.Options{})
		lost := server.Inject(hectest.Fault{Service: hectest.Collect, Skip: 1, Lose: true})
		events := newEvents(1, 10)
		began := time.Now()
		e := asError(t, s.Send(t.Context(), events))
		if took := time.Since(began); took != defaultAckTimeout {
			t.Errorf("Send took %v", took)
		}
		if e.Kind != sinks.Retry || !strings.Contains(e.Error(), "ack_timeout") || lost.Fired() != 1 {
			t.Errorf("got %+v", e)
		}
		missing := len(e.Failed)
		if missing == 0 || missing == 10 || len(server.Events()) != 10-missing {
			t.Fatalf("%d events are named, Splunk has %d", missing, len(server.Events()))
		}
		if dead := drive(t, s, events); len(dead) > 0 {
			t.Errorf("events %v are given up", dead)
		}
		if got := repeats(t, s); got != missing {
			t.Errorf("%d possible duplicates are counted, want %d", got, missing)
		}
	})
}

// TestFailedQueries: a query that fails in whatever way acknowledges nothing, and
// what was told before it counts.
func TestFailedQueries(t *testing.T) {
	for name, fault := range map[string]hectest.Fault{
		"cut":            {Cut: true},
		"html":           {Status: 200, Body: "<html>"},
		"success":        {Status: 200, Body: `{"text":"Success","code":0}`},
		"ones":           {Status: 200, Body: `{"acks":{"0":1,"1":1,"2":1}}`},
		"others":         {Status: 200, Body: `{"acks":{"77":true}}`},
		"none":           {Status: 200, Body: `{"acks":{}}`},
		"failed":         {Status: 503, Body: `{"acks":{"0":true,"1":true,"2":true}}`},
		"busy":           {Status: 503, Body: `{"code":9}`},
		"too large":      {Status: 413},
		"internal error": {Status: 500, Body: `{"code":8}`},
		"hangs":          {Delay: 2 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, server := openSimulated(t, hectest.Options{})
				fault.Service, fault.Times = hectest.Ack, -1
				in := server.Inject(fault)
				e := asError(t, s.Send(t.Context(), newEvents(1, 10)))
				if e.Kind != sinks.Retry || e.Failed != nil || in.Fired() == 0 {
					t.Errorf("got %+v", e)
				}
				in.Heal()
				// Once more, with one failure that passes.
				fault.Times = 1
				in = server.Inject(fault)
				if err := s.Send(t.Context(), newEvents(1, 10)); err != nil || in.Fired() != 1 {
					t.Errorf("got %v", err)
				}
				if got := repeats(t, s); got != 10 {
					t.Errorf("%d possible duplicates are counted, want 10", got)
				}
			})
		})
	}
}

// TestQueryRefused: nothing is gained by asking on, so Send returns at once.
func TestQueryRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, server := openSimulated(t, hectest.Options{})
		server.Inject(hectest.Fault{Service: hectest.Ack, Status: 400, Body: `{"text":"ACK is disabled","code":14}`})
		began := time.Now()
		e := asError(t, s.Send(t.Context(), newEvents(1, 10)))
		if e.Kind != sinks.Refused || !strings.Contains(e.Error(), "acknowledge: false") || time.Since(began) > time.Second {
			t.Errorf("after %v: %+v", time.Since(began), e)
		}
	})
}

// TestAnswerLost: "true" is told once; when that answer is lost, the events come
// again, counted.
func TestAnswerLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, server := openSimulated(t, hectest.Options{})
		s.cfg.AckTimeout = 20 * time.Second
		forget := server.Inject(hectest.Fault{Service: hectest.Ack, Cut: true})
		done := make(chan error)
		go func() { done <- s.Send(t.Context(), newEvents(1, 3)) }()
		for forget.Fired() == 0 {
			time.Sleep(100 * time.Millisecond) // simulated
		}
		server.Forget()
		if e := asError(t, <-done); e.Kind != sinks.Retry {
			t.Errorf("got %+v", e)
		}
		if err := s.Send(t.Context(), newEvents(1, 3)); err != nil {
			t.Fatal(err)
		}
		if got, there := repeats(t, s), len(server.Events()); got != 3 || there != 6 {
			t.Errorf("%d possible duplicates are counted, Splunk has %d events", got, there)
		}
	})
}

// TestStopWhileWaiting: the end of the context ends the waiting.
func TestStopWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, server := openSimulated(t, hectest.Options{PollsBefore: 1000})
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		began := time.Now()
		e := asError(t, s.Send(ctx, newEvents(1, 10)))
		if !errors.Is(e, context.DeadlineExceeded) || time.Since(began) != 3*time.Second {
			t.Errorf("after %v: %+v", time.Since(began), e)
		}
		if got := len(server.Events()); got != 10 {
			t.Errorf("Splunk has %d events", got)
		}
	})
}

// TestSomeAcknowledged: a batch that ends early still waits for what it sent.
func TestSomeAcknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, server := openSimulated(t, hectest.Options{PollsBefore: 2})
		server.Inject(hectest.Fault{Service: hectest.Collect, Skip: 2, Status: 503, Body: `{"code":9}`})
		events := newEvents(1, 12)
		e := asError(t, s.Send(t.Context(), events))
		taken := len(server.Events())
		if taken == 0 || len(e.Failed) != 12-taken || e.Failed[0].Index != taken {
			t.Fatalf("Splunk has %d; got %+v", taken, e)
		}
		if err := s.Send(t.Context(), events[taken:]); err != nil {
			t.Fatal(err)
		}
		if got := repeats(t, s); got != 0 || len(server.Events()) != 12 {
			t.Errorf("%d possible duplicates are counted, Splunk has %d", got, len(server.Events()))
		}
	})
}

// TestAcknowledgementMismatch: that the token and the configuration do not fit is
// noticed before any event is sent.
func TestAcknowledgementMismatch(t *testing.T) {
	for _, acknowledge := range []bool{false, true} {
		server := newServer(t, hectest.Options{Acknowledge: !acknowledge})
		s := newSink(t, Config{URLs: []string{server.URL()}, Token: "token", Acknowledge: acknowledge})
		err := s.Open(t.Context(), sinks.Saved{Save: func([]byte) error { return nil }})
		s.Close()
		if acknowledge {
			if sinks.KindOf(err) != sinks.Refused || !strings.Contains(err.Error(), "HEC code 14") {
				t.Errorf("got %v", err)
			}
			continue
		}
		// Splunk complains of the missing channel only once there is an event.
		s = openSink(t, server, nil)
		err = s.Send(t.Context(), newEvents(1, 3))
		if sinks.KindOf(err) != sinks.Refused || !strings.Contains(err.Error(), "acknowledge: true") || len(server.Events()) > 0 {
			t.Errorf("got %v", err)
		}
	}
}

// TestAckIDsBeginAnew: another indexer, or one that was restarted, counts the ids of a
// channel from 0 again. That it knows an id says nothing of the request that had the same
// id before: its events are sent again.
func TestAckIDsBeginAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, server := openSimulated(t, hectest.Options{})
		// The first request is taken by an indexer that nobody hears of again.
		server.Inject(hectest.Fault{Service: hectest.Collect, Status: 200, Body: `{"text":"Success","code":0,"ackId":0}`})
		events := newEvents(1, 20)
		began := time.Now()
		err := s.Send(t.Context(), events)
		e, ok := errors.AsType[*sinks.Error](err)
		if !ok || e.Kind != sinks.Retry || len(e.Failed) == 0 || e.Failed[0].Index != 0 || !strings.Contains(err.Error(), "sticky sessions") {
			t.Fatalf("Send: %v, want the events of the first request to be sent again", err)
		}
		if took := time.Since(began); took > time.Minute {
			t.Errorf("Send took %s to give up what will never be acknowledged", took)
		}
		var again []aictail.Event
		for _, f := range e.Failed {
			again = append(again, events[f.Index])
		}
		if err := s.Send(t.Context(), again); err != nil {
			t.Fatal(err)
		}
		got := numbers(server)
		slices.Sort(got)
		if !slices.Equal(got, seq(1, 21)) {
			t.Errorf("Splunk has %v", got)
		}
		if n := repeats(t, s); n != len(again) {
			t.Errorf("%v possible duplicates are counted, want %d", n, len(again))
		}
	})
}
