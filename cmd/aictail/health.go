package main

import (
	"errors"
	"net/http"
	"os"

	"github.com/spf13/cobra"

	"aictail/cmd/internal/config"
)

func newHealth() *cobra.Command {
	ready := false
	cmd := &cobra.Command{
		Use:   "health --config FILE",
		Short: "Ask the running daemon whether it is alive",
		Long: `Ask the running daemon on its admin address for /healthz, or with --ready for
/readyz. Made for health checks of containers, in which there is no curl.

Exit codes: 0 it is, 1 it is not or does not answer, 2 wrong usage or configuration.`,
		Args: cobra.NoArgs,
	}
	path := configFlag(cmd)
	cmd.Flags().BoolVar(&ready, "ready", false, "ask whether every tenant and sink works, too")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := config.Load(*path, os.Environ())
		if err != nil {
			return failed(err)
		}
		if cfg.Admin.Listen == "" {
			return failed(errors.New("admin.listen is off: set it to an address, such as 127.0.0.1:9464, to have the daemon's health checked"))
		}
		page := "/healthz"
		if ready {
			page = "/readyz"
		}
		return failed(callAdmin(cmd.Context(), cfg, http.MethodGet, page, nil, nil))
	}
	return cmd
}
