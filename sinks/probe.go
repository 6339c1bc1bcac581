package sinks

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"maps"
	"net/http/httptrace"
	"slices"
	"sync"
	"time"
)

// Prober is a sink that can say what stands between it and its destination.
type Prober interface {
	// Probe looks at the destination as far as that is possible without changing
	// anything: it sends no event, creates nothing, writes to no file and takes no
	// lock, so it may be called while a daemon delivers to the same destination. It
	// is called on a sink that has not been opened, by one goroutine, and blocks
	// until ctx ends at most. It returns one finding at least, and no secrets.
	Probe(ctx context.Context) []Finding
}

// Verdict is what a finding means.
type Verdict int

// The verdicts.
const (
	Good     Verdict = iota
	Doubtful         // it works, but may not for long, or not as it was meant
	Bad              // it does not work
)

// String returns the word that people and scripts read: ok, warn or fail.
func (v Verdict) String() string {
	switch v {
	case Good:
		return "ok"
	case Doubtful:
		return "warn"
	}
	return "fail"
}

// MarshalText implements encoding.TextMarshaler.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// Finding is one thing that was looked at.
type Finding struct {
	// Check names what was looked at, in a word or two that do not change.
	Check   string  `json:"check"`
	Verdict Verdict `json:"verdict"`
	// Found says what was found, Remedy what to do about it; "" if nothing.
	Found  string `json:"found"`
	Remedy string `json:"remedy,omitempty"`
}

// FindingOf is the finding for an error of Open or Send, which says what to do by
// itself.
func FindingOf(check string, err error) Finding {
	return Finding{Check: check, Verdict: Bad, Found: err.Error()}
}

// expiresSoon is when the end of a certificate is worth a warning: those that renew
// themselves do so with a third of their time left, at least this for the usual 45
// and 90 days, and for those that do not somebody needs the time.
const expiresSoon = 14 * 24 * time.Hour

// WatchCertificates returns a context for requests, and a function that says
// afterwards until when the certificates are valid that servers have shown. HTTP
// requests with the context are seen by themselves, other connections by
// NoteCertificates.
func WatchCertificates(ctx context.Context) (context.Context, func(now time.Time) []Finding) {
	w := &watch{first: map[string]*x509.Certificate{}}
	trace := &httptrace.ClientTrace{TLSHandshakeDone: func(state tls.ConnectionState, err error) {
		if err == nil { // otherwise the request says so
			w.note(state)
		}
	}}
	return httptrace.WithClientTrace(context.WithValue(ctx, watchKey{}, w), trace), w.findings
}

// NoteCertificates tells WatchCertificates, if the context is its, of a connection that
// was made.
func NoteCertificates(ctx context.Context, state tls.ConnectionState) {
	if w, ok := ctx.Value(watchKey{}).(*watch); ok {
		w.note(state)
	}
}

// watch collects certificates.
type watch struct {
	mu    sync.Mutex                   // guards first
	first map[string]*x509.Certificate // of each server the one that expires first
}

type watchKey struct{}

func (w *watch) note(state tls.ConnectionState) {
	if len(state.PeerCertificates) == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.first[state.ServerName] = expiresFirst(state)
}

func (w *watch) findings(now time.Time) []Finding {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []Finding
	for _, server := range slices.Sorted(maps.Keys(w.first)) {
		list = append(list, certificateFinding(server, w.first[server], now))
	}
	return list
}

// expiresFirst returns the certificate of the chain that expires first.
func expiresFirst(state tls.ConnectionState) *x509.Certificate {
	chain := state.PeerCertificates
	if len(state.VerifiedChains) > 0 {
		chain = state.VerifiedChains[0]
	}
	first := chain[0]
	for _, c := range chain {
		if c.NotAfter.Before(first.NotAfter) {
			first = c
		}
	}
	return first
}

func certificateFinding(server string, c *x509.Certificate, now time.Time) Finding {
	name := c.Subject.CommonName
	if name == "" && len(c.DNSNames) > 0 {
		name = c.DNSNames[0]
	}
	if server == "" { // asked for by its address
		server = name
	}
	left := c.NotAfter.Sub(now)
	f := Finding{Check: "certificate", Found: fmt.Sprintf("%s: valid until %s, for %d days", server, c.NotAfter.UTC().Format(time.DateOnly), int(left.Hours()/24))}
	if left < expiresSoon {
		f.Verdict = Doubtful
		f.Remedy = fmt.Sprintf("have the certificate %q renewed", name)
	}
	return f
}
