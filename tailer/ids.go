package tailer

import (
	"hash/maphash"
	"math"
	"time"

	"aictail"
)

const (
	// maxIDs bounds the ids that a stream remembers: 18 minutes of the loudest
	// tenant seen (28,000 entries a minute), some 15 MB. Who is further behind
	// with its sweep than that may see events of the forgotten time again.
	maxIDs = 500_000
	// tailIDs are remembered at least where nothing is swept: two full pages of
	// the tail, so that a page that is read again is recognised whole.
	tailIDs = 32_768
)

// idKey is where an id stands in an idSet.
type idKey struct {
	minute int64
	key    seenKey
}

// seenKey is 128 bits of a hash of an event id: with a million ids in the set
// the chance that two differing ids share a key is below 1 in 10^26.
type seenKey [2]uint64

// hasher makes keys. They hold for the life of the process only.
type hasher [2]maphash.Seed

func newHasher() hasher { return hasher{maphash.MakeSeed(), maphash.MakeSeed()} }

func (h hasher) key(id []byte) seenKey {
	return seenKey{maphash.Bytes(h[0], id), maphash.Bytes(h[1], id)}
}

// idSet holds the ids of the events of a stream that are in the journal and that
// may be read again, by the minute of the event's time. It is not safe for
// concurrent use.
type idSet struct {
	hasher
	minutes map[int64]*idMinute
	size    int
}

type idMinute struct {
	ids map[seenKey]struct{}
	// low is the least journal position of these events; math.MaxUint64 if none
	// is known. The journal must keep what follows for the next start.
	low aictail.Position
}

func newIDSet() *idSet { return &idSet{hasher: newHasher(), minutes: map[int64]*idMinute{}} }

func minuteOf(t time.Time) int64 { return t.Unix() / 60 }

// add puts an id into the set and reports whether it was new.
func (s *idSet) add(k idKey) bool {
	m := s.minutes[k.minute]
	if m == nil {
		m = &idMinute{ids: map[seenKey]struct{}{}, low: math.MaxUint64}
		s.minutes[k.minute] = m
	}
	before := len(m.ids)
	m.ids[k.key] = struct{}{}
	if len(m.ids) == before {
		return false
	}
	s.size++
	return true
}

// remove takes an id out again, of an event that did not reach the journal.
func (s *idSet) remove(k idKey) {
	if m := s.minutes[k.minute]; m != nil {
		if _, ok := m.ids[k.key]; ok {
			delete(m.ids, k.key)
			s.size--
		}
	}
}

// placed notes where in the journal events with these ids are.
func (s *idSet) placed(keys []idKey, pos aictail.Position) {
	for _, k := range keys {
		if m := s.minutes[k.minute]; m != nil && pos < m.low {
			m.low = pos
		}
	}
}

// drop forgets a minute.
func (s *idSet) drop(minute int64) {
	if m := s.minutes[minute]; m != nil {
		s.size -= len(m.ids)
		delete(s.minutes, minute)
	}
}

// oldest returns the earliest minute in the set.
func (s *idSet) oldest() (minute int64, ok bool) {
	minute = math.MaxInt64
	for m := range s.minutes {
		minute = min(minute, m)
	}
	return minute, len(s.minutes) > 0
}

// low returns the least journal position that any id in the set stands at.
func (s *idSet) low() aictail.Position {
	low := aictail.Position(math.MaxUint64)
	for _, m := range s.minutes {
		low = min(low, m.low)
	}
	return low
}
