package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.uber.org/zap"
	"golang.org/x/term"

	"aictail/cmd/internal/admin"
	"aictail/cmd/internal/service"
	"aictail/tailer/simulator"
)

// showProgress shows what the daemon does until ctx ends: on a terminal a table
// that is drawn over itself every second, otherwise a log line every five.
func showProgress(ctx context.Context, s *service.Service, log *zap.Logger, out io.Writer) {
	view := &progress{start: time.Now()}
	terminal := isTerminal(out)
	interval := 5 * time.Second
	if terminal {
		interval = time.Second
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		if terminal {
			if status, err := s.Status(); err == nil {
				view.draw(out, status)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if !terminal {
			if status, err := s.Status(); err == nil {
				view.log(log, status)
			}
		}
	}
}

// progress turns statuses into rates and text.
type progress struct {
	start  time.Time
	rates  map[string]*rate // by source; the key "" is the total
	height int              // lines drawn last
}

// rate is an events-per-second figure that follows the last few seconds.
type rate struct {
	events uint64
	at     time.Time
	value  float64
}

// smoothing is the weight of the newest interval: a poll brings the events of
// several seconds at once, and the figure should not jump with each.
const smoothing = 0.2

func (p *progress) rate(key string, events uint64, now time.Time) float64 {
	if p.rates == nil {
		p.rates = map[string]*rate{}
	}
	r := p.rates[key]
	if r == nil {
		r = &rate{at: p.start}
		p.rates[key] = r
	}
	if d := now.Sub(r.at).Seconds(); d > 0 {
		r.value += smoothing * (float64(events-r.events)/d - r.value)
		r.events, r.at = events, now
	}
	return r.value
}

func (p *progress) draw(out io.Writer, s admin.Status) {
	var b strings.Builder
	line := func(format string, args ...any) {
		// Erase the rest of the line: what stood there may have been longer.
		fmt.Fprintf(&b, format+"\x1b[K\n", args...)
	}
	if p.height > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", p.height)
	}
	line("  \x1b[2m%-20s %10s %9s %12s %16s\x1b[0m", "source", "events", "per s", "newest", "complete until")
	shown := len(s.Sources)
	if room := terminalHeight(out) - aroundTable; room > 0 && room < shown {
		shown = room // drawing over what has scrolled away would not work
	}
	var total uint64
	for i, x := range s.Sources {
		total += x.Events
		if i >= shown {
			continue
		}
		line("  %-20s %10d %9.1f %12s %16s", x.Source, x.Events, p.rate(x.Source, x.Events, s.Now), ago(s.Now, x.LastEvent), ago(s.Now, x.CompleteUntil))
	}
	if more := len(s.Sources) - shown; more > 0 {
		line("  \x1b[2mand %d more sources\x1b[0m", more)
	}
	line("  \x1b[1m%-20s %10d %9.1f\x1b[0m", "all", total, p.rate("", total, s.Now))
	line("")
	for _, k := range s.Sinks {
		line("  in %-17s %10d   lag %s%s", k.Name, k.Events, seconds(k.LagSeconds), trouble(k.Trouble))
	}
	for _, t := range s.Tenants {
		line("  requests left this minute  %d of %d%s", t.Remaining, t.Limit, trouble(t.Trouble))
	}
	line("  \x1b[2mrunning for %s, Ctrl-C ends it\x1b[0m", time.Since(p.start).Round(time.Second))
	p.height = strings.Count(b.String(), "\n")
	_, _ = io.WriteString(out, b.String()) // a closed terminal shows nothing
}

// aroundTable is the number of lines drawn besides one for each source.
const aroundTable = 9

// terminalHeight returns the height of the terminal, or 0 if it is not known.
func terminalHeight(out io.Writer) int {
	f, ok := out.(*os.File)
	if !ok {
		return 0
	}
	_, height, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return height
}

func (p *progress) log(log *zap.Logger, s admin.Status) {
	var total, delivered uint64
	for _, x := range s.Sources {
		total += x.Events
	}
	var lag float64
	for _, k := range s.Sinks {
		delivered += k.Events
		lag = max(lag, k.LagSeconds)
	}
	log.Info("progress", zap.Int("sources", len(s.Sources)), zap.Uint64("events", total),
		zap.Uint64("delivered", delivered), zap.String("per_second", fmt.Sprintf("%.1f", p.rate("", total, s.Now))),
		zap.String("lag", seconds(lag)))
}

func ago(now, t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return max(0, now.Sub(t)).Round(time.Second).String() + " ago"
}

func seconds(s float64) string { return fmt.Sprintf("%.1fs", s) }

func trouble(text string) string {
	if text == "" {
		return ""
	}
	return "  \x1b[31m" + text + "\x1b[0m"
}

// demoSummary compares the files with the tenant's own ledger: every JSON entry
// that the tenant returned must be a line in them, once. Plaintext entries are not
// counted one by one: the lines of a log record become one event.
func demoSummary(s *service.Service, tenant *simulator.Tenant, files string, out io.Writer) error {
	status, err := s.Status()
	if err != nil {
		return err
	}
	found, err := countLines(files)
	if err != nil {
		return err
	}
	want := returned(tenant)
	fmt.Fprintf(out, "\n  %d JSON entries returned by the tenant, %d of them in the files, %d twice\n", want, found.json, found.repeated)
	fmt.Fprintf(out, "  %d events made of plaintext lines, %d files\n", found.text, found.files)
	fmt.Fprintf(out, "  %d values redacted before anything touched the disk\n", status.Redactions)
	fmt.Fprintf(out, "  files   %s\n", files)
	if found.json != want || found.repeated != 0 {
		return errors.New("the files do not hold every entry once; please report this with the demo's folder")
	}
	fmt.Fprintln(out, "  every entry that the tenant returned is in the files once")
	return nil
}

// lineCounts says what is in the demo's files.
type lineCounts struct{ json, text, repeated, files int }

// countLines counts the lines in all files below the folder.
func countLines(folder string) (n lineCounts, err error) {
	seen := map[string]bool{}
	err = filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // nothing has arrived
		}
		if err != nil || d.IsDir() {
			return err
		}
		n.files++
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(b)) {
			if strings.Contains(line, `"type":"application/json"`) {
				n.json++
			} else {
				n.text++
			}
			if seen[line] {
				n.repeated++
			}
			seen[line] = true
		}
		return nil
	})
	return n, err
}
