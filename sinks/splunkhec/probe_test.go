package splunkhec

import (
	"strings"
	"testing"

	"aictail/sinks"
	"aictail/sinks/splunkhec/hectest"
)

// TestProber: what is found at each address, without an event and without a secret.
func TestProber(t *testing.T) {
	for _, tt := range []struct {
		name        string
		servers     []hectest.Options
		acknowledge bool
		want        []sinks.Verdict // by address
		text        string
	}{
		{"well", []hectest.Options{{}}, false, []sinks.Verdict{sinks.Good}, "takes the token"},
		{"acknowledging", []hectest.Options{{Acknowledge: true}}, true, []sinks.Verdict{sinks.Good}, "takes the token"},
		{"other token", []hectest.Options{{Token: "another"}}, false, []sinks.Verdict{sinks.Bad}, "Splunk does not know the token"},
		{"disabled", []hectest.Options{{Disabled: true}}, false, []sinks.Verdict{sinks.Bad}, "the HEC token is disabled"},
		{"one of two", []hectest.Options{{Disabled: true}, {}}, false, []sinks.Verdict{sinks.Doubtful, sinks.Good}, "disabled"},
		{"no acknowledgement", []hectest.Options{{}}, true, []sinks.Verdict{sinks.Bad}, "set acknowledge: false"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := Config{Token: "token", Acknowledge: tt.acknowledge}
			var servers []*hectest.Server
			for _, o := range tt.servers {
				server := hectest.New(o)
				t.Cleanup(server.Close)
				servers = append(servers, server)
				cfg.URLs = append(cfg.URLs, server.URL())
			}
			s, err := New(cfg, Deps{})
			if err != nil {
				t.Fatal(err)
			}
			var got []sinks.Verdict
			text := ""
			for _, f := range s.Probe(t.Context()) {
				text += f.Found + f.Remedy + "\n"
				if f.Check == "address" {
					got = append(got, f.Verdict)
				}
			}
			for i := range tt.want {
				if i >= len(got) || got[i] != tt.want[i] {
					t.Fatalf("%v, want %v:\n%s", got, tt.want, text)
				}
			}
			if !strings.Contains(text, tt.text) || strings.Contains(text, "Splunk token") {
				t.Errorf("no %q in:\n%s", tt.text, text)
			}
			for _, server := range servers {
				if n := len(server.Events()); n > 0 {
					t.Errorf("%d events were sent", n)
				}
			}
		})
	}
}
