package tailer

import (
	"hash/maphash"
	"time"
)

const (
	// minSeen ids are remembered at least: more than one full page of the tail
	// endpoint (15,000 lines), so that a page that is read again after it was cut
	// off is recognised whole.
	minSeen = 16_384
	// seenFor is how long an id is remembered at least while ids arrive. A tail
	// that lost its cookie starts again 15 seconds back; a minute leaves room
	// for a slow answer.
	seenFor = time.Minute
)

// seenKey is 128 bits of a hash of an event id: with a million ids in the set
// the chance that two differing ids share a key is below 1 in 10^26.
type seenKey [2]uint64

// seenSet remembers the ids of the events that a stream has journaled lately.
// It keeps two generations and drops the older one when the younger one is both
// large enough and old enough, so its size follows the last minute's traffic.
// It is not safe for concurrent use.
type seenSet struct {
	seeds    [2]maphash.Seed
	young    map[seenKey]struct{}
	old      map[seenKey]struct{}
	youngAge time.Time // when young was begun
}

func newSeenSet() *seenSet {
	return &seenSet{
		seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()},
		young: make(map[seenKey]struct{}),
	}
}

func (s *seenSet) key(id []byte) seenKey {
	return seenKey{maphash.Bytes(s.seeds[0], id), maphash.Bytes(s.seeds[1], id)}
}

// add puts k into the set and reports whether it was new.
func (s *seenSet) add(k seenKey) bool {
	if _, ok := s.young[k]; ok {
		return false
	}
	if _, ok := s.old[k]; ok {
		return false
	}
	s.young[k] = struct{}{}
	return true
}

// remove takes k out again, for an event that did not reach the journal.
func (s *seenSet) remove(k seenKey) {
	delete(s.young, k)
	delete(s.old, k)
}

// turn starts a new generation if it is time for one. The ids of the page
// before stay in the set.
func (s *seenSet) turn(now time.Time) {
	if s.youngAge.IsZero() {
		s.youngAge = now
	}
	if len(s.young) < minSeen || now.Sub(s.youngAge) < seenFor {
		return
	}
	s.old, s.young, s.youngAge = s.young, make(map[seenKey]struct{}, len(s.young)), now
}
