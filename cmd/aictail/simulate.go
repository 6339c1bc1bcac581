package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"aictail/tailer/simulator"
)

func newSimulate() *cobra.Command {
	var (
		listen string
		o      simulator.Options
		replay []string
		faults float64
	)
	cmd := &cobra.Command{
		Use:   "simulate [--listen ADDR] [--replay FILE...]",
		Short: "Serve a simulated tenant",
		Long: `Serve the log API of a simulated tenant from memory, as awkward as a real one:
rate limit, withheld last entry, pages, refused cookies, late and split events.
Its content is invented.

--replay takes NDJSON files of entries (further files may follow as arguments).
Their payloads are served byte for byte with fresh timestamps, from the moment
their source is first asked for. Live events go on beside them unless --rate 0;
a tail holds back the very latest entry until another one follows.`,
		Example: `  aictail simulate --listen 127.0.0.1:8199 --rate 50
  aictail simulate --replay samples/*.log
  aictail simulate --faults 0.05 --split 0.02 --late 0.03`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 && len(replay) == 0 {
				return fmt.Errorf("unexpected argument %q; files to replay follow --replay", args[0])
			}
			tenant, err := simulator.New(o)
			if err != nil {
				return err
			}
			if files := slices.Concat(replay, args); len(files) > 0 {
				if err := tenant.Replay(files...); err != nil {
					return failed(err)
				}
			}
			if err := tenant.FaultShare(faults); err != nil {
				return err
			}
			ctx, stop := untilSignal(cmd.Context())
			defer stop()
			return failed(serveTenant(ctx, listen, tenant, cmd))
		},
	}
	f := cmd.Flags()
	f.StringVar(&listen, "listen", "127.0.0.1:8199", "`address` to listen on")
	f.StringArrayVar(&replay, "replay", nil, "NDJSON `file` of entries to serve")
	f.StringVar(&o.Key, "key", "", "the only accepted x-api-key; any by default")
	f.StringVar(&o.Secret, "secret", "", "the only accepted x-api-secret; any by default")
	f.IntVar(&o.Limit, "limit", simulator.DefaultLimit, "rate limit in requests per minute")
	f.Float64Var(&o.Rate, "rate", 20, "live events per second over all sources; 0 for none")
	f.Float64Var(&o.SplitShare, "split", 0, "share of live events that are split into plaintext parts")
	f.Float64Var(&o.LateShare, "late", 0, "share of live events that appear late")
	f.Float64Var(&faults, "faults", 0, "share of answers that are faulty")
	f.BoolVar(&o.TailSkips, "tail-skips", false, "let the tail leave out older entries over its cap, not newer ones")
	f.BoolVar(&o.ShowLast, "show-last", false, "let the tail return the very latest entry, too")
	f.Uint64Var(&o.Seed, "seed", 0, "determines the content of live events")
	return cmd
}

// serveTenant serves until ctx ends.
func serveTenant(ctx context.Context, listen string, tenant *simulator.Tenant, cmd *cobra.Command) error {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("--listen: %w; choose another address or stop what uses this one", err)
	}
	server := &http.Server{Handler: tenant, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan error, 1)
	go func() { done <- tenant.Run(ctx) }()
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	fmt.Fprintf(cmd.ErrOrStderr(), "simulated tenant on http://%s (x-api-key and x-api-secret as given, or any)\n", l.Addr())
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the simulated tenant: %w", err)
	}
	return <-done
}
