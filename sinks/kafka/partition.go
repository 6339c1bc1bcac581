package kafka

import (
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"aictail"
	"aictail/sinks"
)

// topic is what the sink knows of one topic.
type topic struct {
	name string
	// trouble is why no event can go to the topic at present; nil if nothing is
	// wrong.
	trouble *sinks.Error
	// leaders are the addresses of the partitions' leaders, "" for one without.
	leaders []string
	// ids are the numbers of all partitions, as the balancer wants them.
	ids []int
	// fetched is when leaders was read from the cluster, zero if never.
	fetched time.Time
	// stale: somebody said that leaders is wrong.
	stale bool
	// readable: a read has shown that aictail may read the topic.
	readable bool
	// counted is the number of partitions in the stored state, 0 if it is not
	// known with how many the last events of the process before were sent.
	counted int
	// sticky is the partition that events without a key go to.
	sticky int
	// partitions are those that events were sent to, by number.
	partitions map[int32]*partition
}

func newTopic(name string) *topic {
	return &topic{name: name, partitions: make(map[int32]*partition)}
}

// partition is what the sink knows of one partition of a topic.
type partition struct {
	topic *topic
	id    int32
	// next: no record of ours at or behind this offset belongs to an event that
	// is known to be delivered. Before it, all do.
	next int64
	// known: next has been found out. saved: the stored state has it, or an
	// earlier offset of the same log.
	known, saved bool
	// doubt is what is not known of the records behind next; nil if nothing.
	doubt *doubt
	// checked is when next was last moved, or was last looked at.
	checked time.Time
	// limit bounds the size of a batch, as the topic may take less than is
	// configured.
	limit int
	// stale: the leader is not the one that the metadata names.
	stale bool

	// The rest belongs to one Send: the events for the partition, in order.
	queue []int
}

// doubt is about records that may or may not be behind a partition's next.
type doubt struct {
	// suspects are the events that were sent and not answered for. nil: any
	// event, as the process that sent them has ended.
	suspects map[aictail.Position]bool
	// found are those that were found behind next.
	found []sighting
	// from is where reading goes on; 0 if it has not begun.
	from int64
	// since is when the doubt came up.
	since time.Time
	// pending is the request itself, while its answer may still come.
	pending *pendingError
	// err is why the doubt is not settled.
	err *sinks.Error
}

// partition returns the topic's partition with the number.
func (t *topic) partition(id int32) *partition {
	p := t.partitions[id]
	if p == nil {
		p = &partition{topic: t, id: id}
		t.partitions[id] = p
	}
	return p
}

// forget drops what is known of the partitions.
func (t *topic) forget() {
	for _, p := range t.partitions {
		p.doubt.abandon()
	}
	clear(t.partitions)
}

// abandon stops waiting for an answer. It may be called for no doubt.
func (d *doubt) abandon() {
	if d != nil && d.pending != nil {
		d.pending.abandon()
		d.pending = nil
	}
}

// doubtful reports whether records of any partition are in doubt.
func (t *topic) doubtful() bool {
	for _, p := range t.partitions {
		if p.doubt != nil {
			return true
		}
	}
	return false
}

// keyed returns the partition for a key: that of the Java client's partitioner,
// which is murmur2(key) with the sign cut off, modulo the number of partitions.
func (t *topic) keyed(key []byte) int32 {
	return int32(kafkago.Murmur2Balancer{}.Balance(kafkago.Message{Key: key}, t.ids...))
}

// advance moves on to the next partition for events without a key that has a
// leader and no doubt; those without are left out as long as there is another.
func (t *topic) advance() {
	for range t.leaders {
		t.sticky = (t.sticky + 1) % len(t.leaders)
		if p := t.partitions[int32(t.sticky)]; t.leaders[t.sticky] != "" && (p == nil || p.doubt == nil) {
			return
		}
	}
}

// blocks returns the doubt that an event of the topic must wait for because it may
// be in Kafka already, or nil. key is nil for an event without one.
func (t *topic) blocks(position aictail.Position, key []byte) *doubt {
	for _, p := range t.partitions {
		switch d := p.doubt; {
		case d == nil:
		case d.suspects != nil:
			if d.suspects[position] {
				return d
			}
		// With the same number of partitions, an event with a key was sent to the
		// partition that it is sent to now.
		case key == nil, t.counted != len(t.ids), t.keyed(key) == p.id:
			return d
		}
	}
	return nil
}
