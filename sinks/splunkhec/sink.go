// Package splunkhec sends events to the Splunk HTTP Event Collector (HEC). It
// owns the form of the requests, what each answer means, indexer
// acknowledgement and the choice among several addresses; it does not batch,
// wait between attempts or keep dead letters, which is deliver's part.
//
// # What is lost or repeated when
//
// Nothing is lost up to Splunk's own promise: a plain 200 with code 0 says that
// Splunk has the events in its queue; with Acknowledge they count as delivered
// only once Splunk says that they are indexed. An answer that can't be read, that
// has no code or an unknown one is never success.
//
// HEC knows no ids, so an event whose fate is unknown is sent again and may then
// be there twice: after a connection that was cut or timed out with the request
// on its way, after a 5xx that says nothing of the events, after an answer that
// names a bad event (those before it may have been indexed), without an
// acknowledgement in time, and after a crash in the middle of a Send. Each event
// sent again for such a reason is counted in
// aictail_sink_possible_duplicates_total; every event carries its id as the
// indexed field "id", by which a search drops the second one.
//
// # Order
//
// Requests go out one after the other, in the order of the events. What failed
// goes later; a search orders events by their time anyway.
package splunkhec

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"aictail"
	"aictail/sinks"
)

// Defaults for what Config leaves out.
const (
	// defaultMaxBody is what proxies in front of Splunk take without being told
	// (nginx: 1 MiB), and large enough that a request's own cost does not count.
	defaultMaxBody = 1 << 20
	// defaultTimeout: an indexer that is rolled or overloaded answers late rather
	// than never, and giving up on it is what makes duplicates.
	defaultTimeout = time.Minute
	// defaultAckTimeout: acknowledgement takes seconds, with replication and a busy
	// disk a minute or two. Later than this the events are more likely lost.
	defaultAckTimeout = 5 * time.Minute
)

// Config is what the user sets. Host, Source, Sourcetype and Index may contain
// {tenant} and {source}.
type Config struct {
	// URLs are the addresses of HEC, without /services/collector. They are used in
	// turn; one that fails is left alone for a while.
	URLs []string
	// Token is the HEC token.
	Token Token
	// Acknowledge asks Splunk whether events are indexed before they count as
	// delivered. The token must have indexer acknowledgement enabled.
	Acknowledge bool
	// AckTimeout is how long Send waits for that before the events are sent again;
	// 0: 5 minutes.
	AckTimeout time.Duration
	// Host, "" for {tenant}; Source, "" for {source}; Sourcetype, "" for
	// pingone:aic; Index, "" for the token's default index.
	Host, Source, Sourcetype, Index string
	// Format is what Splunk gets as the event: "raw", also if empty, is its Raw.
	Format string
	// TLS says whom to trust and who we are; nil trusts the system's authorities.
	TLS *tls.Config
	// Timeout bounds one request with its answer; 0: a minute.
	Timeout time.Duration
	// MaxBody is the size in bytes, before compression, that a request of several
	// events does not exceed; 0: 1 MiB.
	MaxBody int
	// Compression is "gzip", also if empty, or "none".
	Compression string
}

// Token is a HEC token. No format verb shows it.
type Token string

// Format implements fmt.Formatter.
func (Token) Format(f fmt.State, _ rune) { fmt.Fprint(f, "***") }

// MarshalText implements encoding.TextMarshaler.
func (Token) MarshalText() ([]byte, error) { return []byte("***"), nil }

// Deps is what the program injects.
type Deps struct {
	// Log takes what happens to single addresses; failures of Send are the
	// caller's to log. nil: none.
	Log *zap.Logger
	// Registerer takes the sink's own metric; nil: none. Where there are several
	// sinks, it adds the label that tells them apart.
	Registerer prometheus.Registerer
}

// Sink is a sinks.Sink. All methods are called from one goroutine.
type Sink struct {
	cfg       Config
	log       *zap.Logger
	repeats   prometheus.Counter
	transport http.RoundTripper
	// authorize sets the Authorization header. The token is kept in a closure
	// because no way of printing a Sink can look into one.
	authorize func(http.Header)
	encoder   encoder
	endpoints []*endpoint
	turn      int // of endpoints: where the next Send begins

	// save is nil while the sink is closed.
	save  func([]byte) error
	state state
	doubt doubt
	// taken is the highest position that Splunk has taken in this process.
	taken aictail.Position

	// limit is MaxBody, or less once a 413 taught better.
	limit int
	// breakAt is the position of an event that a request must begin with, 0 for
	// none: an answer said that what precedes it has another fate.
	breakAt aictail.Position

	// plain and packed are the request before and after compression; both are used
	// again unless the transport still reads from them.
	plain  []byte
	packed *bytes.Buffer
	zipper *gzip.Writer // nil without compression

	// firstPoll and slowestPoll are the pauses between two acknowledgement queries.
	firstPoll, slowestPoll time.Duration
}

