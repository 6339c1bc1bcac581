package kafka

import (
	"bytes"
	"io"
	"strconv"

	kafkago "github.com/segmentio/kafka-go"

	"aictail"
)

// The names of a record's headers are permanent: consumers rely on them, and
// the sink itself on headerPosition and headerOrigin.
const (
	headerID       = "aictail-id"
	headerPosition = "aictail-position"
	headerSource   = "aictail-source"
	headerTenant   = "aictail-tenant"
	// headerOrigin tells our positions from those of other installations and
	// sinks that write to the same topic.
	headerOrigin = "aictail-origin"
)

const (
	// batchOverhead is the size of a record batch without records.
	batchOverhead = 61
	// recordOverhead bounds what a record adds to key, value and the values of
	// its headers: attributes, deltas, the lengths as varints of at most 5 bytes
	// and the names of the headers.
	recordOverhead = 5 + 1 + 10 + 5 + 5 + 5 + 1 + 5*(1+5) +
		len(headerID) + len(headerPosition) + len(headerSource) + len(headerTenant) + len(headerOrigin)
	// maxPosition is how long a position is in decimal.
	maxPosition = 20
)

// recordReader hands events of a batch to kafkago as records, in order. The
// record that ReadRecord returns is overwritten by the next call; the bytes are
// the events' own. It does not allocate per event.
type recordReader struct {
	events []aictail.Event
	keys   [][]byte
	items  []int // indices into events and keys
	at     int

	record     kafkago.Record
	key, value bytesReader
	headers    [5]kafkago.Header
	position   [maxPosition]byte
	source     []byte
	tenant     []byte
}

func newRecordReader(b *batch, items []int, origin []byte) *recordReader {
	r := &recordReader{events: b.events, keys: b.keys, items: items}
	// Not nil: an event without a source has an empty header, not a null one.
	r.source, r.tenant = make([]byte, 0, 64), make([]byte, 0, 64)
	r.headers = [...]kafkago.Header{
		{Key: headerID}, {Key: headerPosition}, {Key: headerSource}, {Key: headerTenant},
		{Key: headerOrigin, Value: origin},
	}
	return r
}

// ReadRecord implements kafkago.RecordReader.
func (r *recordReader) ReadRecord() (*kafkago.Record, error) {
	if r.at == len(r.items) {
		return nil, io.EOF
	}
	i := r.items[r.at]
	r.at++
	e := &r.events[i]
	r.source = append(r.source[:0], e.Source...)
	r.tenant = append(r.tenant[:0], e.Tenant...)
	r.headers[0].Value = e.ID
	r.headers[1].Value = strconv.AppendUint(r.position[:0], uint64(e.Position), 10)
	r.headers[2].Value = r.source
	r.headers[3].Value = r.tenant
	r.value.Reset(e.Raw)
	r.record = kafkago.Record{Time: e.Time, Value: &r.value, Headers: r.headers[:]}
	if key := r.keys[i]; key != nil {
		r.key.Reset(key)
		r.record.Key = &r.key
	}
	return &r.record, nil
}

// bytesReader is a kafkago.Bytes that can be used again.
type bytesReader struct{ bytes.Reader }

// Close implements kafkago.Bytes.
func (*bytesReader) Close() error { return nil }

// recordSize returns an upper bound of the bytes that an event takes in a record
// batch before compression.
func recordSize(e *aictail.Event, key, origin []byte) int {
	return recordOverhead + len(e.ID) + maxPosition + len(e.Source) + len(e.Tenant) + len(origin) + len(key) + len(e.Raw)
}
