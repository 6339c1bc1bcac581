package assemble

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"aictail/tailer/aic"
)

func benchmarkAdd(b *testing.B, es []aic.Entry) {
	size := 0
	for i := range es {
		size += len(es[i].Raw)
	}
	a := New(Options{})
	var dst []Event
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		dst = a.Add(dst[:0], es, epoch)
		for i := range es {
			es[i].Time = es[i].Time.Add(time.Millisecond)
		}
	}
	b.ReportMetric(float64(len(es))*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
}

// BenchmarkJSON passes entries of some 750 bytes that are whole.
func BenchmarkJSON(b *testing.B) {
	var es []aic.Entry
	for i := range 100 {
		es = append(es, entry("am-access", fmt.Sprintf(`{"_id":"x-%d","message":%q}`, i, strings.Repeat("m", 620)), time.Duration(i)*time.Microsecond))
	}
	benchmarkAdd(b, es)
}

// BenchmarkRecords joins records of idm-core.
func BenchmarkRecords(b *testing.B) {
	var es []aic.Entry
	for i := range 100 {
		es = append(es, line("idm-core", []string{header, level}[i%2], time.Duration(i)*time.Microsecond))
	}
	benchmarkAdd(b, es)
}

// BenchmarkSplit joins JSON events of two parts of 4 KiB.
func BenchmarkSplit(b *testing.B) {
	var es []aic.Entry
	text := `{"a":"` + strings.Repeat(`x\n\tat `, 1000) + `"}`
	for i := range 100 {
		es = append(es, line("am-core", []string{text[:4000], text[4000:]}[i%2], time.Duration(i)*time.Microsecond))
	}
	benchmarkAdd(b, es)
}
