package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"strconv"
	"strings"
	"time"

	"aictail"
)

// The format of a segment file, version 1. It is permanent: later versions read
// it. All numbers are little-endian; checksums are CRC-32C.
//
// The file is named by the first position that it may hold, 20 decimal digits and
// ".log". It begins with a header of 64 bytes:
//
//	 0  8 bytes  "aicjrnl\n"
//	 8  uint32   version, 1
//	12  uint32   0
//	16  uint64   first position that the segment may hold
//	24  uint64   first position of the previous segment; 0: there was none
//	32  uint64   where the previous segment ends, in bytes; what is behind is void
//	40  int64    creation, nanoseconds since 1970
//	48  12 bytes 0
//	60  uint32   checksum of bytes 0 to 59
//
// Magic, version and checksum stay in their places in all versions. Records
// follow without gaps. A record takes max(count, 1) positions, and the positions
// of a segment's records follow one another without gaps too:
//
//	 0  4 bytes  ff 61 6a fe; 0xff and 0xfe never occur in UTF-8 text
//	 4  uint32   length of the stream's name
//	 8  uint32   length of the checkpoint + 1; 0: the record has none
//	12  uint32   length of all ids
//	16  uint32   length of all raw bytes
//	20  uint32   length of the string table
//	24  uint32   count: number of events
//	28  uint32   checksum of stream and checkpoint
//	32  uint32   checksum of the body
//	36  uint32   earliest event time, nanoseconds in the second
//	40  uint32   latest event time, nanoseconds in the second
//	44  uint32   0
//	48  uint64   first position
//	56  uint64   offset up to which the segment was durable at the time of writing
//	64  int64    time of writing, nanoseconds since 1970
//	72  int64    earliest event time, seconds since 1970
//	80  int64    latest event time, seconds since 1970
//	88  uint32   checksum of bytes 0 to 87
//	92           stream, checkpoint, then the body
//
// The body is the event table, the ids, the raw bytes and the string table. The
// string table is a sequence of (uint32 length, bytes). An entry of the event
// table has 40 bytes:
//
//	 0  uint32 length of the id          20  uint32 time, nanoseconds in the second
//	 4  uint32 tenant, string index      24  int64  time, seconds since 1970
//	 8  uint32 source, string index      32  uint32 payload start in the raw bytes
//	12  uint32 type, string index        36  uint32 payload end in the raw bytes
//	16  uint32 length of the raw bytes
const (
	segmentMagic      = "aicjrnl\n"
	segmentVersion    = 1
	segmentHeaderSize = 64
	segmentSuffix     = ".log"

	recordMagic      = "\xffaj\xfe"
	recordHeaderSize = 92
	eventEntrySize   = 40

	// maxRecord bounds what a reader must hold in memory at once. Callers write
	// chunks of about 1 MiB; the tenant's largest answer is a few tens of MiB.
	maxRecord = 64 << 20
	// maxStream bounds a stream's name; names are tens of bytes long.
	maxStream = 1 << 16
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

var le = binary.LittleEndian

// errDamaged is the common root of everything that is wrong with stored bytes.
var errDamaged = errors.New("damaged")

// segmentHeader is the decoded header of a segment file.
type segmentHeader struct {
	first     aictail.Position
	prevFirst aictail.Position
	prevEnd   int64
	created   time.Time
}

func (h segmentHeader) encode() []byte {
	b := make([]byte, segmentHeaderSize)
	copy(b, segmentMagic)
	le.PutUint32(b[8:], segmentVersion)
	le.PutUint64(b[16:], uint64(h.first))
	le.PutUint64(b[24:], uint64(h.prevFirst))
	le.PutUint64(b[32:], uint64(h.prevEnd))
	le.PutUint64(b[40:], uint64(h.created.UnixNano()))
	le.PutUint32(b[60:], checksum(b[:60]))
	return b
}

// versionError says that a newer aictail wrote the file. It is not damage.
type versionError uint32

func (e versionError) Error() string {
	return fmt.Sprintf("segment format version %d is unknown to this aictail, which reads version %d: install the version that wrote it, or a newer one",
		uint32(e), segmentVersion)
}

// parseSegmentHeader returns errDamaged or a versionError if b is not the header
// of the segment named first.
func parseSegmentHeader(b []byte, first aictail.Position) (segmentHeader, error) {
	if len(b) < segmentHeaderSize || string(b[:8]) != segmentMagic {
		return segmentHeader{}, fmt.Errorf("segment header: %w: not a journal segment", errDamaged)
	}
	if le.Uint32(b[60:]) != checksum(b[:60]) {
		return segmentHeader{}, fmt.Errorf("segment header: %w: wrong checksum", errDamaged)
	}
	if v := le.Uint32(b[8:]); v != segmentVersion {
		return segmentHeader{}, versionError(v)
	}
	h := segmentHeader{
		first:     aictail.Position(le.Uint64(b[16:])),
		prevFirst: aictail.Position(le.Uint64(b[24:])),
		prevEnd:   int64(le.Uint64(b[32:])),
		created:   time.Unix(0, int64(le.Uint64(b[40:]))),
	}
	if h.first != first || h.prevFirst >= h.first || h.prevEnd < 0 {
		return segmentHeader{}, fmt.Errorf("segment header: %w: does not belong to this file name", errDamaged)
	}
	return h, nil
}

func segmentName(first aictail.Position) string {
	return fmt.Sprintf("%020d%s", uint64(first), segmentSuffix)
}

// parseSegmentName returns false for names that are not segments.
func parseSegmentName(name string) (aictail.Position, bool) {
	digits, ok := strings.CutSuffix(name, segmentSuffix)
	if !ok || len(digits) != 20 {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || n == 0 || digits[0] == '+' {
		return 0, false
	}
	return aictail.Position(n), true
}

// recordHeader is the decoded fixed part of a record.
type recordHeader struct {
	streamLen, checkpointLen    int // checkpointLen is -1 without a checkpoint
	idsLen, rawsLen, stringsLen int
	count                       int
	headCRC, bodyCRC            uint32
	first                       aictail.Position
	durable                     int64
	appended                    time.Time
	earliest, latest            time.Time
	size                        int // of the record as a whole
	bodyStart, tableLen         int
}

// next returns the position after the record.
func (h *recordHeader) next() aictail.Position { return h.first + aictail.Position(max(h.count, 1)) }

// head returns stream and checkpoint of the record whose bytes are rec. ok is
// false if they are damaged. Both point into rec.
func (h *recordHeader) head(rec []byte) (stream, checkpoint []byte, ok bool) {
	b := rec[recordHeaderSize:h.bodyStart]
	if checksum(b) != h.headCRC {
		return nil, nil, false
	}
	if h.checkpointLen >= 0 {
		checkpoint = b[h.streamLen:]
	}
	return b[:h.streamLen], checkpoint, true
}

// body returns the body of the record whose bytes are rec, or false if it is damaged.
func (h *recordHeader) body(rec []byte) ([]byte, bool) {
	b := rec[h.bodyStart:h.size]
	return b, checksum(b) == h.bodyCRC
}

// parseRecordHeader reads the fixed part of a record, which b begins with.
func parseRecordHeader(b []byte) (recordHeader, error) {
	if len(b) < recordHeaderSize {
		return recordHeader{}, fmt.Errorf("record header: %w: cut short", errDamaged)
	}
	if string(b[:4]) != recordMagic {
		return recordHeader{}, fmt.Errorf("record header: %w: no record begins here", errDamaged)
	}
	if le.Uint32(b[88:]) != checksum(b[:88]) {
		return recordHeader{}, fmt.Errorf("record header: %w: wrong checksum", errDamaged)
	}
	h := recordHeader{
		headCRC:  le.Uint32(b[28:]),
		bodyCRC:  le.Uint32(b[32:]),
		first:    aictail.Position(le.Uint64(b[48:])),
		durable:  int64(le.Uint64(b[56:])),
		appended: time.Unix(0, int64(le.Uint64(b[64:]))),
	}
	var total uint64 = recordHeaderSize
	for _, f := range []struct {
		at   int
		unit uint64
		to   *int
	}{
		{4, 1, &h.streamLen}, {8, 1, &h.checkpointLen}, {12, 1, &h.idsLen},
		{16, 1, &h.rawsLen}, {20, 1, &h.stringsLen}, {24, eventEntrySize, &h.count},
	} {
		v := uint64(le.Uint32(b[f.at:]))
		total += v * f.unit
		*f.to = int(v)
	}
	// The checkpoint's length is stored plus one.
	h.checkpointLen--
	total -= uint64(min(h.checkpointLen+1, 1))
	if total > maxRecord || h.streamLen > maxStream || h.first == 0 || uint64(h.first) > math.MaxUint64-maxRecord {
		return recordHeader{}, fmt.Errorf("record header: %w: impossible lengths", errDamaged)
	}
	h.size = int(total)
	h.bodyStart = recordHeaderSize + h.streamLen + max(h.checkpointLen, 0)
	h.tableLen = h.count * eventEntrySize
	if h.count > 0 {
		h.earliest = time.Unix(int64(le.Uint64(b[72:])), int64(le.Uint32(b[36:]))).UTC()
		h.latest = time.Unix(int64(le.Uint64(b[80:])), int64(le.Uint32(b[40:]))).UTC()
	}
	return h, nil
}
