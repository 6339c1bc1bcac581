package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"aictail/cmd/internal/config"
)

func newRun() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run --config FILE",
		Short: "Run the daemon",
		Long: `Run the daemon until SIGTERM or SIGINT. It then delivers what it has read, for
shutdown_timeout at most; a second signal ends it at once, without loss. SIGHUP
reads the configuration again: if it is valid it takes effect as a whole, otherwise
nothing of it does. It also opens the files of file sinks anew, after an external
rotation.`,
		Args: cobra.NoArgs,
	}
	path := configFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		// Before any secret is read.
		exposed := keepMemoryPrivate()
		cfg, err := config.Load(*path, os.Environ())
		if err != nil {
			return failed(err)
		}
		log, err := newLogger(cfg.Log, os.Stderr)
		if err != nil {
			return failed(err)
		}
		for _, w := range cfg.Warnings {
			log.Warn(w.String())
		}
		if exposed != nil {
			log.Warn("a core file of this process would hold secrets: set its limit to 0", zap.Error(exposed))
		}
		ctx, stop := untilSignal(cmd.Context())
		defer stop()
		return failed(runReloading(ctx, *path, cfg, log))
	}
	return cmd
}

// untilSignal returns a context that ends with the first SIGTERM or SIGINT. The
// second one ends the process at once: the journal and the state file are made
// for that.
func untilSignal(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-signals
		cancel()
		<-signals
		fmt.Fprintln(os.Stderr, "aictail: second signal, ending at once; nothing is lost, the next start goes on from here")
		os.Exit(exitFailed)
	}()
	return ctx, cancel
}
