package splunkhec

import (
	"crypto/tls"
	"net"
	"net/http"
	"time"

	"aictail/sinks"
)

const (
	// connectTimeout is far below the request's, so that a dead address is told
	// apart and another one can be tried.
	connectTimeout = 10 * time.Second
	// idleTimeout is below the 12 seconds after which a busy splunkd closes an idle
	// connection (busyKeepAliveIdleTimeout): a request that meets the closing has
	// an unknown outcome.
	idleTimeout = 10 * time.Second
	// continueTimeout is how long a server may think about a request's headers.
	continueTimeout = 2 * time.Second
)

func newTransport(encryption *tls.Config) *http.Transport {
	return &http.Transport{
		Proxy: sinks.ProxyFromEnvironment,
		DialContext: (&net.Dialer{
			Timeout:   connectTimeout,
			KeepAlive: 30 * time.Second,
		}).DialContext,
		// HTTP/1.1 only, which is what splunkd speaks: a failure then concerns one
		// request and not all on a connection.
		TLSClientConfig:       encryption,
		TLSHandshakeTimeout:   connectTimeout,
		ExpectContinueTimeout: continueTimeout,
		DisableCompression:    true, // answers are short
		MaxIdleConnsPerHost:   1,    // requests follow one another
		IdleConnTimeout:       idleTimeout,
	}
}
