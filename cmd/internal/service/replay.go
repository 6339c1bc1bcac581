package service

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"go.uber.org/zap"

	"aictail"
	"aictail/cmd/internal/admin"
	"aictail/cmd/internal/config"
	"aictail/sinks/deliver"
	"aictail/sinks/deliver/deadletter"
)

func deadLetterDir(cfg *config.Config) string { return filepath.Join(cfg.DataDir, "dead-letters") }

// DeadLetterFile returns where the dead letters of a sink are.
func DeadLetterFile(cfg *config.Config, sink string) string {
	return deadletter.Path(deadLetterDir(cfg), sink)
}

// Replay has a sink of the running daemon be sent again what was journaled at or
// after a time. It waits for the sink until ctx ends.
func (s *Service) Replay(ctx context.Context, req admin.ReplayRequest) (admin.ReplayResult, error) {
	return s.replay(req, func(k *sink, pos aictail.Position) (aictail.Position, error) {
		return k.worker.Rewind(ctx, pos)
	})
}

// ReplayLater is Replay for a service that is not run: the next start sends.
func (s *Service) ReplayLater(req admin.ReplayRequest) (admin.ReplayResult, error) {
	return s.replay(req, func(k *sink, pos aictail.Position) (aictail.Position, error) {
		return s.state.RewindSink(k.name, pos)
	})
}

func (s *Service) replay(req admin.ReplayRequest, rewind func(*sink, aictail.Position) (aictail.Position, error)) (admin.ReplayResult, error) {
	k, err := s.sinkNamed(req.Sink)
	if err != nil {
		return admin.ReplayResult{}, err
	}
	s.setBack.RLock()
	defer s.setBack.RUnlock()
	found, oldest, err := s.journal.Since(req.Since)
	if err != nil {
		return admin.ReplayResult{}, err
	}
	result := admin.ReplayResult{Oldest: oldest.Written.UTC()}
	switch {
	case oldest.Position == 0:
		return admin.ReplayResult{}, fmt.Errorf("the journal holds no event any more: it keeps those that every sink has for journal.retain, which is %s", s.cfg.Journal.Retain)
	case found.Position == 0:
		return admin.ReplayResult{}, fmt.Errorf("nothing was journaled since %s; the journal reaches back to %s",
			req.Since.UTC().Format(time.RFC3339), result.Oldest.Format(time.RFC3339))
	}
	from, err := rewind(k, found.Position)
	if err != nil || from <= found.Position {
		return result, err
	}
	result.From = found.Written.UTC()
	s.log.Info("a sink is sent again what the journal holds", zap.String("sink", k.name), zap.Time("since", req.Since),
		zap.Uint64("from_position", uint64(found.Position)), zap.Uint64("instead_of_position", uint64(from)))
	return result, nil
}

// ReplayLetters has a sink of the running daemon be sent its dead letters again. It
// waits for the sink until ctx ends.
func (s *Service) ReplayLetters(ctx context.Context, req admin.LettersRequest) (admin.LettersResult, error) {
	return s.replayLetters(ctx, req, (*deliver.Worker).ReplayLetters)
}

// ReplayLettersOnce is ReplayLetters for a service that is not run.
func (s *Service) ReplayLettersOnce(ctx context.Context, req admin.LettersRequest) (admin.LettersResult, error) {
	return s.replayLetters(ctx, req, (*deliver.Worker).ReplayLettersOnce)
}

func (s *Service) replayLetters(ctx context.Context, req admin.LettersRequest, do func(*deliver.Worker, context.Context, []string) (deliver.Outcome, error)) (admin.LettersResult, error) {
	k, err := s.sinkNamed(req.Sink)
	if err != nil {
		return admin.LettersResult{}, err
	}
	o, err := do(k.worker, ctx, req.IDs)
	result := admin.LettersResult{Accepted: o.Accepted, Refused: o.Refused}
	switch {
	case errors.Is(err, deliver.ErrGoesOn):
		result.GoesOn = true
	case errors.Is(err, deliver.ErrBusy), errors.Is(err, deliver.ErrStopped):
		return admin.LettersResult{}, err
	default:
		result.Trouble = text(err)
	}
	s.log.Info("dead letters were sent again", zap.String("sink", k.name), zap.Int("accepted", o.Accepted),
		zap.Int("refused", o.Refused), zap.Error(err))
	return result, nil
}

func (s *Service) sinkNamed(name string) (*sink, error) {
	var names []string
	for i := range s.sinks {
		if s.sinks[i].name == name {
			return &s.sinks[i], nil
		}
		names = append(names, s.sinks[i].name)
	}
	return nil, fmt.Errorf("there is no sink %q; the configuration has: %s", name, strings.Join(names, ", "))
}
