package live

import (
	"encoding/binary"
	"hash/maphash"
	"time"

	"aictail/tailer/aic"
)

// seenEntries are remembered at least: two full pages of the tail. The overlap of two
// pages is one entry; more is for a tail that begins anew, and for where it meets the
// history.
const seenEntries = 2 * tailCap

// seen remembers which entries have been read. An entry is known by its source, time
// and payload, with an ordinal among equals of one page.
type seen struct {
	seed     maphash.Seed
	now, old map[uint64]struct{}

	last   time.Time // of the page's entries
	equals map[uint64]uint64
	head   []byte
}

func newSeen() *seen {
	return &seen{seed: maphash.MakeSeed(), now: map[uint64]struct{}{}, old: map[uint64]struct{}{}, equals: map[uint64]uint64{}}
}

// startPage forgets the ordinals.
func (s *seen) startPage() {
	s.last = time.Time{}
	clear(s.equals)
}

// add reports whether the entry is new. With 64 bits and these many entries, the
// chance to take a new one for an old one is below 1 in 10^9 for each.
func (s *seen) add(e *aic.Entry) bool {
	if !e.Time.Equal(s.last) {
		s.last = e.Time
		clear(s.equals)
	}
	key := s.key(e, 0)
	ordinal := s.equals[key]
	s.equals[key] = ordinal + 1
	if ordinal > 0 {
		key = s.key(e, ordinal)
	}
	_, known := s.now[key]
	if _, before := s.old[key]; before || known {
		return false
	}
	if len(s.now) >= seenEntries {
		s.now, s.old = map[uint64]struct{}{}, s.now
	}
	s.now[key] = struct{}{}
	return true
}

func (s *seen) key(e *aic.Entry, ordinal uint64) uint64 {
	body := e.Payload.Of(e.Raw)
	if body == nil {
		body = e.Raw
	}
	s.head = append(append(s.head[:0], e.Source...), 0)
	s.head = binary.BigEndian.AppendUint64(s.head, uint64(e.Time.UnixNano()))
	s.head = binary.BigEndian.AppendUint64(s.head, ordinal)
	var h maphash.Hash
	h.SetSeed(s.seed)
	_, _ = h.Write(s.head) // never fails
	_, _ = h.Write(body)
	return h.Sum64()
}
