package kafka

import (
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"aictail"
	"aictail/sinks"
)

// produceOther has somebody else write n records to a partition.
func produceOther(t *testing.T, c *kfake.Cluster, topic string, n int, headers ...kgo.RecordHeader) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for range n {
		r := &kgo.Record{Topic: topic, Value: []byte("other"), Headers: headers}
		if err := client.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

// addPartitions makes the topic have n partitions.
func addPartitions(t testing.TB, c *kfake.Cluster, topic string, n int) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	req := kmsg.NewCreatePartitionsRequest()
	rt := kmsg.NewCreatePartitionsRequestTopic()
	rt.Topic, rt.Count = topic, int32(n)
	req.Topics = append(req.Topics, rt)
	if _, err := req.RequestWith(t.Context(), client); err != nil {
		t.Fatal(err)
	}
}

// TestCrashWithPartOfABatch crashes with some partitions of a batch done, and has
// the events come again in other batches.
func TestCrashWithPartOfABatch(t *testing.T) {
	for _, key := range []string{"", "/payload/n"} {
		c := newCluster(t, kfake.SeedTopics(4, "events"))
		cfg := testConfig(c)
		cfg.Key, cfg.MaxMessageBytes = key, 2000 // several partitions also without a key
		d := new(stored)
		s := opened(t, cfg, d)
		must(t, s, newEvents(1, 10))
		d.commit(s)
		c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Partitions: []int32{1, 3}, Err: kerr.RequestTimedOut, Count: -1})
		wantError(t, send(t, s, newEvents(11, 60)), sinks.Retry)
		c2 := positions(t, c, "events")
		if len(c2) <= 10 {
			t.Fatal("nothing of the batch arrived before the crash")
		}
		s = crash(t, s, d)
		for first := 11; first <= 70; first += 4 {
			batch := newEvents(first, 4)
			for s.Send(t.Context(), batch) != nil { // the faults go on, and end with each answer
				if t.Context().Err() != nil {
					t.Fatal("the test has ended")
				}
			}
			d.commit(s)
			if first%12 == 3 {
				s = crash(t, s, d)
			}
		}
		wantPositions(t, c, "events", numbers(1, 70))
	}
}

// TestReplay sends old positions again on purpose, also with records of a crash
// in the topic.
func TestReplay(t *testing.T) {
	c := newCluster(t, kfake.SeedTopics(1, "events"))
	d := new(stored)
	s := opened(t, testConfig(c), d)
	must(t, s, newEvents(1, 10))
	d.commit(s)
	must(t, s, newEvents(11, 5)) // and crashes before the commit
	s = crash(t, s, d)
	must(t, s, newEvents(4, 3))
	d.commit(s)
	must(t, s, newEvents(7, 2)) // crashes in the middle of the replay
	s = crash(t, s, d)
	must(t, s, newEvents(7, 6))
	d.commit(s)
	must(t, s, newEvents(13, 4))
	d.commit(s)
	want := append(numbers(1, 15), 4, 5, 6, 7, 8, 9, 10, 16)
	wantPositions(t, c, "events", want)
}

// TestPartitionsGrow adds partitions between the crash and the restart, so that
// keys lead elsewhere.
func TestPartitionsGrow(t *testing.T) {
	c := newCluster(t, kfake.SeedTopics(2, "events"))
	cfg := testConfig(c)
	cfg.Key = "/payload/n"
	d := new(stored)
	s := opened(t, cfg, d)
	must(t, s, newEvents(1, 20))
	d.commit(s)
	must(t, s, newEvents(21, 20))
	addPartitions(t, c, "events", 5)
	s = crash(t, s, d)
	must(t, s, newEvents(21, 40))
	d.commit(s)
	s.topics["events"].stale = true // what maxAge does in time
	must(t, s, newEvents(61, 20))
	wantPositions(t, c, "events", numbers(1, 80))
}

