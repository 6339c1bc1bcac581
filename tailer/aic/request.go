package aic

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	pathSources = "/monitoring/logs/sources"
	pathTail    = "/monitoring/logs/tail"
	pathRange   = "/monitoring/logs"
	pathHealth  = "/monitoring/health"

	// maxSources bounds the list of sources. Tenants are known to have 14 to 22.
	maxSources = 1000
)

// TailRequest asks for what was logged since the page that Cookie came from.
type TailRequest struct {
	// Sources is one source or several separated by commas.
	Sources string
	// Cookie of the page before; "" begins 15 seconds back.
	Cookie string
	// Filter is sent as _queryFilter; "" for none.
	Filter string
}

// RangeRequest asks for one page of what was logged between two times.
type RangeRequest struct {
	// Sources is one source or several separated by commas.
	Sources string
	// Begin and End bound the entries' timestamps, at most 24 h apart. Whether
	// the bounds themselves belong to the window is not reliable: overlap
	// windows. The zero time leaves the bound to the server.
	Begin, End time.Time
	// PageSize is the number of entries wanted, 1000 at most by the vendor's
	// advice; 0 leaves it to the server.
	PageSize int
	// Cookie of the page before; "" for the first page.
	Cookie string
	// Filter is sent as _queryFilter; "" for none.
	Filter string
}

// Tail requests one page of the tail endpoint. The page must be closed.
func (c *Client) Tail(ctx context.Context, r TailRequest) (*Page, error) {
	return c.page(ctx, pathTail, r.Sources, pageQuery(r.Sources, r.Cookie, r.Filter))
}

// Range requests one page of a range query. The page must be closed. Its
// Cookie is "" on the last page.
func (c *Client) Range(ctx context.Context, r RangeRequest) (*Page, error) {
	q := pageQuery(r.Sources, r.Cookie, r.Filter)
	if !r.Begin.IsZero() {
		q.Set("beginTime", r.Begin.UTC().Format(time.RFC3339Nano))
	}
	if !r.End.IsZero() {
		q.Set("endTime", r.End.UTC().Format(time.RFC3339Nano))
	}
	if r.PageSize > 0 {
		q.Set("_pageSize", strconv.Itoa(r.PageSize))
	}
	return c.page(ctx, pathRange, r.Sources, q)
}

// Sources returns the log sources that the tenant offers, in its order. Some of
// them may never hold an entry. The quota is that of the answer, also of one
// that is an error.
func (c *Client) Sources(ctx context.Context) ([]string, Quota, error) {
	page, err := c.open(ctx, pathSources, "", nil)
	if err != nil {
		if status, ok := errors.AsType[*StatusError](err); ok {
			return nil, status.Quota, err
		}
		return nil, Quota{}, err
	}
	defer page.Close()
	var names []string
	for page.Next() {
		for _, e := range page.Entries() {
			var name string
			if e.Raw[0] != '"' || json.Unmarshal(e.Raw, &name) != nil {
				return nil, page.Quota(), fmt.Errorf("GET %s: %w: the list of sources holds something other than names", pathSources, ErrBody)
			}
			if len(names) == maxSources {
				return nil, page.Quota(), fmt.Errorf("GET %s: %w: more than %d sources", pathSources, ErrBody, maxSources)
			}
			names = append(names, name)
		}
	}
	if err := page.Err(); err != nil {
		return nil, page.Quota(), err
	}
	return names, page.Quota(), nil
}

// Health asks the tenant's public health check. It returns nil if all critical
// services are well, and an error that matches ErrServer if not. The API key
// is not sent and the rate limit not touched.
func (c *Client) Health(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	resp, err := c.get(ctx, pathHealth, "", false) //nolint:bodyclose // discard and statusError close it
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %w", pathHealth, c.statusError(resp, quotaOf(resp.Header)))
	}
	discard(resp.Body)
	return nil
}

func pageQuery(sources, cookie, filter string) url.Values {
	q := url.Values{"source": {sources}}
	if cookie != "" {
		q.Set("_pagedResultsCookie", cookie)
	}
	if filter != "" {
		q.Set("_queryFilter", filter)
	}
	return q
}

func (c *Client) page(ctx context.Context, path, sources string, query url.Values) (*Page, error) {
	if strings.Trim(sources, ", ") == "" {
		return nil, fmt.Errorf("GET %s: no source given: name at least one, such as am-access", path)
	}
	return c.open(ctx, path, sources, query)
}

// open sends the request and returns the page whose body is to be read.
func (c *Client) open(ctx context.Context, path, sources string, query url.Values) (*Page, error) {
	reqCtx, cancel := context.WithTimeout(ctx, c.timeout)
	// Encode writes spaces as "+", which some servers leave alone; it has
	// escaped real plus signs, so every one left is a space.
	resp, err := c.get(reqCtx, path, strings.ReplaceAll(query.Encode(), "+", "%20"), true) //nolint:bodyclose // the page closes it
	if err != nil {
		timedOut := reqCtx.Err() != nil && ctx.Err() == nil
		cancel()
		if timedOut {
			return nil, fmt.Errorf("GET %s: no answer within %s: %w", path, c.timeout, context.DeadlineExceeded)
		}
		return nil, err
	}
	quota := quotaOf(resp.Header)
	if resp.StatusCode != http.StatusOK {
		err := fmt.Errorf("GET %s: %w", path, c.statusError(resp, quota))
		cancel()
		return nil, err
	}
	p := &Page{
		client: c, path: path, caller: ctx, request: reqCtx, cancel: cancel,
		body: resp.Body, quota: quota, infer: newInference(sources),
		err: errUnread,
	}
	p.buf = c.buffers.Get().(*buffers)
	p.buf.reset(resp.Body)
	p.entries = p.buf.entries[:0]
	return p, nil
}
