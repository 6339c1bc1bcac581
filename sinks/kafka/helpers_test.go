package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"aictail"
	"aictail/sinks"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newCluster starts a fake cluster that ends with the test.
func newCluster(t testing.TB, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// testConfig is a configuration for the cluster; the topic is "events".
func testConfig(c *kfake.Cluster) Config {
	return Config{Brokers: c.ListenAddrs(), Topic: "events", Timeout: 5 * time.Second}
}

func newSink(t testing.TB, cfg Config) *Sink {
	t.Helper()
	s, err := New(cfg, Deps{Installation: "inst", Name: "bus"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// stored stands for the daemon's state file.
type stored struct{ state []byte }

func (d *stored) saved() sinks.Saved {
	return sinks.Saved{State: d.state, Save: func(b []byte) error { d.state = append([]byte(nil), b...); return nil }}
}

// opened returns an open sink that is closed at the end of the test.
func opened(t testing.TB, cfg Config, d *stored) *Sink {
	t.Helper()
	s := newSink(t, cfg)
	if err := s.Open(t.Context(), d.saved()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// crash ends a sink as kill -9 would, as far as the stored state goes, and starts
// the next.
func crash(t testing.TB, s *Sink, d *stored) *Sink {
	t.Helper()
	cfg := s.cfg
	s.Close()
	return opened(t, cfg, d)
}

// commit does what deliver does after a batch.
func (d *stored) commit(s *Sink) { d.state = append([]byte(nil), s.State()...) }

// newEvents returns n events from position first on, with the position in the
// payload and one of three transaction ids.
func newEvents(first, n int) []aictail.Event {
	events := make([]aictail.Event, n)
	for i := range events {
		p := first + i
		raw := fmt.Sprintf(`{"payload":{"n":%d,"transactionId":"t-%d"},"source":"am-access"}`, p, p%3)
		events[i] = aictail.Event{
			ID: fmt.Appendf(nil, "id-%d", p), Tenant: "prod", Source: "am-access", Raw: []byte(raw),
			Time: time.Date(2026, 3, 1, 12, 0, p, 0, time.UTC), Position: aictail.Position(p),
		}
	}
	return events
}

// records returns what all topics of the cluster hold, by topic, partition and
// offset.
func records(t testing.TB, c *kfake.Cluster, topics ...string) []*kgo.Record {
	t.Helper()
	return consume(t, c.ListenAddrs()[0], topics...)
}

// consume reads the topics from their first offset to their end.
func consume(t testing.TB, addr string, topics ...string) []*kgo.Record {
	t.Helper()
	for range 3 { // the consumer's own waits after a broker's restart can be long
		if all, ok := tryConsume(t, addr, topics...); ok {
			return all
		}
	}
	t.Fatal("the topics can't be read to their end")
	return nil
}

func tryConsume(t testing.TB, addr string, topics ...string) ([]*kgo.Record, bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.FetchMaxWait(50*time.Millisecond), kgo.MetadataMinAge(10*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	from, end := offsets(t, client, topics, -2), offsets(t, client, topics, -1)
	left := int64(0)
	start := map[string]map[int32]kgo.Offset{}
	for at, offset := range end {
		if offset > from[at] {
			left += offset - from[at]
			if start[at.topic] == nil {
				start[at.topic] = map[int32]kgo.Offset{}
			}
			start[at.topic][at.partition] = kgo.NewOffset().At(from[at])
		}
	}
	client.AddConsumePartitions(start)
	got := map[place][]*kgo.Record{}
	for left > 0 {
		fetches := client.PollFetches(ctx)
		fetches.EachError(func(topic string, partition int32, err error) { t.Logf("read %s/%d: %v", topic, partition, err) })
		if err := ctx.Err(); err != nil {
			for at, offset := range end {
				t.Logf("%v: %d of %d to %d", at, len(got[at]), from[at], offset)
			}
			t.Logf("read the topics: %v, %d records are missing", err, left)
			return nil, false
		}
		fetches.EachRecord(func(r *kgo.Record) {
			at := place{r.Topic, r.Partition}
			if r.Offset >= end[at] {
				return
			}
			got[at] = append(got[at], r)
			left = left - 1
		})
	}
	var all []*kgo.Record
	for _, at := range slices.SortedFunc(maps.Keys(end), place.compare) {
		all = append(all, got[at]...)
	}
	return all, true
}

type place struct {
	topic     string
	partition int32
}

func (p place) compare(other place) int {
	return cmp.Or(strings.Compare(p.topic, other.topic), cmp.Compare(p.partition, other.partition))
}

// offsets returns the first (-2) or the end (-1) offsets of the topics that exist.
func offsets(t testing.TB, client *kgo.Client, topics []string, which int64) map[place]int64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	meta := kmsg.NewPtrMetadataRequest()
	for _, name := range topics {
		topic := kmsg.NewMetadataRequestTopic()
		topic.Topic = kmsg.StringPtr(name)
		meta.Topics = append(meta.Topics, topic)
	}
	known, err := meta.RequestWith(ctx, client)
	if err != nil {
		t.Fatal(err)
	}
	req := kmsg.NewPtrListOffsetsRequest()
	for _, topic := range known.Topics {
		rt := kmsg.NewListOffsetsRequestTopic()
		rt.Topic = *topic.Topic
		for _, p := range topic.Partitions {
			rp := kmsg.NewListOffsetsRequestTopicPartition()
			rp.Partition, rp.Timestamp = p.Partition, which
			rt.Partitions = append(rt.Partitions, rp)
		}
		if len(rt.Partitions) > 0 {
			req.Topics = append(req.Topics, rt)
		}
	}
	out := map[place]int64{}
	if len(req.Topics) == 0 {
		return out
	}
	res, err := req.RequestWith(ctx, client)
	if err != nil {
		t.Fatal(err)
	}
	for _, topic := range res.Topics {
		for _, p := range topic.Partitions {
			err := kerr.ErrorForCode(p.ErrorCode)
			if kerr.IsRetriable(err) && ctx.Err() == nil {
				return offsets(t, client, topics, which)
			}
			if err != nil {
				t.Fatalf("offsets of %s: %v", topic.Topic, err)
			}
			out[place{topic.Topic, p.Partition}] = p.Offset
		}
	}
	return out
}

// positions returns the positions in the headers of the topics' records.
func positions(t testing.TB, c *kfake.Cluster, topics ...string) []int {
	t.Helper()
	var out []int
	for _, r := range records(t, c, topics...) {
		var p int
		if _, err := fmt.Sscan(header(r, headerPosition), &p); err != nil {
			t.Fatalf("header %s: %v", headerPosition, err)
		}
		out = append(out, p)
	}
	return out
}

func header(r *kgo.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

// cuts makes the cluster cut the connection of every request of the keys (all, if
// there are none) as long as on is true.
func cuts(c *kfake.Cluster, on *atomic.Bool, keys ...kmsg.Key) {
	if len(keys) == 0 {
		keys = []kmsg.Key{-1}
	}
	for _, key := range keys {
		c.ControlKey(int16(key), func(kmsg.Request) (kmsg.Response, error, bool) {
			if !on.Load() {
				return nil, nil, false
			}
			c.KeepControl()
			return nil, errors.New("cut"), true
		})
	}
}
