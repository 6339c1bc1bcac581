package tailer

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"aictail"
	"aictail/tailer/aic"
	"aictail/tailer/budget"
	"aictail/tailer/simulator"
	"aictail/tailer/sweep"
)

// direct hands requests to a handler without a network, so that tests can run in
// a synctest bubble: an hour passes in milliseconds.
type direct struct {
	handler http.Handler
	down    func() error // what the network says; nil: it works
}

func (d *direct) RoundTrip(r *http.Request) (*http.Response, error) {
	if d.down != nil {
		if err := d.down(); err != nil {
			return nil, err
		}
	}
	w := httptest.NewRecorder()
	aborted := serve(d.handler, w, r)
	if aborted && w.Body.Len() == 0 {
		return nil, errors.New("connection reset by peer")
	}
	res := w.Result()
	res.Request = r
	if aborted {
		res.Body = io.NopCloser(io.MultiReader(bytes.NewReader(w.Body.Bytes()), failingReader{}))
	}
	return res, nil
}

func serve(h http.Handler, w http.ResponseWriter, r *http.Request) (aborted bool) {
	defer func() {
		if v := recover(); v != nil {
			if err, ok := v.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
				panic(v)
			}
			aborted = true
		}
	}()
	h.ServeHTTP(w, r)
	return false
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// memoryJournal keeps records in memory and fails as told. Like the real one it
// voids everything that was not durable when a write or sync fails.
type memoryJournal struct {
	mu      sync.Mutex
	next    aictail.Position
	pending []kept // appended, not durable
	durable []kept
	fail    func(op string) error // nil: nothing fails
	full    chan struct{}         // not nil: WaitRoom blocks until it is closed
}

// kept is a record as a restart would find it.
type kept struct {
	pos        aictail.Position
	at         time.Time
	stream     string
	checkpoint []byte
	ids, raws  []string
	times      []time.Time
}

func (j *memoryJournal) WaitRoom(ctx context.Context) error {
	if j.full == nil {
		return nil
	}
	select {
	case <-j.full:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (j *memoryJournal) Append(rec aictail.Record) (first, next aictail.Position, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.failLocked("append"); err != nil {
		return 0, 0, err
	}
	k := kept{pos: j.next + 1, at: time.Now(), stream: rec.Stream, checkpoint: bytes.Clone(rec.Checkpoint)}
	for _, e := range rec.Events {
		k.ids = append(k.ids, string(e.ID))
		k.raws = append(k.raws, string(e.Raw))
		k.times = append(k.times, e.Time)
	}
	j.next += aictail.Position(max(1, len(rec.Events)))
	j.pending = append(j.pending, k)
	return k.pos, j.next + 1, nil
}

func (j *memoryJournal) Sync(_ context.Context, pos aictail.Position) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, ok := slices.BinarySearchFunc(j.durable, pos, func(k kept, p aictail.Position) int { return cmp.Compare(k.pos, p) }); ok {
		return nil
	}
	if !slices.ContainsFunc(j.pending, func(k kept) bool { return k.pos == pos }) {
		return errors.New("record was voided")
	}
	if err := j.failLocked("sync"); err != nil {
		return err
	}
	j.durable = append(j.durable, j.pending...)
	j.pending = nil
	return nil
}

func (j *memoryJournal) failLocked(op string) error {
	if j.fail == nil {
		return nil
	}
	err := j.fail(op)
	if err != nil {
		j.pending = nil
	}
	return err
}

// raws returns the durable events, sorted.
func (j *memoryJournal) raws() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var all []string
	for _, k := range j.durable {
		all = append(all, k.raws...)
	}
	slices.Sort(all)
	return all
}

// restart drops what was not durable, as a crash may, or keeps it, as a crash
// of the process alone does.
func (j *memoryJournal) restart(keepPending bool) {
	if keepPending {
		j.durable = append(j.durable, j.pending...)
	}
	j.pending = nil
}

