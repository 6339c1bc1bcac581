package kafka

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"aictail"
	"aictail/sinks"
)

// chaos cuts connections to the cluster, and ends the process at some request:
// from then on nothing gets through.
type chaos struct {
	mu   sync.Mutex // guards all below
	rand *rand.Rand
	// rate is the share of requests that are cut.
	rate float64
	// left is how many requests go through before the process ends; negative: it
	// does not end.
	left int
	dead bool
}

// fate is what happens to a request.
type fate int

const (
	passes   fate = iota
	before        // nothing of it is written
	halfway       // a part is written, which no broker acts on
	after         // the broker acts on it and its answer is lost
	lastFate      // not a fate
)

func (c *chaos) decide() fate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left == 0 {
		c.dead = true
		return fate(1 + c.rand.IntN(int(lastFate)-1))
	}
	c.left--
	if c.dead || c.rand.Float64() < c.rate {
		return fate(1 + c.rand.IntN(int(lastFate)-1))
	}
	return passes
}

func (c *chaos) isDead() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dead
}

var errChaos = errors.New("cut by chaos")

func (c *chaos) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if c.isDead() {
		return nil, errChaos
	}
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &chaosConn{Conn: conn, chaos: c, fresh: true}, nil
}

// chaosConn carries one request at a time.
type chaosConn struct {
	net.Conn
	chaos *chaos
	fate  fate
	fresh bool // the next write begins a request
}

func (c *chaosConn) Write(p []byte) (int, error) {
	if c.fresh {
		c.fresh = false
		if c.fate = passes; binary.BigEndian.Uint16(p[4:]) != uint16(kmsg.ApiVersions) {
			c.fate = c.chaos.decide()
		}
	}
	switch c.fate {
	case before:
		c.Close()
		return 0, errChaos
	case halfway:
		n, _ := c.Conn.Write(p[:len(p)/2])
		c.Close()
		return n, errChaos
	}
	return c.Conn.Write(p)
}

func (c *chaosConn) Read(p []byte) (int, error) {
	c.fresh = true
	if c.fate == after {
		// Once the answer is here, the broker has acted.
		var size [4]byte
		if _, err := io.ReadFull(c.Conn, size[:]); err == nil {
			io.CopyN(io.Discard, c.Conn, int64(binary.BigEndian.Uint32(size[:])))
		}
		c.Close()
		return 0, errChaos
	}
	return c.Conn.Read(p)
}

// trial is one run of the daemon's delivery through crashes.
type trial struct {
	t       *testing.T
	rand    *rand.Rand
	cluster *kfake.Cluster
	cfg     Config
	chaos   *chaos

	sink     *Sink
	events   []aictail.Event
	position int // index of the first event that is not committed
	state    []byte
	// want is how often each event is to arrive.
	want []int
	// replays allows to go back.
	replays bool
	crashes int
}

// TestExactlyOnce crashes the sink at random requests, cuts connections, lets the
// brokers fail with and without having appended, moves leaders and adds
// partitions, and has the events come again in other batches. In the end every
// event is there as often as it was meant to be, and keys are in order.
// TEST_TRIALS is how many runs there are.
func TestExactlyOnce(t *testing.T) {
	trials := 40
	if n, err := strconv.Atoi(os.Getenv("TEST_TRIALS")); err == nil {
		trials = n
	}
	crashes := 0
	for seed := range trials {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(uint64(seed), 26))
			tr := &trial{t: t, rand: r, replays: seed%4 == 3}
			tr.cluster = newCluster(t, kfake.NumBrokers(1+r.IntN(3)), kfake.SeedTopics(int32(1+r.IntN(5)), "aic.a", "aic.b"))
			tr.cfg = testConfig(tr.cluster)
			tr.cfg.Topic = "aic.{source}"
			tr.cfg.Timeout = 2 * time.Second
			tr.cfg.MaxMessageBytes = 1500
			if r.IntN(3) > 0 {
				tr.cfg.Key = "/payload/transactionId"
			}
			tr.run()
			crashes += tr.crashes
		})
	}
	if crashes < trials {
		t.Errorf("%d crashes in %d trials: too few to show anything", crashes, trials)
	}
}

func (tr *trial) run() {
	tr.events = newEvents(1, 150)
	for i := range tr.events {
		tr.events[i].Source = []string{"a", "b"}[tr.rand.IntN(2)]
		tr.events[i].Position = aictail.Position(10 + i + i/7)
	}
	tr.want = make([]int, len(tr.events))
	for i := range tr.want {
		tr.want[i] = 1
	}
	for tr.position < len(tr.events) {
		tr.start()
		tr.live()
		tr.sink.Close()
		if tr.replays && tr.rand.IntN(6) == 0 && tr.position > 0 {
			back := tr.rand.IntN(tr.position)
			for i := back; i < tr.position; i++ {
				tr.want[i]++
			}
			tr.position = back
		}
		if tr.crashes > 500 {
			tr.t.Fatal("no progress")
		}
	}
	tr.verify()
}

