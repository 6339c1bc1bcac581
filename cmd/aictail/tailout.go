package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"aictail"
	"aictail/cmd/internal/live"
	"aictail/cmd/internal/terminal"
	"aictail/filter"
)

// eventWriter writes chosen events to stdout, redacted.
type eventWriter struct {
	out      io.Writer
	note     func(string)
	choice   live.Choice
	filter   *filter.Pass       // set before the first write
	terminal *os.File           // nil if stdout is none
	blocks   *terminal.Renderer // nil for JSON
	buffer   []byte
}

func newEventWriter(cmd *cobra.Command, o *tailOptions, choice live.Choice) *eventWriter {
	w := &eventWriter{out: cmd.OutOrStdout(), note: stderrNote(cmd.ErrOrStderr()), choice: choice}
	if f, ok := w.out.(*os.File); ok && isTerminal(w.out) {
		w.terminal = f
	}
	if o.json || w.terminal == nil && !o.text {
		return w
	}
	style := terminal.Style{Location: time.Local}
	if o.utc {
		style.Location = time.UTC
	}
	// no-color.org: set to anything but the empty text it switches colours off.
	style.Color = w.terminal != nil && os.Getenv("NO_COLOR") == ""
	w.blocks = terminal.NewRenderer(style)
	return w
}

// write shows those of the events that are chosen. Redaction comes after the choice,
// which may look at what is not shown, and before everything else.
func (w *eventWriter) write(events []aictail.Event) error {
	chosen := events[:0]
	for i := range events {
		if w.choice.Wants(&events[i]) {
			chosen = append(chosen, events[i])
		}
	}
	chosen = w.filter.Apply(chosen)
	if len(chosen) == 0 {
		return nil
	}
	w.resize()
	w.buffer = w.buffer[:0]
	for i := range chosen {
		e := &chosen[i]
		switch {
		case w.blocks != nil:
			w.buffer = w.blocks.Append(w.buffer, e)
		case w.terminal != nil:
			w.buffer = terminal.AppendJSON(w.buffer, e)
		default:
			w.buffer = append(append(w.buffer, e.Raw...), '\n')
		}
	}
	if _, err := w.out.Write(w.buffer); err != nil {
		return fmt.Errorf("%w: %w", errOutput, err)
	}
	return nil
}

// resize follows the size of the terminal's window.
func (w *eventWriter) resize() {
	if w.terminal == nil || w.blocks == nil {
		return
	}
	if columns, _, err := term.GetSize(int(w.terminal.Fd())); err == nil {
		w.blocks.SetWidth(columns)
	}
}