// recover brings a new stream and its tail up to date the way the service does.
func (j *memoryJournal) recover(t *testing.T, stream *Stream, tl *Tailer) {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	saved := j.savedLocked()
	if b := saved[stream.SweepName()]; b != nil {
		if err := stream.Recover(b); err != nil {
			t.Fatal(err)
		}
	}
	for _, k := range j.durable {
		if k.stream == stream.TailName() || k.stream == stream.SweepName() {
			for i, id := range k.ids {
				stream.RecoverEvent([]byte(id), k.times[i], k.pos)
			}
		}
	}
	if b := saved[stream.TailName()]; b != nil {
		if err := tl.Recover(b); err != nil {
			t.Fatal(err)
		}
	}
}

// savedLocked returns the latest checkpoint of each stream.
func (j *memoryJournal) savedLocked() map[string][]byte {
	saved := map[string][]byte{}
	for _, k := range j.durable {
		if k.checkpoint != nil {
			saved[k.stream] = k.checkpoint
		}
	}
	return saved
}

// keepAll is a filter that changes nothing.
type keepAll struct{}

func (keepAll) Apply(events []aictail.Event) []aictail.Event { return events }

// world is a tenant, a journal and what is needed to make tailers between them.
type world struct {
	t        *testing.T
	name     string // of the tenant
	tenant   *simulator.Tenant
	net      *direct
	journal  *memoryJournal
	registry *prometheus.Registry
	logs     *observer.ObservedLogs
	shared   *Tenant
	log      *zap.Logger
	filter   Filter
	mode     sweep.Mode
	quiet    bool // no new events
	began    time.Time
	streams  []*Stream // of the last run
}

func newWorld(t *testing.T, o simulator.Options) *world {
	t.Helper()
	tenant, err := simulator.New(o)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, name: "prod", tenant: tenant, net: &direct{handler: tenant}, journal: &memoryJournal{}, filter: keepAll{}, mode: sweep.Full, began: time.Now()}
	w.restart()
	return w
}

// restart makes what a new process has: nothing but the journal survives.
func (w *world) restart() {
	w.t.Helper()
	core, logs := observer.New(zapcore.InfoLevel)
	w.logs, w.registry = logs, prometheus.NewPedanticRegistry()
	client, err := aic.New(aic.Config{
		URL: "https://tenant.example.com", Key: "key-5uQ1", Secret: "secret-8fK3", Timeout: time.Minute, Transport: w.net,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.log = zap.New(core)
	w.shared = NewTenant(TenantConfig{Name: w.name, MinInterval: time.Second, MaxInterval: 30 * time.Second},
		client, w.budget(), NewMetrics(w.registry), w.log)
}

// budget returns the tenant's budget as the last process left it.
func (w *world) budget() *budget.Budget {
	w.t.Helper()
	o := budget.Options{Reserve: 0.1, Save: func(s budget.State) {
		b, err := json.Marshal(s)
		if err != nil {
			w.t.Error(err)
		}
		_, _, _ = w.journal.Append(aictail.Record{Stream: "budget/" + w.name, Checkpoint: b})
	}}
	w.journal.mu.Lock()
	defer w.journal.mu.Unlock()
	if b := w.journal.savedLocked()["budget/"+w.name]; b != nil {
		o.Saved = new(budget.State)
		if err := json.Unmarshal(b, o.Saved); err != nil {
			w.t.Fatal(err)
		}
	}
	return budget.New(o)
}

// reader makes the stream, tail and sweep of a source entry.
func (w *world) reader(sources string) (*Tailer, *Sweeper) {
	w.t.Helper()
	stream := NewStream(w.name, sources, SweepConfig{
		Mode: w.mode, Settle: 30 * time.Second, Start: w.began,
	})
	w.streams = append(w.streams, stream)
	deps := Deps{Tenant: w.shared, Stream: stream, Filter: w.filter, Journal: w.journal, Log: w.log}
	tl, sw := New(Config{}, deps), NewSweeper(Config{}, deps)
	w.journal.recover(w.t, stream, tl)
	return tl, sw
}

// run reads the given source entries for a while.
func (w *world) run(d time.Duration, sources ...string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), d)
	defer cancel()
	w.streams = nil
	type reader struct {
		*Tailer
		*Sweeper
	}
	var readers []reader
	for _, s := range sources {
		tl, sw := w.reader(s)
		readers = append(readers, reader{tl, sw})
	}
	slices.SortStableFunc(readers, func(a, b reader) int { return a.Tailer.deps.Stream.Compare(b.Tailer.deps.Stream) })
	var wg sync.WaitGroup
	for _, r := range readers {
		wg.Go(func() {
			if err := r.Tailer.Run(ctx); err != nil {
				w.t.Errorf("tail: %v", err)
			}
		})
		wg.Go(func() {
			if err := r.Sweeper.Run(ctx); err != nil {
				w.t.Errorf("sweep: %v", err)
			}
		})
	}
	if !w.quiet {
		wg.Go(func() { _ = w.tenant.Run(ctx) })
	}
	wg.Wait()
}

