package service

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// dashboard is what the test looks at of deploy/grafana/aictail.json.
type dashboard struct {
	UID        string
	Panels     []panel
	Templating struct{ List []variable }
	// Annotations are marks in all graphs.
	Annotations struct{ List []struct{ Expr string } }
}

type panel struct {
	ID                       int
	Type, Title, Description string
	Datasource               source
	GridPos                  struct{ X, Y, W, H int }
	Targets                  []struct {
		Datasource source
		Expr       string
	}
	FieldConfig struct {
		Defaults struct{ Unit string }
	}
}

type source struct{ UID string }

type variable struct {
	Name, Type, Definition string
}

// grafanaText puts values in the places of Grafana's variables.
var grafanaText = strings.NewReplacer("$__rate_interval", "5m", "$__range", "3h", "$instance", ".*", "$tenant", ".*", "$sink", ".*")

func readDashboard(t *testing.T) (d dashboard) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, "deploy/grafana/aictail.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// queries returns the dashboard's queries by where they stand.
func (d dashboard) queries() map[string]string {
	all := map[string]string{}
	for _, p := range d.Panels {
		for i, target := range p.Targets {
			all[fmt.Sprintf("%s, query %d", p.Title, i)] = grafanaText.Replace(target.Expr)
		}
	}
	for i, a := range d.Annotations.List {
		all[fmt.Sprintf("annotation %d", i)] = grafanaText.Replace(a.Expr)
	}
	return all
}

// TestDashboard: the queries use only what there is, every metric is shown, and every
// panel says what it shows in which unit, at a place of its own.
func TestDashboard(t *testing.T) {
	d := readDashboard(t)
	c := newPromChecker(t)
	shown := map[string]bool{}
	for where, expr := range d.queries() {
		if strings.Contains(expr, "$") {
			t.Errorf("%s: a variable is not known: %s", where, expr)
		}
		c.check(t, where, expr)
		for name := range readPromQL(expr).metrics {
			shown[name] = true
		}
	}
	for name, m := range c.registered {
		if !shown[name] && (m.kind != histogram || !shown[name+"_bucket"]) {
			t.Errorf("%s is on no panel", name)
		}
	}
	ids := map[int]bool{}
	places := map[[2]int]string{}
	for _, p := range d.Panels {
		if ids[p.ID] {
			t.Errorf("%s: the id %d is used twice", p.Title, p.ID)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := places[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("%s lies over %q or beyond the edge", p.Title, other)
				}
				places[[2]int{x, y}] = p.Title
			}
		}
		if p.Type != "row" {
			checkPanel(t, p)
		}
	}
	for _, v := range d.Templating.List {
		if inner, ok := strings.CutPrefix(v.Definition, "label_values("); ok {
			expr, label, _ := strings.Cut(strings.TrimSuffix(inner, ")"), ", ")
			c.check(t, "variable "+v.Name, "sum by ("+label+") ("+grafanaText.Replace(expr)+")")
		} else if v.Type != "datasource" {
			t.Errorf("variable %s: %q", v.Name, v.Definition)
		}
	}
}

func checkPanel(t *testing.T, p panel) {
	t.Helper()
	if p.Description == "" || len(p.Targets) == 0 {
		t.Errorf("%s has no description or no query", p.Title)
	}
	if p.Type != "table" && p.FieldConfig.Defaults.Unit == "" {
		t.Errorf("%s has no unit", p.Title)
	}
	const uid = "${datasource}"
	if p.Datasource.UID != uid {
		t.Errorf("%s has the data source %q, want the variable", p.Title, p.Datasource.UID)
	}
	for _, target := range p.Targets {
		if target.Datasource.UID != uid {
			t.Errorf("%s: a query has the data source %q, want the variable", p.Title, target.Datasource.UID)
		}
	}
}

// TestDashboardQueries has promtool read the queries. `make alerts` sets PROMTOOL.
func TestDashboardQueries(t *testing.T) {
	tool := os.Getenv("PROMTOOL")
	if tool == "" {
		t.Skip("PROMTOOL names no promtool: see `make alerts`")
	}
	type recordingRule struct {
		Record, Expr string
		Labels       map[string]string
	}
	var rules []recordingRule
	for where, expr := range readDashboard(t).queries() {
		rules = append(rules, recordingRule{"dashboard", expr, map[string]string{"panel": where}})
	}
	b, err := yaml.Marshal(map[string]any{"groups": []any{map[string]any{"name": "dashboard", "rules": rules}}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "dashboard.yaml")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(tool, "check", "rules", file).CombinedOutput(); err != nil {
		t.Errorf("promtool: %v\n%s", err, out)
	}
}
