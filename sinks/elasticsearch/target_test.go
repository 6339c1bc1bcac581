package elasticsearch

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"aictail"
)

func TestTarget(t *testing.T) {
	tests := []struct {
		stream         bool
		text           string
		tenant, source string
		at             string
		want           string
	}{
		{false, "aic-{source}-{yyyy.MM}", "prod", "am-access", "2026-01-31T23:59:59.999999999Z", "aic-am-access-2026.01"},
		{false, "aic-{source}-{yyyy.MM}", "prod", "am-access", "2026-02-01T00:59:59+01:00", "aic-am-access-2026.01"},
		{false, "aic-{source}-{yyyy.MM}", "prod", "am-access", "2026-02-01T00:00:00Z", "aic-am-access-2026.02"},
		{false, "aic-{tenant}-{yyyy}-{MM}_{dd}", "prod", "", "1969-12-31T23:59:59Z", "aic-prod-1969-12_31"},
		{false, "aic-{yyyy.MM.dd}", "", "", "0001-01-01T00:00:00Z", "aic-0001.01.01"},
		{false, "all", "prod", "am-access", "2026-01-31T00:00:00Z", "all"},
		{true, "logs-aic.{source}-default", "prod", "am-access", "2026-01-31T00:00:00Z", "logs-aic.am-access-default"},
		{true, "logs-aic.{source}-{tenant}", "prod", "", "2026-01-31T00:00:00Z", "logs-aic.unknown-prod"},
		{true, "logs-aic.{source}-default", "", `A/b\c*?"<>| ,#:é`, "2026-01-31T00:00:00Z", "logs-aic.a_b_c____________-default"},
		{false, "{source}", "", "-x", "2026-01-31T00:00:00Z", "xx"},
		{false, "{source}", "", "..", "2026-01-31T00:00:00Z", "x."},
	}
	for _, tt := range tests {
		stream, index := "", tt.text
		if tt.stream {
			stream, index = tt.text, ""
		}
		target, err := parseTarget(stream, index)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(time.RFC3339Nano, tt.at)
		if err != nil {
			t.Fatal(err)
		}
		e := aictail.Event{Tenant: tt.tenant, Source: tt.source, Time: at}
		for range 2 {
			if got := target.of(&e); got != tt.want {
				t.Errorf("%s is %s, want %s", tt.text, got, tt.want)
			}
		}
	}
}

// TestTargetChanges goes to and fro between sources and days.
func TestTargetChanges(t *testing.T) {
	target, err := parseTarget("", "aic-{source}-{yyyy.MM.dd}")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 * maxRoutes {
		at := time.Date(2000, 1, 1+i/3, 0, 0, 0, 0, time.UTC)
		source := []string{"a", "b", "A"}[i%3]
		want := "aic-" + strings.ToLower(source) + "-" + at.Format("2006.01.02")
		if got := target.of(&aictail.Event{Source: source, Time: at}); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	}
	if len(target.routes) > maxRoutes {
		t.Errorf("%d names are kept", len(target.routes))
	}
}

func TestCleanValue(t *testing.T) {
	a, b := strings.Repeat("x", 100), strings.Repeat("x", 99)+"y"
	if len(cleanValue(a)) != maxValue || cleanValue(a) == cleanValue(b) {
		t.Errorf("long values: %s, %s", cleanValue(a), cleanValue(b))
	}
	if got := cleanValue(strings.Repeat("x", maxValue)); got != strings.Repeat("x", maxValue) {
		t.Errorf("a value of the greatest length is changed: %s", got)
	}
}

func TestBadTargets(t *testing.T) {
	tests := []struct{ stream, index, want string }{
		{"", "", "index: missing"},
		{"a", "b", "index: set together with data_stream"},
		{"", "Aic", "index: only a-z"},
		{"logs/x", "", "data_stream: only a-z"},
		{"", "aic {source}", "index: only a-z"},
		{"", "aic-{host}", "index: unknown placeholder {host}"},
		{"", "aic-{yyyy/MM}", "index: unknown placeholder {yyyy/MM}"},
		{"", "aic-{", "index: only a-z"},
		{"", "-aic", "index: must not begin"},
		{".aic", "", "data_stream: must not begin"},
		{"logs-aic-{yyyy}", "", "data_stream: {yyyy} is for index"},
		{"", strings.Repeat("{source}", 4), "index: the name may have 320 bytes"},
		{"", strings.Repeat("x", 256), "index: the name may have 256 bytes"},
	}
	for _, tt := range tests {
		_, err := parseTarget(tt.stream, tt.index)
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%q, %q: %v, want %s", tt.stream, tt.index, err, tt.want)
		}
	}
}

func TestPatternAndLabel(t *testing.T) {
	target, err := parseTarget("", "aic-{source}-{yyyy.MM}")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(target.pattern(), " ", target.label()), "aic-*-* aictail-aic-source-yyyy.mm"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
