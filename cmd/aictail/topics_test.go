package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
)

// topics are Kafka topics that a test reads.
type topics struct {
	client *kafka.Client
	addr   string
	names  []string
}

func readTopics(addr string, names ...string) *topics {
	return &topics{client: &kafka.Client{Addr: kafka.TCP(addr), Timeout: 10 * time.Second}, addr: addr, names: names}
}

// record is a record of a topic.
type record struct {
	topic                              string
	partition                          int
	key, value, id, source, tenant, of string
	position                           uint64
}

// ends returns the offsets behind the partitions' last records. An error means that
// the broker does not answer.
func (k *topics) ends(t *testing.T) (map[string][]int64, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	metadata, err := k.client.Metadata(ctx, &kafka.MetadataRequest{Topics: k.names})
	if err != nil {
		return nil, err
	}
	req := &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{}}
	ends := map[string][]int64{}
	for _, topic := range metadata.Topics {
		if topic.Error != nil {
			return nil, topic.Error
		}
		for id := range topic.Partitions {
			req.Topics[topic.Name] = append(req.Topics[topic.Name], kafka.LastOffsetOf(id))
		}
		ends[topic.Name] = make([]int64, len(topic.Partitions))
	}
	answer, err := k.client.ListOffsets(ctx, req)
	if err != nil {
		return nil, err
	}
	for name, partitions := range answer.Topics {
		for _, p := range partitions {
			if p.Error != nil {
				return nil, p.Error
			}
			ends[name][p.Partition] = p.LastOffset
		}
	}
	return ends, nil
}

// count returns the number of records, or 0 if the broker does not answer.
func (k *topics) count(t *testing.T) int {
	t.Helper()
	ends, _ := k.ends(t)
	n := 0
	for _, partitions := range ends {
		for _, end := range partitions {
			n += int(end)
		}
	}
	return n
}

// all reads every record; those of a partition are in order.
func (k *topics) all(t *testing.T) []record {
	t.Helper()
	ends, err := k.ends(t)
	if err != nil {
		t.Fatal(err)
	}
	var list []record
	for name, partitions := range ends {
		for id, end := range partitions {
			if end > 0 {
				list = append(list, k.partition(t, kafka.ReaderConfig{Topic: name, Partition: id}, end)...)
			}
		}
	}
	return list
}

func (k *topics) partition(t *testing.T, cfg kafka.ReaderConfig, end int64) []record {
	t.Helper()
	cfg.Brokers, cfg.MinBytes, cfg.MaxBytes, cfg.MaxWait = []string{k.addr}, 1, 16<<20, 100*time.Millisecond
	r := kafka.NewReader(cfg)
	defer func() { _ = r.Close() }() // it is only read
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var list []record
	for {
		m, err := r.ReadMessage(ctx)
		if err != nil {
			t.Fatalf("read %s/%d: %v", cfg.Topic, cfg.Partition, err)
		}
		out, err := recordOf(&m)
		if err != nil {
			t.Fatalf("%s/%d at %d: %v", cfg.Topic, cfg.Partition, m.Offset, err)
		}
		list = append(list, out)
		if m.Offset+1 >= end {
			return list
		}
	}
}

func recordOf(m *kafka.Message) (record, error) {
	r := record{topic: m.Topic, partition: m.Partition, key: string(m.Key), value: string(m.Value)}
	var position string
	for _, h := range m.Headers {
		into, known := map[string]*string{
			"aictail-id": &r.id, "aictail-source": &r.source, "aictail-tenant": &r.tenant,
			"aictail-origin": &r.of, "aictail-position": &position,
		}[h.Key]
		if !known {
			return r, fmt.Errorf("header %q", h.Key)
		}
		*into = string(h.Value)
	}
	if r.id == "" || r.source == "" || r.tenant == "" || r.of == "" {
		return r, errors.New("a header is missing")
	}
	var err error
	r.position, err = strconv.ParseUint(position, 10, 64)
	return r, err
}

// disorder counts the records with a key of which the topic has one in another
// partition, or one before it that was journaled later.
func disorder(records []record) (n, keyed int) {
	last := map[[2]string]record{}
	for _, r := range records {
		if r.key == "" {
			continue
		}
		keyed++
		at := [2]string{r.topic, r.key}
		if before, ok := last[at]; ok && (before.partition != r.partition || before.position >= r.position) {
			n++
		}
		last[at] = r
	}
	return n, keyed
}
