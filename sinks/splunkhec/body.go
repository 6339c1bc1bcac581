package splunkhec

import (
	"bytes"
	"io"
	"net/http"
	"sync"
)

// body is the body of a request. The transport may go on reading it after the
// request has been answered or given up; released says when it does not.
type body struct {
	data []byte

	mu      sync.Mutex // guards the rest
	open    int        // readers that are not closed
	started bool       // some of it was read, so it may have been sent
}

// reader returns a new reader from the beginning, as http.Request.GetBody wants it.
func (b *body) reader() (io.ReadCloser, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open++
	return &bodyReader{body: b, rest: bytes.NewReader(b.data)}, nil
}

func (b *body) released() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.open == 0
}

// maybeSent says whether the server may have any of the body.
func (b *body) maybeSent() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.started
}

type bodyReader struct {
	body   *body
	rest   *bytes.Reader // guarded by body.mu
	closed bool          // guarded by body.mu
}

// Read reads under the lock, so that nobody reads once Close has returned.
func (r *bodyReader) Read(p []byte) (int, error) {
	r.body.mu.Lock()
	defer r.body.mu.Unlock()
	if r.closed {
		return 0, http.ErrBodyReadAfterClose
	}
	r.body.started = true
	return r.rest.Read(p)
}

func (r *bodyReader) Close() error {
	r.body.mu.Lock()
	defer r.body.mu.Unlock()
	if !r.closed {
		r.closed = true
		r.body.open--
	}
	return nil
}
