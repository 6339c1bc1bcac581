package simulator

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Record is what the ledger knows of one entry.
type Record struct {
	// Source is the entry's real source, never an "-everything".
	Source string
	// Time is the envelope's timestamp.
	Time time.Time
	// Arrived is the moment from which the API shows the entry; in the future for
	// one that is yet to arrive late.
	Arrived time.Time
	// Raw is the entry as the API sends it. Under Options.OmitSource answers for
	// a single source leave its source member out.
	Raw []byte
	// Payload is the part of Raw that is the payload's value.
	Payload []byte
	// Event numbers the logical events from 1: the entries of a split event, or
	// the lines of one record of idm-core, share it.
	Event uint64
	// Tailed and Ranged count the tail and range answers that held the entry and
	// were written whole. The kernel may still lose the last bytes of an answer
	// when its reader goes away.
	Tailed, Ranged int
}

// Request is what the ledger tells requests apart by.
type Request struct {
	Endpoint Endpoint
	// Status is the HTTP status, or 0 if the connection ended without one.
	Status int
	// Fault is the injected effect the request met, "" for none.
	Fault Effect
}

// Ledger returns a record of every entry in the order of their creation. Without
// Options.Ledger the entries that the tenant no longer holds are missing. The
// lines given to Replay appear once their source has been requested.
func (t *Tenant) Ledger() []Record {
	t.mu.Lock()
	defer t.mu.Unlock()
	entries := slices.Concat(t.store.removed, t.store.late)
	for _, l := range t.store.logs {
		entries = append(entries, l.entries...)
	}
	slices.SortFunc(entries, func(a, b *entry) int { return cmp.Compare(a.pos.seq, b.pos.seq) })
	records := make([]Record, len(entries))
	for i, e := range entries {
		records[i] = Record{
			Source: e.source, Event: e.event, Tailed: e.tailed, Ranged: e.ranged,
			Time: time.Unix(0, e.pos.time).UTC(), Arrived: time.Unix(0, e.arrived).UTC(),
			Raw: slices.Clip(e.raw), Payload: e.payload.Of(e.raw),
		}
	}
	return records
}

// Requests returns how many requests of each kind were answered.
func (t *Tenant) Requests() map[Request]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.requests)
}

// count notes a request. It is called before the answer goes out, so that
// whoever has the answer finds it counted.
func (t *Tenant) count(r Request) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.requests[r]++
}

// deliver adds n, 1 or -1, to the delivery counters of the entries.
func (t *Tenant) deliver(endpoint Endpoint, entries []*entry, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range entries {
		if endpoint == Tail {
			e.tailed += n
		} else {
			e.ranged += n
		}
	}
}
