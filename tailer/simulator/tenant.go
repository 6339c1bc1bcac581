// Package simulator is a simulated tenant of Advanced Identity Cloud, as awkward
// as a real one: an http.Handler that serves the log API from memory, with the
// rate limit, the withheld last entry, late and split events and half-sent
// answers of the original, and a ledger of what it held and handed out, against
// which a test can compare what reached the sinks.
//
// It serves the demo, the simulate command and tests. Its content is invented:
// the personal data, tokens and card numbers in it belong to nobody. It does not
// implement the filter language beyond single comparisons, and it keeps nothing
// on disk.
package simulator

import (
	"bufio"
	"bytes"
	"context"
	crand "crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	kgzip "github.com/klauspost/compress/gzip"
)

// Tenant is a simulated tenant. It is safe for concurrent use.
type Tenant struct {
	options Options
	salt    [32]byte // of the cookies' signatures

	// mu guards everything below but the pools.
	mu       sync.Mutex
	store    *store
	names    []string // the sources on offer, in order
	quota    quota
	faults   faults
	chance   *rand.Rand // for shares that depend on requests
	requests map[Request]int
	live     *generator
	nextID   uint64 // of the next logical event
	answers  uint64

	writers sync.Pool // of *bufio.Writer
	zippers sync.Pool // of *kgzip.Writer
}

// New returns a tenant that holds no entries. The error names the option that
// is wrong.
func New(o Options) (*Tenant, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	t := &Tenant{
		options:  o,
		store:    newStore(o),
		names:    o.Sources,
		quota:    quota{limit: o.Limit},
		chance:   rand.New(rand.NewPCG(o.Seed, 1)),
		requests: map[Request]int{},
		nextID:   1,
	}
	t.live = newGenerator(o.Seed, o.Sources, o.Now())
	// Not from Seed: a restarted tenant must refuse the cookies of its former life.
	_, _ = crand.Read(t.salt[:]) // never fails, says its documentation
	t.writers.New = func() any { return bufio.NewWriterSize(io.Discard, 64<<10) }
	t.zippers.New = func() any {
		// The simulator must not be what a load test measures: fastest level.
		z, _ := kgzip.NewWriterLevel(io.Discard, kgzip.BestSpeed) // fails for unknown levels only
		return z
	}
	return t, nil
}

// Entry is a log entry to add.
type Entry struct {
	// Source is one of the tenant's sources, not an "-everything".
	Source string
	// Payload is a JSON value; it is sent byte for byte as given.
	Payload []byte
	// Type is the entry's type; "": application/json for an object, otherwise
	// text/plain.
	Type string
	// Time is the timestamp; zero: now.
	Time time.Time
	// VisibleFrom is when the API begins to show the entry; zero: at once.
	VisibleFrom time.Time
}

// Add stores entries, which together are one logical event. After an error none
// of them is stored.
func (t *Tenant) Add(entries ...Entry) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.options.Now()
	stored := make([]*entry, 0, len(entries))
	for _, e := range entries {
		if t.store.byName[e.Source] == nil {
			return fmt.Errorf("add entry: the simulated tenant has no source %q of its own", e.Source)
		}
		if !json.Valid(e.Payload) {
			return errors.New("add entry: the payload is not a JSON value")
		}
		payload := bytes.TrimSpace(e.Payload)
		if e.Type == "" {
			e.Type = "text/plain"
			if payload[0] == '{' {
				e.Type = "application/json"
			}
		}
		if strings.ContainsFunc(e.Type, func(r rune) bool { return r < ' ' || r == '"' || r == '\\' }) {
			return errors.New("add entry: the type needs escaping")
		}
		if e.Time.IsZero() {
			e.Time = now
		}
		stored = append(stored, newEntry(e.Source, e.Type, payload, e.Time))
		stored[len(stored)-1].arrived = max(now.UnixNano(), nanos(e.VisibleFrom))
	}
	t.addLocked(stored, now)
	return nil
}

// addLocked stores the entries of one logical event.
func (t *Tenant) addLocked(entries []*entry, now time.Time) {
	for _, e := range entries {
		e.event = t.nextID
		t.store.add(e, now)
	}
	t.nextID++
}

// tickEvery is how often Run makes live events: often enough that their arrival
// looks steady to a client that polls once a second.
const tickEvery = 100 * time.Millisecond

// Run makes live events at Options.Rate until ctx ends, then returns nil.
func (t *Tenant) Run(ctx context.Context) error {
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			t.Tick()
		}
	}
}

// Tick makes the live events that Options.Rate asks for since the last Tick, or
// since New, with timestamps between then and now. Tests that own the clock call
// it instead of Run. After a pause of more than ten seconds only the last ten
// are made up for: a laptop that slept should not be flooded.
func (t *Tenant) Tick() {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.options.Now()
	passed := min(max(0, now.Sub(t.live.ticked)), 10*time.Second)
	t.live.ticked = now
	t.store.settle(now) // or late entries pile up while nobody asks
	whole, part := math.Modf(t.live.owed + t.options.Rate*passed.Seconds())
	t.live.owed = part
	t.generateLocked(int(whole), now, passed)
}

// Generate makes n live events at once, whatever Options.Rate is. Their
// timestamps lie within the last 100 ms, or a few nanoseconds ahead if the clock
// has not moved since the last events. Tests should move theirs.
func (t *Tenant) Generate(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.generateLocked(n, t.options.Now(), tickEvery)
}
