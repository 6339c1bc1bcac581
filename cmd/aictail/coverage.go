package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"aictail/checkpoint"
	"aictail/cmd/internal/admin"
	"aictail/cmd/internal/config"
	"aictail/cmd/internal/service"
)

func newCoverage() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "coverage --config FILE",
		Short: "Show until when each source is complete, and which time is missing",
		Long: `Show the coverage map of each source entry: the time for which a sweep has
confirmed that every entry is in the journal, and the gaps in it. It asks the
running daemon on its admin address or, if none runs, reads data_dir.`,
		Args: cobra.NoArgs,
	}
	path := configFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := config.Load(*path, os.Environ())
		if err != nil {
			return failed(err)
		}
		list, err := loadCoverage(cmd.Context(), cfg)
		if err != nil {
			return failed(err)
		}
		showCoverage(cmd.OutOrStdout(), list, time.Now())
		return nil
	}
	return cmd
}

// loadCoverage reads the coverage from data_dir or, if a daemon has that, from
// the daemon.
func loadCoverage(ctx context.Context, cfg *config.Config) ([]admin.Coverage, error) {
	saved, err := checkpoint.ReadStreams(cfg.DataDir)
	if _, locked := errors.AsType[*checkpoint.LockedError](err); locked {
		var status admin.Status
		if err := callAdmin(ctx, cfg, http.MethodGet, "/api/status", nil, &status); err != nil {
			return nil, err
		}
		return status.Coverage, nil
	}
	if err != nil {
		return nil, err
	}
	return service.SavedCoverage(cfg, saved, time.Now())
}

// everyday is how much of the newest time may wait for the sweep without being a gap
// that anybody has to know of: with sweep.mode gaps, 5 minutes and what the budget
// takes.
const everyday = 10 * time.Minute

func showCoverage(out io.Writer, list []admin.Coverage, now time.Time) {
	if len(list) == 0 {
		fmt.Fprintln(out, "nothing has been swept yet")
	}
	const layout = "2006-01-02 15:04:05"
	for _, c := range list {
		fmt.Fprintf(out, "%s %s (sweep: %s)\n", c.Tenant, c.Sources, c.Mode)
		if c.CompleteUntil.IsZero() {
			fmt.Fprintln(out, "  complete until  not known")
		} else {
			fmt.Fprintf(out, "  complete until  %s UTC, %s ago\n", c.CompleteUntil.UTC().Format(layout), now.Sub(c.CompleteUntil).Round(time.Second))
		}
		if behind := time.Duration(c.BehindSeconds * float64(time.Second)).Round(time.Second); behind > 0 {
			fmt.Fprintf(out, "  to be swept     %s", behind)
			if c.RemainingSeconds > 0 {
				fmt.Fprintf(out, ", takes about %s", time.Duration(c.RemainingSeconds)*time.Second)
			}
			fmt.Fprintln(out)
		}
		for _, iv := range c.Covered {
			fmt.Fprintf(out, "  covered         %s to %s UTC\n", iv.Begin.UTC().Format(layout), iv.End.UTC().Format(layout))
		}
		for i, iv := range c.Missing {
			long := iv.End.Sub(iv.Begin)
			if i == len(c.Missing)-1 && long < everyday && now.Sub(iv.End) < everyday {
				continue
			}
			fmt.Fprintf(out, "  gap             %s to %s UTC (%s)\n", iv.Begin.UTC().Format(layout), iv.End.UTC().Format(layout), long.Round(time.Second))
		}
	}
}
