package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	kafkago "github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kgo"

	"aictail"
	"aictail/sinks"
	"aictail/sinks/sinktest"
	"aictail/sinks/sinktest/servers"
)

// TestReal talks to a real broker.
func TestReal(t *testing.T) {
	b := servers.Kafka(t, servers.KafkaOptions{Users: map[string]string{"alice": "a-secret"}})
	t.Run("conformance", func(t *testing.T) { testRealConformance(t, b) })
	t.Run("records", func(t *testing.T) { testRealRecords(t, b) })
	t.Run("limits", func(t *testing.T) { testRealLimits(t, b) })
	t.Run("secure", func(t *testing.T) { testRealSecure(t, b) })
	t.Run("restart", func(t *testing.T) { testRealRestart(t, b) })
	t.Run("kill", func(t *testing.T) { testRealKill(t, b) })
	t.Run("pause", func(t *testing.T) { testRealPause(t, b) })
}

// breaker is a network that can be cut.
type breaker struct {
	mu    sync.Mutex // guards the rest
	cut   bool
	conns []net.Conn
}

func (b *breaker) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cut {
		conn.Close()
		return nil, errors.New("the network is cut")
	}
	b.conns = append(b.conns, conn)
	return conn, nil
}

func (b *breaker) set(cut bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cut = cut
	for _, conn := range b.conns {
		conn.Close()
	}
	b.conns = nil
}

// testRealConformance breaks the way to the broker.
func testRealConformance(t *testing.T, b *servers.Broker) {
	run := 0
	for _, c := range []struct {
		name      string
		cfg       Config
		unordered bool
	}{
		{"one topic per source, created", Config{Topic: "%s.{source}", CreateTopics: CreateTopics{1, 1}}, false},
		{"one topic, key", Config{Topic: "%s", Key: "/source", Compression: "lz4", CreateTopics: CreateTopics{6, 1}}, false},
		{"one topic, no key", Config{Topic: "%s", Compression: "gzip", MaxMessageBytes: 64 << 10, CreateTopics: CreateTopics{6, 1}}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			sinktest.Run(t, func(t testing.TB) sinktest.Harness {
				run++
				prefix := fmt.Sprintf("suite-%d", run)
				cfg := c.cfg
				cfg.Brokers, cfg.Topic, cfg.Timeout = []string{b.Addr()}, fmt.Sprintf(cfg.Topic, prefix), time.Second
				topics := []string{prefix}
				for _, source := range []string{"am-access", "idm-core", "am-core", "idm-sync", "unknown"} {
					topics = append(topics, prefix+"."+source)
				}
				network := new(breaker)
				return sinktest.Harness{
					New: func(t testing.TB) sinks.Sink {
						s := newSink(t, cfg)
						s.transport.dial = network.dial
						return s
					},
					Received: func(t testing.TB) [][]byte {
						var values [][]byte
						for _, r := range consume(t, b.Addr(), topics...) {
							values = append(values, r.Value)
						}
						return values
					},
					Break:     func(testing.TB) { network.set(true) },
					Mend:      func(testing.TB) { network.set(false) },
					Remembers: true, Unordered: c.unordered,
				}
			})
		})
	}
}

// testRealRecords compares all that is in the records, for every compression.
func testRealRecords(t *testing.T, b *servers.Broker) {
	for _, compression := range []string{"zstd", "lz4", "snappy", "gzip", "none"} {
		topic := "records-" + compression
		cfg := Config{
			Brokers: []string{b.Addr()}, Topic: topic, Key: "/payload/transactionId", Compression: compression,
			CreateTopics: CreateTopics{4, 1},
		}
		events := newEvents(1, 1000)
		must(t, opened(t, cfg, new(stored)), events)
		got := map[string]string{}
		for _, r := range consume(t, b.Addr(), topic) {
			i := slices.IndexFunc(events, func(e aictail.Event) bool { return fmt.Sprint(e.Position) == header(r, headerPosition) })
			if i < 0 || string(r.Value) != string(events[i].Raw) || !r.Timestamp.Equal(events[i].Time) ||
				string(r.Key) != fmt.Sprintf("t-%d", events[i].Position%3) || header(r, headerID) != string(events[i].ID) ||
				header(r, headerOrigin) != "inst/bus" || header(r, headerSource) != "am-access" || header(r, headerTenant) != "prod" {
				t.Fatalf("%s: the record at %d is not the event's", compression, r.Offset)
			}
			key := fmt.Sprint(r.Partition)
			if before, there := got[string(r.Key)]; there && before != key {
				t.Errorf("key %s is in partitions %s and %s", r.Key, before, key)
			}
			got[string(r.Key)] = key
			events = slices.Delete(events, i, i+1)
		}
		if len(events) > 0 {
			t.Errorf("%s: %d events are missing", compression, len(events))
		}
	}
}

