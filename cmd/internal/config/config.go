// Package config owns the configuration of the daemon: its keys and their
// defaults, reading the file, the environment and the secret files, and checking
// all of it before anything else starts. It reports every problem at once, each
// with its key path. It does not open, create or reach anything that the
// configuration names, the files with keys, secrets and loggers excepted, and it does
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
// To add a key, add a field with a config tag to the struct it belongs to, and a
// check to validate.go, validate_tenant.go, validate_filter.go or validate_sinks.go if it can be wrong. To add a type of sink, add a field
// with a type tag to Sink. A field of type unsupported is a key of the design
// that this version does not have.
package config

import "time"

// Config is the whole configuration. What Load returns is complete and valid.
type Config struct {
	// DataDir is the folder of the daemon's own state.
	DataDir string `config:"data_dir"`
	// Log is about the daemon's own log.
	Log Log `config:"log"`
	// Admin is the server of metrics and health.
	Admin Admin `config:"admin"`
	// ShutdownTimeout is how long a stop may take; more than 0.
	ShutdownTimeout time.Duration `config:"shutdown_timeout"`
	// Tenants is keyed by name, the value of the tenant label; at least one.
	Tenants map[string]Tenant `config:"tenants"`
	// Filter is what is done to events before they touch the disk.
	Filter Filter `config:"filter"`
	// Journal is the buffer on disk between tenants and sinks.
	Journal Journal `config:"journal"`
	// Sinks is keyed by name, the value of the sink label; at least one.
	Sinks map[string]Sink `config:"sinks"`

	// Warnings are valid settings that are probably not what was meant. They
	// have no key; the daemon logs them.
	Warnings []Problem
}

// Log is about the daemon's own log, which goes to stderr.
type Log struct {
	Level  string `config:"level" want:"debug|info|warn|error"`
	Format string `config:"format" want:"json|console"`
}

// Admin is the server of metrics and health.
type Admin struct {
	// Listen is host:port, or "" if the server is switched off. In the file that
	// is "off": an empty text there is refused, because an unset variable must
	// not take away the metrics that alerts depend on.
	Listen string      `config:"listen"`
	_      unsupported `config:"web_config_file"`
}

// Tenant is one AIC environment.
type Tenant struct {
	// URL is scheme and host, without a slash at the end.
	URL string `config:"url"`
	// APIKey and APISecret are set, whether they stand in the file or in a file
	// of their own.
	APIKey        Secret `config:"api_key"`
	APIKeyFile    string `config:"api_key_file"`
	APISecret     Secret `config:"api_secret"`
	APISecretFile string `config:"api_secret_file"`
	// Sources has one entry for each tailer: a source, or several with a comma
	// and no space between them. No source occurs twice. It is as it stands in
	// the file; what is to be read follows from Discover and Entries.
	Sources []string `config:"sources"`
	// Start is where a new installation begins: "now", a duration back such as
	// 24h or 30d, or a time in RFC 3339; see StartTime. It is for a new
	// installation only; later starts go on where the last one stopped.
	Start string `config:"start"`
	// QueryFilter goes to the tenant as _queryFilter; "" is none.
	QueryFilter string   `config:"query_filter"`
	Requests    Requests `config:"requests"`
	Poll        Poll     `config:"poll"`
	// Sweep holds for all sources that SourceOptions says nothing else of; SweepOf
	// puts the two together.
	Sweep Sweep `config:"sweep"`
	// SourceOptions is keyed by source, not by entry.
	SourceOptions map[string]SourceOptions `config:"source_options"`
}

// Requests is about the tenant's request budget.
type Requests struct {
	// Reserve is the share of the budget left to others, 0 to 0.9.
	Reserve float64 `config:"reserve"`
}

// Poll is how often the tail of a source is asked for.
type Poll struct {
	// MinInterval and MaxInterval bound the time between two polls of a source. The
	// request budget may make it longer.
	MinInterval time.Duration `config:"min_interval"`
	MaxInterval time.Duration `config:"max_interval"`
	// Timeout bounds one request with its whole answer.
	Timeout time.Duration `config:"timeout"`
}

