package aic

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Quota is what an answer's headers say about the tenant's rate limit.
type Quota struct {
	// Limit requests are allowed per window, Remaining of them are left in this
	// one, which ends at Reset. All three are zero unless Known.
	Limit, Remaining int
	Reset            time.Time
	// Known is true if all three X-RateLimit headers were there and made sense.
	Known bool
	// Date is the server's clock, or zero if the answer had no Date header.
	// Measure Reset against it rather than against the local clock.
	Date time.Time
	// RetryAfter is how long the tenant asked to be left alone; 0 if it did not.
	RetryAfter time.Duration
}

const (
	// Epoch seconds between these are taken for a time. Below lie mistaken
	// durations, above milliseconds.
	minReset = 1_000_000_000   // 2001
	maxReset = 100_000_000_000 // the year 5138
	// maxRetryAfter keeps a nonsensical header from standing for ever. The
	// API's window is one minute, so a day is already beyond any meaning.
	maxRetryAfter = 24 * time.Hour
)

func quotaOf(h http.Header) Quota {
	var q Quota
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		q.Date = date.UTC()
	}
	q.RetryAfter = retryAfter(h.Get("Retry-After"), q.Date)
	limit, err1 := headerInt(h, "X-Ratelimit-Limit")
	remaining, err2 := headerInt(h, "X-Ratelimit-Remaining")
	reset, err3 := headerInt(h, "X-Ratelimit-Reset")
	if err1 != nil || err2 != nil || err3 != nil {
		return q
	}
	const sane = 1 << 30 // requests per window; keeps int 32 bits wide enough
	if limit < 1 || limit > sane || remaining < 0 || remaining > limit || reset < minReset || reset >= maxReset {
		return q
	}
	q.Limit, q.Remaining, q.Reset = int(limit), int(remaining), time.Unix(reset, 0).UTC()
	q.Known = true
	return q
}

func headerInt(h http.Header, name string) (int64, error) {
	return strconv.ParseInt(strings.TrimSpace(h.Get(name)), 10, 64)
}

// retryAfter reads seconds or an HTTP date, which is measured against the
// server's clock where that is known.
func retryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if value == "" {
		return 0
	}
	if seconds, err := strconv.ParseFloat(value, 64); err == nil {
		if !(seconds > 0) || math.IsInf(seconds, 1) { // also not a number
			return 0
		}
		return time.Duration(min(seconds, maxRetryAfter.Seconds()) * float64(time.Second))
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	if now.IsZero() {
		now = time.Now()
	}
	return min(max(at.Sub(now), 0), maxRetryAfter)
}
