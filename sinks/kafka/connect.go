package kafka

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/apiversions"
	"github.com/segmentio/kafka-go/protocol/saslauthenticate"
	"github.com/segmentio/kafka-go/protocol/saslhandshake"
	"github.com/segmentio/kafka-go/sasl"

	"aictail/sinks"
)

// connection is one connection to a broker, ready for requests. It carries one
// request at a time.
type connection struct {
	address     string
	conn        *protocol.Conn
	versions    map[protocol.ApiKey]int16
	correlation int32
	idleSince   time.Time
	// expires is when the broker wants to see credentials again, zero if never.
	expires time.Time
}

func (c *connection) close() {
	// What was on its way is void; nothing can be done about the error.
	_ = c.conn.Close()
}

// bind makes the connection fail when ctx has ended and patience has passed. The
// function that it returns undoes that, and reports false if it was too late.
func bind(ctx context.Context, conn net.Conn, patience time.Duration) (unbind func() bool) {
	// An error here comes again with the next read or write.
	return context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now().Add(patience)) })
}

// connect makes a connection: TCP, TLS, the versions of the protocol, SASL.
func (t *transport) connect(ctx context.Context, address string) (*connection, error) {
	ctx, cancel := context.WithTimeout(ctx, t.dialTimeout)
	defer cancel()
	c, err := t.establish(ctx, address)
	switch {
	case err == nil:
		return c, nil
	case ctx.Err() != nil:
		cause := ctx.Err()
		if _, handshake := errors.AsType[*tlsError](err); handshake {
			cause = &tlsError{cause}
		}
		return nil, fmt.Errorf("%s: no connection in time: %w", address, cause)
	}
	return nil, fmt.Errorf("%s: %w", address, err)
}

func (t *transport) establish(ctx context.Context, address string) (_ *connection, err error) {
	conn, err := t.dial(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = conn.Close() // err says what matters
		}
	}()
	unbind := bind(ctx, conn, 0)
	if t.tls != nil {
		cfg := t.tls.Clone()
		if cfg.ServerName == "" {
			cfg.ServerName, _, _ = net.SplitHostPort(address)
		}
		secure := tls.Client(conn, cfg)
		if err := secure.HandshakeContext(ctx); err != nil {
			return nil, &tlsError{err}
		}
		sinks.NoteCertificates(ctx, secure.ConnectionState())
		conn = secure
	}
	c := &connection{address: address, conn: protocol.NewConn(&frameGuard{Conn: conn}, t.clientID)}
	if err := c.negotiate(); err != nil {
		return nil, err
	}
	if t.sasl != nil {
		if err := c.authenticate(ctx, t.sasl); err != nil {
			return nil, err
		}
	}
	if !unbind() {
		return nil, context.Cause(ctx)
	}
	return c, nil
}

// tlsError marks a failure of the handshake.
type tlsError struct{ err error }

func (e *tlsError) Error() string { return "TLS: " + e.err.Error() }
func (e *tlsError) Unwrap() error { return e.err }

// negotiate finds the versions of the requests that both sides know.
func (c *connection) negotiate() error {
	m, err := c.conn.RoundTrip(new(apiversions.Request))
	if err != nil {
		return fmt.Errorf("ask for the versions of the protocol: %w", err)
	}
	res := m.(*apiversions.Response)
	if res.ErrorCode != 0 {
		return fmt.Errorf("ask for the versions of the protocol: %w", kafkago.Error(res.ErrorCode))
	}
	c.versions = make(map[protocol.ApiKey]int16, len(res.ApiKeys))
	for _, k := range res.ApiKeys {
		key := protocol.ApiKey(k.ApiKey)
		c.versions[key] = key.SelectVersion(k.MinVersion, k.MaxVersion)
	}
	c.conn.SetVersions(c.versions)
	return nil
}

// authError marks a failure to prove who we are, or the broker who it is.
type authError struct{ err error }

func (e *authError) Error() string { return "SASL: " + e.err.Error() }
func (e *authError) Unwrap() error { return e.err }

// errSASLCut is how some brokers refuse credentials.
var errSASLCut = errors.New("the broker closed the connection in the middle of the SASL exchange")

func (c *connection) authenticate(ctx context.Context, mechanism sasl.Mechanism) error {
	m, err := c.conn.RoundTrip(&saslhandshake.Request{Mechanism: mechanism.Name()})
	if err != nil {
		return fmt.Errorf("SASL handshake: %w", err)
	}
	if res := m.(*saslhandshake.Response); res.ErrorCode != 0 {
		return &authError{fmt.Errorf("%w: the broker offers %v", &codeError{kafkago.Error(res.ErrorCode)}, res.Mechanisms)}
	}
	host, port, err := net.SplitHostPort(c.address)
	if err != nil {
		return err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	session, message, err := mechanism.Start(sasl.WithMetadata(ctx, &sasl.Metadata{Host: host, Port: number}))
	if err != nil {
		return &authError{err}
	}
	for done := false; !done; {
		m, err := c.conn.RoundTrip(&saslauthenticate.Request{AuthBytes: message})
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return errSASLCut
		}
		if err != nil {
			return fmt.Errorf("SASL exchange: %w", err)
		}
		res := m.(*saslauthenticate.Response)
		if res.ErrorCode != 0 {
			return &authError{&codeError{kafkago.Error(res.ErrorCode)}}
		}
		if lifetime := time.Duration(res.SessionLifetimeMs) * time.Millisecond; lifetime > 0 {
			// The broker cuts the connection at the end. Leave time for a request.
			c.expires = time.Now().Add(lifetime * 4 / 5)
		}
		if done, message, err = session.Next(ctx, res.AuthBytes); err != nil {
			return &authError{err}
		}
	}
	return nil
}

// errNotKafka is what frameGuard says of an answer that is none.
var errNotKafka = errors.New("the answer is not one of Kafka's: check the port, and whether the broker wants TLS there")

// frameGuard looks at the length in front of each answer, so that what is no
// answer is not taken for one of gigabytes.
type frameGuard struct {
	net.Conn
	head [4]byte
	have int   // bytes of head that are there
	left int64 // bytes of the answer that are still to come
}

func (g *frameGuard) Read(p []byte) (int, error) {
	n, err := g.Conn.Read(p)
	for rest := p[:n]; len(rest) > 0; {
		if g.left > 0 {
			skip := min(g.left, int64(len(rest)))
			g.left -= skip
			rest = rest[skip:]
			continue
		}
		copied := copy(g.head[g.have:], rest)
		g.have += copied
		rest = rest[copied:]
		if g.have < len(g.head) {
			continue
		}
		g.have = 0
		g.left = int64(int32(binary.BigEndian.Uint32(g.head[:])))
		if g.left < 0 || g.left > maxResponse {
			return 0, errNotKafka
		}
	}
	if n > 0 && errors.Is(err, io.EOF) {
		err = nil // it comes again with the next Read
	}
	return n, err
}
