package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"aictail"
)

// benchRecord is a chunk of about 1 MiB of events of about 750 bytes.
func benchRecord() (Record, int64) {
	rec := Record{Stream: "tail/prod/am-access", Checkpoint: []byte("cookie")}
	size := 0
	for i := range 1400 {
		e := testEvent(fmt.Sprintf("c4b9ef3c-9f0b-4d7c-8b1e-5a1a3c6f7d11-%d", i))
		e.Raw = append(e.Raw, bytes.Repeat([]byte("x"), 750-len(e.Raw))...)
		rec.Events = append(rec.Events, e)
		size += len(e.Raw)
	}
	return rec, int64(size)
}

// BenchmarkEncode is Append without the disk.
func BenchmarkEncode(b *testing.B) {
	rec, size := benchRecord()
	var e encoder
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.encode(&rec, stamp{first: 1}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAppend writes to the page cache, with a rotation every 64 MiB.
func BenchmarkAppend(b *testing.B) {
	rec, size := benchRecord()
	j := mustOpen(b, Options{Dir: filepath.Join(b.TempDir(), "journal"), MaxSize: 1 << 40})
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := j.Append(rec); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkAppendSync is what a busy tailer does: a chunk, then an fsync.
func BenchmarkAppendSync(b *testing.B) {
	rec, size := benchRecord()
	j := mustOpen(b, Options{Dir: filepath.Join(b.TempDir(), "journal"), MaxSize: 1 << 40})
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		first, _, err := j.Append(rec)
		if err == nil {
			err = j.Sync(context.Background(), first)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkRead reads 64 chunks again and again; an operation is one chunk.
func BenchmarkRead(b *testing.B) {
	rec, size := benchRecord()
	j := mustOpen(b, Options{Dir: filepath.Join(b.TempDir(), "journal"), MaxSize: 1 << 40})
	var pos aictail.Position
	for range 64 {
		pos, _ = mustAppend(b, j, rec)
	}
	if err := j.Sync(context.Background(), pos); err != nil {
		b.Fatal(err)
	}
	r := j.NewReader(1)
	ctx := ended()
	b.SetBytes(size)
	b.ReportAllocs()
	events := 0
	for b.Loop() {
		for n := 0; n < len(rec.Events); {
			es, _, err := r.Next(ctx, Limit{Events: len(rec.Events) - n})
			if errors.Is(err, errNoMore) {
				r.Seek(1)
				continue
			}
			if err != nil {
				b.Fatal(err)
			}
			n += len(es)
		}
		events += len(rec.Events)
	}
	b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
	r.Close()
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}
}
