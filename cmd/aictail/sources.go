package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"aictail/cmd/internal/config"
	"aictail/cmd/internal/service"
)

func newSources() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sources --config FILE",
		Short: "List what each tenant offers, with what is configured",
		Long: `Ask each tenant for its log sources (one request) and show which of them the
configuration reads. A listed source may stay empty: some audit topics are off by
default in the product.`,
		Args: cobra.NoArgs,
	}
	path := configFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := config.Load(*path, os.Environ())
		if err != nil {
			return failed(err)
		}
		ctx, stop := untilSignal(cmd.Context())
		defer stop()
		var problems []error
		for _, name := range slices.Sorted(maps.Keys(cfg.Tenants)) {
			if err := listSources(ctx, cmd.OutOrStdout(), name, cfg.Tenants[name]); err != nil {
				problems = append(problems, fmt.Errorf("tenant %s: %w", name, err))
			}
		}
		return failed(errors.Join(problems...))
	}
	return cmd
}

func listSources(ctx context.Context, out io.Writer, name string, t config.Tenant) error {
	client, err := service.NewClient(t, versionString())
	if err != nil {
		return err
	}
	offered, quota, err := client.Sources(ctx)
	if err != nil {
		return err
	}
	slices.Sort(offered)
	read := map[string]bool{}
	for _, entry := range t.Entries() {
		for source := range strings.SplitSeq(entry, ",") {
			read[source] = true
		}
	}
	fmt.Fprintf(out, "tenant %s, %d sources", name, len(offered))
	if quota.Known {
		fmt.Fprintf(out, ", %d requests a minute", quota.Limit)
	}
	fmt.Fprintln(out)
	for _, source := range offered {
		product, _, _ := strings.Cut(source, "-")
		state := ""
		switch {
		case read[source], t.Discover() && !strings.HasSuffix(source, "-everything"):
			state = "read"
		case read[product+"-everything"]:
			state = "read as part of " + product + "-everything"
		}
		fmt.Fprintf(out, "  %-24s %s\n", source, state)
		delete(read, source)
	}
	for _, source := range slices.Sorted(maps.Keys(read)) {
		fmt.Fprintf(out, "  %-24s configured, but the tenant does not offer it\n", source)
	}
	return nil
}