// returned lists, sorted, the entries that the tail has returned in whole
// answers.
func (w *world) returned() []string {
	var all []string
	for _, r := range w.tenant.Ledger() {
		if r.Tailed > 0 {
			all = append(all, string(r.Raw))
		}
	}
	slices.Sort(all)
	return all
}

// wantAllOnce checks that the journal holds every returned entry once and nothing
// else but entries of answers that were cut off. The lines of a log record are in
// the journal as one event; so texts are compared line by line.
func (w *world) wantAllOnce(sources ...string) {
	w.t.Helper()
	w.calm(15*time.Minute, sources...) // for the sweep, and what waits for a next line
	w.quiet = false
	held, returned, got := map[string]int{}, map[string]int{}, map[string]int{}
	for _, r := range w.tenant.Ledger() {
		for _, u := range units(r.Payload) {
			held[u]++
			if r.Tailed > 0 {
				returned[u]++
			}
		}
	}
	for _, raw := range w.journal.raws() {
		for _, u := range units(payloadOf(w.t, raw)) {
			got[u]++
		}
	}
	missing, repeated := 0, 0
	for u, n := range returned {
		if d := n - got[u]; d > 0 {
			missing += d
			w.t.Logf("missing %d: %.120s", d, u)
		}
	}
	for u, n := range got {
		if d := n - held[u]; d > 0 {
			repeated += d
			w.t.Logf("too many %d: %.120s", d, u)
		}
	}
	if missing > 0 || repeated > 0 || len(got) == 0 {
		w.t.Errorf("of %d entries that the tenant returned, %d are not in the journal; of %d there, %d are too many",
			len(returned), missing, len(got), repeated)
	}
}

// units returns what can be compared of a payload: an object, or the lines of a
// text.
func units(payload []byte) []string {
	text := simulator.Text(payload)
	if payload[0] != '"' {
		return []string{text}
	}
	return strings.FieldsFunc(text, func(r rune) bool { return r == '\n' })
}

// gaps returns the counted gaps by reason, as "reason: n".
func (w *world) gaps() []string {
	return w.metric("aictail_gaps_total", "reason")
}

// metric returns the values of a metric as "label value: number", sorted, without
// what was never counted.
func (w *world) metric(name, label string) []string {
	families, err := w.registry.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	var out []string
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			value := m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			if m.GetGauge() == nil && value == 0 {
				continue
			}
			for _, l := range m.GetLabel() {
				if l.GetName() == label {
					out = append(out, fmt.Sprintf("%s: %v", l.GetValue(), value))
				}
			}
		}
	}
	slices.Sort(out)
	return out
}

// logged counts the log entries that contain text.
func (w *world) logged(text string) int {
	return w.logs.FilterMessageSnippet(text).Len()
}
