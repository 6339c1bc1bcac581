package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"aictail/cmd/internal/config"
	"aictail/cmd/internal/service"
)

func newValidate() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "validate --config FILE",
		Short: "Check a configuration and print every problem with its key",
		Long: `Check a configuration, with the environment and the secret files it refers to,
and print every problem with its key path. It contacts no tenant and no sink.

Exit codes: 0 valid, 1 not valid, 2 wrong usage.`,
		Args: cobra.NoArgs,
	}
	path := configFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := config.Load(*path, os.Environ())
		if problems, ok := errors.AsType[*config.Problems](err); ok {
			return &exitError{code: exitFailed, err: problems}
		}
		if err != nil {
			return failed(err)
		}
		_, doubtful, err := service.NewFilter(cfg, nil)
		if problems, ok := errors.AsType[*config.Problems](err); ok {
			problems.File = *path
			return &exitError{code: exitFailed, err: problems}
		}
		if err != nil {
			return failed(err)
		}
		for _, w := range append(cfg.Warnings, doubtful...) {
			fmt.Fprintln(cmd.ErrOrStderr(), "warning:", w)
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is valid: %d tenant(s), %d sink(s)\n", *path, len(cfg.Tenants), len(cfg.Sinks))
		return failed(err)
	}
	return cmd
}
