package elasticsearch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/elastic/go-elasticsearch/v8/esapi"
	"go.uber.org/zap"

	"aictail"
	"aictail/sinks"
)

const (
	// An answer has about 60 bytes for each event, and for one that failed a
	// reason, which may quote the event's longest value. What is longer than this
	// is not an answer to the request.
	answerBase     = 1 << 20
	answerPerEvent = 2 << 10
	// keepAnswer is how large a buffer is kept between requests: that of a full
	// batch has some 300 KB.
	keepAnswer = 1 << 20
	// maxFailure bounds what is read of an answer that is not 200.
	maxFailure = 64 << 10
)

// errTooLarge is the reason of a lone event that is too large.
var errTooLarge = errors.New("larger than the server takes (413); raise its http.max_content_length, or the limit of a proxy in between")

// Send creates the events' documents. Its error names the events that failed one
// by one as soon as the server has answered for any of them.
func (s *Sink) Send(ctx context.Context, events []aictail.Event) error {
	if s.client == nil {
		return &sinks.Error{Kind: sinks.Retry, Err: errNotOpen}
	}
	if err := ctx.Err(); err != nil {
		return &sinks.Error{Kind: sinks.Retry, Err: err}
	}
	s.pending = s.pending[:0]
	for i := range events {
		s.pending = append(s.pending, i)
	}
	r := &report{events: events}
	rejected := s.deliver(ctx, r, s.pending, asObject)
	if len(rejected) > 0 {
		s.deliverRejected(ctx, r, rejected)
	}
	return r.err()
}

// rejection is an event that the server will not take in the form it was sent in.
type rejection struct {
	index int
	why   error
}

// deliverRejected sends events as text that were rejected.
func (s *Sink) deliverRejected(ctx context.Context, r *report, rejected []rejection) {
	pending := make([]int, len(rejected))
	why := make(map[int]error, len(rejected))
	for i, x := range rejected {
		pending[i] = x.index
		why[x.index] = x.why
	}
	before := r.delivered
	for _, x := range s.deliver(ctx, r, pending, asText) {
		r.fail(x.index, sinks.Poison, fmt.Errorf("%w; as text: %w", why[x.index], x.why))
	}
	if n := r.delivered - before; n > 0 {
		s.warnOnce("events were refused with their fields and are stored as text, marked with aictail.as_text: a mapping does not fit them",
			zap.Int("events", n), zap.NamedError("first", rejected[0].why))
	}
}

// deliver sends the pending events, indices into those of the report, in as many
// requests as their size asks for. It returns those that are rejected in this form;
// all other outcomes go to the report.
func (s *Sink) deliver(ctx context.Context, r *report, pending []int, f form) []rejection {
	var rejected []rejection
	for len(pending) > 0 {
		if r.stopped {
			r.notSent(pending)
			break
		}
		n := s.fill(r.events, pending, f)
		part := pending[:n]
		verdicts, err := s.exchange(ctx, r.events, part)
		switch {
		case err != nil && err.Kind == sinks.Split && n > 1:
			s.limit = s.body.size / 2
			s.log.Warn("the server takes no body of this size; bodies will be smaller from now on, see max_body",
				zap.Int64("bytes", s.body.size), zap.Int64("from_now_on", s.limit))
			continue
		case err != nil && err.Kind == sinks.Split && len(r.events) > 1:
			r.fail(part[0], sinks.Split, errTooLarge)
		case err != nil:
			r.stop(part, err)
		default:
			rejected = append(rejected, r.add(part, verdicts)...)
		}
		pending = pending[n:]
	}
	return rejected
}

// fill builds a body of as many of the pending events as fit, and returns their
// number.
func (s *Sink) fill(events []aictail.Event, pending []int, f form) int {
	s.body.reset()
	for n, i := range pending {
		e := &events[i]
		if !s.body.add(e, s.target.of(e), f, s.limit) {
			return n
		}
	}
	return len(pending)
}

// outcome is a verdict other than done, on the n-th event of a request.
type outcome struct {
	n       int
	verdict verdict
	why     error
}

// exchange sends the body that was built of the events and returns what the answer
// says of them; those that it does not name are done.
func (s *Sink) exchange(ctx context.Context, events []aictail.Event, part []int) ([]outcome, *sinks.Error) {
	limit := answerBase + int64(len(part))*answerPerEvent + 2*s.body.size
	answer, err := s.bulk(ctx, limit)
	if err != nil {
		return nil, err
	}
	var outcomes []outcome
	redirected := 0
	items, readErr := readAnswer(answer, func(n int, it item) {
		if n >= len(part) {
			return
		}
		s.body.id = appendID(s.body.id[:0], &events[part[n]])
		if !bytes.Equal(it.id, s.body.id) {
			outcomes = append(outcomes, outcome{n, again, errors.New("the answer has another document in the event's place")})
			return
		}
		v, why := judge(it)
		if v != done {
			outcomes = append(outcomes, outcome{n, v, why})
		} else if it.redirected {
			redirected++
		}
	})
	if readErr != nil || items > len(part) {
		return nil, &sinks.Error{Kind: sinks.Retry, Err: fmt.Errorf("%w: is there a proxy that changes it?", errAnswer)}
	}
	for n := items; n < len(part); n++ {
		outcomes = append(outcomes, outcome{n, again, errors.New("the answer leaves the event out")})
	}
	if redirected > 0 {
		s.warnOnce("documents went to the failure store of their data stream: its mapping or pipeline does not fit them",
			zap.Int("events", redirected))
	}
	return outcomes, nil
}

// bulk sends the body and returns the answer, which is valid until the next call.
func (s *Sink) bulk(ctx context.Context, limit int64) ([]byte, *sinks.Error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	compressed := s.body.finish()
	var res *esapi.Response
	err := s.onSomeNode(ctx, func() (err error) {
		res, err = esapi.BulkRequest{
			Body:       bytes.NewReader(compressed),
			Pipeline:   s.cfg.Pipeline,
			FilterPath: []string{"errors", "items.*._id", "items.*.status", "items.*.error.type", "items.*.error.reason", "items.*.failure_store"},
			// The server gives up first, so that its answer says what it did.
			Timeout: s.cfg.Timeout / 2,
			Header:  http.Header{"Content-Type": {"application/x-ndjson"}, "Content-Encoding": {"gzip"}},
		}.Do(ctx, s.client)
		return err
	})
	if err != nil {
		return nil, unreached(err, s.cfg.Timeout)
	}
	defer func() { _ = res.Body.Close() }() // nothing of it is needed any more
	if res.StatusCode != http.StatusOK {
		// What is cut off or cannot be read is left out of the message.
		answer, _ := io.ReadAll(io.LimitReader(res.Body, maxFailure))
		return nil, s.refusal(res.StatusCode, res.Header, answer)
	}
	if cap(s.answer) > keepAnswer {
		s.answer = nil
	}
	buf := bytes.NewBuffer(s.answer[:0])
	n, err := buf.ReadFrom(io.LimitReader(res.Body, limit+1))
	s.answer = buf.Bytes()
	switch {
	case err != nil:
		return nil, unreached(err, s.cfg.Timeout)
	case n > limit:
		return nil, &sinks.Error{Kind: sinks.Retry, Err: fmt.Errorf("%w: it has more than %d bytes", errAnswer, limit)}
	}
	return s.answer, nil
}
