package splunkhec

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"aictail/sinks"
	"aictail/sinks/splunkhec/hectest"
)

// spoil makes an event one that Splunk refuses, in one of the ways it can.
func spoil(raw *[]byte, way int) {
	*raw = []byte([]string{`""`, `null`, `{"a":}`}[way%3])
}

// TestBadEvents: whichever events are bad and whatever Splunk does with those
// before them, exactly the bad ones are given up, all others arrive, and every
// duplicate is counted.
func TestBadEvents(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		server := hectest.New(hectest.Options{DropBatch: rapid.Bool().Draw(r, "drop")})
		defer server.Close()
		s := newSink(t, Config{URLs: []string{server.URL()}, Token: "token", MaxBody: rapid.SampledFrom([]int{1, 500, 2000, 1 << 20}).Draw(r, "max body")})
		if err := s.Open(t.Context(), sinks.Saved{Save: func([]byte) error { return nil }}); err != nil {
			r.Fatal(err)
		}
		defer s.Close()
		n := rapid.IntRange(1, 30).Draw(r, "events")
		events := newEvents(1, n)
		bad := map[int]bool{}
		for _, i := range rapid.SliceOfN(rapid.IntRange(0, n-1), 0, 4).Draw(r, "bad") {
			bad[i] = true
			spoil(&events[i].Raw, i)
		}
		if n > 1 && s.limit > 1<<19 && rapid.Bool().Draw(r, "no number") {
			// Bad events as a proxy would report them that hides the number.
			server.Inject(hectest.Fault{Service: hectest.Collect, Status: 400, Body: `{"code":6}`})
		}
		dead := drive(t, s, events)
		var want []int
		for i := range n {
			if bad[i] {
				want = append(want, i)
			}
		}
		if diff := cmp.Diff(want, dead); diff != "" {
			r.Fatalf("given up (-want +got)\n%s", diff)
		}
		count := map[int]int{}
		duplicates := 0
		for _, n := range numbers(server) {
			if count[n]++; count[n] > 1 {
				duplicates++
			}
		}
		for i := range n {
			if got := count[i+1]; (got == 0) != bad[i] {
				r.Fatalf("event %d, bad %v, is there %d times", i, bad[i], got)
			}
		}
		if counted := repeats(t, s); counted < duplicates {
			r.Fatalf("%d duplicates, %d counted", duplicates, counted)
		}
	})
}

