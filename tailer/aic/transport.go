package aic

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// maxRedirects on the same host. The API is not known to redirect at all;
	// three leave room for a load balancer that adds a slash or a path prefix.
	maxRedirects = 3
	// maxErrorBody is read of an answer that is not a page: enough for any error
	// text, and short answers are read to their end, so that the connection can
	// be used again.
	maxErrorBody = 64 << 10
)

func newTransport(encryption *tls.Config) *http.Transport {
	if encryption == nil {
		encryption = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return &http.Transport{
		Proxy: quietly(http.ProxyFromEnvironment),
		DialContext: (&net.Dialer{
			Timeout:   10 * time.Second, // far below the request's, so that a dead address is told apart
			KeepAlive: 30 * time.Second,
		}).DialContext,
		TLSClientConfig:     encryption.Clone(), // HTTP/2 adds to it
		TLSHandshakeTimeout: 10 * time.Second,
		ForceAttemptHTTP2:   true,
		// A connection that a firewall dropped silently would cost every request
		// on it the whole time-out: ping when nothing came for 15 s.
		HTTP2:              &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 10 * time.Second},
		DisableCompression: true, // the page inflates, with pooled readers
		// A tenant has a handful of tailers and one sweep at work at a time.
		MaxIdleConnsPerHost: 8,
		IdleConnTimeout:     90 * time.Second,
	}
}

// quietly is for http.ProxyFromEnvironment, whose errors quote the proxy's
// address, which may hold a password.
func quietly(find func(*http.Request) (*url.URL, error)) func(*http.Request) (*url.URL, error) {
	return func(r *http.Request) (*url.URL, error) {
		u, err := find(r)
		if err != nil {
			return nil, errors.New("the proxy address in HTTPS_PROXY or HTTP_PROXY is not valid: correct it in the daemon's environment")
		}
		return u, nil
	}
}

// get sends one GET and follows redirects on the same host. The answer's body
// is open, whatever its status. It goes to the transport directly:
// http.Client would copy the secret headers along with every redirect.
func (c *Client) get(ctx context.Context, path, query string, authorized bool) (*http.Response, error) {
	u := c.base
	u.Path, u.RawQuery = path, query
	for hop := 0; ; hop++ {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
		if err != nil {
			return nil, fmt.Errorf("GET %s: %w", path, err)
		}
		req.Header.Set("Accept", "application/json")
		req.Header.Set("Accept-Encoding", "gzip")
		req.Header.Set("User-Agent", c.userAgent)
		if authorized {
			c.authorize(req.Header)
		}
		resp, err := c.transport.RoundTrip(req)
		if err != nil {
			return nil, fmt.Errorf("GET %s: %w", path, withHint(err))
		}
		location := resp.Header.Get("Location")
		if !isRedirect(resp.StatusCode) || location == "" {
			return resp, nil
		}
		discard(resp.Body)
		next, err := redirectTarget(&u, location)
		if err != nil {
			return nil, fmt.Errorf("GET %s: %w", path, err)
		}
		if hop == maxRedirects {
			return nil, fmt.Errorf("GET %s: %w: more than %d in a row", path, ErrRedirect, maxRedirects)
		}
		u = *next
	}
}

func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// redirectTarget returns where a redirect leads, or an error if the API key
// would leave the tenant's host or its encryption.
func redirectTarget(from *url.URL, location string) (*url.URL, error) {
	to, err := from.Parse(location)
	if err != nil {
		return nil, fmt.Errorf("%w: the Location header is not a URL", ErrRedirect)
	}
	to.User, to.Fragment, to.RawFragment = nil, "", ""
	if to.Scheme == from.Scheme && hostPort(to) == hostPort(from) {
		return to, nil
	}
	upgrade := from.Scheme == "http" && to.Scheme == "https" && strings.EqualFold(to.Hostname(), from.Hostname())
	if upgrade && portOf(from) == "80" && portOf(to) == "443" {
		return to, nil
	}
	return nil, fmt.Errorf("%w: the tenant redirects from %s://%s to %.20q://%.100q; the API key is not sent there: check the tenant's url",
		ErrRedirect, from.Scheme, from.Host, to.Scheme, to.Host)
}

func hostPort(u *url.URL) string { return strings.ToLower(u.Hostname()) + ":" + portOf(u) }

func portOf(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	if u.Scheme == "http" {
		return "80"
	}
	return "443"
}

// discard reads a short rest of the body and closes it. What cannot be read
// does not matter any more.
func discard(body io.ReadCloser) {
	_, _ = io.CopyN(io.Discard, body, maxErrorBody)
	_ = body.Close()
}

// withHint adds to an error of the connection what to do about it.
func withHint(err error) error {
	_, unknown := errors.AsType[x509.UnknownAuthorityError](err)
	_, otherName := errors.AsType[x509.HostnameError](err)
	switch {
	case unknown:
		return fmt.Errorf("%w; if a proxy with certificates of its own is between here and the tenant, give its authority as tls.ca_file", err)
	case otherName:
		return fmt.Errorf("%w; check the tenant's url, or give the name in the certificate as tls.server_name", err)
	}
	return err
}
