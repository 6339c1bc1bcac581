package simulator

import (
	"net/http"
	"strconv"
	"time"
)

// quotaWindow is how long a rate limit window lasts: reset was captured as Date
// plus 60 s on a real tenant.
const quotaWindow = time.Minute

// quota is the tenant's request limit: fixed windows that start with their
// first request. It has no lock of its own.
type quota struct {
	limit, used int
	ends        time.Time
}

// take uses one request. It returns false, and uses none, if none is left.
func (q *quota) take(now time.Time) bool {
	q.roll(now)
	if q.used >= q.limit {
		return false
	}
	q.used++
	return true
}

func (q *quota) roll(now time.Time) {
	if !now.Before(q.ends) {
		q.used, q.ends = 0, now.Add(quotaWindow)
	}
}

// describe sets the rate limit headers. A request that took none may be the
// first to see that a window is over: what it announces then is a fresh one.
func (q *quota) describe(h http.Header, now time.Time) {
	remaining, ends := q.limit-q.used, q.ends
	if !now.Before(ends) {
		remaining, ends = q.limit, now.Add(quotaWindow)
	}
	h.Set("X-RateLimit-Limit", strconv.Itoa(q.limit))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(remaining))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(seconds(ends), 10))
}

// retryAfter returns the whole seconds until the window is over, at least 1.
func (q *quota) retryAfter(now time.Time) string {
	return strconv.FormatInt(max(1, int64((q.ends.Sub(now)+time.Second-1)/time.Second)), 10)
}

// seconds returns t as seconds since 1970, rounded up: nobody who waits for
// that second comes too early.
func seconds(t time.Time) int64 { return t.Add(time.Second - 1).Unix() }
