package service

import (
	"errors"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"aictail"
	"aictail/cmd/internal/admin"
)

// TestBackfillAgain: what the journal holds of the time is known to the sweep that reads it
// again.
func TestBackfillAgain(t *testing.T) {
	s, err := New(testConfig(t), "test", zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	now := time.Now()
	event := aictail.Event{ID: []byte("journaled"), Tenant: "prod", Source: "am-access", Time: now.Add(-time.Minute), Raw: []byte(`{}`)}
	pos, _, err := s.journal.Append(aictail.Record{Stream: "tail/prod/am-access", Events: []aictail.Event{event}})
	if err == nil {
		err = s.journal.Sync(t.Context(), pos)
	}
	if err != nil {
		t.Fatal(err)
	}
	req := admin.BackfillRequest{Tenant: "prod", Source: "am-access", Begin: now.Add(-30 * time.Minute), End: now}
	if result, err := s.Backfill(req); err != nil || result.Covered {
		t.Errorf("a time that is not covered: %+v, %v", result, err)
	}
	req.Again = true
	if _, err := s.Backfill(req); err != nil {
		t.Errorf("a journal that was never trimmed: %v", err)
	}
	if low := s.readings[0].stream.Needed(); low != pos {
		t.Errorf("the journaled event is not known: needed from %d on, want %d", low, pos)
	}
	if _, err := s.Backfill(admin.BackfillRequest{Tenant: "prod", Source: "idm-core", Begin: req.Begin, End: req.End, Again: true}); err == nil || !strings.Contains(err.Error(), "has no source") {
		t.Errorf("another source: %v", err)
	}
}

// TestBackfillFurtherThanTheJournal: a journal whose beginning was trimmed does not tell what
// of an earlier time was delivered.
func TestBackfillFurtherThanTheJournal(t *testing.T) {
	s := newAt1000(t, zap.NewNop())
	defer s.close()
	now := time.Now()
	req := admin.BackfillRequest{Tenant: "prod", Source: "am-access", Begin: now.Add(-30 * time.Minute), End: now}
	if _, err := s.Backfill(req); err != nil {
		t.Errorf("a time that is not covered: %v", err)
	}
	req.Again = true
	if _, err := s.Backfill(req); !errors.Is(err, errNotHeld) {
		t.Errorf("got %v, want that the journal does not reach back", err)
	}
	req.Duplicates = true
	if _, err := s.Backfill(req); err != nil {
		t.Errorf("with duplicates: %v", err)
	}
}
