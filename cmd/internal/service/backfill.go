package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"go.uber.org/zap"

	"aictail/checkpoint/journal"
	"aictail/cmd/internal/admin"
	"aictail/tailer"
	"aictail/tailer/sweep"
)

// Backfill has the sweep of a source read a stretch of time that was not wanted
// before, or once more what it has read. It is remembered through restarts until it is
// covered.
func (s *Service) Backfill(req admin.BackfillRequest) (admin.BackfillResult, error) {
	stream, err := s.backfilled(req)
	if err != nil {
		return admin.BackfillResult{}, err
	}
	if !req.Again && stream.CoversAll(req.Begin, req.End) {
		return admin.BackfillResult{Covered: true}, nil
	}
	known, err := s.known(stream, req)
	switch {
	case req.Again && err != nil:
		return admin.BackfillResult{}, err
	case req.Again:
		stream.Reread(known)
	default:
		// Without a word of the journal the coverage decides, as ever.
		stream.Backfill(req.Begin, req.End, known)
	}
	s.log.Info("backfill", zap.String("tenant", req.Tenant), zap.String("source", req.Source),
		zap.Time("from", req.Begin), zap.Time("to", req.End), zap.Bool("again", req.Again))
	return admin.BackfillResult{}, nil
}

// backfilled returns the stream that a request is about, or why it cannot be done.
func (s *Service) backfilled(req admin.BackfillRequest) (*tailer.Stream, error) {
	stream := s.bySource().find(req.Tenant, req.Source, "")
	oldest := time.Now().Add(-tailer.Retention)
	switch {
	case stream == nil:
		return nil, fmt.Errorf("tenant %q has no source %q in this configuration", req.Tenant, req.Source)
	case stream.Mode() == sweep.Off:
		return nil, fmt.Errorf("the sweep of %s is off: set its sweep.mode to full or gaps", req.Source)
	case !req.End.After(req.Begin):
		return nil, errors.New("the end must be after the begin")
	case req.End.After(time.Now()):
		return nil, errors.New("the end is in the future")
	case req.Begin.Before(oldest):
		return nil, fmt.Errorf("the tenant keeps 30 days: begin at %s or later", oldest.UTC().Format(time.RFC3339))
	}
	return stream, nil
}

// errNotHeld says that the journal does not reach back far enough.
var errNotHeld = errors.New("the journal no longer holds all events of that time, so that many would be delivered once more: " +
	"begin later, or add --duplicates if the sinks may have them twice (an index of Elasticsearch never does)")

// known returns the events of the time that the journal holds. With an error these are
// not all that were ever journaled, or more than can be remembered.
func (s *Service) known(stream *tailer.Stream, req admin.BackfillRequest) (*tailer.Known, error) {
	// What is being read must not be deleted.
	s.setBack.RLock()
	defer s.setBack.RUnlock()
	// An event is journaled after its time, by this machine's clock.
	from := req.Begin.Truncate(time.Minute).Add(-damageMargin)
	found, oldest, err := s.journal.Since(from)
	if err != nil {
		return nil, err
	}
	whole := s.journal.Stats().First <= 1 || oldest.Position != 0 && oldest.Written.Before(from)
	if !whole && !req.Duplicates {
		return nil, errNotHeld
	}
	known := stream.Known(req.Begin, req.End)
	if found.Position == 0 {
		return known, nil
	}
	reader := s.journal.NewReader(found.Position)
	defer reader.Close()
	sources := s.bySource()
	// A context that has ended keeps the reader from waiting for more.
	ended, end := context.WithCancel(context.Background())
	end()
	for {
		events, _, err := reader.Next(ended, journal.Limit{})
		if errors.Is(err, context.Canceled) || errors.Is(err, io.EOF) {
			return known, nil
		}
		if err != nil {
			return nil, err
		}
		for i := range events {
			if e := &events[i]; sources.find(e.Tenant, e.Source, "") == stream {
				if err := known.Add(e); err != nil {
					return nil, err
				}
			}
		}
	}
}

// Covered tells whether all of a stretch of time of a source has been swept.
func (s *Service) Covered(req admin.BackfillRequest) bool {
	stream := s.bySource().find(req.Tenant, req.Source, "")
	return stream != nil && stream.CoversAll(req.Begin, req.End)
}