// Sweep is how entries are found that the tail left out: the time up to now is read
// a second time, by range queries.
type Sweep struct {
	// Mode is "full" for all of the time since the start, "gaps" for the windows
	// in which the tail may have left something out, or "off". In SourceOptions ""
	// is the tenant's mode.
	Mode string `config:"mode" want:"full|gaps|off"`
	// Settle is how old a window must be before it is swept, 5 s to 1 h. In
	// SourceOptions 0 is the tenant's.
	Settle time.Duration `config:"settle"`
}

// SourceOptions is what differs for one source from the rest of its tenant. What it
// leaves out, the zero value, is as for the tenant.
type SourceOptions struct {
	Sweep Sweep `config:"sweep"`
}

// Filter is what is done to events before they touch the disk.
type Filter struct {
	// Redact has at least one rule. What is in the rules is checked by package filter.
	Redact []RedactRule `config:"redact"`
	// Drop is what no sink gets.
	Drop []DropRule `config:"drop"`
	// Noise names loggers whose entries are dropped below WARNING: loggers, built-in
	// lists of them, and what stands in the files that the file names.
	Noise []string `config:"noise"`
	// Levels is the least level that is kept, by source.
	Levels map[string]string `config:"levels" want:"SEVERE|ERROR|WARNING|WARN|INFO|CONFIG|FINE|DEBUG|FINER|FINEST|TRACE"`
	// Sample is of what only a share is kept.
	Sample []SampleRule `config:"sample"`
	// HashKey is the text of HashKeyFile, "" without one.
	HashKey     Secret `config:"-"`
	HashKeyFile string `config:"hash_key_file"`
}

// RedactRule is one redaction rule: a preset, or what it applies to and what becomes
// of that.
type RedactRule struct {
	Preset  string   `config:"preset" want:"default|gdpr|secrets|off"`
	Fields  []string `config:"fields"`
	Keys    []string `config:"keys"`
	Detect  []string `config:"detect"`
	Pattern string   `config:"pattern"`
	Accept  string   `config:"accept" want:"luhn|mod97"`
	Example string   `config:"example"`
	Name    string   `config:"name"`
	Action  string   `config:"action" want:"mask|remove|partial|hash|truncate|tokenise|keep"`
	Sources []string `config:"sources"`
	// Except is where the rule does not apply.
	Except RedactExcept `config:"except"`
}

// RedactExcept is where a redaction rule does not apply.
type RedactExcept struct {
	Sources []string `config:"sources"`
}

// DropRule drops the events that a query matches. In the file it is the query alone,
// or both keys.
type DropRule struct {
	// Name is the value of the rule label; "" is the place in the list, as drop[0].
	Name string `config:"name"`
	// When is a query in the tenant's language (package filter/query).
	When string `config:"when"`
}

func (r *DropRule) short() *string { return &r.When }

// SampleRule keeps a share of the events that a query matches.
type SampleRule struct {
	// Name is the value of the rule label; "" is the place in the list, as sample[0].
	Name string `config:"name"`
	// When is a query in the tenant's language (package filter/query).
	When string `config:"when"`
	// Keep is the share that is kept, more than 0 and less than 1.
	Keep float64 `config:"keep"`
}

// Journal is the buffer on disk between tenants and sinks.
type Journal struct {
	// MaxSize is when polling stops until the sinks have caught up.
	MaxSize Bytes `config:"max_size"`
	// Retain is how long events are kept that every sink already has.
	Retain time.Duration `config:"retain"`
}

