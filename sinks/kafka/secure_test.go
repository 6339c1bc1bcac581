package kafka

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"aictail/sinks"
	"aictail/sinks/sinktest"
)

// trusting returns a configuration that trusts the authorities of a file, and shows the
// certificate of two others if there are any.
func trusting(t *testing.T, caFile string, own ...string) *tls.Config {
	t.Helper()
	ca, err := os.ReadFile(caFile)
	if err != nil {
		t.Fatal(err)
	}
	cfg := &tls.Config{RootCAs: x509.NewCertPool()}
	cfg.RootCAs.AppendCertsFromPEM(ca)
	if len(own) == 2 {
		pair, err := tls.LoadX509KeyPair(own[0], own[1])
		if err != nil {
			t.Fatal(err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return cfg
}

func TestSecure(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	pair := sinktest.Certificate(t, "test", certFile, keyFile)
	pool := x509.NewCertPool()
	pool.AddCert(pair.Leaf)
	asks := newCluster(t, kfake.SeedTopics(1, "events"), kfake.TLS(&tls.Config{
		Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool,
	}))
	login := newCluster(t, kfake.SeedTopics(1, "events"), kfake.EnableSASL(), kfake.TLS(&tls.Config{Certificates: []tls.Certificate{pair}}),
		kfake.Superuser("PLAIN", "alice", "secret"), kfake.Superuser("SCRAM-SHA-256", "alice", "secret"), kfake.Superuser("SCRAM-SHA-512", "alice", "secret"))
	open := newCluster(t, kfake.SeedTopics(1, "events"))
	ca, otherName := trusting(t, certFile), trusting(t, certFile)
	otherName.ServerName = "other"
	for _, c := range []struct {
		name    string
		cluster *kfake.Cluster
		tls     *tls.Config
		sasl    SASL
		says    string // of the refusal; "" for success
	}{
		{"own certificate", asks, trusting(t, certFile, certFile, keyFile), SASL{}, ""},
		{"no certificate", asks, ca, SASL{}, "tls.cert_file"},
		{"unknown authority", login, &tls.Config{}, SASL{}, "tls.ca_file"},
		{"wrong name", login, otherName, SASL{}, "tls.server_name"},
		{"no TLS where it is wanted", login, nil, SASL{}, "tls.enabled"},
		{"TLS where there is none", open, ca, SASL{}, "tls.enabled"},
		{"PLAIN", login, ca, SASL{"PLAIN", "alice", "secret"}, ""},
		{"SCRAM-SHA-256", login, ca, SASL{"SCRAM-SHA-256", "alice", "secret"}, ""},
		{"SCRAM-SHA-512", login, ca, SASL{"SCRAM-SHA-512", "alice", "secret"}, ""},
		{"wrong password, PLAIN", login, ca, SASL{"PLAIN", "alice", "wrong"}, "sasl.password"},
		{"wrong password, SCRAM", login, ca, SASL{"SCRAM-SHA-512", "alice", "wrong"}, "sasl.password"},
		{"no SASL where it is wanted", login, ca, SASL{}, "sasl"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := testConfig(c.cluster)
			cfg.TLS, cfg.SASL = c.tls, c.sasl
			cfg.Brokers, cfg.Timeout = cfg.Brokers[:1], time.Second
			s := newSink(t, cfg)
			defer s.Close()
			err := s.Open(t.Context(), new(stored).saved())
			if c.says == "" {
				if err != nil {
					t.Fatal(err)
				}
				must(t, s, newEvents(1, 1))
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("Open: %v, want a hint at %s", err, c.says)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the error shows the password: %v", err)
			}
		})
	}
}

// TestNotKafka connects to a server of something else.
func TestNotKafka(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Write([]byte("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"))
			conn.Close()
		}
	}()
	defer func() { l.Close(); <-done }()
	s := newSink(t, Config{Brokers: []string{l.Addr().String()}, Topic: "events"})
	err = s.Open(t.Context(), new(stored).saved())
	if sinks.KindOf(err) != sinks.Refused || !strings.Contains(err.Error(), "not one of Kafka's") {
		t.Errorf("Open: %v, want that it is not Kafka", err)
	}
}

// TestNobodyListens: what the operator reads while the brokers are down says what to do.
func TestNobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	s := newSink(t, Config{Brokers: []string{l.Addr().String()}, Topic: "events"})
	err = s.Open(t.Context(), new(stored).saved())
	if sinks.KindOf(err) != sinks.Retry || !strings.Contains(err.Error(), "start the server, or check brokers") {
		t.Errorf("Open: %v, want a remedy", err)
	}
}

