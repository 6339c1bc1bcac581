package config

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

func (v *validator) tenant(path string, t *Tenant) {
	v.url(below(path, "url"), &t.URL)
	v.secret(below(path, "api_key"), t.APIKey, t.APIKeyFile)
	v.secret(below(path, "api_secret"), t.APISecret, t.APISecretFile)
	v.sources(below(path, "sources"), t)
	v.start(below(path, "start"), &t.Start)
	v.queryFilter(below(path, "query_filter"), t.QueryFilter)
	if r := t.Requests.Reserve; !(r >= 0 && r <= 0.9) {
		v.add(below(path, "requests.reserve"), "want a share from 0 to 0.9: with more nothing is left for aictail itself")
	}
	v.poll(below(path, "poll"), t.Poll)
	v.settle(below(path, "sweep.settle"), t.Sweep.Settle)
	v.sourceOptions(below(path, "source_options"), t)
	v.sweepOff(below(path, "sweep"), t)
}

func (v *validator) poll(path string, p Poll) {
	// A tenth of a second is already ten times what the documented limit allows.
	v.duration(below(path, "min_interval"), p.MinInterval, 100*time.Millisecond, time.Hour)
	// Polled too seldom the tail leaves entries out: hours are a mistake.
	v.duration(below(path, "max_interval"), p.MaxInterval, 100*time.Millisecond, time.Hour)
	// A tenant may take 60 s; a stop waits for the request that is under way.
	v.duration(below(path, "timeout"), p.Timeout, time.Second, 10*time.Minute)
	if p.MinInterval > p.MaxInterval && !v.seen[below(path, "max_interval")] {
		v.add(below(path, "min_interval"), "is longer than max_interval: want at most %s", shortly(p.MaxInterval))
	}
}

// settle checks a settle time. Below 5 s a tenant is known to be still taking in
// entries, which the sweep would then not find; above 1 h the complete-until time is
// of no use to anybody.
func (v *validator) settle(key string, d time.Duration) {
	v.duration(key, d, 5*time.Second, time.Hour)
}

// start checks where a new installation begins and takes spaces away.
func (v *validator) start(key string, text *string) {
	*text = strings.TrimSpace(*text)
	start, err := parseStart(*text)
	switch {
	case err != nil:
		v.add(key, "%v%s", err, v.got(key, *text))
	case start.back < 0:
		v.add(key, "leave the minus out: 24h is 24 hours back")
	case start.back > retention:
		v.add(key, "want at most 30d: the tenant keeps 30 days")
	case start.at.After(v.now):
		v.add(key, "is in the future: want a time that has passed, or now")
	case !start.at.IsZero() && start.at.Before(v.now.Add(-retention)):
		v.warn(key, "is more than 30 days ago: the tenant keeps 30 days, and a new installation begins there")
	}
}

// sources checks the source entries of a tenant and puts them in their final form.
func (v *validator) sources(key string, t *Tenant) {
	if len(t.Sources) == 0 {
		v.add(key, "missing or empty: list at least one source, such as [am-access, idm-access]")
	}
	first := map[string]int{}
	for i, entry := range t.Sources {
		here := key + "[" + strconv.Itoa(i) + "]"
		parts := strings.Split(entry, ",")
		for j, part := range parts {
			parts[j] = strings.TrimSpace(part)
			switch other, twice := first[parts[j]]; {
			case parts[j] == "":
				v.add(here, "the name of a source is empty: remove it or its comma")
			case !isSource(parts[j]):
				v.add(here, "want the name of a source, such as am-access%s", v.got(here, parts[j]))
			case parts[j] == "all" && len(t.Sources)+len(parts) > 2:
				v.add(here, "all is every source that the tenant has: remove the others, or all")
			case twice:
				v.add(here, "%s is already in entry %d: each source belongs in one entry", parts[j], other)
			default:
				first[parts[j]] = i
			}
		}
		t.Sources[i] = strings.Join(parts, ",")
	}
	for _, name := range slices.Sorted(maps.Keys(first)) {
		all := collective(name)
		if _, there := first[all]; there {
			v.warn(key, name+" is read as part of "+all+"; its own entry is left out")
		}
	}
}

