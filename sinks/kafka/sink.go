package kafka

import (
	"context"
	"errors"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"go.uber.org/zap"

	"aictail/sinks"
)

const (
	// maxParallel bounds the requests on their way at once: enough to keep some
	// brokers busy, and few enough for a small broker's request threads.
	maxParallel = 8
	// maxDial bounds the set-up of a connection, TLS and SASL included; a broker
	// that takes longer is down, and there are others to ask.
	maxDial = 10 * time.Second
)

// Sink is a sinks.Sink and sinks.Stateful. Its methods are called from one
// goroutine.
type Sink struct {
	cfg      Config
	template *template
	pointer  pointer
	codec    kafkago.Compression
	routing  string
	origin   []byte
	log      *zap.Logger

	transport *transport
	client    *kafkago.Client

	// save is nil while the sink is closed.
	save func([]byte) error
	// brokers and controller are what the cluster said last.
	brokers    []string
	controller string
	// topics are those of the stored state and those that events went to.
	topics map[string]*topic
	// routes leads from what decides an event's topic to the topic.
	routes map[routeKey]*topic
	ledger *ledger
	// wide: the stored state was written under oldRouting, so an event that is in
	// doubt may be in any partition of any topic that it names.
	wide       bool
	oldRouting string
	// silent is about the Send that is under way.
	silent silent
	batch  batch
}

// New checks the configuration and reaches nobody. Its errors begin with the
// configuration key concerned.
func New(cfg Config, deps Deps) (*Sink, error) {
	s := &Sink{cfg: cfg, log: deps.Log}
	if s.log == nil {
		s.log = zap.NewNop()
	}
	if deps.Installation == "" || deps.Name == "" {
		return nil, errors.New("the Kafka sink needs the installation's id and the sink's name")
	}
	s.origin = []byte(deps.Installation + "/" + deps.Name)
	if err := s.check(); err != nil {
		return nil, err
	}
	s.routing = cfg.Topic + " " + cfg.Key
	t := newTransport(s.cfg.ClientID, min(maxDial, s.cfg.Timeout))
	t.tls = cfg.TLS
	var err error
	if t.sasl, err = cfg.SASL.mechanism(); err != nil {
		return nil, err
	}
	s.transport = t
	s.client = &kafkago.Client{Transport: t, Timeout: s.cfg.Timeout}
	return s, nil
}

// Open reads the stored state and asks the cluster for its brokers, so that wrong
// addresses and credentials show at the start and not with the first event. What
// the process before may have left in Kafka is read by the first Send, which
// knows where the events go on.
func (s *Sink) Open(ctx context.Context, saved sinks.Saved) error {
	if s.save != nil {
		return errors.New("the Kafka sink is open already")
	}
	if saved.Save == nil {
		return errors.New("the Kafka sink needs a place to save its state")
	}
	if err := s.decode(saved.State); err != nil {
		return &sinks.Error{Kind: sinks.Refused, Err: err}
	}
	s.routes = make(map[routeKey]*topic)
	s.brokers, s.controller = nil, ""
	if err := s.refresh(ctx, nil); err != nil {
		s.transport.closeIdle()
		return err
	}
	s.save = saved.Save
	return nil
}

// State returns where records of uncommitted events may begin in each partition.
func (s *Sink) State() []byte {
	s.ledger.commit()
	b, err := s.encode()
	if err != nil {
		// Numbers and UTF-8 names always encode.
		s.log.Error("encode state", zap.Error(err))
		return nil
	}
	s.markSaved()
	return b
}

// Close closes the connections. It may be called at any time.
func (s *Sink) Close() error {
	for _, t := range s.topics {
		t.forget()
	}
	s.transport.closeIdle()
	s.save, s.topics, s.routes, s.ledger = nil, nil, nil, nil
	s.batch = batch{}
	return nil
}
