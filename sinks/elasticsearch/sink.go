// Package elasticsearch writes events to Elasticsearch 8 and 9 and to OpenSearch
// through their _bulk API. It owns the requests, the reading of the answers, the
// names of the indices, the shape of the documents, and the index template and
// lifecycle policy that it installs; it does not batch, retry or count, which is
// deliver's part.
//
// # Once
//
// Every event is created under its own id. An id that exists is answered with
// 409, which is success: that is what makes it safe to send events again after a
// time-out or a crash. The sink keeps no state. An index knows the ids it holds,
// so the same event must always go to the same index. With Config.Index it does:
// the name is made of the event alone. A data stream writes to the newest of its
// backing indices, and knows only that one's ids: events that are sent again
// after a rollover came in between are there twice.
//
// # Success
//
// Only what the server said of an event counts: an item of the answer, at the
// event's place, with the event's id and a status of 2xx or 409. Whatever else
// happens, the event is sent again. The client library's own retries are off, as
// is its check of the product, which refuses OpenSearch after it has carried the
// request out.
//
// # Documents
//
// A document is the event's Raw with "@timestamp" and "aictail" put before its
// members; a payload that is text is called "message" there, because one field
// cannot be object and text (document.go). A document that the server refuses is
// sent once more with the whole of Raw as the text of "message", which every
// server takes; so no event is lost for its shape. Only what is refused in this
// form, too, is a dead letter.
package elasticsearch

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/elastic/elastic-transport-go/v8/elastictransport"
	"go.uber.org/zap"

	"aictail/sinks"
)

// Config is what the user sets.
type Config struct {
	// URLs are the addresses of the nodes; or CloudID names a deployment of
	// Elastic Cloud. Exactly one of them is given.
	URLs    []string
	CloudID string

	// APIKey is the encoded key or "id:key"; or Username and Password are given,
	// or nothing for a server without security.
	APIKey             string
	Username, Password string

	// TLS is how the server is recognised, and how it recognises aictail; nil trusts
	// the system's authorities.
	TLS *tls.Config
	// CAFingerprint takes the place of TLS.RootCAs: the SHA-256, in hexadecimal, of a
	// certificate of the chain that the server shows: of the CA, as Elasticsearch
	// prints it when it is started first, or of the server's own. "" for none.
	CAFingerprint string

	// DataStream or Index is where events go, exactly one of them, with the
	// placeholders {tenant} and {source}, and in Index also {yyyy}, {MM} and {dd}
	// of the event's time in UTC, which may share their braces: {yyyy.MM}.
	DataStream string
	Index      string
	// Pipeline is the ingest pipeline; "" is the index's own or none.
	Pipeline string
	// Format is how an event is written: "raw", also if empty.
	Format string
	// Setup has Open install the index template and the lifecycle policy if they
	// are not there.
	Setup bool

	// Timeout bounds one request with its whole answer; more than 0.
	Timeout time.Duration
	// MaxBody is the size in bytes that the uncompressed body of a request is not
	// to exceed; more than 0. An event that is larger goes alone.
	MaxBody int64
}

// Deps is what the program injects.
type Deps struct {
	// Log takes what is worth telling; nil: none.
	Log *zap.Logger
	// Now is the clock for dates in Retry-After; nil: time.Now.
	Now func() time.Time
}

// Sink is a sinks.Sink. Its methods are called from one goroutine.
type Sink struct {
	cfg    Config
	nodes  nodes
	target *target
	log    *zap.Logger
	now    func() time.Time
	// mask takes the credentials out of what a server says.
	mask *strings.Replacer

	// client and transport are nil while the sink is closed.
	client    *elastictransport.Client
	transport *http.Transport
	// limit is how large a body may be: Config.MaxBody, or less once the server
	// has refused a body as too large.
	limit int64

	body    body
	answer  []byte // the last answer; its array is used again
	pending []int  // used again

	// told holds what was logged and is not logged again.
	told map[string]bool
}

var errNotOpen = errors.New("the elasticsearch sink is not open")

// New checks the configuration and reaches no server. Its errors begin with the configuration key concerned.
func New(cfg Config, deps Deps) (*Sink, error) {
	s := &Sink{cfg: cfg, log: deps.Log, now: deps.Now, mask: newMask(cfg), told: make(map[string]bool)}
	if s.log == nil {
		s.log = zap.NewNop()
	}
	if s.now == nil {
		s.now = time.Now
	}
	if cfg.Format != "" && cfg.Format != "raw" {
		return nil, fmt.Errorf("format: unknown format %q; the elasticsearch sink writes raw", cfg.Format)
	}
	if cfg.Timeout <= 0 {
		return nil, errors.New("timeout: must be more than 0, such as 60s")
	}
	if cfg.MaxBody <= 0 {
		return nil, errors.New("max_body: must be more than 0, such as 8MiB")
	}
	var err error
	if s.nodes, err = parseNodes(cfg); err != nil {
		return nil, err
	}
	if s.target, err = parseTarget(cfg.DataStream, cfg.Index); err != nil {
		return nil, err
	}
	if cfg.Setup {
		if err := s.target.checkSetup(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Open installs the index template and the lifecycle policy if Config.Setup asks
// for it and they are not there. Without it, Open reaches no server.
func (s *Sink) Open(ctx context.Context, _ sinks.Saved) error {
	if s.client != nil {
		return errors.New("the elasticsearch sink is open already")
	}
	if err := s.connect(); err != nil {
		return &sinks.Error{Kind: sinks.Refused, Err: err}
	}
	s.limit = s.cfg.MaxBody
	if s.cfg.Setup {
		if err := s.setup(ctx); err != nil {
			return errors.Join(err, s.Close())
		}
	}
	return nil
}

// Close ends the connections.
func (s *Sink) Close() error {
	if s.client == nil {
		return nil
	}
	// Nothing is under way, so it does not wait.
	err := s.client.Close(context.Background())
	s.transport.CloseIdleConnections()
	s.client, s.transport = nil, nil
	s.body, s.answer, s.pending = body{}, nil, nil
	return err
}

// warnOnce logs a state of affairs when it is met first.
func (s *Sink) warnOnce(msg string, fields ...zap.Field) {
	if s.told[msg] {
		s.log.Debug(msg, fields...)
		return
	}
	s.told[msg] = true
	s.log.Warn(msg, fields...)
}

// encodedKey returns the API key as the Authorization header wants it.
func encodedKey(key string) string {
	if !strings.Contains(key, ":") {
		return key
	}
	return encode64(key)
}
