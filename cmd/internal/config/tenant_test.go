package config

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestEntries(t *testing.T) {
	tests := []struct {
		sources, want []string
		discover      bool
	}{
		{sources: []string{"am-access", "am-core,idm-core"}, want: []string{"am-access", "am-core,idm-core"}},
		{sources: []string{"all"}, discover: true},
		{sources: []string{"am-access", "am-everything"}, want: []string{"am-everything"}},
		{sources: []string{"am-core,idm-core,am-access,ws-core", "am-everything,idm-sync"}, want: []string{"idm-core,ws-core", "am-everything,idm-sync"}},
		{sources: []string{"am-everything,am-core"}, want: []string{"am-everything"}},
		{sources: []string{"ws-everything", "idm-everything", "ws-activity", "idm-recon", "am-core"}, want: []string{"ws-everything", "idm-everything", "am-core"}},
		// Not parts of it, whatever they are.
		{sources: []string{"am-everything", "am", "am-", "amster-core", "AM-core", "environment-access", "environment-everything"},
			want: []string{"am-everything", "am", "am-", "amster-core", "AM-core", "environment-access", "environment-everything"}},
	}
	for _, test := range tests {
		before := strings.Join(test.sources, " ")
		tenant := Tenant{Sources: test.sources}
		if diff := cmp.Diff(test.want, tenant.Entries()); diff != "" {
			t.Errorf("%v (-want +got)\n%s", test.sources, diff)
		}
		if tenant.Discover() != test.discover {
			t.Errorf("%v: Discover is %v", test.sources, tenant.Discover())
		}
		if after := strings.Join(test.sources, " "); after != before {
			t.Errorf("Entries changed Sources from %s to %s", before, after)
		}
	}
}

func TestSweepOf(t *testing.T) {
	tenant := Tenant{
		Sweep: Sweep{"full", 30 * time.Second},
		SourceOptions: map[string]SourceOptions{
			"am-core":  {Sweep{Mode: "gaps"}},
			"idm-core": {Sweep{Settle: time.Minute}},
			"ws-core":  {Sweep{"off", time.Hour}},
			"idm-sync": {},
		},
	}
	for entry, want := range map[string]Sweep{
		"am-access":         {"full", 30 * time.Second},
		"am-core":           {"gaps", 30 * time.Second},
		"idm-core":          {"full", time.Minute},
		"ws-core":           {"off", time.Hour},
		"idm-sync":          {"full", 30 * time.Second},
		"idm-sync,idm-core": {"full", 30 * time.Second}, // Load would refuse it
	} {
		if got := tenant.SweepOf(entry); got != want {
			t.Errorf("%s: got %v, want %v", entry, got, want)
		}
	}
}

// TestSweepOfEntryIsThatOfItsSources: whatever Load takes, an entry's options are those
// of each of its sources.
func TestSweepOfEntryIsThatOfItsSources(t *testing.T) {
	names := []string{"am-core", "am-everything", "am-access", "idm-core", "idm-sync"}
	rapid.Check(t, func(t *rapid.T) {
		options, list := "", ""
		for _, name := range rapid.Permutation(names).Draw(t, "order") {
			list += name + rapid.SampledFrom([]string{",", "', '"}).Draw(t, "separator")
			if mode := rapid.SampledFrom([]string{"", "mode: full", "mode: gaps", "settle: 30s", "settle: 1m"}).Draw(t, "option"); mode != "" {
				options += name + ": {sweep: {" + mode + "}}, "
			}
		}
		list = "['" + strings.TrimSuffix(strings.TrimSuffix(list, ","), "', '") + "']"
		text := strings.Replace(minimal, "[am-access]", list+"\n    source_options: {"+options+"}", 1)
		cfg, err := parse("x.yaml", []byte(text), nil)
		if err != nil {
			if !strings.Contains(err.Error(), "shares an entry with") {
				t.Fatal(err)
			}
			return
		}
		tenant := cfg.Tenants["prod"]
		for _, entry := range tenant.Entries() {
			for name := range strings.SplitSeq(entry, ",") {
				if tenant.SweepOf(entry) != tenant.SweepOf(name) {
					t.Fatalf("%s has other options than %s in\n%s", name, entry, text)
				}
			}
		}
	})
}

