// Package aic is the client of the AIC log API. It sends one request at a time
// and scans the answer while it arrives, so that memory does not depend on the
// size of a page. It owns everything that depends on the API's wire format:
// addresses, headers, error bodies, the shape of a page and of an entry.
//
// It does not retry, poll, wait for the budget, remember cookies, join split
// entries or give events an id; that is for the packages above it.
package aic

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// defaultTimeout is the server's own limit for one request (the vendor's
// documentation: time-out up to 60 s). Waiting longer brings nothing.
const defaultTimeout = 60 * time.Second

// Config is what a tenant's client needs. It masks Key and Secret in every
// format verb.
type Config struct {
	// URL is the tenant's address without a path, https://openam-x.forgeblocks.com.
	// http is accepted; whether it is wanted is for the caller to decide.
	URL string
	// Key and Secret are the values of the x-api-key and x-api-secret headers.
	Key    string `json:"-" yaml:"-"`
	Secret string `json:"-" yaml:"-"`
	// UserAgent is sent with every request; empty means "aictail".
	UserAgent string
	// Timeout bounds a whole request from the connection to the last byte of
	// the body, including the time the caller takes between chunks of a page.
	// 0 means 60 s, the server's own limit.
	Timeout time.Duration
	// TLS is for the client's own transport, for a tenant behind a proxy with
	// certificates of its own; nil trusts the system's authorities.
	TLS *tls.Config `json:"-" yaml:"-"`
	// Transport sends the requests. nil means one of the client's own: HTTP/2
	// where offered, proxies from the environment, TLS 1.2 at least.
	Transport http.RoundTripper
}

// Format implements fmt.Formatter; no verb shows the key or the secret.
func (c Config) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "{URL:%s Key:*** Secret:*** Timeout:%s}", maskURL(c.URL), c.Timeout)
}

// Client talks to one tenant. Its methods may be called concurrently.
type Client struct {
	base      url.URL // scheme and host only
	transport http.RoundTripper
	timeout   time.Duration
	limits    limits

	// authorize sets the two secret headers. They are kept in a closure because
	// no way of printing a Client can look into one.
	authorize func(http.Header)
	// mask replaces the key and the secret in a text of the server's.
	mask      *strings.Replacer
	userAgent string

	buffers sync.Pool // of *buffers
}

// New returns a client, or an error that names the key of the configuration and
// says what to do. It does not connect.
func New(cfg Config) (*Client, error) {
	base, err := parseBase(cfg.URL)
	if err != nil {
		return nil, err
	}
	if err := checkHeader("api_key", cfg.Key); err != nil {
		return nil, err
	}
	if err := checkHeader("api_secret", cfg.Secret); err != nil {
		return nil, err
	}
	if cfg.Timeout < 0 {
		return nil, fmt.Errorf("timeout is %s: give a positive duration such as 60s", cfg.Timeout)
	}
	key, secret := cfg.Key, cfg.Secret
	c := &Client{
		base:      base,
		transport: cfg.Transport,
		timeout:   cfg.Timeout,
		limits:    defaultLimits(),
		authorize: func(h http.Header) {
			h["X-Api-Key"] = []string{key}
			h["X-Api-Secret"] = []string{secret}
		},
		// The secret first: where one contains the other, the longer must go.
		mask:      newMask(key, secret),
		userAgent: cfg.UserAgent,
	}
	if c.transport == nil {
		c.transport = newTransport(cfg.TLS)
	}
	if c.timeout == 0 {
		c.timeout = defaultTimeout
	}
	if c.userAgent == "" {
		c.userAgent = "aictail"
	}
	c.buffers.New = func() any { return newBuffers(c.limits.chunk) }
	return c, nil
}

// Format implements fmt.Formatter; no verb shows the key or the secret.
func (c *Client) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "aic.Client{%s}", c.base.String())
}

// CloseIdleConnections closes connections that no request uses. Requests on
// their way go on.
func (c *Client) CloseIdleConnections() {
	if t, ok := c.transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

const urlHint = "give the tenant's address without a path, such as https://openam-example.forgeblocks.com"

// parseBase accepts an absolute http or https URL of nothing but scheme and
// host. Its errors do not quote the value, which may hold a password.
func parseBase(raw string) (url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case raw == "":
		return url.URL{}, errors.New("url is empty: " + urlHint)
	case err != nil:
		return url.URL{}, errors.New("url cannot be parsed: " + urlHint)
	case u.Scheme != "https" && u.Scheme != "http":
		return url.URL{}, errors.New("url does not begin with https:// : " + urlHint)
	case u.Hostname() == "":
		return url.URL{}, errors.New("url has no host: " + urlHint)
	case u.User != nil:
		return url.URL{}, errors.New("url contains a user name: remove it, the API takes api_key and api_secret; " + urlHint)
	case u.Path != "" && u.Path != "/":
		return url.URL{}, errors.New("url contains a path: " + urlHint)
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(raw, "#"):
		return url.URL{}, errors.New("url contains a query or a fragment: " + urlHint)
	}
	return url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

// checkHeader refuses what cannot be sent as a header, above all the line end
// that a secret read from a file often has. It does not quote the value.
func checkHeader(name, value string) error {
	if value == "" {
		return fmt.Errorf("%s is empty: create a key in the tenant's admin console under %s", name, keyPlace)
	}
	for i := range len(value) {
		if value[i] <= ' ' || value[i] >= 0x7f {
			return fmt.Errorf("%s contains a space, a line end or another character that a header cannot hold: copy it again", name)
		}
	}
	return nil
}

func newMask(key, secret string) *strings.Replacer {
	if len(key) > len(secret) {
		key, secret = secret, key
	}
	return strings.NewReplacer(secret, "***", key, "***")
}

// maskURL returns a URL without user name, password and query, as far as it is
// one.
func maskURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return "***"
	}
	return u.Scheme + "://" + u.Host
}
