package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"go.uber.org/zap"

	"aictail/cmd/internal/config"
	"aictail/cmd/internal/service"
)

// runReloading runs the daemon until ctx ends. On SIGHUP the configuration is read
// again. A valid one takes effect as a whole: the service is stopped and another one
// started, in the same process and from the state that the first has left, as after
// a restart. With an invalid one the daemon goes on as it is.
func runReloading(ctx context.Context, path string, cfg *config.Config, log *zap.Logger) error {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	s, err := service.New(cfg, versionString(), log)
	if err != nil {
		return inFile(path, err)
	}
	for {
		next, err := runUntilReload(ctx, s, hangup, func() (*config.Config, error) { return reread(path, cfg, log) })
		if err != nil || next == nil {
			return err
		}
		if s, err = service.New(next, versionString(), log); err != nil {
			refused := inFile(path, err)
			log.Error("the new configuration cannot be used; the daemon goes on with the old one", zap.Error(refused))
			if s, err = service.New(cfg, versionString(), log); err != nil {
				return fmt.Errorf("go back to the old configuration: %w", err)
			}
			s.Refused(refused)
			continue
		}
		cfg = next
		if next, err := newLogger(cfg.Log, os.Stderr); err == nil {
			log = next
		}
		log.Info("the configuration has been reloaded")
	}
}

// runUntilReload runs a service until ctx ends or a hangup brings a configuration
// to go on with, which it returns.
func runUntilReload(ctx context.Context, s *service.Service, hangup <-chan os.Signal, reread func() (*config.Config, error)) (next *config.Config, err error) {
	running, end := context.WithCancelCause(ctx)
	defer end(nil)
	found := make(chan *config.Config, 1)
	go func() {
		for {
			select {
			case <-running.Done():
				return
			case <-hangup:
			}
			next, err := reread()
			s.Refused(err)
			if next != nil {
				found <- next
				end(service.ErrReload)
				return
			}
			s.Reopen()
		}
	}()
	if err := s.Run(running); err != nil {
		return nil, err
	}
	select {
	case next = <-found:
		if ctx.Err() != nil {
			return nil, nil // stopped meanwhile
		}
		return next, nil
	default:
		return nil, nil
	}
}

// reread reads the configuration and returns it if it differs, or why it cannot take
// the place of the old one.
func reread(path string, old *config.Config, log *zap.Logger) (*config.Config, error) {
	next, err := config.Load(path, os.Environ())
	if err == nil {
		_, err = service.Check(next)
		err = inFile(path, err)
	}
	if err == nil && next.DataDir != old.DataDir {
		err = errors.New("data_dir: it cannot be changed while the daemon runs; restart it")
	}
	if err != nil {
		log.Error("the configuration is not reloaded; the daemon goes on with the old one", zap.Error(err))
		return nil, err
	}
	changes := config.Diff(old, next)
	if len(changes) == 0 {
		log.Info("the configuration has not changed; files are opened anew")
		return nil, nil
	}
	for _, w := range next.Warnings {
		log.Warn(w.String())
	}
	log.Info("reloading the configuration", zap.String("changes", strings.Join(changes, "; ")))
	return next, nil
}

// inFile says in which file the problems of a configuration are.
func inFile(path string, err error) error {
	if problems, ok := errors.AsType[*config.Problems](err); ok {
		problems.File = path
	}
	return err
}