func TestStart(t *testing.T) {
	now := time.Date(2026, 3, 31, 12, 0, 0, 0, time.FixedZone("CEST", 2*60*60))
	const oldest = "2026-03-01T10:00:00Z"
	tests := []struct{ text, want, problem, warning string }{
		{text: "now", want: "2026-03-31T10:00:00Z"},
		{text: " now ", want: "2026-03-31T10:00:00Z"},
		{text: "0s", want: "2026-03-31T10:00:00Z"},
		{text: "24h", want: "2026-03-30T10:00:00Z"},
		{text: "1d12h30m", want: "2026-03-29T21:30:00Z"},
		{text: "30d", want: oldest},
		{text: "720h", want: oldest},
		{text: "30d1s", want: oldest, problem: "want at most 30d"},
		{text: "-1h", want: "2026-03-31T10:00:00Z", problem: "leave the minus out"},
		{text: "2026-03-30T08:00:00Z", want: "2026-03-30T08:00:00Z"},
		{text: "2026-03-30T08:00:00.25-05:00", want: "2026-03-30T13:00:00.25Z"},
		{text: "2026-03-31T12:00:00+02:00", want: "2026-03-31T10:00:00Z"},
		{text: "2026-03-31T12:00:01+02:00", want: "2026-03-31T10:00:00Z", problem: "in the future"},
		{text: oldest, want: oldest},
		{text: "2026-03-01T09:59:59Z", want: oldest, warning: "more than 30 days ago"},
		{text: "0001-01-01T00:00:01Z", want: oldest, warning: "more than 30 days ago"},
		{text: "0001-01-01T00:00:00Z", want: "2026-03-31T10:00:00Z", problem: "want now, a duration back"},
		{text: "", want: "2026-03-31T10:00:00Z", problem: "want now, a duration back"},
		{text: "Now", want: "2026-03-31T10:00:00Z", problem: "want now, a duration back"},
		{text: "24", want: "2026-03-31T10:00:00Z", problem: "want now, a duration back"},
		{text: "2026-03-30", want: "2026-03-31T10:00:00Z", problem: "want now, a duration back"},
		{text: "2026-03-30T08:00:00", want: "2026-03-31T10:00:00Z", problem: "want now, a duration back"},
		{text: "2026-02-30T08:00:00Z", want: "2026-03-31T10:00:00Z", problem: "want now, a duration back"},
		{text: "999999d", want: "2026-03-31T10:00:00Z", problem: "want now, a duration back"},
	}
	for _, test := range tests {
		v := &validator{collector: newCollector(), now: now}
		text := test.text
		v.start("start", &text)
		for _, found := range []struct {
			list []Problem
			want string
		}{{v.list, test.problem}, {v.warnings, test.warning}} {
			switch {
			case found.want == "" && len(found.list) == 0:
			case found.want != "" && len(found.list) == 1 && strings.Contains(found.list[0].Msg, found.want):
			default:
				t.Errorf("%q: got %v, want %q", test.text, found.list, found.want)
			}
		}
		got := Tenant{Start: text}.StartTime(now)
		if got.Format(time.RFC3339Nano) != test.want {
			t.Errorf("%q: got %s, want %s", test.text, got.Format(time.RFC3339Nano), test.want)
		}
	}
}

func FuzzStart(f *testing.F) {
	for _, text := range []string{"now", "24h", "30d", "-1d", "2026-03-30T08:00:00.25-05:00", "9999-12-31T23:59:59Z", "0000-01-01T00:00:00Z", "106751d23h", ""} {
		f.Add(text)
	}
	now := time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		got := Tenant{Start: text}.StartTime(now)
		if got.After(now) || got.Before(now.Add(-retention)) || got.Location() != time.UTC {
			t.Errorf("%q begins at %s", text, got)
		}
	})
}
