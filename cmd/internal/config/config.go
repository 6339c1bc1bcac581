// Package config owns the configuration of the daemon: its keys and their
// defaults, reading the file, the environment and the secret files, and checking
// all of it before anything else starts. It reports every problem at once, each
// with its key path. It does not open, create or reach anything that the
// configuration names, the files with keys, secrets, certificates and loggers excepted, and it does
// not know the packages that are configured, but for the language of queries
// (filter/query): cmd/internal/service hands them what they need.
//
// Where a value comes from, the later winning: the default, the file, a variable
// such as AICTAIL_TENANTS__PROD__URL. The file's text may refer to variables as
// ${NAME}; values of AICTAIL_ variables are taken as they are.
//
// Where one key depends on another, such as the sources that are really read or what
// holds for one of them, a method of Tenant gives the answer (tenant.go): callers do
// not put it together themselves.
//
// A relative api_key_file, or any other file with secrets, certificates or names of
// loggers, starts at the folder of the configuration file, since it belongs to it. A relative data_dir or sink path
// starts at the working directory of the process, as it does for any program
// that is told where to write.
//
// The first paragraph of a field's comment is what docs/configuration-reference.md says
// of the key, names of fields being replaced by those of keys; what is for callers
// follows behind an empty line.
//
// To add a key, add a field with a config tag to the struct it belongs to, and a
// check to validate.go, validate_tenant.go, validate_filter.go or validate_sinks.go if it can be wrong. To add a type of sink, add a field
// with a type tag to Sink.
package config

import "time"

// Config is the whole configuration. What Load returns is complete and valid.
type Config struct {
	// DataDir is the folder of the daemon's own state: positions, the journal, dead
	// letters. One process only. A relative path starts at the working directory.
	DataDir string `config:"data_dir"`
	// Log is about the daemon's own log.
	Log Log `config:"log"`
	// Admin is the server of metrics and health.
	Admin Admin `config:"admin"`
	// ShutdownTimeout is how long a stop may take; more than 0. What is not delivered by
	// then is delivered after the next start.
	ShutdownTimeout time.Duration `config:"shutdown_timeout"`
	// Tenants are required, at least one, by name, the value of the tenant label.
	Tenants map[string]Tenant `config:"tenants"`
	// Filter is what is done to events before they touch the disk.
	Filter Filter `config:"filter"`
	// Journal is the buffer on disk between tenants and sinks.
	Journal Journal `config:"journal"`
	// Sinks are required, at least one, by name, the value of the sink label.
	Sinks map[string]Sink `config:"sinks"`

	// Warnings are valid settings that are probably not what was meant. They
	// have no key; the daemon logs them.
	Warnings []Problem
	// Authorities has, by the key of each ca_file, the SHA-256 of what the file holds:
	// Diff tells by it that the daemon has to read the file anew.
	Authorities map[string]string
}

// Log is about the daemon's own log, which goes to stderr.
type Log struct {
	// Level is what is logged. No level shows event content or secrets.
	Level string `config:"level" want:"debug|info|warn|error"`
	// Format is for machines (json) or for people (console).
	Format string `config:"format" want:"json|console"`
}

// Admin is the server of metrics and health.
type Admin struct {
	// Listen is host:port, or off for no server at all.
	//
	// It is "" if the server is switched off. In the file that is "off": an empty
	// text there is refused, because an unset variable must not take away the metrics
	// that alerts depend on.
	Listen string `config:"listen"`
	// WebConfigFile is a file, in the form that Prometheus's exporters have, with TLS,
	// client certificates and users. A relative path starts at the folder of the
	// configuration.
	WebConfigFile string `config:"web_config_file"`
}

