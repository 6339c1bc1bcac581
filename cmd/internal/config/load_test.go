package config

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

// minimal is the least that a configuration needs.
const minimal = `
tenants:
  prod:
    url: https://openam-example.forgeblocks.com
    api_key: key-1
    api_secret: secret-1
    sources: [am-access]
sinks:
  archive: {type: file, path: 'out/{source}.ndjson'}
`

// minimalConfig is what minimal means.
func minimalConfig() *Config {
	cfg := new(Config)
	cfg.setDefaults()
	tenant := Tenant{
		URL: "https://openam-example.forgeblocks.com", APIKey: NewSecret("key-1"), APISecret: NewSecret("secret-1"),
		Sources: []string{"am-access"},
	}
	tenant.setDefaults()
	cfg.Tenants = map[string]Tenant{"prod": tenant}
	sink := Sink{Type: "file", File: &FileSink{Path: "out/{source}.ndjson"}}
	sink.File.setDefaults()
	sink.setTypeDefaults("file")
	cfg.Sinks = map[string]Sink{"archive": sink}
	return cfg
}

// problemsOf returns the lines of Load's error that are about keys.
func problemsOf(t *testing.T, err error) []string {
	t.Helper()
	if err == nil {
		return nil
	}
	problems, ok := errors.AsType[*Problems](err)
	if !ok {
		t.Fatalf("the error is a %T, want *Problems: %v", err, err)
	}
	var lines []string
	for _, p := range problems.List {
		lines = append(lines, p.String())
	}
	return lines
}

