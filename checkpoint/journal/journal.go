package journal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"aictail"
)

// Errors that callers tell apart.
var (
	// ErrVoid: the record was not made durable and never will be; append it again.
	ErrVoid = errors.New("the record was not stored")
	// ErrTooLarge: the record is larger than the journal takes; split it.
	ErrTooLarge = errors.New("the record is too large for the journal")
	// ErrClosed: the journal, or the reader, has been closed.
	ErrClosed = errors.New("the journal is closed")
)

// Options says where the journal is and how much it keeps.
type Options struct {
	// Dir is the journal's folder; it is created if missing, its parent is not.
	Dir string
	// MaxSize is where the journal counts as full, in bytes. 0 means 10 GiB: a
	// day of 150 events per second of 750 bytes.
	MaxSize int64
	// Retain is how long records are kept after all sinks have them, for replay.
	Retain time.Duration
	// SegmentSize is the size from which on a new segment is started. 0 means
	// 64 MiB: small beside the default MaxSize, so that trimming is fine enough,
	// and large beside a chunk, so that creating files costs nothing. It is
	// lowered to an eighth of MaxSize.
	SegmentSize int64
	// FS is the file system; nil means that of the operating system.
	FS FS
	// AtLeast is the highest position that anybody has stored as reached: new
	// records get positions from there on even if the journal's files are lost.
	AtLeast aictail.Position
	// OnDamage hears of everything that can't be read any more. It is called by
	// whoever comes across it, one call at a time, and must not call the journal
	// except Stats. May be nil.
	OnDamage func(Damage)
}

// MinRetain is how long records are kept even when the journal is full: ids of
// the last minute are needed after a restart to recognise what tail repeats.
const MinRetain = time.Minute

const (
	defaultMaxSize     = 10 << 30
	defaultSegmentSize = 64 << 20
)

// Journal is safe for concurrent use. It starts no goroutines.
type Journal struct {
	opts   Options
	dir    string
	fs     FS
	opened time.Time

	// appendMu serialises those who write to segments or create them. It is held
	// during disk writes; mu, which readers and metrics need, is not. Whoever
	// needs both takes appendMu first.
	appendMu sync.Mutex
	enc      encoder // guarded by appendMu

	// trimMu serialises Trim and guards dirUnsynced: a deletion may not be durable.
	trimMu      sync.Mutex
	dirUnsynced bool

	// damageMu guards reported and serialises OnDamage. Nothing else is locked
	// when it is taken, except that Open and readers are at work.
	damageMu sync.Mutex
	reported map[place]bool

	// mu guards everything below.
	mu       sync.Mutex
	segments []*segment // oldest first
	active   *segment   // the last of segments while it is open for writing, or nil
	next     aictail.Position
	durable  aictail.Position // after the last durable record
	newest   time.Time        // when the newest record found by Open was written
	voids    voids
	syncing  bool // somebody fsyncs the active segment
	noSpace  bool // the last write failed for want of space
	faults   uint64

	checkpoints map[string]checkpoint // durable ones
	pending     []checkpoint          // of records that are not durable yet

	changed      chan struct{} // closed when anything below mu changed; nil if nobody waits
	appendClosed bool
	closed       bool
}

// checkpoint is the restart state of a stream as of the record before next.
type checkpoint struct {
	stream string
	state  []byte
	next   aictail.Position
}

// segment is one segment file. Its fields are guarded by Journal.mu, except file,
// which is set once.
type segment struct {
	extent           // extent.end and next tell up to where it is durable
	file   File      // open while the segment is active
	size   int64     // up to where it is written; in the end the same as extent.end
	newest time.Time // when its newest record was written
	failed bool      // what was not durable is void
}

// Stats is a momentary view of the journal.
type Stats struct {
	Bytes, MaxBytes int64
	Segments        int
	// First is the lowest position that may be read, Next the one that the next
	// record gets, Durable the one after the last durable record.
	First, Next, Durable aictail.Position
	// Faults counts failed writes, fsyncs and creations since Open.
	Faults uint64
}

// Stats never waits for the disk.
func (j *Journal) Stats() Stats {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := Stats{
		Bytes: j.bytesLocked(), MaxBytes: j.opts.MaxSize, Segments: len(j.segments),
		First: j.next, Next: j.next, Durable: j.durable, Faults: j.faults,
	}
	if len(j.segments) > 0 {
		s.First = j.segments[0].first
	}
	return s
}

func (j *Journal) bytesLocked() int64 {
	var n int64
	for _, s := range j.segments {
		n += s.size
	}
	return n
}

