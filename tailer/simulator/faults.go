package simulator

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Effect is what goes wrong with a request.
type Effect string

// The effects.
const (
	// Status answers with Fault.Status and an error in JSON.
	Status Effect = "status"
	// HTML answers with Fault.Status and a page of a load balancer, without rate
	// limit headers. With status 200 it is a page of a captive portal.
	HTML Effect = "html"
	// RateLimited answers 429 without Retry-After.
	RateLimited Effect = "rate limited"
	// RefuseCookie answers 400 as to a malformed cookie. It meets only requests
	// that carry one.
	RefuseCookie Effect = "refuse cookie"
	// NoCookie leaves the cookie out of a page.
	NoCookie Effect = "no cookie"
	// Cut ends the connection after Fault.Bytes of the body; its declared length
	// is the full one.
	Cut Effect = "cut"
	// Truncate ends the body after Fault.Bytes and declares that length, so that
	// only the missing end of the JSON (or of the gzip stream) tells.
	Truncate Effect = "truncate"
	// Trickle sends the whole body in small pieces over Fault.For.
	Trickle Effect = "trickle"
	// Stall answers nothing for Fault.For, or until the client gives up if that
	// is 0, and then honestly.
	Stall Effect = "stall"
	// Reset ends the connection without an answer.
	Reset Effect = "reset"
)

// Fault is a rule by which requests go wrong.
type Fault struct {
	Effect Effect
	// Endpoint and Source choose the requests; empty: any. Source matches requests
	// that name it, alone or among others.
	Endpoint Endpoint
	Source   string
	// Skip is how many matching requests are left alone first: 2 means that the
	// third is the first to meet the fault. A request that an earlier rule takes
	// is not counted.
	Skip int
	// Times is how many requests meet the fault; 0: one; negative: all.
	Times int

	// Status is that of Status and HTML; 0: 503.
	Status int
	// Bytes is where Cut and Truncate end the body; 0 or more than there are:
	// in its middle.
	Bytes int
	// For is how long Trickle and Stall take.
	For time.Duration
}

// Injection is a fault at work.
type Injection struct {
	t       *Tenant
	fault   Fault
	skipped int // guarded by t.mu
	fired   int // guarded by t.mu
}

// Fired returns how many requests have met the fault.
func (i *Injection) Fired() int {
	i.t.mu.Lock()
	defer i.t.mu.Unlock()
	return i.fired
}

// Remove ends the fault.
func (i *Injection) Remove() {
	i.t.mu.Lock()
	defer i.t.mu.Unlock()
	i.t.faults.rules = slices.DeleteFunc(i.t.faults.rules, func(r *Injection) bool { return r == i })
}

// faults are the rules in force. It has no lock of its own.
type faults struct {
	rules  []*Injection
	share  float64
	random []Fault
}

// Inject makes requests go wrong. Rules are tried in the order of their
// injection; the first that applies is the request's only fault.
func (t *Tenant) Inject(f Fault) (*Injection, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	i := &Injection{t: t, fault: f}
	t.faults.rules = append(t.faults.rules, i)
	return i, nil
}

// FaultShare makes a share of the requests that no injected fault takes go
// wrong, each by one of the given faults that match it, or by one of AnyFault if
// none are given. Their Skip and Times are not used. A share of 0 ends it.
func (t *Tenant) FaultShare(share float64, among ...Fault) error {
	if !isShare(share) {
		return fmt.Errorf("fault share is %v: must be from 0 to 1", share)
	}
	if len(among) == 0 {
		among = AnyFault()
	}
	for _, f := range among {
		if err := f.check(); err != nil {
			return err
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.faults.share, t.faults.random = share, slices.Clone(among)
	return nil
}

// AnyFault returns one fault of every effect, with delays short enough for a
// demonstration.
func AnyFault() []Fault {
	return []Fault{
		{Effect: Status, Status: 500},
		{Effect: HTML, Status: 502},
		{Effect: HTML, Status: 200},
		{Effect: RateLimited},
		{Effect: RefuseCookie, Endpoint: Tail},
		{Effect: NoCookie, Endpoint: Tail},
		{Effect: Cut},
		{Effect: Truncate},
		{Effect: Trickle, For: time.Second},
		{Effect: Stall, For: time.Second},
		{Effect: Reset},
	}
}

func (f Fault) check() error {
	switch f.Effect {
	case Status, HTML, RateLimited, RefuseCookie, NoCookie, Cut, Truncate, Trickle, Stall, Reset:
	default:
		return fmt.Errorf("fault has the unknown effect %q", f.Effect)
	}
	if f.Status != 0 && (f.Status < 200 || f.Status > 599) {
		return fmt.Errorf("fault %q has status %d: must be from 200 to 599", f.Effect, f.Status)
	}
	if f.Skip < 0 || f.Bytes < 0 || f.For < 0 {
		return errors.New("fault has a negative Skip, Bytes or For")
	}
	return nil
}

func (f Fault) matches(x *exchange) bool {
	return (f.Endpoint == "" || f.Endpoint == x.endpoint) &&
		(f.Source == "" || slices.Contains(x.sources, f.Source)) &&
		(f.Effect != RefuseCookie || x.params.Has(cookieParam))
}

// nextFault returns the fault that the request meets, one without effect if none.
func (t *Tenant) nextFault(x *exchange) Fault {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, i := range t.faults.rules {
		if !i.fault.matches(x) || i.fault.Times >= 0 && i.fired >= max(1, i.fault.Times) {
			continue
		}
		if i.skipped < i.fault.Skip {
			i.skipped++
			continue
		}
		i.fired++
		return i.fault
	}
	if t.faults.share == 0 || t.chance.Float64() >= t.faults.share {
		return Fault{}
	}
	var matching []Fault
	for _, f := range t.faults.random {
		if f.matches(x) {
			matching = append(matching, f)
		}
	}
	if len(matching) == 0 {
		return Fault{}
	}
	return matching[t.chance.IntN(len(matching))]
}
