package simulator

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"
)

// interrupt applies the faults that stand before any honest answer. It is true
// if the request is done with.
func (x *exchange) interrupt() bool {
	f := x.fault
	if f.Status == 0 {
		f.Status = http.StatusServiceUnavailable
	}
	switch f.Effect {
	case Status:
		x.refuse(&failure{f.Status, http.StatusText(f.Status)})
	case HTML:
		for _, name := range []string{"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"} {
			x.w.Header().Del(name)
		}
		x.page(f.Status, "text/html; charset=UTF-8", htmlPage(f.Status))
	case RateLimited:
		x.refuse(&failure{http.StatusTooManyRequests, "Too Many Requests"})
	case RefuseCookie:
		x.refuse(errBadCookie)
	case Reset:
		x.reset()
	case Stall:
		return !x.wait(f.For)
	default:
		return false
	}
	return true
}

// htmlPage returns what a load balancer answers in the tenant's place.
func htmlPage(status int) []byte {
	return fmt.Appendf(nil, `<html><head>
<meta http-equiv="content-type" content="text/html;charset=utf-8">
<title>%d %s</title>
</head>
<body text=#000000 bgcolor=#ffffff>
<h1>Error: %[2]s</h1>
<h2>The simulated load balancer could not complete your request. Try again in 30 seconds.</h2>
</body></html>
`, status, http.StatusText(status))
}

// wait is false if the client gave up within d, or at all if d is 0.
func (x *exchange) wait(d time.Duration) bool {
	var over <-chan time.Time
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-over:
		return true
	case <-x.r.Context().Done():
		x.t.count(Request{x.endpoint, 0, x.fault.Effect})
		return false
	}
}

// reset ends the connection without an answer: with a TCP reset where there is
// one to send, else as net/http aborts a handler.
func (x *exchange) reset() {
	x.t.count(Request{x.endpoint, 0, x.fault.Effect})
	connection, _, err := http.NewResponseController(x.w).Hijack()
	if err != nil { // HTTP/2
		panic(http.ErrAbortHandler)
	}
	raw := connection
	if secure, ok := raw.(*tls.Conn); ok {
		raw = secure.NetConn()
	}
	if tcp, ok := raw.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // makes the close a reset
	}
	_ = raw.Close()
}

// spoil sends the answer the way the faults on its body want it. It is false if
// the request has none of these.
func (x *exchange) spoil(a *answer) bool {
	switch x.fault.Effect {
	case Cut, Truncate:
		body := x.whole(a)
		end := x.fault.Bytes
		if end <= 0 || end >= len(body) {
			end = len(body) / 2
		}
		if x.fault.Effect == Truncate {
			x.declare(end)
			_, _ = x.w.Write(body[:end]) // a client that is gone has got even less
			return true
		}
		x.declare(len(body))
		_, _ = x.w.Write(body[:end])
		_ = http.NewResponseController(x.w).Flush()
		// net/http's way to end a connection in the middle of a body.
		panic(http.ErrAbortHandler)
	case Trickle:
		x.trickle(a)
		return true
	}
	return false
}

func (x *exchange) declare(length int) {
	x.w.Header().Set("Content-Length", strconv.Itoa(length))
}

// trickle sends the answer in pieces. It reaches the client whole.
func (x *exchange) trickle(a *answer) {
	const pieces = 20
	body := x.whole(a)
	x.declare(len(body))
	control := http.NewResponseController(x.w)
	size := (len(body) + pieces - 1) / pieces
	for len(body) > size {
		if _, err := x.w.Write(body[:size]); err != nil || control.Flush() != nil {
			return
		}
		body = body[size:]
		timer := time.NewTimer(max(1, x.fault.For/pieces))
		select {
		case <-timer.C:
		case <-x.r.Context().Done():
			timer.Stop()
			return
		}
	}
	x.t.deliver(x.endpoint, a.entries, 1)
	if _, err := x.w.Write(body); err != nil || control.Flush() != nil {
		x.t.deliver(x.endpoint, a.entries, -1)
	}
}