// Full tells whether the journal holds as much as it may. Append works
// nevertheless: what has been fetched is worth more than the limit.
func (j *Journal) Full() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.bytesLocked() >= j.opts.MaxSize
}

// WaitRoom returns as soon as the journal is not full: nil, or the error of ctx,
// or ErrClosed.
func (j *Journal) WaitRoom(ctx context.Context) error {
	j.mu.Lock()
	for j.bytesLocked() >= j.opts.MaxSize && !j.appendClosed {
		if err := j.waitLocked(ctx); err != nil {
			j.mu.Unlock()
			return err
		}
	}
	defer j.mu.Unlock()
	if j.appendClosed {
		return ErrClosed
	}
	return nil
}

// waitLocked releases mu until something changes or ctx ends.
func (j *Journal) waitLocked(ctx context.Context) error {
	changed := j.changedLocked()
	j.mu.Unlock()
	defer j.mu.Lock()
	select {
	case <-changed:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// changedLocked returns a channel that is closed at the next change.
func (j *Journal) changedLocked() <-chan struct{} {
	if j.changed == nil {
		j.changed = make(chan struct{})
	}
	return j.changed
}

// broadcastLocked wakes all who wait for a change.
func (j *Journal) broadcastLocked() {
	if j.changed != nil {
		close(j.changed)
		j.changed = nil
	}
}

// Checkpoints returns the latest durable checkpoint of every stream that was
// appended or recovered since Open, and the position before which no newer one
// is: whoever stores both may start the next Recover there. The states must not
// be modified.
func (j *Journal) Checkpoints() (map[string][]byte, aictail.Position) {
	j.mu.Lock()
	defer j.mu.Unlock()
	m := make(map[string][]byte, len(j.checkpoints))
	for stream, c := range j.checkpoints {
		m[stream] = c.state
	}
	return m, j.durable
}

// keepLocked notes a durable checkpoint unless a newer one is known.
func (j *Journal) keepLocked(c checkpoint) {
	if c.next >= j.checkpoints[c.stream].next {
		j.checkpoints[c.stream] = c
	}
}

// CloseAppend ends appending: Append and WaitRoom return ErrClosed from now on,
// what was appended becomes durable or void, and readers get io.EOF after the
// last record. Appenders that wait in Sync get their answer.
func (j *Journal) CloseAppend() { _ = j.closeAppend() }

func (j *Journal) closeAppend() error {
	j.appendMu.Lock()
	defer j.appendMu.Unlock()
	err := j.seal()
	j.mu.Lock()
	defer j.mu.Unlock()
	j.appendClosed = true
	j.broadcastLocked()
	return err
}

// Close is CloseAppend, and ends readers too: they get ErrClosed. Its error says
// that records became void for which nobody may have called Sync.
func (j *Journal) Close() error {
	err := j.closeAppend()
	j.mu.Lock()
	defer j.mu.Unlock()
	j.closed = true
	j.broadcastLocked()
	return err
}

// voidRange is a range of positions that were given out and are void.
type voidRange struct {
	from, to aictail.Position
	cause    error
}

// voids remembers the void positions of this run, so that every Sync gets the
// right answer however late it asks.
type voids struct {
	ranges []voidRange
	// forgotten is the end of what was dropped from ranges.
	forgotten aictail.Position
}

// maxVoids bounds the memory. Between an Append and its Sync there would have to
// be as many separate faults, each with successes in between.
const maxVoids = 1024

// add notes that the positions from ≤ p < to are void.
func (v *voids) add(from, to aictail.Position, cause error) {
	if n := len(v.ranges); n > 0 {
		last := &v.ranges[n-1]
		if from <= last.to { // nothing was stored in between
			last.to = max(last.to, to)
			return
		}
	}
	if from >= to {
		return
	}
	v.ranges = append(v.ranges, voidRange{from, to, cause})
	if len(v.ranges) > maxVoids {
		v.forgotten = v.ranges[0].to
		v.ranges = slices.Delete(v.ranges, 0, 1)
	}
}

// check returns an ErrVoid if p is void. If it can't be told any more it returns
// one as well: a record that is appended twice is recognised by its ids, one that
// is lost is not.
func (v *voids) check(p aictail.Position) error {
	for _, r := range v.ranges {
		if r.from <= p && p < r.to {
			return fmt.Errorf("%w: %w", ErrVoid, r.cause)
		}
	}
	if p < v.forgotten {
		return fmt.Errorf("%w: too many faults since it was appended", ErrVoid)
	}
	return nil
}
