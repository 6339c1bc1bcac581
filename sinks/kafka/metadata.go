package kafka

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"aictail/sinks"
)

const (
	// maxAge is how old the number of a topic's partitions may be: what the Java
	// client allows. Leaders are asked for when one has moved.
	maxAge = 5 * time.Minute
	// creationPolls and creationPause bound the wait for a topic that was just
	// created: brokers usually know it within a second.
	creationPolls = 30
	creationPause = 100 * time.Millisecond
)

// refresh reads the leaders of the topics from the cluster. Trouble with one topic
// stays with it; an error means that no broker could be asked.
func (s *Sink) refresh(ctx context.Context, topics []*topic) error {
	// Not nil, which would mean all topics of the cluster.
	names := make([]string, 0, len(topics))
	for _, t := range topics {
		names = append(names, t.name)
	}
	res, err := s.metadata(ctx, names)
	if err != nil {
		return err
	}
	s.controller = address(res.Controller)
	s.brokers = s.brokers[:0]
	for _, b := range res.Brokers {
		s.brokers = append(s.brokers, address(b))
	}
	for _, t := range topics {
		i := slices.IndexFunc(res.Topics, func(r kafkago.Topic) bool { return r.Name == t.name })
		if i < 0 {
			t.trouble = retry("topic %s: the broker's answer does not mention it", t.name)
			continue
		}
		t.learn(res.Topics[i])
	}
	return nil
}

// metadata asks one broker after the other until one answers: those that the
// cluster named last, and those of the configuration, which may name them by
// addresses that never change.
func (s *Sink) metadata(ctx context.Context, names []string) (*kafkago.MetadataResponse, error) {
	addresses := slices.Clone(s.brokers)
	rand.Shuffle(len(addresses), func(i, j int) { addresses[i], addresses[j] = addresses[j], addresses[i] })
	for _, seed := range s.cfg.Brokers {
		if !slices.Contains(addresses, seed) {
			addresses = append(addresses, seed)
		}
	}
	var errs []error
	for _, a := range addresses {
		res, err := s.client.Metadata(ctx, &kafkago.MetadataRequest{Addr: kafkago.TCP(a), Topics: names})
		if err == nil {
			return res, nil
		}
		classified := classify("ask the cluster for its brokers", err)
		if classified.Kind == sinks.Refused || ctx.Err() != nil {
			return nil, classified
		}
		errs = append(errs, classified)
	}
	return nil, &sinks.Error{Kind: sinks.Retry, Err: errors.Join(errs...)}
}

func address(b kafkago.Broker) string {
	if b.Host == "" {
		return ""
	}
	return net.JoinHostPort(b.Host, strconv.Itoa(b.Port))
}

// learn takes over what the cluster says of the topic.
func (t *topic) learn(r kafkago.Topic) {
	if r.Error != nil {
		t.trouble = t.explain(r.Error)
		t.stale = true
		return
	}
	if len(r.Partitions) == 0 {
		t.trouble = retry("topic %s: has no partitions yet", t.name)
		t.stale = true
		return
	}
	t.trouble, t.stale, t.fetched = nil, false, time.Now()
	t.leaders = make([]string, len(r.Partitions))
	for _, p := range r.Partitions {
		if p.ID >= 0 && p.ID < len(t.leaders) {
			t.leaders[p.ID] = address(p.Leader)
		}
	}
	if len(t.ids) != len(t.leaders) {
		t.ids = make([]int, len(t.leaders))
		for i := range t.ids {
			t.ids[i] = i
		}
		t.sticky = rand.IntN(len(t.ids)) // sinks are not to begin with the same
	}
	for id, p := range t.partitions {
		p.stale = false
		if int(id) >= len(t.leaders) && p.doubt == nil {
			// Partitions are never taken away: the topic is another one.
			delete(t.partitions, id)
		}
	}
}

// missing reports whether the topic does not exist.
func (t *topic) missing() bool {
	return t.trouble != nil && errors.Is(t.trouble, kafkago.UnknownTopicOrPartition)
}

func (t *topic) explain(err error) *sinks.Error {
	if errors.Is(err, kafkago.UnknownTopicOrPartition) {
		return refused("topic %s does not exist: create it or set create_topics (%w)", t.name, &codeError{kafkago.UnknownTopicOrPartition})
	}
	return classify("topic "+t.name, err)
}

