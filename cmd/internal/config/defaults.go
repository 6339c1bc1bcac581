package config

import (
	"math"
	"time"
)

// setDefaults is called before a struct is filled from the file, so that a key
// that is not there keeps its default. Tenants, sinks and what belongs to one type
// of sink get theirs one by one.

func (c *Config) setDefaults() {
	// The place that the Filesystem Hierarchy Standard gives to a service's
	// state, and what systemd's StateDirectory=aictail creates.
	c.DataDir = "/var/lib/aictail"
	c.Log = Log{Level: "info", Format: "json"}
	// Loopback, since metrics name tenants and sources and nothing asks for a
	// password. 9464 is the port of the OpenTelemetry Prometheus exporter: no
	// other service of a usual host has it.
	c.Admin = Admin{Listen: "127.0.0.1:9464"}
	// The last batch of a sink and one fsync take a few seconds. 30 s is what
	// Kubernetes waits before it kills, systemd waits 90 s; what is cut short
	// is sent again from the journal at the next start.
	c.ShutdownTimeout = 30 * time.Second
	c.Filter = Filter{Redact: []RedactRule{{Preset: "default"}}}
	c.Journal = Journal{
		// A limit of 28 range requests a minute with 1,000 entries of 750 bytes
		// each is 21 MB a minute: 10 GiB hold more than 8 hours of the loudest
		// tenant seen, and days of a usual one, while a sink is down.
		MaxSize: 10 << 30,
		// Long enough to find a lost cookie's overlap and to send an hour again
		// to a sink that lost it; at 21 MB a minute 1.3 GB, well under MaxSize.
		Retain: time.Hour,
	}
}

func (t *Tenant) setDefaults() {
	// Nothing older is fetched unasked: 30 days of history can take hours and
	// all of the budget.
	t.Start = "now"
	// People and scripts with a key of the same environment share the limit:
	// of 60 requests a minute 6 are left to them, of 28 still 2.
	t.Requests = Requests{Reserve: 0.1}
	t.Poll = Poll{
		// One source polled each second uses 60 requests a minute, the whole of
		// the documented limit: faster is never of use.
		MinInterval: time.Second,
		// Ten quiet sources then take 20 of 60 requests a minute, and an event
		// of a quiet source still arrives within half a minute.
		MaxInterval: 30 * time.Second,
		// The tenant itself gives up on a request after 60 s.
		Timeout: 60 * time.Second,
	}
	t.Sweep = Sweep{
		// Anything less forwards what the tail returns, which by the vendor's own
		// words may not be all.
		Mode: "full",
		// Entries arrive late: a collector that ended its windows 10 s in the past
		// still lost some. The simulated tenant delays them by up to 20 s; 30 s
		// leave a margin, and the complete-until time is that far behind at best.
		Settle: 30 * time.Second,
	}
}

// inherit stands for a settle time that the file does not give for a source, until
// validate makes it the zero value: a 0 that somebody wrote is too short.
const inherit time.Duration = math.MinInt64

func (o *SourceOptions) setDefaults() {
	o.Sweep.Settle = inherit
}

func (k *KafkaSink) setDefaults() {
	// Anything less acknowledges records that Kafka can still lose.
	k.Acks = "all"
	// Log events shrink to an eighth, at the least cost in time of those that do.
	k.Compression = "zstd"
	k.Format = "raw"
	// What brokers call aictail in their logs and quotas.
	k.ClientID = "aictail"
	// Brokers answer in milliseconds. The time is for replicas that have fallen
	// behind (replica.lag.time.max.ms is 30 s) and for the election of a leader.
	k.Timeout = 30 * time.Second
	// Kafka's own default of max.message.bytes: 1 MiB and what surrounds a batch.
	k.MaxMessageBytes = 1<<20 + 12
	// Nothing is created unasked: partitions and replicas are for whoever runs the
	// cluster to decide.
	k.CreateTopics = CreateTopics{}
	k.SASL = SASL{Mechanism: "none"}
}

// setTypeDefaults sets what depends on the type of sink and stands beside it.
func (s *Sink) setTypeDefaults(typ string) {
	// An event of 750 bytes makes a letter of 1.2 KB: 55,000 of them. One poisonous
	// event in a thousand at 150 events a second fills that in four days.
	s.DeadLetters = DeadLetters{MaxSize: 64 << 20}
	// 5,000 events of 750 bytes are 4 MiB. A reader holds twice as much, so that
	// four sinks stay within 32 MiB; a sink that wants smaller requests divides it.
	s.Batch = Batch{MaxEvents: 5000, MaxBytes: 4 << 20}
	switch typ {
	case "file":
		// One fsync takes milliseconds: waiting saves nothing.
	case "kafka":
		// The events of a batch go to several partitions, and a request to a
		// partition is best with some hundred: 200 ms are 30 events at 150 a second,
		// and of a loud tenant the batch is full before.
		s.Batch.MaxAge = 200 * time.Millisecond
	default:
		// A request costs the server as much as a thousand events. One a second
		// keeps the promise of seconds.
		s.Batch.MaxAge = time.Second
	}
}

func (f *FileSink) setDefaults() {
	// As the tenant sent it, which is what other tools for these logs expect.
	f.Format = "raw"
	// Nothing is renamed or removed unasked: logrotate may already do it.
	f.Rotate = Rotate{Compress: "none"}
}
