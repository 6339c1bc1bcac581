package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// change is one replacement, as it is shown. Its JSON form is for tests of rules.
type change struct {
	Line   int    `json:"line"`
	Source string `json:"source,omitempty"`
	Field  string `json:"field"`
	Rule   string `json:"rule"`
	Before string `json:"before"`
	After  string `json:"after"`
	offset int
}

// totals are the summary.
type totals struct {
	Entries  int            `json:"entries"`
	Changed  int            `json:"changed"`
	Withheld int            `json:"withheld"`
	Rules    map[string]int `json:"rules"`
}

// changeView shows changes to people or, as JSON, to programs.
type changeView struct {
	out    io.Writer // of changes; nil if they are not shown
	end    io.Writer // of the summary
	errors io.Writer
	json   bool
	colour bool
	total  totals
}

func newChangeView(cmd *cobra.Command, asJSON, quiet bool) *changeView {
	v := &changeView{out: cmd.OutOrStdout(), end: cmd.OutOrStdout(), errors: cmd.ErrOrStderr(), json: asJSON}
	v.total.Rules = map[string]int{}
	if quiet {
		v.out, v.end = nil, cmd.ErrOrStderr()
	}
	file, ok := v.out.(*os.File)
	v.colour = ok && term.IsTerminal(int(file.Fd())) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	return v
}

func (v *changeView) problem(line int, text string) {
	fmt.Fprintf(v.errors, "line %d: %s\n", line, text)
}

// show shows what was changed in an entry.
func (v *changeView) show(line int, source string, raw []byte, changes []change, withheld bool) {
	v.total.Entries++
	if withheld {
		v.total.Withheld++
		v.problem(line, "cannot be redacted: it would go on without its content")
		return
	}
	if len(changes) == 0 {
		return
	}
	v.total.Changed++
	for _, c := range changes {
		v.total.Rules[c.Rule]++
	}
	if v.out == nil {
		return
	}
	if !v.json {
		fmt.Fprintf(v.out, "line %d %s\n", line, source)
	}
	for _, c := range changes {
		c.Line, c.Source, c.Field = line, source, fieldAt(raw, c.offset)
		if v.json {
			v.writeJSON(v.out, c)
			continue
		}
		fmt.Fprintf(v.out, "  %s  (%s)\n", c.Field, c.Rule)
		fmt.Fprintln(v.out, v.painted("31", "  - "+shortened(c.Before)))
		if c.After != "" {
			fmt.Fprintln(v.out, v.painted("32", "  + "+shortened(c.After)))
		}
	}
}

func (v *changeView) writeJSON(out io.Writer, value any) {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(value) // nothing can be done about a closed stdout
}

func (v *changeView) painted(colour, text string) string {
	if !v.colour {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// shortened returns text on one line, cut in its middle to what people read. Control
// characters, which could command the terminal, are escaped.
func shortened(text string) string {
	const most = 160
	text = strings.ToValidUTF8(text, "\uFFFD")
	if n := utf8.RuneCountInString(text); n > most {
		runes := []rune(text)
		text = string(runes[:most/2]) + " ... " + string(runes[n-most/2:])
	}
	quoted := strconv.Quote(text)
	return strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(quoted[1 : len(quoted)-1])
}

// summary shows the totals by rule.
func (v *changeView) summary() {
	if v.json {
		v.writeJSON(v.end, map[string]totals{"summary": v.total})
		return
	}
	fmt.Fprintf(v.end, "%d entries, %d changed, %d withheld\n", v.total.Entries, v.total.Changed, v.total.Withheld)
	for _, rule := range slices.Sorted(maps.Keys(v.total.Rules)) {
		fmt.Fprintf(v.end, "  %-18s %d\n", rule, v.total.Rules[rule])
	}
}

// fieldAt returns the JSON pointer of the key or value at an offset in valid JSON.
func fieldAt(raw []byte, offset int) string {
	type level struct {
		step  string
		index int // of an array; -1 for an object
		key   bool
	}
	var levels []level
	dec := json.NewDecoder(bytes.NewReader(raw))
	pointer := func() string {
		var b strings.Builder
		for _, l := range levels {
			b.WriteString("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(l.step))
		}
		return b.String()
	}
	for {
		token, err := dec.Token()
		if err != nil {
			return pointer()
		}
		delim, isDelim := token.(json.Delim)
		if closing := isDelim && (delim == '}' || delim == ']'); closing {
			levels = levels[:len(levels)-1]
			continue
		}
		if n := len(levels); n > 0 {
			switch top := &levels[n-1]; {
			case top.index >= 0:
				top.step = strconv.Itoa(top.index)
				top.index++
			case top.key:
				top.step, _ = token.(string)
				top.key = false
				if int(dec.InputOffset()) > offset {
					return pointer()
				}
				continue
			default:
				top.key = true
			}
		}
		if int(dec.InputOffset()) > offset {
			return pointer()
		}
		if isDelim {
			next := level{index: -1, key: true}
			if delim == '[' {
				next = level{}
			}
			levels = append(levels, next)
		}
	}
}
