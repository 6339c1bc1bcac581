package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"aictail/checkpoint"
	"aictail/cmd/internal/admin"
	"aictail/cmd/internal/config"
	"aictail/cmd/internal/service"
)

func newBackfill() *cobra.Command {
	var req admin.BackfillRequest
	var begin, end string
	cmd := &cobra.Command{
		Use:   "backfill --config FILE --tenant T --source S --begin A --end B [--again]",
		Short: "Fetch a stretch of time that is not covered yet, or once more",
		Long: `Have the sweep of a source fetch a stretch of time, such as the days before the
installation. A running daemon is told and does it beside its other work; without
one, the daemon runs until it is done. What was covered before is left out.

With --again it is read once more, for entries that the tenant showed too late for
the sweep. Events that the journal still holds are recognised, so that only what was
missed is delivered. Where it no longer reaches back (journal.retain) that takes
--duplicates, too: every event of that time is then delivered once more.`,
		Example: "  aictail backfill --config aictail.yaml --tenant prod --source am-access --begin 2026-01-01T00:00:00Z --end 2026-01-02T00:00:00Z",
		Args:    cobra.NoArgs,
	}
	path := configFlag(cmd)
	cmd.Flags().StringVar(&req.Tenant, "tenant", "", "`name` of the tenant")
	cmd.Flags().StringVar(&req.Source, "source", "", "log `source`")
	cmd.Flags().StringVar(&begin, "begin", "", "`time` in RFC 3339, such as 2026-01-01T00:00:00Z")
	cmd.Flags().StringVar(&end, "end", "", "`time` in RFC 3339")
	cmd.Flags().BoolVar(&req.Again, "again", false, "read also what is covered")
	cmd.Flags().BoolVar(&req.Duplicates, "duplicates", false, "with --again: also where the journal no longer tells what was delivered")
	for _, name := range []string{"tenant", "source", "begin", "end"} {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // the flag was defined above
		}
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		var err error
		if req.Begin, err = time.Parse(time.RFC3339Nano, begin); err != nil {
			return fmt.Errorf("--begin: %w", err)
		}
		if req.End, err = time.Parse(time.RFC3339Nano, end); err != nil {
			return fmt.Errorf("--end: %w", err)
		}
		if req.Duplicates && !req.Again {
			return errors.New("--duplicates: it has a meaning only with --again")
		}
		cfg, err := config.Load(*path, os.Environ())
		if err != nil {
			return failed(err)
		}
		ctx, stop := untilSignal(cmd.Context())
		defer stop()
		return failed(backfill(ctx, cmd, cfg, req))
	}
	return cmd
}

const allCovered = "all of that time is covered: there is nothing to fetch; --again reads it once more"

func backfill(ctx context.Context, cmd *cobra.Command, cfg *config.Config, req admin.BackfillRequest) error {
	log, err := newLogger(cfg.Log, os.Stderr)
	if err != nil {
		return err
	}
	s, err := service.New(cfg, versionString(), log)
	if _, locked := errors.AsType[*checkpoint.LockedError](err); locked {
		var result admin.BackfillResult
		if err := callAdmin(ctx, cfg, http.MethodPost, "/api/backfill", req, &result); err != nil {
			return err
		}
		text := "the running daemon fetches it; 'aictail coverage' shows how far it is"
		if result.Covered {
			text = allCovered
		}
		_, err := fmt.Fprintln(cmd.OutOrStdout(), text)
		return err
	}
	if err != nil {
		return err
	}
	result, err := s.Backfill(req)
	if err != nil {
		return errors.Join(err, s.Close())
	}
	if result.Covered {
		fmt.Fprintln(cmd.OutOrStdout(), allCovered)
	}
	ctx, done := context.WithCancel(ctx)
	defer done()
	go func() {
		defer done()
		for !s.Covered(req) {
			select {
			case <-ctx.Done():
				return
			case <-time.After(200 * time.Millisecond):
			}
		}
	}()
	if err := s.Run(ctx); err != nil {
		return err
	}
	if !s.Covered(req) {
		return errors.New("interrupted before it was done; the next start goes on with it")
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), "done: every entry of that time is in the sinks")
	return err
}