// TestBadEventNamed: what a single Send does with a bad event in the middle.
func TestBadEventNamed(t *testing.T) {
	server := newServer(t, hectest.Options{})
	s := openSink(t, server, nil)
	events := newEvents(1, 100)
	spoil(&events[40].Raw, 0)
	before := len(server.Requests())
	e := asError(t, s.Send(t.Context(), events))
	if e.Kind != sinks.Poison || len(e.Failed) != 1 || e.Failed[0].Index != 40 || e.Failed[0].Kind != sinks.Poison ||
		!strings.Contains(e.Failed[0].Err.Error(), "HEC code 13") {
		t.Errorf("got %+v", e)
	}

	// The answer named the event: all before it were indexed and came again.
	want := slices.Concat(seq(1, 41), seq(1, 41), seq(42, 101))
	if diff := cmp.Diff(want, numbers(server)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got := repeats(t, s); got != 40 {
		t.Errorf("%d possible duplicates are counted, want 40", got)
	}
	if sent := len(server.Requests()) - before; sent != 5 {
		t.Errorf("%d requests, want 5: the whole, what precedes, the two suspects, the rest", sent)
	}
}

// TestWrongIndex: the good events before the first with a wrong index are
// delivered, everything else waits, and probing repeats nothing.
func TestWrongIndex(t *testing.T) {
	server := newServer(t, hectest.Options{Indexes: []string{"good"}})
	s := openSink(t, server, func(c *Config) { c.Index = "{source}" })
	events := newEvents(1, 10)
	for i := range events {
		events[i].Source = "good"
	}
	events[6].Source = "bad"
	e := asError(t, s.Send(t.Context(), events))
	if e.Kind != sinks.Refused || len(e.Failed) != 4 || e.Failed[0].Index != 6 || !strings.Contains(e.Error(), "index") {
		t.Errorf("got %+v", e)
	}
	held := len(server.Events())
	for range 3 {
		if err := s.Send(t.Context(), events[6:]); sinks.KindOf(err) != sinks.Refused {
			t.Errorf("got %v", err)
		}
	}
	if got := len(server.Events()); got != held {
		t.Errorf("probing indexed %d more events", got-held)
	}
	server.Set(func(o *hectest.Options) { o.Indexes = nil })
	if err := s.Send(t.Context(), events[6:]); err != nil {
		t.Error(err)
	}
	if got := slices.Compact(slices.Sorted(slices.Values(numbers(server)))); !slices.Equal(got, seq(1, 11)) {
		t.Errorf("Splunk has %v", got)
	}
}

// TestBusyInTheMiddle: Splunk takes the beginning of a request and is busy. When
// it comes again, its beginning is not repeated for ever.
func TestBusyInTheMiddle(t *testing.T) {
	server := newServer(t, hectest.Options{})
	s := openSink(t, server, nil)
	events := newEvents(1, 10)
	server.Inject(hectest.Fault{Service: hectest.Collect, IndexFirst: 6, Status: 503, Body: `{"text":"Server is busy","code":9,"invalid-event-number":6}`})
	e := asError(t, s.Send(t.Context(), events))
	if e.Kind != sinks.Retry || e.Failed != nil {
		t.Errorf("got %+v", e)
	}
	if err := s.Send(t.Context(), events); err != nil {
		t.Fatal(err)
	}
	requests := server.Requests()
	if last := requests[len(requests)-2:]; last[0].Events != 5 || last[1].Events != 5 {
		t.Errorf("the beginning was not sent by itself: %+v", last)
	}
	if got := repeats(t, s); got != 6 {
		t.Errorf("%d possible duplicates are counted, want 6", got)
	}
}

// TestPartialSuccess: what went before a failure is delivered.
func TestPartialSuccess(t *testing.T) {
	server := newServer(t, hectest.Options{})
	s := openSink(t, server, func(c *Config) { c.MaxBody = 700 })
	server.Inject(hectest.Fault{Service: hectest.Collect, Skip: 2, Status: 503, Body: `{"code":9}`})
	events := newEvents(1, 30)
	e := asError(t, s.Send(t.Context(), events))
	taken := len(server.Events())
	if taken == 0 || e.Kind != sinks.Retry || len(e.Failed) != 30-taken || e.Failed[0].Index != taken {
		t.Errorf("Splunk has %d; got %+v", taken, e)
	}
	if err := s.Send(t.Context(), events[taken:]); err != nil {
		t.Fatal(err)
	}
	if got := numbers(server); !slices.Equal(got, seq(1, 31)) {
		t.Errorf("Splunk has %v", got)
	}
	for _, r := range server.Requests() {
		if r.Bytes > 700 {
			t.Errorf("a request has %d bytes", r.Bytes)
		}
	}
	if got := repeats(t, s); got != 0 {
		t.Errorf("%d possible duplicates are counted", got)
	}
}

func TestTooLarge(t *testing.T) {
	server := newServer(t, hectest.Options{MaxContentLength: 60_000})
	s := openSink(t, server, func(c *Config) { c.Compression = "none" })
	events := newEvents(1, 2000)
	huge := fmt.Sprintf(`{"x":"%s"}`, strings.Repeat("x", 100_000))
	events[700].Raw = []byte(huge)
	e := asError(t, s.Send(t.Context(), events))
	if len(e.Failed) != 1 || e.Failed[0].Index != 700 || e.Failed[0].Kind != sinks.Split || e.Kind != sinks.Poison {
		t.Errorf("got %+v", e)
	}
	if got := numbers(server); !slices.Equal(got, slices.Concat(seq(1, 701), seq(702, 2001))) {
		t.Errorf("Splunk has %d events", len(got))
	}
	if s.limit > 60_000 {
		t.Errorf("the limit is still %d", s.limit)
	}
	before := len(server.Requests())
	if err := s.Send(t.Context(), newEvents(3000, 300)); err != nil {
		t.Fatal(err)
	}
	if sent := len(server.Requests()) - before; sent != 1 {
		t.Errorf("%d requests: the lesson is not kept: limit %d, %+v", sent, s.limit, server.Requests()[before:])
	}
	if e := asError(t, s.Send(t.Context(), events[700:701])); e.Kind != sinks.Split || e.Failed != nil {
		t.Errorf("a lone event: got %+v", e)
	}
	if got := repeats(t, s); got != 0 {
		t.Errorf("%d possible duplicates are counted", got)
	}
}

// TestTooLargeAndCut: a server that refuses a large request without reading it
// resets the connection, so that its 413 is lost, unless it is asked first.
func TestTooLargeAndCut(t *testing.T) {
	const most = 50_000
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	taken := 0
	go func() {
		defer close(done)
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			taken += serveImpatiently(c.(*net.TCPConn), most)
		}
	}()
	s := newSink(t, Config{URLs: []string{"http://" + listener.Addr().String()}, Token: "token", Compression: "none"})
	if err := s.Open(t.Context(), sinks.Saved{Save: func([]byte) error { return nil }}); err != nil {
		t.Fatal(err)
	}
	events := newEvents(1, 5000)
	if dead := drive(t, s, events); len(dead) > 0 {
		t.Errorf("%d events were given up", len(dead))
	}
	s.Close()
	listener.Close()
	<-done
	if taken < len(events) {
		t.Errorf("%d events were taken", taken)
	}
}

