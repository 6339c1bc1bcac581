package tailer

import "time"

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

// seenSet remembers the ids of the entries that a tail has read lately.
// It keeps two generations and drops the older one when the younger one is both
// large enough and old enough, so its size follows the last minute's traffic.
// It is not safe for concurrent use.
type seenSet struct {
	hasher
	young    map[seenKey]struct{}
	old      map[seenKey]struct{}
	youngAge time.Time // when young was begun
}

func newSeenSet() *seenSet {
	return &seenSet{
		hasher: newHasher(),
		young:  make(map[seenKey]struct{}),
	}
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
