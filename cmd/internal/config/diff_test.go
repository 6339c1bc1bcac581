package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDiff(t *testing.T) {
	load := func(text string) *Config {
		t.Helper()
		c, err := parse("aictail.yaml", []byte(text), nil)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	const base = `
data_dir: /var/lib/a
tenants:
  prod: {url: https://a.example.com, api_key: one, api_secret: two, sources: [am-access]}
  old: {url: https://b.example.com, api_key: one, api_secret: two, sources: [am-access]}
sinks:
  archive: {type: file, path: /logs/a.ndjson, rotate: {max_size: 1GiB}}
`
	changed := strings.NewReplacer("two, sources: [am-access]}\n  old", "three, sources: [am-access, am-core]}\n  new",
		"1GiB", "2GiB").Replace(base) + "journal: {retain: 2h}\n"
	got := Diff(load(base), load(changed))
	want := []string{
		`tenants.new: added`,
		`tenants.old: removed`,
		`tenants.prod.api_secret: changed`,
		`tenants.prod.sources: [am-access am-core], was [am-access]`,
		`journal.retain: 2h0m0s, was 1h0m0s`,
		`sinks.archive.rotate.max_size: 2GiB, was 1GiB`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := Diff(load(base), load(base)); len(got) > 0 {
		t.Errorf("the same differs: %v", got)
	}
}
