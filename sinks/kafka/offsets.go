package kafka

import (
	"context"
	"errors"
	"slices"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/listoffsets"
	"go.uber.org/zap"

	"aictail/sinks"
)

const (
	// asConsumer and asDebugger are replica ids of requests. The leader answers a
	// consumer with the end of what all replicas in sync have, and a debugger
	// with the end of its own log, where records of ours may wait for replicas.
	asConsumer, asDebugger = -1, -2

	// refreshAfter is how old a quiet partition's offset may become.
	refreshAfter = 10 * time.Minute
	// maxRefresh bounds the work of one Send for it.
	maxRefresh = 64
)

// target returns the end of the leader's log. A request whose outcome is unclear
// may have been appended and not be readable before the replicas have it; it has
// become readable, or is gone, when the readable end has reached the target.
func (s *Sink) target(ctx context.Context, p *partition, leader string) (int64, *sinks.Error) {
	readable, err := s.offset(ctx, leader, p, query{asConsumer, kafkago.LastOffset})
	if err != nil {
		return 0, err
	}
	end, err := s.offset(ctx, leader, p, query{asDebugger, kafkago.LastOffset})
	if err != nil && !noDebugger(err) {
		return 0, err
	}
	return max(readable, end), nil
}

// noDebugger recognises servers other than Kafka's that know no replica id for
// debugging. What they acknowledge is readable at once.
func noDebugger(err error) bool {
	code, _ := codeOf(err)
	switch code {
	case kafkago.UnsupportedVersion, kafkago.InvalidRequest, kafkago.ClusterAuthorizationFailed, kafkago.Unknown:
		return true
	}
	return false
}

// refreshIdle moves the offsets of partitions on that nothing was sent to for a
// while, so that a restart does not read what others have written to them since:
// also in topics that the batch has no events for.
func (s *Sink) refreshIdle(ctx context.Context, b *batch) {
	var idle []*partition
	var moved []*topic // whose leaders may be others now
	for _, t := range s.topics {
		before := len(idle)
		for _, p := range t.partitions {
			if p.saved && p.doubt == nil && len(p.queue) == 0 && time.Since(p.checked) > refreshAfter && len(idle) < maxRefresh {
				idle = append(idle, p)
			}
		}
		if len(idle) > before && !slices.Contains(b.topics, t) && (t.stale || time.Since(t.fetched) > maxAge) {
			moved = append(moved, t)
		}
	}
	if len(moved) > 0 {
		if err := s.refresh(ctx, moved); err != nil {
			s.log.Debug("look for the leaders of idle partitions", zap.Error(err))
		}
	}
	s.parallel(idle, func(p *partition) {
		p.checked = time.Now()
		end, err := s.end(ctx, p)
		if err == nil {
			p.next = end
		} else {
			s.log.Debug("look at the end of an idle partition", zap.Error(err))
		}
	})
	for _, p := range idle {
		p.topic.stale = p.topic.stale || p.stale
	}
}

// findEnd finds where our records will begin in a partition that nothing was sent
// to before, and whether aictail may read the topic: that would be missed only
// after a crash otherwise.
func (s *Sink) findEnd(ctx context.Context, p *partition) *sinks.Error {
	if !p.known {
		end, err := s.end(ctx, p)
		if err != nil {
			return err
		}
		p.next, p.known, p.checked = end, true, time.Now()
	}
	if p.topic.readable {
		return nil
	}
	leader, trouble := s.leader(p)
	if trouble != nil {
		return trouble
	}
	res, err := s.client.Fetch(ctx, &kafkago.FetchRequest{
		Addr: kafkago.TCP(leader), Topic: p.topic.name, Partition: int(p.id), Offset: p.next,
		MaxBytes: 1, MaxWait: time.Millisecond,
	})
	if err == nil && errors.Is(res.Error, kafkago.TopicAuthorizationFailed) {
		err = res.Error
	}
	if err != nil {
		p.stale = true
		return classify("read "+p.String(), err)
	}
	return nil
}

// end returns the offset behind the last record that all replicas in sync have.
// What is before it is never taken back, short of an unclean election.
func (s *Sink) end(ctx context.Context, p *partition) (int64, *sinks.Error) {
	leader, trouble := s.leader(p)
	if trouble != nil {
		return 0, trouble
	}
	return s.offset(ctx, leader, p, query{asConsumer, kafkago.LastOffset})
}

// query asks for an offset: as whom, and for kafkago.FirstOffset or LastOffset.
type query struct {
	replica int32
	which   int64
}

// offset asks the leader for an offset. kafkago.Client has no such request that
// says as whom.
func (s *Sink) offset(ctx context.Context, leader string, p *partition, q query) (int64, *sinks.Error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	offset, err := s.listOffset(ctx, leader, p, q)
	if err != nil {
		p.stale = true
		s.silent.note(leader, err)
		return 0, classify("find the end of "+p.String(), err)
	}
	return offset, nil
}

func (s *Sink) listOffset(ctx context.Context, leader string, p *partition, q query) (int64, error) {
	m, err := s.transport.RoundTrip(ctx, kafkago.TCP(leader), &listoffsets.Request{
		ReplicaID: q.replica,
		Topics: []listoffsets.RequestTopic{{Topic: p.topic.name, Partitions: []listoffsets.RequestPartition{{
			Partition: p.id, CurrentLeaderEpoch: -1, Timestamp: q.which,
		}}}},
	})
	if err != nil {
		return 0, err
	}
	res := m.(*listoffsets.Response)
	if len(res.Topics) != 1 || len(res.Topics[0].Partitions) != 1 {
		return 0, errors.New("the broker's answer does not mention the partition")
	}
	answer := res.Topics[0].Partitions[0]
	if answer.ErrorCode != 0 {
		return 0, kafkago.Error(answer.ErrorCode)
	}
	return answer.Offset, nil
}
