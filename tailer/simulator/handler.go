package simulator

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// Endpoint is one of the API's endpoints.
type Endpoint string

// The endpoints.
const (
	Range   Endpoint = "range"   // /monitoring/logs
	Tail    Endpoint = "tail"    // /monitoring/logs/tail
	Sources Endpoint = "sources" // /monitoring/logs/sources
	Health  Endpoint = "health"  // /monitoring/health, public
	// Unknown is any other path.
	Unknown Endpoint = "unknown"
)

func endpointOf(path string) Endpoint {
	switch path {
	case "/monitoring/logs":
		return Range
	case "/monitoring/logs/tail":
		return Tail
	case "/monitoring/logs/sources":
		return Sources
	case "/monitoring/health":
		return Health
	}
	return Unknown
}

// exchange is one request on its way to its answer.
type exchange struct {
	t        *Tenant
	w        http.ResponseWriter
	r        *http.Request
	endpoint Endpoint
	params   url.Values
	sources  []string // as asked for
	fault    Fault    // without effect for an honest answer
}

// failure is an answer that is not 200.
type failure struct {
	status int
	text   string
}

// The texts of real tenants, as far as public tools quote them.
var (
	errNoSource  = &failure{http.StatusBadRequest, "Error: Source Not Specified"}
	errBadCookie = &failure{http.StatusBadRequest, "Error Parsing Query Parameter _pagedResultsCookie: Invalid Format"}
	errBadBegin  = &failure{http.StatusBadRequest, "Error: BeginTime Must Be In RFC3339 Format"}
	errBadEnd    = &failure{http.StatusBadRequest, "Error: EndTime Must Be In RFC3339 Format"}
	errBadSize   = &failure{http.StatusBadRequest, "Error Parsing Query Parameter _pageSize: Invalid Format"}
	errOpaque    = &failure{http.StatusInternalServerError, "Internal Server Error"}
)

// ServeHTTP implements http.Handler. A wrong key takes no request from the rate
// limit; everything else below /monitoring/logs does, faults included.
func (t *Tenant) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{t: t, w: w, r: r, endpoint: endpointOf(r.URL.Path), params: r.URL.Query()}
	if list := x.params.Get("source"); list != "" {
		x.sources = strings.Split(list, ",")
	}
	now := t.options.Now()
	w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
	if x.endpoint == Unknown {
		x.refuse(&failure{http.StatusNotFound, "Not Found"})
		return
	}
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		x.refuse(&failure{http.StatusMethodNotAllowed, "Method Not Allowed"})
		return
	}
	if x.endpoint != Health && !x.admit() {
		return
	}
	x.fault = t.nextFault(x)
	if x.interrupt() {
		return
	}
	x.answer()
}

// admit checks the key and the rate limit. It has answered if it returns false.
func (x *exchange) admit() bool {
	t := x.t
	known := x.authorized()
	t.mu.Lock()
	now := t.options.Now()
	allowed := known && t.quota.take(now)
	t.quota.describe(x.w.Header(), now)
	retryAfter := t.quota.retryAfter(now)
	t.mu.Unlock()
	switch {
	case !known:
		x.refuse(&failure{http.StatusUnauthorized, "Access Denied"})
	case !allowed:
		x.w.Header().Set("Retry-After", retryAfter)
		x.refuse(&failure{http.StatusTooManyRequests, "Too Many Requests"})
	}
	return allowed
}

func (x *exchange) authorized() bool {
	matches := func(given, wanted string) bool {
		return given != "" && (wanted == "" || given == wanted)
	}
	return matches(x.r.Header.Get("x-api-key"), x.t.options.Key) &&
		matches(x.r.Header.Get("x-api-secret"), x.t.options.Secret)
}

// answer gives the honest answer, or the honest answer spoilt on its way.
func (x *exchange) answer() {
	switch x.endpoint {
	case Health:
		x.t.count(Request{x.endpoint, http.StatusOK, x.fault.Effect})
		// A client that has gone away needs no answer.
		_, _ = x.w.Write([]byte("OK"))
	case Sources:
		x.t.mu.Lock()
		names, err := json.Marshal(x.t.names)
		count := len(x.t.names)
		x.t.mu.Unlock()
		if err != nil { // cannot be: strings
			x.refuse(errOpaque)
			return
		}
		x.send(&answer{names: names, count: count})
	case Tail:
		x.sendOrRefuse(x.tail())
	default:
		x.sendOrRefuse(x.rangeQuery())
	}
}

func (x *exchange) sendOrRefuse(a *answer, f *failure) {
	if f != nil {
		x.refuse(f)
		return
	}
	x.send(a)
}

// refuse answers with an error.
func (x *exchange) refuse(f *failure) {
	x.page(f.status, "application/json", errorBody(f))
}

// page counts and writes a small answer.
func (x *exchange) page(status int, contentType string, body []byte) {
	x.t.count(Request{x.endpoint, status, x.fault.Effect})
	x.w.Header().Set("Content-Type", contentType)
	x.w.WriteHeader(status)
	// A client that has gone away needs no answer.
	_, _ = x.w.Write(body)
}
