package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"aictail"
	"aictail/sinks"
)

// send calls Send and returns its error as deliver sees it, nil for none.
func send(t testing.TB, s *Sink, events []aictail.Event) *sinks.Error {
	t.Helper()
	err := s.Send(t.Context(), events)
	if err == nil {
		return nil
	}
	e, ok := errors.AsType[*sinks.Error](err)
	if !ok {
		t.Fatalf("Send returned a %T: %v", err, err)
	}
	return e
}

// must sends with success.
func must(t testing.TB, s *Sink, events []aictail.Event) {
	t.Helper()
	if err := send(t, s, events); err != nil {
		t.Fatalf("Send: %v: %v", err.Kind, err)
	}
}

// numbers returns first to first+n-1.
func numbers(first, n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = first + i
	}
	return list
}

func wantPositions(t testing.TB, c *kfake.Cluster, topic string, want []int) {
	t.Helper()
	got := positions(t, c, topic)
	if len(c.PartitionInfos(topic)) > 1 {
		slices.Sort(got)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("positions in the topic (-want +got):\n%s", diff)
	}
}

func wantError(t testing.TB, err *sinks.Error, kind sinks.Kind, says ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("success, want an error of kind %v", kind)
	}
	for _, text := range says {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("error %q does not say %q", err, text)
		}
	}
	if err.Kind != kind {
		t.Errorf("kind %v, want %v: %v", err.Kind, kind, err)
	}
}

// failedOf returns the indices of the failed events.
func failedOf(err *sinks.Error) []int {
	var list []int
	for _, f := range err.Failed {
		list = append(list, f.Index)
	}
	return list
}

func TestRecord(t *testing.T) {
	for _, compression := range []string{"", "zstd", "lz4", "snappy", "gzip", "none"} {
		t.Run(compression, func(t *testing.T) {
			c := newCluster(t, kfake.SeedTopics(1, "events"))
			cfg := testConfig(c)
			cfg.Key, cfg.Compression = "/payload/transactionId", compression
			events := newEvents(7, 2)
			events[1].Source, events[1].Raw = "", []byte(`{"payload":"text"}`)
			must(t, opened(t, cfg, new(stored)), events)
			got := records(t, c, "events")
			if len(got) != 2 {
				t.Fatalf("%d records, want 2", len(got))
			}
			for i, r := range got {
				want := map[string]string{
					headerID: fmt.Sprintf("id-%d", 7+i), headerPosition: fmt.Sprint(7 + i), headerSource: events[i].Source,
					headerTenant: "prod", headerOrigin: "inst/bus",
				}
				headers := map[string]string{}
				for _, h := range r.Headers {
					headers[h.Key] = string(h.Value)
				}
				if diff := cmp.Diff(want, headers); diff != "" {
					t.Errorf("headers (-want +got):\n%s", diff)
				}
				if string(r.Value) != string(events[i].Raw) || !r.Timestamp.Equal(events[i].Time) {
					t.Errorf("value %s at %s, want %s at %s", r.Value, r.Timestamp, events[i].Raw, events[i].Time)
				}
			}
			if string(got[0].Key) != "t-1" || got[1].Key != nil {
				t.Errorf("keys %q and %q, want t-1 and none", got[0].Key, got[1].Key)
			}
		})
	}
}

// TestUnclearOutcome lets a request fail in ways that do not tell whether the
// records were appended, and one that was not.
func TestUnclearOutcome(t *testing.T) {
	for _, fault := range []*kerr.Error{
		kerr.RequestTimedOut, kerr.NotEnoughReplicasAfterAppend, // appended
		kerr.NotLeaderForPartition, kerr.KafkaStorageError, kerr.NotEnoughReplicas, kerr.UnknownServerError, // not appended
	} {
		for _, restart := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, restart %t", fault.Message, restart), func(t *testing.T) {
				c := newCluster(t, kfake.SeedTopics(1, "events"), kfake.NumBrokers(2))
				d := new(stored)
				s := opened(t, testConfig(c), d)
				must(t, s, newEvents(1, 5))
				d.commit(s)
				handle := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: fault})
				wantError(t, send(t, s, newEvents(6, 5)), sinks.Retry, "partition 0")
				if handle.Hits() != 1 {
					t.Fatalf("the fault fired %d times", handle.Hits())
				}
				if restart {
					s = crash(t, s, d)
				}
				must(t, s, newEvents(6, 7))
				d.commit(s)
				wantPositions(t, c, "events", numbers(1, 12))
			})
		}
	}
}

