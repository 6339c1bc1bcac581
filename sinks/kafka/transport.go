package kafka

import (
	"context"
	"crypto/tls"
	"errors"
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
	// stopGrace is enough for an answer that is on its way when the daemon is being
	// stopped: cut off, its outcome would be unclear. Brokers need milliseconds, and
	// a stop has ten times this.
	stopGrace = 3 * time.Second
)

// transport carries the requests of a kafkago.Client to the broker that each
// request names. It differs from kafkago.Transport, the usual one, in what
// exactly once needs: when RoundTrip has returned, nothing of the request is
// written any more and nobody reads its events; it says whether the broker can
// have received the request, and can go on waiting for the answer to one that it
// has; and no topology is cached where the sink can't ask for a fresh one. It has
// no goroutines. Its methods may be called concurrently.
type transport struct {
	dial     func(ctx context.Context, network, address string) (net.Conn, error)
	tls      *tls.Config // nil: no TLS
	sasl     sasl.Mechanism
	clientID string
	// dialTimeout bounds all of a new connection's set-up.
	dialTimeout time.Duration
	// grace is how long the answer to a produce request is waited for after its
	// context has ended.
	grace time.Duration

	// encode has one token. Compression takes place while a request is encoded,
	// and an encoder of zstd has 18 MiB: one at a time is fast enough.
	encode chan struct{}

	mu   sync.Mutex // guards idle
	idle map[string][]*connection
}

func newTransport(clientID string, dialTimeout time.Duration) *transport {
	return &transport{
		dial: (&net.Dialer{}).DialContext, clientID: clientID, dialTimeout: dialTimeout, grace: stopGrace,
		encode: make(chan struct{}, 1), idle: make(map[string][]*connection),
	}
}

// notSentError is a failure before the last byte of the request was written.
type notSentError struct{ err error }

func (e *notSentError) Error() string { return e.err.Error() }
func (e *notSentError) Unwrap() error { return e.err }

// pendingError is what RoundTrip returns of a produce request whose answer has
// not come in time. The connection is kept, and the broker may act on the request
// as long as it is: a broker that stands still for a minute does so when it goes
// on. The holder calls resume until there is an answer, or abandon.
type pendingError struct {
	c       *connection
	version int16
	err     error
}

func (e *pendingError) Error() string { return e.err.Error() }
func (e *pendingError) Unwrap() error { return e.err }

// RoundTrip implements kafkago.RoundTripper. It returns when ctx ends; of a
// produce request, whose outcome is worth knowing, at most grace later.
func (t *transport) RoundTrip(ctx context.Context, addr net.Addr, req protocol.Message) (protocol.Message, error) {
	c, err := t.take(ctx, addr.String())
	if err != nil {
		return nil, &notSentError{err}
	}
	patience := time.Duration(0)
	if req.ApiKey() == protocol.Produce {
		patience = t.grace
	}
	stop := bind(ctx, c.conn, patience)
	res, err := t.exchange(ctx, c, req)
	return res, t.finish(ctx, c, outcome{intact: stop(), err: err})
}

// resume waits for the answer to a pending request until ctx ends; it can be
// called again if it returns a *pendingError.
func (t *transport) resume(ctx context.Context, p *pendingError) (protocol.Message, error) {
	stop := bind(ctx, p.c.conn, 0)
	res, err := p.c.answer(protocol.Produce, p.version)
	return res, t.finish(ctx, p.c, outcome{intact: stop(), err: err})
}

// abandon gives up waiting.
func (e *pendingError) abandon() { e.c.close() }

// outcome is how the use of a connection ended. intact: its context had not.
type outcome struct {
	intact bool
	err    error
}

// finish keeps the connection for what is still to come, or closes it, and returns
// the error to be reported.
func (t *transport) finish(ctx context.Context, c *connection, o outcome) error {
	pending, waits := errors.AsType[*pendingError](o.err)
	switch {
	case waits:
		// The deadline has done its work.
		_ = c.conn.SetDeadline(time.Time{})
		pending.err = fmt.Errorf("%s: no answer in time: %w", c.address, context.DeadlineExceeded)
		return pending
	case o.err != nil:
		c.close()
		// The others to this broker are as old, and just as likely cut.
		t.discard(c.address)
	case o.intact:
		t.put(c)
		return nil
	default:
		c.close()
		return nil
	}
	if ctx.Err() == nil {
		return o.err
	}
	// The error of the connection only says that it was cut.
	err := fmt.Errorf("%s: no answer in time: %w", c.address, ctx.Err())
	if notSent(o.err) {
		return &notSentError{err}
	}
	return err
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
		// The end of the request was not written, and no broker acts on a part.
		return nil, &notSentError{fmt.Errorf("%s: %w", c.address, err)}
	}
	return c.answer(req.ApiKey(), version)
}

// answer reads the answer to the last request. If none of it has come by the
// connection's deadline, a *pendingError says so, for requests of kind Produce.
func (c *connection) answer(key protocol.ApiKey, version int16) (protocol.Message, error) {
	if key == protocol.Produce {
		_, err := c.conn.Peek(1)
		if late, ok := errors.AsType[net.Error](err); ok && late.Timeout() {
			return nil, &pendingError{c: c, version: version, err: err}
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.address, err)
		}
	}
	id, res, err := protocol.ReadResponse(c.conn, key, version)
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
	w    io.Writer
	gate chan struct{}
	held bool
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
