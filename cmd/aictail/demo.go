package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"golang.org/x/term"

	"aictail/cmd/internal/config"
	"aictail/cmd/internal/service"
	"aictail/tailer/simulator"
)

const (
	// demoRate is lively and still readable in the files.
	demoRate = 40
	// demoBacklog events are there when the demo begins, so that even the
	// sources that are seldom written to have some.
	demoBacklog = 2000
)

// demoSources are the source entries of the demo. Quiet sources share a poll:
// within 60 requests a minute every entry then gets one every few seconds.
var demoSources = []string{
	"am-activity,am-authentication,am-config,idm-activity,idm-authentication,idm-config,idm-recon,idm-sync,ws-activity,ws-config,ws-core",
	"am-access", "am-core", "idm-access", "idm-core",
}

func newDemo() *cobra.Command {
	var (
		lasts time.Duration
		dir   string
	)
	cmd := &cobra.Command{
		Use:   "demo [--for 30s] [--dir D]",
		Short: "Show aictail at work on a simulated tenant, without configuration or network",
		Long: `Run the daemon on a simulated tenant in the same process, with all sources and
files as the sink. On a terminal it shows a summary that is kept up to date,
otherwise log lines. It ends with a check of the files against the tenant.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if lasts < 0 {
				return fmt.Errorf("--for %s: want a positive duration such as 30s", lasts)
			}
			ctx, stop := untilSignal(cmd.Context())
			defer stop()
			if lasts > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, lasts)
				defer cancel()
			}
			return failed(runDemo(ctx, dir, cmd.OutOrStdout()))
		},
	}
	cmd.Flags().DurationVar(&lasts, "for", 0, "end by itself after this `duration`; 0 runs until interrupted")
	cmd.Flags().StringVar(&dir, "dir", "", "`folder` for files and state (default a new temporary one)")
	return cmd
}

// runDemo runs until ctx ends.
func runDemo(ctx context.Context, dir string, out io.Writer) error {
	dir, err := demoDir(dir)
	if err != nil {
		return err
	}
	tenant, err := simulator.New(simulator.Options{Rate: demoRate, Seed: uint64(time.Now().UnixNano()), Ledger: true})
	if err != nil {
		return err
	}
	for tenant.Generate(demoBacklog); !logsEverywhere(tenant); {
		tenant.Generate(demoBacklog / 4)
	}
	url, stopTenant, err := simulator.Start(tenant)
	if err != nil {
		return err
	}
	defer stopTenant()

	terminal := isTerminal(out)
	log, closeLog, err := demoLog(dir, terminal)
	if err != nil {
		return err
	}
	defer closeLog()
	files := filepath.Join(dir, "files")
	cfg, err := demoConfig(url, dir, files)
	if err != nil {
		return err
	}
	s, err := service.New(cfg, versionString(), log)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "aictail demo: a simulated tenant, every source it has, files as the sink\n\n")
	fmt.Fprintf(out, "  files   %s\n  status  %s\n  config  %s\n\n", files, s.AdminURL(), filepath.Join(dir, "aictail.yaml"))

	tenantDone := make(chan error, 1)
	go func() { tenantDone <- tenant.Run(ctx) }()
	daemon, stopDaemon := context.WithCancel(context.WithoutCancel(ctx))
	defer stopDaemon()
	shown := make(chan error, 1)
	go func() {
		defer stopDaemon()
		showProgress(ctx, s, log, out)
		shown <- hush(daemon, files, tenant)
	}()
	err = s.Run(daemon)
	stopDaemon()
	if err := errors.Join(err, <-shown, <-tenantDone); err != nil {
		return err
	}
	return demoSummary(s, tenant, files, out)
}

// logsEverywhere tells whether every source has entries that the tail shows: more
// than the very latest one.
func logsEverywhere(tenant *simulator.Tenant) bool {
	n := map[string]int{}
	for _, r := range tenant.Ledger() {
		n[r.Source]++
	}
	for _, entry := range demoSources {
		for source := range strings.SplitSeq(entry, ",") {
			if n[source] < 2 {
				return false
			}
		}
	}
	return true
}

// hush has the tenant answer no more and waits until what it has answered is
// delivered: an answer on its way when the daemon stops is asked for again by
// the next start, which the demo does not have.
func hush(ctx context.Context, files string, tenant *simulator.Tenant) error {
	if _, err := tenant.Inject(simulator.Fault{Effect: simulator.Status, Times: -1}); err != nil {
		return err
	}
	const patience = 5 * time.Second // for what takes milliseconds
	for end := time.Now().Add(patience); time.Now().Before(end) && ctx.Err() == nil; {
		found, err := countLines(files)
		if err != nil || found.json == returned(tenant) {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil
}

// returned counts the JSON entries that the tenant has returned.
func returned(tenant *simulator.Tenant) int {
	n := 0
	for _, r := range tenant.Ledger() {
		if r.Tailed+r.Ranged > 0 && r.Payload[0] == '{' {
			n++
		}
	}
	return n
}

func demoDir(dir string) (string, error) {
	if dir == "" {
		d, err := os.MkdirTemp("", "aictail-demo-")
		if err != nil {
			return "", fmt.Errorf("create a folder for the demo: %w; name one with --dir", err)
		}
		return d, nil
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("--dir: %w", err)
	}
	if entries, err := os.ReadDir(abs); err == nil && len(entries) > 0 {
		return "", fmt.Errorf("--dir %s is not empty; the demo's check needs a folder of its own", dir)
	}
	if err := os.MkdirAll(abs, 0o750); err != nil {
		return "", fmt.Errorf("--dir: %w", err)
	}
	return abs, nil
}

// demoConfig writes the demo's configuration, for people to read, and loads it
// the way the daemon does. The environment is left out: variables of another
// installation do not belong here.
func demoConfig(url, dir, files string) (*config.Config, error) {
	path := filepath.Join(dir, "aictail.yaml")
	text := fmt.Sprintf(`# What the demo runs with.
data_dir: %q
admin: {listen: "127.0.0.1:0"}
tenants:
  demo:
    url: %q
    api_key: demo
    api_secret: demo
    start: 15s          # what the first tail shows
    sweep: {settle: 5s} # the simulated tenant is never late; for a real one keep 30s
    sources:
`, filepath.Join(dir, "data"), url)
	for _, entry := range demoSources {
		text += fmt.Sprintf("      - %q\n", entry)
	}
	text += fmt.Sprintf(`sinks:
  files: {type: file, path: %q}
`, filepath.Join(files, "{tenant}", "{source}.ndjson"))
	if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
		return nil, fmt.Errorf("write the demo's configuration: %w", err)
	}
	return config.Load(path, nil)
}

// demoLog writes to stderr, or to a file where the terminal shows the summary.
func demoLog(dir string, terminal bool) (*zap.Logger, func(), error) {
	if !terminal {
		log, err := newLogger(config.Log{Level: "info", Format: "console"}, os.Stderr)
		return log, func() {}, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "aictail.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		return nil, nil, fmt.Errorf("open the demo's log: %w", err)
	}
	log, err := newLogger(config.Log{Level: "info", Format: "console"}, f)
	return log, func() { _ = f.Close() }, err
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"
}
