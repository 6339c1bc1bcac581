package config

import (
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// SplunkHECSink sends to the Splunk HTTP Event Collector.
type SplunkHECSink struct {
	// URL is required, or URLs: the address of HEC, https, without /services/collector.
	//
	// It has no slash at the end; see Addresses.
	URL string `config:"url"`
	// URLs are several addresses that share the work.
	URLs []string `config:"urls"`
	// Token is required, or TokenFile: the HEC token, best as ${NAME}.
	//
	// It is set, whether it stands in the file or in a file of its own.
	Token Secret `config:"token"`
	// TokenFile is a file with the token. A relative path starts at the folder of the
	// configuration.
	TokenFile string `config:"token_file"`
	// Acknowledge counts events as delivered once they are indexed, by the indexer
	// acknowledgement that the token must have enabled. Not for Splunk Cloud.
	Acknowledge bool `config:"acknowledge"`
	// AckTimeout is when events are sent again that are not acknowledged, 10s to 1h.
	AckTimeout time.Duration `config:"ack_timeout"`
	// Index is the index; empty is the token's own. {tenant} and {source} are replaced here
	// and below.
	Index string `config:"index"`
	// Source is the event's source.
	Source string `config:"source"`
	// Sourcetype is the event's sourcetype.
	Sourcetype string `config:"sourcetype"`
	// Host is the event's host.
	Host string `config:"host"`
	// Format is raw: the event as the tenant sent it, after redaction.
	Format string `config:"format" want:"raw" later:"ecs|ocsf"`
	// Timeout bounds one request with its answer, 1s to 10m. What times out may arrive
	// twice.
	Timeout time.Duration `config:"timeout"`
	// MaxBody is the size, before compression, that a request of several events does not
	// exceed, 64KiB to 64MiB.
	MaxBody Bytes `config:"max_body"`
	// Compression is that of the requests.
	Compression string `config:"compression" want:"gzip|none"`
	// TLS is whom to trust and who aictail is.
	TLS ClientTLS `config:"tls"`
}

// Addresses returns the addresses of HEC, at least one.
func (s *SplunkHECSink) Addresses() []string {
	if s.URL != "" {
		return []string{s.URL}
	}
	return s.URLs
}

func (s *SplunkHECSink) setDefaults() {
	// It needs a token that has it enabled, and is not to be had in Splunk Cloud.
	s.Acknowledge = false
	// Acknowledgement takes seconds, with replication and a busy disk a minute or
	// two. Later than this the events are more likely lost than late.
	s.AckTimeout = 5 * time.Minute
	// What people search by: the environment is the host, the log is the source, and
	// one sourcetype stands for the one format of all of them.
	s.Host, s.Source, s.Sourcetype = "{tenant}", "{source}", "pingone:aic"
	s.Format = "raw"
	// An indexer that is rolled or overloaded answers late rather than never, and
	// giving up on a request is what makes duplicates.
	s.Timeout = time.Minute
	// What proxies in front of Splunk take without being told (nginx: 1 MiB).
	s.MaxBody = 1 << 20
	s.Compression = "gzip"
}

func (v *validator) splunkHEC(path string, s *SplunkHECSink) {
	v.hecAddresses(path, s)
	v.secret(below(path, "token"), s.Token, s.TokenFile)
	// Below, a disk that is busy for a moment makes duplicates.
	v.duration(below(path, "ack_timeout"), s.AckTimeout, 10*time.Second, time.Hour)
	v.duration(below(path, "timeout"), s.Timeout, time.Second, 10*time.Minute)
	// Batches have 4 MiB at most; the rest is room for what is added to each event.
	if key := below(path, "max_body"); s.MaxBody < 64<<10 {
		v.add(key, "want at least 64KiB; is the unit missing?")
	} else if s.MaxBody > 64<<20 {
		v.add(key, "want at most 64MiB")
	}
	v.placeholders(below(path, "source"), s.Source)
	v.placeholders(below(path, "sourcetype"), s.Sourcetype)
	v.placeholders(below(path, "host"), s.Host)
	for key, value := range map[string]string{"source": s.Source, "sourcetype": s.Sourcetype, "host": s.Host} {
		if strings.TrimSpace(value) == "" {
			v.add(below(path, key), "is empty: leave the key out for its default")
		}
	}
	v.placeholders(below(path, "index"), s.Index)
	if s.Index != "" && !regexp.MustCompile(`^[a-z0-9{][a-z0-9_{}-]*$`).MatchString(s.Index) {
		v.add(below(path, "index"), "want the name of an index: a-z, 0-9, _ and -, beginning with a letter or digit%s", v.got(below(path, "index"), s.Index))
	}
	v.clientTLS(below(path, "tls"), s.TLS)
}

// placeholders checks a text with {tenant} and {source} in it.
func (v *validator) placeholders(key, text string) {
	placeholder := regexp.MustCompile(`\{[^{}]*\}`)
	for _, found := range placeholder.FindAllString(text, -1) {
		if found != "{tenant}" && found != "{source}" {
			v.add(key, "unknown placeholder%s; the placeholders are {tenant} and {source}", v.got(key, found))
		}
	}
	if strings.ContainsAny(placeholder.ReplaceAllString(text, ""), "{}") {
		v.add(key, "has a { or } that is not part of {tenant} or {source}")
	}
}

// hecAddresses checks url and urls and puts them in their final form.
func (v *validator) hecAddresses(path string, s *SplunkHECSink) {
	key := below(path, "url")
	switch {
	case s.URL != "" && len(s.URLs) > 0:
		v.add(below(path, "urls"), "set together with url: remove one of them")
	case s.URL == "" && len(s.URLs) == 0:
		if !v.seen[below(path, "urls")] {
			v.add(key, "missing or empty: give the address of HEC, such as https://splunk.example.com:8088, or several as urls")
		}
		return
	}
	if s.URL != "" {
		v.hecAddress(key, &s.URL)
	}
	cloud := false
	for i := range s.URLs {
		here := below(path, "urls") + "[" + strconv.Itoa(i) + "]"
		v.hecAddress(here, &s.URLs[i])
		if slices.Contains(s.URLs[:i], s.URLs[i]) {
			v.add(here, "is there twice: remove one of them")
		}
	}
	for _, address := range s.Addresses() {
		u, err := url.Parse(address)
		cloud = cloud || err == nil && strings.HasSuffix(strings.ToLower(u.Hostname()), ".splunkcloud.com")
	}
	if cloud && s.Acknowledge {
		v.warn(below(path, "acknowledge"), "Splunk Cloud offers indexer acknowledgement to Amazon Data Firehose only: set it to false, or nothing is delivered")
	}
}

// hecAddress checks an address that the token is sent to. It is not shown: it may
// contain a password.
func (v *validator) hecAddress(key string, address *string) {
	const remedy = "want the address of HEC, such as https://splunk.example.com:8088"
	u, ok := v.httpURL(key, *address, remedy)
	if !ok {
		return
	}
	if u.User != nil {
		v.add(key, "has a user or password in it: %s, and the token as token", remedy)
	}
	if u.RawQuery != "" || u.ForceQuery || strings.Contains(*address, "#") {
		v.add(key, "has a query in it: %s", remedy)
	}
	if strings.Contains(u.Path, "/services/collector") {
		v.add(key, "leave /services/collector and what follows out: aictail adds it")
	}
	if u.Scheme == "http" && !isLoopback(u.Hostname()) {
		v.add(key, "want https: over http everybody on the way can read the token")
	}
	*address = strings.TrimRight(*address, "/")
}
