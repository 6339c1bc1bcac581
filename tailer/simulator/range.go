package simulator

import (
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

const (
	cookieParam = "_pagedResultsCookie"
	// maxPage is the documented page size limit; a larger wish is cut to it.
	maxPage = 1000
	// maxSpan is the longest time between beginTime and endTime.
	maxSpan = 24 * time.Hour
)

// rangeQuery answers /monitoring/logs: the entries in (beginTime, endTime], page
// by page. An entry that arrives late behind the current page is on none.
func (x *exchange) rangeQuery() (*answer, *failure) {
	matches, failed := parseMatch(x.params)
	if failed != nil {
		return nil, failed
	}
	size, failed := pageSize(x.params)
	if failed != nil {
		return nil, failed
	}
	begin, end, failed := timeSpan(x.params, x.t.options.Now())
	if failed != nil {
		return nil, failed
	}
	from, until := position{time: nanos(begin)}.after(), nanos(end)
	if text := x.params.Get(cookieParam); text != "" {
		// The cookie's end counts: the default of endTime moves with the clock.
		c, ok := x.t.decodeCookie(text, Range, x.sources)
		if !ok {
			return nil, errBadCookie
		}
		from, until = c.last.next(), c.until
	}
	limit := size + 1 // one more tells whether this is the last page
	if matches != nil {
		limit = math.MaxInt
	}
	found, failed := x.find(from, until, limit)
	if failed != nil {
		return nil, failed
	}
	found = filtered(found, matches)
	a := x.pageOf(found[:min(len(found), size)])
	if len(found) > size {
		a.cookie = x.t.encodeCookie(cookie{last: found[size-1].pos, until: until}, Range, x.sources)
	}
	return a, nil
}

// nanos returns t in nanoseconds since 1970, or the nearest number there is.
func nanos(t time.Time) int64 {
	switch year := t.UTC().Year(); {
	case year < 1700:
		return math.MinInt64 + 1
	case year > 2200:
		return math.MaxInt64 - 1
	}
	return t.UnixNano()
}

func pageSize(params url.Values) (int, *failure) {
	text := params.Get("_pageSize")
	if text == "" {
		return maxPage, nil
	}
	size, err := strconv.Atoi(text)
	if err != nil || size < 0 {
		return 0, errBadSize
	}
	if size == 0 { // as if it were not given
		return maxPage, nil
	}
	return min(size, maxPage), nil
}

// timeSpan returns beginTime and endTime with the documented defaults.
func timeSpan(params url.Values, now time.Time) (begin, end time.Time, failed *failure) {
	end = now
	if text := params.Get("endTime"); text != "" {
		var err error
		if end, err = time.Parse(time.RFC3339, text); err != nil {
			return begin, end, errBadEnd
		}
	}
	begin = end.Add(-maxSpan)
	if text := params.Get("beginTime"); text != "" {
		var err error
		if begin, err = time.Parse(time.RFC3339, text); err != nil {
			return begin, end, errBadBegin
		}
	}
	if !begin.Before(end) {
		return begin, end, &failure{http.StatusBadRequest, fmt.Sprintf("Error: Start Time (%s) Must Precede End Time (%s)",
			begin.Format(time.RFC3339Nano), end.Format(time.RFC3339Nano))}
	}
	if span := end.Sub(begin); span > maxSpan {
		days := int64((span + maxSpan - 1) / maxSpan)
		return begin, end, &failure{http.StatusBadRequest, fmt.Sprintf(
			"Error: %d Days Worth Of Data Requested. Cannot Request More Than One Days Worth Of Logs", days)}
	}
	return begin, end, nil
}
