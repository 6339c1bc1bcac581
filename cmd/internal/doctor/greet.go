package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"syscall"
	"time"

	"aictail/sinks"
)

// greeting is a tenant's answer to a request without a key.
type greeting struct {
	status int
	took   time.Duration
	// date is the tenant's clock, zero if it did not tell; asked and got are this
	// machine's before and after.
	date, asked, got time.Time
}

// ahead returns how much this machine's clock is ahead of the tenant's, to the
// second: the least that agrees with when the request went out and came back.
func (g greeting) ahead() time.Duration {
	// The tenant wrote its answer in the second that begins with date.
	switch least, most := g.asked.Sub(g.date.Add(time.Second)), g.got.Sub(g.date); {
	case least > 0:
		return least.Round(time.Second)
	case most < 0:
		return most.Round(time.Second)
	}
	return 0
}

// greet asks the public health check.
func greet(ctx context.Context, address string, encryption *tls.Config) (greeting, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/monitoring/health", nil)
	if err != nil {
		return greeting{}, errors.New("no request can be made of it")
	}
	transport := &http.Transport{
		Proxy:             sinks.ProxyFromEnvironment,
		TLSClientConfig:   encryption,
		ForceAttemptHTTP2: true,
		DisableKeepAlives: true,
	}
	defer transport.CloseIdleConnections()
	g := greeting{asked: time.Now()}
	res, err := transport.RoundTrip(req) // which follows no redirect
	if err != nil {
		return greeting{}, err
	}
	_ = res.Body.Close() // the status says enough
	g.got = time.Now()
	g.status, g.took = res.StatusCode, g.got.Sub(g.asked)
	if date, err := http.ParseTime(res.Header.Get("Date")); err == nil {
		g.date = date
	}
	return g, nil
}

// unreachable says what to do about a tenant that cannot be reached.
func (t *tenant) unreachable(err error) string {
	_, unknownHost := errors.AsType[*net.DNSError](err)
	_, certificate := errors.AsType[*tls.CertificateVerificationError](err)
	invalid, expired := errors.AsType[x509.CertificateInvalidError](err)
	_, notTLS := errors.AsType[tls.RecordHeaderError](err)
	switch {
	case unknownHost:
		return "check " + t.key("url") + " and this machine's DNS"
	case expired && invalid.Reason == x509.Expired:
		return "the certificate has expired, or this machine's clock is wrong"
	case certificate:
		return "if a proxy opens TLS on the way, give its authority as " + t.key("tls.ca_file") + "; check " + t.key("url")
	case notTLS:
		return "there is no TLS at this address: check " + t.key("url") + " and the proxy"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nobody listens there: check " + t.key("url") + " and the proxy (HTTPS_PROXY)"
	case errors.Is(err, context.DeadlineExceeded):
		return "look for a firewall on the way, and whether a proxy is needed (HTTPS_PROXY)"
	}
	return "check " + t.key("url") + ", DNS, proxy and firewall"
}