// serveImpatiently answers one request and returns how many events it held.
func serveImpatiently(c *net.TCPConn, most int64) int {
	defer c.Close()
	r, err := http.ReadRequest(bufio.NewReader(c))
	if err != nil {
		return 0
	}
	asked := r.Header.Get("Expect") != ""
	if r.ContentLength > most {
		if asked {
			fmt.Fprint(c, "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		} else {
			c.SetLinger(0)
		}
		return 0
	}
	if asked {
		fmt.Fprint(c, "HTTP/1.1 100 Continue\r\n\r\n")
	}
	data, _ := io.ReadAll(r.Body)
	const success = `{"text":"Success","code":0}`
	fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(success), success)
	return strings.Count(string(data), `"fields"`)
}

// TestUnknownOutcome: what may have been taken is counted when it comes again,
// and only then.
func TestUnknownOutcome(t *testing.T) {
	tests := map[string]struct {
		fault hectest.Fault
		want  int
	}{
		"cut, taken":     {hectest.Fault{Cut: true, Index: true}, 5},
		"cut, not taken": {hectest.Fault{Cut: true}, 5},
		"timed out":      {hectest.Fault{Delay: 10 * time.Second}, 5},
		"502, taken":     {hectest.Fault{Index: true, Status: 502, Body: "<html>"}, 5},
		"busy":           {hectest.Fault{Status: 503, Body: `{"code":9}`}, 0},
		"twice unknown":  {hectest.Fault{Cut: true, Index: true, Times: 2}, 10},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			server := newServer(t, hectest.Options{})
			s := openSink(t, server, nil)
			fault := server.Inject(tt.fault)
			s.cfg.Timeout = time.Minute
			if tt.fault.Delay > 0 {
				s.cfg.Timeout = 50 * time.Millisecond
			}
			e := asError(t, s.Send(t.Context(), newEvents(1, 5)))
			if e.Kind != sinks.Retry || e.Failed != nil {
				t.Errorf("got %+v", e)
			}
			if tt.fault.Delay > 0 && !strings.Contains(e.Error(), "no answer within 50ms (timeout): look at") {
				t.Errorf("got %v", e)
			}
			if got := repeats(t, s); got != 0 {
				t.Errorf("%d are counted before anything is sent again", got)
			}
			s.cfg.Timeout = time.Minute
			drive(t, s, newEvents(1, 5))
			if err := s.Send(t.Context(), newEvents(6, 5)); err != nil {
				t.Fatal(err)
			}
			if got := repeats(t, s); got != tt.want {
				t.Errorf("%d possible duplicates are counted, want %d", got, tt.want)
			}
			if fault.Fired() == 0 {
				t.Error("the fault did not happen")
			}
			if len(s.doubt.events) > 0 {
				t.Errorf("%d events are still in doubt", len(s.doubt.events))
			}
		})
	}
}

// TestUnreachable: what certainly was not sent is not in doubt.
func TestUnreachable(t *testing.T) {
	server := hectest.New(hectest.Options{})
	s := openSink(t, server, nil)
	s.closeConnections() // on an idle connection a request meets the closing
	server.Close()
	for range 2 {
		if err := s.Send(t.Context(), newEvents(1, 5)); sinks.KindOf(err) != sinks.Retry {
			t.Errorf("got %v", err)
		}
	}
	if len(s.doubt.events) > 0 {
		t.Error("events are in doubt that never left")
	}
}

// TestCancelled: Send returns at once, and what was on its way is in doubt.
func TestCancelled(t *testing.T) {
	server := newServer(t, hectest.Options{})
	s := openSink(t, server, func(c *Config) { c.MaxBody = 400 })
	fault := server.Inject(hectest.Fault{Service: hectest.Collect, Skip: 1, Delay: time.Minute})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for fault.Fired() == 0 {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	e := asError(t, s.Send(ctx, newEvents(1, 10)))
	taken := len(server.Events())
	if !errors.Is(e, context.Canceled) || e.Kind != sinks.Retry || len(e.Failed) != 10-taken {
		t.Errorf("got %+v", e)
	}
	if err := s.Send(t.Context(), newEvents(1+taken, 10-taken)); err != nil {
		t.Fatal(err)
	}
	if got := numbers(server); !slices.Equal(got, seq(1, 11)) {
		t.Errorf("Splunk has %v", got)
	}
}
