package kafka

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"
	"go.uber.org/zap"
)

const (
	// DefaultTimeout bounds one request. Brokers answer in milliseconds; the time
	// is for replicas that have fallen behind, and for a leader to be elected.
	DefaultTimeout = 30 * time.Second
	// DefaultMaxMessageBytes is Kafka's own default of max.message.bytes: 1 MiB
	// and what surrounds a batch.
	DefaultMaxMessageBytes = 1<<20 + 12
	// DefaultClientID is how brokers call aictail in their logs and quotas.
	DefaultClientID = "aictail"
	// minMaxMessageBytes is where a size is more likely a forgotten unit than
	// meant.
	minMaxMessageBytes = 1 << 10
)

// Config is what the user sets.
type Config struct {
	// Brokers are some of the cluster's brokers as host:port; the others are
	// found through them.
	Brokers []string
	// Topic is the name of the topic, with {tenant} and {source}.
	Topic string
	// Key is a JSON pointer to the value in the event that becomes the record's
	// key; "" is no key.
	Key string
	// Acks is "all", also if empty.
	Acks string
	// Compression is "zstd", also if empty, or "lz4", "snappy", "gzip", "none".
	Compression string
	// Format is how an event is written: "raw", also if empty, is its Raw.
	Format string
	// ClientID is DefaultClientID if empty.
	ClientID string
	SASL     SASL
	// TLS is how connections are encrypted; nil: not at all. Without a ServerName it
	// is the name that a broker is reached by.
	TLS *tls.Config
	// CreateTopics says how to create topics that do not exist.
	CreateTopics CreateTopics
	// Timeout bounds each request; 0 is DefaultTimeout.
	Timeout time.Duration
	// MaxMessageBytes is the topics' max.message.bytes; 0 is
	// DefaultMaxMessageBytes.
	MaxMessageBytes int64
}

// SASL is how aictail shows the brokers who it is.
type SASL struct {
	// Mechanism is "none", also if empty, or "PLAIN", "SCRAM-SHA-256",
	// "SCRAM-SHA-512".
	Mechanism          string
	Username, Password string
}

// CreateTopics says how to create topics; the zero value is not to.
type CreateTopics struct{ Partitions, Replication int }

// Deps is what the program injects.
type Deps struct {
	// Installation is the id of this installation, Name that of the sink in the
	// configuration. Together they tell our records from others.
	Installation, Name string
	// Log takes warnings; nil: none.
	Log *zap.Logger
}

// check validates the configuration and fills in what follows from it.
func (s *Sink) check() error {
	c := &s.cfg
	if len(c.Brokers) == 0 {
		return errors.New("brokers: missing: give some of the cluster's brokers, such as [k1:9092, k2:9092]")
	}
	for i, b := range c.Brokers {
		if host, port, err := net.SplitHostPort(b); err != nil || host == "" || port == "" {
			return fmt.Errorf("brokers[%d]: want host:port, such as k1:9092", i)
		}
	}
	var err error
	if s.template, err = parseTemplate(c.Topic); err != nil {
		return fmt.Errorf("topic: %w", err)
	}
	if s.pointer, err = parsePointer(c.Key); err != nil {
		return fmt.Errorf("key: %w", err)
	}
	if c.Acks != "" && c.Acks != "all" {
		return errors.New("acks: only all is possible: with less, Kafka loses records that it has acknowledged")
	}
	if c.Format != "" && c.Format != "raw" {
		return fmt.Errorf("format: unknown format %q; the Kafka sink writes raw", c.Format)
	}
	switch c.Compression {
	case "", "zstd":
		s.codec = kafkago.Zstd
	case "lz4":
		s.codec = kafkago.Lz4
	case "snappy":
		s.codec = kafkago.Snappy
	case "gzip":
		s.codec = kafkago.Gzip
	case "none":
	default:
		return fmt.Errorf("compression: unknown compression %q; known are zstd, lz4, snappy, gzip and none", c.Compression)
	}
	return c.checkLimits()
}

func (c *Config) checkLimits() error {
	if c.ClientID == "" {
		c.ClientID = DefaultClientID
	}
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if c.MaxMessageBytes == 0 {
		c.MaxMessageBytes = DefaultMaxMessageBytes
	}
	create := c.CreateTopics
	switch {
	case c.Timeout < time.Second:
		return errors.New("timeout: want at least 1s")
	case c.MaxMessageBytes < minMaxMessageBytes:
		return fmt.Errorf("max_message_bytes: want at least %d", minMaxMessageBytes)
	case create.Partitions < 0 || create.Replication < 0:
		return errors.New("create_topics: want numbers above 0, or 0 and 0 to create no topics")
	case create.Partitions == 0 && create.Replication != 0:
		return errors.New("create_topics.partitions: missing: how many partitions is a new topic to have?")
	case create.Partitions != 0 && create.Replication == 0:
		return errors.New("create_topics.replication: missing: how many brokers are to have a copy? 3 survives the loss of one without a pause")
	}
	return nil
}

// mechanism returns nil if there is to be no authentication.
func (c SASL) mechanism() (sasl.Mechanism, error) {
	if c.Mechanism == "" || c.Mechanism == "none" {
		if c.Username != "" || c.Password != "" {
			return nil, errors.New("sasl.mechanism: missing: want PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512 to use username and password")
		}
		return nil, nil
	}
	if c.Username == "" || c.Password == "" {
		return nil, errors.New("sasl: username and password are missing or empty")
	}
	var algorithm scram.Algorithm
	switch c.Mechanism {
	case "PLAIN":
		return plain.Mechanism{Username: c.Username, Password: c.Password}, nil
	case "SCRAM-SHA-256":
		algorithm = scram.SHA256
	case "SCRAM-SHA-512":
		algorithm = scram.SHA512
	default:
		return nil, errors.New("sasl.mechanism: want none, PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512")
	}
	m, err := scram.Mechanism(algorithm, c.Username, c.Password)
	if err != nil {
		// The library's error may quote what it is about.
		return nil, errors.New("sasl: username or password has a character that SCRAM does not allow")
	}
	return m, nil
}
