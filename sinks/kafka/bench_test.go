package kafka

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"aictail"
)

// benchEvents returns n events of about 750 bytes with a key, as those of a tenant
// are.
func benchEvents(n int) []aictail.Event {
	events := newEvents(1, n)
	for i := range events {
		events[i].Raw = fmt.Appendf(nil, `{"payload":{"_id":"%032x","eventName":"AM-ACCESS-OUTCOME","http":{"request":{"path":"https://openam.example.com/am/json/realms/root/authenticate","headers":{"user-agent":["%s"]}}},"transactionId":"%032x-%d"},"timestamp":"2026-03-01T12:00:00.%09dZ","type":"application/json","source":"am-access"}`,
			i*7919, strings.Repeat("Mozilla/5.0 (X11; Linux x86_64) ", 12), i*104729, i%7, i)
	}
	return events
}

// benchSink returns a sink on a cluster that keeps nothing.
func benchSink(b testing.TB, compression string) *Sink {
	c := newCluster(b, kfake.SeedTopics(12, "events"), kfake.BlackholeProduce(), kfake.NumBrokers(3))
	cfg := testConfig(c)
	cfg.Key, cfg.Compression = "/payload/transactionId", compression
	s := opened(b, cfg, new(stored))
	must(b, s, newEvents(1, 100))
	s.State()
	return s
}

// BenchmarkSend sends batches of 5,000 events with keys to 12 partitions of a fake
// cluster in the same process.
func BenchmarkSend(b *testing.B) {
	for _, compression := range []string{"none", "zstd", "lz4", "snappy", "gzip"} {
		b.Run(compression, func(b *testing.B) {
			s := benchSink(b, compression)
			events := benchEvents(5000)
			size := int64(0)
			for i := range events {
				size += int64(len(events[i].Raw))
			}
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				must(b, s, events)
				s.State()
			}
			b.ReportMetric(float64(b.N)*float64(len(events))/b.Elapsed().Seconds(), "events/s")
		})
	}
}

func BenchmarkPointer(b *testing.B) {
	p, err := parsePointer("/payload/transactionId")
	if err != nil {
		b.Fatal(err)
	}
	raw := benchEvents(1)[0].Raw
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if p.find(raw) == nil {
			b.Fatal("not found")
		}
	}
}

// TestNoAllocationPerEvent compares batches of different sizes, each one request
// to each partition.
func TestNoAllocationPerEvent(t *testing.T) {
	s := benchSink(t, "none")
	s.cfg.MaxMessageBytes = 16 << 20
	for _, p := range s.topics["events"].partitions {
		p.limit = 16 << 20
	}
	events := benchEvents(3000)
	allocs := func(n int) float64 {
		return testing.AllocsPerRun(20, func() {
			must(t, s, events[:n])
			s.State()
		})
	}
	few, many := allocs(1000), allocs(3000)
	if perEvent := (many - few) / 2000; perEvent > 0.1 {
		t.Errorf("%.0f allocations for 1000 events, %.0f for 3000: %.2f per event", few, many, perEvent)
	}
}
