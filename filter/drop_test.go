package filter

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"aictail"
)

const (
	pingEvent    = `{"payload":{"http":{"request":{"path":"http://idm/openidm/info/ping"}},"level":"INFO","transactionId":"t-1/0"},"source":"idm-access"}`
	accessEvent  = `{"payload":{"http":{"request":{"path":"http://idm/openidm/managed/alpha_user"}},"level":"INFO","transactionId":"t-2/0"},"source":"idm-access"}`
	noiseEvent   = `{"payload":{"level":"DEBUG","logger":"org.forgerock.opendj.ldap.CachedConnectionPool","message":"x"},"source":"am-core"}`
	noiseError   = `{"payload":{"level":"ERROR","logger":"org.forgerock.opendj.ldap.CachedConnectionPool","message":"x"},"source":"am-core"}`
	scriptEvent  = `{"payload":{"level":"DEBUG","logger":"scripts.AUTHENTICATION_TREE_DECISION_NODE.abc","message":"x"},"source":"am-core"}`
	recordFine   = `{"payload":"Dec 05, 2022 8:01:34 PM org.example.ObjectSet readInstance\nFINE: Read name=user","source":"idm-core"}`
	recordSevere = `{"payload":"Dec 05, 2022 8:01:34 PM org.example.ObjectSet readInstance\nSEVERE: broken","source":"idm-core"}`
)

// eventOf returns the event of an entry, with the entry's own source.
func eventOf(raw string) aictail.Event {
	e := event(raw)
	_, rest, _ := strings.Cut(raw, `"source":"`)
	e.Source, _, _ = strings.Cut(rest, `"`)
	return e
}

// kept applies a chain and returns what goes on.
func kept(t *testing.T, config Config, reg *prometheus.Registry, raws ...string) []string {
	t.Helper()
	config.Redact = preset("off")
	var events []aictail.Event
	for _, raw := range raws {
		events = append(events, eventOf(raw))
	}
	var out []string
	for _, e := range newPass(t, config, reg).Apply(events) {
		out = append(out, string(e.Raw))
	}
	return out
}

