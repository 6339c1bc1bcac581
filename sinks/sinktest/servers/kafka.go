package servers

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
)

// KafkaOptions are the options of a Kafka broker.
type KafkaOptions struct {
	// Users, name to password, can log in with PLAIN, SCRAM-SHA-256 and
	// SCRAM-SHA-512. Names and passwords consist of letters, digits and "_.-".
	Users map[string]string
	// Settings are broker settings, which override ours.
	Settings map[string]string
}

// Broker is a Kafka broker. It never creates topics by itself, and allows
// everybody everything.
type Broker struct {
	addr    string
	secure  Secure
	process *process // nil: somebody else's

	server    installed
	opts      KafkaOptions
	node      int
	clusterID string
	// controller is the port of the controller, which is in the first broker.
	controller int
	// first is the first broker of the cluster, nil for itself; joined is how
	// many joined it.
	first  *Broker
	joined int
}

// Secure is how clients reach a broker at which they must encrypt or log in.
type Secure struct {
	// TLS is for clients that encrypt; they may show the client's certificate.
	TLS string
	// SASL is for clients that log in without encryption.
	SASL string
	// SASLTLS is for clients that encrypt and log in.
	SASLTLS string
	// Certificates are those of all listeners.
	Certificates Certificates
}

// Kafka starts a broker, which is a cluster of its own.
func Kafka(t testing.TB, opts KafkaOptions) *Broker {
	t.Helper()
	if addr := kafkaKind.external(t); addr != "" {
		if len(opts.Settings) > 0 {
			t.Skipf("needs other settings than the broker given by %s may have", kafkaKind.addressVar)
		}
		return &Broker{addr: addr}
	}
	b := &Broker{server: kafkaKind.install(t), opts: opts, node: 1, clusterID: newClusterID()}
	b.controller = reservePort(t, filepath.Dir(b.server.home))
	b.launch(t)
	return b
}

// Join starts another broker of the same cluster, which ends with the test t. The
// controller stays in the first broker: what leads partitions here is without
// leader while this one is down.
func (b *Broker) Join(t testing.TB) *Broker {
	t.Helper()
	b.mustBeOurs(t)
	first := b
	if b.first != nil {
		first = b.first
	}
	first.joined++
	joined := &Broker{
		server: b.server, opts: b.opts, node: 1 + first.joined, clusterID: b.clusterID,
		controller: b.controller, first: first,
	}
	joined.launch(t)
	return joined
}

// launch formats the broker's folder and starts it.
func (b *Broker) launch(t testing.TB) {
	t.Helper()
	dir, cache := t.TempDir(), filepath.Dir(b.server.home)
	b.addr = loopback(reservePort(t, cache))
	certificates, err := newCertificates(dir)
	if err != nil {
		t.Fatal(err)
	}
	b.secure = Secure{
		TLS:          loopback(reservePort(t, cache)),
		SASL:         loopback(reservePort(t, cache)),
		SASLTLS:      loopback(reservePort(t, cache)),
		Certificates: certificates,
	}
	config := filepath.Join(dir, kafkaKind.config)
	if err := b.writeConfig(dir, config); err != nil {
		t.Fatal(err)
	}
	java, err := b.server.javaArgs(dir, "512m")
	if err != nil {
		t.Fatal(err)
	}
	java = append(java, "-Dorg.slf4j.simpleLogger.showDateTime=true",
		// It prints all settings, several times.
		"-Dorg.slf4j.simpleLogger.log.org.apache.kafka.common.config=warn",
		"-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaConfig=warn")
	if err := command(t.Context(), dir, b.server.jdk.java(), append(slices.Clone(java), b.formatArgs(config)...)...); err != nil {
		t.Fatalf("format the folder of Kafka: %v", err)
	}
	b.process = &process{
		name: fmt.Sprintf("Kafka broker %d", b.node), logFile: filepath.Join(dir, "server.log"),
		program: b.server.jdk.java(), args: append(java, "kafka.Kafka", config), ready: b.ready, patience: patience,
	}
	b.process.run(t)
}

