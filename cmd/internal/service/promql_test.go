package service

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// promQuery is what a PromQL expression uses.
type promQuery struct {
	metrics  map[string][]string // the labels that are matched, by metric
	grouping []string            // labels in by, without, on, ignoring and the like
}

var (
	promWord   = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*`)
	promSkip   = regexp.MustCompile("^(?:\\s+|#[^\n]*|\"(?:[^\"\\\\]|\\\\.)*\"|'(?:[^'\\\\]|\\\\.)*'|\\[[^\\]]*\\]|[0-9][0-9a-zA-Z.]*|.)")
	promCall   = regexp.MustCompile(`^(?:\(|by\b|without\b)`) // behind the name of a function
	promLabels = regexp.MustCompile(`([a-zA-Z_][a-zA-Z0-9_]*)\s*(?:=~|!~|!=|=)\s*"(?:[^"\\]|\\.)*"`)
)

// readPromQL finds the names in an expression. That it is one is promtool's to check.
func readPromQL(expr string) promQuery {
	q := promQuery{metrics: map[string][]string{}}
	for expr != "" {
		word := promWord.FindString(expr)
		if word == "" {
			expr = expr[len(promSkip.FindString(expr)):]
			continue
		}
		expr = strings.TrimLeft(expr[len(word):], " \n")
		switch {
		case slices.Contains([]string{"by", "without", "on", "ignoring", "group_left", "group_right"}, word):
			list, rest, _ := strings.Cut(strings.TrimPrefix(expr, "("), ")")
			expr = rest
			for label := range strings.SplitSeq(list, ",") {
				if label = strings.TrimSpace(label); label != "" {
					q.grouping = append(q.grouping, label)
				}
			}
		case slices.Contains([]string{"and", "or", "unless", "bool", "offset"}, word), promCall.MatchString(expr):
		default:
			if q.metrics[word] == nil {
				q.metrics[word] = []string{}
			}
			if strings.HasPrefix(expr, "{") {
				end := promEnd(expr)
				for _, m := range promLabels.FindAllStringSubmatch(expr[:end], -1) {
					q.metrics[word] = append(q.metrics[word], m[1])
				}
				expr = expr[end:]
			}
		}
	}
	return q
}

// promEnd returns the end of the matchers that expr begins with.
func promEnd(expr string) int {
	end := 0
	for end < len(expr) && expr[end] != '}' {
		end += len(promSkip.FindString(expr[end:]))
	}
	return min(end+1, len(expr))
}

func TestReadPromQL(t *testing.T) {
	q := readPromQL(`sum without (code, endpoint) (rate(a_total{code=~"4}.", tenant="x"}[5m])) / on (job) group_left () b:c > 1e9 # d
		unless histogram_quantile(0.9, e_bucket offset 1h) or vector(0)`)
	for name, labels := range map[string][]string{"a_total": {"code", "tenant"}, "b:c": {}, "e_bucket": {}} {
		if got, ok := q.metrics[name]; !ok || !slices.Equal(got, labels) {
			t.Errorf("%s: %v, %v", name, got, ok)
		}
	}
	if len(q.metrics) != 3 || !slices.Equal(q.grouping, []string{"code", "endpoint", "job"}) {
		t.Errorf("got %v", q)
	}
}

// promChecker knows what there is to be queried.
type promChecker struct {
	registered map[string]registered
	recorded   []string
}

// ownLabels are those that Prometheus adds.
var ownLabels = []string{"job", "instance", "le", "alertname", "alertstate", "severity"}

func knownLabel(name string) bool {
	return slices.Contains(labelNames, name) || slices.Contains(ownLabels, name)
}

// check reports names and labels in an expression that do not exist.
func (c promChecker) check(t *testing.T, where, expr string) {
	t.Helper()
	q := readPromQL(expr)
	for name, labels := range q.metrics {
		m, ok := c.find(name)
		if !ok {
			t.Errorf("%s: there is no metric %s", where, name)
			continue
		}
		for _, label := range labels {
			if m != nil && !slices.Contains(m.labels, label) && !slices.Contains(ownLabels, label) || !knownLabel(label) {
				t.Errorf("%s: %s has no label %s", where, name, label)
			}
		}
	}
	for _, label := range q.grouping {
		if !knownLabel(label) {
			t.Errorf("%s: there is no label %s", where, label)
		}
	}
}

// find returns a metric; nil if it is one whose labels are not known here.
func (c promChecker) find(name string) (*registered, bool) {
	if m, ok := c.registered[name]; ok {
		return &m, true
	}
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		base, found := strings.CutSuffix(name, suffix)
		if m, ok := c.registered[base]; found && ok && m.kind == histogram {
			return &m, true
		}
	}
	return nil, slices.Contains(c.recorded, name) || slices.Contains([]string{
		"up", "ALERTS", "process_start_time_seconds", "process_cpu_seconds_total", "process_resident_memory_bytes",
	}, name)
}
