package kafka

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"aictail"
	"aictail/sinks"
)

// drain sends the partition's queue, one request after the other, so that the
// order stays. After a failure that is not about single records nothing more is
// sent: the rest fails with it. It runs beside the drains of other partitions
// and touches only the verdicts of its own events.
func (s *Sink) drain(ctx context.Context, p *partition, b *batch) {
	queue := p.queue
	most := len(queue) // records in a request; less while looking for a bad one
	for len(queue) > 0 {
		n, size := s.fit(p, b, queue[:min(most, len(queue))])
		items := queue[:n]
		res, err := s.produce(ctx, p, b, items)
		if err == nil {
			p.acknowledged(res.BaseOffset, n)
			b.judge(items, nil)
			queue = queue[n:]
			most = max(most, min(2*n, len(queue)))
			continue
		}
		switch effectOf(err) {
		case tooLarge:
			if n == 1 {
				b.judge(items, s.oversized(p, size, err))
				queue = queue[1:]
				continue
			}
			p.limit = max(size/2, batchOverhead+1)
			continue
		case badRecord:
			verdict := s.keyMissing(p, res, err)
			if verdict != nil && verdict.Kind == sinks.Refused {
				b.judge(queue, verdict)
				return
			}
			bad := named(res, n)
			if len(bad) == 0 && n > 1 {
				most = (n + 1) / 2
				continue
			}
			if verdict == nil {
				verdict = classify(p.String(), err)
			}
			queue = b.withoutBad(queue, bad, verdict)
			continue
		case unclear:
			p.suspect(b, items, err)
		case nothing:
		}
		p.stale = true
		b.judge(queue, classify(p.String(), err))
		return
	}
}

// fit returns how many of the items go into one request, at least one, and their
// size before compression.
func (s *Sink) fit(p *partition, b *batch, items []int) (n, size int) {
	if p.limit == 0 {
		p.limit = int(min(s.cfg.MaxMessageBytes, maxResponse))
	}
	size = batchOverhead
	for n < len(items) {
		more := recordSize(&b.events[items[n]], b.keys[items[n]], s.origin)
		if n > 0 && size+more > p.limit {
			break
		}
		size += more
		n++
	}
	return n, size
}

// produce makes one request. The answer is also there if the broker refused.
func (s *Sink) produce(ctx context.Context, p *partition, b *batch, items []int) (*kafkago.ProduceResponse, error) {
	leader, trouble := s.leader(p)
	if trouble != nil {
		return nil, &notSentError{trouble}
	}
	res, err := s.client.Produce(ctx, &kafkago.ProduceRequest{
		Addr: kafkago.TCP(leader), Topic: p.topic.name, Partition: int(p.id),
		RequiredAcks: kafkago.RequireAll, Compression: s.codec,
		Records: newRecordReader(b, items, s.origin),
	})
	if err != nil {
		s.silent.note(leader, err)
		return nil, err
	}
	return res, res.Error
}

// acknowledged notes that n records stand in the log from base on.
func (p *partition) acknowledged(base int64, n int) {
	p.checked = time.Now()
	if base < p.next {
		// Not what the stored state says: until it is saved anew, a crash would
		// look for these records too far behind.
		p.saved = false
	}
	p.next = base + int64(n)
}

// suspect notes that the events may be in the log, or get there: err says why
// nothing more is known.
func (p *partition) suspect(b *batch, items []int, err error) {
	p.doubt = &doubt{suspects: make(map[aictail.Position]bool, len(items)), since: time.Now()}
	p.doubt.pending, _ = errors.AsType[*pendingError](err)
	for _, i := range items {
		p.doubt.suspects[b.events[i].Position] = true
	}
	p.doubt.err = retry("%s: whether the last request arrived is not known yet", p)
}

// oversized is the verdict on a record that is too large by itself.
func (s *Sink) oversized(p *partition, size int, err error) *sinks.Error {
	verdict := classify(p.String(), err)
	verdict.Err = fmt.Errorf("%w (the event has about %d bytes before compression)", verdict.Err, size)
	return verdict
}

// named returns the records of a request of n that the answer names as bad: the
// only one, if there is no other.
func named(res *kafkago.ProduceResponse, n int) map[int]bool {
	bad := make(map[int]bool)
	for i := range res.RecordErrors {
		if i >= 0 && i < n {
			bad[i] = true
		}
	}
	if n == 1 {
		bad[0] = true
	}
	return bad
}

// withoutBad gives the bad records their verdict and returns the rest of the
// queue, in order: none of the request's records was appended.
func (b *batch) withoutBad(queue []int, bad map[int]bool, verdict *sinks.Error) []int {
	rest := make([]int, 0, len(queue))
	for at, i := range queue {
		if bad[at] {
			b.judge([]int{i}, verdict)
		} else {
			rest = append(rest, i)
		}
	}
	return rest
}

// keyMissing recognises the answer of a compacted topic to a record without a
// key, which has no code of its own. It returns nil for others.
func (s *Sink) keyMissing(p *partition, res *kafkago.ProduceResponse, err error) *sinks.Error {
	const says = "Compacted topic cannot accept message without key"
	found := strings.Contains(err.Error(), says)
	if res != nil {
		for _, e := range res.RecordErrors {
			found = found || strings.Contains(e.Error(), says)
		}
	}
	switch {
	case !found:
		return nil
	case s.pointer == nil:
		return refused("%s: the topic is compacted and takes only records with a key: set key, or cleanup.policy=delete for the topic", p)
	}
	return &sinks.Error{Kind: sinks.Poison, Err: errors.New(p.String() +
		": the topic is compacted and takes only records with a key, and the event has nothing where key points: set cleanup.policy=delete for the topic")}
}
