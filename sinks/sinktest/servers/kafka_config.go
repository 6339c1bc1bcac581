package servers

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// newClusterID returns a new id in the form in which Kafka prints UUIDs.
func newClusterID() string {
	id := make([]byte, 16)
	_, _ = rand.Read(id) // never fails
	// Kafka takes an argument that begins with a dash for an option.
	id[0] = 1
	return base64.RawURLEncoding.EncodeToString(id)
}

// plainWord is what needs no quotes in any of Kafka's files and arguments.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)

func (b *Broker) writeConfig(dir, path string) error {
	for name, password := range b.opts.Users {
		if !plainWord.MatchString(name) || !plainWord.MatchString(password) {
			return fmt.Errorf("user %q: name and password may have letters, digits and _.- only", name)
		}
	}
	settings := b.settings(dir)
	maps.Copy(settings, b.opts.Settings)
	return os.WriteFile(path, []byte(properties(settings)), 0o600)
}

// settings are the broker's settings, apart from those of the test.
func (b *Broker) settings(dir string) map[string]string {
	controller := loopback(b.controller)
	addresses := fmt.Sprintf("PLAIN://%s,TLS://%s,SASL://%s,SASLTLS://%s", b.addr, b.secure.TLS, b.secure.SASL, b.secure.SASLTLS)
	settings := map[string]string{
		"node.id":                             fmt.Sprint(b.node),
		"process.roles":                       "broker",
		"controller.quorum.bootstrap.servers": controller,
		"controller.listener.names":           "CONTROLLER",
		"listeners":                           addresses,
		"advertised.listeners":                addresses,
		"inter.broker.listener.name":          "PLAIN",
		"listener.security.protocol.map":      "CONTROLLER:PLAINTEXT,PLAIN:PLAINTEXT,TLS:SSL,SASL:SASL_PLAINTEXT,SASLTLS:SASL_SSL",

		"sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
		"ssl.keystore.type":       "PEM",
		"ssl.keystore.location":   b.secure.Certificates.server,
		"ssl.truststore.type":     "PEM",
		"ssl.truststore.location": b.secure.Certificates.CA,
		"ssl.client.auth":         "requested",

		"log.dirs":                  filepath.Join(dir, "data"),
		"auto.create.topics.enable": "false",
		// A broker that was killed is let in again after this time at the latest.
		"broker.session.timeout.ms":    "4000",
		"broker.heartbeat.interval.ms": "500",
		// One broker has to do, and one partition makes groups start faster.
		"offsets.topic.replication.factor":         "1",
		"offsets.topic.num.partitions":             "1",
		"transaction.state.log.replication.factor": "1",
		"transaction.state.log.min.isr":            "1",
		"group.initial.rebalance.delay.ms":         "0",
		// The default takes 128 MiB of the heap.
		"log.cleaner.dedupe.buffer.size": "4194304",
	}
	if b.first == nil {
		settings["process.roles"] = "broker,controller"
		settings["listeners"] += ",CONTROLLER://" + controller
	}
	for _, listener := range []string{"sasl", "sasltls"} {
		settings["listener.name."+listener+".plain.sasl.jaas.config"] = plainLogin(b.opts.Users)
		for _, mechanism := range []string{"scram-sha-256", "scram-sha-512"} {
			settings["listener.name."+listener+"."+mechanism+".sasl.jaas.config"] =
				"org.apache.kafka.common.security.scram.ScramLoginModule required;"
		}
	}
	return settings
}

// plainLogin is the JAAS entry with the users of PLAIN.
func plainLogin(users map[string]string) string {
	var s strings.Builder
	s.WriteString("org.apache.kafka.common.security.plain.PlainLoginModule required")
	for _, name := range slices.Sorted(maps.Keys(users)) {
		fmt.Fprintf(&s, " user_%s=%q", name, users[name])
	}
	return s.String() + ";"
}

// properties renders a Java properties file.
func properties(settings map[string]string) string {
	var s strings.Builder
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&s, "%s=%s\n", key, strings.ReplaceAll(settings[key], `\`, `\\`))
	}
	return s.String()
}
