package hectest

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"time"
)

// Service is one of HEC's three.
type Service int

// The services. Collect is what takes events; a request without a body, by which
// senders try their token, is none of it.
const (
	Collect Service = iota
	Ack
	Health
	probe
)

// Fault is something that goes wrong. What is not set does not happen.
type Fault struct {
	// Service that it happens to.
	Service Service
	// Skip is how many requests pass before the first that it happens to, and
	// Times to how many it then does: 0 is once, negative is until Heal.
	Skip, Times int
	// Share is the chance, 0 to 1, of a request that it would happen to; 0 is 1.
	Share float64

	// Delay is how long the request waits before anything else.
	Delay time.Duration
	// Status and Body are the answer in place of the right one; Header is added
	// to it.
	Status int
	Body   string
	Header map[string]string
	// Cut closes the connection without an answer.
	Cut bool
	// Index: the events are indexed before Status or Cut. Else they are not.
	Index bool
	// IndexFirst is how many events are indexed before Status or Cut, as when
	// Splunk stops in the middle of a request.
	IndexFirst int
	// Lose answers with success and indexes nothing, nor acknowledges it ever.
	Lose bool
}

// Injected is a fault at work.
type Injected struct {
	fault Fault
	// seen counts the requests to its service, fired those that it happened to;
	// both guarded by the server's mu.
	seen, fired int
	healed      bool
	server      *Server
}

// Inject adds a fault. Of several that apply to a request the oldest happens.
func (s *Server) Inject(f Fault) *Injected {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.Times == 0 {
		f.Times = 1
	}
	in := &Injected{fault: f, server: s}
	s.faults = append(s.faults, in)
	return in
}

// Fired returns how often it happened.
func (in *Injected) Fired() int {
	in.server.mu.Lock()
	defer in.server.mu.Unlock()
	return in.fired
}

// Heal ends it.
func (in *Injected) Heal() {
	in.server.mu.Lock()
	defer in.server.mu.Unlock()
	in.healed = true
}

// fire returns the fault that happens to the next request of a service, or nil.
// The server's mu is held.
func (s *Server) fire(service Service) *Fault {
	var found *Fault
	for _, in := range s.faults {
		if in.fault.Service != service || in.healed {
			continue
		}
		in.seen++
		if share := in.fault.Share; share > 0 && rand.Float64() >= share {
			continue
		}
		if found == nil && in.seen > in.fault.Skip && (in.fault.Times < 0 || in.fired < in.fault.Times) {
			in.fired++
			found = &in.fault
		}
	}
	return found
}

// before does what the fault does before the request is looked at, and says
// whether that is all. closed ends its waiting.
func (f *Fault) before(w http.ResponseWriter, r *http.Request, closed <-chan struct{}) bool {
	if f.Delay > 0 && !f.wait(r, closed) {
		return true
	}
	if f.Index || f.IndexFirst > 0 || f.Lose || f.Status == 0 && !f.Cut {
		return false
	}
	f.answer(w)
	return true
}

// wait waits, or returns false if nobody waits for the answer any more, which the
// server only notices once it has read the body.
func (f *Fault) wait(r *http.Request, closed <-chan struct{}) bool {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return false
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	timer := time.NewTimer(f.Delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
	case <-closed:
	}
	return false
}

// answer gives the fault's answer.
func (f *Fault) answer(w http.ResponseWriter) {
	if f.Cut {
		panic(http.ErrAbortHandler)
	}
	for name, value := range f.Header {
		w.Header().Set(name, value)
	}
	reply(w, f.Status, f.Body)
}
