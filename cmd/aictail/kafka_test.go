package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestKafka runs the daemon with a Kafka cluster whose brokers fail in between,
// after they have appended and before, and kills it again and again. In the end
// the topics must hold every event of the tenant exactly once.
func TestKafka(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	tenant, url, quiet := crashTenant(t, seed)
	cluster, err := kfake.NewCluster(kfake.NumBrokers(3))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)

	config := crashConfig(t, t.TempDir(), url)
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	before, _, _ := strings.Cut(string(text), "\nsinks:")
	writeFile(t, config, before+fmt.Sprintf(`
sinks:
  bus:
    type: kafka
    brokers: [%q]
    topic: aic.{source}
    key: /payload/transactionId
    create_topics: {partitions: 4, replication: 1}
`, cluster.ListenAddrs()[0]))

	chance := rand.New(rand.NewPCG(seed, 0))
	for range 4 {
		p := start(t, "run", "--config", config)
		faults := cluster.Fault(
			kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.RequestTimedOut, Count: 3},
			kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotLeaderForPartition, Count: 3},
		)
		time.Sleep(time.Duration(500+chance.IntN(2500)) * time.Millisecond)
		select {
		case <-p.done:
			t.Fatalf("aictail ended by itself:\n%s", tail(p.log.String()))
		default:
			p.kill()
		}
		faults.Remove()
		cluster.ShufflePartitionLeaders()
	}
	if err := tenant.FaultShare(0); err != nil {
		t.Fatal(err)
	}
	quiet()
	p := start(t, "run", "--config", config)
	var lines map[string]int
	eventually(t, "every event in Kafka", func() bool {
		lines = readCluster(t, cluster)
		missing, _ := compare(tenant, lines)
		if missing > 0 {
			time.Sleep(time.Second) // comparing takes the CPU that the daemon needs
		}
		return missing == 0
	})
	if code := p.stop(); code != exitDone {
		t.Errorf("exit code %d after SIGTERM, want %d:\n%s", code, exitDone, tail(p.log.String()))
	}
	lines = readCluster(t, cluster)
	missing, surplus := compare(tenant, lines)
	t.Logf("%d different records, %d missing, %d too many", len(lines), missing, surplus)
	if missing > 0 || surplus > 0 {
		t.Errorf("%d events missing, %d records too many", missing, surplus)
	}
}

// readCluster returns how often each record value is in the cluster's topics.
func readCluster(t *testing.T, cluster *kfake.Cluster) map[string]int {
	t.Helper()
	left := int64(0)
	from := map[string]map[int32]kgo.Offset{}
	end := map[string]map[int32]int64{}
	for _, source := range crashSources {
		topic := "aic." + source
		from[topic], end[topic] = map[int32]kgo.Offset{}, map[int32]int64{}
		for _, p := range cluster.PartitionInfos(topic) {
			if p.HighWatermark > 0 {
				from[topic][p.Partition], end[topic][p.Partition] = kgo.NewOffset().At(0), p.HighWatermark
				left += p.HighWatermark
			}
		}
	}
	lines := map[string]int{}
	if left == 0 {
		return lines
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.ConsumePartitions(from))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for left > 0 && ctx.Err() == nil {
		client.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			if r.Offset < end[r.Topic][r.Partition] {
				lines[string(r.Value)]++
				left--
			}
		})
	}
	return lines
}
