// Package assemble puts entries that the tenant split together again: JSON
// events that were too large for one entry and came as several plaintext
// entries, and java.util.logging records and stack traces that came line by
// line.
//
// # Split JSON
//
// Nothing is known of the parts but that together they are one JSON object and
// that the first begins with a brace. So the package tries every way of putting
// together the open texts of one source, in the order of their timestamps (in
// any order where these are equal) and within MaxSpread. A way is good if each
// object in it is valid JSON and UTF-8 without a key twice. Parts are joined
// when every good way that leaves no part over joins them in the same manner.
// That is decided when an entry of the same source with a later timestamp
// follows, since one with the same might have belonged in between. If no way
// uses up all parts, the decision waits for MaxSpread or Patience, and then
// whatever fits in one manner only is joined. Everything else is Loose: to leave
// an event in parts is better than to make one that never was.
//
// Texts are told apart by what they show. A text with the quotes, commas and
// brackets of an object that was cut, or with JSON escapes where only the inside
// of a string can be, is a part and must be used up; so is any text from a
// source that logs nothing but JSON (am-access and its like). A line of a known
// form (see forms.go), where one is expected, is not the inside of a string. Any other text might be a
// part or an ordinary line. It is passed on at once, and where it could also
// have been the inside of a string of an open event, that event stays Loose.
//
// The limits of this: two events of one source that overlap in time and are both
// cut within the same string stay Loose. In a debug source, a middle part without
// any sign of JSON makes its event Loose and is passed on as Single, as is a line
// of a record that comes while it could be such a part. A middle part like that
// is not looked for at all if it comes before its head, with the same timestamp.
// One that reads exactly like a line of a known form, where one is expected, is
// taken for that line, and the event may be joined without it. An object that a
// logger wrote over several lines is joined to one line. If a head is lost, its
// other part could complete another open event that was cut in the same place.
//
// # Records
//
// A header line and the LEVEL line that follows it make a record, with the lines
// after them as far as each follows within MaxLineGap. It is complete when
// another header or a later entry of the same source shows that. A stack trace
// without a header begins at its exception line.
//
// # What it does not do
//
// The package does no I/O and keeps no clock; it gives no ids and drops no
// duplicates: each entry must be added once. Without Expire and evictions the
// events of a source depend only on the sequence of that source's entries, not on
// how it was cut into calls, so that tail and sweep agree.
package assemble

import (
	"time"

	"aictail/tailer/aic"
)

// Outcome says how an event came about.
type Outcome int

const (
	// Single is an entry as it came, whole by itself.
	Single Outcome = iota
	// Joined is a JSON event that had been split into several entries.
	Joined
	// Record is a java.util.logging record or a stack trace of several lines.
	Record
	// Loose is an entry that belongs to others but could not be joined with them.
	// It is as it came, except for the Mark.
	Loose
)

// String returns the outcome's name as used in metric labels.
func (o Outcome) String() string {
	switch o {
	case Joined:
		return "joined"
	case Record:
		return "record"
	case Loose:
		return "loose"
	}
	return "single"
}

// Mark is the last member of a Loose event's Raw.
const Mark = `"aictail":"fragment"`

const (
	// MaxSpread is how far apart the timestamps of an event's parts may lie. They
	// are written by one call and lie microseconds apart; the second is for an
	// agent that reads the other part after a pause. A longer time would let the
	// part of an event whose other part is lost spoil more of the events after it.
	MaxSpread = time.Second
	// MaxLineGap is how far apart the timestamps of two lines of one record may
	// lie. Lines of one record were seen 6 to 80 microseconds apart, and records
	// of one thread as near: the gap only has to outlast a pause of the writer.
	MaxLineGap = 100 * time.Millisecond

	// settleTime is the real time after which no entry with the timestamp of the
	// last part is expected any more when the source is silent. The API shows
	// entries with one timestamp in one page.
	settleTime = time.Second

	// defaultPatience is longer than the longest sensible poll interval of a
	// busy source, so that the other half has had its chance to be read.
	defaultPatience = 10 * time.Second
	// defaultMaxBytes holds dozens of open events at 256 KiB, the largest log
	// entry of the cloud the tenants run in.
	defaultMaxBytes = 8 << 20
	// defaultMaxOpen is more than any stack trace has lines: one runs to 1024
	// frames at most (-XX:MaxJavaStackTraceDepth), some causes deep.
	defaultMaxOpen = 4096
)

