package config

import (
	"crypto/tls"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// KafkaSink produces to Kafka topics.
type KafkaSink struct {
	// Brokers are required: some of the cluster's brokers as host:port.
	Brokers []string `config:"brokers"`
	// Topic is required. {tenant} and {source} are replaced.
	Topic string `config:"topic"`
	// Key is a JSON pointer to the value in the event that becomes the record's key, such
	// as /payload/transactionId; without it records have no key.
	Key string `config:"key"`
	// Acks can only be all: with less, Kafka can lose what it has acknowledged.
	//
	// It is a key so that whoever looks for it finds out.
	Acks string `config:"acks"`
	// Compression is that of the records.
	Compression string `config:"compression" want:"zstd|lz4|snappy|gzip|none"`
	// Format is raw: each record is one event as the tenant sent it, after redaction.
	Format string `config:"format" want:"raw" later:"ecs|ocsf"`
	// ClientID is what the brokers call aictail in their logs and quotas.
	ClientID string `config:"client_id"`
	// Timeout bounds each request, 1s to 10m.
	Timeout time.Duration `config:"timeout"`
	// MaxMessageBytes is as max.message.bytes of the topics, 1KiB to 100MiB.
	MaxMessageBytes Bytes `config:"max_message_bytes"`
	// CreateTopics is how topics are created that do not exist.
	CreateTopics CreateTopics `config:"create_topics"`
	// SASL is how aictail shows the brokers who it is.
	SASL SASL `config:"sasl"`
	// TLS is how connections are encrypted.
	TLS KafkaTLS `config:"tls"`
}

// CreateTopics is how missing topics are created; two zeros mean not at all.
type CreateTopics struct {
	// Partitions is how many a new topic has; 0, with Replication 0, creates none.
	Partitions int `config:"partitions"`
	// Replication is how many brokers have a copy.
	Replication int `config:"replication"`
}

// SASL is how aictail shows Kafka brokers who it is.
type SASL struct {
	// Mechanism is none without SASL.
	Mechanism string `config:"mechanism" want:"none|PLAIN|SCRAM-SHA-256|SCRAM-SHA-512"`
	// Username goes with a Mechanism.
	Username string `config:"username"`
	// Password goes with a Mechanism, or PasswordFile.
	//
	// It is set, whether it stands in the file or in a file of its own.
	Password Secret `config:"password"`
	// PasswordFile is a file with the password. A relative path starts at the folder of
	// the configuration.
	PasswordFile string `config:"password_file"`
}

// KafkaTLS is how connections to Kafka brokers are encrypted. Paths are as they
// stand in the file until Load resolves them: then a relative one has become one
// from the folder of the configuration file.
type KafkaTLS struct {
	// Enabled has connections encrypted. Certificates are always checked.
	Enabled bool `config:"enabled"`
	// CAFile has the authorities of the brokers' certificates, in PEM form; without it
	// those that the system trusts. A relative path starts at the folder of the
	// configuration.
	CAFile string `config:"ca_file"`
	// CertFile is aictail's own certificate, in PEM form, if the brokers ask for one.
	CertFile string `config:"cert_file"`
	// KeyFile is its key.
	KeyFile string `config:"key_file"`
	// ServerName is the name in the brokers' certificates, if it is not what they are
	// reached by.
	ServerName string `config:"server_name"`
}

// Config returns how to make connections, nil without encryption; see ClientTLS.Config.
func (t KafkaTLS) Config() (*tls.Config, error) {
	if !t.Enabled {
		return nil, nil
	}
	return t.client().Config()
}

func (t KafkaTLS) client() ClientTLS {
	return ClientTLS{CAFile: t.CAFile, CertFile: t.CertFile, KeyFile: t.KeyFile, ServerName: t.ServerName}
}

// The limits of the Kafka sink's numbers. A batch below the least is a forgotten
// unit; Kafka itself takes no request above the most with its own defaults.
const (
	minMessage = 1 << 10
	maxMessage = 100 << 20
)

// readFiles fills the password that has a file of its own, and makes the paths of
// the other files start at the folder of the configuration.
func (k *KafkaSink) readFiles(path, folder string, c *collector) {
	f := secretFile{key: below(path, "sasl.password_file"), path: k.SASL.PasswordFile, folder: folder, phrase: true}
	f.read("password", &k.SASL.Password, c)
	resolve(secretFile{key: below(path, "tls"), folder: folder}, c,
		map[string]*string{"ca_file": &k.TLS.CAFile, "cert_file": &k.TLS.CertFile, "key_file": &k.TLS.KeyFile})
}

func (v *validator) kafkaSink(path string, k *KafkaSink) {
	v.brokers(below(path, "brokers"), k.Brokers)
	v.topic(below(path, "topic"), k.Topic)
	if k.Key != "" && !strings.HasPrefix(k.Key, "/") {
		v.add(below(path, "key"), "want a JSON pointer into the event, such as /payload/transactionId%s", v.got(below(path, "key"), k.Key))
	}
	if k.Acks != "all" {
		v.add(below(path, "acks"), "only all is possible: with less, Kafka can lose records that it has acknowledged")
	}
	v.duration(below(path, "timeout"), k.Timeout, time.Second, 10*time.Minute)
	if k.MaxMessageBytes < minMessage || k.MaxMessageBytes > maxMessage {
		v.add(below(path, "max_message_bytes"), "want %s to %s, as max.message.bytes of the topics; is the unit right?", Bytes(minMessage), Bytes(maxMessage))
	}
	v.createTopics(below(path, "create_topics"), k.CreateTopics)
	v.sasl(below(path, "sasl"), k)
	v.kafkaTLS(below(path, "tls"), k.TLS)
}

func (v *validator) brokers(key string, brokers []string) {
	if len(brokers) == 0 {
		v.add(key, "missing or empty: give some of the cluster's brokers, such as [k1:9092, k2:9092]")
	}
	for i, b := range brokers {
		here := fmt.Sprintf("%s[%d]", key, i)
		host, port, err := net.SplitHostPort(b)
		if _, portErr := strconv.ParseUint(port, 10, 16); err != nil || portErr != nil || host == "" || strings.ContainsFunc(host, unicode.IsSpace) {
			v.add(here, "want host:port, such as k1:9092%s", v.got(here, b))
		}
	}
}

// topic checks the name of a topic, or what makes one.
func (v *validator) topic(key, topic string) {
	placeholders := regexp.MustCompile(`\{[^{}]*\}`)
	bare := placeholders.ReplaceAllString(topic, "")
	switch {
	case topic == "":
		v.add(key, "missing or empty: give the name of a topic, such as aic.{source}")
	case slices.ContainsFunc(placeholders.FindAllString(topic, -1), func(p string) bool { return p != "{tenant}" && p != "{source}" }):
		v.add(key, "unknown placeholder%s; the placeholders are {tenant} and {source}", v.got(key, topic))
	case strings.ContainsAny(bare, "{}"):
		v.add(key, "has a { or } that is not part of {tenant} or {source}")
	case !regexp.MustCompile(`^[a-zA-Z0-9._-]*$`).MatchString(bare):
		v.add(key, "has a character that Kafka does not take: use letters, digits, ., _ and -%s", v.got(key, topic))
	case len(bare) > 249 || topic == "." || topic == "..":
		v.add(key, "Kafka does not take it: at most 249 characters, and not . or ..")
	}
}

func (v *validator) createTopics(path string, c CreateTopics) {
	if c.Partitions < 0 || c.Partitions == 0 && c.Replication > 0 {
		v.add(below(path, "partitions"), "want the number of partitions of a new topic, or 0 with replication 0 to create none")
	}
	if c.Replication < 0 || c.Replication == 0 && c.Partitions > 0 {
		v.add(below(path, "replication"), "want the number of brokers that have a copy, such as 3, or 0 with partitions 0 to create no topics")
	}
}

func (v *validator) sasl(path string, k *KafkaSink) {
	s := k.SASL
	given := s.Username != "" || !s.Password.IsZero() || s.PasswordFile != ""
	switch {
	case s.Mechanism == "none" && given:
		v.add(below(path, "mechanism"), "want PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512, since there are a username or password; or remove those")
	case s.Mechanism == "none" || v.seen[below(path, "mechanism")]:
	default:
		if s.Username == "" {
			v.add(below(path, "username"), "missing or empty")
		}
		if s.Password.IsZero() && !v.seen[below(path, "password_file")] {
			v.add(below(path, "password"), "missing or empty: give it as ${NAME}, the name of an environment variable, or use password_file")
		}
		if s.Mechanism == "PLAIN" && !k.TLS.Enabled && !allLoopback(k.Brokers) {
			v.warn(below(path, "mechanism"), "PLAIN without tls: everybody on the way can read the password")
		}
	}
}

func allLoopback(brokers []string) bool {
	return !slices.ContainsFunc(brokers, func(b string) bool {
		host, _, err := net.SplitHostPort(b)
		return err != nil || !isLoopback(host)
	})
}

func (v *validator) kafkaTLS(path string, t KafkaTLS) {
	if !t.Enabled && t != (KafkaTLS{}) {
		v.add(below(path, "enabled"), "want true, since other keys of tls are set; or remove those")
		return
	}
	v.clientTLS(path, t.client())
}
