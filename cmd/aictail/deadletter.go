package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"aictail/cmd/internal/admin"
	"aictail/cmd/internal/config"
	"aictail/cmd/internal/service"
	"aictail/sinks/deliver/deadletter"
)

func newDeadletter() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "deadletter",
		Short: "Look at the events that a sink refused, and send them again",
		Long: `A sink that says that it will never take an event makes it a dead letter: the
event is kept in data_dir/dead-letters/SINK.ndjson with the reason, and delivery
goes on. Mend the cause (a mapping, a limit), then have the letters sent again.`,
		Args: cobra.NoArgs,
	}
	cmd.AddCommand(newDeadletterList(), newDeadletterShow(), newDeadletterReplay())
	return cmd
}

// letterFlags are the flags of the subcommands.
type letterFlags struct {
	config *string
	sink   string
	ids    []string
	json   bool
}

func (f *letterFlags) add(cmd *cobra.Command) {
	f.config = configFlag(cmd)
	cmd.Flags().StringVar(&f.sink, "sink", "", "`name` of the sink")
	requireFlags(cmd, "sink")
}

func (f *letterFlags) addIDs(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&f.ids, "id", nil, "`id` of an event; may be given more than once (default: all)")
}

func newDeadletterList() *cobra.Command {
	var f letterFlags
	cmd := &cobra.Command{
		Use:   "list --config FILE --sink S",
		Short: "List a sink's dead letters, without their content",
		Args:  cobra.NoArgs,
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&f.json, "json", false, "one JSON object per letter")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		list := listLetters
		if f.json {
			list = listLettersJSON
		}
		return failed(f.read(func(path string) error { return list(cmd.OutOrStdout(), path) }))
	}
	return cmd
}

