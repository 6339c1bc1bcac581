package kafka

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strconv"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"go.uber.org/zap"

	"aictail"
	"aictail/sinks"
)

const (
	// fetchSize bounds an answer when reading back; only headers are of use.
	fetchSize = 1 << 20
	// fetchWait is how long a broker may wait for records to become readable.
	fetchWait = 250 * time.Millisecond
	// maxFound bounds what is kept of a log that is read as a whole, far above the
	// events of a batch; at most twice as much is.
	maxFound = 100_000
)

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
	stream, ok := records.(*protocol.RecordStream)
	if !ok {
		return next, nil // no records
	}
	// The stream itself leaves control records out, whose offsets count.
	for _, batch := range stream.Records {
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
			if seen, ours := s.ours(r.Headers); ours && (d.suspects == nil || d.suspects[seen.position]) {
				d.find(seen)
			}
		}
	}
	if next == d.from {
		// A batch that compaction has emptied.
		next++
	}
	return next, nil
}

// find notes an event. If there are very many, as when a whole log is read, the
// last ones do: what is not committed is at its end.
func (d *doubt) find(seen sighting) {
	if len(d.found) == 2*maxFound {
		d.found = slices.Delete(d.found, 0, maxFound)
	}
	d.found = append(d.found, seen)
}

func release(r *kafkago.Record) {
	for _, b := range []kafkago.Bytes{r.Key, r.Value} {
		if b != nil {
			_ = b.Close() // gives its buffer back
		}
	}
}

// ours returns which event a record's headers name, if this sink has written it.
func (s *Sink) ours(headers []kafkago.Header) (seen sighting, ours bool) {
	var origin, valid bool
	for _, h := range headers {
		switch h.Key {
		case headerOrigin:
			origin = bytes.Equal(h.Value, s.origin)
		case headerPosition:
			n, err := strconv.ParseUint(string(h.Value), 10, 64)
			seen.position, valid = aictail.Position(n), err == nil
		case headerID:
			seen.id = hashID(h.Value)
		}
	}
	return seen, origin && valid
}
