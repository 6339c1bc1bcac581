package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aictail/sinks/sinktest/servers"
	"aictail/tailer/simulator"
)

// replayed is a daemon that writes to Kafka in many small batches.
type replayed struct {
	t      *testing.T
	config string
	tenant *simulator.Tenant
	topics *topics
	daemon *program
	// want is how often each event is to be in Kafka.
	want map[string]int
}

// kind is a part of the events.
type kind int

const (
	old    kind = iota + 1
	recent      // sent again
	later
)

// TestRealReplay has Kafka be sent again what was journaled from a moment on, lets
// the daemon die in the middle of it, and finds each of those events once more, none
// twice, and no others.
func TestRealReplay(t *testing.T) {
	r := newReplayed(t)
	r.daemon = start(t, "run", "--config", r.config)
	r.add(old, 2000)
	r.arrive()
	// The journal tells moments apart by its records; a second lies between two here.
	time.Sleep(time.Second)
	since := time.Now()
	r.add(recent, 3000)
	r.arrive()

	r.replay(since)
	r.arrive()
	r.check("after a replay")

	// The next one is killed twice.
	before := r.topics.count(t)
	r.replay(since)
	for _, part := range []int{500, 1500} {
		eventually(t, "the middle of the replay", func() bool { return r.topics.count(t) >= before+part })
		r.daemon.kill()
		there := r.topics.count(t) - before
		t.Logf("killed after %d of 3000 events", there)
		if there >= 3000 {
			t.Error("the replay was over: the test has tried nothing")
		}
		r.daemon = start(t, "run", "--config", r.config)
	}
	r.arrive()
	r.add(later, 100)
	r.arrive()
	if code := r.daemon.stop(); code != exitDone {
		t.Errorf("exit code %d after SIGTERM, want %d", code, exitDone)
	}
	r.check("after a replay with two crashes")
}

func newReplayed(t *testing.T) *replayed {
	t.Helper()
	broker := servers.Kafka(t, servers.KafkaOptions{})
	topic := fmt.Sprintf("t%x", time.Now().UnixNano())
	broker.CreateTopic(t, topic, 3)
	tenant, err := simulator.New(simulator.Options{Limit: 100_000, ShowLast: true, Sources: []string{"am-config"}})
	if err != nil {
		t.Fatal(err)
	}
	url, stop, err := simulator.Start(tenant)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	dir := t.TempDir()
	r := &replayed{t: t, config: filepath.Join(dir, "aictail.yaml"), tenant: tenant, topics: readTopics(broker.Addr(), topic), want: map[string]int{}}
	writeFile(t, r.config, fmt.Sprintf(`
data_dir: %s/data
admin: {listen: %q}
tenants: {prod: {url: %q, api_key: x, api_secret: y, sources: [am-config], poll: {min_interval: 100ms, max_interval: 1s}}}
sinks: {bus: {type: kafka, brokers: [%q], topic: %s, key: /payload/n, batch: {max_events: 10}}}
`, dir, freeAddress(t), url, broker.Addr(), topic))
	return r
}

// add adds n events of a kind.
func (r *replayed) add(kind kind, n int) {
	r.t.Helper()
	for i := range n {
		id := fmt.Sprintf("1d7bb2fd-0000-4000-8000-%012x-%d", kind, i)
		if err := r.tenant.Add(simulator.Entry{Source: "am-config", Payload: fmt.Appendf(nil, `{"_id":%q,"n":%d}`, id, i%7)}); err != nil {
			r.t.Fatal(err)
		}
		r.want[id] = 1
	}
}

// arrive waits until Kafka has as many records as it should.
func (r *replayed) arrive() {
	r.t.Helper()
	eventually(r.t, "all events in Kafka", func() bool { return r.topics.count(r.t) >= sum(r.want) })
}

// replay has everything from a moment on be sent again.
func (r *replayed) replay(since time.Time) {
	r.t.Helper()
	p := start(r.t, "replay", "--config", r.config, "--sink", "bus", "--since", since.Format(time.RFC3339Nano))
	if code := p.wait(); code != exitDone || !strings.Contains(p.log.String(), "the running daemon sends it again") {
		r.t.Fatalf("replay: exit code %d:\n%s", code, p.log)
	}
	for id := range r.want {
		if strings.Contains(id, fmt.Sprintf("-%012x-", recent)) {
			r.want[id]++
		}
	}
}

func (r *replayed) check(when string) {
	r.t.Helper()
	got := map[string]int{}
	for _, x := range r.topics.all(r.t) {
		got[x.id]++
	}
	wrong := 0
	for id, n := range r.want {
		if got[id] != n {
			wrong++
		}
	}
	r.t.Logf("%s: %d records, %d events, %d of them not as often as they should be", when, sum(got), len(got), wrong)
	if wrong > 0 || len(got) != len(r.want) {
		r.t.Errorf("%s: %d of %d events are not there as often as they should be", when, wrong, len(r.want))
	}
}
