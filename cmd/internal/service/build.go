package service

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"aictail"
	"aictail/checkpoint/journal"
	"aictail/cmd/internal/config"
	"aictail/sinks"
	"aictail/sinks/deliver"
	"aictail/sinks/deliver/deadletter"
	"aictail/sinks/elasticsearch"
	"aictail/sinks/file"
	"aictail/sinks/kafka"
	"aictail/sinks/splunkhec"
)

// sink is a configured sink with its worker.
type sink struct {
	name   string
	kind   string
	worker *deliver.Worker
	reader *journal.Reader
	// letters is the worker's, except for what any goroutine may ask it.
	letters *deadletter.Store
	reopen  func() // nil if the sink has nothing to reopen
}

// reader is a journal's reader in the form that deliver wants.
type reader struct {
	*journal.Reader
	ended *atomic.Bool // set: as if the journal had ended here
}

func (r reader) Next(ctx context.Context, limit deliver.Limit) ([]aictail.Event, aictail.Position, error) {
	if r.ended.Load() {
		return nil, 0, io.EOF
	}
	return r.Reader.Next(ctx, journal.Limit(limit))
}

// passed returns the position below which the sink needs nothing any more.
func (k *sink) passed() aictail.Position { return k.reader.Passed() }

// buildSinks makes a worker for each sink of the configuration.
func (s *Service) buildSinks() error {
	metrics := deliver.NewMetrics(s.registry)
	for _, name := range slices.Sorted(maps.Keys(s.cfg.Sinks)) {
		c := s.cfg.Sinks[name]
		saved, _, err := s.state.Sink(name)
		if err != nil {
			return err
		}
		// A sink that is new to this data_dir begins with what the journal holds.
		k := sink{name: name, kind: c.Type, reader: s.journal.NewReader(saved.Position)}
		k.letters = deadletter.New(deadletter.Options{
			Dir: deadLetterDir(s.cfg), Sink: name, MaxSize: int64(c.DeadLetters.MaxSize),
		})
		target, err := s.newSink(name, c, &k)
		if err != nil {
			return fmt.Errorf("sinks.%s: %w", name, err)
		}
		wanted, err := where(c.Where)
		if err != nil {
			return fmt.Errorf("sinks.%s.where: %w", name, err)
		}
		batching := deliver.Batching{
			MaxEvents: c.Batch.MaxEvents, MaxBytes: int(c.Batch.MaxBytes), MaxAge: c.Batch.MaxAge,
		}
		k.worker = deliver.New(name, batching, deliver.Deps{
			Sink: target, Reader: reader{k.reader, &s.handOver}, Store: store{state: s.state, name: name},
			Letters: k.letters, Where: wanted, Metrics: metrics, Log: s.log,
		})
		s.sinks = append(s.sinks, k)
	}
	return nil
}

// newSink makes the sink of the configured type. A new type is one case here.
func (s *Service) newSink(name string, c config.Sink, k *sink) (sinks.Sink, error) {
	log := s.log.With(zap.String("sink", name))
	switch {
	case c.File != nil:
		f, err := file.New(file.Config{
			Path: c.File.Path, Format: c.File.Format,
			Rotate: file.Rotate{
				MaxSize: int64(c.File.Rotate.MaxSize), Every: c.File.Rotate.Every,
				Keep: c.File.Rotate.Keep, Compress: c.File.Rotate.Compress,
			},
		}, file.Deps{Log: log})
		if err != nil {
			return nil, err
		}
		k.reopen = f.Reopen
		return f, nil
	case c.Kafka != nil:
		return newKafka(c.Kafka, kafka.Deps{Installation: s.state.Installation(), Name: name, Log: log})
	case c.Elasticsearch != nil:
		return newElasticsearch(c.Elasticsearch, log)
	case c.SplunkHEC != nil:
		return newSplunkHEC(c.SplunkHEC, splunkhec.Deps{
			Log: log, Registerer: prometheus.WrapRegistererWith(prometheus.Labels{"sink": name}, s.registry),
		})
	}
	return nil, fmt.Errorf("type %q is not known", c.Type)
}

func newElasticsearch(c *config.ElasticsearchSink, log *zap.Logger) (sinks.Sink, error) {
	encryption, err := c.TLS.Config()
	if err != nil {
		return nil, err
	}
	e, err := elasticsearch.New(elasticsearch.Config{
		URLs: c.URLs, CloudID: c.CloudID,
		APIKey: c.APIKey.Value(), Username: c.Username, Password: c.Password.Value(),
		TLS: encryption, CAFingerprint: c.TLS.CAFingerprint,
		DataStream: c.DataStream, Index: c.Index, Pipeline: c.Pipeline, Format: c.Format,
		Setup: c.Setup.Enabled, Timeout: c.Timeout, MaxBody: int64(c.MaxBody),
	}, elasticsearch.Deps{Log: log})
	if err != nil {
		return nil, err // not e: an interface with a nil pointer in it is not nil
	}
	return e, nil
}

func newKafka(c *config.KafkaSink, deps kafka.Deps) (sinks.Sink, error) {
	encryption, err := c.TLS.Config()
	if err != nil {
		return nil, err
	}
	k, err := kafka.New(kafka.Config{
		Brokers: c.Brokers, Topic: c.Topic, Key: c.Key, Acks: c.Acks,
		Compression: c.Compression, Format: c.Format, ClientID: c.ClientID,
		SASL:         kafka.SASL{Mechanism: c.SASL.Mechanism, Username: c.SASL.Username, Password: c.SASL.Password.Value()},
		TLS:          encryption,
		CreateTopics: kafka.CreateTopics{Partitions: c.CreateTopics.Partitions, Replication: c.CreateTopics.Replication},
		Timeout:      c.Timeout, MaxMessageBytes: int64(c.MaxMessageBytes),
	}, deps)
	if err != nil {
		return nil, err // not k: an interface with a nil pointer in it is not nil
	}
	return k, nil
}

func newSplunkHEC(c *config.SplunkHECSink, deps splunkhec.Deps) (sinks.Sink, error) {
	encryption, err := c.TLS.Config()
	if err != nil {
		return nil, err
	}
	h, err := splunkhec.New(splunkhec.Config{
		URLs: c.Addresses(), Token: splunkhec.Token(c.Token.Value()),
		Acknowledge: c.Acknowledge, AckTimeout: c.AckTimeout,
		Host: c.Host, Source: c.Source, Sourcetype: c.Sourcetype, Index: c.Index, Format: c.Format,
		Timeout: c.Timeout, MaxBody: int(c.MaxBody), Compression: c.Compression, TLS: encryption,
	}, deps)
	if err != nil {
		return nil, err // not h: an interface with a nil pointer in it is not nil
	}
	return h, nil
}
