package config

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"
)

// retention is how long a tenant keeps its logs, by the vendor's documentation.
const retention = 30 * 24 * time.Hour

// Discover says whether the tenant is to be asked for its sources, all of which
// are to be read. SourceOptions may then name sources that it does not have.
func (t Tenant) Discover() bool { return len(t.Sources) == 1 && t.Sources[0] == "all" }

// Entries returns the source entries that are to be read: those of Sources without
// the sources that another one of them contains, such as am-access beside
// am-everything. It returns nil if Discover says that the tenant is to be asked.
func (t Tenant) Entries() []string {
	if t.Discover() {
		return nil
	}
	all := t.names()
	var entries []string
	for _, entry := range t.Sources {
		own := slices.DeleteFunc(strings.Split(entry, ","), func(name string) bool {
			return slices.Contains(all, collective(name))
		})
		if len(own) > 0 {
			entries = append(entries, strings.Join(own, ","))
		}
	}
	return entries
}

// names returns the sources of all entries.
func (t Tenant) names() []string {
	var all []string
	for _, entry := range t.Sources {
		all = append(all, strings.Split(entry, ",")...)
	}
	return all
}

// collective returns the source that contains the named one, whether or not the
// tenant has it, or "" if there can be none.
func collective(name string) string {
	product, rest, _ := strings.Cut(name, "-")
	if !slices.Contains([]string{"am", "idm", "ws"}, product) || rest == "everything" || rest == "" {
		return ""
	}
	return product + "-everything"
}

// SweepOf returns what holds for an entry, one source or several separated by
// commas. All sources of one of the Entries have the same. Whoever makes entries of
// discovered sources must see to that: the first source decides.
func (t Tenant) SweepOf(entry string) Sweep {
	name, _, _ := strings.Cut(entry, ",")
	own := t.SourceOptions[name].Sweep
	return Sweep{Mode: cmp.Or(own.Mode, t.Sweep.Mode), Settle: cmp.Or(own.Settle, t.Sweep.Settle)}
}

// StartTime returns where an installation begins that is new at the given time. It is
// in UTC, not after now and not more than 30 days before: the tenant keeps no more.
func (t Tenant) StartTime(now time.Time) time.Time {
	now = now.UTC()
	start, err := parseStart(t.Start)
	if err != nil {
		return now // Load refuses it
	}
	at := start.at
	if at.IsZero() {
		at = now.Add(-start.back)
	}
	switch oldest := now.Add(-retention); {
	case at.Before(oldest):
		return oldest
	case at.After(now):
		return now
	}
	return at.UTC()
}

// startPoint is a start: a time, or if that is zero a duration back from now.
type startPoint struct {
	at   time.Time
	back time.Duration
}

// parseStart reads a start. The error does not repeat the text.
func parseStart(text string) (startPoint, error) {
	if text == "now" {
		return startPoint{}, nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil && !at.IsZero() {
		return startPoint{at: at}, nil
	}
	back, err := parseDuration(text)
	if err != nil {
		return startPoint{}, errors.New("want now, a duration back such as 24h or 30d, or a time such as 2026-01-31T00:00:00Z")
	}
	return startPoint{back: back}, nil
}