// TestPartitionsGrowInDoubt can't read one of the old partitions at first: every
// event may be in it, whatever partition its key leads to now.
func TestPartitionsGrowInDoubt(t *testing.T) {
	c := newCluster(t, kfake.SeedTopics(2, "events"))
	cfg := testConfig(c)
	cfg.Key = "/payload/n"
	d := new(stored)
	s := opened(t, cfg, d)
	must(t, s, newEvents(1, 20))
	d.commit(s)
	must(t, s, newEvents(21, 20))
	addPartitions(t, c, "events", 5)
	unreadable := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Partitions: []int32{0}, Err: kerr.LeaderNotAvailable, Count: -1})
	s = crash(t, s, d)
	if err := send(t, s, newEvents(21, 20)); err == nil {
		t.Error("success although a partition that may have the events could not be read")
	}
	unreadable.Remove()
	must(t, s, newEvents(21, 20))
	wantPositions(t, c, "events", numbers(1, 40))
}

// TestOthersWrite has other programs, sinks and installations write to the topic,
// the latter with the same positions.
func TestOthersWrite(t *testing.T) {
	c := newCluster(t, kfake.SeedTopics(1, "events"))
	d := new(stored)
	s := opened(t, testConfig(c), d)
	must(t, s, newEvents(1, 3))
	d.commit(s)
	must(t, s, newEvents(4, 2))
	for _, origin := range []string{"inst/bus2", "inst2/bus", ""} {
		for n := 1; n < 10; n++ {
			produceOther(t, c, "events", 1,
				kgo.RecordHeader{Key: headerPosition, Value: fmt.Append(nil, n)}, kgo.RecordHeader{Key: headerOrigin, Value: []byte(origin)})
		}
	}
	s = crash(t, s, d)
	must(t, s, newEvents(4, 6))
	var ours []int
	for _, r := range records(t, c, "events") {
		if header(r, headerOrigin) == "inst/bus" {
			var p int
			fmt.Sscan(header(r, headerPosition), &p)
			ours = append(ours, p)
		}
	}
	if fmt.Sprint(ours) != fmt.Sprint(numbers(1, 9)) {
		t.Errorf("our positions: %v", ours)
	}
}

// TestRetention removes what the state points to.
func TestRetention(t *testing.T) {
	c := newCluster(t, kfake.SeedTopics(1, "events"))
	d := new(stored)
	s := opened(t, testConfig(c), d)
	must(t, s, newEvents(1, 3))
	d.commit(s)
	produceOther(t, c, "events", 5)
	must(t, s, newEvents(4, 3))
	if err := c.DeleteRecords("events", 0, 7); err != nil {
		t.Fatal(err)
	}
	s = crash(t, s, d)
	must(t, s, newEvents(4, 5))
	produceOther(t, c, "events", 1)
	var n int
	for _, r := range records(t, c, "events") {
		if len(r.Headers) > 0 {
			n++
		}
	}
	if n != 5 {
		t.Errorf("%d records of ours, want 5", n)
	}
}

// TestTopicMadeAnew deletes the topic and makes it again, shorter than before.
func TestTopicMadeAnew(t *testing.T) {
	c := newCluster(t, kfake.SeedTopics(2, "events"))
	cfg := testConfig(c)
	cfg.Key = "/payload/n"
	d := new(stored)
	s := opened(t, cfg, d)
	must(t, s, newEvents(1, 100))
	d.commit(s)
	if err := c.DeleteTopic("events"); err != nil {
		t.Fatal(err)
	}
	err := send(t, s, newEvents(101, 10))
	wantError(t, err, sinks.Retry)
	wantError(t, send(t, s, newEvents(101, 10)), sinks.Refused, "does not exist")
	if err := c.CreateTopic("events", 1, nil); err != nil {
		t.Fatal(err)
	}
	wantError(t, send(t, s, newEvents(101, 10)), sinks.Retry, "partition 1 has no leader")
	// A broker that has just started may not know all partitions. Not for long.
	s.topics["events"].partitions[1].doubt.since = time.Now().Add(-goneAfter - time.Second)
	must(t, s, newEvents(101, 10)) // crashes before the commit
	s = crash(t, s, d)
	s.topics["events"].partitions[1].doubt.since = time.Now().Add(-goneAfter - time.Second)
	must(t, s, newEvents(101, 15))
	d.commit(s)
	got := positions(t, c, "events")
	slices.Sort(got) // keys have moved between partitions
	if diff := cmp.Diff(numbers(101, 15), got); diff != "" {
		t.Errorf("positions (-want +got):\n%s", diff)
	}
}

