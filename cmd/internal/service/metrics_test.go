package service

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"aictail/cmd/internal/config"
)

var update = flag.Bool("update", false, "write docs/metrics.md")

const root = "../../.." // of the module

// registered is what the code says of a metric.
type registered struct {
	help   string
	labels []string
	kind   string // "" as long as it has no series
}

// registeredMetrics returns every metric of a service with every type of sink: that
// of config.example.yaml, which shows them all.
func registeredMetrics(t *testing.T) map[string]registered {
	t.Helper()
	file := filepath.Join(root, "config.example.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	env := []string{
		"AICTAIL_DATA_DIR=" + t.TempDir(), "AICTAIL_ADMIN__LISTEN=off",
		"AICTAIL_FILTER__NOISE=[default]", // what is dropped is counted only if there are rules
	}
	for _, m := range regexp.MustCompile(`\$\{([A-Z_]+)\}`).FindAllSubmatch(text, -1) {
		env = append(env, string(m[1])+"=value-1")
	}
	cfg, err := config.Load(file, env)
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(cfg, "test", zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()

	ch := make(chan *prometheus.Desc)
	go func() { s.registry.Describe(ch); close(ch) }()
	found := map[string]registered{}
	for d := range ch {
		if name, m := parseDesc(t, d.String()); strings.HasPrefix(name, "aictail_") {
			found[name] = m
		}
	}
	gathered, err := s.gather()
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range gathered {
		if m, ok := found[name]; ok {
			m.kind = strings.ToLower(f.GetType().String())
			found[name] = m
		}
	}
	return found
}

var descForm = regexp.MustCompile(`^Desc\{fqName: ("[^"]*"), help: ("(?:[^"\\]|\\.)*"), unit: "[^"]*", constLabels: \{(.*)\}, variableLabels: \{(.*)\}\}$`)

// parseDesc reads a description, whose parts the library shows in no other way.
func parseDesc(t *testing.T, text string) (name string, m registered) {
	t.Helper()
	parts := descForm.FindStringSubmatch(text)
	if parts == nil {
		t.Fatalf("the form of a description is another one in this version of the library: %s", text)
	}
	name, err := strconv.Unquote(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	if m.help, err = strconv.Unquote(parts[2]); err != nil {
		t.Fatal(err)
	}
	for label := range strings.SplitSeq(parts[3]+","+parts[4], ",") {
		if label, _, _ = strings.Cut(label, "="); label != "" {
			m.labels = append(m.labels, label)
		}
	}
	return name, m
}

// TestMetrics: the table has what the code registers, no more and no less, and
// docs/metrics.md is what follows from both.
func TestMetrics(t *testing.T) {
	found := registeredMetrics(t)
	listed := map[string]bool{}
	for _, group := range metricTable {
		for _, row := range group.metrics {
			listed[row.name] = true
			m, ok := found[row.name]
			if !ok {
				t.Errorf("%s is in the table and not in the code", row.name)
			}
			if m.kind != "" && m.kind != row.kind {
				t.Errorf("%s is a %s in the code and a %s in the table", row.name, m.kind, row.kind)
			}
			if strings.HasSuffix(row.name, "_total") != (row.kind == counter) {
				t.Errorf("%s is a %s: counters and nothing else end in _total", row.name, row.kind)
			}
		}
	}
	for name, m := range found {
		if !listed[name] {
			t.Errorf("%s is not in the table: add a row to metricTable and run this test with -update", name)
		}
		for _, label := range m.labels {
			if !slices.Contains(labelNames, label) {
				t.Errorf("%s has the label %q: are its values bounded? Then add it to labelNames", name, label)
			}
		}
	}
	for name, labels := range contract {
		if got := found[name].labels; !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(labels))) {
			t.Errorf("%s has the labels %v, want %v: others build on it", name, got, labels)
		}
	}

	file := filepath.Join(root, "docs", "metrics.md")
	page := metricsPage(found)
	if *update {
		if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	old, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(old), page); diff != "" {
		t.Errorf("docs/metrics.md is stale; run `make docs` (-file +code)\n%s", diff)
	}
}

const metricsIntro = `# Metrics

Everything that ` + "`/metrics`" + ` says of aictail, beside Go's own ` + "`go_*` and `process_*`" + `. Generated from the code by ` + "`make docs`" + `:
do not edit. Names and labels are permanent. What to be alerted on is in [alerts.yaml](../deploy/prometheus/alerts.yaml), what to do
then in the [runbook](../deploy/RUNBOOK.md); the [dashboard](../deploy/grafana/aictail.json) shows most of it.

Counters begin at 0 when the process starts and when the configuration is reloaded: use ` + "`increase` or `rate`" + `. Series whose labels are known
are there from the start.

- ` + "`tenant`, `sink` and `rule`" + ` are names in the configuration. ` + "`source`" + ` is what the tenant calls it; for what concerns the reading
  of it (completeness) it is each source of the configured entry.
- ` + "`via`" + ` is ` + "`tail` or `sweep`" + `; ` + "`endpoint`" + ` is ` + "`tail`, `range` or `sources`" + `.
`

func metricsPage(found map[string]registered) string {
	var b strings.Builder
	b.WriteString(metricsIntro)
	for _, group := range metricTable {
		fmt.Fprintf(&b, "\n## %s\n\n| metric | type | labels | unit | meaning | what a change means |\n|---|---|---|---|---|---|\n", group.title)
		for _, row := range group.metrics {
			m := found[row.name]
			labels := make([]string, len(m.labels))
			for i, label := range m.labels {
				labels[i] = "`" + label + "`"
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n", row.name, row.kind, strings.Join(labels, ", "), row.unit,
				strings.TrimSuffix(m.help, "."), row.change)
		}
	}
	return b.String()
}
