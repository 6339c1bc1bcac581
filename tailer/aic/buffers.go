package aic

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/klauspost/compress/gzip"
)

const (
	// networkBuffer is between the connection and the inflater. TLS records and
	// HTTP/2 frames have 16 KiB: four of them at a time.
	networkBuffer = 64 << 10
	// maxPooled times the chunk is the largest buffer that is kept for the next
	// page. A page with one huge entry must not cost its memory for good.
	maxPooled = 4
	// maxEmptyReads in a row without an error mean that a transport is broken.
	maxEmptyReads = 100
)

// buffers is all the memory that a page needs. Pages take it from their
// client's pool and give it back when they are closed.
type buffers struct {
	scan    scanner
	members members
	entries []Entry
	sources intern
	types   intern

	network *bufio.Reader
	inflate *gzip.Reader // nil before the first compressed page
	from    io.Reader    // network or inflate; nil before the first fill
}

func newBuffers(chunk int) *buffers {
	b := &buffers{
		network: bufio.NewReaderSize(nil, networkBuffer),
		sources: intern{known: make(map[string]string)},
		types:   intern{known: make(map[string]string)},
	}
	b.scan.b = make([]byte, chunk+pad)
	return b
}

// reset readies the buffers for a body.
func (b *buffers) reset(body io.Reader) {
	b.network.Reset(body)
	b.from = nil
	b.scan.n = 0
	clear(b.scan.b[:pad])
}

// fill reads until the buffer is full. It returns io.EOF at the body's proper
// end.
func (b *buffers) fill() error {
	s := &b.scan
	err := b.open()
	for empty := 0; err == nil && s.n < len(s.b)-pad; {
		var n int
		n, err = b.from.Read(s.b[s.n : len(s.b)-pad])
		s.n += n
		if empty++; n > 0 {
			empty = 0
		}
		if empty == maxEmptyReads && err == nil {
			err = io.ErrNoProgress
		}
	}
	clear(s.b[s.n : s.n+pad])
	return err
}

// open finds out whether the body is compressed. It looks at the body itself:
// no JSON begins like gzip, and there are proxies that inflate a body and leave
// the Content-Encoding header, or the other way round.
func (b *buffers) open() error {
	if b.from != nil {
		return nil
	}
	head, err := b.network.Peek(len(gzipMagic))
	if err != nil && err != io.EOF {
		return err
	}
	if !isGzip(head) {
		b.from = b.network
		return nil
	}
	if b.inflate == nil {
		b.inflate = new(gzip.Reader)
	}
	if err := b.inflate.Reset(b.network); err != nil {
		if errors.Is(err, io.EOF) { // within the header
			return io.ErrUnexpectedEOF
		}
		return err
	}
	b.from = b.inflate
	return nil
}

const gzipMagic = "\x1f\x8b"

func isGzip(head []byte) bool { return bytes.HasPrefix(head, []byte(gzipMagic)) }

// grow doubles the buffer, up to room for an entry of the given size. It
// returns false if the buffer is that large already.
func (b *buffers) grow(entry int) bool {
	s := &b.scan
	size := min(2*(len(s.b)-pad), entry)
	if size <= s.n {
		return false
	}
	larger := make([]byte, size+pad)
	copy(larger, s.b[:s.n])
	s.b = larger
	return true
}

// recycle keeps the buffers for the client's next page.
func (c *Client) recycle(b *buffers) {
	if len(b.scan.b) > maxPooled*c.limits.chunk+pad {
		return
	}
	b.network.Reset(nil) // let go of the connection
	b.from = nil
	clear(b.entries[:cap(b.entries)]) // they may hold a buffer from before grow
	c.buffers.Put(b)
}
