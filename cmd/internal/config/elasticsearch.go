package config

import (
	"crypto/tls"
	"encoding/base64"
	"math"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// ElasticsearchSink writes to Elasticsearch or OpenSearch.
type ElasticsearchSink struct {
	// URLs are required, or CloudID: the nodes, taken in turn. Plain http only without a
	// key or on this machine.
	URLs []string `config:"urls"`
	// CloudID is a deployment of Elastic Cloud, by the text that its page shows.
	CloudID string `config:"cloud_id"`
	// APIKey is an API key, encoded or as id:key; or Username and Password; or nothing.
	//
	// Secrets are set, whether they stand in the file or in a file of their own.
	APIKey Secret `config:"api_key"`
	// APIKeyFile is a file with the key. A relative path starts at the folder of the
	// configuration.
	APIKeyFile string `config:"api_key_file"`
	// Username goes with Password.
	Username string `config:"username"`
	// Password goes with Username.
	Password Secret `config:"password"`
	// PasswordFile is a file with the password, as APIKeyFile.
	PasswordFile string `config:"password_file"`
	// TLS is how the server is recognised, and how it recognises aictail.
	TLS ElasticsearchTLS `config:"tls"`
	// DataStream is the data stream, in place of Index, such as
	// logs-aic.{source}-default. An event that is sent again after a rollover is there
	// twice.
	DataStream string `config:"data_stream"`
	// Index is required, or DataStream: the index. {tenant}, {source} and, of the event's
	// time in UTC, {yyyy}, {MM} and {dd} are replaced.
	Index string `config:"index"`
	// Pipeline is an ingest pipeline.
	Pipeline string `config:"pipeline"`
	// Format is raw: each document is one event as the tenant sent it, after redaction,
	// with @timestamp and aictail.id, aictail.tenant and aictail.source.
	Format string `config:"format" want:"raw" later:"ecs|ocsf"`
	// Setup is about the index template and the lifecycle policy.
	Setup ElasticsearchSetup `config:"setup"`
	// Timeout bounds one request with its whole answer, 1s to 10m.
	Timeout time.Duration `config:"timeout"`
	// MaxBody bounds the body of one request before compression, at least 64KiB.
	MaxBody Bytes `config:"max_body"`
}

// ElasticsearchTLS is how the server is recognised, and how it recognises aictail.
type ElasticsearchTLS struct {
	// CAFile has the authorities to trust in place of the system's, in PEM form. A relative
	// path starts at the folder of the configuration.
	CAFile string `config:"ca_file"`
	// CAFingerprint is, in place of CAFile, the SHA-256 of the authority's certificate,
	// which Elasticsearch prints at its first start.
	CAFingerprint string `config:"ca_fingerprint"`
	// CertFile is a certificate of aictail's own, in PEM form, if the server asks for one.
	CertFile string `config:"cert_file"`
	// KeyFile is its key.
	KeyFile string `config:"key_file"`
	// ServerName is the name in the server's certificate, if it is not that in the address.
	ServerName string `config:"server_name"`
}

// Config returns how to make connections, but for CAFingerprint; see ClientTLS.Config.
func (t ElasticsearchTLS) Config() (*tls.Config, error) { return t.client().Config() }

func (t ElasticsearchTLS) client() ClientTLS {
	return ClientTLS{CAFile: t.CAFile, CertFile: t.CertFile, KeyFile: t.KeyFile, ServerName: t.ServerName}
}

// ElasticsearchSetup is about the index template and the lifecycle policy.
type ElasticsearchSetup struct {
	// Enabled installs them if they are not there; they are never changed.
	Enabled bool `config:"enabled"`
}

func (e *ElasticsearchSink) setDefaults() {
	// As the tenant sent it, with what an index needs put before.
	e.Format = "raw"
	// Without a template, the first event of each kind decides the types of its
	// fields, and later ones are refused for theirs.
	e.Setup = ElasticsearchSetup{Enabled: true}
	// A batch is indexed within a second or two; the server itself waits for a shard
	// for half of this, so that a slow answer is one all the same and not unknown.
	e.Timeout = 60 * time.Second
	// A batch has at most 5,000 events and 4 MiB, and each event gets some 250 bytes
	// of action and names: 4 MiB + 5,000 x 250 B = 5.2 MiB. So a batch is one request.
	// 5 to 15 MB are what is advised; the servers take 100 MB.
	e.MaxBody = 8 << 20
}

// readSecrets fills the key or password that has a file of its own. The paths of
// other files start at the folder of the configuration file, too.
func (e *ElasticsearchSink) readSecrets(path, folder string, c *collector) {
	f := secretFile{key: below(path, "api_key_file"), path: e.APIKeyFile, folder: folder}
	f.read("api_key", &e.APIKey, c)
	f = secretFile{key: below(path, "password_file"), path: e.PasswordFile, folder: folder, phrase: true}
	f.read("password", &e.Password, c)
	resolve(secretFile{key: below(path, "tls"), folder: folder}, c,
		map[string]*string{"ca_file": &e.TLS.CAFile, "cert_file": &e.TLS.CertFile, "key_file": &e.TLS.KeyFile})
}

// minSearchBody is where a size is more likely a forgotten unit than meant.
const minSearchBody = 64 << 10

func (v *validator) elasticsearchSink(path string, e *ElasticsearchSink) {
	switch {
	case len(e.URLs) == 0 && e.CloudID == "":
		v.add(below(path, "urls"), "missing or empty: give the addresses of the nodes, such as [https://es:9200], or cloud_id")
	case len(e.URLs) > 0 && e.CloudID != "":
		v.add(below(path, "cloud_id"), "set together with urls: remove one of them")
	}
	if e.CloudID != "" && !isCloudID(e.CloudID) {
		v.add(below(path, "cloud_id"), "not a cloud id: copy it from the deployment's page in the Elastic Cloud console")
	}
	secrets := !e.APIKey.IsZero() || e.Username != "" || !e.Password.IsZero()
	for i, address := range e.URLs {
		v.nodeURL(below(path, "urls")+"["+strconv.Itoa(i)+"]", address, secrets)
	}
	v.elasticsearchSecrets(path, e)
	v.elasticsearchTLS(below(path, "tls"), e.TLS)
	v.elasticsearchTarget(path, e)
	v.duration(below(path, "timeout"), e.Timeout, time.Second, 10*time.Minute)
	if e.MaxBody < minSearchBody {
		v.add(below(path, "max_body"), "want at least %s; is the unit missing?", Bytes(minSearchBody))
	}
	if e.MaxBody > math.MaxInt32 {
		v.add(below(path, "max_body"), "want at most %s: 5 to 15 MB are advised, and the servers take 100 MB", Bytes(math.MaxInt32+1))
	}
	if !e.Setup.Enabled && e.DataStream != "" {
		v.warn(below(path, "setup"), "is off: without an index template of your own that makes it a data stream, the server makes a plain index and guesses the types of fields")
	}
}

// nodeURL checks the address of a node. It is not shown: it may contain a password.
func (v *validator) nodeURL(key, address string, secrets bool) {
	const remedy = "want the address of a node, such as https://es:9200"
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "":
		v.add(key, "%s", remedy)
	case u.User != nil:
		v.add(key, "has a user or password in it: use username and password, or api_key")
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(address, "#"):
		v.add(key, "has a query in it: %s", remedy)
	case u.Scheme == "http" && secrets && !isLoopback(u.Hostname()):
		v.add(key, "want https: over http everybody on the way can read the key or password")
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		v.warn(key, "over http everybody on the way can read the events")
	}
}

