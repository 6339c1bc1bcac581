package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap/zapcore"

	"aictail/checkpoint"
	"aictail/cmd/internal/admin"
	"aictail/cmd/internal/config"
	"aictail/cmd/internal/service"
)

func newReplay() *cobra.Command {
	var req admin.ReplayRequest
	var since string
	cmd := &cobra.Command{
		Use:   "replay --config FILE --sink S --since 2h",
		Short: "Send one sink again what the journal holds",
		Long: `Send one sink again what the journal still holds from a moment on. The moment is
when an event was journaled, by this machine's clock, not the event's own time.
The journal keeps what every sink has for journal.retain at least.

A running daemon is told and begins at once; without one, the next start sends.
Elasticsearch recognises what it has; Kafka, Splunk and files get it twice.`,
		Example: "  aictail replay --config aictail.yaml --sink search --since 2h",
		Args:    cobra.NoArgs,
	}
	path := configFlag(cmd)
	cmd.Flags().StringVar(&req.Sink, "sink", "", "`name` of the sink")
	cmd.Flags().StringVar(&since, "since", "", "`moment`: a duration back such as 2h, or a time in RFC 3339")
	requireFlags(cmd, "sink", "since")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		var err error
		if req.Since, err = config.ParseSince(since, time.Now()); err != nil {
			return fmt.Errorf("--since: %w", err)
		}
		cfg, err := config.Load(*path, os.Environ())
		if err != nil {
			return failed(err)
		}
		return failed(replay(cmd, cfg, req))
	}
	return cmd
}

func requireFlags(cmd *cobra.Command, names ...string) {
	for _, name := range names {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // the caller has defined the flag
		}
	}
}

func replay(cmd *cobra.Command, cfg *config.Config, req admin.ReplayRequest) error {
	var result admin.ReplayResult
	when := "the next start sends it again"
	running, err := withState(cmd.Context(), cfg, func(_ context.Context, s *service.Service) (err error) {
		result, err = s.ReplayLater(req)
		return err
	})
	if running {
		when = "the running daemon sends it again"
		err = callAdmin(cmd.Context(), cfg, http.MethodPost, "/api/replay", req, &result)
	}
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	if result.Oldest.After(req.Since) {
		fmt.Fprintf(out, "the journal reaches back to %s only\n", result.Oldest.Format(time.RFC3339))
	}
	if result.From.IsZero() {
		fmt.Fprintf(out, "sink %s has not come as far as %s yet: there is nothing to send again\n", req.Sink, req.Since.Format(time.RFC3339))
		return nil
	}
	fmt.Fprintf(out, "sink %s: %s, what was journaled from %s on\n", req.Sink, when, result.From.Format(time.RFC3339))
	return nil
}

// withState calls do with the daemon as it would start, unless one runs on the
// same data_dir; then it only says so. Nothing below a warning is logged.
func withState(ctx context.Context, cfg *config.Config, do func(context.Context, *service.Service) error) (running bool, err error) {
	quiet := cfg.Log
	if level, err := zapcore.ParseLevel(quiet.Level); err == nil && level < zapcore.WarnLevel {
		quiet.Level = zapcore.WarnLevel.String()
	}
	log, err := newLogger(quiet, os.Stderr)
	if err != nil {
		return false, err
	}
	s, err := service.New(cfg, versionString(), log)
	if _, locked := errors.AsType[*checkpoint.LockedError](err); locked {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return false, errors.Join(do(ctx, s), s.Close())
}