// formatArgs are the arguments that format the broker's folder.
func (b *Broker) formatArgs(config string) []string {
	args := []string{"kafka.tools.StorageTool", "format", "-t", b.clusterID, "-c", config}
	if b.first != nil {
		return args
	}
	args = append(args, "--standalone")
	for name, password := range b.opts.Users {
		for _, mechanism := range []string{"SCRAM-SHA-256", "SCRAM-SHA-512"} {
			args = append(args, "--add-scram", fmt.Sprintf("%s=[name=%s,password=%s]", mechanism, name, password))
		}
	}
	return args
}

// ready asks for the brokers of the cluster, of which this must be one.
func (b *Broker) ready(ctx context.Context) error {
	return b.withClient(func(client *kafka.Client) error {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		metadata, err := client.Metadata(ctx, &kafka.MetadataRequest{})
		if err != nil {
			return err
		}
		for _, broker := range metadata.Brokers {
			if broker.ID == b.node {
				return nil
			}
		}
		return fmt.Errorf("broker %d is not yet part of the cluster", b.node)
	})
}

// withClient calls fn with a client that leaves no connection behind.
func (b *Broker) withClient(fn func(*kafka.Client) error) error {
	transport := &kafka.Transport{Dial: (&net.Dialer{Timeout: 5 * time.Second}).DialContext}
	defer transport.CloseIdleConnections()
	return fn(&kafka.Client{Addr: kafka.TCP(b.addr), Transport: transport})
}

// CreateTopic creates a topic of that many partitions, each with one replica, and
// waits until they have leaders.
func (b *Broker) CreateTopic(t testing.TB, name string, partitions int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err := b.withClient(func(client *kafka.Client) error {
		created, err := client.CreateTopics(ctx, &kafka.CreateTopicsRequest{
			Topics: []kafka.TopicConfig{{Topic: name, NumPartitions: partitions, ReplicationFactor: 1}},
		})
		if err == nil {
			err = created.Errors[name]
		}
		if err != nil {
			return err
		}
		return poll(ctx, b.ended(), func() error { return led(ctx, client, name, partitions) })
	})
	if err != nil {
		t.Fatalf("create topic %s: %v", name, err)
	}
}

// ended is closed when the broker is gone, if it is ours.
func (b *Broker) ended() <-chan struct{} {
	if b.process == nil {
		return nil
	}
	return b.process.ended
}

// led returns nil if all partitions of a topic have leaders.
func led(ctx context.Context, client *kafka.Client, topic string, partitions int) error {
	metadata, err := client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		return err
	}
	for _, found := range metadata.Topics {
		if found.Error != nil {
			return found.Error
		}
		for _, p := range found.Partitions {
			if p.Error != nil {
				return p.Error
			}
			partitions--
		}
	}
	if partitions > 0 {
		return fmt.Errorf("%d partitions are missing", partitions)
	}
	return nil
}

// Addr returns the address for clients that neither encrypt nor log in.
func (b *Broker) Addr() string { return b.addr }

// Secure returns how to reach the broker with encryption and log-in.
func (b *Broker) Secure(t testing.TB) Secure {
	t.Helper()
	b.mustBeOurs(t)
	return b.secure
}

func (b *Broker) mustBeOurs(t testing.TB) {
	t.Helper()
	if b.process == nil {
		t.Skipf("needs a broker that the test started, not the one given by %s", kafkaKind.addressVar)
	}
}

// Kill ends the broker with SIGKILL.
func (b *Broker) Kill(t testing.TB) {
	t.Helper()
	b.process.do(t, (*process).kill)
}

// Stop ends the broker in good order.
func (b *Broker) Stop(t testing.TB) {
	t.Helper()
	b.process.do(t, (*process).stop)
}

// Start starts the broker again after Kill or Stop, with the same data and at
// the same addresses. It returns when the broker answers.
func (b *Broker) Start(t testing.TB) {
	t.Helper()
	b.process.do(t, (*process).startAgain)
}

// Pause has the broker stand still: it keeps its connections and its ports and
// answers nothing until Resume.
func (b *Broker) Pause(t testing.TB) {
	t.Helper()
	b.process.do(t, (*process).pause)
}

// Resume has the broker go on after Pause.
func (b *Broker) Resume(t testing.TB) {
	t.Helper()
	b.process.do(t, (*process).resume)
}
