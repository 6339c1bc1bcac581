package config

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFilterWarnings(t *testing.T) {
	const text = `
tenants:
  a: {url: https://one.example.com, api_key: k, api_secret: s, sources: [am-everything, idm-access], query_filter: 'true'}
  b: {url: https://two.example.com, api_key: k, api_secret: s, sources: [am-access], query_filter: '/payload/level pr and false'}
  c: {url: https://three.example.com, api_key: k, api_secret: s, sources: [am-access], query_filter: '/payload/entries/0/info/nodeType pr'}
  d: {url: https://four.example.com, api_key: k, api_secret: s, sources: [am-access], query_filter: '/payload/x eq "${X}" and /payload/entries/0/x pr'}
filter:
  drop:
    - '/payload/level eq "DEBUG" and /source pr'
    - '/payload/level pr and !(/payload/level pr)'
    - "(/payload/level  eq 'DEBUG') and /source pr"
    - {name: everything, when: '!false'}
    - '/payload/topic pr'
    - 'true'
  sample:
    - {when: 'true', keep: 0.5}
    - {when: '/payload/topic pr', keep: 0.5}
  levels: {am-core: INFO, idm-acces: INFO, ws-core: INFO}
sinks:
  x: {type: file, path: x.ndjson, where: '!(false)'}
  y: {type: file, path: y.ndjson, where: '!true'}
  z: {type: file, path: z.ndjson, where: '/source eq "am-access"'}
`
	cfg, err := parse("x.yaml", []byte(text), []string{"X=hunter2"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, w := range cfg.Warnings {
		got = append(got, w.String())
	}
	want := []string{
		"tenants.a.query_filter: is true for every entry: it has no effect",
		"tenants.b.query_filter: is false for every entry: nothing is fetched",
		"tenants.c.query_filter: the tenant finds no element of an array by its number: leave the number out of /payload/entries/0/info/nodeType",
		"filter.drop[1]: is false for every event: the rule has no effect",
		"filter.drop[2]: is the same as filter.drop[0], which comes first: the rule has no effect",
		"filter.drop[3].when: is true for every event: no sink gets anything",
		"filter.drop[4]: comes after filter.drop[3].when, which is true for every event: the rule has no effect",
		"filter.drop[5]: is the same as filter.drop[3].when, which comes first: the rule has no effect",
		"filter.sample[1].when: comes after filter.sample[0].when, which is true for every event: the rule has no effect",
		"filter.levels.idm-acces: no tenant reads this source: the level has no effect; did you mean idm-access?",
		"filter.levels.ws-core: no tenant reads this source: the level has no effect",
		"sinks.x.where: is true for every event: it has no effect",
		"sinks.y.where: is false for every event: the sink gets nothing",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestNoiseFiles(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"noise.txt": "# ours\norg.example.a\r\n\n  org.example.b # because\n",
		"other.txt": "org.example.c",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text := minimal + "filter: {noise: [default, ./noise.txt, ' x ', '" + filepath.Join(dir, "other.txt") + "']}\n"
	cfg, err := parse(filepath.Join(dir, "aictail.yaml"), []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"default", "org.example.a", "org.example.b", "x", "org.example.c"}
	if diff := cmp.Diff(want, cfg.Filter.Noise); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestFilterFromVariables sets the lists and the map of texts by variables.
func TestFilterFromVariables(t *testing.T) {
	cfg, err := parse("x.yaml", []byte(minimal+"filter: {levels: {idm_odd: INFO, am-core: INFO}}"), []string{
		`AICTAIL_FILTER__DROP=['/payload/a eq "x,y"', {name: b, when: /b pr}]`, "AICTAIL_FILTER__NOISE=default,org.example",
		"AICTAIL_FILTER__LEVELS__IDM_CORE=WARNING", "AICTAIL_FILTER__LEVELS__AM_CORE=ERROR", "AICTAIL_FILTER__LEVELS__IDM_ODD=FINE",
		`AICTAIL_SINKS__ARCHIVE__WHERE=/source eq "am-core"`,
	})
	if err != nil {
		t.Fatal(err)
	}
	want := Filter{
		Redact: []RedactRule{{Preset: "default"}},
		Drop:   []DropRule{{When: `/payload/a eq "x,y"`}, {Name: "b", When: "/b pr"}}, Noise: []string{"default", "org.example"},
		Levels: map[string]string{"idm-core": "WARNING", "am-core": "ERROR", "idm_odd": "FINE"},
	}
	if diff := cmp.Diff(want, cfg.Filter); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got := cfg.Sinks["archive"].Where; got != `/source eq "am-core"` {
		t.Errorf("where is %s", got)
	}
}
