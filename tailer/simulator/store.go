package simulator

import (
	"cmp"
	"math"
	"slices"
	"sort"
	"strings"
	"time"

	"aictail"
)

// position is an entry's place in the order of its timestamp; entries with the
// same timestamp stand in the order of their creation.
type position struct {
	time int64 // nanoseconds since 1970
	seq  uint64
}

func (p position) compare(q position) int {
	if c := cmp.Compare(p.time, q.time); c != 0 {
		return c
	}
	return cmp.Compare(p.seq, q.seq)
}

// next returns the smallest position behind p.
func (p position) next() position { return position{p.time, p.seq + 1} }

// after returns the smallest position with a later timestamp.
func (p position) after() position { return position{time: p.time + 1} }

// entry is one stored log entry. All but its two counters is immutable once
// it is in the store, so that answers are written without the tenant's lock.
type entry struct {
	pos     position
	arrived int64 // nanoseconds since 1970; not visible before
	source  string
	raw     []byte
	payload aictail.Span // in raw
	omit    int          // offset of `,"source":"…"}` in raw; 0: always sent as it is
	event   uint64
	tailed  int // guarded by Tenant.mu: whole tail answers that held it
	ranged  int // guarded by Tenant.mu: whole range answers that held it
}

// sourceLog holds the visible entries of one source in the order of position.
type sourceLog struct {
	name     string
	entries  []*entry
	replayed []replayLine // not yet visible: see Tenant.Replay
}

// store holds the entries of all sources. It has no lock of its own.
type store struct {
	logs    []*sourceLog // in the order of the source list, views left out
	byName  map[string]*sourceLog
	late    []*entry // not yet visible, in the order of arrival
	held    int      // entries in all logs
	seq     uint64
	max     int
	keep    time.Duration
	removed []*entry // by age or number, if keepRemoved
	// keepRemoved is Options.Ledger.
	keepRemoved bool
}

func newStore(o Options) *store {
	s := &store{byName: map[string]*sourceLog{}, max: o.MaxEntries, keep: o.Retention, keepRemoved: o.Ledger}
	for _, name := range o.Sources {
		if !strings.HasSuffix(name, everything) {
			s.addLog(name)
		}
	}
	return s
}

func (s *store) addLog(name string) *sourceLog {
	l := &sourceLog{name: name}
	s.logs = append(s.logs, l)
	s.byName[name] = l
	return l
}

// view returns the logs that a source name stands for; none if it is unknown
// or a view over nothing.
func (s *store) view(name string) []*sourceLog {
	if prefix, ok := strings.CutSuffix(name, everything); ok {
		var logs []*sourceLog
		for _, l := range s.logs {
			if strings.HasPrefix(l.name, prefix+"-") {
				logs = append(logs, l)
			}
		}
		return logs
	}
	if l := s.byName[name]; l != nil {
		return []*sourceLog{l}
	}
	return nil
}

// add numbers e and stores it: visible at once, or from its arrival on.
func (s *store) add(e *entry, now time.Time) {
	s.seq++
	e.pos.seq = s.seq
	if e.arrived > now.UnixNano() {
		i := sort.Search(len(s.late), func(i int) bool { return s.late[i].arrived > e.arrived })
		s.late = slices.Insert(s.late, i, e)
		return
	}
	s.show(e)
}

// show puts e in its place and removes the oldest entry if there are too many.
func (s *store) show(e *entry) {
	l := s.byName[e.source]
	if n := len(l.entries); n == 0 || l.entries[n-1].pos.compare(e.pos) < 0 {
		l.entries = append(l.entries, e)
	} else {
		l.entries = slices.Insert(l.entries, l.from(e.pos), e)
	}
	if s.held++; s.held > s.max {
		oldest := l
		for _, other := range s.logs {
			if len(other.entries) > 0 && other.entries[0].pos.compare(oldest.entries[0].pos) < 0 {
				oldest = other
			}
		}
		s.removeFirst(oldest)
	}
}

func (s *store) removeFirst(l *sourceLog) {
	if s.keepRemoved {
		s.removed = append(s.removed, l.entries[0])
	}
	l.entries[0] = nil // let it be collected although the array lives on
	l.entries = l.entries[1:]
	s.held--
}

// settle shows the late entries whose time has come and removes those that are
// past retention.
func (s *store) settle(now time.Time) {
	due := 0
	for due < len(s.late) && s.late[due].arrived <= now.UnixNano() {
		s.show(s.late[due])
		due++
	}
	s.late = slices.Delete(s.late, 0, due)
	oldest := now.Add(-s.keep).UnixNano()
	for _, l := range s.logs {
		for len(l.entries) > 0 && l.entries[0].pos.time < oldest {
			s.removeFirst(l)
		}
	}
}

// from returns the index of the first entry at or behind p.
func (l *sourceLog) from(p position) int {
	return sort.Search(len(l.entries), func(i int) bool { return l.entries[i].pos.compare(p) >= 0 })
}

// find appends the visible entries of the logs from the position to the time
// (both inclusive) in order to found, at most limit of them.
func find(logs []*sourceLog, from position, until int64, limit int) []*entry {
	heads := make([][]*entry, 0, len(logs))
	size := 0
	for _, l := range logs {
		end := len(l.entries)
		if until < math.MaxInt64 {
			end = l.from(position{time: until}.after())
		}
		if start := l.from(from); start < end {
			heads = append(heads, l.entries[start:end])
			size += end - start
		}
	}
	found := make([]*entry, 0, min(size, limit))
	// A merge over at most a few dozen sources: a heap would not pay.
	for len(heads) > 0 && len(found) < limit {
		first := 0
		for i := 1; i < len(heads); i++ {
			if heads[i][0].pos.compare(heads[first][0].pos) < 0 {
				first = i
			}
		}
		found = append(found, heads[first][0])
		if heads[first] = heads[first][1:]; len(heads[first]) == 0 {
			heads = slices.Delete(heads, first, first+1)
		}
	}
	return found
}

// newEntry writes an entry the way the API does.
func newEntry(source, typ string, payload []byte, at time.Time) *entry {
	const head = `{"payload":`
	raw := make([]byte, 0, len(head)+len(payload)+len(typ)+len(source)+len(time.RFC3339Nano)+40)
	raw = append(raw, head...)
	raw = append(raw, payload...)
	span := aictail.Span{Start: len(head), End: len(raw)}
	raw = append(raw, `,"timestamp":"`...)
	raw = at.UTC().AppendFormat(raw, time.RFC3339Nano)
	raw = append(raw, `","type":"`...)
	raw = append(raw, typ...)
	raw = append(raw, '"')
	omit := len(raw)
	raw = append(raw, `,"source":"`...)
	raw = append(raw, source...)
	raw = append(raw, `"}`...)
	return &entry{pos: position{time: at.UnixNano()}, source: source, raw: raw, payload: span, omit: omit}
}
