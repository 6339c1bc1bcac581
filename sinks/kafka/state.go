package kafka

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// stateVersion is the version of the stored state. It changes when an older
// program would misread the new form.
const stateVersion = 1

// state is what the sink keeps with its read position.
type state struct {
	Version int `json:"version"`
	// Routing says how topics and partitions were chosen.
	Routing string       `json:"routing"`
	Topics  []topicState `json:"topics"`
	// Ahead are delivered events that the read position may not have passed; see
	// ledger.encode.
	Ahead []byte `json:"ahead,omitempty"`
}

type topicState struct {
	Name string `json:"name"`
	// Partitions is how many the topic has; 0 if that has changed of late.
	Partitions int `json:"partitions"`
	// Next is, for each partition, the offset behind the last record of ours
	// whose event is committed or in Ahead; -1 for a partition that no event was
	// sent to.
	Next []int64 `json:"next"`
}

// encode returns the state as it is now. Partitions that events were sent to with
// an unclear outcome keep the offset before them.
func (s *Sink) encode() ([]byte, error) {
	st := state{Version: stateVersion, Routing: s.routing, Ahead: s.ledger.encode()}
	if s.wide {
		// Not all of what the old routing led to has been read.
		st.Routing = s.oldRouting
	}
	for _, t := range s.topics {
		ts := topicState{Name: t.name, Partitions: len(t.ids)}
		if t.fetched.IsZero() {
			ts.Partitions = t.counted
		} else if t.doubtful() && t.counted != len(t.ids) {
			ts.Partitions = 0
		}
		for id, p := range t.partitions {
			if !p.known {
				continue
			}
			for len(ts.Next) <= int(id) {
				ts.Next = append(ts.Next, -1)
			}
			ts.Next[id] = p.next
		}
		if len(ts.Next) > 0 {
			st.Topics = append(st.Topics, ts)
		}
	}
	slices.SortFunc(st.Topics, func(a, b topicState) int { return cmp.Compare(a.Name, b.Name) })
	b, err := json.Marshal(st)
	if err != nil {
		return nil, fmt.Errorf("write the Kafka sink's state: %w", err)
	}
	return b, nil
}

// decode takes over a stored state; nothing stored is a new sink. Everything
// behind the offsets in it is in doubt. What can't be read is an error and not
// "nothing": that would repeat events.
func (s *Sink) decode(b []byte) error {
	s.topics, s.ledger = make(map[string]*topic), newLedger()
	s.wide = false
	if len(b) == 0 {
		return nil
	}
	var st state
	if err := json.Unmarshal(b, &st); err != nil {
		return fmt.Errorf("read the Kafka sink's stored state: %w", err)
	}
	if st.Version != stateVersion {
		return fmt.Errorf("the Kafka sink's stored state has version %d and this program reads version %d: run the version of aictail that wrote it",
			st.Version, stateVersion)
	}
	if err := s.ledger.decode(st.Ahead); err != nil {
		return fmt.Errorf("the Kafka sink's stored state is damaged: %w", err)
	}
	for _, ts := range st.Topics {
		t := newTopic(ts.Name)
		t.counted = ts.Partitions
		for id, next := range ts.Next {
			if next < 0 {
				continue
			}
			p := t.partition(int32(id))
			p.next, p.known, p.saved, p.doubt = next, true, true, &doubt{since: time.Now()}
		}
		s.topics[t.name] = t
	}
	s.wide = st.Routing != s.routing && len(s.topics) > 0
	s.oldRouting = st.Routing
	return nil
}

// persist stores the state without moving the read position.
func (s *Sink) persist() error {
	b, err := s.encode()
	if err == nil {
		err = s.save(b)
	}
	if err != nil {
		return retry("save the Kafka sink's state: %w", err)
	}
	s.markSaved()
	return nil
}

// markSaved notes that the stored state has all offsets.
func (s *Sink) markSaved() {
	for _, t := range s.topics {
		for _, p := range t.partitions {
			p.saved = p.known
		}
	}
}
