package servers_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"

	"aictail/sinks/sinktest/servers"
)

func TestRealKafka(t *testing.T) {
	b := servers.Kafka(t, servers.KafkaOptions{
		Users:    map[string]string{"alice": "a-secret"},
		Settings: map[string]string{"message.max.bytes": "2000000"},
	})
	t.Run("secure", func(t *testing.T) { testSecure(t, b) })
	t.Run("no topic by itself", func(t *testing.T) {
		err := produce(t, client(t, b.Addr(), nil, nil), "nobody-made-it", "x")
		if !errors.Is(err, protocol.ErrNoTopic) {
			t.Errorf("the broker says %v, want that it has no such topic", err)
		}
	})
	t.Run("crash", func(t *testing.T) { testBrokerCrash(t, b) })
	t.Run("two brokers", func(t *testing.T) { testJoin(t, b) })
	b.Stop(t)
}

// testBrokerCrash kills the broker after it acknowledged a record.
func testBrokerCrash(t *testing.T, b *servers.Broker) {
	b.CreateTopic(t, "crash", 1)
	c := client(t, b.Addr(), nil, nil)
	if err := produce(t, c, "crash", "first"); err != nil {
		t.Fatal(err)
	}
	b.Kill(t)
	if err := produce(t, c, "crash", "lost"); err == nil {
		t.Error("the broker still answers after it was killed")
	}
	b.Start(t)
	if err := produce(t, client(t, b.Addr(), nil, nil), "crash", "second"); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"first", "second"} {
		if got := fetch(t, client(t, b.Addr(), nil, nil), "crash", int64(i)); got != want {
			t.Errorf("record %d is %q, want %q", i, got, want)
		}
	}
}

func testSecure(t *testing.T, b *servers.Broker) {
	secure := b.Secure(t)
	ca, err := os.ReadFile(secure.Certificates.CA)
	if err != nil {
		t.Fatal(err)
	}
	encrypted := &tls.Config{RootCAs: x509.NewCertPool()}
	encrypted.RootCAs.AppendCertsFromPEM(ca)
	pair, err := tls.LoadX509KeyPair(secure.Certificates.ClientCert, secure.Certificates.ClientKey)
	if err != nil {
		t.Fatal(err)
	}
	withCert := encrypted.Clone()
	withCert.Certificates = []tls.Certificate{pair}
	stranger := &tls.Config{RootCAs: x509.NewCertPool()}

	login := func(algorithm scram.Algorithm, password string) sasl.Mechanism {
		mechanism, err := scram.Mechanism(algorithm, "alice", password)
		if err != nil {
			t.Fatal(err)
		}
		return mechanism
	}
	b.CreateTopic(t, "secure", 1)
	for name, c := range map[string]struct {
		addr    string
		tls     *tls.Config
		sasl    sasl.Mechanism
		refused bool
	}{
		"tls":                    {addr: secure.TLS, tls: encrypted},
		"client certificate":     {addr: secure.TLS, tls: withCert},
		"unknown authority":      {addr: secure.TLS, tls: stranger, refused: true},
		"plain":                  {addr: secure.SASL, sasl: plain.Mechanism{Username: "alice", Password: "a-secret"}},
		"plain, wrong":           {addr: secure.SASL, sasl: plain.Mechanism{Username: "alice", Password: "x"}, refused: true},
		"scram 256":              {addr: secure.SASL, sasl: login(scram.SHA256, "a-secret")},
		"scram 512":              {addr: secure.SASL, sasl: login(scram.SHA512, "a-secret")},
		"scram 512, wrong":       {addr: secure.SASL, sasl: login(scram.SHA512, "x"), refused: true},
		"scram 256 and tls":      {addr: secure.SASLTLS, tls: encrypted, sasl: login(scram.SHA256, "a-secret")},
		"scram 512 and tls":      {addr: secure.SASLTLS, tls: encrypted, sasl: login(scram.SHA512, "a-secret")},
		"tls without login":      {addr: secure.SASLTLS, tls: encrypted, refused: true},
		"login without password": {addr: secure.SASLTLS, tls: encrypted, sasl: login(scram.SHA512, ""), refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			if err := produce(t, client(t, c.addr, c.tls, c.sasl), "secure", name); (err != nil) != c.refused {
				t.Errorf("the broker says %v, refusal expected: %v", err, c.refused)
			}
		})
	}
}

// testJoin has a partition without leader while a second broker is down.
func testJoin(t *testing.T, b *servers.Broker) {
	second := b.Join(t)
	c := client(t, b.Addr(), nil, nil)
	created, err := c.CreateTopics(t.Context(), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{
		Topic: "second", NumPartitions: -1, ReplicationFactor: -1,
		ReplicaAssignments: []kafka.ReplicaAssignment{{Partition: 0, Replicas: []int{2}}},
	}}})
	if err == nil {
		err = created.Errors["second"]
	}
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error { return produce(t, client(t, b.Addr(), nil, nil), "second", "first") })
	second.Kill(t)
	eventually(t, func() error {
		err := produce(t, client(t, b.Addr(), nil, nil), "second", "lost")
		if errors.Is(err, protocol.ErrNoLeader) {
			return nil
		}
		return fmt.Errorf("want no leader, got %v", err)
	})
	second.Start(t)
	eventually(t, func() error { return produce(t, client(t, b.Addr(), nil, nil), "second", "second") })
	if got := fetch(t, client(t, b.Addr(), nil, nil), "second", 0); got != "first" {
		t.Errorf("the first record is %q", got)
	}
}

// eventually tries until it works, for as long as a busy machine may need.
func eventually(t *testing.T, try func() error) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		<-time.After(200 * time.Millisecond)
	}
}

func client(t *testing.T, addr string, encryption *tls.Config, mechanism sasl.Mechanism) *kafka.Client {
	transport := &kafka.Transport{TLS: encryption, SASL: mechanism, DialTimeout: 10 * time.Second}
	t.Cleanup(transport.CloseIdleConnections)
	return &kafka.Client{Addr: kafka.TCP(addr), Transport: transport, Timeout: 20 * time.Second}
}

func produce(t *testing.T, c *kafka.Client, topic, value string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	answer, err := c.Produce(ctx, &kafka.ProduceRequest{
		Topic: topic, RequiredAcks: kafka.RequireAll,
		Records: kafka.NewRecordReader(kafka.Record{Value: kafka.NewBytes([]byte(value))}),
	})
	if err != nil {
		return err
	}
	return answer.Error
}

// fetch returns the value of the first record at or after an offset.
func fetch(t *testing.T, c *kafka.Client, topic string, offset int64) string {
	t.Helper()
	answer, err := c.Fetch(t.Context(), &kafka.FetchRequest{
		Topic: topic, Offset: offset, MinBytes: 1, MaxBytes: 1 << 20, MaxWait: 5 * time.Second,
	})
	if err == nil {
		err = answer.Error
	}
	if err != nil {
		t.Fatal(err)
	}
	for {
		record, err := answer.Records.ReadRecord()
		if err != nil {
			t.Fatal(err)
		}
		value, err := io.ReadAll(record.Value)
		if err != nil {
			t.Fatal(err)
		}
		if record.Offset >= offset {
			return string(value)
		}
	}
}