// New checks the configuration; it connects to nothing. Its errors begin with the configuration key concerned.
func New(cfg Config, deps Deps) (*Sink, error) {
	if err := complete(&cfg); err != nil {
		return nil, err
	}
	s := &Sink{
		cfg: cfg, log: deps.Log, limit: cfg.MaxBody, packed: new(bytes.Buffer),
		transport: newTransport(cfg.TLS), firstPoll: firstPoll, slowestPoll: slowestPoll,
	}
	token := "Splunk " + string(cfg.Token)
	s.cfg.Token = ""
	s.authorize = func(h http.Header) { h["Authorization"] = []string{token} }
	if s.log == nil {
		s.log = zap.NewNop()
	}
	var err error
	if s.encoder, err = newEncoder(cfg); err != nil {
		return nil, err
	}
	for _, address := range cfg.URLs {
		e, err := newEndpoint(address)
		if err != nil {
			return nil, err
		}
		s.endpoints = append(s.endpoints, e)
	}
	if cfg.Compression == "gzip" {
		// The fastest level: logs shrink to a tenth with it, and the better ones
		// cost more CPU than all the rest of the way.
		if s.zipper, err = gzip.NewWriterLevel(nil, gzip.BestSpeed); err != nil {
			return nil, fmt.Errorf("compression: %w", err)
		}
	}
	s.repeats = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "aictail_sink_possible_duplicates_total",
		Help: "Events sent again after an unknown outcome: they may be at the destination more than once.",
	})
	if deps.Registerer != nil {
		if err := deps.Registerer.Register(s.repeats); err != nil {
			return nil, fmt.Errorf("register the sink's metric: %w", err)
		}
	}
	return s, nil
}

// complete puts the defaults in and checks what no other part does.
func complete(cfg *Config) error {
	switch {
	case len(cfg.URLs) == 0:
		return errors.New("url: missing; give the address of HEC, such as https://splunk.example.com:8088")
	case cfg.Token == "":
		return errors.New("token: missing; create one in Splunk under Settings > Data inputs > HTTP Event Collector")
	case cfg.Format != "" && cfg.Format != "raw":
		return fmt.Errorf("format: unknown format %q; the Splunk sink sends raw", cfg.Format)
	case cfg.AckTimeout < 0:
		return errors.New("ack_timeout: must not be negative")
	case cfg.Timeout < 0:
		return errors.New("timeout: must not be negative")
	case cfg.MaxBody < 0:
		return errors.New("max_body: must not be negative")
	}
	for _, c := range []byte(cfg.Token) {
		if c <= ' ' || c >= 0x7f {
			return errors.New("token: contains a space, a line end or another character that a header cannot hold: copy it again")
		}
	}
	if cfg.AckTimeout == 0 {
		cfg.AckTimeout = defaultAckTimeout
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = defaultTimeout
	}
	if cfg.MaxBody == 0 {
		cfg.MaxBody = defaultMaxBody
	}
	switch cfg.Compression {
	case "":
		cfg.Compression = "gzip"
	case "gzip", "none":
	default:
		return fmt.Errorf("compression: unknown compression %q; known are gzip and none", cfg.Compression)
	}
	return nil
}

// Open asks every address whether HEC is well and takes the token. It fails if
// none does.
func (s *Sink) Open(ctx context.Context, saved sinks.Saved) error {
	if s.save != nil {
		return errors.New("the Splunk sink is open already")
	}
	if saved.Save == nil {
		return errors.New("the Splunk sink needs a place to save its state")
	}
	st, err := decodeState(saved.State)
	if err != nil {
		return &sinks.Error{Kind: sinks.Refused, Err: err}
	}
	if st.Channel == "" {
		// Remembered before it is used: the acknowledgements of a channel can be
		// asked for by those who know it only.
		st.Channel = newChannel()
		if err := saved.Save(st.encode()); err != nil {
			return &sinks.Error{Kind: sinks.Retry, Err: fmt.Errorf("save the state of the Splunk sink: %w", err)}
		}
	}
	s.state = st
	s.doubt = doubt{before: st.Sent}
	if err := s.probeAll(ctx); err != nil {
		s.closeConnections()
		return err
	}
	s.save = saved.Save
	return nil
}

// probeAll asks all addresses and returns an error if none is fit for use.
func (s *Sink) probeAll(ctx context.Context) error {
	var worst outcome
	usable := 0
	for _, e := range s.endpoints {
		out := s.probe(ctx, e)
		s.learn(e, out)
		switch {
		case out.ok:
			usable++
		case worst.err == nil || out.kind == sinks.Refused:
			worst = out
		}
	}
	if usable > 0 {
		return nil
	}
	return &sinks.Error{Kind: worst.kind, After: worst.after, Err: worst.err}
}

// State returns the channel and how far events may have been sent.
func (s *Sink) State() []byte { return s.state.encode() }

// Close closes the connections. What was remembered as perhaps sent and was refused
// for certain comes again without a doubt: after a token was changed, say.
func (s *Sink) Close() error {
	if sent := max(s.doubt.highest(), s.taken); s.save != nil && sent < s.state.Sent {
		s.state.Sent = sent
		// If it cannot be stored, too much is counted later.
		_ = s.save(s.state.encode())
	}
	s.save = nil
	s.plain = nil
	s.packed = new(bytes.Buffer)
	s.closeConnections()
	return nil
}

func (s *Sink) closeConnections() {
	if t, ok := s.transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}
