package checkpoint

import (
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"aictail"
)

// SinkState is what is stored of a sink.
type SinkState struct {
	// Position is the sink's read position in the journal; 0 if none was committed.
	Position aictail.Position
	// State is the sink's own; nil if it has stored none.
	State []byte
}

// Sink returns what is stored of a sink; found is false if it is nothing.
func (s *State) Sink(name string) (state SinkState, found bool, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketSinks()).Bucket([]byte(name))
		if b == nil {
			return nil
		}
		found = true
		if v := b.Get(keyState()); v != nil {
			state.State = append([]byte{}, v...)
		}
		var err error
		state.Position, err = s.position(b.Get(keyPosition()), "of sink "+name)
		return err
	})
	if err != nil {
		return SinkState{}, false, err
	}
	return state, found, nil
}

// CommitSink stores the read position of a sink and its state, as one: after a
// crash both are there or neither. A nil state removes the stored one. The
// position never goes back (RewindSink does that): it is an error, and nothing is
// stored.
func (s *State) CommitSink(name string, pos aictail.Position, state []byte) error {
	return s.updateSink(name, func(b *bbolt.Bucket) error {
		if err := s.forward(b, keyPosition(), pos); err != nil {
			return err
		}
		return put(b, keyState(), state)
	})
}

// RewindSink sets the read position of a sink back to pos, and leaves its state.
// from is the position before; if that is not behind pos, nothing changes. What the
// sink has reached once is remembered, for Reached.
func (s *State) RewindSink(name string, pos aictail.Position) (from aictail.Position, err error) {
	err = s.updateSink(name, func(b *bbolt.Bucket) error {
		if from, err = s.position(b.Get(keyPosition()), "of sink "+name); err != nil || from <= pos {
			return err
		}
		reached, err := s.position(b.Get(keyReached()), "reached by sink "+name)
		if err != nil {
			return err
		}
		return errors.Join(putPosition(b, keyReached(), max(reached, from)), putPosition(b, keyPosition(), pos))
	})
	if err != nil {
		return 0, err
	}
	return from, nil
}

// Reached returns the highest position that any sink has ever committed or any
// checkpoint of a stream was stored for: no position before it is free.
func (s *State) Reached() (aictail.Position, error) {
	var reached aictail.Position
	err := s.view(func(tx *bbolt.Tx) error {
		see := func(b *bbolt.Bucket, key []byte, what string) error {
			pos, err := s.position(b.Get(key), what)
			reached = max(reached, pos)
			return err
		}
		if err := see(tx.Bucket(bucketMeta()), keyApplied(), "applied"); err != nil {
			return err
		}
		sinks := tx.Bucket(bucketSinks())
		return sinks.ForEachBucket(func(name []byte) error {
			b := sinks.Bucket(name)
			return errors.Join(see(b, keyPosition(), "of sink "+string(name)), see(b, keyReached(), "reached by sink "+string(name)))
		})
	})
	if err != nil {
		return 0, err
	}
	return reached, nil
}

// SaveSinkState stores the state of a sink and leaves its position. A nil state
// removes the stored one.
func (s *State) SaveSinkState(name string, state []byte) error {
	return s.updateSink(name, func(b *bbolt.Bucket) error { return put(b, keyState(), state) })
}

// updateSink runs fn on the bucket of a sink, which is created if missing.
func (s *State) updateSink(name string, fn func(*bbolt.Bucket) error) error {
	return s.update(fmt.Sprintf("save the state of sink %q", name), func(tx *bbolt.Tx) error {
		b, err := tx.Bucket(bucketSinks()).CreateBucketIfNotExists([]byte(name))
		if err != nil {
			return err
		}
		return fn(b)
	})
}

// Sinks returns the read positions of all sinks of which something is stored,
// configured or not: a sink that is not configured any more holds the journal
// back unless it is left out or forgotten.
func (s *State) Sinks() (map[string]aictail.Position, error) {
	positions := make(map[string]aictail.Position)
	err := s.view(func(tx *bbolt.Tx) error {
		sinks := tx.Bucket(bucketSinks())
		return sinks.ForEachBucket(func(name []byte) error {
			pos, err := s.position(sinks.Bucket(name).Get(keyPosition()), "of sink "+string(name))
			positions[string(name)] = pos
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return positions, nil
}

// ForgetSink removes what is stored of a sink. If it is configured again it
// starts as a new one. It is no error if there is nothing.
func (s *State) ForgetSink(name string) error {
	return s.update(fmt.Sprintf("forget sink %q", name), func(tx *bbolt.Tx) error {
		sinks := tx.Bucket(bucketSinks())
		if sinks.Bucket([]byte(name)) == nil {
			return nil
		}
		return sinks.DeleteBucket([]byte(name))
	})
}