// locate makes sure that the leaders of the topics are known, and creates what is
// missing if it may.
func (s *Sink) locate(ctx context.Context, topics []*topic) error {
	var unknown []*topic
	for _, t := range topics {
		if t.stale || t.trouble != nil || time.Since(t.fetched) > maxAge {
			unknown = append(unknown, t)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	if err := s.refresh(ctx, unknown); err != nil {
		return err
	}
	if s.cfg.CreateTopics.Partitions == 0 {
		return nil
	}
	missing := slices.DeleteFunc(unknown, func(t *topic) bool { return !t.missing() })
	if len(missing) == 0 {
		return nil
	}
	return s.create(ctx, missing)
}

// create creates topics. Trouble with one stays with it.
func (s *Sink) create(ctx context.Context, topics []*topic) error {
	// Any broker passes the request on, or names the controller.
	to := s.controller
	if to == "" && len(s.brokers) > 0 {
		to = s.brokers[0]
	}
	req := &kafkago.CreateTopicsRequest{Addr: kafkago.TCP(to)}
	for _, t := range topics {
		req.Topics = append(req.Topics, kafkago.TopicConfig{
			Topic: t.name, NumPartitions: s.cfg.CreateTopics.Partitions, ReplicationFactor: s.cfg.CreateTopics.Replication,
		})
	}
	res, err := s.client.CreateTopics(ctx, req)
	if err != nil {
		return classify("create topics", err)
	}
	var created []*topic
	for _, t := range topics {
		switch err := res.Errors[t.name]; {
		case err == nil:
			// What was known is about a topic of that name that is gone.
			t.forget()
			t.counted, t.readable = 0, false
			created = append(created, t)
		case errors.Is(err, kafkago.TopicAlreadyExists):
			created = append(created, t)
		default:
			t.trouble = classify(fmt.Sprintf("create topic %s", t.name), err)
		}
	}
	for range creationPolls {
		if err := s.refresh(ctx, created); err != nil {
			return err
		}
		if !slices.ContainsFunc(created, func(t *topic) bool { return !s.usable(ctx, t) }) {
			return nil
		}
		select {
		case <-ctx.Done():
			return classify("create topics", ctx.Err())
		case <-time.After(creationPause):
		}
	}
	for _, t := range created {
		if t.missing() {
			t.trouble = retry("topic %s was created and is not there yet", t.name)
		}
	}
	return nil
}

// usable reports whether all partitions of a new topic have leaders that know of
// it: brokers hear of it one after the other.
func (s *Sink) usable(ctx context.Context, t *topic) bool {
	if t.trouble != nil || slices.Contains(t.leaders, "") {
		return false
	}
	var unready atomic.Bool
	var list []*partition
	for i := range t.leaders {
		list = append(list, &partition{topic: t, id: int32(i)})
	}
	s.parallel(list, func(p *partition) {
		if _, err := s.end(ctx, p); err != nil {
			unready.Store(true)
		}
	})
	return !unready.Load()
}

// leader returns the address of the partition's leader, unless that has just kept
// somebody waiting in vain.
func (s *Sink) leader(p *partition) (string, *sinks.Error) {
	if p.topic.trouble != nil {
		return "", p.topic.trouble
	}
	if int(p.id) >= len(p.topic.leaders) || p.topic.leaders[p.id] == "" {
		p.stale = true
		return "", retry("%s has no leader: bring its brokers back", p)
	}
	leader := p.topic.leaders[p.id]
	if s.silent.has(leader) {
		p.stale = true
		return "", retry("%s: its leader %s does not answer: check that broker", p, leader)
	}
	return leader, nil
}

// silent are the brokers that have let a request wait until its time was up. The
// others of the same Send do not wait for them, too.
type silent struct {
	mu        sync.Mutex // guards addresses
	addresses map[string]bool
}

func (s *silent) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.addresses)
}

func (s *silent) has(address string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addresses[address]
}

// note takes the error of a request to the broker.
func (s *silent) note(address string, err error) {
	if !errors.Is(err, context.DeadlineExceeded) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.addresses == nil {
		s.addresses = make(map[string]bool)
	}
	s.addresses[address] = true
}

// String returns how the partition is called in errors.
func (p *partition) String() string { return fmt.Sprintf("topic %s partition %d", p.topic.name, p.id) }