// start begins a process that ends at some request.
func (tr *trial) start() {
	tr.chaos = &chaos{rand: rand.New(rand.NewPCG(tr.rand.Uint64(), 1)), rate: 0.05, left: 3 + tr.rand.IntN(150)}
	tr.sink = newSink(tr.t, tr.cfg)
	tr.sink.transport.dial = tr.chaos.dial
}

// live delivers until the process ends or everything is delivered.
func (tr *trial) live() {
	save := func(b []byte) error {
		if tr.chaos.isDead() {
			return errChaos
		}
		tr.state = slices.Clone(b)
		return nil
	}
	for tr.sink.Open(tr.t.Context(), sinks.Saved{State: tr.state, Save: save}) != nil {
		if tr.dies() {
			return
		}
	}
	for tr.position < len(tr.events) {
		n := min(1+tr.rand.IntN(40), len(tr.events)-tr.position)
		if !tr.deliver(tr.events[tr.position : tr.position+n]) {
			return
		}
		if tr.rand.IntN(8) == 0 || tr.dies() {
			tr.crashes++
			return // between Send and commit
		}
		tr.state = slices.Clone(tr.sink.State())
		tr.position += n
	}
}

func (tr *trial) dies() bool {
	if !tr.chaos.isDead() {
		return false
	}
	tr.crashes++
	return true
}

// deliver sends a batch until all of it is delivered, as deliver does, and
// reports false if the process ended before.
func (tr *trial) deliver(batch []aictail.Event) bool {
	for len(batch) > 0 {
		tr.disturb()
		lent := slices.Clone(batch)
		for i := range lent {
			lent[i].Raw = slices.Clone(lent[i].Raw)
		}
		err := tr.sink.Send(tr.t.Context(), lent)
		for i := range lent {
			clear(lent[i].Raw) // whoever still reads it delivers this
		}
		if tr.dies() {
			return false
		}
		if err == nil {
			return true
		}
		e, ok := errors.AsType[*sinks.Error](err)
		if !ok || e.Kind != sinks.Retry {
			tr.t.Fatalf("Send: %v", err)
		}
		if e.Failed != nil {
			var again []aictail.Event
			for _, f := range e.Failed {
				again = append(again, batch[f.Index])
			}
			batch = again
		}
	}
	return true
}

// disturb does something to the cluster now and then.
func (tr *trial) disturb() {
	faults := []*kerr.Error{
		kerr.NotLeaderForPartition, kerr.RequestTimedOut, kerr.NotEnoughReplicasAfterAppend, kerr.NotEnoughReplicas,
		kerr.KafkaStorageError, kerr.LeaderNotAvailable, kerr.UnknownTopicOrPartition,
	}
	switch tr.rand.IntN(12) {
	case 0, 1, 2:
		tr.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: faults[tr.rand.IntN(len(faults))]})
	case 3:
		tr.cluster.Fault(kfake.Fault{
			Keys: []kmsg.Key{kmsg.ListOffsets, kmsg.Fetch}, Err: []*kerr.Error{kerr.NotLeaderForPartition, kerr.OffsetNotAvailable}[tr.rand.IntN(2)],
		})
	case 4:
		tr.cluster.ShufflePartitionLeaders()
	case 5:
		if n := len(tr.cluster.PartitionInfos("aic.a")); n < 8 && tr.rand.IntN(10) == 0 {
			addPartitions(tr.t, tr.cluster, "aic.a", n+1)
			if t := tr.sink.topics["aic.a"]; t != nil {
				t.stale = true
			}
		}
	}
}

func (tr *trial) verify() {
	got := map[aictail.Position]int{}
	last := map[string]int{}
	for _, r := range records(tr.t, tr.cluster, "aic.a", "aic.b") {
		n, err := strconv.Atoi(header(r, headerPosition))
		if err != nil {
			tr.t.Fatal(err)
		}
		i := slices.IndexFunc(tr.events, func(e aictail.Event) bool { return e.Position == aictail.Position(n) })
		if i < 0 || string(r.Value) != string(tr.events[i].Raw) {
			tr.t.Fatalf("the record of position %d is not the event's", n)
		}
		got[aictail.Position(n)]++
		if at := fmt.Sprint(r.Topic, r.Partition, " ", string(r.Key)); r.Key != nil && !tr.replays {
			if n < last[at] {
				tr.t.Errorf("%s: position %d behind %d", at, n, last[at])
			}
			last[at] = n
		}
	}
	for i, e := range tr.events {
		if got[e.Position] != tr.want[i] {
			tr.t.Errorf("position %d arrived %d times, want %d", e.Position, got[e.Position], tr.want[i])
		}
	}
}