// isCloudID says whether a text has the form name:base64(host$id…).
func isCloudID(id string) bool {
	_, encoded, ok := strings.Cut(id, ":")
	text, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(encoded, "="))
	host, rest, found := strings.Cut(string(text), "$")
	return ok && err == nil && found && host != "" && rest != ""
}

func (v *validator) elasticsearchSecrets(path string, e *ElasticsearchSink) {
	key, password := below(path, "api_key"), below(path, "password")
	if why := unprintable(e.APIKey.Value()); why != "" && !v.seen[key+"_file"] {
		v.add(key, "%s", why)
	}
	hasKey := !e.APIKey.IsZero() || e.APIKeyFile != ""
	hasPassword := !e.Password.IsZero() || e.PasswordFile != ""
	switch {
	case hasKey && (e.Username != "" || hasPassword):
		v.add(key, "set together with username or password: remove one of them")
	case e.Username != "" && !hasPassword:
		v.add(password, "missing or empty: give it as ${NAME}, the name of an environment variable, or use password_file")
	case e.Username == "" && hasPassword:
		v.add(below(path, "username"), "missing or empty: a password is given")
	}
}

func (v *validator) elasticsearchTLS(path string, t ElasticsearchTLS) {
	if t.CAFile != "" && t.CAFingerprint != "" {
		v.add(below(path, "ca_fingerprint"), "set together with ca_file: remove one of them")
	}
	if t.CAFingerprint != "" && !regexp.MustCompile(`^[0-9A-Fa-f]{64}$`).MatchString(strings.ReplaceAll(t.CAFingerprint, ":", "")) {
		v.add(below(path, "ca_fingerprint"), "want the SHA-256 of a certificate, 64 hexadecimal digits")
	}
	v.clientTLS(path, t.client())
}

// elasticsearchTarget checks the name of the index or data stream.
func (v *validator) elasticsearchTarget(path string, e *ElasticsearchSink) {
	key, name, known := below(path, "index"), e.Index, "{tenant}, {source}, {yyyy}, {MM} and {dd}"
	switch {
	case e.DataStream != "" && e.Index != "":
		v.add(key, "set together with data_stream: remove one of them")
		return
	case e.DataStream != "":
		key, name, known = below(path, "data_stream"), e.DataStream, "{tenant} and {source}"
	case e.Index == "":
		v.add(key, "missing or empty: give index, such as aic-{source}-{yyyy.MM}, or data_stream, such as logs-aic.{source}-default")
		return
	}
	placeholder := regexp.MustCompile(`\{[^{}]*\}`)
	times := regexp.MustCompile(`^\{(yyyy|MM|dd)([._-](yyyy|MM|dd))*\}$`)
	for _, found := range placeholder.FindAllString(name, -1) {
		if found != "{tenant}" && found != "{source}" && (e.DataStream != "" || !times.MatchString(found)) {
			v.add(key, "unknown placeholder%s; the placeholders are %s", v.got(key, found), known)
		}
	}
	if !regexp.MustCompile(`^[a-z0-9._-]*$`).MatchString(placeholder.ReplaceAllString(name, "")) {
		v.add(key, "want only a-z, 0-9, ., - and _ beside the placeholders %s", known)
	}
	if strings.ContainsAny(name[:1], "-_.") {
		v.add(key, "must begin with a letter or digit")
	}
	// What the index template would hold for: everybody's indices, or those of a type
	// that the server itself and others write.
	begin, _, _ := strings.Cut(name, "{")
	for _, shared := range []string{"logs-", "metrics-", "traces-", "synthetics-"} {
		begin = strings.TrimPrefix(begin, shared)
	}
	if e.Setup.Enabled && begin == "" {
		v.add(key, "the index template that setup installs would hold for others' indices, too: begin with a text of its own, such as aic-, or logs-aic. for a data stream; or install the template yourself and set setup.enabled: false")
	}
}
