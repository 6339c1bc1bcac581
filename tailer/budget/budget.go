// Package budget keeps all requests to one tenant within its rate limit. It
// learns the limit from the answers' headers and leaves a share of it to
// people. It does not rank requests: whoever waits first goes first.
package budget

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// window is the span that X-RateLimit-Limit counts requests in
	// ("60 requests per minute" in the vendor's documentation).
	window = time.Minute
	// assumedLimit holds until the first answer says better: the documented
	// limit. It allows five requests at once, which does no harm to a tenant with
	// the lowest limit captured so far, 28.
	assumedLimit = 60
	// burstShare of the usable limit may be spent at once. Within any window at
	// most burst + rate*window requests go out, so the rate makes up for it.
	burstShare = 0.1
	// maxBlock bounds how long one answer can stop the tenant's requests, so
	// that a nonsensical header cannot switch the tailers off. Two windows.
	maxBlock = 2 * window
)

// Observation is what one answer said about the limit.
type Observation struct {
	Limit     int // requests per window; 0 if the answer did not say
	Remaining int
	// ResetIn is the time until the window ends, by the server's own clock.
	ResetIn time.Duration
	// Refused is true for a 429; RetryAfter is what it asked for, or 0.
	Refused    bool
	RetryAfter time.Duration
}

// Budget is the token bucket of one tenant. It may be used concurrently.
type Budget struct {
	reserve float64
	bucket  *rate.Limiter

	mu      sync.Mutex // guards limit and blocked
	limit   int
	blocked time.Time // no request before this moment
}

// New returns a budget that leaves the given share (0 to 0.9) of the limit to
// other users of the tenant.
func New(reserve float64) *Budget {
	b := &Budget{reserve: reserve, bucket: rate.NewLimiter(1, 1)}
	b.setLimitLocked(assumedLimit)
	return b
}

// Wait blocks until one request may be sent and takes it from the budget. It
// returns an error only when ctx ends.
func (b *Budget) Wait(ctx context.Context) error {
	// Not the bucket's own Wait: it fails at once if the context's deadline
	// comes before the token.
	token := b.bucket.Reserve()
	if err := sleep(ctx, token.Delay()); err != nil {
		token.Cancel()
		return err
	}
	for {
		b.mu.Lock()
		d := time.Until(b.blocked)
		b.mu.Unlock()
		if d <= 0 {
			return nil
		}
		if err := sleep(ctx, d); err != nil {
			return err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// Observe learns from an answer. When others have used up the quota down to
// the reserve, or a request was refused, all requests wait for the window's end.
func (b *Budget) Observe(o Observation) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if o.Limit > 0 && o.Limit != b.limit {
		b.setLimitLocked(o.Limit)
	}
	switch {
	case o.Refused && o.RetryAfter > 0:
		b.blockLocked(o.RetryAfter)
	case o.Refused && o.ResetIn > 0:
		b.blockLocked(o.ResetIn)
	case o.Refused:
		// A 429 without a word about when: a quarter of a window costs little
		// and tries again before the quota has lain idle for long.
		b.blockLocked(window / 4)
	case o.Limit > 0 && float64(o.Remaining) <= b.reserve*float64(o.Limit):
		b.blockLocked(o.ResetIn)
	}
}

// Limit returns the limit last learned, in requests per minute.
func (b *Budget) Limit() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.limit
}

func (b *Budget) blockLocked(d time.Duration) {
	if until := time.Now().Add(min(d, maxBlock)); until.After(b.blocked) {
		b.blocked = until
	}
}

func (b *Budget) setLimitLocked(limit int) {
	b.limit = limit
	usable := max(1, float64(limit)*(1-b.reserve))
	burst := max(1, int(usable*burstShare))
	perWindow := max(usable-float64(burst), usable/2)
	b.bucket.SetLimit(rate.Limit(perWindow / window.Seconds()))
	b.bucket.SetBurst(burst)
}
