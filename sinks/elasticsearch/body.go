package elasticsearch

import (
	"bytes"

	"github.com/klauspost/compress/gzip"

	"aictail"
)

// keepBody is how large a buffer is kept between requests. A usual batch of 4 MiB
// has some 600 KB compressed; one of random bytes is let go.
const keepBody = 4 << 20

// flushAt is how much text goes to the compressor at once.
const flushAt = 64 << 10

// body builds the body of a _bulk request, compressed while it is built.
type body struct {
	compressed bytes.Buffer
	zip        *gzip.Writer
	text       []byte // not yet compressed
	id         []byte
	size       int64 // of the body before compression
}

// reset begins a new body.
func (b *body) reset() {
	if b.compressed.Cap() > keepBody {
		b.compressed = bytes.Buffer{}
	}
	if cap(b.text) > keepBody {
		b.text = nil
	}
	b.compressed.Reset()
	b.text = b.text[:0]
	b.size = 0
	if b.zip == nil {
		// The network and the server's inflating are seldom what is scarce:
		// the fastest level halves the CPU time for a tenth more bytes. The level
		// is valid, so there is no error.
		b.zip, _ = gzip.NewWriterLevel(&b.compressed, gzip.BestSpeed)
		return
	}
	b.zip.Reset(&b.compressed)
}

// add appends the event's action and document, unless the body would exceed limit;
// the first event always fits.
func (b *body) add(e *aictail.Event, index string, f form, limit int64) bool {
	start := len(b.text)
	b.id = appendID(b.id[:0], e)
	b.text = append(b.text, `{"create":{"_index":"`...)
	b.text = append(b.text, index...)
	b.text = append(b.text, `","_id":`...)
	b.text = appendString(b.text, b.id)
	b.text = append(b.text, "}}\n"...)
	b.text = appendDocument(b.text, e, b.id, f)
	b.text = append(b.text, '\n')
	size := int64(len(b.text) - start)
	if b.size > 0 && b.size+size > limit {
		b.text = b.text[:start]
		return false
	}
	b.size += size
	if len(b.text) >= flushAt {
		b.flush()
	}
	return true
}

// flush compresses the text. Writing to a buffer has no error.
func (b *body) flush() {
	_, _ = b.zip.Write(b.text)
	b.text = b.text[:0]
}

// finish returns the compressed body, which is valid until the next reset.
func (b *body) finish() []byte {
	b.flush()
	_ = b.zip.Close()
	return b.compressed.Bytes()
}
