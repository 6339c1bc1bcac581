package tailer

import (
	"context"
	"errors"
	"time"

	"aictail"
	"aictail/tailer/aic"
	"aictail/tailer/assemble"
)

// Filter drops and redacts events, in place. Changed events stay valid until
// the next Apply.
type Filter interface {
	Apply(events []aictail.Event) []aictail.Event
}

// Journal is where events go. Its methods may be called concurrently.
type Journal interface {
	// WaitRoom blocks while the journal is full.
	WaitRoom(ctx context.Context) error
	// Append writes a record and returns the positions that it takes. It keeps
	// nothing of rec. The record is not durable before Sync.
	Append(rec aictail.Record) (first, next aictail.Position, err error)
	// Sync returns nil once the record at pos is durable, and an error if it
	// never will be.
	Sync(ctx context.Context, pos aictail.Position) error
}

// intake brings the entries of one reader of a stream, its tail or its sweep, to
// the journal: assemble, identify, drop what is there already, filter, append.
type intake struct {
	stream  *Stream
	name    string // of the records: Stream.TailName or Stream.SweepName
	via     string
	filter  Filter
	journal Journal
	metrics *Metrics

	// goesOn decides whether an assembled event goes on from this reader, which
	// may have seen only a part of what belongs to it.
	goesOn func(*assemble.Event) bool
	// onFresh hears of every event that goes to the journal; nil: nobody does.
	onFresh func(*aictail.Event)

	asm    *assemble.Assembler
	ident  *identifier
	whole  []assemble.Event // reused
	events []aictail.Event  // reused
	counts sourceCounts

	// trusted is what the stream's trust was at the last commit; of the sweep.
	trusted int

	// Of the page or window at hand, since the last commit:
	chunks []chunk // what of it is in the journal
	keys   []idKey // the keys of its accepted events
	fresh  int     // how many there are
	joined [4]int  // events by assemble.Outcome
}

// chunk is a part of a page in the journal: the record's position and the end
// of its keys in intake.keys.
type chunk struct {
	pos  aictail.Position
	keys int
}

// begin starts a page or a window.
func (in *intake) begin() {
	in.chunks, in.keys, in.fresh = in.chunks[:0], in.keys[:0], 0
	in.joined = [4]int{}
	in.ident.startPage()
	in.trusted = in.stream.trust()
}

// add takes the next entries. After an error the page is to be given up with
// settle.
func (in *intake) add(entries []aic.Entry, now time.Time) error {
	in.whole = in.asm.Add(in.whole[:0], entries, now)
	return in.take(in.whole)
}

// expire takes what has been waiting for its other parts for too long.
func (in *intake) expire(now time.Time) error {
	in.whole = in.asm.Expire(in.whole[:0], now)
	return in.take(in.whole)
}

// flush takes everything that still waits for other parts.
func (in *intake) flush() error {
	in.whole = in.asm.Flush(in.whole[:0])
	return in.take(in.whole)
}

// take brings assembled events to the journal, as one record.
func (in *intake) take(whole []assemble.Event) error {
	in.events = in.events[:0]
	in.ident.reset()
	in.counts.reset()
	for i := range whole {
		e := &whole[i]
		if !isObject(e) && !in.goesOn(e) {
			continue
		}
		in.joined[e.Outcome]++
		ev := event(in.stream.tenant, &e.Entry, in.ident.id(&e.Entry))
		if ev.Time.IsZero() {
			// Something must stand there for sinks that index by time.
			ev.Time = time.Now().UTC()
		}
		in.events = append(in.events, ev)
	}
	in.stream.appending.RLock()
	defer in.stream.appending.RUnlock()
	before := len(in.keys)
	var fresh []aictail.Event
	fresh, in.keys = in.stream.accept(in.events, in.keys, &in.counts)
	in.metrics.count(in.stream.tenant, in.via, &in.counts)
	if len(fresh) == 0 {
		return nil
	}
	in.fresh += len(fresh)
	fresh = in.filter.Apply(fresh)
	if in.onFresh != nil {
		// Not of what was dropped: its ids are not in the journal, so the next start
		// takes it for new again, and it is dropped again.
		for i := range fresh {
			in.onFresh(&fresh[i])
		}
	}
	if len(fresh) == 0 {
		return nil // all dropped; they count as seen
	}
	first, _, err := in.journal.Append(aictail.Record{Stream: in.name, Events: fresh})
	if err != nil {
		in.stream.forget(in.keys[before:])
		in.keys = in.keys[:before]
		return journalError{err}
	}
	in.stream.placed(in.keys[before:], first)
	if in.isTail() {
		in.stream.doubt(first)
	}
	in.chunks = append(in.chunks, chunk{pos: first, keys: len(in.keys)})
	return nil
}

func (in *intake) isTail() bool { return in.via == "tail" }

// isObject tells whether an event is an entry that is whole by itself: one whose
// payload the tenant sent as an object.
func isObject(e *assemble.Event) bool {
	return e.Outcome == assemble.Single && !isText(&e.Entry)
}

// isText tells whether an entry's payload is a text, which may be a part of an
// event.
func isText(e *aic.Entry) bool {
	payload := e.Payload.Of(e.Raw)
	return len(payload) > 0 && payload[0] == '"'
}

// commit makes the page or window durable and then appends the restart state.
//
// Every chunk is asked for by itself, and before the state is appended: a fault
// that another reader met may have voided one chunk and left a later one alone,
// and a state that stood behind a lost chunk would lose it for good. The state is
// not waited for. If a crash loses it, the same is read again.
func (in *intake) commit(ctx context.Context, checkpoint []byte) error {
	for _, c := range in.chunks {
		if err := in.journal.Sync(ctx, c.pos); err != nil {
			return journalError{errors.Join(err, in.settle(ctx))}
		}
	}
	if err := in.release(ctx); err != nil {
		return journalError{err}
	}
	if _, _, err := in.journal.Append(aictail.Record{Stream: in.name, Checkpoint: checkpoint}); err != nil {
		return journalError{err}
	}
	return nil
}

// release lets go of chunks that are durable. A sweep goes on only once what it has
// taken for duplicates is durable too.
func (in *intake) release(ctx context.Context) error {
	in.chunks, in.keys = in.chunks[:0], in.keys[:0]
	if in.isTail() {
		in.stream.noDoubt()
		return nil
	}
	err := in.stream.confirmTrust(ctx, in.trusted, in.journal)
	in.trusted = in.stream.trust()
	return err
}

// settle finds out, after a failure in the middle of a page or window, which of
// its chunks are durable, and forgets the ids of the others, so that they are
// accepted when they are read again. It returns the journal's last error.
func (in *intake) settle(ctx context.Context) error {
	// The answer must be known even when the daemon is being stopped; Sync
	// itself is bounded by the disk.
	ctx = context.WithoutCancel(ctx)
	var failed error
	start := 0
	for _, c := range in.chunks {
		if err := in.journal.Sync(ctx, c.pos); err != nil {
			in.stream.forget(in.keys[start:c.keys])
			failed = err
		}
		start = c.keys
	}
	in.chunks, in.keys = in.chunks[:0], in.keys[:0]
	if in.isTail() {
		in.stream.noDoubt()
	}
	return failed
}
