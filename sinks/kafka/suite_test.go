package kafka

import (
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"aictail/sinks"
	"aictail/sinks/sinktest"
)

func TestConformance(t *testing.T) {
	sources := []string{"am-access", "idm-core", "am-core", "idm-sync", "unknown"}
	var perSource []string
	for _, s := range sources {
		perSource = append(perSource, "aic.suite."+s)
	}
	for _, c := range []struct {
		name   string
		cfg    Config
		topics []string
		opts   []kfake.Opt
		h      sinktest.Harness
	}{
		{
			name: "one topic per source, created", topics: perSource,
			cfg: Config{Topic: "aic.{tenant}.{source}", CreateTopics: CreateTopics{1, 1}},
		},
		{
			name: "one topic, key", topics: []string{"all"},
			cfg:  Config{Topic: "all", Key: "/source", Compression: "snappy"},
			opts: []kfake.Opt{kfake.SeedTopics(6, "all"), kfake.NumBrokers(3)},
		},
		{
			name: "one topic, no key", topics: []string{"all"},
			cfg:  Config{Topic: "all", Compression: "none", MaxMessageBytes: 64 << 10},
			opts: []kfake.Opt{kfake.SeedTopics(6, "all"), kfake.NumBrokers(3)},
			h:    sinktest.Harness{Unordered: true, MaxEvent: 1_000_000},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			sinktest.Run(t, func(t testing.TB) sinktest.Harness {
				cluster := newCluster(t, c.opts...)
				var broken atomic.Bool
				cuts(cluster, &broken)
				cfg := c.cfg
				cfg.Brokers = cluster.ListenAddrs()
				h := c.h
				h.Remembers = true
				h.New = func(t testing.TB) sinks.Sink { return newSink(t, cfg) }
				h.Received = func(t testing.TB) [][]byte {
					var values [][]byte
					for _, r := range records(t, cluster, c.topics...) {
						values = append(values, r.Value)
					}
					return values
				}
				h.Break = func(testing.TB) { broken.Store(true) }
				h.Mend = func(testing.TB) { broken.Store(false) }
				return h
			})
		})
	}
}
