package tailer

import (
	"time"

	"aictail/tailer/budget"
)

// Load is what a tenant's source entries ask of its rate limit.
type Load struct {
	// Limit is the tenant's, in requests per minute, and Reserve the share of it that
	// is left to others.
	Limit   int
	Reserve float64
	// Entries is the number of source entries, one tailer each.
	Entries int
	// MinInterval and MaxInterval bound the time between two polls of a tail, Settle
	// is how old time must be before it is swept.
	MinInterval, MaxInterval, Settle time.Duration
}

// Expectation says how often the source entries of a tenant are read when all are
// about equally loud and nobody else uses the limit.
type Expectation struct {
	// Poll is the time between two polls of a tail, Sweep that between two sweeps of
	// its newest stretch.
	Poll, Sweep time.Duration
	// Most is how many entries could be polled every MaxInterval; 1 at least.
	Most int
}

// Expect returns what the requests suffice for.
func Expect(l Load) Expectation {
	b := budget.New(budget.Options{Reserve: l.Reserve})
	b.Observe(budget.Observation{Known: true, Limit: l.Limit, Remaining: l.Limit})
	rate := b.Rate()
	each := func(share float64) time.Duration {
		return time.Duration(float64(l.Entries) / (share * rate) * float64(time.Second))
	}
	return Expectation{
		Poll:  max(l.MinInterval, each(tailShare)),
		Sweep: max(min(tipInterval, l.Settle), each(tipShare)),
		Most:  max(1, int(tailShare*rate*l.MaxInterval.Seconds())),
	}
}