func TestMinimal(t *testing.T) {
	got, err := parse("aictail.yaml", []byte(minimal), nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(minimalConfig(), got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestEveryValue(t *testing.T) {
	const text = `
data_dir: state
log: {level: debug, format: console}
admin: {listen: off}
shutdown_timeout: 1m30s
tenants:
  eu-1:
    url: http://localhost:8080/
    api_key: 0123
    api_secret: "1e3"
    sources: [ am-core , " idm-access , idm-activity " ]
    query_filter: '/payload/level eq "ERROR" and ${NOTHING}/x eq "$${y}"'
    start: 2025-01-31T12:00:00.5+01:00
    requests: {reserve: 0}
    poll: {min_interval: 500ms, max_interval: 10s, timeout: 20s}
    sweep: {mode: off, settle: 45s}
    source_options:
      am-core: {sweep: {mode: gaps}}
      idm-access: {sweep: {settle: 1m}}
      idm-activity: {sweep: {settle: 60s, mode: off}}
filter:
  redact: [{preset: secrets}]
  drop: ['/payload/level eq "DEBUG"', {when: '/a/${NOTHING}b pr'}, {name: ping, when: '/payload/http/request/path co "/ping"'}]
  noise: [default, org.example.Foo$Bar, scripts]
  levels: {am-core: WARNING}
  sample: [{when: '/source eq "am-core"', keep: 0.01}, {name: half, when: 'true', keep: 0.5}]
journal: {max_size: "${MAX}", retain: 1d12h}
sinks:
  a:
    type: file
    path: '/x/{tenant}/{source}-{date}.ndjson'
    where: '!(/source eq "am-core")'
    rotate: {max_size: 512MiB, every: 30d, keep: 7, compress: zstd}
    batch: {max_bytes: 1MiB, max_age: 2s}
    dead_letters: {max_size: 1GiB}
`
	got, err := parse("aictail.yaml", []byte(text), []string{"MAX=20GB", "NOTHING="})
	if err != nil {
		t.Fatal(err)
	}
	want := &Config{
		DataDir: "state", Log: Log{Level: "debug", Format: "console"}, ShutdownTimeout: 90 * time.Second,
		Tenants: map[string]Tenant{"eu-1": {
			URL: "http://localhost:8080", APIKey: NewSecret("0123"), APISecret: NewSecret("1e3"),
			Sources: []string{"am-core", "idm-access,idm-activity"}, Start: "2025-01-31T12:00:00.5+01:00",
			QueryFilter: `/payload/level eq "ERROR" and /x eq "${y}"`,
			Poll:        Poll{500 * time.Millisecond, 10 * time.Second, 20 * time.Second},
			Sweep:       Sweep{"off", 45 * time.Second},
			SourceOptions: map[string]SourceOptions{
				"am-core": {Sweep{Mode: "gaps"}}, "idm-access": {Sweep{Settle: time.Minute}}, "idm-activity": {Sweep{"off", time.Minute}},
			},
		}},
		Filter: Filter{
			Redact: []RedactRule{{Preset: "secrets"}},
			Drop: []DropRule{
				{When: `/payload/level eq "DEBUG"`}, {When: `/a/b pr`}, {Name: "ping", When: `/payload/http/request/path co "/ping"`},
			},
			Noise:  []string{"default", "org.example.Foo$Bar", "scripts"},
			Levels: map[string]string{"am-core": "WARNING"},
			Sample: []SampleRule{{When: `/source eq "am-core"`, Keep: 0.01}, {Name: "half", When: "true", Keep: 0.5}},
		},
		Journal: Journal{MaxSize: 20e9, Retain: 36 * time.Hour},
		Sinks: map[string]Sink{"a": {Type: "file", Where: `!(/source eq "am-core")`, Batch: Batch{5000, 1 << 20, 2 * time.Second}, DeadLetters: DeadLetters{1 << 30}, File: &FileSink{
			Path: "/x/{tenant}/{source}-{date}.ndjson", Format: "raw",
			Rotate: Rotate{MaxSize: 512 << 20, Every: 720 * time.Hour, Keep: 7, Compress: "zstd"},
		}}},
	}
	got.Warnings = nil // TestWarnings has them
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestSplunkHEC(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "token"), []byte("token-1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const text = `
sinks:
  a:
    type: splunk_hec
    urls: [http://localhost:8088/, 'https://proxy.example.com/splunk/']
    token_file: token
    acknowledge: true
    ack_timeout: 10m
    index: aic-{source}
    source: 'aictail:{tenant}:{source}'
    sourcetype: _json
    host: h
    timeout: 90s
    max_body: 512KiB
    compression: none
    tls: {ca_file: ca.pem, cert_file: sub/cert.pem, key_file: ELSEWHERE/key.pem, server_name: splunk}
  b: {type: splunk_hec, url: https://http-inputs-x.splunkcloud.com, token: token-2, acknowledge: true}
`
	minimal, _, _ := strings.Cut(minimal, "\nsinks:")
	elsewhere := certificates(t, dir)
	cfg, err := parse(filepath.Join(dir, "x.yaml"), []byte(minimal+strings.Replace(text, "ELSEWHERE", elsewhere, 1)), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := &SplunkHECSink{
		URLs:  []string{"http://localhost:8088", "https://proxy.example.com/splunk"},
		Token: NewSecret("token-1"), TokenFile: "token", Acknowledge: true, AckTimeout: 10 * time.Minute,
		Index: "aic-{source}", Source: "aictail:{tenant}:{source}", Sourcetype: "_json", Host: "h", Format: "raw",
		Timeout: 90 * time.Second, MaxBody: 512 << 10, Compression: "none",
		TLS: ClientTLS{CAFile: filepath.Join(dir, "ca.pem"), CertFile: filepath.Join(dir, "sub/cert.pem"), KeyFile: filepath.Join(elsewhere, "key.pem"), ServerName: "splunk"},
	}
	if diff := cmp.Diff(want, cfg.Sinks["a"].SplunkHEC); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got := cfg.Sinks["b"].SplunkHEC.Addresses(); len(got) != 1 || got[0] != "https://http-inputs-x.splunkcloud.com" {
		t.Errorf("got %v", got)
	}
	if len(cfg.Warnings) != 1 || cfg.Warnings[0].Key != "sinks.b.acknowledge" {
		t.Errorf("got the warnings %v", cfg.Warnings)
	}
}

func TestRedactRules(t *testing.T) {
	const text = minimal + `
filter:
  redact:
    - preset: default
    - {fields: [/payload/userId, /payload/principal], action: hash}
    - {detect: [ipv4, ipv6], fields: [/payload/client/ip], action: truncate, sources: [am-access]}
    - {keys: [sn], action: partial, except: {sources: [am-core]}}
    - {pattern: 'CUST-([0-9]+)', accept: luhn, example: CUST-12345674, name: customer}
`
	cfg, err := parse("x.yaml", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []RedactRule{
		{Preset: "default"},
		{Fields: []string{"/payload/userId", "/payload/principal"}, Action: "hash"},
		{Detect: []string{"ipv4", "ipv6"}, Fields: []string{"/payload/client/ip"}, Action: "truncate", Sources: []string{"am-access"}},
		{Keys: []string{"sn"}, Action: "partial", Except: RedactExcept{Sources: []string{"am-core"}}},
		{Pattern: "CUST-([0-9]+)", Accept: "luhn", Example: "CUST-12345674", Name: "customer"},
	}
	if diff := cmp.Diff(want, cfg.Filter.Redact); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestHashKeyFile: only what nobody else can change, and not everybody can read, is taken.
func TestHashKeyFile(t *testing.T) {
	key := filepath.Join(t.TempDir(), "hash.key")
	if err := os.WriteFile(key, []byte("# newest first\nb: x\na: y\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := minimal + "filter: {hash_key_file: '" + key + "'}\n"
	for mode, ok := range map[os.FileMode]bool{0o400: true, 0o600: true, 0o640: true, 0o440: true, 0o644: false, 0o660: false, 0o602: false} {
		if err := os.Chmod(key, mode); err != nil {
			t.Fatal(err)
		}
		cfg, err := parse("x.yaml", []byte(text), nil)
		if (err == nil) != ok {
			t.Errorf("mode %04o: %v", mode, err)
		}
		if err == nil && cfg.Filter.HashKey.Value() != "# newest first\nb: x\na: y\n" {
			t.Error("the keys were not read as they stand")
		}
		if err != nil && !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("mode %04o: no remedy in %v", mode, err)
		}
	}
}

func TestAnchors(t *testing.T) {
	const text = `
tenants:
  prod: &prod {url: https://a.example.com, api_key: key-1, api_secret: s, sources: [am-access], requests: {reserve: 0.2}}
  test: {<<: *prod, url: https://b.example.com}
sinks: {f: {type: file, path: x.ndjson}}
`
	cfg, err := parse("x.yaml", []byte(text), []string{"AICTAIL_TENANTS__TEST__SOURCES=idm-access"})
	if err != nil {
		t.Fatal(err)
	}
	want := cfg.Tenants["prod"]
	want.URL, want.Sources = "https://b.example.com", []string{"idm-access"}
	if diff := cmp.Diff(want, cfg.Tenants["test"]); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got := cfg.Tenants["prod"].Sources[0]; got != "am-access" {
		t.Errorf("the override of one tenant changed another: %s", got)
	}
}

// TestBadFiles loads each testdata/*.bad.yaml. A line "# env: NAME=value" in it sets a
// variable. What is to be reported stands in the golden file beside it.
func TestBadFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/*.bad.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var env []string
			for _, m := range regexp.MustCompile(`(?m)^# env: (.*)$`).FindAllStringSubmatch(string(data), -1) {
				env = append(env, m[1])
			}
			_, err = Load(file, env)
			if err == nil {
				t.Fatal("no problem found")
			}
			got := err.Error() + "\n"
			// Whatever a file holds as a secret contains this word.
			if strings.Contains(got, "hunter2") {
				t.Errorf("a secret is shown:\n%s", got)
			}
			golden := strings.TrimSuffix(file, ".yaml") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestExample holds config.example.yaml to its first line.
func TestExample(t *testing.T) {
	file := "../../../config.example.yaml"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := Load(file, []string{"AIC_API_KEY=key-1", "AIC_API_SECRET=secret-1", "SPLUNK_HEC_TOKEN=token-1", "ES_API_KEY=es-key-1"})
	if err != nil {
		t.Fatal(err)
	}
	want := minimalConfig()
	prod := want.Tenants["prod"]
	prod.Sources = []string{"am-access", "am-authentication", "idm-access,idm-activity"}
	prod.SourceOptions = map[string]SourceOptions{}
	want.Tenants["prod"] = prod
	want.Filter.Drop, want.Filter.Levels, want.Filter.Sample = []DropRule{}, map[string]string{}, []SampleRule{}
	want.Sinks["archive"].File.Path = "/var/log/aictail/{tenant}/{source}.ndjson"
	bus := Sink{Type: "kafka", Kafka: &KafkaSink{Brokers: []string{"kafka1.example.com:9092"}, Topic: "aic.{source}"}}
	bus.Kafka.setDefaults()
	bus.setTypeDefaults("kafka")
	want.Sinks["bus"] = bus
	siem := Sink{Type: "splunk_hec", SplunkHEC: &SplunkHECSink{URL: "https://splunk.example.com:8088", Token: NewSecret("token-1")}}
	siem.SplunkHEC.setDefaults()
	siem.setTypeDefaults("splunk_hec")
	want.Sinks["siem"] = siem
	search := Sink{Type: "elasticsearch", Elasticsearch: &ElasticsearchSink{
		URLs: []string{"https://elasticsearch.example.com:9200"}, APIKey: NewSecret("es-key-1"), Index: "aic-{source}-{yyyy.MM}",
	}}
	search.Elasticsearch.setDefaults()
	search.setTypeDefaults("elasticsearch")
	want.Sinks["search"] = search
	if diff := cmp.Diff(want, cfg); diff != "" {
		t.Errorf("the example shows other values than the defaults (-default +example)\n%s", diff)
	}

	shown := func(path string, k key) bool {
		// A key that cannot stand beside another one is shown in a comment.
		prefix := `(?m)^ *(- )?`
		if strings.HasPrefix(path, "filter.drop.") || strings.HasPrefix(path, "filter.sample.") {
			prefix = `(?m)^ *#   .*\b` // nothing is dropped unless somebody says so
		}
		if strings.HasPrefix(path, "filter.redact.") && k.name != "preset" {
			prefix = `(?m)^ *#   - .*\b`
		}
		if strings.HasSuffix(k.name, "_file") || k.name == "urls" {
			prefix = `(?m)^ *# `
		}
		return regexp.MustCompile(prefix + k.name + `:`).Match(text)
	}
	eachKey("", reflect.TypeFor[Config](), func(path string, k key) {
		if !shown(path, k) {
			t.Errorf("%s is not in the example", path)
		}
	})
}

// eachKey calls fn for each key of the configuration.
func eachKey(path string, t reflect.Type, fn func(path string, k key)) {
	for _, k := range allKeysOf(t) {
		here := below(path, k.name)
		fn(here, k)
		inner := k.typ
		if inner.Kind() == reflect.Map || inner.Kind() == reflect.Slice {
			inner = inner.Elem()
		}
		if isGroup(inner) {
			eachKey(here, inner, fn)
		}
	}
}

// TestKeysAreReadable finds a field whose type no decoder knows and a default that
// its own key would refuse.
func TestKeysAreReadable(t *testing.T) {
	eachKey("", reflect.TypeFor[Config](), func(path string, k key) {
		if isGroup(k.typ) {
			return
		}
		d := &decoder{collector: newCollector()}
		d.value(path, "?", reflect.New(k.typ).Elem(), k)
		for _, p := range d.list {
			if strings.Contains(p.Msg, "mistake in aictail") {
				t.Error(p)
			}
		}
	})
}

// TestDecoderReadsNumbers covers the types that few or no keys have yet.
func TestDecoderReadsNumbers(t *testing.T) {
	var out struct {
		On    bool    `config:"on"`
		Off   bool    `config:"off"`
		Count int     `config:"count"`
		Yes   bool    `config:"yes"`
		Half  int     `config:"half"`
		Share float64 `config:"share"`
	}
	d := &decoder{collector: newCollector()}
	d.group("x", map[string]any{
		"on": "true", "off": "false", "count": "-7", "yes": "yes", "half": "0.5", "share": "many",
	}, reflect.ValueOf(&out).Elem())
	if !out.On || out.Off || out.Count != -7 {
		t.Errorf("got %+v", out)
	}
	want := []Problem{
		{"x.half", `want a whole number, got "0.5"`},
		{"x.share", `want a number, got "many"`},
		{"x.yes", `want true or false, got "yes"`},
	}
	if diff := cmp.Diff(want, d.list); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestWarnings(t *testing.T) {
	const text = `
admin: {listen: "0.0.0.0:0"}
tenants:
  a: {url: https://one.example.com, api_key: k, api_secret: s, sources: [am-everything, "am-core,idm-core", ws-core], source_options: {am-core: {sweep: {mode: gaps}}}}
  b: {url: https://ONE.example.com/, api_key: k, api_secret: s, sources: [idm-everything, am-core, am-access], source_options: {idm-everything: {sweep: {mode: off}}}}
  c: {url: https://two.example.com, api_key: k, api_secret: s, sources: [ws-everything, ws-core], sweep: {mode: off}, start: 24h}
  d: {url: https://three.example.com, api_key: k, api_secret: s, sources: [all], sweep: {mode: off}, source_options: {am-core: {sweep: {mode: full}}, idm-core: {sweep: {settle: 1m}}}}
  e: {url: https://four.example.com, api_key: k, api_secret: s, sources: [all], start: 2025-01-01T00:00:00Z}
filter: {redact: [{preset: off}]}
sinks:
  f: {type: file, path: x.ndjson, rotate: {keep: 3}}
`
	cfg, err := parse("x.yaml", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, w := range cfg.Warnings {
		got = append(got, w.String())
	}
	want := []string{
		"admin.listen: port 0 is a free port that differs at every start: give one that a monitoring system can find",
		"admin.listen: everybody who reaches this address may see the status and have events sent again: let only your monitoring reach it, or set admin.web_config_file to have TLS and users",
		"tenants.a.sources: am-core is read as part of am-everything; its own entry is left out",
		"tenants.a.source_options.am-core: has no effect: am-core is read as part of am-everything; set it for that",
		"tenants.b.sweep: off for idm-everything: what the tail leaves out, or what the tenant logs while aictail is down, is not fetched later",
		"tenants.c.sources: ws-core is read as part of ws-everything; its own entry is left out",
		"tenants.c.sweep: off for ws-everything: what the tail leaves out, or what the tenant logs while aictail is down, is not fetched later, and start has no effect",
		"tenants.d.sweep: off for all, idm-core: what the tail leaves out, or what the tenant logs while aictail is down, is not fetched later",
		"tenants.e.start: is more than 30 days ago: the tenant keeps 30 days, and a new installation begins there",
		"tenants.b.url: the same as that of tenant a: both draw on one request limit without knowing of each other",
		"filter.redact: redaction is off: passwords, tokens and personal data go to the disk and to every sink as the tenant logs them",
		"sinks.f.rotate: keep and compress have no effect without max_size or every",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestSecretFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("good", "key-1\r\n\n")
	write("credential", "secret-1")
	write("empty", "\n")
	write("lines.txt", "hunter2\nhunter2\n")
	write("large.txt", strings.Repeat("hunter2", 10<<10))
	absent := "there is no such file: check the path (no such file or directory)"

	tests := []struct {
		name, keys string
		env        []string
		want       []string
	}{
		{"relative and through a variable", "api_key_file: good, api_secret_file: '${CREDENTIALS_DIRECTORY}/credential'", []string{"CREDENTIALS_DIRECTORY=" + dir}, nil},
		{"absolute", "api_key_file: '" + dir + "/good', api_secret: secret-1", nil, nil},
		{"by an override", "api_secret: secret-1", []string{"AICTAIL_TENANTS__PROD__API_KEY_FILE=good"}, nil},
		{"both", "api_key: hunter2, api_key_file: good, api_secret: s", nil,
			[]string{"tenants.prod.api_key_file: set together with api_key: remove one of them"}},
		{"absent", "api_key_file: sub/none, api_secret: s", nil,
			[]string{"tenants.prod.api_key_file: " + dir + "/sub/none: " + absent}},
		{"absent, through a variable", "api_key_file: '${D}/none', api_secret: s", []string{"D=/hunter2"},
			[]string{"tenants.prod.api_key_file: ${D}/none: " + absent + " (from ${D})"}},
		{"the secret itself in the wrong key", "api_key_file: hunter2hunter2, api_secret: s", nil,
			[]string{"tenants.prod.api_key_file: " + absent}},
		{"the secret itself in the wrong key, through a variable", "api_key_file: '${K}', api_secret: s", []string{"K=hunter2/hunter2"},
			[]string{"tenants.prod.api_key_file: " + absent + " (from ${K})"}},
		{"the secret itself in the wrong variable", "api_secret: s", []string{"AICTAIL_TENANTS__PROD__API_KEY_FILE=hunter2/."},
			[]string{"tenants.prod.api_key_file: " + absent + " (set by AICTAIL_TENANTS__PROD__API_KEY_FILE)"}},
		{"empty", "api_key_file: ./empty, api_secret: s", nil,
			[]string{"tenants.prod.api_key_file: " + dir + "/empty: the file is empty: write the secret into it"}},
		{"several lines", "api_key_file: lines.txt, api_secret: s", nil,
			[]string{"tenants.prod.api_key_file: " + dir + "/lines.txt: has a space, a line break or another character in it that no key has: remove it"}},
		{"too large", "api_key_file: large.txt, api_secret: s", nil,
			[]string{"tenants.prod.api_key_file: " + dir + "/large.txt: the file is larger than 64KiB: is it the right one?"}},
		{"a folder", "api_key_file: ./, api_secret: s", nil,
			[]string{"tenants.prod.api_key_file: " + dir + ": not a regular file: give the path of a file that holds nothing but the secret"}},
		{"a device", "api_key_file: /dev/null, api_secret: s", nil,
			[]string{"tenants.prod.api_key_file: /dev/null: not a regular file: give the path of a file that holds nothing but the secret"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			text := "tenants: {prod: {url: https://a.example.com, sources: [am-access], " + test.keys + "}}\nsinks: {f: {type: file, path: x.ndjson}}\n"
			cfg, err := parse(filepath.Join(dir, "aictail.yaml"), []byte(text), test.env)
			if diff := cmp.Diff(test.want, problemsOf(t, err)); diff != "" {
				t.Fatalf("(-want +got)\n%s", diff)
			}
			if err != nil {
				return
			}
			prod := cfg.Tenants["prod"]
			if prod.APIKey.Value() != "key-1" || prod.APISecret.Value() != "secret-1" {
				t.Errorf("got %q and %q", prod.APIKey.Value(), prod.APISecret.Value())
			}
		})
	}
}

func TestUnreadableFile(t *testing.T) {
	dir := t.TempDir()
	large := filepath.Join(dir, "large.yaml")
	if err := os.WriteFile(large, make([]byte, maxFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	closed := filepath.Join(dir, "closed.yaml")
	if err := os.WriteFile(closed, []byte(minimal), 0); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ path, want string }{
		{"", "configuration: no file given: name it with --config"},
		{dir + "/none.yaml", dir + "/none.yaml: there is no such file: check the path (no such file or directory)"},
		{dir, dir + ": it cannot be read: check that it is a file (is a directory)"},
		{large, large + ": the file is larger than 1MiB: is it the right one?"},
	}
	if os.Geteuid() != 0 { // root may read everything
		tests = append(tests, struct{ path, want string }{closed, closed + ": the user that runs aictail may not read it: check owner and mode of the file and its folders, or use sudo (permission denied)"})
	}
	for _, test := range tests {
		_, err := Load(test.path, nil)
		if err == nil || err.Error() != test.want {
			t.Errorf("got  %v\nwant %s", err, test.want)
		}
	}
}

// TestSecretsStayHidden puts secrets where they do not belong.
func TestSecretsStayHidden(t *testing.T) {
	const probe = "hunter2"
	tests := []string{
		"hunter2",
		"- hunter2",
		"'hunter2': [",
		"tenants: {prod: {api_key: {hunter: hunter2}}}",
		"tenants: {prod: {api_key: [hunter2, hunter2]}}",
		"tenants: {prod: {api_key: *hunter2}}",
		"tenants: {prod: {api_key: !hunter2 hunter2}}",
		"tenants: {prod: {api_key: !!int hunter2}}",
		"tenants: {prod: {api_key: !!binary hunter2}}",
		"tenants: {prod: {api_key: &hunter2 [*hunter2]}}",
		"tenants: {prod: {api_key: \"hunter2\\q\"}}",
		"tenants: {prod: {api_key: 'hunter2 hunter2'}}",
		"tenants: {prod: {api_key: \"hunter2\\n\"}}",
		"tenants: {prod: {api_key: 'hunter2${'}}",
		"tenants: {prod: {api_key: 'hunter2${A:-hunter2}'}}",
		"tenants: {prod: {api_key: 'hunter2${A'}}",
		"tenants: {prod: {api_key: 'hunter2${UNSET}'}}",
		"tenants: {prod: {api_kee: hunter2, api_secret: {x: hunter2}}}",
		"tenants: {prod: {url: 'https://user:hunter2@host'}}",
		"tenants: {prod: {url: 'https://host/?hunter2'}}",
		"tenants: {prod: {url: 'hunter2://host'}}",
		"tenants: {prod: {url: 'https://ho st/hunter2'}}",
		"tenants: {prod: hunter2}",
		"tenants: {prod: {start: '${PROBE}', sweep: {mode: '${PROBE}', settle: '${PROBE}'}}}",
		"tenants: {prod: {source_options: {am-core: '${PROBE}', idm-core: {sweep: {mode: '${PROBE}'}}}}}",
		"tenants: hunter2",
		"log: hunter2",
		"tenants: {prod: {tls: {cert_file: hunter2, key_file: [hunter2]}}}\nadmin: {web_config_file: [hunter2]}",
		"sinks: {siem: {type: splunk_hec, token: hunter2}}",
		"sinks: {siem: {type: splunk_hec, token: 'hunter2 hunter2', url: 'https://user:hunter2@host', urls: ['http://host/hunter2']}}",
		"sinks: {siem: {type: splunk_hec, token_file: hunter2, token: hunter2, tls: {ca_file: [hunter2]}}}",
		"sinks: {siem: {token: hunter2}}",
		"sinks: {siem: {type: splunk_hec, tls: {ca_file: hunter2}}}",
		"tenants: {prod: {tls: {cert_file: x.pem, key_file: hunter2}}}\nsinks: {siem: {type: kafka, tls: {enabled: true, cert_file: hunter2, key_file: '${PROBE}.pem'}}}",
		"sinks: {search: {type: elasticsearch, urls: ['https://u:hunter2@es', hunter2], api_key: 'hunter2 hunter2', password: hunter2, cloud_id: hunter2}}",
		"sinks: {search: {type: elasticsearch, api_key: hunter2, api_key_file: hunter2, tls: {ca_fingerprint: hunter2}}}",
		"sinks: {bus: {type: kafka, sasl: {mechanism: PLAIN, password: 'hunter2 hunter2', password_file: hunter2}, tls: {key_file: k}}}",
		"journal: {max_size: '${PROBE}', retain: '${PROBE}'}",
		"log: {level: '${PROBE}'}\nadmin: {listen: '${PROBE}'}\nfilter: {redact: [{preset: '${PROBE}'}]}",
		"tenants: {prod: {sources: ['${PROBE} ']}}\nsinks: {siem: {type: '${PROBE}'}}",
		"sinks: {siem: {type: file, path: '{${PROBE}}', format: '${PROBE}', rotate: {keep: '${PROBE}', compress: '${PROBE}'}}}",
		"filter: {drop: ['${PROBE}', {when: '${PROBE}'}, {name: '${PROBE}', when: '/a eq ${PROBE}'}], noise: ['${PROBE} x', './${PROBE}'], levels: {am-core: '${PROBE}'}}",
		"filter: {sample: [{name: '${PROBE}', when: '${PROBE}', keep: '${PROBE}'}]}",
		"sinks: {siem: {type: file, path: x, where: '${PROBE}'}}\ntenants: {prod: {query_filter: '/a ${PROBE}'}}",
		"<<: hunter2",
		"a: 1\na: hunter2",
	}
	dir := t.TempDir()
	for _, text := range tests {
		_, err := parse(filepath.Join(dir, "x.yaml"), []byte(text), []string{"PROBE=" + probe, "A=b"})
		if err == nil {
			t.Errorf("%s: no problem found", text)
		} else if strings.Contains(err.Error(), probe) {
			t.Errorf("%s: the secret is shown: %v", text, err)
		}
	}
	for _, name := range []string{
		"TENANTS__PROD__API_KEY__X", "TENANTS__PROD__API_KEE", "TENANTS__PROD__URL", "TENANTS__PROD", "TENANTS__PROD__SOURCES",
		"TENANTS__PROD__POLL__TIMEOUT", "TENANTS__PROD__START", "TENANTS__PROD__SWEEP__MODE", "TENANTS__PROD__SOURCE_OPTIONS__AM_CORE__SWEEP__SETTLE", "JOURNAL__MAX_SIZE", "LOG__LEVEL", "ADMIN__LISTEN", "SINKS__ARCHIVE__TYPE", "SINKS__ARCHIVE__ROTATE__KEEP",
		"SINKS__ARCHIVE__TOKEN", "FILTER__REDACT", "FILTER__DROP", "FILTER__NOISE", "FILTER__SAMPLE", "FILTER__LEVELS__AM_CORE", "SINKS__ARCHIVE__WHERE", "TENANTS__PROD__QUERY_FILTER", "TENANTS__PROD__API_SECRET_FILE", "_", "", "LOG__",
	} {
		for _, value := range []string{probe + "!", "[" + probe + "?, {", "[{" + probe + "]", "[{preset: " + probe + "}]"} {
			_, err := parse("x.yaml", []byte(minimal), []string{prefix + name + "=" + value})
			if err == nil {
				t.Errorf("%s=%s: no problem found", name, value)
			} else if strings.Contains(err.Error(), probe) {
				t.Errorf("%s=%s: the secret is shown: %v", name, value, err)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(minimal), "LOG__LEVEL", "debug")
	f.Add([]byte("a: &a [*a]\n---\nb: !x y"), "SINKS__ARCHIVE__PATH", "${")
	f.Add([]byte("tenants: {<<: {a: {}}, ~: 1, 7: {}}"), "TENANTS__A__SOURCES", "[a, {b: c}]")
	f.Add([]byte("tenants:\n\tprod:"), "TENANTS____", "x")
	f.Add([]byte("sinks: {a: {type: kafka}, b: {type: file, path: '${X}$${'}}\nx.y: 1"), "X.Y__Z", "")
	files, _ := filepath.Glob("testdata/*.bad.yaml")
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, "FILTER__REDACT", "[{preset: off}]")
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte, name, value string) {
		cfg, err := parse(filepath.Join(dir, "x.yaml"), data, []string{prefix + name + "=" + value})
		if (cfg == nil) == (err == nil) {
			t.Fatalf("got %v and %v", cfg, err)
		}
		if err == nil {
			return
		}
		for _, problem := range problemsOf(t, err) {
			if problem == "" {
				t.Error("an empty problem")
			}
		}
	})
}

// TestTenantTLS: the files belong to the configuration file's folder.
func TestTenantTLS(t *testing.T) {
	dir := t.TempDir()
	elsewhere := certificates(t, dir)
	text := strings.Replace(minimal, "sources: [am-access]", "sources: [am-access]\n    tls: {ca_file: ca.pem, cert_file: sub/cert.pem, key_file: "+elsewhere+"/key.pem, server_name: proxy}", 1) +
		"admin: {web_config_file: web.yaml}\n"
	cfg, err := parse(filepath.Join(dir, "x.yaml"), []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := ClientTLS{CAFile: filepath.Join(dir, "ca.pem"), CertFile: filepath.Join(dir, "sub/cert.pem"), KeyFile: filepath.Join(elsewhere, "key.pem"), ServerName: "proxy"}
	if diff := cmp.Diff(want, cfg.Tenants["prod"].TLS); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got := cfg.Admin.WebConfigFile; got != filepath.Join(dir, "web.yaml") {
		t.Errorf("got the web configuration %s", got)
	}
	_, err = parse("x.yaml", []byte(strings.Replace(text, "key_file: "+elsewhere+"/key.pem, ", "", 1)), nil)
	if diff := cmp.Diff([]string{"tenants.prod.tls.key_file: missing beside cert_file: give the certificate's key"}, problemsOf(t, err)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
