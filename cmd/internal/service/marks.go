package service

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"aictail"
	"aictail/tailer/sweep"
)

// maxMarks bounds the memory to 64 KiB: more than half an hour at a mark a second,
// and after thinning days with marks minutes apart.
const maxMarks = 2048

// marks remember until when everything was in the journal at which of its
// positions. A sink that has come past a position has everything until then: that
// also holds for events that a sweep found later than others of their time.
type marks struct {
	mu   sync.Mutex // guards list
	list []mark     // by position
}

// clear forgets all: they are not true any more.
func (m *marks) clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.list = nil
}

// few returns some marks, spread over all, with those that were the last before the
// given positions.
func (m *marks) few(positions []aictail.Position) []mark {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []mark
	step := len(m.list)/storedMarks + 1
	for i, x := range m.list {
		last := i == len(m.list)-1
		passed := slices.ContainsFunc(positions, func(pos aictail.Position) bool {
			return x.Position <= pos && (last || m.list[i+1].Position > pos)
		})
		if passed || i%step == 0 {
			list = append(list, x)
		}
	}
	return list
}

// restore takes over what few has returned in an earlier run.
func (m *marks) restore(list []mark) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.list = list
}

// mark says until when everything stands before a position; its JSON is stored.
type mark struct {
	Position aictail.Position `json:"position"`
	Until    time.Time        `json:"until"`
}

// add notes that every entry until the given time stands before a position.
func (m *marks) add(until time.Time, pos aictail.Position) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if until.IsZero() {
		return
	}
	if n := len(m.list); n > 0 && m.list[n-1].Position == pos {
		m.list[n-1].Until = until
		return
	}
	if len(m.list) == maxMarks {
		i := -1
		m.list = slices.DeleteFunc(m.list, func(mark) bool { i++; return i%2 == 1 })
	}
	m.list = append(m.list, mark{pos, until})
}

// passed returns until when a sink has everything that has come past a position;
// zero if that is not known.
func (m *marks) passed(pos aictail.Position) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	i, found := slices.BinarySearchFunc(m.list, pos, func(x mark, pos aictail.Position) int {
		return cmp.Compare(x.Position, pos)
	})
	switch {
	case found:
		return m.list[i].Until
	case i > 0:
		return m.list[i-1].Until
	}
	return time.Time{}
}

// completeUntil returns the time until which every entry of every swept source is
// in the journal; zero if that is not known.
func (s *Service) completeUntil(now time.Time) time.Time {
	var until time.Time
	for _, r := range s.allReadings() {
		if r.stream.Mode() == sweep.Off {
			continue
		}
		complete := r.stream.CompleteUntil(now)
		if complete.IsZero() {
			return time.Time{}
		}
		if until.IsZero() || complete.Before(until) {
			until = complete
		}
	}
	return until
}

// mark notes how far journal and sinks have come. The position is read after the
// time, so that it is behind every event that the time speaks of.
func (s *Service) mark(now time.Time) {
	until := s.completeUntil(now)
	s.marks.add(until, s.journal.Stats().Durable)
}
