package sinktest

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aictail"
	"aictail/sinks"
)

// store is a destination in memory.
type store struct {
	lines  [][]byte
	broken bool
}

// memorySink is the smallest sink that keeps the contract: its state is the
// number of lines, and Open cuts the store back to it. faults spoil it.
type memorySink struct {
	store  *store
	faults faults
	open   bool
	skip   bool // the next batch loses its first event
	stop   chan struct{}
}

// faults are ways in which a sink can be wrong.
type faults struct {
	loseLast      bool // the last event of a large batch is lost
	loseFailed    bool // after a failure, the next batch loses an event
	noCut         bool // nothing is undone at Open
	noUndo        bool // what was written before a failure stays
	reorder       bool // two neighbours are swapped
	reorderWithin bool // swapped only if they are of one source
	reencode      bool // JSON is decoded and encoded
	escapeHTML    bool // a single character is written differently
	truncateLarge bool // large events are cut
	keepBytes     bool // the caller's buffers are kept
	changeBytes   bool // the caller's buffers are changed
	lie           bool // success although broken
	lieCancelled  bool // success although cancelled
	plainError    bool // not an *sinks.Error
	tellContent   bool // the error contains the event
	emptyLine     bool // an empty batch writes something
	leak          bool // a goroutine outlives Close
	noReopen      bool // Open works only once after a failure
	closePanics   bool // Close without Open panics
	poison        bool // a good event is refused
	skipResent    bool // after a restart, the next batch loses an event
	ignoreSource  bool // events without a source are left out
	splitLoses    bool // a batch that is split loses its middle
}

func (m *memorySink) Open(_ context.Context, saved sinks.Saved) error {
	if m.store.broken && m.faults.noReopen {
		m.open = true
		return errors.New("broken")
	}
	if m.open {
		return errors.New("open already")
	}
	if m.store.broken {
		return &sinks.Error{Err: errors.New("the store is broken")}
	}
	n := 0
	if saved.State != nil {
		n = int(binary.BigEndian.Uint64(saved.State))
	}
	if !m.faults.noCut {
		m.store.lines = m.store.lines[:n]
	}
	m.open, m.stop = true, make(chan struct{})
	m.skip = m.faults.skipResent && n > 0
	go func(stop chan struct{}) { <-stop }(m.stop)
	return nil
}

func (m *memorySink) fail(events []aictail.Event, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	switch {
	case m.faults.plainError:
		return err
	case m.faults.tellContent && len(events) > 0:
		err = fmt.Errorf("%w: %s", err, events[0].Raw)
	case m.faults.poison:
		return &sinks.Error{Kind: sinks.Poison, Err: err}
	}
	return &sinks.Error{Err: err}
}

func (m *memorySink) Send(ctx context.Context, events []aictail.Event) error {
	before := len(m.store.lines)
	if err := ctx.Err(); err != nil && !m.faults.lieCancelled {
		return m.fail(events, "send: %w", err)
	}
	if m.faults.poison && len(events) > 4 {
		return m.fail(events, "no")
	}
	if m.faults.splitLoses && len(events) > 1000 {
		m.store.lines = append(m.store.lines, bytes.Clone(events[0].Raw))
		return &sinks.Error{Kind: sinks.Split, Err: errors.New("too large")}
	}
	if m.faults.emptyLine && len(events) == 0 {
		m.store.lines = append(m.store.lines, nil)
	}
	for i := range events {
		if m.skip && !m.store.broken {
			m.skip = false
			continue
		}
		m.write(&events[i])
	}
	m.spoil(events, before)
	if m.store.broken && !m.faults.lie {
		if !m.faults.noUndo {
			m.store.lines = m.store.lines[:before]
		}
		m.skip = m.faults.loseFailed
		return m.fail(events, "the store is broken")
	}
	if m.store.broken {
		m.store.lines = m.store.lines[:before]
	}
	return nil
}

func (m *memorySink) write(e *aictail.Event) {
	line := e.Raw
	if !m.faults.keepBytes {
		line = bytes.Clone(line)
	}
	switch {
	case m.faults.ignoreSource && e.Source == "":
		return
	case m.faults.reencode:
		var v any
		if json.Unmarshal(line, &v) == nil {
			line, _ = json.Marshal(v)
		}
	case m.faults.escapeHTML:
		line = bytes.ReplaceAll(line, []byte("<"), []byte(`\u003c`))
	case m.faults.truncateLarge && len(line) > 1<<18:
		line = line[:1<<18]
	case m.faults.changeBytes:
		e.Raw[0] = ' '
	}
	m.store.lines = append(m.store.lines, line)
}

// spoil applies the faults that concern a whole batch.
func (m *memorySink) spoil(events []aictail.Event, before int) {
	lines := m.store.lines
	n := len(lines)
	switch {
	case m.faults.loseLast && len(events) > 1000:
		m.store.lines = lines[:n-1]
	case m.faults.reorder && len(events) > 8:
		slices.Reverse(lines[before:])
	case m.faults.reorderWithin && len(events) > 8:
		k := len(sourceNames)
		lines[n-1], lines[n-1-k] = lines[n-1-k], lines[n-1]
	}
}

func (m *memorySink) State() []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(len(m.store.lines)))
}