// TestOnePartitionFails has one of four partitions refuse for a while: the events
// of the others count as delivered.
func TestOnePartitionFails(t *testing.T) {
	c := newCluster(t, kfake.SeedTopics(4, "events"))
	cfg := testConfig(c)
	cfg.Key = "/payload/n"
	s := opened(t, cfg, new(stored))
	events := newEvents(1, 40)
	handle := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Partitions: []int32{2}, Err: kerr.NotEnoughReplicas, Count: -1})
	err := send(t, s, events)
	wantError(t, err, sinks.Retry, "topic events partition 2", "min.insync.replicas")
	if n := len(err.Failed); n == 0 || n == len(events) {
		t.Fatalf("%d of %d events failed", n, len(events))
	}
	handle.Remove()
	var again []aictail.Event
	for _, i := range failedOf(err) {
		again = append(again, events[i])
	}
	must(t, s, again)
	wantPositions(t, c, "events", numbers(1, 40))
}

func TestMissingTopic(t *testing.T) {
	c := newCluster(t, kfake.SeedTopics(1, "here"), kfake.AllowAutoTopicCreation())
	cfg := testConfig(c)
	cfg.Topic = "{source}"
	s := opened(t, cfg, new(stored))
	events := newEvents(1, 4)
	events[0].Source, events[2].Source = "here", "here"
	err := send(t, s, events)
	wantError(t, err, sinks.Refused, "topic am-access does not exist: create it or set create_topics")
	if diff := cmp.Diff([]int{1, 3}, failedOf(err)); diff != "" {
		t.Errorf("failed (-want +got):\n%s", diff)
	}
	if c.TopicInfo("am-access") != nil {
		t.Error("asking for the topic has created it")
	}
	if err := c.CreateTopic("am-access", 1, nil); err != nil {
		t.Fatal(err)
	}
	must(t, s, []aictail.Event{events[1], events[3]})
	wantPositions(t, c, "am-access", []int{2, 4})
	wantPositions(t, c, "here", []int{1, 3})
}

func TestCreatesTopics(t *testing.T) {
	c := newCluster(t)
	cfg := testConfig(c)
	cfg.Topic, cfg.CreateTopics = "aic.{source}", CreateTopics{Partitions: 3, Replication: 1}
	s := opened(t, cfg, new(stored))
	must(t, s, newEvents(1, 4))
	if n := len(c.PartitionInfos("aic.am-access")); n != 3 {
		t.Errorf("%d partitions, want 3", n)
	}
	wantPositions(t, c, "aic.am-access", numbers(1, 4))
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.CreateTopics}, Err: kerr.InvalidReplicationFactor, Count: -1})
	events := newEvents(5, 2)
	events[0].Source = "other"
	err := send(t, s, events)
	wantError(t, err, sinks.Refused, "create topic aic.other", "create_topics.replication")
	if diff := cmp.Diff([]int{0}, failedOf(err)); diff != "" {
		t.Errorf("failed (-want +got):\n%s", diff)
	}
}

// TestTooLarge has a topic that takes far less than is configured.
func TestTooLarge(t *testing.T) {
	c := newCluster(t)
	limit := "2000"
	if err := c.CreateTopic("events", 1, map[string]string{"max.message.bytes": limit}); err != nil {
		t.Fatal(err)
	}
	cfg := testConfig(c)
	cfg.Compression = "none"
	s := opened(t, cfg, new(stored))
	events := newEvents(1, 60)
	events[30].Raw = []byte(`"` + strings.Repeat("x", 3000) + `"`)
	err := send(t, s, events)
	wantError(t, err, sinks.Split, "max.message.bytes", "about 3")
	if diff := cmp.Diff([]int{30}, failedOf(err)); diff != "" {
		t.Errorf("failed (-want +got):\n%s", diff)
	}
	wantPositions(t, c, "events", append(numbers(1, 30), numbers(32, 29)...))
	seen := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Observe: true, Count: -1})
	must(t, s, newEvents(61, 5))
	if seen.Hits() > 2 {
		t.Errorf("%d requests for five events: the topic's limit was not remembered", seen.Hits())
	}
}