// Sink is one destination. Exactly one of its pointers is set: that of its type,
// whose keys stand beside "type" in the file.
type Sink struct {
	Type string `config:"type"`
	// Where is a query in the tenant's language (package filter/query): the sink gets
	// what matches it. "" is everything.
	Where string `config:"where"`
	// Batch is how much is sent at once; its defaults depend on the type.
	Batch       Batch       `config:"batch"`
	DeadLetters DeadLetters `config:"dead_letters"`

	File  *FileSink  `type:"file"`
	Kafka *KafkaSink `type:"kafka"`

	Elasticsearch *ElasticsearchSink `type:"elasticsearch"`
	SplunkHEC     *SplunkHECSink     `type:"splunk_hec"`
}

// Batch is how much a sink is sent at once.
type Batch struct {
	// MaxEvents and MaxBytes bound a batch; more than 0. The bytes are those of the
	// events as the tenant sent them. An event that is larger goes by itself.
	MaxEvents int   `config:"max_events"`
	MaxBytes  Bytes `config:"max_bytes"`
	// MaxAge is how long an event waits for others at most; 0 is not at all.
	MaxAge time.Duration `config:"max_age"`
}

// DeadLetters are the events that a sink will never take.
type DeadLetters struct {
	// MaxSize is when the sink pauses because of them.
	MaxSize Bytes `config:"max_size"`
}

// FileSink writes NDJSON files.
type FileSink struct {
	// Path may contain {tenant}, {source} and {date}. It is as it stands in the
	// file; a relative one starts at the working directory.
	Path   string `config:"path"`
	Format string `config:"format" want:"raw" later:"ecs|ocsf"`
	Rotate Rotate `config:"rotate"`
}

// Rotate is when a file is closed and a new one begun. The zero MaxSize and
// Every mean never, the zero Keep means all.
type Rotate struct {
	MaxSize  Bytes         `config:"max_size"`
	Every    time.Duration `config:"every"`
	Keep     int           `config:"keep"`
	Compress string        `config:"compress" want:"none|gzip|zstd"`
}

// KafkaSink produces to Kafka topics.
type KafkaSink struct {
	// Brokers is some of the cluster's brokers as host:port; at least one.
	Brokers []string `config:"brokers"`
	// Topic may contain {tenant} and {source}.
	Topic string `config:"topic"`
	// Key is a JSON pointer into the event, "" for records without a key.
	Key string `config:"key"`
	// Acks can only be "all". It is a key so that whoever looks for it finds out.
	Acks        string `config:"acks"`
	Compression string `config:"compression" want:"zstd|lz4|snappy|gzip|none"`
	Format      string `config:"format" want:"raw" later:"ecs|ocsf"`
	ClientID    string `config:"client_id"`
	// Timeout bounds each request, 1 s to 10 min.
	Timeout time.Duration `config:"timeout"`
	// MaxMessageBytes is max.message.bytes of the topics.
	MaxMessageBytes Bytes        `config:"max_message_bytes"`
	CreateTopics    CreateTopics `config:"create_topics"`
	SASL            SASL         `config:"sasl"`
	TLS             KafkaTLS     `config:"tls"`
}

// CreateTopics is how missing topics are created; two zeros mean not at all.
type CreateTopics struct {
	Partitions  int `config:"partitions"`
	Replication int `config:"replication"`
}

// SASL is how aictail shows Kafka brokers who it is.
type SASL struct {
	Mechanism string `config:"mechanism" want:"none|PLAIN|SCRAM-SHA-256|SCRAM-SHA-512"`
	Username  string `config:"username"`
	// Password is set, whether it stands in the file or in a file of its own.
	Password     Secret `config:"password"`
	PasswordFile string `config:"password_file"`
}

// KafkaTLS is how connections to Kafka brokers are encrypted. Paths are as they
// stand in the file until Load resolves them: then a relative one has become one
// from the folder of the configuration file.
type KafkaTLS struct {
	Enabled    bool   `config:"enabled"`
	CAFile     string `config:"ca_file"`
	CertFile   string `config:"cert_file"`
	KeyFile    string `config:"key_file"`
	ServerName string `config:"server_name"`
}

// unsupported marks a key or a type of sink that the design has and this version
// has not, so that the error says so instead of "unknown".
type unsupported struct{}
