package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

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
	from := map[string]map[int32]kgo.Offset{}
	left := 0
	for _, name := range topics {
		for _, p := range c.PartitionInfos(name) {
			if p.HighWatermark > p.LogStartOffset {
				if from[name] == nil {
					from[name] = map[int32]kgo.Offset{}
				}
				from[name][p.Partition] = kgo.NewOffset().At(p.LogStartOffset)
				left += int(p.HighWatermark - p.LogStartOffset)
			}
		}
	}
	if left == 0 {
		return nil
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.ConsumePartitions(from), kgo.FetchMaxWait(50*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	byPartition := map[string][]*kgo.Record{}
	for left > 0 {
		fetches := client.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			t.Fatalf("read the topics: %v, %d records are missing", err, left)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			at := fmt.Sprint(r.Topic, r.Partition)
			byPartition[at] = append(byPartition[at], r)
			left--
		})
	}
	var all []*kgo.Record
	for _, name := range topics {
		for _, p := range c.PartitionInfos(name) {
			all = append(all, byPartition[fmt.Sprint(name, p.Partition)]...)
		}
	}
	return all
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
