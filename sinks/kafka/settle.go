package kafka

import (
	"context"
	"errors"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/produce"
	"go.uber.org/zap"

	"aictail/sinks"
)

// goneAfter is when a partition that the cluster does not name counts as gone with
// its topic: a broker that has just started may not know it yet.
const goneAfter = 30 * time.Second

// settle finds out what is in doubt about the topics' partitions. What can't be
// found out stays in doubt, with the reason. An error is about all events.
func (s *Sink) settle(ctx context.Context, topics []*topic) error {
	if s.wide {
		var err error
		if topics, err = s.allTopics(ctx); err != nil {
			return err
		}
	}
	var list []*partition
	for _, t := range topics {
		for _, p := range t.partitions {
			if p.doubt != nil {
				list = append(list, p)
			}
		}
	}
	if len(list) == 0 {
		s.wide = false
		return nil
	}
	s.parallel(list, func(p *partition) { p.doubt.err = s.readBack(ctx, p) })
	settled, found := 0, 0
	for _, p := range list {
		p.topic.stale = p.topic.stale || p.stale
		if p.doubt.err != nil {
			continue
		}
		for _, seen := range p.doubt.found {
			s.ledger.sighted(seen)
		}
		found += len(p.doubt.found)
		settled++
		p.doubt = nil
	}
	if found > 0 {
		s.log.Info("events of requests without an answer are in Kafka and are not sent again",
			zap.Int("partitions", settled), zap.Int("events", found))
	}
	if s.wide {
		return s.settleWide(list)
	}
	return nil
}

// allTopics returns every topic of the stored state, with its leaders.
func (s *Sink) allTopics(ctx context.Context) ([]*topic, error) {
	var all, unknown []*topic
	for _, t := range s.topics {
		all = append(all, t)
		if t.fetched.IsZero() || t.stale || t.trouble != nil {
			unknown = append(unknown, t)
		}
	}
	if len(unknown) > 0 {
		if err := s.refresh(ctx, unknown); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// settleWide ends the time in which any event may be in any partition. It can't
// wait for topics that were deleted or that aictail may no longer read.
func (s *Sink) settleWide(list []*partition) error {
	for _, p := range list {
		switch {
		case p.doubt == nil:
		case p.topic.missing():
			p.topic.forget()
		case p.doubt.err.Kind == sinks.Refused:
			s.log.Warn("a topic that events went to before the configuration was changed can't be read; if aictail was killed, its last batch may be in the new topics as well",
				zap.String("topic", p.topic.name), zap.Error(p.doubt.err))
			p.topic.forget()
		default:
			return p.doubt.err
		}
	}
	s.wide = false
	return nil
}

// await waits for the answer to the request that the doubt is about, as long as
// the broker that has it leads the partition. It reports true if the answer has
// settled the doubt. After false without an error there will be no answer.
func (s *Sink) await(ctx context.Context, p *partition, leader string) (bool, *sinks.Error) {
	d := p.doubt
	if d.pending.c.address != leader || time.Since(d.since) > s.giveUpAfter() {
		// A broker that has lost its office can't bring the records about any more.
		d.abandon()
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout/4)
	defer cancel()
	m, err := s.transport.resume(ctx, d.pending)
	if _, waits := errors.AsType[*pendingError](err); waits {
		p.stale = true
		s.silent.note(leader, err)
		return false, classify(p.String(), err)
	}
	d.pending = nil
	if err != nil {
		return false, nil
	}
	res := m.(*produce.Response)
	if len(res.Topics) != 1 || len(res.Topics[0].Partitions) != 1 {
		return false, nil
	}
	answer := res.Topics[0].Partitions[0]
	switch {
	case answer.ErrorCode == 0:
		p.acknowledged(answer.BaseOffset, len(d.suspects))
		for position := range d.suspects {
			d.found = append(d.found, sighting{position: position})
		}
		return true, nil
	case effectOf(kafkago.Error(answer.ErrorCode)) != unclear:
		d.found = nil // they come again, and get the same answer
		return true, nil
	}
	return false, nil
}

// giveUpAfter is how long a broker may stand still with a request before the
// outcome is looked for in the log: by then something on the way has forgotten the
// connection.
func (s *Sink) giveUpAfter() time.Duration { return max(10*s.cfg.Timeout, 5*time.Minute) }
