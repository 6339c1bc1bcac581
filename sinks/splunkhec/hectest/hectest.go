// Package hectest is a Splunk HTTP Event Collector for tests. It refuses what the
// real one refuses, with the same codes, holds what was indexed, and fails on
// request. It listens on loopback only and belongs to no program.
//
// What Splunk does not document is an option, so that a test can try both: whether
// the events before a bad one are indexed (Options.DropBatch). The number of a bad
// event is counted as seen on real servers: from 0, but for a wrong index from 1.
package hectest

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"sync"
)

// Options say how the server is set up. The zero value takes the token "token"
// without acknowledgement, any index and bodies of any size.
type Options struct {
	// Token that the server knows; "" for "token".
	Token string
	// Disabled: the token is known and switched off.
	Disabled bool
	// Acknowledge: the token has indexer acknowledgement enabled.
	Acknowledge bool
	// PollsBefore is how many queries for an ackId are answered with false before
	// the one that is answered with true.
	PollsBefore int
	// Sticky: acknowledgements are known only to requests with the cookie that was
	// set with the events, as behind a load balancer.
	Sticky bool
	// Indexes are those that the token may write to; none for any.
	Indexes []string
	// MaxContentLength is the largest body in bytes as sent; 0 for any.
	MaxContentLength int64
	// Unreadable tells events that the server refuses with "invalid data format";
	// nil: none.
	Unreadable func(Event) bool
	// DropBatch: of a request with a bad event nothing is indexed, else what
	// precedes it.
	DropBatch bool
	// HideHealth: the health check is answered with 404, as by some proxies.
	HideHealth bool
	// TLS serves https with a certificate for 127.0.0.1 and example.com.
	TLS bool
	// ClientCAs, with TLS: clients need a certificate of one of them.
	ClientCAs *x509.CertPool
}

// Event is an indexed event.
type Event struct {
	// Time as it stood in the request; "" without one.
	Time                            string
	Host, Source, Sourcetype, Index string
	// Raw is the value of "event", byte for byte.
	Raw []byte
	// Fields are the indexed fields.
	Fields map[string]string
}

// Server is a running HEC.
type Server struct {
	options Options
	http    *httptest.Server
	closing sync.Once
	closed  chan struct{}

	mu       sync.Mutex // guards the rest
	events   []Event
	requests []Request
	faults   []*Injected
	channels map[string]*channel
}

// Request is what the server noted of a request.
type Request struct {
	Method, Path string
	// Channel is the X-Splunk-Request-Channel.
	Channel string
	// Bytes is the length of the body after decompression, Wire before.
	Bytes, Wire int
	// Events is how many events it held, as far as they could be read.
	Events int
}

// New starts a server. Close it.
func New(o Options) *Server {
	s := NewHandler(o)
	s.http = httptest.NewUnstartedServer(s)
	s.http.Config.ErrorLog = log.New(io.Discard, "", 0) // failed handshakes are what tests want
	if o.TLS {
		s.http.TLS = &tls.Config{}
		if o.ClientCAs != nil {
			s.http.TLS.ClientAuth, s.http.TLS.ClientCAs = tls.RequireAndVerifyClientCert, o.ClientCAs
		}
		s.http.StartTLS()
	} else {
		s.http.Start()
	}
	return s
}

// NewHandler returns a server without a listener, to be used as an http.Handler.
func NewHandler(o Options) *Server {
	if o.Token == "" {
		o.Token = "token"
	}
	return &Server{options: o, closed: make(chan struct{}), channels: make(map[string]*channel)}
}

// URL is the address to configure.
func (s *Server) URL() string { return s.http.URL }

// Certificate is the server's own, which a client has to trust.
func (s *Server) Certificate() *x509.Certificate { return s.http.Certificate() }

// Close stops the server and cuts its connections.
func (s *Server) Close() {
	s.closing.Do(func() {
		close(s.closed)
		s.http.CloseClientConnections()
		s.http.Close()
	})
}

// Events returns what is indexed, in the order of arrival.
func (s *Server) Events() []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Event(nil), s.events...)
}

// Count returns how many events are indexed.
func (s *Server) Count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.events)
}

// Requests returns the requests in the order of arrival, also those that failed.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.requests...)
}

// Set changes the options of a running server; TLS stays as it was.
func (s *Server) Set(change func(*Options)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.options)
}

// Forget drops all acknowledgements, as a restart of the indexer does.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.channels)
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	service, known := services()[r.URL.Path]
	if !known {
		reply(w, http.StatusNotFound, `{"text":"The requested URL was not found on this server.","code":404}`)
		return
	}
	if service == Collect && r.ContentLength == 0 {
		service = probe
	}
	s.mu.Lock()
	o := s.options
	fault := s.fire(service)
	s.mu.Unlock()
	if fault != nil && fault.before(w, r, s.closed) {
		s.note(Request{Method: r.Method, Path: r.URL.Path, Channel: r.Header.Get(channelHeader)})
		return
	}
	switch service {
	case Health:
		s.note(Request{Method: r.Method, Path: r.URL.Path})
		s.health(w, o)
	case Ack:
		s.acks(w, r, o)
	default:
		s.collect(w, r, collection{Options: o, fault: fault})
	}
}

func services() map[string]Service {
	return map[string]Service{
		"/services/collector":            Collect,
		"/services/collector/event":      Collect,
		"/services/collector/event/1.0":  Collect,
		"/services/collector/ack":        Ack,
		"/services/collector/health":     Health,
		"/services/collector/health/1.0": Health,
	}
}

func (s *Server) note(r Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, r)
}

func (*Server) health(w http.ResponseWriter, o Options) {
	if o.HideHealth {
		http.Error(w, "not found", http.StatusNotFound)
		return
	}
	reply(w, http.StatusOK, `{"text":"HEC is healthy","code":17}`)
}

func reply(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body) // a client that is gone is no failure of the server
}
