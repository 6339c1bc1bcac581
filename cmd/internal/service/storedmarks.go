package service

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"aictail"
	"aictail/tailer/sweep"
)

const (
	// marksStream is the stream whose checkpoint holds marks.
	marksStream = "marks"
	// storedMarks is about how many are stored: while a sink catches up after a
	// restart, its time moves on by a part in as many of what it is behind.
	storedMarks = 32
	// marksEvery is short enough for a restart of a daemon that is not behind, and
	// long enough for two KiB in the journal not to matter.
	marksEvery = time.Minute
)

// savedMarks is the form in which marks are kept in journal and state file.
type savedMarks struct {
	// Swept tells of which sources the marks speak. With others they would claim that
	// a sink has what it may not have been sent yet.
	Swept string `json:"swept"`
	Marks []mark `json:"marks"`
}

// rememberMarks stores some marks for the next start, now and then: otherwise a sink
// that is behind would have to catch up before anything were known of it.
func (s *Service) rememberMarks(now time.Time) {
	if now.Sub(s.marked) < marksEvery {
		return
	}
	s.marked = now
	positions := make([]aictail.Position, len(s.sinks))
	for i := range s.sinks {
		positions[i] = s.sinks[i].passed()
	}
	b, err := json.Marshal(savedMarks{Swept: s.swept(), Marks: s.marks.few(positions)})
	if err == nil {
		// Not synced: the mark of a minute before will do. If the journal fails, that
		// is told where events are appended.
		_, _, _ = s.journal.Append(aictail.Record{Stream: marksStream, Checkpoint: b})
	}
}

// restoreMarks takes over the marks of an earlier run.
func (s *Service) restoreMarks(b []byte) {
	var saved savedMarks
	if b == nil {
		return
	}
	if err := json.Unmarshal(b, &saved); err != nil {
		s.log.Warn("until when the sinks have everything cannot be read; it is known again once they have caught up", zap.Error(err))
		return
	}
	if saved.Swept != s.swept() {
		return
	}
	durable := s.journal.Stats().Durable
	// What is behind that speaks of journal files that were lost.
	s.marks.restore(slices.DeleteFunc(saved.Marks, func(m mark) bool { return m.Position > durable }))
}

// swept returns a short text that is another one when other sources are swept.
func (s *Service) swept() string {
	var names []string
	for _, r := range s.allReadings() {
		if r.stream.Mode() != sweep.Off {
			names = append(names, r.stream.SweepName())
		}
	}
	slices.Sort(names)
	sum := sha256.Sum256([]byte(strings.Join(names, "\n")))
	return hex.EncodeToString(sum[:8])
}
