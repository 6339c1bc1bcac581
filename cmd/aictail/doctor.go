package main

import (
	"errors"
	"os"

	"github.com/spf13/cobra"

	"aictail/cmd/internal/config"
	"aictail/cmd/internal/doctor"
	"aictail/cmd/internal/service"
	"aictail/sinks"
)

func newDoctor() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "doctor --config FILE [--json]",
		Short: "Check the machine, the tenants and the sinks, and say what to do",
		Long: `Check everything that a configuration names, and print what was found and what
to do about it: the configuration, data_dir and its space, the running daemon, each
tenant (address, certificate, health, clock, key, sources, rate limit, how often it
can be polled) and each sink (address, credentials, rights, space).

It changes nothing and sends no event, so it may run beside a daemon: run it as the
daemon's user. Of a tenant's rate limit it takes one request.

Exit codes: 0 nothing failed, 1 something did, 2 wrong usage.`,
		Args: cobra.NoArgs,
	}
	path := configFlag(cmd)
	asJSON := cmd.Flags().Bool("json", false, "print JSON for machines")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx, stop := untilSignal(cmd.Context())
		defer stop()
		var targets []doctor.Target
		cfg, err := config.Load(*path, os.Environ())
		var warnings []config.Problem
		if err == nil {
			_, warnings, err = service.NewFilter(cfg, nil)
			err = inFile(*path, err)
		}
		if problems, ok := errors.AsType[*config.Problems](err); ok {
			targets = doctor.Invalid(problems)
		} else if err != nil {
			return failed(err)
		} else {
			targets = doctor.Examine(ctx, cfg, doctor.Deps{Version: versionString(), Warnings: warnings})
		}
		out := cmd.OutOrStdout()
		if *asJSON {
			err = doctor.ShowJSON(out, targets)
		} else {
			err = doctor.Show(out, targets, isTerminal(out) && os.Getenv("NO_COLOR") == "")
		}
		if err == nil && doctor.Count(targets, sinks.Bad) > 0 {
			return &exitError{code: exitFailed}
		}
		return failed(err)
	}
	return cmd
}
