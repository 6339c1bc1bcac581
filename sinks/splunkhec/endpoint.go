package splunkhec

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.uber.org/zap"
)

const (
	// restMin and restMax space out the use of an address that fails while there
	// are others: long enough not to cost every batch a time-out, short enough that
	// an indexer that is back takes its share within a minute.
	restMin = time.Second
	restMax = time.Minute

	// quietFor keeps an address that fails and recovers every few seconds from filling
	// the log: after a failure was logged, others within this time are only counted.
	quietFor = time.Minute

	// A load balancer keeps a client at one indexer with one cookie or two.
	maxCookies      = 16
	maxCookieLength = 4096
)

const urlHint = "give the address of HEC, such as https://splunk.example.com:8088"

// endpoint is one address of HEC.
type endpoint struct {
	// event, ack and health are the URLs of its three services.
	event, ack, health string
	cookies            cookies

	// ill: the last use failed, and it is probed before the next one.
	ill bool
	// hasty: a proxy there does not know Expect: 100-continue.
	hasty bool
	// failures in a row, and until when it is left alone if there are others.
	failures int
	rests    time.Time
	// logged is when a failure was logged the last time, short how many were not since.
	logged time.Time
	short  int
	// told: the failure at hand was logged, so its end is too.
	told bool
}

// newEndpoint accepts an absolute http or https URL, with a path if a proxy wants
// one. Its errors do not quote the value, which may hold a password.
func newEndpoint(raw string) (*endpoint, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, errors.New("url: cannot be parsed: " + urlHint)
	case u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "":
		return nil, errors.New("url: is not an http or https address: " + urlHint)
	case u.User != nil:
		return nil, errors.New("url: contains a user name: remove it, HEC takes the token; " + urlHint)
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(raw, "#"):
		return nil, errors.New("url: contains a query or a fragment: " + urlHint)
	case strings.Contains(u.Path, "/services/collector"):
		return nil, errors.New("url: leave /services/collector out: " + urlHint)
	}
	base := strings.TrimRight(u.String(), "/")
	return &endpoint{
		event:  base + "/services/collector/event",
		ack:    base + "/services/collector/ack",
		health: base + "/services/collector/health/1.0",
	}, nil
}

// candidates returns the addresses to try in one Send: in turn those that do not
// rest, else the one whose rest ends first.
func (s *Sink) candidates(now time.Time) []*endpoint {
	var awake []*endpoint
	first := s.endpoints[s.turn]
	for i := range s.endpoints {
		e := s.endpoints[(s.turn+i)%len(s.endpoints)]
		if !e.rests.After(now) {
			awake = append(awake, e)
		}
		if e.rests.Before(first.rests) {
			first = e
		}
	}
	s.turn = (s.turn + 1) % len(s.endpoints)
	if len(awake) == 0 {
		return []*endpoint{first}
	}
	return awake
}

// learn notes what an outcome says of the address. A failure that is about single
// events, or the size of the request, says that it works.
func (s *Sink) learn(e *endpoint, out outcome) {
	if out.ok || out.single {
		if e.told {
			s.log.Info("Splunk address is used again", zap.String("url", e.event))
		}
		e.ill, e.told, e.failures, e.rests = false, false, 0, time.Time{}
		return
	}
	rest := min(restMin<<min(e.failures, 10), restMax)
	e.failures++
	e.rests = time.Now().Add(max(rest, out.after))
	if !e.told && len(s.endpoints) > 1 {
		s.logFailure(e, out)
	}
	e.ill = true
}

// logFailure logs a failure that is not one of many, and counts the others.
func (s *Sink) logFailure(e *endpoint, out outcome) {
	// One that lasts is logged at a later attempt.
	if now := time.Now(); now.Sub(e.logged) >= quietFor {
		fields := []zap.Field{zap.String("url", e.event), zap.Stringer("kind", out.kind), zap.Error(out.err)}
		if e.short > 0 {
			fields = append(fields, zap.Int("short_failures_before", e.short))
		}
		s.log.Warn("Splunk address fails; the others are used meanwhile", fields...)
		e.logged, e.short, e.told = now, 0, true
		return
	}
	if !e.ill {
		e.short++
	}
}

// probe asks whether HEC is well at the address and takes the token, without
// sending any event. What it does not understand is no reason to keep from
// trying: only some proxies let the health check through.
func (s *Sink) probe(ctx context.Context, e *endpoint) outcome {
	out := s.ask(ctx, e, request{method: http.MethodGet, url: e.health})
	if !out.ok {
		return out
	}
	if s.cfg.Acknowledge {
		// Of an id that nobody waits for. It tells whether the token is known and
		// has acknowledgement enabled before any event is sent in vain.
		return s.ask(ctx, e, request{method: http.MethodPost, url: e.ack + "?channel=" + s.state.Channel,
			body: &body{data: []byte(`{"acks":[0]}`)}})
	}
	// Splunk checks the token before it complains that there is no event.
	return s.ask(ctx, e, request{method: http.MethodPost, url: e.event})
}

// ask sends a request without events and says whether something stands against
// sending some.
func (s *Sink) ask(ctx context.Context, e *endpoint, r request) outcome {
	a, out := s.exchange(ctx, e, r)
	if !out.ok {
		out.doubtful = false
		return out
	}
	code := parseReply(a.body).code
	isHealth := r.url == e.health
	switch {
	case a.status == http.StatusOK, code == codeNoData && !isHealth:
		return outcome{ok: true}
	case isHealth && code < 0 && a.status < http.StatusInternalServerError && a.status != http.StatusTooManyRequests:
		return outcome{ok: true} // the health check is not to be had here
	}
	out = classify(a, false)
	if out.single {
		// About an event, though there is none.
		return outcome{ok: true}
	}
	out.doubtful = false
	out.err = fmt.Errorf("%s %s: %w", r.method, strings.TrimSuffix(r.url, "?channel="+s.state.Channel), out.err)
	return out
}

// cookies are those of one address, which a load balancer uses to lead requests
// to the indexer that knows their acknowledgements.
type cookies struct{ values map[string]string }

// keep takes the cookies of an answer over, up to a number and length.
func (c *cookies) keep(resp *http.Response) {
	for _, cookie := range resp.Cookies() {
		expired := cookie.MaxAge < 0 || !cookie.Expires.IsZero() && cookie.Expires.Before(time.Now())
		_, known := c.values[cookie.Name]
		switch {
		case expired:
			delete(c.values, cookie.Name)
		case len(cookie.Name)+len(cookie.Value) > maxCookieLength, !known && len(c.values) >= maxCookies:
		case c.values == nil:
			c.values = map[string]string{cookie.Name: cookie.Value}
		default:
			c.values[cookie.Name] = cookie.Value
		}
	}
}

func (c *cookies) put(req *http.Request) {
	for name, value := range c.values {
		req.AddCookie(&http.Cookie{Name: name, Value: value})
	}
}
