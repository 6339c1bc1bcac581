package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"aictail"
	"aictail/cmd/internal/config"
	"aictail/cmd/internal/service"
	"aictail/filter"
	"aictail/filter/redact"
)

// maxRedactLine is above the largest event that the filter takes, so that it can say so.
const maxRedactLine = 32 << 20

func newRedact() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "redact --config FILE [--json] [--out FILE] [FILE]",
		Short: "Try the redaction rules on entries from a file or from stdin",
		Long: `Redact entries by the rules of a configuration and show what each rule changes,
with a summary at the end. It contacts no tenant and no sink, and writes nothing
but what --out names.

The input is NDJSON from FILE, or from stdin without one: entries as the log API
returns them, or payload objects alone. What is shown is what the entries hold: do
not send it where they must not go.

Exit codes: 0 done, 1 a line could not be read or redacted, 2 wrong usage or
configuration.`,
		Example: `  aictail redact --config aictail.yaml entries.ndjson
  aictail redact --config aictail.yaml --json < entries.ndjson
  aictail redact --config aictail.yaml --out redacted.ndjson entries.ndjson`,
		Args: cobra.MaximumNArgs(1),
	}
	path := configFlag(cmd)
	f := cmd.Flags()
	asJSON := f.Bool("json", false, "show changes as JSON, one a line")
	out := f.String("out", "", "write the redacted entries to `file`; - is stdout, and then changes are not shown")
	source := f.String("source", "", "the source of entries that name none")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := config.Load(*path, os.Environ())
		if err != nil {
			return failed(err)
		}
		chain, _, err := service.NewFilter(cfg, nil)
		if problems, ok := errors.AsType[*config.Problems](err); ok {
			problems.File = *path
		}
		if err != nil {
			return failed(err)
		}
		in, done, err := input(cmd, args)
		if err != nil {
			return failed(err)
		}
		defer done()
		trial := newTrial(chain, newChangeView(cmd, *asJSON, *out == "-"))
		trial.source = *source
		return failed(trial.runTo(*out, cmd.OutOrStdout(), in))
	}
	return cmd
}

// input opens what is to be redacted.
func input(cmd *cobra.Command, args []string) (in io.Reader, done func(), err error) {
	if len(args) == 0 || args[0] == "-" {
		return cmd.InOrStdin(), func() {}, nil
	}
	file, err := os.Open(args[0])
	if err != nil {
		return nil, nil, fmt.Errorf("open the entries: %w", err)
	}
	return file, func() { _ = file.Close() }, nil // nothing was written
}

// trial is one dry run.
type trial struct {
	pass    *filter.Pass
	view    *changeView
	out     io.Writer // nil: redacted entries are not wanted
	source  string
	changes []change
	bad     int // lines that could not be read
}

func newTrial(chain *filter.Chain, view *changeView) *trial {
	t := &trial{pass: chain.NewPass(), view: view}
	t.pass.Trace(func(c redact.Change) {
		t.changes = append(t.changes, change{
			Rule: c.Rule, offset: c.Offset, Before: string(c.Before), After: string(c.After),
		})
	})
	return t
}

// runTo redacts all entries and writes them to the named file.
func (t *trial) runTo(name string, stdout io.Writer, in io.Reader) (err error) {
	switch name {
	case "":
	case "-":
		t.out = stdout
	default:
		file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return fmt.Errorf("--out: %w", err)
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		t.out = file
	}
	scanner := bufio.NewScanner(in)
	scanner.Buffer(make([]byte, 64<<10), maxRedactLine)
	number := 0
	for scanner.Scan() {
		number++
		line := bytes.TrimSpace(scanner.Bytes())
		if len(line) == 0 {
			continue
		}
		if err := t.line(number, line); err != nil {
			return err
		}
	}
	if err := scanner.Err(); err != nil {
		return fmt.Errorf("read line %d: %w", number+1, err)
	}
	t.view.summary()
	if n := t.bad + t.view.total.Withheld; n > 0 {
		return fmt.Errorf("%d line(s) could not be redacted", n)
	}
	return nil
}

// line redacts one entry or payload.
func (t *trial) line(number int, line []byte) error {
	event, whole, ok := t.event(line)
	if !ok {
		t.bad++
		t.view.problem(number, "not a JSON object")
		return nil
	}
	t.changes = t.changes[:0]
	before := event.Raw
	after := t.pass.Apply([]aictail.Event{event})[0]
	t.view.show(number, event.Source, before, t.changes, filter.IsWithheld(&after))
	if t.out == nil {
		return nil
	}
	result := after.Raw
	if !whole {
		result = after.PayloadBytes()
	}
	if _, err := fmt.Fprintf(t.out, "%s\n", result); err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	return nil
}

// event makes an event of a line. A payload alone is put into an envelope, and whole is
// false.
func (t *trial) event(line []byte) (e aictail.Event, whole, ok bool) {
	var entry struct {
		Payload json.RawMessage
		Source  string
	}
	if line[0] != '{' {
		return e, false, false
	}
	// What is not valid is for the filter to find; a wrong type of source is none.
	err := json.Unmarshal(line, &entry)
	if _, wrongType := errors.AsType[*json.UnmarshalTypeError](err); err == nil || wrongType {
		if len(entry.Payload) == 0 {
			line, entry.Payload = append(append([]byte(`{"payload":`), line...), '}'), line
		} else {
			whole = true
		}
	}
	e = aictail.Event{Source: entry.Source, Type: "application/json", Raw: bytes.Clone(line)}
	if e.Source == "" {
		e.Source = t.source
	}
	if at := bytes.Index(line, entry.Payload); len(entry.Payload) > 0 && at >= 0 {
		e.Payload = aictail.Span{Start: at, End: at + len(entry.Payload)}
	}
	return e, whole || err != nil, true
}
