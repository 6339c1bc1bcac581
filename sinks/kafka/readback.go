package kafka

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"strconv"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/listoffsets"
	"github.com/segmentio/kafka-go/protocol/produce"
	"go.uber.org/zap"

	"aictail"
	"aictail/sinks"
)

const (
	// asConsumer and asDebugger are replica ids of requests. The leader answers a
	// consumer with the end of what all replicas in sync have, and a debugger
	// with the end of its own log, where records of ours may wait for replicas.
	asConsumer, asDebugger = -1, -2

	// fetchSize bounds an answer when reading back; only headers are of use.
	fetchSize = 1 << 20
	// fetchWait is how long a broker may wait for records to become readable.
	fetchWait = 250 * time.Millisecond
	// goneAfter is when a partition that the cluster does not name counts as gone
	// with its topic: a broker that has just started may not know it yet.
	goneAfter = 30 * time.Second
	// maxFound bounds what is kept of a log that is read as a whole, far above the
	// events of a batch; at most twice as much is.
	maxFound = 100_000
)

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
		for _, position := range p.doubt.found {
			s.ledger.found(position)
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

// readBack reads the partition from next to its end and notes the events of ours
// that it finds, as far as the doubt is about them. After nil, next is at the end.
// After an error it may be called again and goes on where it was.
func (s *Sink) readBack(ctx context.Context, p *partition) *sinks.Error {
	d := p.doubt
	if p.topic.trouble == nil && int(p.id) >= len(p.topic.leaders) && time.Since(d.since) > goneAfter {
		d.abandon()
		d.found = nil
		p.known, p.saved = false, false
		return nil
	}
	leader, trouble := s.leader(p)
	if trouble != nil {
		return trouble
	}
	if d.pending != nil {
		if done, err := s.await(ctx, p, leader); done || err != nil {
			return err
		}
	}
	target, err := s.target(ctx, p, leader)
	if err != nil {
		return err
	}
	if d.from == 0 {
		d.from = p.next
	}
	if d.from > target {
		// The log was cut or made anew. Records of ours may be anywhere in it.
		if d.from, err = s.offset(ctx, leader, p, query{asConsumer, kafkago.FirstOffset}); err != nil {
			return err
		}
		d.found, p.saved = nil, false
	}
	if err := s.readTo(ctx, p, leader, target); err != nil {
		return err
	}
	// A follower may have answered, whose end is not the leader's, if the leader
	// has moved: only the leader answers this.
	if _, err := s.offset(ctx, leader, p, query{asConsumer, kafkago.LastOffset}); err != nil {
		return err
	}
	p.next, p.checked = d.from, time.Now()
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
		d.found = slices.Collect(maps.Keys(d.suspects))
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

// readTo reads up to the offset target.
func (s *Sink) readTo(ctx context.Context, p *partition, leader string, target int64) *sinks.Error {
	d := p.doubt
	for stuck := time.Now(); d.from < target; {
		res, err := s.client.Fetch(ctx, &kafkago.FetchRequest{
			Addr: kafkago.TCP(leader), Topic: p.topic.name, Partition: int(p.id), Offset: d.from,
			MinBytes: 1, MaxBytes: fetchSize, MaxWait: fetchWait,
		})
		if err == nil {
			err = res.Error
		}
		if errors.Is(err, kafkago.OffsetOutOfRange) {
			if err := s.skipRemoved(ctx, p, leader); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			p.stale = true
			s.silent.note(leader, err)
			return classify("read back "+p.String(), err)
		}
		next, err := s.collect(res.Records, d)
		if err != nil {
			return classify("read back "+p.String(), err)
		}
		switch {
		case next > d.from:
			d.from, stuck = next, time.Now()
		case time.Since(stuck) > s.cfg.Timeout:
			p.stale = true
			return retry("read back %s: its last records are not on enough replicas yet: bring brokers back", p)
		default:
			if err := pause(ctx); err != nil {
				return classify("read back "+p.String(), err)
			}
		}
	}
	return nil
}

// pause waits a moment, for a broker that answers at once although there is
// nothing to read.
func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(fetchWait / 10):
		return nil
	}
}

// skipRemoved moves on to the log's first offset if retention has removed the one
// that reading stands at.
func (s *Sink) skipRemoved(ctx context.Context, p *partition, leader string) *sinks.Error {
	first, err := s.offset(ctx, leader, p, query{asConsumer, kafkago.FirstOffset})
	if err != nil {
		return err
	}
	if first <= p.doubt.from {
		p.stale = true
		return retry("read back %s: the log has changed", p)
	}
	s.log.Warn("records behind the last known one were removed by the topic's retention; if aictail was killed before, events of its last batch may repeat",
		zap.String("topic", p.topic.name), zap.Int32("partition", p.id), zap.Int64("records", first-p.doubt.from))
	p.doubt.from = first
	return nil
}

// collect notes the positions of ours in an answer and returns the offset to go
// on with.
func (s *Sink) collect(records kafkago.RecordReader, d *doubt) (int64, error) {
	next := d.from
	batches := []kafkago.RecordReader{records}
	if stream, ok := records.(*protocol.RecordStream); ok {
		// The stream itself leaves control records out, whose offsets count.
		batches = stream.Records
	} else {
		return next, nil // no records
	}
	for _, batch := range batches {
		for {
			r, err := batch.ReadRecord()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return next, err
			}
			release(r)
			if r.Offset < next {
				continue
			}
			next = r.Offset + 1
			if position, ours := s.ours(r.Headers); ours && (d.suspects == nil || d.suspects[position]) {
				d.find(position)
			}
		}
	}
	if next == d.from {
		// A batch that compaction has emptied.
		next++
	}
	return next, nil
}

// find notes a position. If there are very many, as when a whole log is read, the
// last ones do: what is not committed is at its end.
func (d *doubt) find(position aictail.Position) {
	if len(d.found) == 2*maxFound {
		d.found = slices.Delete(d.found, 0, maxFound)
	}
	d.found = append(d.found, position)
}

func release(r *kafkago.Record) {
	for _, b := range []kafkago.Bytes{r.Key, r.Value} {
		if b != nil {
			_ = b.Close() // gives its buffer back
		}
	}
}

// ours returns the position in a record's headers, if this sink has written it.
func (s *Sink) ours(headers []kafkago.Header) (aictail.Position, bool) {
	var position uint64
	var origin, valid bool
	for _, h := range headers {
		switch h.Key {
		case headerOrigin:
			origin = bytes.Equal(h.Value, s.origin)
		case headerPosition:
			n, err := strconv.ParseUint(string(h.Value), 10, 64)
			position, valid = n, err == nil
		}
	}
	return aictail.Position(position), origin && valid
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