// testRealLimits has the broker refuse records.
func testRealLimits(t *testing.T, b *servers.Broker) {
	newRealTopic(t, b, "small", kafkago.ConfigEntry{ConfigName: "max.message.bytes", ConfigValue: "3000"})
	newRealTopic(t, b, "compacted", kafkago.ConfigEntry{ConfigName: "cleanup.policy", ConfigValue: "compact"})
	newRealTopic(t, b, "recent", kafkago.ConfigEntry{ConfigName: "message.timestamp.before.max.ms", ConfigValue: "60000"})
	sink := func(topic, key string) *Sink {
		return opened(t, Config{Brokers: []string{b.Addr()}, Topic: topic, Key: key, Compression: "none"}, new(stored))
	}
	events := newEvents(1, 50)
	events[20].Raw = []byte(`"` + strings.Repeat("x", 4000) + `"`)
	err := send(t, sink("small", ""), events)
	wantError(t, err, sinks.Split, "max.message.bytes")
	if diff := cmp.Diff([]int{20}, failedOf(err)); diff != "" {
		t.Errorf("small: failed (-want +got):\n%s", diff)
	}
	wantError(t, send(t, sink("compacted", ""), newEvents(1, 5)), sinks.Refused, "set key")
	events = newEvents(1, 5)
	events[3].Raw = []byte("{}")
	err = send(t, sink("compacted", "/payload/n"), events)
	wantError(t, err, sinks.Poison, "key points")
	if diff := cmp.Diff([]int{3}, failedOf(err)); diff != "" {
		t.Errorf("compacted: failed (-want +got):\n%s", diff)
	}
	events = newEvents(1, 5)
	for i := range events {
		events[i].Time = time.Now()
	}
	events[1].Time = time.Now().Add(-time.Hour)
	err = send(t, sink("recent", ""), events)
	wantError(t, err, sinks.Poison, "message.timestamp.before.max.ms")
	if diff := cmp.Diff([]int{1}, failedOf(err)); diff != "" {
		t.Errorf("recent: failed (-want +got):\n%s", diff)
	}
	wantError(t, send(t, sink("nowhere", ""), newEvents(1, 5)), sinks.Refused, "topic nowhere does not exist")
	for topic, want := range map[string]int{"small": 49, "compacted": 4, "recent": 4, "nowhere": 0} {
		if got := len(consume(t, b.Addr(), topic)); got != want {
			t.Errorf("topic %s has %d records, want %d", topic, got, want)
		}
	}
}

func testRealSecure(t *testing.T, b *servers.Broker) {
	secure := b.Secure(t)
	b.CreateTopic(t, "secure", 1)
	files := secure.Certificates
	ca, otherName := trusting(t, files.CA), trusting(t, files.CA)
	otherName.ServerName = "other.example.com"
	n := 0
	for _, c := range []struct {
		name string
		addr string
		tls  *tls.Config
		sasl SASL
		says string // of the refusal; "" for success
	}{
		{name: "TLS", addr: secure.TLS, tls: ca},
		{name: "own certificate", addr: secure.TLS, tls: trusting(t, files.CA, files.ClientCert, files.ClientKey)},
		{name: "unknown authority", addr: secure.TLS, tls: &tls.Config{}, says: "tls.ca_file"},
		{name: "wrong name", addr: secure.TLS, tls: otherName, says: "tls.server_name"},
		{name: "no TLS where it is wanted", addr: secure.TLS, says: "tls.enabled"},
		{name: "PLAIN", addr: secure.SASL, sasl: SASL{"PLAIN", "alice", "a-secret"}},
		{name: "SCRAM-SHA-256", addr: secure.SASL, sasl: SASL{"SCRAM-SHA-256", "alice", "a-secret"}},
		{name: "SCRAM-SHA-512 and TLS", addr: secure.SASLTLS, tls: ca, sasl: SASL{"SCRAM-SHA-512", "alice", "a-secret"}},
		{name: "wrong password, PLAIN", addr: secure.SASL, sasl: SASL{"PLAIN", "alice", "wrong"}, says: "sasl.password"},
		{name: "wrong password, SCRAM", addr: secure.SASLTLS, tls: ca, sasl: SASL{"SCRAM-SHA-256", "alice", "wrong"}, says: "sasl.password"},
		{name: "unknown user", addr: secure.SASL, sasl: SASL{"SCRAM-SHA-512", "bob", "a-secret"}, says: "sasl.username"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSink(t, Config{Brokers: []string{c.addr}, Topic: "secure", TLS: c.tls, SASL: c.sasl})
			err := s.Open(t.Context(), new(stored).saved())
			defer s.Close()
			if c.says != "" {
				e, ok := errors.AsType[*sinks.Error](err)
				if !ok {
					t.Fatalf("Open: %v, want a refusal", err)
				}
				wantError(t, e, sinks.Refused, c.says)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			n++
			must(t, s, newEvents(n, 1))
			if got := len(consume(t, b.Addr(), "secure")); got != n {
				t.Errorf("%d records, want %d", got, n)
			}
		})
	}
	// Listeners that want more than they are given, or less, close the connection.
	for name, cfg := range map[string]Config{
		"no SASL where it is wanted": {Brokers: []string{secure.SASL}}, "TLS where there is none": {Brokers: []string{b.Addr()}, TLS: ca},
	} {
		cfg.Topic = "secure"
		err := newSink(t, cfg).Open(t.Context(), new(stored).saved())
		if err == nil || !strings.Contains(err.Error(), "tls") {
			t.Errorf("%s: %v, want a hint", name, err)
		}
	}
}

