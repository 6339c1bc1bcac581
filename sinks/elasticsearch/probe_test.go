package elasticsearch

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"aictail/sinks"
)

// TestProber: what is found, without creating anything.
func TestProber(t *testing.T) {
	const pattern = "aic-*-*"
	rights := func(body string) *fault {
		return &fault{path: "/_security/user/_has_privileges", do: func(w http.ResponseWriter, _ *http.Request, _ []byte) {
			_, _ = w.Write([]byte(body))
		}}
	}
	status := func(path string, code int) *fault {
		return &fault{path: path, do: func(w http.ResponseWriter, _ *http.Request, _ []byte) { w.WriteHeader(code) }}
	}
	const all = `{"has_all_requested":true,"cluster":{"manage_ilm":true,"manage_index_templates":true},"index":{"` + pattern + `":{"create_doc":true,"auto_configure":true}}}`
	for _, tt := range []struct {
		name   string
		change func(*fake, *Config)
		fault  *fault
		want   map[string]sinks.Verdict
		text   string
	}{
		{"well", nil, rights(all), map[string]sinks.Verdict{"address": sinks.Good, "rights": sinks.Good, "template": sinks.Good}, "is Elasticsearch 9.2.2"},
		{"opensearch", func(f *fake, _ *Config) { f.product = "opensearch" }, nil,
			map[string]sinks.Verdict{"address": sinks.Good, "rights": sinks.Good}, "is OpenSearch 3.5.0"},
		{"bare", func(f *fake, _ *Config) { f.product = "bare" }, nil, map[string]sinks.Verdict{"address": sinks.Good}, "does not tell its version"},
		{"wrong key", func(f *fake, c *Config) { f.auth, c.APIKey = "ApiKey right", "wrong" }, nil, map[string]sinks.Verdict{"address": sinks.Bad}, "check api_key"},
		{"something else", nil, status("/", 200), map[string]sinks.Verdict{"address": sinks.Bad}, "not Elasticsearch or OpenSearch"},
		{"nobody", func(_ *fake, c *Config) { c.URLs = []string{"http://127.0.0.1:1"} }, nil, map[string]sinks.Verdict{"address": sinks.Bad}, "refused"},
		{"one of two", func(_ *fake, c *Config) { c.URLs = append([]string{"http://127.0.0.1:1"}, c.URLs...) }, rights(all),
			map[string]sinks.Verdict{"rights": sinks.Good, "template": sinks.Good}, "refused"},
		{"may not write", nil, rights(strings.Replace(all, `"create_doc":true`, `"create_doc":false`, 1)),
			map[string]sinks.Verdict{"rights": sinks.Bad}, "create_doc on " + pattern},
		{"may not create", nil, rights(strings.Replace(all, `"auto_configure":true`, `"auto_configure":false`, 1)),
			map[string]sinks.Verdict{"rights": sinks.Doubtful}, "auto_configure"},
		{"may not install", nil, rights(strings.Replace(all, `"manage_ilm":true`, `"manage_ilm":false`, 1)),
			map[string]sinks.Verdict{"rights": sinks.Bad}, "cluster privileges manage_ilm, or install"},
		{"need not install", func(f *fake, _ *Config) { f.templates["aictail-aic-source-yyyy.mm"] = map[string]any{} },
			rights(strings.Replace(all, `"manage_ilm":true`, `"manage_ilm":false`, 1)),
			map[string]sinks.Verdict{"rights": sinks.Good, "template": sinks.Good}, "is installed"},
		{"no template", func(_ *fake, c *Config) { c.Setup = false }, rights(all), map[string]sinks.Verdict{"template": sinks.Doubtful}, "setup.enabled: true"},
		{"template not told", nil, status("/_index_template", 403), map[string]sinks.Verdict{"template": sinks.Bad}, "manage_index_templates"},
		{"no pipeline", func(_ *fake, c *Config) { c.Pipeline = "geo" }, status("/_ingest/pipeline/geo", 404), map[string]sinks.Verdict{"pipeline": sinks.Bad}, "create it"},
		{"pipeline", func(_ *fake, c *Config) { c.Pipeline = "geo" }, status("/_ingest/pipeline/geo", 200), map[string]sinks.Verdict{"pipeline": sinks.Good}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, server := newFake(t)
			cfg := testConfig(server.URL)
			if tt.change != nil {
				tt.change(f, &cfg)
			}
			if tt.fault != nil {
				f.inject(*tt.fault)
			}
			got, text := map[string]sinks.Verdict{}, ""
			for _, found := range newSink(t, cfg).Probe(t.Context()) {
				got[found.Check] = max(got[found.Check], found.Verdict)
				text += found.Verdict.String() + " " + found.Check + ": " + found.Found + " → " + found.Remedy + "\n"
			}
			for check, verdict := range tt.want {
				if v, ok := got[check]; !ok || v != verdict {
					t.Errorf("%s is %s, want %s:\n%s", check, v, verdict, text)
				}
			}
			if !strings.Contains(text, tt.text) {
				t.Errorf("no %q in:\n%s", tt.text, text)
			}
			if _, requests := f.seen(); slices.ContainsFunc(requests, func(r string) bool {
				return !strings.HasPrefix(r, "GET ") && r != "POST /_security/user/_has_privileges"
			}) {
				t.Errorf("something may have been changed: %q", requests)
			}
		})
	}
}
