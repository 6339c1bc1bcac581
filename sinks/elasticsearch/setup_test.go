package elasticsearch

import (
	"encoding/json"
	"io/fs"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aictail/sinks"
)

func TestSetup(t *testing.T) {
	stream := func(c *Config, _ *fake) { c.Index, c.DataStream = "", "logs-aic.{source}-default" }
	of := func(product string) func(*Config, *fake) { return func(_ *Config, f *fake) { f.product = product } }
	tests := []struct {
		name      string
		configure []func(*Config, *fake)
		// policy and template are parts of what is installed, "" for nothing.
		policy, template string
		lifecycle        bool // the template names the policy
	}{
		{"index", nil, `"actions":{}`, `"flattened"`, true},
		{"data stream", []func(*Config, *fake){stream}, `"rollover"`, `"data_stream":{}`, true},
		{"OpenSearch", []func(*Config, *fake){of("opensearch")}, `"index_patterns":["aic-*-*"]`, `"flat_object"`, false},
		{"OpenSearch data stream", []func(*Config, *fake){of("opensearch"), stream}, `"index_patterns":["logs-aic.*-default"]`, `"data_stream":{}`, false},
		{"bare", []func(*Config, *fake){of("bare")}, "", `"flattened"`, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, tt.configure...).open()
			name := r.sink.target.label()
			if policy := jsonOf(t, r.fake.policies[name]); tt.policy != "" && !strings.Contains(policy, tt.policy) || len(r.fake.policies) > 1 || tt.policy == "" && len(r.fake.policies) > 0 {
				t.Errorf("the policies are %v", r.fake.policies)
			}
			template := jsonOf(t, r.fake.templates[name])
			if !strings.Contains(template, tt.template) || len(r.fake.templates) != 1 {
				t.Errorf("the templates are %v", r.fake.templates)
			}
			if got := strings.Contains(template, `"index.lifecycle.name":"`+name+`"`); got != tt.lifecycle {
				t.Errorf("the template names the policy: %v, want %v", got, tt.lifecycle)
			}
			if got := r.said(r.sink.Send(t.Context(), newEvents(3))); got != "ok" {
				t.Error(got)
			}
		})
	}
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestSetupLeavesAlone has an operator's own template and policy there.
func TestSetupLeavesAlone(t *testing.T) {
	for _, product := range []string{"elasticsearch", "opensearch"} {
		r := newRig(t, func(_ *Config, f *fake) { f.product = product })
		own := map[string]any{"index_patterns": []any{"aic-*"}, "own": true}
		r.fake.templates[r.sink.target.label()] = own
		r.fake.policies[r.sink.target.label()] = own
		r.open()
		if diff := cmp.Diff(own, r.fake.templates[r.sink.target.label()]); diff != "" {
			t.Errorf("%s: the template is changed: %s", product, diff)
		}
		if diff := cmp.Diff(own, r.fake.policies[r.sink.target.label()]); diff != "" {
			t.Errorf("%s: the policy is changed: %s", product, diff)
		}
		for _, request := range r.fake.requests {
			if !strings.HasPrefix(request, "GET ") {
				t.Errorf("%s: %s although all is there", product, request)
			}
		}
	}
}

// TestSetupOff reaches nobody.
func TestSetupOff(t *testing.T) {
	r := newRig(t, func(c *Config, _ *fake) { c.Setup = false }).open()
	if len(r.fake.requests) > 0 {
		t.Error(r.fake.requests)
	}
}

