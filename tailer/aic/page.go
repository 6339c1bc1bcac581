package aic

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// MaxEntry is the size in bytes of the largest entry, 64 MiB. Elasticsearch takes
// requests of 100 MB, HEC far smaller ones: what is larger than this could not
// be delivered anyway. A page with such an entry fails with ErrBody.
const MaxEntry = 64 << 20

// limits bound a page's memory. They differ from defaultLimits in tests only.
type limits struct {
	chunk   int   // bytes of body that are scanned at a time
	entries int   // entries handed out at a time
	entry   int   // size of the largest entry
	body    int64 // size of the largest body, inflated
}

func defaultLimits() limits {
	return limits{
		// A page of 15,000 entries of 750 bytes comes in eleven chunks: few enough
		// that work per chunk is nothing, and small enough to stay near the CPU.
		chunk: 1 << 20,
		// Twice as many as a chunk of ordinary entries holds. It only takes effect
		// on tiny ones, of which a chunk would need a hundred times the memory.
		entries: 4096,
		entry:   MaxEntry,
		// A tail answer has at most 15,000 lines: 1 GiB is reached when they are
		// 70 KB long on average, a hundred times the usual.
		body: 1 << 30,
	}
}

// errUnread is a page's error until its end has been seen.
var errUnread = errors.New("the page has not been read to its end")

// Page is one answer of the log API whose body is scanned while it arrives.
// Next yields its entries in chunks. It is not safe for concurrent use.
//
// Entries that were handed out are whole and as the tenant sent them even if
// the page later fails; the cookie counts only if it does not.
type Page struct {
	client  *Client
	path    string
	caller  context.Context // the caller's, to tell its end from a time-out
	request context.Context
	cancel  context.CancelFunc
	body    io.ReadCloser

	buf   *buffers // nil once closed
	infer *inference
	quota Quota

	state     state
	pos       int   // index of the first byte not scanned
	base      int64 // offset in the body of the buffer's first byte
	ended     bool  // the body has ended
	hasResult bool
	cookie    string
	entries   []Entry
	count     int
	err       error
}

// Next scans the next chunk of entries, reading about 1 MiB of body if need be.
// It returns false at the end and on failure; Err tells which.
func (p *Page) Next() bool {
	p.entries = p.entries[:0]
	for p.buf != nil && p.state != finished {
		if p.scan(); len(p.entries) > 0 {
			p.count += len(p.entries)
			return true
		}
		if p.state != finished {
			p.read()
		}
	}
	return false
}

// Entries returns the entries of the chunk that Next scanned, valid until the
// next call of Next or Close.
func (p *Page) Entries() []Entry { return p.entries }

// Err returns nil only if the whole body was read, is one JSON object of a
// page's shape, and ended properly.
func (p *Page) Err() error { return p.err }

// Cookie returns the page's pagedResultsCookie, or "" if that is null or
// missing. It is known only when Next has returned false and Err is nil.
func (p *Page) Cookie() string {
	if p.err != nil {
		return ""
	}
	return p.cookie
}

// Count returns the number of entries so far.
func (p *Page) Count() int { return p.count }

// Quota returns what the answer's headers say about the rate limit.
func (p *Page) Quota() Quota { return p.quota }

// Close ends the request and releases the page's buffer. A connection whose
// answer was not read to its end is given up. It is safe to call it twice.
func (p *Page) Close() error {
	if p.buf == nil {
		return nil
	}
	p.cancel()
	err := p.body.Close()
	p.buf.entries, p.entries = p.entries[:0], nil
	p.client.recycle(p.buf)
	p.buf = nil
	if err != nil {
		return fmt.Errorf("GET %s: close the answer: %w", p.path, err)
	}
	return nil
}

// read moves what has not been scanned to the front of the buffer and fills it
// up, growing it if an entry does not fit.
func (p *Page) read() {
	s := &p.buf.scan
	kept := copy(s.b, s.b[p.pos:s.n])
	p.base += int64(p.pos)
	p.pos, s.n = 0, kept
	if s.n == len(s.b)-pad && !p.buf.grow(p.client.limits.entry) {
		p.end(p.badBody(0, fmt.Sprintf("an entry larger than %d bytes", p.client.limits.entry)))
		return
	}
	err := p.buf.fill()
	if p.base+int64(s.n) > p.client.limits.body {
		p.end(p.badBody(0, fmt.Sprintf("the body is larger than %d bytes: ask for a smaller page", p.client.limits.body)))
		return
	}
	switch {
	case errors.Is(err, io.EOF):
		p.ended = true
	case err != nil:
		p.end(p.readError(err))
	}
}

// end finishes the page. It returns -1 for the convenience of the scanners.
func (p *Page) end(err error) int {
	p.state, p.err = finished, err
	return -1
}

// badBody is an error at an index of the buffer. It never quotes the body.
func (p *Page) badBody(i int64, reason string) error {
	return fmt.Errorf("GET %s: %w: byte %d: %s", p.path, ErrBody, p.base+i, reason)
}

func (p *Page) cutOff() error {
	total := p.base + int64(p.buf.scan.n)
	if total == 0 {
		return fmt.Errorf("GET %s: %w: the body is empty", p.path, ErrBody)
	}
	return fmt.Errorf("GET %s: %w: cut off after %d bytes", p.path, ErrBody, total)
}

// readError says why the body could not be read further.
func (p *Page) readError(err error) error {
	total := p.base + int64(p.buf.scan.n)
	switch {
	case p.caller.Err() != nil:
		return fmt.Errorf("GET %s: read the answer: %w", p.path, p.caller.Err())
	case p.request.Err() != nil:
		return fmt.Errorf("GET %s: %w: not complete within %s: %w", p.path, ErrBody, p.client.timeout, context.DeadlineExceeded)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("GET %s: %w: cut off after %d bytes", p.path, ErrBody, total)
	}
	return fmt.Errorf("GET %s: %w: cut off after %d bytes: %w", p.path, ErrBody, total, err)
}