// testRealRestart stops the broker in good order between two batches.
func testRealRestart(t *testing.T, b *servers.Broker) {
	b.CreateTopic(t, "restart", 3)
	d := new(stored)
	s := opened(t, Config{Brokers: []string{b.Addr()}, Topic: "restart", Timeout: 2 * time.Second}, d)
	deliverAll(t, s, newEvents(1, 50))
	d.commit(s)
	b.Stop(t)
	wantError(t, send(t, s, newEvents(51, 50)), sinks.Retry)
	b.Start(t)
	deliverAll(t, s, newEvents(51, 50))
	d.commit(s)
	wantReal(t, b.Addr(), "restart", 100)
}

// testRealKill kills the broker with requests on their way, and now and then the
// sink with it.
func testRealKill(t *testing.T, b *servers.Broker) {
	b.CreateTopic(t, "kill", 6)
	cfg := Config{Brokers: []string{b.Addr()}, Topic: "kill", Key: "/payload/n", Timeout: 5 * time.Second, MaxMessageBytes: 20_000}
	d := new(stored)
	s := opened(t, cfg, d)
	const rounds, batch = 4, 1500
	position, unclear := 1, 0
	for round := range rounds {
		// Once the first requests of the batch have been answered.
		wire := newTripwire(20_000 * (1 + round))
		s.transport.dial = wire.dial
		s.transport.closeIdle()
		killed := make(chan struct{})
		go func() {
			defer close(killed)
			<-wire.hit
			b.Kill(t)
		}()
		events := newEvents(position, batch)
		failed := events
		for dead := false; !dead; {
			select {
			case <-killed:
				dead = true // the next Send fails, unless the last one did
			default:
			}
			if failed = sendOnce(t, s, failed); len(failed) == 0 {
				d.commit(s)
				position += batch
				events = newEvents(position, batch)
				failed = events
			}
		}
		for _, p := range s.topics["kill"].partitions {
			if p.doubt != nil {
				unclear++
			}
		}
		b.Start(t)
		if round%2 == 1 {
			s = crash(t, s, d)
			failed = events
		}
		deliverAll(t, s, failed)
		d.commit(s)
		position += batch
	}
	t.Logf("%d events, %d requests of unclear outcome", position-1, unclear)
	wantReal(t, b.Addr(), "kill", position-1)
}

// testRealPause has the broker stand still with requests in its sockets, which it
// acts on when it goes on, long after they were given up.
func testRealPause(t *testing.T, b *servers.Broker) {
	b.CreateTopic(t, "pause", 6)
	cfg := Config{Brokers: []string{b.Addr()}, Topic: "pause", Key: "/payload/n", Timeout: time.Second, MaxMessageBytes: 20_000}
	d := new(stored)
	s := opened(t, cfg, d)
	s.transport.grace = 100 * time.Millisecond
	const rounds, batch = 10, 600
	deliverAll(t, s, newEvents(1, batch))
	d.commit(s)
	waited := 0
	for round := 1; round < rounds; round++ {
		events := newEvents(1+round*batch, batch)
		b.Pause(t)
		failed := sendOnce(t, s, events)
		failed = sendOnce(t, s, failed)
		for _, p := range s.topics["pause"].partitions {
			if p.doubt != nil && p.doubt.pending != nil {
				waited++
			}
		}
		b.Resume(t)
		deliverAll(t, s, failed)
		d.commit(s)
	}
	if waited == 0 {
		t.Error("no request was on its way: the test shows nothing")
	}
	t.Logf("%d requests were waited for", waited)
	wantReal(t, b.Addr(), "pause", rounds*batch)
}

// tripwire closes hit when its connections have written so many bytes.
type tripwire struct {
	left atomic.Int64
	once sync.Once
	hit  chan struct{}
}

func newTripwire(n int) *tripwire {
	w := &tripwire{hit: make(chan struct{})}
	w.left.Store(int64(n))
	return w
}

func (w *tripwire) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	return &wiredConn{Conn: conn, wire: w}, err
}

type wiredConn struct {
	net.Conn
	wire *tripwire
}

