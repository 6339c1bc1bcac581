package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"aictail"
)

// extent is the part of a segment that may be read.
type extent struct {
	path  string
	first aictail.Position
	// next is the position after the last record before end, or an upper bound
	// of it that no record behind this segment reaches.
	next aictail.Position
	end  int64
	// created bounds the time of the first record from below; zero if unknown.
	created time.Time
}

// scanner reads the records of one segment in order and passes over damage. It
// is used by one goroutine.
type scanner struct {
	extent
	file   File
	report func(Damage)     // gets every damaged part once per scan
	from   aictail.Position // records wholly before it are skipped unread

	off      int64            // where buf begins in the file
	buf      []byte           // bytes read and not yet used, in bufs[active]
	expect   aictail.Position // of the record at off
	appended time.Time        // of the record before off
	// short says that the file ends before the extent does, which ended at whole.
	short bool
	whole int64

	// Two buffers take turns: what the caller still uses of one stays untouched
	// while the other is filled. fills counts the turns.
	bufs   [2][]byte
	active int
	fills  int
	chunk  int // how much to read at once
}

// minChunk is read at once at least: large enough that system calls don't count,
// small enough that a dozen sinks need no memory to speak of.
const minChunk = 256 << 10

// errMore says that the scanner would have to read while it must not.
var errMore = errors.New("more bytes are needed")

// reset starts at the beginning of a segment; the buffers are kept.
func (s *scanner) reset(file File, e extent, from aictail.Position) error {
	size, err := file.Size()
	if err != nil {
		return fmt.Errorf("read journal segment: %w", err)
	}
	s.file, s.extent, s.from = file, e, from
	s.off, s.buf, s.expect, s.appended = segmentHeaderSize, nil, e.first, e.created
	s.short = false
	s.limit(size)
	return nil
}

// limit notes that the file has only size bytes.
func (s *scanner) limit(size int64) {
	if size >= s.end {
		return
	}
	if !s.short {
		s.short, s.whole = true, s.end
	}
	s.end = size
}

// next returns the next healthy record and its bytes, which are valid until the
// second fill from now; io.EOF at the end of the extent. If fill is false it
// returns errMore rather than read from the file. After any other error it may
// be called again.
func (s *scanner) next(fill bool) (recordHeader, []byte, error) {
	for s.off < s.end {
		if err := s.need(recordHeaderSize, fill); err != nil {
			return recordHeader{}, nil, err
		}
		h, err := parseRecordHeader(s.buf)
		if err == nil && h.first != s.expect {
			err = fmt.Errorf("record header: %w: position %d instead of %d", errDamaged, h.first, s.expect)
		}
		if err == nil && h.next() > s.extent.next {
			err = fmt.Errorf("record header: %w: position %d lies behind the segment's last", errDamaged, h.first)
		}
		if err != nil {
			if !fill {
				return recordHeader{}, nil, errMore
			}
			if err := s.resync(err); err != nil {
				return recordHeader{}, nil, err
			}
			continue
		}
		if h.next() <= s.from && int64(h.size) <= s.end-s.off {
			s.pass(&h)
			continue
		}
		if err := s.need(h.size, fill); err != nil {
			return recordHeader{}, nil, err
		}
		rec := s.buf[:min(h.size, len(s.buf))]
		damage := s.verify(&h, rec)
		at := s.off
		s.pass(&h)
		if damage != nil {
			damage.Offset = at
			s.report(*damage)
			continue
		}
		return h, rec, nil
	}
	return recordHeader{}, nil, s.finish()
}

// finish reports what a file that ends too early has lost. Records that are
// written later begin where the lost ones were to end.
func (s *scanner) finish() error {
	if !s.short {
		return io.EOF
	}
	if s.expect < s.extent.next {
		s.report(Damage{
			File: s.path, Offset: s.off, First: s.expect, Next: s.extent.next, AppendedFrom: s.appended,
			Err: fmt.Errorf("segment: %w: the file is cut short", errDamaged),
		})
		s.expect = s.extent.next
	}
	s.short, s.off, s.end, s.buf = false, s.whole, s.whole, nil
	return io.EOF
}

