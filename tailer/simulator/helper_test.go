package simulator

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a clock that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time // guarded by mu
}

func newClock() *clock { return &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// client asks a served tenant.
type client struct {
	t     *testing.T
	url   string
	http  *http.Client
	key   string
	gzip  bool
	lastH http.Header
}

func newTenant(t *testing.T, o Options) *Tenant {
	t.Helper()
	tenant, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return tenant
}

// serve starts a tenant on a clock of the test's, with an unlimited quota unless
// the options have one.
func serve(t *testing.T, o Options) (*Tenant, *client, *clock) {
	t.Helper()
	c := newClock()
	o.Now = c.Now
	if o.Limit == 0 {
		o.Limit = 1 << 30
	}
	tenant := newTenant(t, o)
	return tenant, connect(t, tenant), c
}

func connect(t *testing.T, tenant *Tenant) *client {
	t.Helper()
	address, stop, err := Start(tenant)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DisableCompression: true}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		stop()
	})
	return &client{t: t, url: address, http: &http.Client{Transport: transport, Timeout: 20 * time.Second}, key: "any"}
}

type page struct {
	Result  []json.RawMessage `json:"result"`
	Count   json.RawMessage   `json:"resultCount"`
	Cookie  *string           `json:"pagedResultsCookie"`
	Policy  string            `json:"totalPagedResultsPolicy"`
	Total   int               `json:"totalPagedResults"`
	Errors  []string          `json:"errors"`
	Message string            `json:"message"`
}

func (p page) cookie() string {
	if p.Cookie == nil {
		return ""
	}
	return *p.Cookie
}

// payloads returns the payloads, joined by spaces.
func (p page) payloads() string {
	var all []string
	for _, raw := range p.Result {
		var e struct{ Payload json.RawMessage }
		if json.Unmarshal(raw, &e) == nil {
			all = append(all, strings.Trim(string(e.Payload), `"`))
		}
	}
	return strings.Join(all, " ")
}

// fetch returns the status and the body of a request.
func (c *client) fetch(path string, params ...string) (int, []byte, error) {
	values := url.Values{}
	for i := 0; i < len(params); i += 2 {
		values.Set(params[i], params[i+1])
	}
	r, err := http.NewRequest(http.MethodGet, c.url+path+"?"+values.Encode(), nil)
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("x-api-key", c.key)
	r.Header.Set("x-api-secret", c.key)
	if c.gzip {
		r.Header.Set("Accept-Encoding", "gzip")
	}
	response, err := c.http.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	c.lastH = response.Header
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, body, err
}

const (
	tailPath  = "/monitoring/logs/tail"
	rangePath = "/monitoring/logs"
)

// page returns an answer that must be a 200 in JSON.
func (c *client) page(path string, params ...string) page {
	c.t.Helper()
	status, body, err := c.fetch(path, params...)
	if err != nil || status != http.StatusOK {
		c.t.Fatalf("%s %q: status %d, error %v, body %s", path, params, status, err, body)
	}
	var p page
	if err := json.Unmarshal(body, &p); err != nil {
		c.t.Fatalf("%s %q: %v", path, params, err)
	}
	return p
}

func (c *client) tail(source, cookie string) page {
	c.t.Helper()
	if cookie == "" {
		return c.page(tailPath, "source", source)
	}
	return c.page(tailPath, "source", source, cookieParam, cookie)
}

// text adds entries whose payloads are the words of text.
func text(t *testing.T, tenant *Tenant, source string, at time.Time, words string) {
	t.Helper()
	for i, word := range strings.Fields(words) {
		if err := tenant.Add(Entry{Source: source, Payload: quoted(word), Time: at.Add(time.Duration(i))}); err != nil {
			t.Fatal(err)
		}
	}
}

func inject(t *testing.T, tenant *Tenant, f Fault) *Injection {
	t.Helper()
	i, err := tenant.Inject(f)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func expect[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}
