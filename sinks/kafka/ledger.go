package kafka

import (
	"encoding/binary"
	"errors"
	"hash/fnv"
	"maps"
	"slices"

	"aictail"
)

// ledger knows which events are in Kafka although the read position may stand
// before them. It makes State true whatever part of a batch is committed: what is
// delivered and not certain to lie before the read position is stored by name.
type ledger struct {
	// ahead are delivered events. True: this process has reported the event as
	// delivered; false: it was found in Kafka or in the stored state, and may come.
	ahead map[aictail.Position]bool
	// ids are hashes of the ids of those that were read back from Kafka. When an old
	// copy of data_dir has been restored, positions stand for other events: a record
	// with the position alone is not the event.
	ids map[aictail.Position]uint64
	// expected is the number of false ones.
	expected int
	// failed are the events that were reported as failed and will come again.
	failed map[aictail.Position]bool
	// top is the highest position that ever came.
	top aictail.Position
}

func newLedger() *ledger {
	return &ledger{
		ahead: make(map[aictail.Position]bool), failed: make(map[aictail.Position]bool),
		ids: make(map[aictail.Position]uint64),
	}
}

// begin is called with each batch.
//
// Events come in the order of their positions, apart from those that come again:
// after a failure, as dead letters, or because the read position was set back. So
// with a batch that goes beyond all before, what lies before it and was expected
// or had failed does not come any more; if it does later, somebody wants it again.
func (l *ledger) begin(events []aictail.Event) {
	lowest, highest := events[0].Position, events[0].Position
	for i := range events {
		lowest, highest = min(lowest, events[i].Position), max(highest, events[i].Position)
	}
	if highest <= l.top {
		return
	}
	l.top = highest
	maps.DeleteFunc(l.failed, func(p aictail.Position, _ bool) bool { return p < lowest })
	if l.expected == 0 {
		return
	}
	maps.DeleteFunc(l.ahead, func(p aictail.Position, reported bool) bool {
		if reported || p >= lowest {
			return false
		}
		l.expected--
		delete(l.ids, p)
		return true
	})
}

// found notes an event that is in Kafka, by its position.
func (l *ledger) found(p aictail.Position) {
	if _, there := l.ahead[p]; !there {
		l.ahead[p] = false
		l.expected++
	}
}

// sighting is an event as a record in Kafka names it.
type sighting struct {
	position aictail.Position
	id       uint64 // hashID of its id; 0 if not known
}

// hashID never returns 0.
func hashID(id []byte) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(id) // a hash's Write never fails (hash.Hash)
	return max(1, h.Sum64())
}

// sighted notes an event that was read back.
func (l *ledger) sighted(s sighting) {
	if reported, there := l.ahead[s.position]; !there || !reported {
		l.found(s.position)
		l.ids[s.position] = s.id
	}
}

// holds reports whether the event is in Kafka already.
func (l *ledger) holds(e *aictail.Event) bool {
	if !l.has(e.Position) {
		return false
	}
	id := l.ids[e.Position]
	return id == 0 || id == hashID(e.ID)
}

// has reports whether an event with the position is in Kafka already.
func (l *ledger) has(p aictail.Position) bool {
	_, there := l.ahead[p]
	return there
}

// delivered notes that the event is reported as delivered.
func (l *ledger) delivered(p aictail.Position) {
	if reported, there := l.ahead[p]; there && !reported {
		l.expected--
	}
	l.ahead[p] = true
	delete(l.failed, p)
	delete(l.ids, p)
}

// commit forgets what the read position that is about to be stored lies behind:
// everything delivered that is before the first event that will come again.
func (l *ledger) commit() {
	if len(l.failed) == 0 && l.expected == 0 {
		clear(l.ahead)
		clear(l.ids)
		return
	}
	first := aictail.Position(1<<64 - 1)
	for p := range l.failed {
		first = min(first, p)
	}
	maps.DeleteFunc(l.ahead, func(p aictail.Position, reported bool) bool { return reported && p < first })
}

// encode returns the positions in ahead: as varints, the first one and then the
// distances.
func (l *ledger) encode() []byte {
	if len(l.ahead) == 0 {
		return nil
	}
	b := make([]byte, 0, 2*len(l.ahead)+8)
	last := aictail.Position(0)
	for _, p := range slices.Sorted(maps.Keys(l.ahead)) {
		b = binary.AppendUvarint(b, uint64(p-last))
		last = p
	}
	return b
}

// decode is the reverse of encode. The events are expected.
func (l *ledger) decode(b []byte) error {
	last := aictail.Position(0)
	for len(b) > 0 {
		distance, n := binary.Uvarint(b)
		if n <= 0 || distance == 0 || uint64(last)+distance < distance {
			return errors.New("positions of delivered events")
		}
		last += aictail.Position(distance)
		l.found(last)
		b = b[n:]
	}
	return nil
}