// read finds the file of the sink's letters, which may be that of a sink that is
// no longer configured, and calls do with its path.
func (f *letterFlags) read(do func(path string) error) error {
	cfg, err := config.Load(*f.config, os.Environ())
	if err != nil {
		return err
	}
	path := service.DeadLetterFile(cfg, f.sink)
	if _, configured := cfg.Sinks[f.sink]; !configured {
		// A name that is not one must not lead out of the folder.
		if _, err := os.Stat(path); err != nil || strings.ContainsAny(f.sink, `/\`) {
			return fmt.Errorf("there is no sink %q; the configuration has: %s", f.sink, strings.Join(slices.Sorted(maps.Keys(cfg.Sinks)), ", "))
		}
	}
	return do(path)
}

func listLetters(out io.Writer, path string) error {
	table := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	counts := map[deadletter.Reason]int{}
	unreadable := 0
	err := deadletter.ReadFile(path, func(l deadletter.Line) error {
		if l.Flaw != "" {
			unreadable++
			return nil
		}
		if len(counts) == 0 {
			fmt.Fprintln(table, "REFUSED AT (UTC)\tID\tSOURCE\tREASON\tERROR")
		}
		counts[l.Letter.Reason]++
		_, err := fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", l.Letter.Time.UTC().Format(time.DateTime),
			l.Letter.Event.ID, oneLine(l.Letter.Event.Source), l.Letter.Reason, oneLine(l.Letter.Error))
		return err
	})
	if err := errors.Join(err, table.Flush()); err != nil {
		return err
	}
	for _, reason := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(out, "%d %s\n", counts[reason], reason)
	}
	if unreadable > 0 {
		fmt.Fprintf(out, "%d line(s) of %s cannot be read\n", unreadable, path)
	}
	if len(counts) == 0 && unreadable == 0 {
		fmt.Fprintln(out, "no dead letters")
	}
	return nil
}

// oneLine makes what others wrote fit a table, whatever it holds.
func oneLine(s string) string {
	const most = 300 // the remedy stands at the end
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most]) + "..."
	}
	return s
}

// listed is a letter without the event's content.
type listed struct {
	Time      time.Time         `json:"time"`
	Sink      string            `json:"sink"`
	Reason    deadletter.Reason `json:"reason"`
	Error     string            `json:"error"`
	Attempts  int               `json:"attempts"`
	ID        string            `json:"id"`
	Tenant    string            `json:"tenant"`
	Source    string            `json:"source"`
	EventTime time.Time         `json:"event_time"`
	Bytes     int               `json:"bytes"`
}

func listLettersJSON(out io.Writer, path string) error {
	enc := json.NewEncoder(out)
	return deadletter.ReadFile(path, func(line deadletter.Line) error {
		if line.Flaw != "" {
			return nil
		}
		l, e := line.Letter, line.Letter.Event
		return enc.Encode(listed{
			Time: l.Time, Sink: l.Sink, Reason: l.Reason, Error: l.Error, Attempts: l.Attempts,
			ID: string(e.ID), Tenant: e.Tenant, Source: e.Source, EventTime: e.Time, Bytes: len(e.Raw),
		})
	})
}

func newDeadletterShow() *cobra.Command {
	var f letterFlags
	cmd := &cobra.Command{
		Use:   "show --config FILE --sink S [--id ID]...",
		Short: "Show a sink's dead letters with the (redacted) events",
		Args:  cobra.NoArgs,
	}
	f.add(cmd)
	f.addIDs(cmd)
	cmd.Flags().BoolVar(&f.json, "json", false, "the lines of the file as they are")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return failed(f.read(func(path string) error { return f.show(cmd.OutOrStdout(), path) }))
	}
	return cmd
}

func (f *letterFlags) show(out io.Writer, path string) error {
	shown := 0
	err := deadletter.ReadFile(path, func(l deadletter.Line) error {
		// A line that cannot be read is shown when all are: somebody has to see it.
		if len(f.ids) > 0 && (l.Flaw != "" || !slices.Contains(f.ids, string(l.Letter.Event.ID))) {
			return nil
		}
		shown++
		text := l.Text
		if l.Flaw == "" && !f.json {
			var pretty bytes.Buffer
			if err := json.Indent(&pretty, text, "", "  "); err == nil {
				text = pretty.Bytes()
			}
		}
		_, err := fmt.Fprintf(out, "%s\n", text)
		return err
	})
	if err == nil && shown == 0 && len(f.ids) > 0 {
		return noSuchLetter(f.sink, f.ids)
	}
	return err
}

func noSuchLetter(sink string, ids []string) error {
	return fmt.Errorf("sink %s has no dead letter with the id %s", sink, strings.Join(ids, " or "))
}

func newDeadletterReplay() *cobra.Command {
	var f letterFlags
	cmd := &cobra.Command{
		Use:   "replay --config FILE --sink S [--id ID]...",
		Short: "Send a sink its dead letters again",
		Long: `Send a sink its dead letters again, all or those with the given ids. What it takes
is removed from the file; what it refuses again stays, with the new reason. A
running daemon is told and does it between two batches; without one this command
does it. A crash meanwhile loses none, and may send some once more.`,
		Args: cobra.NoArgs,
	}
	f.add(cmd)
	f.addIDs(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := config.Load(*f.config, os.Environ())
		if err != nil {
			return failed(err)
		}
		ctx, stop := untilSignal(cmd.Context())
		defer stop()
		return failed(replayLetters(ctx, cmd.OutOrStdout(), cfg, admin.LettersRequest{Sink: f.sink, IDs: f.ids}))
	}
	return cmd
}

func replayLetters(ctx context.Context, out io.Writer, cfg *config.Config, req admin.LettersRequest) error {
	var result admin.LettersResult
	running, err := withState(ctx, cfg, func(ctx context.Context, s *service.Service) (err error) {
		result, err = s.ReplayLettersOnce(ctx, req)
		return err
	})
	if running {
		err = callAdmin(ctx, cfg, http.MethodPost, "/api/deadletter/replay", req, &result)
	}
	switch {
	case err != nil:
		return err
	case result.GoesOn:
		_, err := fmt.Fprintln(out, "it takes longer; the running daemon goes on with it, and 'aictail deadletter list' shows what is left")
		return err
	case result.Accepted+result.Refused > 0:
		fmt.Fprintf(out, "%d accepted, %d refused again\n", result.Accepted, result.Refused)
	case result.Trouble == "" && len(req.IDs) > 0:
		return noSuchLetter(req.Sink, req.IDs)
	case result.Trouble == "":
		fmt.Fprintln(out, "no dead letters")
	}
	if result.Trouble != "" {
		return fmt.Errorf("the rest was not sent: %s", result.Trouble)
	}
	return nil
}
