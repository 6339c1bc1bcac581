package elasticsearch

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/elastic/elastic-transport-go/v8/elastictransport"

	"aictail/sinks"
)

const (
	// connectTimeout is for the connection and for its TLS handshake: a node that
	// lives answers within milliseconds, and another one may be asked.
	connectTimeout = 10 * time.Second
	// idleTimeout is below what load balancers in front of a cluster allow (60 s
	// of AWS's is the shortest of the usual ones), so that the client ends an idle
	// connection and not the balancer, in the middle of a request.
	idleTimeout = 50 * time.Second
)

// nodes is where the server is and how it is reached.
type nodes struct {
	urls []*url.URL
	tls  *tls.Config
	pin  *pin // nil without a fingerprint
}

func parseNodes(cfg Config) (nodes, error) {
	var n nodes
	var err error
	switch {
	case len(cfg.URLs) > 0 && cfg.CloudID != "":
		return n, errors.New("cloud_id: set together with urls; remove one of them")
	case cfg.CloudID != "":
		u, err := cloudURL(cfg.CloudID)
		if err != nil {
			return n, err
		}
		n.urls = []*url.URL{u}
	case len(cfg.URLs) == 0:
		return n, errors.New("urls: missing; give the addresses of the nodes, such as [https://es:9200]")
	}
	for i, text := range cfg.URLs {
		u, err := parseURL(text)
		if err != nil {
			return n, fmt.Errorf("urls[%d]: %w", i, err)
		}
		n.urls = append(n.urls, u)
	}
	switch {
	case cfg.APIKey != "" && cfg.Username != "":
		return n, errors.New("api_key: set together with username; remove one of them")
	case cfg.Username == "" && cfg.Password != "":
		return n, errors.New("username: missing; a password is given")
	case cfg.Username != "" && cfg.Password == "":
		return n, errors.New("password: missing; a username is given")
	}
	if n.pin, err = parsePin(cfg.CAFingerprint); err != nil {
		return n, err
	}
	if n.tls = cfg.TLS; n.tls == nil {
		n.tls = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if n.pin != nil && n.tls.RootCAs != nil {
		return n, errors.New("tls.ca_fingerprint: set together with tls.ca_file; remove one of them")
	}
	return n, nil
}

// parseURL reads the address of a node. Its errors do not repeat it: it may
// contain a password.
func parseURL(text string) (*url.URL, error) {
	const want = "want an address such as https://es:9200"
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "":
		return nil, errors.New(want)
	case u.User != nil:
		return nil, errors.New("has a user or password in it; use username and password, or api_key")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("has a query in it; " + want)
	}
	u.Path = strings.TrimRight(u.Path, "/")
	return &url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}, nil
}

// cloudURL returns the address that a cloud id stands for:
// name:base64(host[:port]$elasticsearch$kibana).
func cloudURL(id string) (*url.URL, error) {
	problem := errors.New("cloud_id: not a cloud id; copy it from the deployment's page in the Elastic Cloud console")
	_, encoded, ok := strings.Cut(id, ":")
	if !ok {
		return nil, problem
	}
	text, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(encoded, "="))
	if err != nil {
		return nil, problem
	}
	parts := strings.Split(string(text), "$")
	if len(parts) < 2 || parts[0] == "" || parts[1] == "" {
		return nil, problem
	}
	u, err := url.Parse("https://" + parts[1] + "." + parts[0])
	if err != nil || u.Hostname() == "" || u.Path != "" {
		return nil, problem
	}
	return u, nil
}

// connect makes the client. No connection is opened yet.
func (s *Sink) connect() error {
	dialer := &net.Dialer{Timeout: connectTimeout}
	s.transport = &http.Transport{
		Proxy:               sinks.ProxyFromEnvironment,
		DialContext:         dialer.DialContext,
		TLSClientConfig:     s.nodes.tls,
		TLSHandshakeTimeout: connectTimeout,
		IdleConnTimeout:     idleTimeout,
		// One request at a time.
		MaxIdleConnsPerHost: 1,
	}
	if s.nodes.pin != nil {
		s.transport.DialTLSContext = s.nodes.pin.dialer(dialer, s.nodes.tls)
		s.transport.TLSClientConfig = s.nodes.pin.refuseProxies(s.nodes.tls)
	}
	options := []elastictransport.Option{
		elastictransport.WithURLs(s.nodes.urls...),
		// Round trips go to the transport itself, so redirects are not followed
		// and the credentials stay with the configured hosts.
		elastictransport.WithTransport(s.transport),
		// Its retries have no pause and leave 429 out; deliver retries.
		elastictransport.WithDisableRetry(),
		elastictransport.WithUserAgent("aictail"),
	}
	switch {
	case s.cfg.APIKey != "":
		options = append(options, elastictransport.WithAPIKey(encodedKey(s.cfg.APIKey)))
	case s.cfg.Username != "":
		options = append(options, elastictransport.WithBasicAuth(s.cfg.Username, s.cfg.Password))
	}
	client, err := elastictransport.NewClient(options...)
	if err != nil {
		return fmt.Errorf("make the client: %w", err)
	}
	s.client = client
	return nil
}

// onSomeNode calls do until it reaches a node, once for each node at most. The
// client takes the nodes in turn, and leaves one alone for a while that failed.
func (s *Sink) onSomeNode(ctx context.Context, do func() error) error {
	for attempt := 1; ; attempt++ {
		err := do()
		op, ok := errors.AsType[*net.OpError](err)
		// A connection that did not come about carried nothing: it is certain that
		// the request was not executed.
		if !ok || op.Op != "dial" || attempt == len(s.nodes.urls) || ctx.Err() != nil {
			return err
		}
	}
}

func encode64(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