// verify returns what is wrong with a record whose header is right, or nil.
func (s *scanner) verify(h *recordHeader, rec []byte) *Damage {
	d := &Damage{
		File: s.path, First: h.first, Next: h.next(), From: h.earliest, To: h.latest,
		AppendedFrom: h.appended, AppendedTo: h.appended,
	}
	if len(rec) < h.size {
		d.Err = fmt.Errorf("record: %w: the file is cut short", errDamaged)
		return d
	}
	stream, _, ok := h.head(rec)
	if !ok {
		d.Err = fmt.Errorf("record's stream and checkpoint: %w: wrong checksum", errDamaged)
		return d
	}
	if _, ok := h.body(rec); !ok {
		d.Stream = string(stream)
		d.Err = fmt.Errorf("record: %w: wrong checksum", errDamaged)
		return d
	}
	return nil
}

// pass moves behind a record.
func (s *scanner) pass(h *recordHeader) {
	s.expect, s.appended = h.next(), h.appended
	s.move(min(s.off+int64(h.size), s.end))
}

// move continues at offset off, which is not before the current one.
func (s *scanner) move(off int64) {
	if n := off - s.off; n < int64(len(s.buf)) {
		s.buf = s.buf[n:]
	} else {
		s.buf = nil
	}
	s.off = off
}

// need makes the next n bytes available in buf, or as many as the extent has.
func (s *scanner) need(n int, fill bool) error {
	n = int(min(int64(n), s.end-s.off))
	if len(s.buf) >= n {
		return nil
	}
	if !fill {
		return errMore
	}
	return s.fill(n)
}

// fill makes n bytes available and reads ahead. The bytes of the active buffer
// stay as they are. After an error nothing has changed.
func (s *scanner) fill(n int) error {
	want := int(min(int64(max(n, s.chunk, minChunk)), s.end-s.off))
	b := s.bufs[1-s.active]
	if usual := max(want, s.chunk, minChunk); cap(b) < want || cap(b) > 4*usual {
		// Doubling, so that a reader of a quiet journal needs little memory.
		b = make([]byte, min(max(2*want, 4<<10), usual))
	}
	b = b[:want]
	have := copy(b, s.buf)
	got, err := readFull(s.file, b[have:], s.off+int64(have))
	if err != nil {
		return fmt.Errorf("read journal segment: %w; %s", err, advice(err))
	}
	if have+got < want {
		s.limit(s.off + int64(have+got))
	}
	s.active = 1 - s.active
	s.bufs[s.active], s.buf = b, b[:have+got]
	s.fills++
	return nil
}

// readFull is ReadAt without an error for a file that ends early.
func readFull(file File, b []byte, off int64) (int, error) {
	n, err := file.ReadAt(b, off)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

// resync reports the damaged place at the current offset and moves to the next
// record, or to the end if there is none. After an error nothing has changed.
func (s *scanner) resync(cause error) error {
	off, h, err := s.search()
	if err != nil {
		return err
	}
	d := Damage{
		File: s.path, Offset: s.off, First: s.expect, Next: s.extent.next,
		AppendedFrom: s.appended, Err: cause,
	}
	if off < s.end {
		d.Next, d.AppendedTo = h.first, h.appended
	}
	if d.First < d.Next {
		s.report(d)
	}
	s.expect = d.Next
	s.move(off)
	return nil
}

// search looks for the next record header behind the current offset and returns
// where it is, or the end of the extent.
func (s *scanner) search() (int64, recordHeader, error) {
	b := make([]byte, min(minChunk, s.end-s.off))
	for off := s.off + 1; off < s.end; {
		chunk := b[:min(int64(len(b)), s.end-off)]
		n, err := readFull(s.file, chunk, off)
		if err != nil {
			return 0, recordHeader{}, fmt.Errorf("read journal segment: %w; %s", err, advice(err))
		}
		chunk = chunk[:n]
		if n < recordHeaderSize {
			break
		}
		// A header may lie across two chunks: only places with a whole header in
		// the chunk are looked at, the others come with the next one.
		last := n - recordHeaderSize + 1
		for at := 0; at < last; at++ {
			i := bytes.Index(chunk[at:last+len(recordMagic)-1], []byte(recordMagic))
			if i < 0 {
				break
			}
			at += i
			h, err := parseRecordHeader(chunk[at:])
			if err == nil && h.first > s.expect && h.next() <= s.extent.next && off+int64(at+h.size) <= s.end {
				return off + int64(at), h, nil
			}
		}
		off += int64(last)
	}
	return s.end, recordHeader{}, nil
}

// malformed describes the record just returned, whose checksums are right and
// whose content is not.
func (s *scanner) malformed(h *recordHeader, err error) Damage {
	return Damage{
		File: s.path, Offset: s.off - int64(h.size), First: h.first, Next: h.next(), From: h.earliest, To: h.latest,
		AppendedFrom: h.appended, AppendedTo: h.appended, Err: err,
	}
}
