package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aictail/tailer/simulator"
)

// maxMemory is the most memory that the daemon may ever take, in MiB, while pages
// of 15,000 entries flow.
const maxMemory = 100

// TestMemory shows that memory does not follow the size of the pages.
func TestMemory(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector takes several times the memory")
	}
	u := flow(t, 120_000)
	t.Logf("%s", u)
	if u.memory > maxMemory {
		t.Errorf("peak memory %.0f MiB, want at most %d", u.memory, maxMemory)
	}
}

// BenchmarkFlow measures the whole way, tail to file, in full pages: the
// daemon's CPU time and its peak memory. The tenant is another process.
func BenchmarkFlow(b *testing.B) {
	for b.Loop() {
		u := flow(b, 300_000)
		b.ReportMetric(u.memory, "MiB-peak")
		b.ReportMetric(u.perCPUSecond(), "events/cpu-s")
		b.ReportMetric(float64(u.bytes)/(1<<20)/u.cpu.Seconds(), "MB/cpu-s")
		if u.memory > maxMemory {
			b.Errorf("peak memory %.0f MiB, want at most %d", u.memory, maxMemory)
		}
	}
}

// usage is what a run of the daemon took.
type usage struct {
	events int
	bytes  int64
	cpu    time.Duration
	memory float64 // peak resident set, in MiB
	full   int     // pages of 15,000 entries
}

func (u usage) perCPUSecond() float64 { return float64(u.events) / u.cpu.Seconds() }

func (u usage) String() string {
	return fmt.Sprintf("%d events (%d MiB) in %d full pages and more: peak memory %.0f MiB, %.0f events per CPU-second",
		u.events, u.bytes>>20, u.full, u.memory, u.perCPUSecond())
}

// BenchmarkRedaction measures which share of the daemon's CPU time each preset takes of
// the whole way, tail to file. Both runs of a pair have the same entries.
func BenchmarkRedaction(b *testing.B) {
	for _, preset := range []string{"secrets", "default", "gdpr"} {
		b.Run(preset, func(b *testing.B) {
			var with, without time.Duration
			for b.Loop() {
				with += flowBy(b, 150_000, preset).cpu
				without += flowBy(b, 150_000, "off").cpu
			}
			b.ReportMetric(100*float64(with-without)/float64(with), "%-of-cpu")
		})
	}
}

// flow runs the daemon with the default preset.
func flow(tb testing.TB, n int) usage {
	tb.Helper()
	return flowBy(tb, n, "default")
}

// flowBy runs the daemon on a tenant that holds n entries until all that the tail
// shows are in the files.
func flowBy(tb testing.TB, n int, preset string) usage {
	tb.Helper()
	tenant, err := simulator.New(simulator.Options{
		Limit: 100_000, Seed: 1, MaxEntries: 2 * n, ShowLast: true,
		// Audit logs: so many log records at once would be mixed beyond assembly.
		Sources: []string{"am-access", "am-activity", "am-authentication", "idm-access", "idm-activity", "idm-sync"},
	})
	if err != nil {
		tb.Fatal(err)
	}
	tenant.Generate(n)
	url, stop, err := simulator.Start(tenant)
	if err != nil {
		tb.Fatal(err)
	}
	defer stop()
	dir := tb.TempDir()
	config := filepath.Join(dir, "aictail.yaml")
	writeFile(tb, config, fmt.Sprintf(`
data_dir: %[1]s/data
log: {level: error}
admin: {listen: off}
tenants:
  prod:
    url: %[2]s
    api_key: key
    api_secret: secret
    sources: ["am-access,am-activity", "am-authentication,idm-access", "idm-activity,idm-sync"]
    poll: {min_interval: 100ms, max_interval: 200ms}
    start: 15s
    sweep: {settle: 5s}
filter: {redact: [{preset: %[3]s}]}
sinks:
  plain: {type: file, path: "%[1]s/out/{source}.ndjson"}
`, dir, url, preset))
	ledger, events := tenant.Ledger(), tenant.Events()
	u := usage{events: len(ledger)}
	for _, r := range ledger {
		u.bytes += int64(len(r.Raw))
	}
	p := start(tb, "run", "--config", config)
	eventually(tb, "all events in the files", func() bool {
		return countNewlines(tb, filepath.Join(dir, "out")) >= len(events)
	})
	u.memory = peakMemory(tb, p.cmd.Process.Pid)
	if code := p.stop(); code != exitDone {
		tb.Fatalf("exit code %d:\n%s", code, tail(p.log.String()))
	}
	if got := countNewlines(tb, filepath.Join(dir, "out")); got != len(events) {
		tb.Errorf("%d lines for %d events", got, len(events))
	}
	u.cpu = p.cmd.ProcessState.SystemTime() + p.cmd.ProcessState.UserTime()
	for r, n := range tenant.Requests() {
		if r.Endpoint == simulator.Tail && r.Status == 200 {
			u.full += n
		}
	}
	u.full = min(u.full, len(ledger)/simulator.DefaultTailCap)
	return u
}

// peakMemory returns the most memory that a process has had resident, in MiB. The
// figure that wait4 returns will not do: it includes what this process had when
// it started the other.
func peakMemory(tb testing.TB, pid int) float64 {
	tb.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		tb.Skipf("the system does not tell a process's peak memory: %v", err)
	}
	_, rest, _ := strings.Cut(string(b), "VmHWM:")
	var kib float64
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		tb.Fatalf("read the peak memory: %v", err)
	}
	return kib / 1024
}

func countNewlines(tb testing.TB, folder string) int {
	tb.Helper()
	n := 0
	for _, text := range readFiles(tb, folder) {
		n += strings.Count(text, "\n")
	}
	return n
}
