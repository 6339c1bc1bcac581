package splunkhec

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"aictail/sinks"
)

// request is one request to one address.
type request struct {
	method string
	url    string
	// body is nil for none.
	body *body
	// gzip: the body is compressed.
	gzip bool
	// patient waits with the body until the server wants it. A server that refuses
	// a request for its size may close the connection at once, and without this its
	// answer would be lost with the connection, again and again.
	patient bool
}

// exchange sends one request and reads the answer. It returns an outcome if there
// was none, which is doubtful if some of the body may have been sent. Redirects
// are answers like others: the transport does not follow them, and so the token
// goes nowhere but to the configured address.
func (s *Sink) exchange(ctx context.Context, e *endpoint, r request) (answer, outcome) {
	timed, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(timed, r.method, r.url, nil)
	if err != nil {
		return answer{}, outcome{kind: sinks.Refused, number: -1, err: errors.New("url: no request can be made of it")}
	}
	s.dress(req, e, r)
	fail := func(err error) (answer, outcome) {
		out := broken(err)
		out.doubtful = out.doubtful && r.body != nil && r.body.maybeSent()
		if timed.Err() != nil && ctx.Err() == nil {
			out.err = fmt.Errorf("no answer within %s (timeout): look at the queues of the indexers and at what is on the way to them", s.cfg.Timeout)
		}
		out.err = fmt.Errorf("%s %s: %w", r.method, r.url, out.err)
		return answer{}, out
	}
	resp, err := s.transport.RoundTrip(req)
	if err != nil {
		return fail(err)
	}
	e.cookies.keep(resp)
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	_ = resp.Body.Close() // what was read is all that matters
	if err != nil {
		return fail(fmt.Errorf("read the answer: %w", err))
	}
	return answer{status: resp.StatusCode, header: resp.Header, body: data}, outcome{ok: true}
}

// dress puts headers and body on.
func (s *Sink) dress(req *http.Request, e *endpoint, r request) {
	s.authorize(req.Header)
	req.Header.Set("User-Agent", "aictail")
	if s.cfg.Acknowledge {
		req.Header.Set("X-Splunk-Request-Channel", s.state.Channel)
	}
	e.cookies.put(req)
	if r.body == nil {
		return
	}
	req.Header.Set("Content-Type", "application/json")
	if r.gzip {
		req.Header.Set("Content-Encoding", "gzip")
	}
	if r.patient {
		req.Header.Set("Expect", "100-continue")
	}
	req.ContentLength = int64(len(r.body.data))
	req.GetBody = r.body.reader
	req.Body, _ = r.body.reader() // never fails
}

// broken says what a failure of the connection means.
func broken(err error) outcome {
	out := outcome{kind: sinks.Retry, number: -1, doubtful: true, err: err}
	var op *net.OpError
	switch {
	case isType[*tls.CertificateVerificationError](err):
		out.kind = sinks.Refused
		out.err = fmt.Errorf("%w: give the authority that signed it as tls.ca_file, or the name it is for as tls.server_name", err)
	case isType[tls.RecordHeaderError](err):
		out.kind = sinks.Refused
		out.err = fmt.Errorf("%w: there is no TLS at this address: check url, and enableSSL in Splunk's HEC settings", err)
	case errors.As(err, &op) && op.Op == "remote error" && strings.Contains(err.Error(), "certificate"):
		out.kind = sinks.Refused
		out.err = fmt.Errorf("%w: the server refuses our certificate or wants one: check tls.cert_file and tls.key_file", err)
	default:
		if remedy := sinks.Unreached(err, "url"); remedy != "" {
			out.err = fmt.Errorf("%w: %s", err, remedy)
		}
	}
	return out
}

func isType[E error](err error) bool {
	_, is := errors.AsType[E](err)
	return is
}

// post sends data, which is what s.plain holds, to one address. Afterwards s.plain
// is nil if the transport still reads from it.
func (s *Sink) post(ctx context.Context, e *endpoint, data []byte) outcome {
	r := request{method: http.MethodPost, url: e.event, body: &body{data: data}, patient: e.ill && !e.hasty}
	if s.zipper != nil {
		s.packed.Reset()
		s.zipper.Reset(s.packed)
		_, err := s.zipper.Write(data)
		if err = errors.Join(err, s.zipper.Close()); err != nil {
			return outcome{kind: sinks.Retry, number: -1, err: fmt.Errorf("compress: %w", err)}
		}
		r.gzip, r.body.data = true, s.packed.Bytes()
	}
	a, out := s.exchange(ctx, e, r)
	if out.ok {
		out = classify(a, s.cfg.Acknowledge)
		e.hasty = e.hasty || a.status == http.StatusExpectationFailed
		if !out.ok {
			out.err = fmt.Errorf("POST %s: %w", e.event, out.err)
		}
	}
	if !r.body.released() {
		if s.zipper != nil {
			s.packed = new(bytes.Buffer)
		} else {
			s.plain = nil
		}
	}
	return out
}