// refuseRecords answers produce requests with a code as long as they have records
// for which bad returns true, and names these in the answer if it names any.
func refuseRecords(c *kfake.Cluster, code *kerr.Error, says string, names bool, bad func(position string) bool) {
	c.ControlKey(int16(kmsg.Produce), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		req := kreq.(*kmsg.ProduceRequest)
		var batch kmsg.RecordBatch
		if err := batch.ReadFrom(req.Topics[0].Partitions[0].Records); err != nil {
			return nil, err, true
		}
		list, err := kfake.BatchRecords(batch)
		if err != nil {
			return nil, err, true
		}
		res := req.ResponseKind().(*kmsg.ProduceResponse)
		topic, p := kmsg.NewProduceResponseTopic(), kmsg.NewProduceResponseTopicPartition()
		topic.Topic, p.Partition, p.ErrorCode, p.ErrorMessage = req.Topics[0].Topic, req.Topics[0].Partitions[0].Partition, code.Code, &says
		found := false
		for i, r := range list {
			if bad(string(r.Headers[1].Value)) {
				found = true
				if names {
					e := kmsg.NewProduceResponseTopicPartitionErrorRecord()
					e.RelativeOffset, e.ErrorMessage = int32(i), &says
					p.ErrorRecords = append(p.ErrorRecords, e)
				}
			}
		}
		if !found {
			return nil, nil, false
		}
		c.KeepControl()
		topic.Partitions = append(topic.Partitions, p)
		res.Topics = append(res.Topics, topic)
		return res, nil, true
	})
}

func TestBadRecords(t *testing.T) {
	for _, names := range []bool{true, false} {
		for _, code := range []*kerr.Error{kerr.InvalidRecord, kerr.InvalidTimestamp} {
			t.Run(fmt.Sprintf("%s, named %t", code.Message, names), func(t *testing.T) {
				c := newCluster(t, kfake.SeedTopics(1, "events"))
				s := opened(t, testConfig(c), new(stored))
				refuseRecords(c, code, "confidential text", names, func(p string) bool { return p == "3" || p == "4" || p == "9" })
				err := send(t, s, newEvents(1, 20))
				wantError(t, err, sinks.Poison, "topic events partition 0")
				if strings.Contains(err.Error(), "confidential") {
					t.Error("the error has the broker's free text")
				}
				if diff := cmp.Diff([]int{2, 3, 8}, failedOf(err)); diff != "" {
					t.Errorf("failed (-want +got):\n%s", diff)
				}
				wantPositions(t, c, "events", append(append(numbers(1, 2), numbers(5, 4)...), numbers(10, 11)...))
			})
		}
	}
}

// TestCompactedTopic has a topic that wants a key: a matter of configuration, or
// of the event if it has nothing where key points.
func TestCompactedTopic(t *testing.T) {
	const says = "Compacted topic cannot accept message without key in topic partition events-0."
	for _, c := range []struct {
		key    string
		kind   sinks.Kind
		failed int
		says   string
	}{{"", sinks.Refused, 4, "set key"}, {"/payload/n", sinks.Poison, 1, "cleanup.policy"}} {
		cluster := newCluster(t, kfake.SeedTopics(1, "events"))
		cfg := testConfig(cluster)
		cfg.Key = c.key
		s := opened(t, cfg, new(stored))
		refuseRecords(cluster, kerr.InvalidRecord, says, true, func(p string) bool { return c.key == "" || p == "2" })
		err := send(t, s, newEvents(1, 4))
		wantError(t, err, c.kind, c.says)
		if len(err.Failed) != c.failed {
			t.Errorf("%d events failed, want %d", len(err.Failed), c.failed)
		}
	}
}

