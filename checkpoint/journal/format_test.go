package journal

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"aictail"
)

// The format is permanent: these bytes must always be readable, and be written.
func TestFormatIsPermanent(t *testing.T) {
	h := segmentHeader{first: 7, prevFirst: 3, prevEnd: 99, created: time.Unix(1, 2)}
	wantHeader := "aicjrnl\n" +
		"\x01\x00\x00\x00\x00\x00\x00\x00" +
		"\x07\x00\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00c\x00\x00\x00\x00\x00\x00\x00" +
		"\x02\xca\x9a;\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	if got := string(h.encode()[:60]); got != wantHeader {
		t.Errorf("segment header %q", got)
	}
	if got, err := parseSegmentHeader(h.encode(), 7); err != nil || got != h {
		t.Errorf("parsed %+v, %v", got, err)
	}
	if _, err := parseSegmentHeader(h.encode(), 8); !errors.Is(err, errDamaged) {
		t.Errorf("under another name: %v", err)
	}

	var e encoder
	rec := Record{Stream: "st", Checkpoint: []byte("cp"), Events: []aictail.Event{
		{ID: []byte("i1"), Tenant: "t", Source: "s", Type: "t", Time: time.Unix(5, 6), Raw: []byte(`{"a":1}`), Payload: aictail.Span{Start: 5, End: 6}},
		{Time: time.Unix(-1, 9), Raw: []byte(`{}`)},
	}}
	b, err := e.encode(&rec, stamp{first: 258, durable: 64, appended: time.Unix(0, 3)})
	if err != nil {
		t.Fatal(err)
	}
	want := "\xffaj\xfe\x02\x00\x00\x00\x03\x00\x00\x00\x02\x00\x00\x00\t\x00\x00\x00\x0e\x00\x00\x00\x02\x00\x00\x00" +
		"CRC1CRC2" + "\t\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00\x00" +
		"\x02\x01\x00\x00\x00\x00\x00\x00@\x00\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00" +
		"\xff\xff\xff\xff\xff\xff\xff\xff\x05\x00\x00\x00\x00\x00\x00\x00" + "CRC3" + "stcp" +
		"\x02\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x07\x00\x00\x00\x06\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00\x06\x00\x00\x00" +
		"\x00\x00\x00\x00\x02\x00\x00\x00\x02\x00\x00\x00\x02\x00\x00\x00\x02\x00\x00\x00\t\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00" +
		"i1" + `{"a":1}{}` + "\x01\x00\x00\x00t\x01\x00\x00\x00s\x00\x00\x00\x00"
	got := bytes.Clone(b)
	copy(got[28:], "CRC1CRC2")
	copy(got[88:], "CRC3")
	if string(got) != want {
		t.Errorf("record\n%q, want\n%q", got, want)
	}
	for _, crc := range []struct{ at, from, to int }{{28, 92, 96}, {32, 96, len(b)}, {88, 0, 88}} {
		if le.Uint32(b[crc.at:]) != checksum(b[crc.from:crc.to]) {
			t.Errorf("checksum at %d", crc.at)
		}
	}
	if checksum([]byte("123456789")) != 0xe3069283 {
		t.Error("not CRC-32C")
	}
}

func TestSegmentNames(t *testing.T) {
	if got := segmentName(42); got != "00000000000000000042.log" {
		t.Error(got)
	}
	for name, want := range map[string]aictail.Position{
		segmentName(42): 42, "18446744073709551615.log": 1<<64 - 1, "18446744073709551616.log": 0,
		"42.log": 0, "+0000000000000000042.log": 0, "00000000000000000000.log": 0, "corrupt": 0, "": 0,
	} {
		if got, ok := parseSegmentName(name); got != want || ok != (want > 0) {
			t.Errorf("%s: %d, %t", name, got, ok)
		}
	}
}

// readBytes reads b as a segment, with checksums made right if fix is set, so
// that the fuzzer gets behind them.
func readBytes(t *testing.T, b []byte, fix bool) {
	b = bytes.Clone(b)
	if fix && len(b) >= recordHeaderSize {
		if h, err := fixed(b); err == nil && h.size <= len(b) {
			le.PutUint32(b[28:], checksum(b[recordHeaderSize:h.bodyStart]))
			le.PutUint32(b[32:], checksum(b[h.bodyStart:h.size]))
			if _, err := fixed(b); err != nil {
				t.Fatal(err)
			}
		}
	}
	f := newFakeFS()
	data := append(segmentHeader{first: 1}.encode(), b...)
	f.names["x"] = &node{data: data}
	file, err := f.OpenFile("x", os.O_RDONLY)
	if err != nil {
		t.Fatal(err)
	}
	lost := aictail.Position(0)
	s := scanner{report: func(d Damage) {
		if d.First >= d.Next || d.First < lost {
			t.Fatalf("damage %+v", d)
		}
		lost = d.Next
	}}
	if err := s.reset(file, extent{first: 1, next: 1 << 60, end: int64(len(data))}, 0); err != nil {
		t.Fatal(err)
	}
	var c cursor
	for {
		h, rec, err := s.next(true)
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		body, ok := h.body(rec)
		if _, _, ok2 := h.head(rec); !ok || !ok2 {
			t.Fatal("a damaged record was returned")
		}
		if c.open(&h, body, interner{}) != nil {
			continue
		}
		for c.left() > 0 {
			var e aictail.Event
			c.next(&e)
			_ = e.PayloadBytes()
		}
	}
}

// fixed makes the header's checksum right.
func fixed(b []byte) (recordHeader, error) {
	copy(b, recordMagic)
	le.PutUint32(b[88:], checksum(b[:88]))
	return parseRecordHeader(b)
}

func FuzzReadSegment(f *testing.F) {
	var e encoder
	for _, rec := range []Record{{}, {Stream: "s"}, testRecord("s", "a", "b"), {Checkpoint: []byte{}}} {
		b, err := e.encode(&rec, stamp{first: 1, durable: segmentHeaderSize, appended: time.Unix(1, 1)})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(bytes.Clone(b), false)
		f.Add(bytes.Clone(b), true)
		f.Add(append(bytes.Clone(b), b...), false)
		f.Add(b[:len(b)-1], false)
		broken := bytes.Clone(b)
		for i := range broken[recordHeaderSize:] {
			broken[recordHeaderSize+i] ^= 0x81
		}
		f.Add(broken, true)
	}
	f.Add([]byte(recordMagic+recordMagic), false)
	f.Fuzz(readBytes)
}

func FuzzSegmentHeader(f *testing.F) {
	f.Add(segmentHeader{first: 7}.encode())
	f.Add([]byte(segmentMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, err := parseSegmentHeader(b, 7); err == nil && h.first != 7 {
			t.Errorf("%+v", h)
		}
	})
}
