package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"aictail/cmd/internal/terminal"
	"aictail/sinks"
)

// Show prints the findings for people, with colours if wanted.
func Show(w io.Writer, targets []Target, color bool) error {
	var b strings.Builder
	for _, t := range targets {
		fmt.Fprintln(&b, terminal.Printable(t.Name))
		for _, f := range t.Findings {
			fmt.Fprintf(&b, "  %s  %s: %s\n", word(f.Verdict, color), f.Check, oneLine(f.Found))
			if f.Remedy != "" {
				fmt.Fprintf(&b, "        → %s\n", oneLine(f.Remedy))
			}
		}
	}
	failed, warned := Count(targets, sinks.Bad), Count(targets, sinks.Doubtful)
	switch {
	case failed > 0:
		fmt.Fprintf(&b, "\n%d failed, %d warning(s)\n", failed, warned)
	case warned > 0:
		fmt.Fprintf(&b, "\nnothing failed, %d warning(s)\n", warned)
	default:
		fmt.Fprintln(&b, "\nall is well")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// oneLine makes a text of others, such as an error of a server, fit for a terminal.
func oneLine(text string) string {
	return terminal.Printable(strings.Join(strings.Fields(text), " "))
}

func word(v sinks.Verdict, color bool) string {
	text := fmt.Sprintf("%-4s", v)
	if !color {
		return text
	}
	return map[sinks.Verdict]string{sinks.Good: "\x1b[32m", sinks.Doubtful: "\x1b[33m", sinks.Bad: "\x1b[31m"}[v] + text + "\x1b[0m"
}

// ShowJSON prints the findings for machines. The names are permanent.
func ShowJSON(w io.Writer, targets []Target) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(struct {
		Failed   int      `json:"failed"`
		Warnings int      `json:"warnings"`
		Targets  []Target `json:"targets"`
	}{Count(targets, sinks.Bad), Count(targets, sinks.Doubtful), targets})
}
