package tailer

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"go.uber.org/zap"

	"aictail/tailer/aic"
	"aictail/tailer/budget"
)

// Client is the part of the API client that tailers use.
type Client interface {
	// Tail blocks for one request and returns its page, which the caller closes.
	Tail(ctx context.Context, req aic.TailRequest) (*aic.Page, error)
}

// Tenant is what the tailers of one tenant share: its client, its budget, and
// what is known of its health, so that one cause is reported once and not by
// every tailer. Its methods may be called concurrently.
type Tenant struct {
	name    string
	client  Client
	budget  *budget.Budget
	metrics *Metrics
	log     *zap.Logger

	mu       sync.Mutex // guards what follows
	cause    cause      // of the trouble that was reported; none if well
	since    time.Time  // when it was reported
	failures int        // in a row, of all tailers, for a shared cause
	answers  bool       // whether a request has ever succeeded
}

// cause is a reason for failing requests that concerns all tailers alike.
type cause int

const (
	none cause = iota
	refused
	unreachable
	journalFails
)

// NewTenant returns the shared part of a tenant's tailers.
func NewTenant(name string, client Client, b *budget.Budget, m *Metrics, log *zap.Logger) *Tenant {
	m.up.WithLabelValues(name).Set(1)
	return &Tenant{name: name, client: client, budget: b, metrics: m, log: log.With(zap.String("tenant", name))}
}

// Name returns the tenant's name in the configuration.
func (t *Tenant) Name() string { return t.name }

// Health returns nil while the tenant answers and its events can be journaled,
// otherwise an error that says what is wrong.
func (t *Tenant) Health() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.cause == refused:
		return errors.New("the tenant refuses the API key")
	case t.cause == unreachable:
		return errors.New("the tenant cannot be reached")
	case t.cause == journalFails:
		return errors.New("the journal takes no events")
	case !t.answers:
		return errors.New("the tenant has not answered yet")
	}
	return nil
}

const endpointTail = "tail"

// tail sends one tail request within the budget.
func (t *Tenant) tail(ctx context.Context, req aic.TailRequest) (*aic.Page, error) {
	if err := t.budget.Wait(ctx); err != nil {
		return nil, err
	}
	page, err := t.client.Tail(ctx, req)
	if err != nil {
		if ctx.Err() == nil {
			t.answered(endpointTail, err)
		}
		return nil, err
	}
	t.observe(page.Quota(), false)
	return page, nil
}

// answered counts a request by its outcome.
func (t *Tenant) answered(endpoint string, err error) {
	code := "200"
	if status, ok := errors.AsType[*aic.StatusError](err); ok {
		code = strconv.Itoa(status.Status)
		t.observe(status.Quota, errors.Is(err, aic.ErrRateLimited))
	} else if errors.Is(err, aic.ErrBody) {
		code = "body"
	} else if err != nil {
		code = "network"
	}
	t.metrics.requests.WithLabelValues(t.name, endpoint, code).Inc()
}

func (t *Tenant) observe(q aic.Quota, refused bool) {
	o := budget.Observation{Refused: refused, RetryAfter: q.RetryAfter}
	if q.Known {
		now := q.Date
		if now.IsZero() {
			now = time.Now()
		}
		o.Limit, o.Remaining, o.ResetIn = q.Limit, q.Remaining, q.Reset.Sub(now)
		t.metrics.limit.WithLabelValues(t.name).Set(float64(q.Limit))
		t.metrics.remaining.WithLabelValues(t.name).Set(float64(q.Remaining))
	}
	t.budget.Observe(o)
}

// trouble notes a failure and reports whether its cause is shared by all
// tailers; if so it has been logged, once.
func (t *Tenant) trouble(err error) bool {
	c := causeOf(err)
	if c == none {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failures++
	if t.cause == c || (c == unreachable && t.failures < troubleAfter) {
		return true
	}
	t.cause, t.since = c, time.Now()
	switch c {
	case refused:
		t.metrics.up.WithLabelValues(t.name).Set(0)
		t.log.Error("the tenant refuses the API key; polling pauses and probes every minute: "+
			"check api_key and api_secret of this tenant, or create a new key under Tenant Settings > Log API Keys",
			zap.Error(err))
	case unreachable:
		t.metrics.up.WithLabelValues(t.name).Set(0)
		t.log.Error("the tenant cannot be reached; polling is retried until it can: "+
			"check the tenant's url, DNS, proxy and firewall", zap.Error(err))
	case journalFails:
		t.log.Error("the journal takes no events; polling is retried until it does, the tenant keeps the entries for 30 days",
			zap.Error(err))
	}
	return true
}

func causeOf(err error) cause {
	if _, ok := errors.AsType[journalError](err); ok {
		return journalFails
	}
	if errors.Is(err, aic.ErrUnauthorized) {
		return refused
	}
	if _, ok := errors.AsType[*aic.StatusError](err); ok || errors.Is(err, aic.ErrBody) {
		return none
	}
	return unreachable
}

// wellAgain notes a success.
func (t *Tenant) wellAgain() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failures, t.answers = 0, true
	if t.cause == none {
		return
	}
	t.log.Info("polling works again", zap.Duration("after", time.Since(t.since).Round(time.Second)))
	t.cause = none
	t.metrics.up.WithLabelValues(t.name).Set(1)
}