// Tenant is one AIC environment.
type Tenant struct {
	// URL is required: https and the host name, with nothing behind it.
	//
	// It has no slash at the end.
	URL string `config:"url"`
	// APIKey is required, or APIKeyFile: a log API key of the tenant, best as ${NAME}.
	//
	// It is set, whether it stands in the file or in a file of its own.
	APIKey Secret `config:"api_key"`
	// APIKeyFile is a file with the key. A relative path starts at the folder of the
	// configuration.
	APIKeyFile string `config:"api_key_file"`
	// APISecret is required, or APISecretFile: the secret of the key.
	APISecret Secret `config:"api_secret"`
	// APISecretFile is a file with the secret, as APIKeyFile.
	APISecretFile string `config:"api_secret_file"`
	// TLS is for a tenant behind a proxy with certificates of its own.
	TLS ClientTLS `config:"tls"`
	// Sources are required. Each entry is polled on its own: a source, or several with
	// a comma between them that share a request. No source occurs twice. [all] alone is
	// every source that the tenant has.
	//
	// It is as it stands in the file, without spaces; what is to be read follows from
	// Discover and Entries.
	Sources []string `config:"sources"`
	// Start is where a new installation begins: now, a duration back such as 24h, up to
	// 30d, or a time such as 2026-01-31T00:00:00Z. Later starts go on where the last one
	// stopped.
	//
	// See StartTime.
	Start string `config:"start"`
	// QueryFilter goes to the tenant as _queryFilter: what it excludes is never fetched.
	QueryFilter string `config:"query_filter"`
	// Requests is about the tenant's request limit.
	Requests Requests `config:"requests"`
	// Poll is how often the tail of a source is asked for.
	Poll Poll `config:"poll"`
	// Sweep holds for all sources that SourceOptions says nothing else of.
	//
	// SweepOf puts the two together.
	Sweep Sweep `config:"sweep"`
	// SourceOptions is what differs for a source, by its name. All of one entry must
	// have the same.
	SourceOptions map[string]SourceOptions `config:"source_options"`
}

// Requests is about the tenant's request budget.
type Requests struct {
	// Reserve is the share of the limit left to people and other programs, 0 to 0.9.
	Reserve float64 `config:"reserve"`
}

// Poll is how often the tail of a source is asked for.
type Poll struct {
	// MinInterval is how often a busy source is asked, 100ms to 1h. The request limit may
	// make it longer.
	MinInterval time.Duration `config:"min_interval"`
	// MaxInterval is how often a quiet source is asked, up to 1h.
	MaxInterval time.Duration `config:"max_interval"`
	// Timeout bounds one request with its whole answer, 1s to 10m.
	Timeout time.Duration `config:"timeout"`
}

// Sweep is how entries are found that the tail left out: the time up to now is read
// a second time, by range queries.
type Sweep struct {
	// Mode is full for all of the time since the start, gaps for the windows in which
	// the tail may have left something out, or off.
	//
	// In SourceOptions "" is the tenant's mode.
	Mode string `config:"mode" want:"full|gaps|off"`
	// Settle is how old a window must be before it is swept, 5s to 1h: how long entries
	// may take to turn up at the tenant.
	//
	// In SourceOptions 0 is the tenant's.
	Settle time.Duration `config:"settle"`
}

// SourceOptions is what differs for one source from the rest of its tenant. What it
// leaves out, the zero value, is as for the tenant.
type SourceOptions struct {
	// Sweep is as that of the tenant, for one source.
	Sweep Sweep `config:"sweep"`
}

// Filter is what is done to events before they touch the disk.
type Filter struct {
	// Redact is the redaction, at least one rule; the first that applies to a value wins.
	//
	// What is in the rules is checked by package filter.
	Redact []RedactRule `config:"redact"`
	// Drop is what no sink gets: queries, each alone or with a name.
	Drop []DropRule `config:"drop"`
	// Noise names loggers whose entries are dropped below WARNING: loggers, built-in
	// lists of them, and what stands in the files that the file names.
	Noise []string `config:"noise"`
	// Levels is the least level that is kept, by source.
	Levels map[string]string `config:"levels" want:"SEVERE|ERROR|WARNING|WARN|INFO|CONFIG|FINE|DEBUG|FINER|FINEST|TRACE"`
	// Sample is of what only a share is kept.
	Sample []SampleRule `config:"sample"`
	// HashKeyFile has the keys of the actions hash and tokenise, one a line as "id: key",
	// the newest first. A relative path starts at the folder of the configuration.
	HashKeyFile string `config:"hash_key_file"`
	// HashKey is the text of HashKeyFile, "" without one.
	HashKey Secret `config:"-"`
}

