package deploy_test

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestChartRules: what the chart brings is what stands in deploy/prometheus. Helm
// reads no file outside of the chart.
func TestChartRules(t *testing.T) {
	for _, name := range []string{"alerts.yaml", "recording.yaml"} {
		if read(t, filepath.Join(chart, "rules", name)) != read(t, filepath.Join("prometheus", name)) {
			t.Errorf("the chart's rules/%s is not that of deploy/prometheus: make chart-rules", name)
		}
	}
}

// TestChartPrometheusRule: the operator gets every rule, and people a link that works.
func TestChartPrometheusRule(t *testing.T) {
	const runbook = "https://wiki.example.com/aictail"
	rule := objects(t, render(t, "full"))["PrometheusRule"]
	if got := at(rule, "metadata.labels.release"); got != "prometheus" {
		t.Errorf("the label release is %v", got)
	}
	got, _ := at(rule, "spec.groups").([]any)
	var want []any
	for _, name := range []string{"recording.yaml", "alerts.yaml"} {
		var file object
		text := strings.ReplaceAll(read(t, filepath.Join("prometheus", name)), "runbook_url: deploy/RUNBOOK.md#", "runbook_url: "+runbook+"#")
		if err := yaml.Unmarshal([]byte(text), &file); err != nil {
			t.Fatal(err)
		}
		want = append(want, at(file, "groups").([]any)...)
	}
	if a, b := encode(t, got), encode(t, want); a != b {
		t.Errorf("the operator gets\n%s\nwant\n%s", a, b)
	}
}

func encode(t *testing.T, v any) string {
	t.Helper()
	b, err := yaml.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// operatorLabels are what the Prometheus operator gives a target of a PodMonitor
// before its relabelings.
func operatorLabels() map[string]string {
	return map[string]string{
		"__address__":                 "10.0.0.1:9464",
		"__meta_kubernetes_namespace": "soc", "__meta_kubernetes_pod_name": "logs-0",
		"namespace": "soc", "pod": "logs-0", "container": "aictail",
		"job": "soc/logs", "endpoint": "admin",
	}
}

// relabel does what Prometheus does with those relabelings that the chart uses.
func relabel(t *testing.T, labels map[string]string, rules []any) {
	t.Helper()
	for _, r := range rules {
		switch action, _ := at(r, "action").(string); action {
		case "labeldrop":
			drop := regexp.MustCompile("^(?:" + at(r, "regex").(string) + ")$")
			for name := range labels {
				if drop.MatchString(name) {
					delete(labels, name)
				}
			}
		case "":
			value, fixed := at(r, "replacement").(string)
			if !fixed {
				var values []string
				for _, name := range at(r, "sourceLabels").([]any) {
					values = append(values, labels[name.(string)])
				}
				value = strings.Join(values, at(r, "separator").(string))
			}
			labels[at(r, "targetLabel").(string)] = value
		default:
			t.Fatalf("this test does not know the action %s", action)
		}
	}
}

// TestChartPodMonitor: alerts, recording rules and dashboard work as they are on what
// the operator scrapes.
func TestChartPodMonitor(t *testing.T) {
	monitor := objects(t, render(t, "full", "--set", "nameOverride=other",
		"--set-json", `podMonitor.endpoint={"scheme":"HTTPS","relabelings":[{"targetLabel":"cluster","replacement":"eu"}]}`))["PodMonitor"]
	endpoint := at(monitor, "spec.podMetricsEndpoints[0]")
	labels := operatorLabels()
	relabel(t, labels, at(endpoint, "relabelings").([]any))
	for name, want := range map[string]string{"job": "aictail", "instance": "soc/logs-0", "cluster": "eu"} {
		if labels[name] != want {
			t.Errorf("%s is %q, want %q", name, labels[name], want)
		}
	}
	if at(endpoint, "scheme") != "HTTPS" {
		t.Errorf("the endpoint is %v", endpoint)
	}
	for _, job := range regexp.MustCompile(`job="([^"]*)"`).FindAllStringSubmatch(read(t, "prometheus/alerts.yaml"), -1) {
		if job[1] != labels["job"] {
			t.Errorf("the alerts ask for the job %s", job[1])
		}
	}
	// Prometheus would rename a metric's own label of the same name, and rules that
	// name it would no longer match.
	names := metricLabels(t)
	if !slices.Contains(names, "endpoint") || len(names) < 8 {
		t.Fatalf("labels of the metrics: %v", names)
	}
	for _, name := range names {
		if value, taken := labels[name]; taken {
			t.Errorf("the target's label %s=%q pushes aside that of a metric", name, value)
		}
	}
}

// metricLabels returns the labels of all metrics, from the third column of
// docs/metrics.md.
func metricLabels(t *testing.T) []string {
	t.Helper()
	var names []string
	for line := range strings.Lines(read(t, "../docs/metrics.md")) {
		cells := strings.Split(line, " | ")
		if !strings.HasPrefix(line, "| `aictail_") || len(cells) < 3 {
			continue
		}
		for _, name := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(cells[2], -1) {
			names = append(names, name[1])
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
