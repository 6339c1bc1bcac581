// Command aictail forwards the logs of PingOne Advanced Identity Cloud tenants.
// Each subcommand has a file of its own; the daemon itself is put together in
// cmd/internal/service.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"aictail/cmd/internal/config"
)

// The exit codes: permanent, scripts and service managers rely on them.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2 // wrong usage or configuration
)

func main() { os.Exit(execute(os.Args[1:])) }

// execute runs the command line and returns the exit code.
func execute(args []string) int {
	root := newRoot()
	root.SetArgs(args)
	err := root.Execute()
	if err == nil {
		return exitDone
	}
	if code, ok := errors.AsType[*exitError](err); ok {
		if code.err != nil {
			fmt.Fprintln(os.Stderr, "aictail:", code.err)
		}
		return code.code
	}
	fmt.Fprintln(os.Stderr, "aictail:", err)
	if _, ok := errors.AsType[*config.Problems](err); ok {
		return exitUsage
	}
	if _, ok := errors.AsType[*runError](err); ok {
		return exitFailed
	}
	// What is left comes from the command line itself.
	fmt.Fprintln(os.Stderr, "Try 'aictail --help'.")
	return exitUsage
}

// runError marks an error of the work itself, as opposed to wrong usage.
type runError struct{ err error }

func (e *runError) Error() string { return e.err.Error() }
func (e *runError) Unwrap() error { return e.err }

// failed marks err as a failure of the work.
func failed(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*config.Problems](err); ok {
		return err
	}
	return &runError{err}
}

// exitError ends the program with a code of its own, after printing err if
// there is one.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "aictail",
		Short: "Forwards the logs of PingOne Advanced Identity Cloud, every entry once",
		Long: `aictail reads the audit and debug logs of PingOne Advanced Identity Cloud
tenants over their log API, redacts personal data and forwards every event once.

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(newRun(), newDemo(), newValidate(), newSources(), newCoverage(), newBackfill(), newDeadletter(), newReplay(), newRedact(), newTail(), newDoctor(), newSimulate(), newHealth(), newVersion(), newMan())
	return root
}

// configFlag adds the --config flag that most subcommands need.
func configFlag(cmd *cobra.Command) *string {
	path := cmd.Flags().StringP("config", "c", "", "configuration `file`")
	if err := cmd.MarkFlagRequired("config"); err != nil {
		panic(err) // the flag was defined on the line before
	}
	return path
}