// RedactRule is one redaction rule: a preset, or what it applies to and what becomes
// of that.
type RedactRule struct {
	// Preset is a set of rules, alone in its entry.
	Preset string `config:"preset" want:"default|gdpr|secrets|off"`
	// Fields are paths in the entry, with * for any name or element.
	Fields []string `config:"fields"`
	// Keys are names of members at any depth.
	Keys []string `config:"keys"`
	// Detect names what has a form, such as email, card, iban, phone, ipv4 or jwt.
	Detect []string `config:"detect"`
	// Pattern is a regular expression (RE2); its group is what is replaced.
	Pattern string `config:"pattern"`
	// Accept is the checksum that what Pattern finds must have.
	Accept string `config:"accept" want:"luhn|mod97"`
	// Example is a text that Pattern must find, or validate fails.
	Example string `config:"example"`
	// Name is the value of the rule label.
	Name string `config:"name"`
	// Action is what becomes of the value; mask without it.
	Action string `config:"action" want:"mask|remove|partial|hash|truncate|tokenise|keep"`
	// Sources are those that the rule applies to; all without it.
	Sources []string `config:"sources"`
	// Except is where the rule does not apply.
	Except RedactExcept `config:"except"`
}

// RedactExcept is where a redaction rule does not apply.
type RedactExcept struct {
	// Sources are those that the rule does not apply to.
	Sources []string `config:"sources"`
}

// DropRule drops the events that a query matches. In the file it is the query alone,
// or both keys.
type DropRule struct {
	// Name is the value of the rule label; without one it is the place, as drop[0].
	Name string `config:"name"`
	// When is required: a query in the tenant's language.
	When string `config:"when"`
}

func (r *DropRule) short() *string { return &r.When }

// SampleRule keeps a share of the events that a query matches.
type SampleRule struct {
	// Name is the value of the rule label; without one it is the place, as sample[0].
	Name string `config:"name"`
	// When is required: a query in the tenant's language.
	When string `config:"when"`
	// Keep is required: the share that is kept, more than 0 and less than 1.
	Keep float64 `config:"keep"`
}

// Journal is the buffer on disk between tenants and sinks.
type Journal struct {
	// MaxSize is when polling stops until the sinks have caught up, at least 32MiB.
	MaxSize Bytes `config:"max_size"`
	// Retain is how long events are kept that every sink already has.
	Retain time.Duration `config:"retain"`
}

// Sink is one destination. Exactly one of its pointers is set: that of its type,
// whose keys stand beside "type" in the file.
type Sink struct {
	// Type is required: the kind of destination.
	Type string `config:"type"`
	// Where is a query in the tenant's language: the sink gets what matches it, without
	// one everything.
	Where string `config:"where"`
	// Batch is how much is sent at once.
	//
	// Its defaults depend on the type.
	Batch Batch `config:"batch"`
	// DeadLetters are the events that the sink will never take.
	DeadLetters DeadLetters `config:"dead_letters"`

	File  *FileSink  `type:"file"`
	Kafka *KafkaSink `type:"kafka"`

	Elasticsearch *ElasticsearchSink `type:"elasticsearch"`
	SplunkHEC     *SplunkHECSink     `type:"splunk_hec"`
}

// Batch is how much a sink is sent at once.
type Batch struct {
	// MaxEvents is how many events a batch has at most, 1 to 100000.
	MaxEvents int `config:"max_events"`
	// MaxBytes is how large they are together, as the tenant sent them, 64KiB to 4MiB. An
	// event that is larger goes by itself.
	MaxBytes Bytes `config:"max_bytes"`
	// MaxAge is how long an event waits for others at most, up to 1m; 0s is not at all.
	MaxAge time.Duration `config:"max_age"`
}

// DeadLetters are the events that a sink will never take.
type DeadLetters struct {
	// MaxSize is when the sink pauses because of them, at least 1MiB.
	MaxSize Bytes `config:"max_size"`
}

// FileSink writes NDJSON files.
type FileSink struct {
	// Path is required. {tenant}, {source} and {date} are replaced. A relative path starts
	// at the working directory.
	//
	// It is as it stands in the file.
	Path string `config:"path"`
	// Format is raw: each line is one event as the tenant sent it, after redaction.
	Format string `config:"format" want:"raw" later:"ecs|ocsf"`
	// Rotate is when a file is closed and a new one begun.
	Rotate Rotate `config:"rotate"`
}

// Rotate is when a file is closed and a new one begun. The zero MaxSize and
// Every mean never, the zero Keep means all.
type Rotate struct {
	// MaxSize begins a new file at this size, at least 64KiB; 0 is never.
	MaxSize Bytes `config:"max_size"`
	// Every begins a new file after this time; 0s is never.
	Every time.Duration `config:"every"`
	// Keep is how many old files of each kind stay; 0 is all.
	Keep int `config:"keep"`
	// Compress is for old files.
	Compress string `config:"compress" want:"none|gzip|zstd"`
}