func TestDrop(t *testing.T) {
	all := []string{pingEvent, accessEvent, noiseEvent, noiseError, scriptEvent, recordFine, recordSevere}
	for name, c := range map[string]struct {
		config  Config
		gone    []string
		dropped map[string]float64
	}{
		"nothing": {},
		"drop": {
			config: Config{Drop: []DropRule{
				{When: `/source eq "idm-access" and /payload/http/request/path co "/openidm/info/ping"`},
				{Name: "scripts", When: `/payload/logger sw "scripts."`},
				{Name: "pings", When: `/payload/http/request/path co "ping"`}, // the first rule counts
			}},
			gone:    []string{pingEvent, scriptEvent},
			dropped: map[string]float64{"drop[0]": 1, "scripts": 1, "pings": 0, "noise": 0, "level": 0},
		},
		"noise": {
			config: Config{Noise: []string{"default"}},
			gone:   []string{noiseEvent}, dropped: map[string]float64{"noise": 1},
		},
		"own noise": {
			config: Config{Noise: []string{"scripts", "org.forgerock.opendj"}},
			gone:   []string{noiseEvent, scriptEvent}, dropped: map[string]float64{"noise": 2},
		},
		"levels": {
			config: Config{Levels: map[string]string{"am-core": "WARNING", "idm-core": "INFO", "idm-access": "TRACE"}},
			gone:   []string{noiseEvent, scriptEvent, recordFine}, dropped: map[string]float64{"level": 3},
		},
		"all": {
			config: Config{
				Drop: []DropRule{{When: `/payload/level eq "ERROR"`}}, Noise: []string{"misc"},
				Levels: map[string]string{"idm-core": "SEVERE"}, Sample: []SampleRule{{When: `/source eq "idm-access"`, Keep: math.SmallestNonzeroFloat64}},
			},
			gone:    []string{noiseError, noiseEvent, recordFine, pingEvent, accessEvent},
			dropped: map[string]float64{"drop[0]": 1, "noise": 1, "level": 1, "sample[0]": 2},
		},
	} {
		t.Run(name, func(t *testing.T) {
			reg := prometheus.NewRegistry()
			want := slices.DeleteFunc(slices.Clone(all), func(raw string) bool { return slices.Contains(c.gone, raw) })
			if diff := cmp.Diff(want, kept(t, c.config, reg, all...)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			for rule, n := range c.dropped {
				if got := counter(t, reg, "aictail_events_dropped_total", rule); got != n {
					t.Errorf("%v events are counted for %s, want %v", got, rule, n)
				}
			}
		})
	}
}

// TestDropBeforeRedaction: a rule sees the entry as the tenant sent it.
func TestDropBeforeRedaction(t *testing.T) {
	pass := newPass(t, Config{Drop: []DropRule{{When: `/payload/mail eq "bob@example.com"`}}}, nil)
	got := pass.Apply([]aictail.Event{event(`{"payload":{"mail":"bob@example.com"}}`), event(`{"payload":{"mail":"eve@example.com"}}`)})
	if len(got) != 1 || string(got[0].Raw) != `{"payload":{"mail":"[redacted:email]"}}` {
		t.Errorf("%q", got[0].Raw)
	}
}

// TestDropFailsClosed: what cannot be judged goes on as structure only, also with
// redaction off.
func TestDropFailsClosed(t *testing.T) {
	reg := prometheus.NewRegistry()
	pass := newPass(t, Config{Redact: preset("off"), Drop: []DropRule{{When: `!(/payload/level eq "ERROR")`}}}, reg)
	torn, wrong := event(`{}`), event(`{}`)
	torn.Raw, torn.Payload = []byte(`{"payload":{"level":"hunter2`), aictail.Span{Start: 11, End: 28}
	wrong.Raw, wrong.Payload = slices.Clip(wrong.Raw), aictail.Span{Start: 1 << 20, End: 1<<20 + 1} // makes the scan crash
	got := pass.Apply([]aictail.Event{torn, wrong, event(`{"payload":{"level":"ERROR"}}`), event(`{"payload":{"level":"INFO"}}`)})
	if len(got) != 3 || strings.Contains(string(got[0].Raw), "hunter2") {
		t.Fatalf("%d events go on, the first is %s", len(got), got[0].Raw)
	}
	for i, notice := range []string{"invalid JSON", "a filter rule crashed"} {
		if !strings.Contains(string(got[i].Raw), notice) {
			t.Errorf("%s", got[i].Raw)
		}
	}
	for _, label := range []string{"invalid_json", "panic"} {
		if n := counter(t, reg, "aictail_events_quarantined_total", label); n != 1 {
			t.Errorf("%v counted as %s", n, label)
		}
	}
}

func TestDropErrors(t *testing.T) {
	for _, c := range []struct {
		config Config
		want   string
	}{
		{Config{Drop: []DropRule{{When: "true"}, {When: `level eq "X"`}}}, "filter.drop[1]: column 1: a field must begin with a slash"},
		{Config{Noise: []string{"a b"}}, `filter.noise: "a b" is not the name of a logger`},
		{Config{Levels: map[string]string{"am-core": "warning"}}, `filter.levels: am-core: "warning" is not a level`},
		{Config{Sample: []SampleRule{{When: "/a", Keep: 0.5}}}, "filter.sample[0]: column 3"},
		{Config{Sample: []SampleRule{{When: "true", Keep: 1}}}, "filter.sample[0]: keep 1"},
		{Config{Sample: []SampleRule{{When: "true", Keep: math.NaN()}}}, "filter.sample[0]: keep NaN"},
	} {
		if _, err := New(c.config, Deps{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

func TestNoise(t *testing.T) {
	n, err := newNoise([]string{"org.example.http", "oauth2", "journeys"})
	if err != nil {
		t.Fatal(err)
	}
	for logger, want := range map[string]bool{
		"org.example.http": true, "org.example.http.Client": true, "org.example.http$1": true, "oauth2": true, "oauth2.x": true,
		"org.forgerock.openam.auth.trees.engine.AuthTreeExecutor": true,
		"org.example.https": false, "org.example": false, "org": false, "": false, ".": false, "x.oauth2": false, "oauth": false,
		"org.forgerock.opendj.ldap.LoadBalancer": false,
	} {
		if got := n.has([]byte(logger)); got != want {
			t.Errorf("%q: %v", logger, got)
		}
	}
	lists := builtInNoise()
	if n := len(lists["misc"]) + len(lists["saml"]) + len(lists["journeys"]); n != len(lists["default"]) || len(lists) != 4 || n < 90 {
		t.Errorf("%d lists, %d loggers", len(lists), n)
	}
	for list, loggers := range lists {
		if !slices.IsSorted(loggers) && list != "default" || len(slices.Compact(slices.Clone(loggers))) != len(loggers) {
			t.Errorf("%s is not sorted or names a logger twice", list)
		}
	}
}

func TestLevelOf(t *testing.T) {
	d := &dropper{}
	if drops, err := newDrops(Config{Levels: map[string]string{"x": "INFO"}}, nil); err != nil {
		t.Fatal(err)
	} else {
		d = drops.newDropper()
	}
	const header = `Dec 05, 2022 8:01:34 PM org.example.ObjectSet readInstance`
	for payload, want := range map[string]level{
		`{"level":"TRACE"}`: levelTrace, `{"level":"FINEST"}`: levelTrace, `{"level":"FINER"}`: levelFiner,
		`{"level":"DEBUG"}`: levelDebug, `{"level":"FINE"}`: levelDebug, `{"level":"CONFIG"}`: levelConfig,
		`{"level":"INFO"}`: levelInfo, `{"level":"WARN"}`: levelWarning, `{"level":"W\u0041RNING"}`: levelWarning,
		`{"level":"ERROR"}`: levelSevere, `{"level":"SEVERE"}`: levelSevere,
		`{"level":"NOTICE"}`: noLevel, `{"level":5}`: noLevel, `{}`: noLevel, `{"level":null}`: noLevel,
		`"` + header + `\nFINE: Read"`:              levelDebug,
		`"` + header + `\nWARNING: x\n\tat y"`:      levelWarning,
		`"` + header + `\nSEVERE:\nx"`:              levelSevere,
		`"` + header + `"`:                          noLevel,
		`"FINER: alone"`:                            levelFiner,
		`"FINE:"`:                                   levelDebug,
		`"FINE"`:                                    noLevel,
		`"FINE:x"`:                                  noLevel,
		`"ERROR: of a script"`:                      noLevel,
		`"some text\nFINE: in it"`:                  noLevel,
		`"Dec 5, 2022 8:01:34 PM x y\nFINE: z"`:     noLevel, // no header that is known
		`"Dec 05, 2022 8:01:34\u202fPM x\nINFO: z"`: levelInfo,
		`""`: noLevel, `null`: noLevel, `[]`: noLevel,
	} {
		e := event(`{"payload":` + payload + `}`)
		d.matcher.Look(&e)
		if got := d.levelOf(&e); got != want {
			t.Errorf("%s: %d, want %d", payload, got, want)
		}
	}
}

// TestSample: transactions stay together and the share is about right.
func TestSample(t *testing.T) {
	const transactions, perTransaction = 20_000, 3
	config := Config{Redact: preset("off"), Sample: []SampleRule{
		{When: `/source eq "am-access"`, Keep: 0.1}, {Name: "rest", When: `true`, Keep: 0.3},
	}}
	reg := prometheus.NewRegistry()
	var events []aictail.Event
	for i := range transactions {
		for j := range perTransaction {
			source := []string{"am-access", "am-core", "idm-access"}[j]
			raw := fmt.Sprintf(`{"payload":{"transactionId":"1664994108247-9f138d8fc9f59d23164c-%d/%d"},"source":%q}`, i, j, source)
			if source == "am-core" {
				raw = fmt.Sprintf(`{"payload":{"transactionId":null,"mdc":{"transactionId":"1664994108247-9f138d8fc9f59d23164c-%d"}},"source":%q}`, i, source)
			}
			events = append(events, eventOf(raw))
		}
	}
	counts := map[string]int{}
	together := map[string]map[string]bool{}
	for _, e := range newPass(t, config, reg).Apply(events) {
		counts[e.Source]++
		_, rest, _ := strings.Cut(string(e.Raw), "c-")
		id := rest[:strings.IndexAny(rest, `/"`)]
		if together[id] == nil {
			together[id] = map[string]bool{}
		}
		together[id][e.Source] = true
	}
	for source, share := range map[string]float64{"am-access": 0.1, "am-core": 0.3, "idm-access": 0.3} {
		if got := float64(counts[source]) / transactions; math.Abs(got-share) > 0.01 {
			t.Errorf("%s: a share of %v is kept, want %v", source, got, share)
		}
	}
	for id, sources := range together {
		if sources["am-core"] != sources["idm-access"] || sources["am-access"] && !sources["am-core"] {
			t.Fatalf("of transaction %s only %v are kept", id, sources)
		}
	}
	if n := counter(t, reg, "aictail_events_dropped_total", "sample[0]"); n != float64(transactions-counts["am-access"]) {
		t.Errorf("%v counted", n)
	}
}

// TestSampleIsStable: the numbers below must never change, see sample.keeps.
func TestSampleIsStable(t *testing.T) {
	var got []int
	for i := range 200 {
		s := sample{keep: 0.05}
		if s.keeps(fmt.Appendf(nil, "t-%d", i)) {
			got = append(got, i)
		}
	}
	if diff := cmp.Diff([]int{23, 27, 70, 74, 101, 118, 150, 157, 161, 196}, got); diff != "" {
		t.Error(diff)
	}
}

// TestSampleWithoutTransaction: single events are chosen by their ids.
func TestSampleWithoutTransaction(t *testing.T) {
	var events []aictail.Event
	for i := range 1000 {
		e := event(`{"payload":{"transactionId":"/0"}}`)
		if i%2 == 0 {
			e = event(`{"payload":"text"}`)
		}
		e.ID = fmt.Appendf(nil, "id-%d", i)
		events = append(events, e)
	}
	config := Config{Redact: preset("off"), Sample: []SampleRule{{When: "true", Keep: 0.5}}}
	if n := len(newPass(t, config, nil).Apply(events)); n < 400 || n > 600 {
		t.Errorf("%d of 1000 are kept", n)
	}
}

func TestDropDoesNotAllocate(t *testing.T) {
	config := chainOfFive()
	config.Levels = map[string]string{"idm-core": "INFO"}
	config.Sample = []SampleRule{{When: `/source eq "idm-access"`, Keep: 0.5}}
	pass := newPass(t, config, prometheus.NewRegistry())
	var all []aictail.Event
	for _, raw := range []string{pingEvent, accessEvent, noiseEvent, noiseError, scriptEvent, recordFine, recordSevere} {
		all = append(all, eventOf(raw))
	}
	events := make([]aictail.Event, len(all))
	if n := testing.AllocsPerRun(100, func() {
		copy(events, all)
		pass.Apply(events)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
