package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// history is what a Prometheus would have of a daemon, made of a few real scrapes:
// each stands for as many minutes as the test says. So the rules of
// deploy/prometheus are asked about real values, and no test waits for their times.
type history struct {
	job     string // of the scrapes that follow; "": aictail
	scrapes []scrape
	wanted  []expectation
	minutes int // so far
}

// scrape is what /metrics answered at a moment, and for how many minutes it stands.
type scrape struct {
	at      time.Time
	minutes int
	job     string
	values  map[string]float64 // by series; nil: there was no answer
}

// expectation is which alerts fire at a minute.
type expectation struct {
	minute int
	firing []string
}

// lasts has what /metrics says now stand for the next minutes, at the end of which
// these alerts fire, and no other.
func (s *scene) lasts(minutes int, firing ...string) {
	s.t.Helper()
	x := scrape{at: time.Now(), minutes: minutes, job: cmp.Or(s.history.job, "aictail")}
	if body, status := get("http://" + s.admin + "/metrics"); status == 200 {
		x.values = parseSeries(body, "aictail_", processStart)
	}
	h := &s.history
	h.scrapes = append(h.scrapes, x)
	h.minutes += minutes
	slices.Sort(firing)
	h.wanted = append(h.wanted, expectation{h.minutes - 1, firing})
}

// undecided takes the last expectation back: at that minute it depends on the test's
// timing which alerts fire.
func (h *history) undecided() { h.wanted = h.wanted[:len(h.wanted)-1] }

// askPrometheus has promtool evaluate the rules. `make alerts` sets PROMTOOL.
func (s *scene) askPrometheus() {
	tool := os.Getenv("PROMTOOL")
	if tool == "" || s.t.Failed() || len(s.history.scrapes) == 0 {
		return
	}
	file := filepath.Join(s.dir, "promtool.yaml")
	b, err := json.MarshalIndent(s.history.promtoolTest(s.t, s.template), "", " ") // JSON is YAML
	if err != nil {
		s.t.Fatal(err)
	}
	writeFile(s.t, file, string(b))
	if out, err := exec.Command(tool, "test", "rules", file).CombinedOutput(); err != nil {
		s.t.Errorf("other alerts fire than those that were expected: %v\n%s", err, out)
	}
}

const ruleFolder = "../../deploy/prometheus"

// promtoolTest is the history in the form of promtool's tests. more are further
// files of rules.
func (h *history) promtoolTest(t *testing.T, more string) any {
	t.Helper()
	var files, groups []string
	for _, name := range []string{filepath.Join(ruleFolder, "recording.yaml"), filepath.Join(ruleFolder, "alerts.yaml"), more} {
		if name == "" {
			continue
		}
		path, err := filepath.Abs(name)
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, path)
		for _, m := range regexp.MustCompile(`(?m)^  - name: (\S+)$`).FindAllSubmatch(b, -1) {
			groups = append(groups, string(m[1]))
		}
	}
	type object = map[string]any
	var asked []object
	for _, x := range h.wanted {
		samples := []object{}
		for _, name := range x.firing {
			samples = append(samples, object{"labels": fmt.Sprintf("{alertname=%q}", name), "value": 1})
		}
		asked = append(asked, object{
			"expr":      `group by (alertname) (ALERTS{alertstate="firing"})`,
			"eval_time": fmt.Sprintf("%dm", x.minute), "exp_samples": samples,
		})
	}
	return object{
		"rule_files": files, "group_eval_order": groups, "evaluation_interval": "1m",
		"tests": []object{{"interval": "1m", "input_series": h.series(), "promql_expr_test": asked}},
	}
}

// series are the samples in promtool's notation.
func (h *history) series() (list []map[string]string) {
	type series struct{ job, name string }
	names := map[series]bool{}
	for _, x := range h.scrapes {
		names[series{x.job, "up"}] = true
		for name := range x.values {
			names[series{x.job, name}] = true
		}
	}
	for _, n := range slices.SortedFunc(maps.Keys(names), func(a, b series) int { return cmp.Compare(a.job+a.name, b.job+b.name) }) {
		var samples []string
		minute, there := 0, false
		for _, x := range h.scrapes {
			value, ok := x.values[n.name]
			if n.name == "up" {
				ok = true
				if x.values != nil {
					value = 1
				}
			}
			ok = ok && x.job == n.job
			samples = append(samples, notation(n.name, value, ok, there, x, minute))
			minute, there = minute+x.minutes, ok
		}
		list = append(list, map[string]string{"series": labelled(n.name, n.job), "values": strings.Join(samples, " ")})
	}
	return list
}

// notation writes what a scrape has of a series. A time stays as old as it was: the
// history begins in 1970.
func notation(name string, value float64, ok, before bool, x scrape, minute int) string {
	switch {
	case !ok && before && x.minutes > 1:
		return fmt.Sprintf("stale _x%d", x.minutes-1)
	case !ok && before:
		return "stale"
	case !ok:
		return fmt.Sprintf("_x%d", x.minutes)
	}
	step := "+0"
	if base, _, _ := strings.Cut(name, "{"); strings.HasPrefix(base, "aictail_") && strings.HasSuffix(base, "_timestamp_seconds") {
		value += float64(60*minute) - float64(x.at.UnixMilli())/1000
		step = "+60"
	}
	return strconv.FormatFloat(value, 'f', -1, 64) + step + "x" + strconv.Itoa(x.minutes-1)
}

// labelled adds what Prometheus adds to a series.
func labelled(series, job string) string {
	own := fmt.Sprintf(`instance="a:9464",job=%q}`, job)
	if base, labels, found := strings.Cut(strings.TrimSuffix(series, "}"), "{"); found {
		return base + "{" + labels + "," + own
	}
	return series + "{" + own
}