// TestTopicMadeAnewAndGrown has the new log grow past the old offset before the
// restart: the sink must have noticed from the acknowledgement.
func TestTopicMadeAnewAndGrown(t *testing.T) {
	c := newCluster(t, kfake.SeedTopics(1, "events"), kfake.NumBrokers(1))
	d := new(stored)
	s := opened(t, testConfig(c), d)
	must(t, s, newEvents(1, 10))
	d.commit(s)
	for _, err := range []error{c.DeleteTopic("events"), c.CreateTopic("events", 1, nil)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(t, s, newEvents(11, 3)) // crashes before the commit
	produceOther(t, c, "events", 20)
	s = crash(t, s, d)
	must(t, s, newEvents(11, 4))
	n := 0
	for _, r := range records(t, c, "events") {
		if header(r, headerOrigin) != "" {
			n++
		}
	}
	if n != 4 {
		t.Errorf("%d records of ours, want 4", n)
	}
}

// TestConfigurationChanged crashes, and starts again with another topic.
func TestConfigurationChanged(t *testing.T) {
	c := newCluster(t, kfake.SeedTopics(2, "events", "new"))
	d := new(stored)
	s := opened(t, testConfig(c), d)
	must(t, s, newEvents(1, 5))
	d.commit(s)
	must(t, s, newEvents(6, 5))
	s.Close()
	cfg := testConfig(c)
	cfg.Topic = "new"
	s = opened(t, cfg, d)
	fault := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Topic: "events", Err: kerr.LeaderNotAvailable, Count: -1})
	wantError(t, send(t, s, newEvents(6, 8)), sinks.Retry, "topic events")
	fault.Remove()
	s = crash(t, s, d)
	must(t, s, newEvents(6, 8))
	d.commit(s)
	wantPositions(t, c, "events", numbers(1, 10))
	wantPositions(t, c, "new", numbers(11, 3))

	// A topic that is gone or may not be read holds nothing up.
	s.Close()
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Topic: "new", Err: kerr.TopicAuthorizationFailed, Count: -1})
	if err := c.DeleteTopic("events"); err != nil {
		t.Fatal(err)
	}
	if err := c.CreateTopic("third", 1, nil); err != nil {
		t.Fatal(err)
	}
	cfg.Topic = "third"
	must(t, opened(t, cfg, d), newEvents(14, 2))
	wantPositions(t, c, "third", []int{14, 15})
}

// TestWaitsForReplicas has a leader that has appended records which its replicas
// have not: they can't be read yet, and must not be sent again.
func TestWaitsForReplicas(t *testing.T) {
	c := newCluster(t, kfake.SeedTopics(1, "events"))
	cfg := testConfig(c)
	cfg.Timeout = time.Second
	d := new(stored)
	s := opened(t, cfg, d)
	must(t, s, newEvents(1, 3))
	d.commit(s)
	s = crash(t, s, d)
	var behind atomic.Bool
	behind.Store(true)
	c.ControlKey(int16(kmsg.ListOffsets), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		req := kreq.(*kmsg.ListOffsetsRequest)
		if !behind.Load() || req.ReplicaID != asDebugger {
			return nil, nil, false
		}
		c.KeepControl()
		res := req.ResponseKind().(*kmsg.ListOffsetsResponse)
		topic, p := kmsg.NewListOffsetsResponseTopic(), kmsg.NewListOffsetsResponseTopicPartition()
		topic.Topic, p.Offset = "events", 5
		topic.Partitions = append(topic.Partitions, p)
		res.Topics = append(res.Topics, topic)
		return res, nil, true
	})
	wantError(t, send(t, s, newEvents(4, 3)), sinks.Retry, "not on enough replicas")
	wantPositions(t, c, "events", numbers(1, 3))
	behind.Store(false)
	must(t, s, newEvents(4, 3))
	wantPositions(t, c, "events", numbers(1, 6))
}