func (c *wiredConn) Write(p []byte) (int, error) {
	if c.wire.left.Add(-int64(len(p))) < 0 {
		c.wire.once.Do(func() { close(c.wire.hit) })
	}
	return c.Conn.Write(p)
}

// newRealTopic creates a topic of one partition with a setting.
func newRealTopic(t *testing.T, b *servers.Broker, name string, setting kafkago.ConfigEntry) {
	t.Helper()
	client := &kafkago.Client{Addr: kafkago.TCP(b.Addr()), Transport: newTransport("test", 10*time.Second), Timeout: 20 * time.Second}
	defer client.Transport.(*transport).closeIdle()
	res, err := client.CreateTopics(t.Context(), &kafkago.CreateTopicsRequest{Topics: []kafkago.TopicConfig{{
		Topic: name, NumPartitions: 1, ReplicationFactor: 1, ConfigEntries: []kafkago.ConfigEntry{setting},
	}}})
	if err == nil {
		err = res.Errors[name]
	}
	if err != nil {
		t.Fatalf("create topic %s: %v", name, err)
	}
	reader, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	for len(offsets(t, reader, []string{name}, -1)) == 0 { // brokers hear of it one after the other
		if t.Context().Err() != nil {
			t.Fatal("the topic does not turn up")
		}
	}
}

// sendOnce returns the events that failed.
func sendOnce(t *testing.T, s *Sink, events []aictail.Event) []aictail.Event {
	t.Helper()
	err := send(t, s, events)
	if err == nil {
		return nil
	}
	if err.Kind != sinks.Retry && err.Kind != sinks.Refused {
		t.Fatalf("Send: %v", err)
	}
	if err.Failed == nil {
		return events
	}
	var failed []aictail.Event
	for _, i := range failedOf(err) {
		failed = append(failed, events[i])
	}
	return failed
}

// deliverAll sends the events until none fails.
func deliverAll(t *testing.T, s *Sink, events []aictail.Event) {
	t.Helper()
	for end := time.Now().Add(time.Minute); len(events) > 0; events = sendOnce(t, s, events) {
		if time.Now().After(end) {
			t.Fatalf("still failing: %v", s.Send(t.Context(), events))
		}
	}
}

// wantReal checks that the topic has each of the positions 1 to n once.
func wantReal(t *testing.T, addr, topic string, n int) {
	t.Helper()
	count := make([]int, n+1)
	for _, r := range consume(t, addr, topic) {
		var p int
		if _, err := fmt.Sscan(header(r, headerPosition), &p); err != nil || p < 1 || p > n {
			t.Fatalf("a record of position %d", p)
		}
		count[p]++
	}
	for p := 1; p <= n; p++ {
		if count[p] != 1 {
			t.Errorf("position %d is there %d times", p, count[p])
		}
	}
}

// TestRealReplicas has a leader append records that its follower does not get: the
// broker gives up waiting, nobody can read the records, and they become readable
// later.
func TestRealReplicas(t *testing.T) {
	leader := servers.Kafka(t, servers.KafkaOptions{Settings: map[string]string{"min.insync.replicas": "2"}})
	follower := leader.Join(t)
	client := &kafkago.Client{Addr: kafkago.TCP(leader.Addr()), Transport: newTransport("test", 10*time.Second), Timeout: 20 * time.Second}
	defer client.Transport.(*transport).closeIdle()
	res, err := client.CreateTopics(t.Context(), &kafkago.CreateTopicsRequest{Topics: []kafkago.TopicConfig{{
		Topic: "two", NumPartitions: -1, ReplicationFactor: -1,
		ReplicaAssignments: []kafkago.ReplicaAssignment{{Partition: 0, Replicas: []int{1, 2}}},
	}}})
	if err != nil || res.Errors["two"] != nil {
		t.Fatal(err, res)
	}
	for _, restart := range []bool{false, true} {
		d := new(stored)
		s := opened(t, Config{Brokers: []string{leader.Addr()}, Topic: "two", Timeout: 4 * time.Second}, d)
		first := len(consume(t, leader.Addr(), "two")) + 1
		deliverAll(t, s, newEvents(first, 10))
		d.commit(s)
		follower.Pause(t)
		wantError(t, send(t, s, newEvents(first+10, 10)), sinks.Retry, "replicas")
		if restart {
			s = crash(t, s, d)
		}
		wantError(t, send(t, s, newEvents(first+10, 10)), sinks.Retry, "not on enough replicas")
		if got := len(consume(t, leader.Addr(), "two")); got != first+9 {
			t.Fatalf("%d records can be read, want %d: the test shows nothing", got, first+9)
		}
		follower.Resume(t)
		deliverAll(t, s, newEvents(first+10, 10))
		d.commit(s)
		wantReal(t, leader.Addr(), "two", first+19)
		s.Close()
	}
}
