package elasticsearch

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"aictail"
	"aictail/sinks"
)

// report gathers what became of the events of one Send.
type report struct {
	events    []aictail.Event
	delivered int
	failed    []sinks.Failure
	// whole is the failure of a request, after which nothing more is sent.
	whole *sinks.Error
	// stopped: a failure means that it is better to wait.
	stopped bool
	// worst is the first of the failures that matter most.
	worst sinks.Failure
}

func (r *report) fail(index int, kind sinks.Kind, why error) {
	f := sinks.Failure{Index: index, Kind: kind, Err: why}
	if r.worst.Err == nil || rank(kind) < rank(r.worst.Kind) {
		r.worst = f
	}
	r.failed = append(r.failed, f)
}

// add takes what a request that was answered says of its events, and returns those
// that were rejected.
func (r *report) add(part []int, outcomes []outcome) []rejection {
	var rejected []rejection
	for _, o := range outcomes {
		switch o.verdict {
		case unwanted:
			rejected = append(rejected, rejection{index: part[o.n], why: o.why})
		case barred:
			r.fail(part[o.n], sinks.Refused, o.why)
			r.stopped = true
		default:
			r.fail(part[o.n], sinks.Retry, o.why)
			r.stopped = true
		}
	}
	r.delivered += len(part) - len(outcomes)
	return rejected
}

// stop takes the failure of a whole request with the events of part.
func (r *report) stop(part []int, err *sinks.Error) {
	r.whole, r.stopped = err, true
	for _, i := range part {
		r.fail(i, err.Kind, err.Err)
	}
}

// notSent takes events that were held back after a failure, which says what is
// wrong; these only wait.
func (r *report) notSent(pending []int) {
	err := errors.New("not sent after the failure of others")
	for _, i := range pending {
		r.failed = append(r.failed, sinks.Failure{Index: i, Kind: sinks.Retry, Err: err})
	}
}

// err returns the error of Send.
func (r *report) err() error {
	if len(r.failed) == 0 {
		return nil
	}
	if r.whole != nil && len(r.failed) == len(r.events) && r.delivered == 0 {
		return r.whole // nothing is known of single events
	}
	slices.SortFunc(r.failed, func(a, b sinks.Failure) int { return cmp.Compare(a.Index, b.Index) })
	e := &sinks.Error{
		Kind: r.worst.Kind, Failed: r.failed,
		Err: fmt.Errorf("%d of %d events were not taken, such as that at %d in the batch: %w", len(r.failed), len(r.events), r.worst.Index, r.worst.Err),
	}
	if e.Kind == sinks.Split {
		e.Kind = sinks.Poison // no smaller batch helps: the events went alone
	}
	if r.whole != nil {
		e.After = r.whole.After
	}
	return e
}

// rank orders the kinds by how much they matter.
func rank(k sinks.Kind) int {
	switch k {
	case sinks.Refused:
		return 0
	case sinks.Retry:
		return 1
	}
	return 2
}
