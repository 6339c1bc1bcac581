package splunkhec

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"aictail/sinks"
)

const (
	// firstPoll and slowestPoll are the pauses before the first acknowledgement
	// query and between later ones, doubling in between: on an idle indexer events
	// are acknowledged within a second, and one that takes long is not to be asked
	// more often than every few seconds.
	firstPoll   = 500 * time.Millisecond
	slowestPoll = 5 * time.Second
)

// receipt stands for a request that Splunk has taken and not yet indexed.
type receipt struct {
	// address is the only one where the id means anything.
	address *endpoint
	id      uint64
	events  span
}

// await asks for the acknowledgement of all requests that wait for one. Splunk
// tells "true" once and forgets it, so that what was told counts whatever happens
// to the others. A query that fails is asked again; it never acknowledges
// anything. What is not acknowledged in time is to be sent again.
func (t *transfer) await(ctx context.Context) {
	if len(t.waiting) == 0 {
		return
	}
	var trouble error
	pause := t.firstPoll
	for deadline := time.Now().Add(t.cfg.AckTimeout); len(t.waiting) > 0; pause = min(2*pause, t.slowestPoll) {
		left := time.Until(deadline)
		if left <= 0 {
			break
		}
		if !wait(ctx, min(pause, left)) {
			t.giveUp(outcome{kind: sinks.Retry, err: fmt.Errorf("wait for the acknowledgement: %w", ctx.Err())})
			return
		}
		out := t.query(ctx)
		if trouble = out.err; !out.ok && out.kind == sinks.Refused {
			t.giveUp(out)
			return
		}
	}
	if len(t.waiting) == 0 {
		return
	}
	err := fmt.Errorf("not acknowledged within %s (ack_timeout), sent again: look at the queues of the indexers", t.cfg.AckTimeout)
	if trouble != nil {
		err = fmt.Errorf("not acknowledged within %s (ack_timeout), sent again: the last query failed: %w", t.cfg.AckTimeout, trouble)
	}
	t.giveUp(outcome{kind: sinks.Retry, err: err})
}

// wait waits for d, or returns false when ctx ends before.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// query asks each address once for what waits there. Its outcome is the last
// failure.
func (t *transfer) query(ctx context.Context) outcome {
	var asked []*endpoint
	for _, r := range t.waiting {
		if !slices.Contains(asked, r.address) {
			asked = append(asked, r.address)
		}
	}
	last := outcome{ok: true}
	for _, e := range asked {
		indexed, out := t.queryOne(ctx, e)
		if !out.ok {
			last = out
			continue
		}
		t.waiting = slices.DeleteFunc(t.waiting, func(r receipt) bool {
			if r.address != e || !indexed[strconv.FormatUint(r.id, 10)] {
				return false
			}
			t.doubt.settle(t.events[r.events.from:r.events.to])
			return true
		})
	}
	return last
}

func (t *transfer) queryOne(ctx context.Context, e *endpoint) (map[string]bool, outcome) {
	var question struct {
		Acks []uint64 `json:"acks"`
	}
	for _, r := range t.waiting {
		if r.address == e {
			question.Acks = append(question.Acks, r.id)
		}
	}
	data, err := json.Marshal(question)
	if err != nil {
		return nil, outcome{kind: sinks.Retry, err: err}
	}
	a, out := t.exchange(ctx, e, request{
		method: http.MethodPost, url: e.ack + "?channel=" + t.state.Channel, body: &body{data: data},
	})
	if !out.ok {
		return nil, out
	}
	indexed, err := parseAcks(a.body)
	if a.status == http.StatusOK && err == nil {
		return indexed, outcome{ok: true}
	}
	if out = classify(a, false); out.ok || out.single {
		out = outcome{kind: sinks.Retry, err: err}
	}
	if out.err == nil {
		out.err = errors.New("no acknowledgement in the answer")
	}
	out.err = fmt.Errorf("POST %s: %w", e.ack, out.err)
	return nil, out
}

// giveUp makes failures of what is not acknowledged. Those events may be indexed
// all the same, which is noted already.
func (t *transfer) giveUp(out outcome) {
	for _, r := range t.waiting {
		t.fail(r, out)
	}
	t.waiting = nil
}

func (t *transfer) fail(r receipt, out outcome) {
	for i := r.events.from; i < r.events.to; i++ {
		t.failed = append(t.failed, sinks.Failure{Index: i, Kind: out.kind, Err: out.err})
	}
}

// void gives up the requests whose ids cannot be asked for any more: the ids of a
// channel only grow, so with one that does not another indexer answers, or one that
// was restarted, and what it says of older ids is about other requests.
func (t *transfer) void(address *endpoint, id uint64) {
	t.waiting = slices.DeleteFunc(t.waiting, func(r receipt) bool {
		if r.address != address || r.id < id {
			return false
		}
		t.fail(r, outcome{kind: sinks.Retry, err: errors.New(
			"the ids of acknowledgements begin anew, sent again: the indexer was restarted, or the load balancer has no sticky sessions")})
		return true
	})
}