// TestDoubtHoldsUpItsOwn can't settle one partition: events that were sent to it
// wait, and with them all that may have been; others go on.
func TestDoubtHoldsUpItsOwn(t *testing.T) {
	c := newCluster(t, kfake.SeedTopics(3, "events"))
	cfg := testConfig(c)
	cfg.Key = "/payload/transactionId"
	d := new(stored)
	s := opened(t, cfg, d)
	must(t, s, newEvents(1, 30))
	d.commit(s)
	target := s.topics["events"].keyed([]byte("t-0"))
	onTarget := func(p int) bool { return s.topics["events"].keyed(fmt.Appendf(nil, "t-%d", p%3)) == target }
	for _, restart := range []bool{false, true} {
		c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Partitions: []int32{target}, Err: kerr.RequestTimedOut})
		first := 31
		if restart {
			first = 61
		}
		unreadable := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Partitions: []int32{target}, Err: kerr.LeaderNotAvailable, Count: -1})
		wantError(t, send(t, s, newEvents(first, 10)), sinks.Retry)
		if restart {
			s = crash(t, s, d)
		}
		batch := newEvents(first, 30)
		err := send(t, s, batch)
		wantError(t, err, sinks.Retry, fmt.Sprintf("partition %d", target))
		var again []aictail.Event
		for _, i := range failedOf(err) {
			if !onTarget(int(batch[i].Position)) {
				t.Errorf("restart %t: event %d of another partition failed", restart, batch[i].Position)
			}
			again = append(again, batch[i])
		}
		unreadable.Remove()
		must(t, s, again)
		d.commit(s)
	}
	wantPositions(t, c, "events", numbers(1, 90))
	order := map[string]int64{}
	for _, r := range records(t, c, "events") {
		var p int64
		fmt.Sscan(header(r, headerPosition), &p)
		if p <= order[string(r.Key)] {
			t.Errorf("key %s: event %d after %d", r.Key, p, order[string(r.Key)])
		}
		order[string(r.Key)] = p
	}
}

// TestBrokerRestarts stops the only broker with its log kept and starts it again.
func TestBrokerRestarts(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	start := func() *kfake.Cluster {
		c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(port), kfake.DataDir(dir), kfake.SeedTopics(1, "events"))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := start()
	s := opened(t, testConfig(c), new(stored))
	must(t, s, newEvents(1, 5))
	c.Close()
	wantError(t, send(t, s, newEvents(6, 5)), sinks.Retry)
	wantError(t, send(t, s, newEvents(6, 5)), sinks.Retry, "connect")
	c = start()
	defer c.Close()
	must(t, s, newEvents(6, 5))
	wantPositions(t, c, "events", numbers(1, 10))
}

func TestStateIsChecked(t *testing.T) {
	c := newCluster(t, kfake.SeedTopics(1, "events"))
	for state, says := range map[string]string{
		"{": "read the Kafka sink's stored state", `{"version":2}`: "version 2", `{"version":1,"ahead":"AA=="}`: "damaged",
	} {
		err := newSink(t, testConfig(c)).Open(t.Context(), (&stored{state: []byte(state)}).saved())
		if sinks.KindOf(err) != sinks.Refused || !strings.Contains(err.Error(), says) {
			t.Errorf("state %s: %v, want %q", state, err, says)
		}
	}
}

// TestQuietTopic: others write to a topic that gets no events of ours for a while. What
// a restart has to read of it does not grow, also after its leader has moved.
func TestQuietTopic(t *testing.T) {
	c := newCluster(t, kfake.NumBrokers(3), kfake.SeedTopics(1, "quiet", "loud"))
	cfg := testConfig(c)
	cfg.Topic = "{source}"
	d := new(stored)
	s := opened(t, cfg, d)
	of := func(source string, first int) []aictail.Event {
		events := newEvents(first, 1)
		events[0].Source = source
		return events
	}
	must(t, s, of("quiet", 1))
	must(t, s, of("loud", 2))
	quiet := s.topics["quiet"]
	for i, move := range []bool{false, true} {
		produceOther(t, c, "quiet", 5)
		if move {
			if err := c.MoveTopicPartition("quiet", 0, (c.LeaderFor("quiet", 0)+1)%3); err != nil {
				t.Fatal(err)
			}
		}
		// As if refreshAfter had passed.
		quiet.partitions[0].checked = time.Time{}
		quiet.fetched = time.Now().Add(-maxAge - time.Second)
		must(t, s, of("loud", 3+i))
		if got, want := quiet.partitions[0].next, int64(1+5*(i+1)); got != want {
			t.Errorf("a restart would read from offset %d, want %d", got, want)
		}
	}
	d.commit(s)
	s = crash(t, s, d)
	must(t, s, of("quiet", 5))
	if got := records(t, c, "quiet"); len(got) != 2+10 {
		t.Errorf("the topic has %d records, want 12", len(got))
	}
}