func (m *memorySink) Close() error {
	if m.stop == nil && m.faults.closePanics {
		panic("close of a sink that was never opened")
	}
	if m.stop != nil && !m.faults.leak {
		close(m.stop)
	}
	m.stop, m.open = nil, false
	return nil
}

func memoryHarness(f faults) func(testing.TB) Harness {
	return func(testing.TB) Harness {
		s := &store{}
		return Harness{
			New:      func(testing.TB) sinks.Sink { return &memorySink{store: s, faults: f} },
			Received: func(testing.TB) [][]byte { return s.lines },
			Break:    func(testing.TB) { s.broken = true },
			Mend:     func(testing.TB) { s.broken = false },
		}
	}
}

func TestGoodSinkPasses(t *testing.T) { Run(t, memoryHarness(faults{})) }

// TestAtLeastOnce passes a sink that repeats after a crash, if it says so.
func TestAtLeastOnce(t *testing.T) {
	Run(t, func(t testing.TB) Harness {
		h := memoryHarness(faults{noCut: true, noUndo: true})(t)
		h.AtLeastOnce = true
		return h
	})
}

// TestUnordered passes a sink without order, if it says so.
func TestUnordered(t *testing.T) {
	Run(t, func(t testing.TB) Harness {
		h := memoryHarness(faults{reorder: true})(t)
		h.Unordered = true
		return h
	})
}

// TestBadSinksFail proves that the suite notices each fault, and in which test.
func TestBadSinksFail(t *testing.T) {
	tests := []struct {
		name   string
		faults faults
		// want is the first test that is to fail.
		want string
	}{
		{"loses the end of a large batch", faults{loseLast: true}, "large batch"},
		{"does not cut at start", faults{noCut: true}, "crash before commit"},
		{"does not undo", faults{noUndo: true}, "destination fails"},
		{"reorders", faults{reorder: true}, "arrives"},
		{"reorders one source", faults{reorderWithin: true}, "arrives"},
		{"encodes again", faults{reencode: true}, "arrives"},
		{"escapes a character", faults{escapeHTML: true}, "odd text"},
		{"cuts large events", faults{truncateLarge: true}, "large event"},
		{"keeps the caller's bytes", faults{keepBytes: true}, "arrives"},
		{"changes the caller's bytes", faults{changeBytes: true}, "arrives"},
		{"claims success when broken", faults{lie: true}, "destination fails"},
		{"claims success when cancelled", faults{lieCancelled: true}, "cancelled before"},
		{"returns a plain error", faults{plainError: true}, "cancelled before"},
		{"tells content", faults{tellContent: true}, "cancelled before"},
		{"writes for an empty batch", faults{emptyLine: true}, "empty batch"},
		{"leaks a goroutine", faults{leak: true}, "arrives"},
		{"can't be opened again", faults{noReopen: true}, "destination fails at start"},
		{"panics in Close", faults{closePanics: true}, "close"},
		{"refuses good events", faults{poison: true}, "arrives"},
		{"leaves events without source out", faults{ignoreSource: true}, "arrives"},
		{"splits and leaves a part", faults{splitLoses: true}, "large batch"},
		{"loses an event after a failure", faults{loseFailed: true}, "destination fails"},
		{"loses an event after a restart", faults{skipResent: true}, "crash before commit"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			switch failed := firstFailure(t, memoryHarness(tt.faults)); failed {
			case tt.want:
			case "":
				t.Error("the suite passes a sink that it must not pass")
			default:
				t.Errorf("first test to fail: %q, want %q", failed, tt.want)
			}
		})
	}
}

func firstFailure(t *testing.T, setup func(testing.TB) Harness) string {
	t.Helper()
	for _, c := range cases {
		r := &recorder{TB: t}
		r.do(func() { runCase(r, c, setup) })
		if r.failed {
			return c.name
		}
	}
	return ""
}

// recorder is a testing.TB that keeps a failure to itself.
type recorder struct {
	testing.TB
	failed bool
}

// do calls f as package testing would: f may end its goroutine or panic.
func (r *recorder) do(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if recover() != nil {
				r.failed = true
			}
		}()
		f()
	}()
	<-done
}

func (r *recorder) Helper()               {}
func (r *recorder) Error(...any)          { r.failed = true }
func (r *recorder) Errorf(string, ...any) { r.failed = true }
func (r *recorder) Fatal(...any)          { r.failed = true; runtime.Goexit() }
func (r *recorder) Fatalf(string, ...any) { r.failed = true; runtime.Goexit() }

func TestEvents(t *testing.T) {
	if e := largeEvent(3, 100_000); len(e.Raw) != 100_000 || !json.Valid(e.Raw) {
		t.Errorf("large event: %d bytes, valid JSON: %v", len(e.Raw), json.Valid(e.Raw))
	}
	for i, payload := range oddPayloads() {
		e := newEvent(i, payload)
		if !json.Valid(e.Raw) || bytes.ContainsAny(e.Raw, "\n\r") {
			t.Errorf("payload %d does not make one line of JSON", i)
		}
		if diff := cmp.Diff(payload, string(e.PayloadBytes())); diff != "" {
			t.Error(diff)
		}
	}
	for _, e := range newEvents(0, 3) {
		if !strings.Contains(string(e.Raw), confidential) {
			t.Error("an event without the text that errors must not contain")
		}
	}
}
