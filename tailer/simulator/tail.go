package simulator

import (
	"math"
	"time"
)

// firstTail is what a tail without a cookie goes back.
const firstTail = 15 * time.Second

// tail answers /monitoring/logs/tail: from the last returned entry, inclusive,
// to the latest but one.
//
// The first answer holds back the latest entry too. While there is nothing to
// return, the cookie stands for the start of the first answer's time, so that an
// entry held back is returned when another follows. The documentation says
// neither.
func (x *exchange) tail() (*answer, *failure) {
	options := &x.t.options
	matches, failed := parseMatch(x.params)
	if failed != nil {
		return nil, failed
	}
	last := position{time: nanos(options.Now().Add(-firstTail))}
	if text := x.params.Get(cookieParam); text != "" {
		c, ok := x.t.decodeCookie(text, Tail, x.sources)
		if !ok {
			return nil, errBadCookie
		}
		last = c.last
	}
	limit := math.MaxInt
	if matches == nil && !options.TailSkips {
		limit = options.TailCap + 1 // the one more is held back
	}
	found, failed := x.find(last, math.MaxInt64, limit)
	if failed != nil {
		return nil, failed
	}
	found = filtered(found, matches)
	if len(found) > 0 && !options.ShowLast {
		found = found[:len(found)-1]
	}
	if over := len(found) - options.TailCap; over > 0 {
		if options.TailSkips {
			found = found[over:]
		} else {
			found = found[:options.TailCap]
		}
	}
	if len(found) > 0 {
		last = found[len(found)-1].pos
	}
	a := x.pageOf(found)
	if x.t.happens(options.MissingCookie) {
		a.noCookie = true
	} else {
		a.cookie = x.t.encodeCookie(cookie{last: last}, Tail, x.sources)
	}
	return a, nil
}

// happens is true for the given share of its calls.
func (t *Tenant) happens(share float64) bool {
	if share == 0 {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.chance.Float64() < share
}
