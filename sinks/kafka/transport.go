package kafka

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/sasl"
)

const (
	// idleAfter is when an unused connection is closed: before the four minutes
	// after which load balancers forget one, and the ten after which a broker
	// closes it. A request on a forgotten connection has an unknown outcome.
	idleAfter = 3 * time.Minute
	// maxResponse is far above any answer asked for here and below what the
	// first four bytes of HTTP or TLS mean when they are read as a length.
	maxResponse = 128 << 20
	// grace is how long the answer to a produce request is waited for after its
	// context has ended: cut off, its outcome would be unclear. Brokers need
	// milliseconds, and a stop of the daemon has ten times this.
	grace = 3 * time.Second
)

// transport carries the requests of a kafkago.Client to the broker that each
// request names. It differs from kafkago.Transport, the usual one, in what
// exactly once needs: when RoundTrip has returned, nothing of the request is
// written any more and nobody reads its events; it says whether the broker can
// have received the request; and no topology is cached where the sink can't ask
// for a fresh one. It has no goroutines. Its methods may be called concurrently.
type transport struct {
	dial     func(ctx context.Context, network, address string) (net.Conn, error)
	tls      *tls.Config // nil: no TLS
	sasl     sasl.Mechanism
	clientID string
	// dialTimeout bounds all of a new connection's set-up.
	dialTimeout time.Duration

	// encode has one token. Compression takes place while a request is encoded,
	// and an encoder of zstd has 18 MiB: one at a time is fast enough.
	encode chan struct{}

	mu   sync.Mutex // guards idle
	idle map[string][]*connection
}

func newTransport(clientID string, dialTimeout time.Duration) *transport {
	return &transport{
		dial: (&net.Dialer{}).DialContext, clientID: clientID, dialTimeout: dialTimeout,
		encode: make(chan struct{}, 1), idle: make(map[string][]*connection),
	}
}

// notSentError is a failure before the first byte of the request was written.
type notSentError struct{ err error }

func (e *notSentError) Error() string { return e.err.Error() }
func (e *notSentError) Unwrap() error { return e.err }

// RoundTrip implements kafkago.RoundTripper. It returns when ctx ends; of a
// produce request, whose outcome is worth knowing, at most grace later.
func (t *transport) RoundTrip(ctx context.Context, addr net.Addr, req protocol.Message) (protocol.Message, error) {
	c, err := t.take(ctx, addr.String())
	if err != nil {
		return nil, &notSentError{err}
	}
	patience := time.Duration(0)
	if req.ApiKey() == protocol.Produce {
		patience = grace
	}
	stop := bind(ctx, c.conn, patience)
	res, err := t.exchange(ctx, c, req)
	switch intact := stop(); {
	case err != nil:
		c.close()
		// The others to this broker are as old, and just as likely cut.
		t.discard(c.address)
	case !intact:
		c.close()
	default:
		t.put(c)
	}
	if err != nil && ctx.Err() != nil {
		// The error of the connection only says that it was cut.
		err = fmt.Errorf("%s: no answer in time: %w", c.address, withCause(err, ctx.Err()))
	}
	return res, err
}

// withCause returns cause, still marked if the request was not sent.
func withCause(err, cause error) error {
	if notSent(err) {
		return &notSentError{cause}
	}
	return cause
}

func (t *transport) exchange(ctx context.Context, c *connection, req protocol.Message) (protocol.Message, error) {
	w := &gatedWriter{w: c.conn, gate: t.encode}
	if err := w.enter(ctx); err != nil {
		return nil, &notSentError{err}
	}
	defer w.leave()
	version := c.versions[req.ApiKey()]
	if p, ok := req.(protocol.PreparedMessage); ok {
		p.Prepare(version)
	}
	c.correlation++
	if err := protocol.WriteRequest(w, version, c.correlation, t.clientID, req); err != nil {
		err = fmt.Errorf("%s: %w", c.address, err)
		if !w.wrote {
			return nil, &notSentError{err}
		}
		return nil, err
	}
	id, res, err := protocol.ReadResponse(c.conn, req.ApiKey(), version)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", c.address, err)
	case id != c.correlation:
		return nil, fmt.Errorf("%s: the answer belongs to request %d, not %d", c.address, id, c.correlation)
	}
	return res, nil
}

// gatedWriter holds the transport's token until the first write, when all of
// the request has been encoded.
type gatedWriter struct {
	w     io.Writer
	gate  chan struct{}
	held  bool
	wrote bool
}

func (g *gatedWriter) enter(ctx context.Context) error {
	select {
	case g.gate <- struct{}{}:
		g.held = true
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g *gatedWriter) leave() {
	if g.held {
		g.held = false
		<-g.gate
	}
}

func (g *gatedWriter) Write(p []byte) (int, error) {
	g.leave()
	g.wrote = true
	return g.w.Write(p)
}

// take returns an idle connection to the address, or a new one.
func (t *transport) take(ctx context.Context, address string) (*connection, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	t.mu.Lock()
	t.discardOld(time.Now())
	list := t.idle[address]
	if n := len(list); n > 0 {
		c := list[n-1]
		t.idle[address] = list[:n-1]
		t.mu.Unlock()
		return c, nil
	}
	t.mu.Unlock()
	return t.connect(ctx, address)
}

// put keeps a connection for the next request.
func (t *transport) put(c *connection) {
	c.idleSince = time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.idle[c.address] = append(t.idle[c.address], c)
}

// discardOld closes what a broker or a box on the way may have closed by now. The
// caller holds mu.
func (t *transport) discardOld(now time.Time) {
	for address, list := range t.idle {
		kept := list[:0]
		for _, c := range list {
			if now.Sub(c.idleSince) > idleAfter || !c.expires.IsZero() && now.After(c.expires) {
				c.close()
			} else {
				kept = append(kept, c)
			}
		}
		clear(list[len(kept):])
		if len(kept) == 0 {
			delete(t.idle, address)
		} else {
			t.idle[address] = kept
		}
	}
}

// discard closes the idle connections to an address.
func (t *transport) discard(address string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range t.idle[address] {
		c.close()
	}
	delete(t.idle, address)
}

// closeIdle closes all connections; none may be in use.
func (t *transport) closeIdle() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, list := range t.idle {
		for _, c := range list {
			c.close()
		}
	}
	clear(t.idle)
}