// TestSetupAtOnce opens sinks of several instances at the same time.
func TestSetupAtOnce(t *testing.T) {
	for _, product := range []string{"elasticsearch", "opensearch", "bare"} {
		f, server := newFake(t)
		f.product = product
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				s := newSink(t, testConfig(server.URL))
				if err := s.Open(t.Context(), sinks.Saved{}); err != nil {
					t.Errorf("%s: %v", product, err)
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if got := slices.Collect(maps.Keys(f.templates)); len(got) != 1 {
			t.Errorf("%s: templates %v", product, got)
		}
	}
}

// TestSetupRaces has the template or policy appear between the question and the
// installation.
func TestSetupRaces(t *testing.T) {
	for _, product := range []string{"elasticsearch", "opensearch"} {
		for _, path := range []string{"/_index_template", "/_plugins", "/_ilm"} {
			r := newRig(t, func(_ *Config, f *fake) { f.product = product })
			r.fake.inject(fault{path: path, times: 1, do: func(w http.ResponseWriter, _ *http.Request, _ []byte) {
				r.fake.mu.Lock()
				defer r.fake.mu.Unlock()
				name := r.sink.target.label()
				r.fake.templates[name] = map[string]any{"index_patterns": []any{"other"}}
				r.fake.policies[name] = map[string]any{}
				fail(w, 404, "resource_not_found_exception", "not found")
			}})
			r.open()
		}
	}
}

// TestSetupRefused is about rights and failures, request by request.
func TestSetupRefused(t *testing.T) {
	forbidden := func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		fail(w, 403, "security_exception", "action [x] is unauthorized for user [u]")
	}
	tests := []struct {
		name, path string
		do         func(http.ResponseWriter, *http.Request, []byte)
		skip       int // requests to the path that succeed first
		want       sinks.Kind
		text       string // part of the error; "": Open succeeds
	}{
		{"template may not be read", "/_index_template", forbidden, 0, sinks.Refused, "setup.enabled: false"},
		{"template may not be written", "/_index_template", forbidden, 1, sinks.Refused, "manage_index_templates"},
		{"policy may not be read", "/_ilm", forbidden, 0, sinks.Refused, "manage_ilm"},
		{"policy may not be written", "/_ilm", forbidden, 1, sinks.Refused, "manage_ilm"},
		{"GET / may not be asked", "/", forbidden, 0, 0, ""},
		{"credentials", "/", func(w http.ResponseWriter, _ *http.Request, _ []byte) { fail(w, 401, "security_exception", "x") }, 0, sinks.Refused, "check api_key"},
		{"unavailable", "/_index_template", answerWith(503, ""), 0, sinks.Retry, "503"},
		{"policy unavailable", "/_ilm", answerWith(502, "<html>"), 1, sinks.Retry, "502"},
		{"busy at first", "/", answerWith(429, ""), 0, sinks.Retry, "429"},
		{"same priority", "/_index_template", func(w http.ResponseWriter, _ *http.Request, _ []byte) {
			fail(w, 400, "illegal_argument_exception", "index template [x] has index patterns [aic-*] matching patterns from existing templates [y] with patterns (y => [aic-*]) that have the same priority [250]")
		}, 1, sinks.Refused, "same priority"},
		{"serverless", "/_ilm", answerWith(410, `{"error":{"type":"api_not_available_exception","reason":"not available in serverless mode"},"status":410}`), 0, 0, ""},
		{"cut", "/_index_template", func(http.ResponseWriter, *http.Request, []byte) { panic(http.ErrAbortHandler) }, 1, sinks.Retry, "no answer"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			if tt.skip > 0 {
				r.fake.inject(fault{path: tt.path, times: tt.skip, after: true, do: func(w http.ResponseWriter, _ *http.Request, answer []byte) {
					w.WriteHeader(http.StatusNotFound)
					_, _ = w.Write(answer)
				}})
			}
			x := r.fake.inject(fault{path: tt.path, times: 1, do: tt.do})
			err := r.sink.Open(t.Context(), sinks.Saved{})
			if r.fake.fired(x) == 0 {
				t.Fatal("the fault did not fire")
			}
			if tt.text == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || sinks.KindOf(err) != tt.want || !strings.Contains(err.Error(), tt.text) {
				t.Fatalf("%v: %v, want %v with %q", sinks.KindOf(err), err, tt.want, tt.text)
			}
			r.fake.heal()
			r.open()
			if got := r.said(r.sink.Send(t.Context(), newEvents(1))); got != "ok" {
				t.Error(got)
			}
		})
	}
}

// TestSetupUnknownProduct is an OpenSearch whose GET / may not be asked.
func TestSetupUnknownProduct(t *testing.T) {
	r := newRig(t, func(_ *Config, f *fake) { f.product = "opensearch" })
	r.fake.inject(fault{path: "/", times: 1, do: answerWith(403, "")})
	r.open()
	if got := jsonOf(t, r.fake.templates); !strings.Contains(got, "flat_object") {
		t.Error(got)
	}
}

// TestTemplates holds the files together: the two products' templates are the same
// but for the type of the payload.
func TestTemplates(t *testing.T) {
	files, err := fs.Glob(templates, "template/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		embedded(strings.TrimPrefix(file, "template/")) // panics if it is no object
	}
	elastic, open := jsonOf(t, embedded("elasticsearch.json")), jsonOf(t, embedded("opensearch.json"))
	if got := strings.Replace(open, `{"type":"flat_object"}`, `{"depth_limit":100,"ignore_above":1024,"type":"flattened"}`, 1); got != elastic {
		t.Errorf("the templates differ: %s\n%s", elastic, open)
	}
}
