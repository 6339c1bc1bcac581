package config

import (
	"maps"
	"math"
	"net"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// minJournal holds a full page of the tail (15,000 entries of 750 bytes) while the
// page before it is being delivered; below, polling would stop at every page. The
// journal divides itself into eight segments, so that it can be trimmed.
const minJournal = 32 << 20

// validator checks what the types alone do not say. It puts "off" and slashes in
// their final form on the way.
type validator struct {
	*collector
	now      time.Time
	warnings []Problem
	// authorities is Config.Authorities.
	authorities map[string]string
}

// validate checks the configuration and returns the warnings.
func validate(cfg *Config, c *collector) []Problem {
	v := &validator{collector: c, now: time.Now()}
	v.path("data_dir", cfg.DataDir, "name the folder of the daemon's state")
	v.admin(&cfg.Admin)
	if cfg.ShutdownTimeout <= 0 {
		v.add("shutdown_timeout", "want more than 0, such as 30s")
	}
	if len(cfg.Tenants) == 0 {
		v.add("tenants", "missing: give at least one tenant with url, api_key, api_secret and sources")
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Tenants)) {
		t := cfg.Tenants[name]
		v.tenant(below("tenants", name), &t)
		cfg.Tenants[name] = t
		v.name("tenants", name)
	}
	v.sharedTenants(cfg.Tenants)
	v.filter(cfg.Filter)
	v.drops(cfg)
	if cfg.Journal.MaxSize < minJournal {
		v.add("journal.max_size", "want at least %s: room for two full pages of the tail", Bytes(minJournal))
	}
	v.duration("journal.retain", cfg.Journal.Retain, 0, math.MaxInt64)
	if len(cfg.Sinks) == 0 {
		v.add("sinks", "missing: give at least one sink, such as archive: {type: file, path: '/var/log/aictail/{tenant}/{source}.ndjson'}")
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Sinks)) {
		v.where(below(below("sinks", name), "where"), cfg.Sinks[name].Where)
		if file := cfg.Sinks[name].File; file != nil {
			v.fileSink(below("sinks", name), file)
		}
		if k := cfg.Sinks[name].Kafka; k != nil {
			v.kafkaSink(below("sinks", name), k)
		}
		if hec := cfg.Sinks[name].SplunkHEC; hec != nil {
			v.splunkHEC(below("sinks", name), hec)
		}
		if es := cfg.Sinks[name].Elasticsearch; es != nil {
			v.elasticsearchSink(below("sinks", name), es)
		}
		if cfg.Sinks[name].Type != "" { // else the keys beside it were not read
			v.delivery(below("sinks", name), cfg.Sinks[name])
		}
		v.name("sinks", name)
	}
	v.sharedPaths(cfg.Sinks)
	cfg.Authorities = v.authorities
	return v.warnings
}

func (v *validator) warn(key, msg string) {
	v.warnings = append(v.warnings, Problem{Key: key, Msg: msg})
}

