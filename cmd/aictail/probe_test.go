package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"aictail/filter/redact"
	"aictail/sinks/splunkhec/hectest"
	"aictail/tailer/simulator"
)

// probe is a value that must not be found anywhere behind the filter.
type probe struct {
	rule string // that has to take it out
	text string // as it is logged
	leak string // by which it is recognised
}

func probes() []probe {
	const session = "KaQUKkN4V2Gpx1OkXO9cProbe7"
	return []probe{
		{"secret_key", `member`, "Zq7-member-probe"}, // see probeEntries
		{"secret_text", "password=Zq7-text-probe", "Zq7-text-probe"},
		{"private_key", "-----BEGIN PRIVATE KEY-----\nMIIEprobe5Jc0\n-----END PRIVATE KEY-----", "MIIEprobe5Jc0"},
		{"jwt", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJwcm9iZSJ9.c2lnbmF0dXJlcHJvYmU", "c2lnbmF0dXJlcHJvYmU"},
		{"bearer", "Bearer 2YotnFZFEjr1zCsicMWpProbe", "2YotnFZFEjr1zCsicMWp"},
		{"basic", "Basic cHJvYmU6cGFzc3dvcmQxMjM0", "cHJvYmU6cGFzc3dvcmQxMjM0"},
		{"sso_token", "AQIC5wM2LY4SfczvdY8RbZ7X" + session, session},
		{"user_id", "id=probe-user-4711,ou=user,o=alpha", "probe-user-4711"},
		{"email", "probe.mail.4711@example.com", "probe.mail.4711"},
		{"iban", "DE44 5001 0517 5407 3249 31", "5407 3249"},
		{"card", "4111 1111 1111 1111", "1111 1111"},
		{"phone", "+49 30 47115577", "47115577"},
		{"ipv4", "203.0.113.77", "203.0.113.77"},
		{"ipv6", "2001:db8:4711:aaaa::5577", "aaaa::5577"},
		{"us_ssn", "536-22-4711", "536-22-4711"},
		{"uk_nino", "JK471155C", "JK471155C"},
		{"de_steuer_id", "86095742719", "86095742719"},
		{"es_dni", "12345678Z", "12345678Z"},
		{"fr_nir", "255081416802538", "255081416802538"},
		{"it_codice_fiscale", "RSSMRA85T10A562S", "RSSMRA85T10A562S"},
		{"nl_bsn", "BSN 111222333", "111222333"},
		{"ch_ahv", "756.9217.0769.85", "9217.0769"},
		{"field", `field`, "probe-field-4711"},
		{"key", `key`, "probe-key-4711"},
		{"customer", "CUST-4711-5577", "4711-5577"},
	}
}

// probeEntries puts every probe into entries of all kinds.
func probeEntries(t *testing.T) []string {
	t.Helper()
	encode := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	var entries []string
	add := func(source, kind, payload string) {
		entries = append(entries, fmt.Sprintf(`{"payload":%s,"timestamp":"2026-01-01T00:00:00Z","type":%q,"source":%q}`, payload, kind, source))
	}
	const object = "application/json"
	for i, p := range probes() {
		switch p.rule {
		case "secret_key":
			add("am-access", object, `{"request":{"detail":{"client_secret":"Zq7-member-probe"}}}`)
			add("idm-activity", object, `{"changes":[{"field":"/password","value":"Zq7-member-probe"}]}`)
			continue
		case "field":
			add("am-access", object, `{"request":{"detail":{"answer":["probe-field-4711"]}}}`)
			continue
		case "key":
			add("am-core", object, `{"x":{"employeeNumber":"probe-key-4711"},"message":"{\"employeeNumber\":\"probe-key-4711\"}"}`)
			continue
		}
		nested := encode(map[string]string{"data": p.text})
		add("am-access", object, encode(map[string]any{"_id": fmt.Sprintf("45463f84-ff1b-499f-aa84-8d4bd93150de-%d", i), "http": map[string]any{
			"request": map[string]any{"headers": map[string]any{"x-custom": []string{p.text}}, "path": "https://am.example.com/am?data=" + url.QueryEscape(p.text)}}}))
		add("am-core", object, encode(map[string]any{"message": "got " + p.text, "exception": "java.io.IOException: " + p.text + "\n\tat org.example.Foo.bar(Foo.java:1)"}))
		add("am-core", object, encode(map[string]any{"body": nested, "again": encode(map[string]string{"body": nested}), p.text: true}))
		add("idm-activity", object, encode(map[string]any{"_id": p.text, "before": map[string]any{"x": []any{p.text}}, "message": "changed (" + p.text + ")"}))
		if !strings.Contains(p.text, "\n") {
			add("idm-core", "text/plain", encode("Dec 05, 2022 8:01:34 PM org.forgerock.openidm.Foo bar"))
			add("idm-core", "text/plain", encode("FINE: read "+p.text))
		}
	}
	// What cannot be redacted: quarantined, with nothing of it left.
	add("am-core", object, strings.Repeat(`{"a":[`, 300)+encode("Zq7-deep-probe")+strings.Repeat(`]}`, 300))
	return entries
}

// TestProbes sends probes of every detector and rule through the whole daemon and looks
// for them in all that it leaves behind: the files, the dead letters of a sink that
// takes nothing, the journal and state, its log at the most talkative level, and the
// pages of the admin server. The same search finds
// them all when redaction is off.
func TestProbes(t *testing.T) {
	t.Parallel()
	checkProbesComplete(t)
	entries := probeEntries(t)
	for _, c := range []struct{ name, rules string }{
		{"on", `[{preset: default}, {detect: [ip, national_id, user_id]}, {fields: ["/payload/request/detail/answer/*"], action: hash}, ` +
			`{keys: [employeeNumber], action: tokenise}, {pattern: 'CUST-([0-9-]+)', example: CUST-1, name: customer}]`},
		{"off", `[{preset: off}]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			left := runProbes(t, entries, c.rules)
			for _, p := range append(probes(), probe{rule: "quarantine", leak: "Zq7-deep-probe"}) {
				var places []string
				for place, text := range left {
					if strings.Contains(text, p.leak) || strings.Contains(text, url.QueryEscape(p.leak)) {
						places = append(places, place)
					}
				}
				slices.Sort(places)
				if c.name == "on" && len(places) > 0 {
					t.Errorf("the probe for %s is left in %v", p.rule, places)
				}
				if c.name == "off" && len(places) < 2 {
					t.Errorf("the probe for %s was not even found without redaction: %v", p.rule, places)
				}
			}
			if c.name == "on" {
				for _, p := range probes() {
					if !strings.Contains(left["/metrics"], fmt.Sprintf(`aictail_redactions_total{rule="%s"} `, p.rule)) || strings.Contains(left["/metrics"], fmt.Sprintf(`aictail_redactions_total{rule="%s"} 0`, p.rule)) {
						t.Errorf("rule %s has replaced nothing", p.rule)
					}
				}
				if !strings.Contains(left["/metrics"], `aictail_events_quarantined_total{reason="too_deep"} 1`) {
					t.Error("nothing was quarantined")
				}
			}
		})
	}
}

// checkProbesComplete finds a detector without a probe.
func checkProbesComplete(t *testing.T) {
	t.Helper()
	set, err := redact.New(redact.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, rule := range set.Rules() {
		if !slices.ContainsFunc(probes(), func(p probe) bool { return p.rule == rule }) {
			t.Errorf("there is no probe for the detector %s", rule)
		}
	}
}

// runProbes runs the daemon on a tenant that holds the entries until all of them are in
// the files, and returns all that it left by place.
func runProbes(t *testing.T, entries []string, rules string) map[string]string {
	t.Helper()
	dir, address := t.TempDir(), freeAddress(t)
	replay := filepath.Join(dir, "entries.ndjson")
	writeFile(t, replay, strings.Join(entries, "\n")+"\n")
	tenant, err := simulator.New(simulator.Options{Limit: 100_000, Seed: 1, ShowLast: true, Sources: []string{"am-access", "am-core", "idm-activity", "idm-core"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := tenant.Replay(replay); err != nil {
		t.Fatal(err)
	}
	address2, stop, err := simulator.Start(tenant)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	// A sink that takes nothing: every event is a dead letter as well.
	refusing := hectest.New(hectest.Options{})
	defer refusing.Close()
	refusing.Inject(hectest.Fault{
		Service: hectest.Collect, Times: -1, Status: 400, Body: `{"text":"Event field cannot be blank","code":13,"invalid-event-number":0}`,
	})
	writeFile(t, filepath.Join(dir, "hash.key"), "probe: 0123456789abcdef0123456789abcdef\n")
	config := filepath.Join(dir, "aictail.yaml")
	writeFile(t, config, fmt.Sprintf(`
data_dir: %[1]s/left/data
log: {level: debug}
admin: {listen: %[3]s}
tenants:
  prod: {url: %[2]s, api_key: key, api_secret: secret, sources: [am-access, am-core, idm-activity, idm-core], poll: {min_interval: 100ms, max_interval: 1s}, sweep: {settle: 5s}}
filter:
  hash_key_file: hash.key
  redact: %[4]s
sinks:
  archive: {type: file, path: "%[1]s/left/out/{source}.ndjson"}
  refusing: {type: splunk_hec, url: %[5]q, token: token, compression: none}
`, dir, address2, address, rules, refusing.URL()))
	p := start(t, "run", "--config", config)
	// The two lines of a record become one event.
	want := 0
	for _, e := range entries {
		if !strings.Contains(e, `"FINE: `) {
			want++
		}
	}
	eventually(t, "all entries in the files", func() bool { return countNewlines(t, filepath.Join(dir, "left", "out")) >= want })
	letters := filepath.Join(dir, "left", "data", "dead-letters")
	eventually(t, "all entries among the dead letters", func() bool { return countNewlines(t, letters) >= want })
	left := map[string]string{}
	for _, page := range []string{"/metrics", "/readyz", "/healthz", "/api/status", "/"} {
		body, status := get("http://" + address + page)
		if status == 0 {
			t.Errorf("%s did not answer", page)
		}
		left[page] = body
	}
	if code := p.stop(); code != exitDone {
		t.Errorf("exit code %d:\n%s", code, tail(p.log.String()))
	}
	left["log"] = p.log.String()
	for path, text := range readFiles(t, filepath.Join(dir, "left")) {
		left[path] = text
	}
	return left
}
