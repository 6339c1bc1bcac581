package file

import (
	"fmt"
	"strings"
	"testing"

	"aictail"
	"aictail/sinks"
)

// noSync leaves out the waiting for the disk, which says nothing of the code.
type noSync struct{ osFS }

type noSyncFile struct{ handle }

func (noSyncFile) Sync() error { return nil }

func (f noSync) Open(name string, flag int) (handle, error) {
	h, err := f.osFS.Open(name, flag)
	if err != nil {
		return nil, err
	}
	return noSyncFile{h}, nil
}

// BenchmarkSend writes batches of 1000 events of 750 bytes for 11 sources, one
// after the other and mixed.
func BenchmarkSend(b *testing.B) {
	for _, sync := range []bool{false, true} {
		for _, mixed := range []bool{false, true} {
			b.Run(fmt.Sprintf("sync=%v/mixed=%v", sync, mixed), func(b *testing.B) { benchmarkSend(b, sync, mixed) })
		}
	}
}

func benchmarkSend(b *testing.B, sync, mixed bool) {
	s, err := New(Config{Path: b.TempDir() + "/{tenant}/{source}.ndjson", Rotate: Rotate{MaxSize: 64 << 20, Keep: 1}}, Deps{})
	if err != nil {
		b.Fatal(err)
	}
	if !sync {
		s.fs = noSync{}
	}
	if err := s.Open(b.Context(), sinks.Saved{Save: func([]byte) error { return nil }}); err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	events := make([]aictail.Event, 1000)
	raw := []byte(`{"payload":"` + strings.Repeat("x", 736) + `"}`)
	size := int64(0)
	for i := range events {
		n := i * 11 / len(events)
		if mixed {
			n = i % 11
		}
		events[i] = event(fmt.Sprintf("source-%d", n), string(raw))
		size += int64(len(raw)) + 1
	}
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Send(b.Context(), events); err != nil {
			b.Fatal(err)
		}
		s.State()
	}
	b.ReportMetric(float64(b.N)*float64(len(events))/b.Elapsed().Seconds(), "events/s")
}

// TestNoAllocationPerEvent compares batches of different sizes.
func TestNoAllocationPerEvent(t *testing.T) {
	w := newWorld(1, 2000)
	s := w.newSink(t)
	s.rotation = Rotate{}
	s.fs = noSync{}
	var err error
	if s.template, err = parseTemplate(t.TempDir() + "/{source}.ndjson"); err != nil {
		t.Fatal(err)
	}
	if err := s.Open(t.Context(), sinks.Saved{Save: w.save}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	allocs := func(n int) float64 {
		return testing.AllocsPerRun(20, func() {
			if err := s.Send(t.Context(), w.events[:n]); err != nil {
				t.Fatal(err)
			}
			s.State()
		})
	}
	if few, many := allocs(100), allocs(2000); many > few+5 {
		t.Errorf("%.0f allocations for 100 events, %.0f for 2000", few, many)
	}
}
