package config

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestOverrides(t *testing.T) {
	change := func(edit func(*Config, *Tenant)) *Config {
		cfg := minimalConfig()
		tenant := cfg.Tenants["prod"]
		edit(cfg, &tenant)
		cfg.Tenants["prod"] = tenant
		return cfg
	}
	tests := []struct {
		name string
		env  []string
		want *Config
	}{
		{"text, duration, size and number", []string{
			"AICTAIL_LOG__LEVEL=debug", "AICTAIL_SHUTDOWN_TIMEOUT=1d", "AICTAIL_JOURNAL__MAX_SIZE=1GiB",
			"AICTAIL_TENANTS__PROD__REQUESTS__RESERVE=0.5", "AICTAIL_SINKS__ARCHIVE__ROTATE__KEEP=9", "AICTAIL_SINKS__ARCHIVE__ROTATE__EVERY=1h",
		}, change(func(c *Config, t *Tenant) {
			c.Log.Level, c.ShutdownTimeout, c.Journal.MaxSize, t.Requests.Reserve = "debug", 24*time.Hour, 1<<30, 0.5
			c.Sinks["archive"].File.Rotate.Keep, c.Sinks["archive"].File.Rotate.Every = 9, time.Hour
		})},
		{"any case, - as _", []string{"AICTAIL_tenants__Prod__api-key=x", "AICTAIL_Data_Dir=d"},
			change(func(c *Config, t *Tenant) { t.APIKey, c.DataDir = NewSecret("x"), "d" })},
		{"values are taken as they are", []string{"AICTAIL_TENANTS__PROD__API_KEY=${X}$${Y}#: 'z", "AICTAIL_TENANTS__PROD__API_SECRET=007"},
			nil},
		{"list with commas", []string{"AICTAIL_TENANTS__PROD__SOURCES=am-core, idm-core"},
			change(func(c *Config, t *Tenant) { t.Sources = []string{"am-core", "idm-core"} })},
		{"list in brackets", []string{`AICTAIL_TENANTS__PROD__SOURCES=[am-core, "idm-core,idm-sync"]`},
			change(func(c *Config, t *Tenant) { t.Sources = []string{"am-core", "idm-core,idm-sync"} })},
		{"all sources", []string{"AICTAIL_TENANTS__PROD__SOURCES=all"},
			change(func(c *Config, t *Tenant) { t.Sources = []string{"all"} })},
		{"sweep and start", []string{"AICTAIL_TENANTS__PROD__SWEEP__MODE=gaps", "AICTAIL_TENANTS__PROD__SWEEP__SETTLE=1m", "AICTAIL_TENANTS__PROD__START=7d"},
			change(func(c *Config, t *Tenant) { t.Sweep, t.Start = Sweep{"gaps", time.Minute}, "7d" })},
		{"options of a source, whose name no variable can have", []string{"AICTAIL_TENANTS__PROD__SOURCE_OPTIONS__AM_ACCESS__SWEEP__MODE=gaps"},
			change(func(c *Config, t *Tenant) {
				t.SourceOptions = map[string]SourceOptions{"am-access": {Sweep{Mode: "gaps"}}}
			})},
		{"options of a source that is to be discovered", []string{"AICTAIL_TENANTS__PROD__SOURCES=[all]", "AICTAIL_TENANTS__PROD__SOURCE_OPTIONS__IDM_CORE__SWEEP__MODE=gaps"},
			change(func(c *Config, t *Tenant) {
				t.Sources, t.SourceOptions = []string{"all"}, map[string]SourceOptions{"idm-core": {Sweep{Mode: "gaps"}}}
			})},
		{"list of groups", []string{"AICTAIL_FILTER__REDACT=[{preset: secrets}]"},
			change(func(c *Config, t *Tenant) { c.Filter.Redact = []RedactRule{{Preset: "secrets"}} })},
		{"a new name", []string{"AICTAIL_SINKS__NEW_ONE__TYPE=file", "AICTAIL_SINKS__NEW_ONE__PATH=y"},
			change(func(c *Config, t *Tenant) {
				sink := c.Sinks["archive"]
				sink.File = &FileSink{Path: "y", Format: "raw", Rotate: Rotate{Compress: "none"}}
				c.Sinks["new_one"] = sink
			})},
		{"of one name twice the first counts, as for os.Getenv", []string{"AICTAIL_LOG__LEVEL=warn", "AICTAIL_LOG__LEVEL=error"},
			change(func(c *Config, t *Tenant) { c.Log.Level = "warn" })},
		{"not ours", []string{"AICTAIL=x", "aictail_log__level=x", "XAICTAIL_LOG__LEVEL=x", "AICTAIL_X", "=C:=x"}, minimalConfig()},
		{"service links of Kubernetes", []string{
			"KUBERNETES_SERVICE_HOST=10.0.0.1", "AICTAIL_SERVICE_HOST=10.0.0.2", "AICTAIL_SERVICE_PORT=9464", "AICTAIL_SERVICE_PORT_HTTP_METRICS=9464",
			"AICTAIL_PORT=tcp://10.0.0.2:9464", "AICTAIL_PORT_9464_TCP=tcp://10.0.0.2:9464", "AICTAIL_PORT_9464_TCP_PROTO=tcp",
			"AICTAIL_PORT_9464_TCP_PORT=9464", "AICTAIL_PORT_9464_TCP_ADDR=10.0.0.2", "AICTAIL_METRICS_PORT_9464_TCP_ADDR=10.0.0.2",
		}, minimalConfig()},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := parse("x.yaml", []byte(minimal), test.env)
			if test.want == nil {
				// Spaces are refused in keys, but the text must have arrived.
				want := []string{"tenants.prod.api_key: has a space, a line break or another character in it that no key has: remove it (set by AICTAIL_TENANTS__PROD__API_KEY)"}
				if diff := cmp.Diff(want, problemsOf(t, err)); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestOverridesKeepText(t *testing.T) {
	got, err := parse("x.yaml", []byte(minimal), []string{"AICTAIL_TENANTS__PROD__API_KEY=${X}$${Y}#:'z", "AICTAIL_TENANTS__PROD__API_SECRET=007"})
	if err != nil {
		t.Fatal(err)
	}
	if key := got.Tenants["prod"].APIKey.Value(); key != "${X}$${Y}#:'z" {
		t.Errorf("got %q", key)
	}
	if secret := got.Tenants["prod"].APISecret.Value(); secret != "007" {
		t.Errorf("got %q", secret)
	}
}

func TestOverridesOfNamesThatContainOneAnother(t *testing.T) {
	const text = `
tenants:
  a: &t {url: https://a.example.com, api_key: k, api_secret: s, sources: [am-access]}
  a__b: *t
  a_: *t
  c-d: *t
sinks: {f: {type: file, path: x}}
`
	cfg, err := parse("x.yaml", []byte(text), []string{
		"AICTAIL_TENANTS__A__API_KEY=1", "AICTAIL_TENANTS__A__B__API_KEY=2", "AICTAIL_TENANTS__A___API_KEY=3", "AICTAIL_TENANTS__C_D__API_KEY=4",
	})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for name, tenant := range cfg.Tenants {
		got[name] = tenant.APIKey.Value()
	}
	want := map[string]string{"a": "1", "a__b": "2", "a_": "3", "c-d": "4"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestBadOverrides(t *testing.T) {
	const unknown = "unknown key; known here: data_dir, log, admin, shutdown_timeout, tenants, filter, journal, sinks"
	tests := []struct {
		name string
		env  []string
		want []string
	}{
		{"misspelt", []string{"AICTAIL_LOG__LEVL=debug"}, []string{"log.levl: unknown key; did you mean level? (set by AICTAIL_LOG__LEVL)"}},
		{"misspelt at the top", []string{"AICTAIL_QUUX__Y=1"}, []string{"quux: " + unknown + " (set by AICTAIL_QUUX__Y)"}},
		{"one underscore", []string{"AICTAIL_LOG_LEVEL=debug"}, []string{"log_level: " + unknown + " (set by AICTAIL_LOG_LEVEL)"}},
		{"wrong value", []string{"AICTAIL_SHUTDOWN_TIMEOUT=30"}, []string{"shutdown_timeout: give a unit, such as 30s (set by AICTAIL_SHUTDOWN_TIMEOUT)"}},
		{"out of range", []string{"AICTAIL_JOURNAL__MAX_SIZE=1MB"}, []string{"journal.max_size: want at least 32MiB: room for two full pages of the tail (set by AICTAIL_JOURNAL__MAX_SIZE)"}},
		{"empty", []string{"AICTAIL_TENANTS__PROD__SOURCES="}, []string{"tenants.prod.sources: missing or empty: list at least one source, such as [am-access, idm-access] (set by AICTAIL_TENANTS__PROD__SOURCES)"}},
		{"not a list", []string{"AICTAIL_TENANTS__PROD__SOURCES=[a"}, []string{"tenants.prod.sources: want a list, such as a,b or [a, b] (set by AICTAIL_TENANTS__PROD__SOURCES)"}},
		{"wrong entry", []string{"AICTAIL_TENANTS__PROD__SOURCES=a,b c"}, []string{"tenants.prod.sources[1]: want the name of a source, such as am-access (set by AICTAIL_TENANTS__PROD__SOURCES)"}},
		{"a group", []string{"AICTAIL_LOG=debug", "AICTAIL_SINKS=x"}, []string{
			"AICTAIL_LOG: leads to a group of keys: set them one by one, such as AICTAIL_LOG__LEVEL",
			"AICTAIL_SINKS: leads to a group of keys: set them one by one, such as AICTAIL_SINKS__NAME__TYPE",
		}},
		{"below a value", []string{"AICTAIL_LOG__LEVEL__X=1"}, []string{"AICTAIL_LOG__LEVEL__X: leads below log.level, which can only be set as a whole"}},
		{"below a list", []string{"AICTAIL_FILTER__REDACT__0__PRESET=off"}, []string{"AICTAIL_FILTER__REDACT__0__PRESET: leads below filter.redact, which can only be set as a whole"}},
		{"nothing", []string{"AICTAIL_=1", "AICTAIL___LOG=1"}, []string{
			"AICTAIL_: leads to no key: separate the levels with two underscores, as in AICTAIL_LOG__LEVEL",
			"AICTAIL___LOG: leads to no key: separate the levels with two underscores, as in AICTAIL_LOG__LEVEL",
		}},
		{"twice", []string{"AICTAIL_LOG__LEVEL=debug", "AICTAIL_LOG__level=info"}, []string{"AICTAIL_LOG__level: sets the same key as AICTAIL_LOG__LEVEL: remove one of them"}},
		{"later", []string{"AICTAIL_ADMIN__WEB_CONFIG_FILE=x"}, []string{"admin.web_config_file: not supported by this version of aictail; remove it (set by AICTAIL_ADMIN__WEB_CONFIG_FILE)"}},
		{"below a later key", []string{"AICTAIL_ADMIN__WEB_CONFIG_FILE__X=none"}, []string{"admin.web_config_file: not supported by this version of aictail; remove it (set by AICTAIL_ADMIN__WEB_CONFIG_FILE__X)"}},
		{"a map of texts", []string{"AICTAIL_FILTER__LEVELS=x"}, []string{"AICTAIL_FILTER__LEVELS: leads to a group of keys: set them one by one, such as AICTAIL_FILTER__LEVELS__NAME"}},
		{"a level", []string{"AICTAIL_FILTER__LEVELS__AM_CORE=hunter"}, []string{"filter.levels.am_core: want SEVERE, ERROR, WARNING, WARN, INFO, CONFIG, FINE, DEBUG, FINER, FINEST or TRACE (set by AICTAIL_FILTER__LEVELS__AM_CORE)"}},
		{"a query", []string{"AICTAIL_FILTER__DROP=hunter eq 2", "AICTAIL_SINKS__ARCHIVE__WHERE=/a eq"}, []string{
			"filter.drop[0]: column 1: a field must begin with a slash (set by AICTAIL_FILTER__DROP)",
			"sinks.archive.where: column 6: a value is missing here (set by AICTAIL_SINKS__ARCHIVE__WHERE)",
		}},
		{"options of a source that is not there", []string{"AICTAIL_TENANTS__PROD__SOURCE_OPTIONS__AM_ACCES__SWEEP__MODE=gaps"}, []string{"tenants.prod.source_options.am_acces: is not in sources; did you mean am-access? (tenants.prod.source_options.am_acces is not in the file: it comes from AICTAIL_TENANTS__PROD__SOURCE_OPTIONS__AM_ACCES__SWEEP__MODE)"}},
		{"options out of range", []string{"AICTAIL_TENANTS__PROD__SOURCE_OPTIONS__AM_ACCESS__SWEEP__SETTLE=1s"}, []string{"tenants.prod.source_options.am-access.sweep.settle: want at least 5s (set by AICTAIL_TENANTS__PROD__SOURCE_OPTIONS__AM_ACCESS__SWEEP__SETTLE)"}},
		{"options of one source twice", []string{"AICTAIL_TENANTS__PROD__SOURCE_OPTIONS__AM_ACCESS__SWEEP__MODE=gaps", "AICTAIL_TENANTS__PROD__SOURCE_OPTIONS__AM-ACCESS__SWEEP__MODE=off"}, []string{"AICTAIL_TENANTS__PROD__SOURCE_OPTIONS__AM_ACCESS__SWEEP__MODE: sets the same key as AICTAIL_TENANTS__PROD__SOURCE_OPTIONS__AM-ACCESS__SWEEP__MODE: remove one of them"}},
		{"a start that is none", []string{"AICTAIL_TENANTS__PROD__START=yesterday"}, []string{"tenants.prod.start: want now, a duration back such as 24h or 30d, or a time such as 2026-01-31T00:00:00Z (set by AICTAIL_TENANTS__PROD__START)"}},
		{"a key of a later type", []string{"AICTAIL_SINKS__ARCHIVE__TOKEN=t"}, []string{"sinks.archive.token: unknown key; known here: type, where, batch, dead_letters, path, format, rotate (set by AICTAIL_SINKS__ARCHIVE__TOKEN)"}},
		{"a misspelt name", []string{"AICTAIL_SINKS__ARCHIV__PATH=x", "AICTAIL_SINKS__ARCHIV__FORMAT=raw"}, []string{"sinks.archiv.type: missing; supported: file, kafka, elasticsearch, splunk_hec (sinks.archiv is not in the file: it comes from AICTAIL_SINKS__ARCHIV__FORMAT)"}},
		{"service links outside of Kubernetes", []string{"AICTAIL_PORT=9464"}, []string{"port: " + unknown + " (set by AICTAIL_PORT)"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := parse("x.yaml", []byte(minimal), test.env)
			if diff := cmp.Diff(test.want, problemsOf(t, err)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestOverrideOfAmbiguousName(t *testing.T) {
	text := minimal + "  a-b: {type: file, path: y}\n  a_b: {type: file, path: z}\n"
	_, err := parse("x.yaml", []byte(text), []string{"AICTAIL_SINKS__A_B__PATH=w"})
	want := []string{"AICTAIL_SINKS__A_B__PATH: fits both a-b and a_b: rename one of them in the file"}
	if diff := cmp.Diff(want, problemsOf(t, err)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestOverrideHidesNoProblem: a group that the file has wrong is reported although a
// variable sets a key in it.
func TestOverrideHidesNoProblem(t *testing.T) {
	_, err := parse("x.yaml", []byte(minimal+"log: debug\nadmin:\n"), []string{"AICTAIL_LOG__LEVEL=info", "AICTAIL_ADMIN__LISTEN=:1"})
	want := []string{"log: want keys below it, got a single value"}
	if diff := cmp.Diff(want, problemsOf(t, err)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestExpand(t *testing.T) {
	env := map[string]string{"A": "1", "B_2": "${A}", "E": ""}
	const usage = "${ must be followed by the name of a variable and }, without anything else; write $${ for the text ${"
	tests := []struct{ in, want, err string }{
		{"", "", ""},
		{"plain $A $$ $ } {", "plain $A $$ $ } {", ""},
		{"${A}", "1", ""},
		{"<${A}${A}>", "<11>", ""},
		{"${B_2}", "${A}", ""},
		{"${E}", "", ""},
		{"$${A}", "${A}", ""},
		{"$$${A}", "$${A}", ""},
		{"${A}$${A}${A}", "1${A}1", ""},
		{"${C}", "", "the environment variable C is not set"},
		{"${", "", usage}, {"${}", "", usage}, {"${A", "", usage}, {"${1}", "", usage},
		{"${A:-x}", "", usage}, {"${ A }", "", usage}, {"${A-B}", "", usage},
	}
	for _, test := range tests {
		got, _, err := expand(test.in, env)
		if got != test.want || (err == nil) != (test.err == "") || err != nil && err.Error() != test.err {
			t.Errorf("expand(%q) = %q, %v; want %q, %s", test.in, got, err, test.want, test.err)
		}
	}
}
