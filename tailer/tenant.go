package tailer

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"aictail/tailer/aic"
	"aictail/tailer/budget"
)

// Client is the part of the API client that tailers use.
type Client interface {
	// Tail blocks for one request and returns its page, which the caller closes.
	Tail(ctx context.Context, req aic.TailRequest) (*aic.Page, error)
	// Range does the same for a range query.
	Range(ctx context.Context, req aic.RangeRequest) (*aic.Page, error)
}

// Tenant is what the tailers of one tenant share: its client, its budget, and
// what is known of its health, so that one cause is reported once and not by
// every tailer. Its methods may be called concurrently.
type Tenant struct {
	name    string
	client  Client
	budget  *budget.Budget
	pacer   *budget.Pacer
	metrics *Metrics
	log     *zap.Logger
	streams atomic.Int64 // being swept

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

// TenantConfig is what the user sets for all source entries of a tenant.
type TenantConfig struct {
	Name string
	// MinInterval and MaxInterval bound the time between two polls of a tail.
	MinInterval, MaxInterval time.Duration
}

// tailShare of the budget is planned for the tails; the sweep gets what they
// leave. A tail page and a range page cost the same, and the sweep has to read
// everything that the tail has read once more.
const tailShare = 0.55

// NewTenant returns the shared part of a tenant's tailers and sweepers.
func NewTenant(cfg TenantConfig, client Client, b *budget.Budget, m *Metrics, log *zap.Logger) *Tenant {
	m.addTenant(cfg.Name)
	return &Tenant{
		name: cfg.Name, client: client, budget: b, metrics: m, log: log.With(zap.String("tenant", cfg.Name)),
		pacer: budget.NewPacer(budget.PacerOptions{
			Min: cfg.MinInterval, Max: cfg.MaxInterval,
			Polls: func() float64 { return tailShare * b.Rate() },
		}),
	}
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

const (
	endpointTail  = "tail"
	endpointRange = "range"
)

const (
	// tipShare of the budget is planned for sweeping the newest stretch of each
	// stream, mostly one request each. Tails have tailShare; what is left is for
	// larger windows and for backfill.
	tipShare = 0.3
	// tipInterval is how often a stream's newest stretch is swept if the budget
	// allows: an entry that the tail withholds arrives within a minute of it.
	tipInterval = 30 * time.Second
)

// tipInterval returns how often each stream's newest stretch can be swept. There
// is no use in sweeping more often than time settles.
func (t *Tenant) tipInterval(settle time.Duration) time.Duration {
	affordable := time.Duration(float64(t.streams.Load()) / (tipShare * t.budget.Rate()) * float64(time.Second))
	return max(min(tipInterval, settle), affordable)
}

// tail sends one tail request within the budget.
func (t *Tenant) tail(ctx context.Context, req aic.TailRequest) (*aic.Page, error) {
	return t.send(ctx, budget.Tail, endpointTail, func() (*aic.Page, error) { return t.client.Tail(ctx, req) })
}

// rangePage sends one range request within the budget.
func (t *Tenant) rangePage(ctx context.Context, class budget.Class, req aic.RangeRequest) (*aic.Page, error) {
	return t.send(ctx, class, endpointRange, func() (*aic.Page, error) { return t.client.Range(ctx, req) })
}

func (t *Tenant) send(ctx context.Context, class budget.Class, endpoint string, request func() (*aic.Page, error)) (*aic.Page, error) {
	if err := t.budget.Wait(ctx, class); err != nil {
		return nil, err
	}
	page, err := request()
	if err != nil {
		if ctx.Err() == nil {
			t.answered(endpoint, err)
		}
		return nil, err
	}
	t.observe(page.Quota(), false)
	return page, nil
}

// Sources asks the tenant for its sources, within the budget.
func (t *Tenant) Sources(ctx context.Context, client *aic.Client) ([]string, error) {
	if err := t.budget.Wait(ctx, budget.Tip); err != nil {
		return nil, err
	}
	names, quota, err := client.Sources(ctx)
	if ctx.Err() == nil {
		t.answered("sources", err)
	}
	if err == nil {
		t.observe(quota, false)
	}
	return names, err
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
	if !q.Date.IsZero() {
		t.metrics.skew.WithLabelValues(t.name).Set(time.Since(q.Date).Seconds())
	}
	o := budget.Observation{Known: q.Known, Refused: refused, RetryAfter: q.RetryAfter}
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

// isRefused tells whether the tenant refuses the API key at present.
func (t *Tenant) isRefused() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.cause == refused
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
