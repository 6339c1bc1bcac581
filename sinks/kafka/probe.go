package kafka

import (
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strings"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/metadata"

	"aictail/sinks"
)

var _ sinks.Prober = (*Sink)(nil)

// Probe asks every configured broker for the cluster, looks at the topics that are
// there, and has the creation of a topic checked without creating it.
func (s *Sink) Probe(ctx context.Context) []sinks.Finding {
	defer s.transport.closeIdle()
	ctx, certificates := sinks.WatchCertificates(ctx)
	list, cluster := s.probeBrokers(ctx)
	list = append(list, certificates(time.Now())...)
	if cluster == nil {
		return list
	}
	fitting := s.fitting(cluster.Topics)
	list = append(list, s.probeTopics(fitting)...)
	if s.cfg.CreateTopics.Partitions > 0 {
		list = append(list, s.probeCreation(ctx, cluster))
	}
	return list
}

// probeBrokers returns what a broker says of the cluster; nil if none does.
func (s *Sink) probeBrokers(ctx context.Context) (list []sinks.Finding, cluster *metadata.Response) {
	for _, broker := range s.cfg.Brokers {
		answer, err := s.transport.RoundTrip(ctx, kafkago.TCP(broker), &metadata.Request{
			TopicNames: s.asked(), IncludeTopicAuthorizedOperations: true,
		})
		res, ok := answer.(*metadata.Response)
		if err != nil || !ok {
			list = append(list, sinks.FindingOf("broker", classify("ask for the brokers and topics", err)))
			continue
		}
		cluster = res
		list = append(list, sinks.Finding{Check: "broker", Found: fmt.Sprintf("%s answers, of a cluster of %d", broker, len(res.Brokers))})
	}
	for i := range list {
		if cluster != nil { // the others are asked as long as one answers
			list[i].Verdict = min(list[i].Verdict, sinks.Doubtful)
		}
	}
	return list, cluster
}

// asked returns the topic to ask for, or nil, which means all, if its name depends on
// the event.
func (s *Sink) asked() []string {
	if s.template.tenant || s.template.source {
		return nil
	}
	return []string{s.template.expand(routeKey{})}
}

// fitting returns the topics that events can go to.
func (s *Sink) fitting(topics []metadata.ResponseTopic) []metadata.ResponseTopic {
	var b strings.Builder
	for _, p := range s.template.parts {
		if p.field != "" {
			b.WriteString("[A-Za-z0-9._-]+")
		} else {
			b.WriteString(regexp.QuoteMeta(p.literal))
		}
	}
	form := regexp.MustCompile("^" + b.String() + "$") // of quoted text, so it compiles
	var list []metadata.ResponseTopic
	for _, t := range topics {
		if form.MatchString(t.Name) && !t.IsInternal {
			list = append(list, t)
		}
	}
	return list
}

// probeTopics looks at the topics that are there.
func (s *Sink) probeTopics(topics []metadata.ResponseTopic) []sinks.Finding {
	var list []sinks.Finding
	found := 0
	for _, t := range topics {
		switch err := kafkago.Error(t.ErrorCode); {
		case errors.Is(err, kafkago.UnknownTopicOrPartition):
		case t.ErrorCode != 0:
			list = append(list, sinks.FindingOf("topic", classify("topic "+t.Name, err)))
		default:
			found++
			if lacks := lacking(t.TopicAuthorizedOperations); lacks != "" {
				list = append(list, sinks.Finding{Check: "topic", Verdict: sinks.Bad, Found: "topic " + t.Name + ": the user lacks " + lacks,
					Remedy: "grant aictail's user Write, Read and Describe on the topic"})
			}
		}
	}
	f := sinks.Finding{Check: "topic", Found: fmt.Sprintf("%d topic(s) are there for %s", found, s.cfg.Topic)}
	switch {
	case found > 0 || len(list) > 0:
	case s.cfg.CreateTopics.Partitions > 0:
		f.Found = "no topic is there yet for " + s.cfg.Topic + "; they are created with the first events"
	default:
		f.Verdict, f.Remedy = sinks.Bad, "create the topics, or set create_topics"
	}
	if found > 0 || len(list) == 0 {
		list = append(list, f)
	}
	return list
}

// lacking names the operations on a topic that the user may not do. Only some brokers
// tell.
func lacking(operations int32) string {
	if operations == 0 || operations == math.MinInt32 {
		return ""
	}
	var lacks []string
	// The numbers of Kafka's AclOperation.
	for _, op := range []struct {
		name string
		bit  int
	}{{"Write", 4}, {"Read", 3}} {
		if operations&(1<<op.bit) == 0 {
			lacks = append(lacks, op.name)
		}
	}
	return strings.Join(lacks, " and ")
}

// probeCreation has the cluster check the creation of a topic, without doing it.
func (s *Sink) probeCreation(ctx context.Context, cluster *metadata.Response) sinks.Finding {
	name := s.template.expand(routeKey{tenant: "doctor", source: "doctor"})
	addr := kafkago.TCP(s.cfg.Brokers[0])
	for _, b := range cluster.Brokers {
		if b.NodeID == cluster.ControllerID {
			addr = kafkago.TCP(address(kafkago.Broker{Host: b.Host, Port: int(b.Port)}))
		}
	}
	res, err := s.client.CreateTopics(ctx, &kafkago.CreateTopicsRequest{Addr: addr, ValidateOnly: true, Topics: []kafkago.TopicConfig{{
		Topic: name, NumPartitions: s.cfg.CreateTopics.Partitions, ReplicationFactor: s.cfg.CreateTopics.Replication,
	}}})
	if err == nil {
		err = res.Errors[name]
	}
	if err != nil && !errors.Is(err, kafkago.TopicAlreadyExists) {
		return sinks.FindingOf("create_topics", classify("create topics such as "+name, err))
	}
	return sinks.Finding{Check: "create_topics", Found: "topics may be created"}
}