// name checks the name of a tenant or sink: it becomes a label, part of file names
// and part of the names of variables.
func (v *validator) name(group, name string) {
	if !regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`).MatchString(name) {
		v.add(below(group, name), "the name must have 1 to 63 characters of a-z, 0-9, - and _, and begin with a letter or digit")
	}
}

// path checks a file or folder name for what no file system takes.
func (v *validator) path(key, path, remedy string) {
	switch {
	case strings.TrimSpace(path) == "":
		v.add(key, "missing or empty: %s", remedy)
	case strings.ContainsFunc(path, unicode.IsControl):
		v.add(key, "has a control character in it: remove it")
	}
}

func (v *validator) admin(a *Admin) {
	const key = "admin.listen"
	if a.Listen == "off" {
		a.Listen = ""
		return
	}
	host, port, err := net.SplitHostPort(a.Listen)
	n, portErr := strconv.ParseUint(port, 10, 16)
	if err != nil || portErr != nil || strings.ContainsFunc(host, unicode.IsSpace) {
		v.add(key, "want host:port, such as 127.0.0.1:9464, or off%s", v.got(key, a.Listen))
		return
	}
	if n == 0 {
		v.warn(key, "port 0 is a free port that differs at every start: give one that a monitoring system can find")
	}
	if !isLoopback(host) && a.WebConfigFile == "" {
		v.warn(key, "everybody who reaches this address may see the status and have events sent again: let only your monitoring reach it, or set admin.web_config_file to have TLS and users")
	}
}

// url checks a tenant's address, which its key is sent to. It is not shown: it may
// contain a password.
func (v *validator) url(key string, address *string) {
	const remedy = "want the address of the tenant alone, such as https://openam-example.forgeblocks.com"
	if *address == "" {
		v.add(key, "missing or empty: %s", remedy)
		return
	}
	u, ok := v.httpURL(key, *address, remedy)
	if !ok {
		return
	}
	if u.User != nil {
		v.add(key, "has a user or password in it: %s", remedy)
	}
	if strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.ForceQuery || strings.Contains(*address, "#") {
		v.add(key, "has a path or query in it: %s", remedy)
	}
	if u.Scheme == "http" && !isLoopback(u.Hostname()) {
		v.add(key, "want https: over http everybody on the way can read the key")
	}
	*address = u.Scheme + "://" + strings.TrimSuffix(u.Host, ":")
}

// httpURL checks what every address of an HTTP server must be. ok is false if nothing
// more can be said of it.
func (v *validator) httpURL(key, address, remedy string) (u *url.URL, ok bool) {
	u, err := url.Parse(address)
	if err != nil || u.Opaque != "" || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" {
		v.add(key, "%s", remedy)
		return nil, false
	}
	if _, err := strconv.ParseUint(u.Port(), 10, 16); u.Port() != "" && err != nil {
		v.add(key, "the port is not a number up to 65535")
	}
	return u, true
}

func isLoopback(host string) bool {
	return strings.EqualFold(host, "localhost") || net.ParseIP(host).IsLoopback()
}

// secret checks a key or secret. Its length or parts of it are not shown.
func (v *validator) secret(key string, s Secret, file string) {
	switch {
	case s.IsZero() && v.seen[key+"_file"]:
		// What is wrong with the file is why there is no secret.
	case s.IsZero():
		v.add(key, "missing or empty: give it as ${NAME}, the name of an environment variable, or use %s_file", key[strings.LastIndex(key, ".")+1:])
	case file == "":
		if why := unprintable(s.Value()); why != "" {
			v.add(key, "%s", why)
		}
	}
}

// unprintable says why a secret cannot be sent in an HTTP header, or "".
func unprintable(secret string) string {
	if strings.ContainsFunc(secret, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "has a space, a line break or another character in it that no key has: remove it"
	}
	return ""
}

// sharedTenants warns of tenants with one address.
func (v *validator) sharedTenants(tenants map[string]Tenant) {
	first := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(tenants)) {
		address := strings.ToLower(tenants[name].URL)
		if other, twice := first[address]; twice && address != "" {
			v.warn(below(below("tenants", name), "url"), "the same as that of tenant "+other+": both draw on one request limit without knowing of each other")
			continue
		}
		first[address] = name
	}
}

// filter checks the shape of the filter's rules. What they say is checked when they are
// compiled.
func (v *validator) filter(f Filter) {
	const key = "filter.redact"
	if len(f.Redact) == 0 {
		v.add(key, "missing or empty: want [{preset: default}], or [{preset: off}] to forward events as they are")
	}
	off := len(f.Redact) > 0
	for i, rule := range f.Redact {
		here := key + "[" + strconv.Itoa(i) + "]"
		if reflect.DeepEqual(rule, RedactRule{}) && !v.reportedBelow(here) {
			v.add(here, "the rule is empty: want preset, fields, keys, detect or pattern")
		}
		for field, sources := range map[string][]string{"sources": rule.Sources, "except.sources": rule.Except.Sources} {
			for j, name := range sources {
				if !isSource(name) {
					v.add(below(here, field)+"["+strconv.Itoa(j)+"]", "want the name of a source, such as am-access%s", v.got(below(here, field), name))
				}
			}
		}
		off = off && rule.Preset == "off"
	}
	if off {
		v.warn(key, "redaction is off: passwords, tokens and personal data go to the disk and to every sink as the tenant logs them")
	}
}

// duration checks a duration against its bounds.
func (v *validator) duration(key string, d, least, most time.Duration) {
	switch {
	case d < least:
		v.add(key, "want at least %s", shortly(least))
	case d > most:
		v.add(key, "want at most %s", shortly(most))
	}
}

// shortly returns a duration as people write it: 1h, not 1h0m0s.
func shortly(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