// Options says how much an Assembler may hold back. Zero values mean the
// defaults.
type Options struct {
	// Patience is the real time that a part may stay open; 10 s by default.
	Patience time.Duration
	// MaxBytes bounds the memory for open parts, in bytes; 8 MiB by default.
	MaxBytes int
	// MaxOpen bounds the number of open parts; 4096 by default.
	MaxOpen int
}

// Event is one event made of one or more entries.
type Event struct {
	aic.Entry
	// Parts is the number of entries.
	Parts   int
	Outcome Outcome
}

// Assembler puts the entries of one stream together. It is not safe for
// concurrent use.
type Assembler struct {
	options Options
	sources []*source // those seen, in no order that matters
	last    *source   // the one found last
	open    int       // entries held
	bytes   int       // of these
	seq     uint64    // of the last entry held

	text    []byte  // scratch: the text of the entry at hand
	trial   checker // scratch
	out     []byte  // what the events handed out by this call were made of
	retired []*held // handed out by this call
	free    []*held // to be used again
	now     time.Time
}

// New returns an assembler with nothing open.
func New(o Options) *Assembler {
	if o.Patience <= 0 {
		o.Patience = defaultPatience
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = defaultMaxBytes
	}
	if o.MaxOpen <= 0 {
		o.MaxOpen = defaultMaxOpen
	}
	return &Assembler{options: o}
}

// Add takes entries in the order of their page and appends the events that are
// certain now. Every entry comes out exactly once, alone or in an event, here or
// from a later call. now is the real time.
//
// The entries' bytes are used only during the call, but events that are Single
// may point into them; the bytes of others are valid until the next call.
func (a *Assembler) Add(dst []Event, entries []aic.Entry, now time.Time) []Event {
	a.begin(now)
	for i := range entries {
		e := &entries[i]
		text, ok := inside(e)
		if ok && !e.Time.IsZero() {
			dst = a.addText(dst, e, text)
			for a.open > a.options.MaxOpen || a.bytes > a.options.MaxBytes {
				dst = a.release(dst, a.oldest(), false)
			}
			continue
		}
		if a.open > 0 {
			if s := a.find(e.Source); s != nil {
				dst = a.advance(dst, s, e.Time)
			}
		}
		dst = append(dst, Event{Entry: *e, Parts: 1})
	}
	return dst
}

// Expire appends what has been open for longer than Patience: parts of JSON
// that fit in one way only as Joined, the rest as Loose, in the order in which
// it came. A later part of such an event will be Loose as well.
func (a *Assembler) Expire(dst []Event, now time.Time) []Event {
	a.begin(now)
	for _, s := range a.sources {
		if s.unsettled && now.Sub(s.lastPart) >= min(settleTime, a.options.Patience) {
			dst = a.settle(dst, s, false)
		}
	}
	for a.open > 0 {
		h := a.oldest()
		if now.Sub(h.since) < a.options.Patience {
			break
		}
		dst = a.release(dst, h, false)
	}
	return dst
}

// Flush appends everything that is open, as if nothing more came: what is
// complete as it stands as Joined or Record, the rest as Loose.
func (a *Assembler) Flush(dst []Event) []Event {
	a.begin(a.now)
	for _, s := range a.sources {
		if s.unsettled {
			dst = a.settle(dst, s, false)
		}
	}
	for a.open > 0 {
		dst = a.release(dst, a.oldest(), true)
	}
	return dst
}

// Open returns the number of entries that are held back.
func (a *Assembler) Open() int { return a.open }

// Oldest returns the earliest timestamp among the entries that are held back, or
// the zero time if there are none.
func (a *Assembler) Oldest() time.Time {
	var t time.Time
	for _, s := range a.sources {
		s.each(func(h *held) {
			if t.IsZero() || h.Time.Before(t) {
				t = h.Time
			}
		})
	}
	return t
}

const (
	// maxFree bounds the memory kept for later: 1024 lines of some 200 bytes.
	maxFree = 1024
	// maxKept is the largest buffer kept for later.
	maxKept = 64 << 10
)

// begin readies the buffers of the last call to be used again.
func (a *Assembler) begin(now time.Time) {
	a.now = now
	for _, h := range a.retired {
		a.recycle(h)
	}
	clear(a.retired)
	a.retired = a.retired[:0]
	if cap(a.out) > a.options.MaxBytes {
		a.out = nil
	}
	a.out = a.out[:0]
}
