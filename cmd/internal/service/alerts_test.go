package service

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// rule is a rule of Prometheus.
type rule struct {
	Record, Alert, Expr string
	Labels, Annotations map[string]string
}

func readYAML(t *testing.T, file string, into any) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(b, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

func readRules(t *testing.T, file string) (rules []rule) {
	t.Helper()
	var doc struct{ Groups []struct{ Rules []rule } }
	readYAML(t, file, &doc)
	for _, g := range doc.Groups {
		rules = append(rules, g.Rules...)
	}
	return rules
}

// newPromChecker knows the metrics of the code and of recording.yaml.
func newPromChecker(t *testing.T) promChecker {
	t.Helper()
	c := promChecker{registered: registeredMetrics(t)}
	for _, r := range readRules(t, "deploy/prometheus/recording.yaml") {
		c.recorded = append(c.recorded, r.Record)
	}
	return c
}

var labelInText = regexp.MustCompile(`\$labels\.(\w+)`)

// TestAlerts: the rules use only what there is; every alert says how urgent it is,
// what has happened and where to read on, and a test of promtool makes it fire.
func TestAlerts(t *testing.T) {
	c := newPromChecker(t)
	for _, r := range readRules(t, "deploy/prometheus/recording.yaml") {
		c.check(t, r.Record, r.Expr)
	}
	fires := firingAlerts(t)
	sections := runbookSections(t)
	alerts := readRules(t, "deploy/prometheus/alerts.yaml")
	for _, r := range alerts {
		c.check(t, r.Alert, r.Expr)
		if !slices.Contains([]string{"critical", "warning", "info"}, r.Labels["severity"]) {
			t.Errorf("%s: severity %q", r.Alert, r.Labels["severity"])
		}
		for _, name := range []string{"summary", "description"} {
			if r.Annotations[name] == "" {
				t.Errorf("%s has no %s", r.Alert, name)
			}
			for _, m := range labelInText.FindAllStringSubmatch(r.Annotations[name], -1) {
				if !knownLabel(m[1]) {
					t.Errorf("%s: %s names the label %s, which does not exist", r.Alert, name, m[1])
				}
			}
		}
		if want := "deploy/RUNBOOK.md#" + strings.ToLower(r.Alert); r.Annotations["runbook_url"] != want {
			t.Errorf("%s: runbook_url %q, want %q", r.Alert, r.Annotations["runbook_url"], want)
		}
		if !slices.Contains(sections, r.Alert) {
			t.Errorf("%s has no section in deploy/RUNBOOK.md", r.Alert)
		}
		if !slices.Contains(fires, r.Alert) {
			t.Errorf("no test in deploy/prometheus/tests makes %s fire", r.Alert)
		}
	}
	for _, section := range sections {
		known := slices.ContainsFunc(alerts, func(r rule) bool { return r.Alert == section })
		if !known && section != "AictailSourceSilent" { // the template
			t.Errorf("deploy/RUNBOOK.md speaks of %s, which no rule raises", section)
		}
	}
}

// firingAlerts lists the alerts that a test expects to fire.
func firingAlerts(t *testing.T) (names []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "deploy/prometheus/tests/*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no tests of the rules: %v", err)
	}
	for _, file := range files {
		var doc struct {
			Tests []struct {
				Alerts []struct {
					Name string `yaml:"alertname"`
					Want []any  `yaml:"exp_alerts"`
				} `yaml:"alert_rule_test"`
			}
		}
		readYAML(t, strings.TrimPrefix(file, root+"/"), &doc)
		for _, test := range doc.Tests {
			for _, a := range test.Alerts {
				if len(a.Want) > 0 {
					names = append(names, a.Name)
				}
			}
		}
	}
	return names
}

// runbookSections lists the alerts that the runbook has a section for.
func runbookSections(t *testing.T) (names []string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, "deploy/RUNBOOK.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^#+ (Aictail\w+)$`).FindAllSubmatch(b, -1) {
		names = append(names, string(m[1]))
	}
	return names
}

var (
	metricInText = regexp.MustCompile("aictail_[a-z_]*[a-z]")
	textFiles    = []string{"README.md", "deploy/RUNBOOK.md", "docs/*.md", "deploy/prometheus/*.yaml"}
)

// TestAlertsInDocs: the metrics that documents name do exist.
func TestAlertsInDocs(t *testing.T) {
	c := newPromChecker(t)
	for _, pattern := range textFiles {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no files, %v", pattern, err)
		}
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range metricInText.FindAllString(string(b), -1) {
				if _, ok := c.find(name); !ok {
					t.Errorf("%s names %s, which does not exist", file, name)
				}
			}
		}
	}
}
