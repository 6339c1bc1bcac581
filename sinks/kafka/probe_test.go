package kafka

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"aictail/sinks"
)

// TestProber: what is found, without creating a topic.
func TestProber(t *testing.T) {
	login := func(cfg *Config) { cfg.SASL = SASL{Mechanism: "PLAIN", Username: "aictail", Password: "hunter2"} }
	grant := func(resource kmsg.ACLResourceType, name string, operations ...kmsg.ACLOperation) (acls []kfake.ACL) {
		for _, op := range operations {
			acls = append(acls, kfake.ACL{Resource: resource, Name: name, Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: op, Allow: true})
		}
		return acls
	}
	create := func(cfg *Config) { cfg.CreateTopics = CreateTopics{Partitions: 1, Replication: 1} }
	for _, tt := range []struct {
		name    string
		cluster []kfake.Opt
		change  func(*Config)
		want    map[string]sinks.Verdict
		text    string
	}{
		{"well", []kfake.Opt{kfake.SeedTopics(2, "events")}, nil, map[string]sinks.Verdict{"broker": sinks.Good, "topic": sinks.Good}, "1 topic(s) are there for events"},
		{"by source", []kfake.Opt{kfake.SeedTopics(2, "aic.am-core", "aic.am-access", "other")}, func(c *Config) { c.Topic = "aic.{source}" },
			map[string]sinks.Verdict{"topic": sinks.Good}, "2 topic(s) are there for aic.{source}"},
		{"no topic", nil, nil, map[string]sinks.Verdict{"broker": sinks.Good, "topic": sinks.Bad}, "create the topics, or set create_topics"},
		{"created later", nil, create, map[string]sinks.Verdict{"topic": sinks.Good, "create_topics": sinks.Good}, "created with the first events"},
		{"nobody", nil, func(c *Config) { c.Brokers = []string{"127.0.0.1:1"} }, map[string]sinks.Verdict{"broker": sinks.Bad}, "refused"},
		{"one of two", []kfake.Opt{kfake.SeedTopics(1, "events")}, func(c *Config) { c.Brokers = append(c.Brokers, "127.0.0.1:1") },
			map[string]sinks.Verdict{"broker": sinks.Doubtful, "topic": sinks.Good}, "refused"},
		{"wrong password", []kfake.Opt{kfake.EnableSASL(), kfake.User("PLAIN", "aictail", "other")}, login, map[string]sinks.Verdict{"broker": sinks.Bad}, "SASL"},
		{"no login", []kfake.Opt{kfake.EnableSASL()}, nil, map[string]sinks.Verdict{"broker": sinks.Bad}, ""},
		{"may not write", []kfake.Opt{
			kfake.SeedTopics(1, "events"), kfake.EnableSASL(), kfake.EnableACLs(),
			kfake.User("PLAIN", "aictail", "hunter2", grant(kmsg.ACLResourceTypeTopic, "events", kmsg.ACLOperationDescribe, kmsg.ACLOperationRead)...),
		}, login, map[string]sinks.Verdict{"broker": sinks.Good, "topic": sinks.Bad}, "lacks Write"},
		{"may write", []kfake.Opt{
			kfake.SeedTopics(1, "events"), kfake.EnableSASL(), kfake.EnableACLs(),
			kfake.User("PLAIN", "aictail", "hunter2", grant(kmsg.ACLResourceTypeTopic, "events", kmsg.ACLOperationDescribe, kmsg.ACLOperationRead, kmsg.ACLOperationWrite)...),
		}, login, map[string]sinks.Verdict{"broker": sinks.Good, "topic": sinks.Good}, ""},
		{"may not create", []kfake.Opt{
			kfake.EnableSASL(), kfake.EnableACLs(),
			kfake.User("PLAIN", "aictail", "hunter2", grant(kmsg.ACLResourceTypeTopic, "events", kmsg.ACLOperationDescribe)...),
		}, func(c *Config) { login(c); create(c) }, map[string]sinks.Verdict{"create_topics": sinks.Bad}, "grant aictail's user"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCluster(t, append(tt.cluster, kfake.NumBrokers(1))...)
			cfg := testConfig(c)
			if tt.change != nil {
				tt.change(&cfg)
			}
			got, text := map[string]sinks.Verdict{}, ""
			for _, found := range newSink(t, cfg).Probe(t.Context()) {
				got[found.Check] = max(got[found.Check], found.Verdict)
				text += found.Verdict.String() + " " + found.Check + ": " + found.Found + " → " + found.Remedy + "\n"
			}
			for check, verdict := range tt.want {
				if v, ok := got[check]; !ok || v != verdict {
					t.Errorf("%s is %s, want %s:\n%s", check, v, verdict, text)
				}
			}
			if !strings.Contains(text, tt.text) || strings.Contains(text, "hunter2") {
				t.Errorf("no %q in:\n%s", tt.text, text)
			}
			if tt.name == "created later" && c.TopicInfo("events") != nil {
				t.Error("the topic was created")
			}
		})
	}
}