// TestRights takes one right of three away.
func TestRights(t *testing.T) {
	right := func(operation kmsg.ACLOperation) kfake.ACL {
		return kfake.ACL{Resource: kmsg.ACLResourceTypeTopic, Name: "events", Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: operation, Allow: true}
	}
	rights := []kfake.ACL{right(kmsg.ACLOperationDescribe), right(kmsg.ACLOperationWrite), right(kmsg.ACLOperationRead)}
	for without := -1; without < len(rights); without++ {
		var granted []kfake.ACL
		for i, r := range rights {
			if i != without {
				granted = append(granted, r)
			}
		}
		// Kafka derives Describe from Read and Write.
		if without == 0 {
			granted = nil
		}
		c := newCluster(t, kfake.SeedTopics(1, "events"), kfake.EnableSASL(), kfake.EnableACLs(), kfake.User("PLAIN", "alice", "secret", granted...))
		cfg := testConfig(c)
		cfg.SASL = SASL{"PLAIN", "alice", "secret"}
		s := opened(t, cfg, new(stored))
		err := send(t, s, newEvents(1, 2))
		if without < 0 {
			if err != nil {
				t.Error(err)
			}
			continue
		}
		wantError(t, err, sinks.Refused, "events", "grant aictail's user Write, Read and Describe")
	}
}

func TestConfigIsChecked(t *testing.T) {
	good := func() Config { return Config{Brokers: []string{"k1:9092"}, Topic: "events"} }
	for says, spoil := range map[string]func(*Config){
		"brokers: missing":               func(c *Config) { c.Brokers = nil },
		"brokers[0]: want host:port":     func(c *Config) { c.Brokers = []string{"k1"} },
		"topic: unknown placeholder":     func(c *Config) { c.Topic = "{date}" },
		"key: want a JSON pointer":       func(c *Config) { c.Key = "x" },
		"acks: only all is possible":     func(c *Config) { c.Acks = "1" },
		"format: unknown format":         func(c *Config) { c.Format = "ecs" },
		"compression: unknown":           func(c *Config) { c.Compression = "zip" },
		"timeout: want at least":         func(c *Config) { c.Timeout = 1 },
		"max_message_bytes: want":        func(c *Config) { c.MaxMessageBytes = 1 },
		"create_topics.partitions":       func(c *Config) { c.CreateTopics.Replication = 1 },
		"create_topics.replication":      func(c *Config) { c.CreateTopics.Partitions = 1 },
		"create_topics: want":            func(c *Config) { c.CreateTopics.Partitions = -1 },
		"sasl.mechanism: missing":        func(c *Config) { c.SASL.Username = "u" },
		"sasl: username and password":    func(c *Config) { c.SASL.Mechanism = "PLAIN" },
		"sasl.mechanism: want none":      func(c *Config) { c.SASL = SASL{"GSSAPI", "u", "p"} },
		"sasl: username or password has": func(c *Config) { c.SASL = SASL{"SCRAM-SHA-256", "\u0000", "p"} },
	} {
		cfg := good()
		spoil(&cfg)
		if _, err := New(cfg, Deps{Installation: "i", Name: "n"}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q", err, says)
		}
	}
	if _, err := New(good(), Deps{Name: "n"}); err == nil {
		t.Error("a sink without an installation could not know its records")
	}
}

func TestUse(t *testing.T) {
	c := newCluster(t, kfake.SeedTopics(1, "events"))
	s := newSink(t, testConfig(c))
	if err := s.Send(t.Context(), newEvents(1, 1)); err == nil {
		t.Error("Send before Open succeeds")
	}
	if err := s.Open(t.Context(), sinks.Saved{}); err == nil {
		t.Error("Open without a place for the state succeeds")
	}
	s = opened(t, testConfig(c), new(stored))
	if err := s.Open(t.Context(), new(stored).saved()); err == nil {
		t.Error("Open succeeds twice")
	}
	full := errors.New("no space left on device")
	s = newSink(t, testConfig(c))
	if err := s.Open(t.Context(), sinks.Saved{Save: func([]byte) error { return full }}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Send(t.Context(), newEvents(1, 1)); !errors.Is(err, full) {
		t.Errorf("Send: %v, want that the state can't be saved", err)
	}
	if n := len(records(t, c, "events")); n != 0 {
		t.Errorf("%d records were sent without a saved state", n)
	}
}