func isSource(name string) bool {
	return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$`).MatchString(name)
}

// sourceOptions checks what differs for single sources and puts it in its final form.
func (v *validator) sourceOptions(path string, t *Tenant) {
	v.renamed(path, t)
	names := t.names()
	for _, name := range slices.Sorted(maps.Keys(t.SourceOptions)) {
		here := below(path, name)
		o := t.SourceOptions[name]
		if o.Sweep.Settle == inherit {
			o.Sweep.Settle = 0
			t.SourceOptions[name] = o
		} else {
			v.settle(below(here, "sweep.settle"), o.Sweep.Settle)
		}
		if all := collective(name); slices.Contains(names, name) && slices.Contains(names, all) {
			v.warn(here, "has no effect: "+name+" is read as part of "+all+"; set it for that")
		}
		v.optionsName(here, name, names)
	}
	for _, entry := range t.Entries() {
		v.sameOptions(path, t, strings.Split(entry, ","))
	}
}

// renamed gives options from an AICTAIL_ variable the name of their source, for the
// name of a variable does not keep the - that is in every source's. Options that the
// file has under that name are not in the way: the variable would have found them.
func (v *validator) renamed(path string, t *Tenant) {
	for _, name := range slices.Sorted(maps.Keys(t.SourceOptions)) {
		if v.created[below(path, name)] == "" || slices.Contains(t.names(), name) {
			continue
		}
		source := strings.ReplaceAll(name, "_", "-")
		if i := slices.IndexFunc(t.names(), func(s string) bool { return folded(s) == folded(name) }); i >= 0 {
			source = t.names()[i]
		} else if !t.Discover() {
			continue
		}
		if source == name {
			continue
		}
		t.SourceOptions[source] = t.SourceOptions[name]
		delete(t.SourceOptions, name)
		v.move(below(path, name), below(path, source))
	}
}

// optionsName checks that options name a source that is read.
func (v *validator) optionsName(key, name string, sources []string) {
	switch {
	case strings.Contains(name, ","):
		v.add(key, "want a single source: give those that share an entry the same options, one by one")
	case name == "all":
		v.add(key, "want the name of a source; what is for all of them stands one level up, beside source_options")
	case !isSource(name):
		v.add(key, "want the name of a source, such as am-access")
	case len(sources) == 0 || slices.Contains(sources, "all") || slices.Contains(sources, name):
		// Known, or not to be known before the tenant is asked or sources is mended.
	default:
		if meant := closest(name, sources); meant != "" {
			v.add(key, "is not in sources; did you mean %s?", meant)
			return
		}
		v.add(key, "is not in sources: add it there, or remove it here")
	}
}

// sameOptions finds sources that cannot share an entry, since one sweep serves all of
// it. It names as few as have to leave.
func (v *validator) sameOptions(path string, t *Tenant, entry []string) {
	reported := map[string]bool{}
	for _, name := range entry {
		if _, own := t.SourceOptions[name]; !own {
			continue
		}
		i := slices.IndexFunc(entry, func(other string) bool {
			return !reported[other] && t.SweepOf(other) != t.SweepOf(name)
		})
		if i >= 0 {
			reported[name] = true
			v.add(below(path, name), "shares an entry with %s: give it an entry of its own", entry[i])
		}
	}
}

// sweepOff warns of what is forwarded without a promise that it is all.
func (v *validator) sweepOff(key string, t *Tenant) {
	entries := t.Entries()
	if t.Discover() {
		// No source is called all: it stands for those without options.
		entries = append([]string{"all"}, slices.Sorted(maps.Keys(t.SourceOptions))...)
	}
	off := slices.DeleteFunc(entries, func(entry string) bool { return t.SweepOf(entry).Mode != "off" })
	if len(off) == 0 {
		return
	}
	msg := "off for " + strings.Join(off, ", ") + ": what the tail leaves out, or what the tenant logs while aictail is down, is not fetched later"
	if t.Start != "now" {
		msg += ", and start has no effect"
	}
	v.warn(key, msg)
}