func TestLeaderMoves(t *testing.T) {
	c := newCluster(t, kfake.SeedTopics(6, "events"), kfake.NumBrokers(3))
	cfg := testConfig(c)
	cfg.Key = "/payload/n"
	s := opened(t, cfg, new(stored))
	var sent int
	for range 5 {
		batch := newEvents(1+sent, 30)
		sent += len(batch)
		for len(batch) > 0 {
			err := send(t, s, batch)
			if err == nil {
				break
			}
			wantError(t, err, sinks.Retry)
			var again []aictail.Event
			for _, i := range failedOf(err) {
				again = append(again, batch[i])
			}
			batch = again
		}
		c.ShufflePartitionLeaders()
	}
	wantPositions(t, c, "events", numbers(1, sent))
}

// TestNoLeader leaves out a partition without a leader for events without a key.
func TestNoLeader(t *testing.T) {
	c := newCluster(t, kfake.SeedTopics(3, "events"))
	s := opened(t, testConfig(c), new(stored))
	must(t, s, newEvents(1, 1))
	s.topics["events"].leaders[0], s.topics["events"].leaders[1] = "", ""
	must(t, s, newEvents(2, 3))
	if got := c.PartitionInfo("events", 2).HighWatermark; got < 3 {
		t.Errorf("partition 2 has %d records, want at least the last 3", got)
	}
}

// TestNoAnswer has a broker that takes requests and answers none.
func TestNoAnswer(t *testing.T) {
	c := newCluster(t, kfake.SeedTopics(1, "events"))
	cfg := testConfig(c)
	cfg.Timeout = time.Second
	s := opened(t, cfg, new(stored))
	must(t, s, newEvents(1, 1))
	var silent atomic.Bool
	silent.Store(true)
	c.ControlKey(int16(kmsg.ListOffsets), func(kmsg.Request) (kmsg.Response, error, bool) {
		if !silent.Load() {
			return nil, nil, false
		}
		c.KeepControl()
		return nil, nil, true
	})
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.RequestTimedOut})
	wantError(t, send(t, s, newEvents(2, 1)), sinks.Retry)
	began := time.Now()
	wantError(t, send(t, s, newEvents(2, 1)), sinks.Retry, "no answer in time", "timeout")
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("a request took %s, timeout is %s", took, cfg.Timeout)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began = time.Now()
	if err := s.Send(ctx, newEvents(2, 1)); err == nil || time.Since(began) > 500*time.Millisecond {
		t.Errorf("after the context's end Send took %s: %v", time.Since(began), err)
	}
	silent.Store(false)
	must(t, s, newEvents(2, 2))
	wantPositions(t, c, "events", numbers(1, 3))
}

// TestSlowAnswer has a broker take a request and act on it only after the sink has
// given up waiting, as one does that stood still. Nothing must be sent or read
// back before.
func TestSlowAnswer(t *testing.T) {
	for _, fails := range []bool{false, true} {
		c := newCluster(t, kfake.SeedTopics(1, "events"), kfake.NumBrokers(1))
		cfg := testConfig(c)
		cfg.Timeout = time.Second
		s := opened(t, cfg, new(stored))
		s.transport.grace = 50 * time.Millisecond
		must(t, s, newEvents(1, 2))
		if fails {
			c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas})
		}
		release := make(chan struct{})
		c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
			c.SleepControl(func() { <-release })
			return nil, nil, false
		})
		began := time.Now()
		wantError(t, send(t, s, newEvents(3, 3)), sinks.Retry, "no answer in time")
		if took := time.Since(began); took > cfg.Timeout+time.Second {
			t.Errorf("Send took %s", took)
		}
		for range 2 {
			err := send(t, s, newEvents(3, 5))
			wantError(t, err, sinks.Retry, "no answer in time")
			if len(err.Failed) != 5 {
				t.Errorf("%d events failed, want 5: what comes behind must not overtake", len(err.Failed))
			}
		}
		wantPositions(t, c, "events", numbers(1, 2))
		close(release)
		must(t, s, newEvents(3, 5))
		wantPositions(t, c, "events", numbers(1, 7))
	}
}
