package aic

import (
	"bytes"
	"encoding/json"
	"io"
	"testing"

	"github.com/klauspost/compress/gzip"
)

// BenchmarkPage scans a full tail answer: 15,000 entries of about 750 bytes.
// json.Valid on the same bytes stands beside it, and the bare inflater.
func BenchmarkPage(b *testing.B) {
	page := makePage(15_000)
	packed := gzipped(b, page)
	run := func(name string, body []byte) {
		b.Run(name, func(b *testing.B) {
			c := newClient(b, nil)
			b.SetBytes(int64(len(page)))
			b.ReportAllocs()
			for b.Loop() {
				p := openBody(b, c, "am-everything,idm-everything", bytes.NewReader(body))
				for p.Next() {
				}
				if p.Err() != nil || p.Count() != 15_000 {
					b.Fatal(p.Count(), p.Err())
				}
				if err := p.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	run("plain", []byte(page))
	run("gzip", packed)
	b.Run("inflate only", func(b *testing.B) {
		b.SetBytes(int64(len(page)))
		z := new(gzip.Reader)
		for b.Loop() {
			if err := z.Reset(bytes.NewReader(packed)); err != nil {
				b.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, z); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("json.Valid", func(b *testing.B) {
		b.SetBytes(int64(len(page)))
		for b.Loop() {
			if !json.Valid([]byte(page)) {
				b.Fatal("invalid")
			}
		}
	})
}

func BenchmarkParseTime(b *testing.B) {
	text := []byte("2022-10-05T18:21:48.249782137Z")
	b.ReportAllocs()
	for b.Loop() {
		if parseTime(text).IsZero() {
			b.Fatal("refused")
		}
	}
}
