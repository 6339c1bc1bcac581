package simulator

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Options says what tenant to simulate. The zero value is a quiet tenant with
// the documented sources and limits that accepts every key.
type Options struct {
	// Key and Secret are the only ones accepted; an empty one stands for any
	// value that is not empty.
	Key, Secret string
	// Sources are the log sources on offer; nil: the 18 of the documentation. A
	// name that ends in "-everything" is a view over the others with its prefix.
	Sources []string

	// Limit is the number of requests a minute; 0: DefaultLimit.
	Limit int
	// TailCap is the most entries in one tail answer; 0: DefaultTailCap.
	TailCap int
	// TailSkips makes a tail answer that would exceed TailCap hold the newest
	// entries and leave the older ones out for good, instead of the oldest.
	TailSkips bool
	// ShowLast makes tail return the very latest entry too. A real tenant holds
	// it back until another one follows.
	ShowLast bool

	// Rate is the number of live events per second over all sources; 0: none.
	Rate float64
	// SplitShare is the share of live events that are stored as several
	// plaintext entries, 0 to 1.
	SplitShare float64
	// LateShare is the share of live events that appear only after a delay.
	LateShare float64
	// LateBy is the longest such delay; the shortest is half of it. 0:
	// DefaultLateBy.
	LateBy time.Duration

	// OmitSource leaves "source" out of the entries when only one source is asked
	// for. Replayed entries stay as they are in their file.
	OmitSource bool
	// MissingCookie is the share of tail answers without a cookie, 0 to 1.
	MissingCookie float64

	// Retention is how long entries are kept; 0: DefaultRetention.
	Retention time.Duration
	// MaxEntries is how many entries are kept, the newest; 0: DefaultMaxEntries.
	MaxEntries int
	// Ledger keeps entries in the ledger that Retention or MaxEntries removed
	// from the tenant. Memory then grows without bound.
	Ledger bool

	// Seed determines the content of the live events and the chances taken.
	Seed uint64
	// Now is the tenant's clock; nil: time.Now. It must be safe for concurrent use.
	Now func() time.Time
}

const (
	// DefaultLimit is the limit in the vendor's documentation. A limit of 28 was
	// captured on a real tenant.
	DefaultLimit = 60
	// DefaultTailCap is the documented number of lines of a tail answer.
	DefaultTailCap = 15_000
	// DefaultLateBy exceeds the ten seconds that a collector was seen to wait
	// without getting everything.
	DefaultLateBy = 20 * time.Second
	// DefaultRetention is the documented 30 days.
	DefaultRetention = 30 * 24 * time.Hour
	// DefaultMaxEntries bounds the memory to some 500 MB: an entry takes about
	// 1 KiB.
	DefaultMaxEntries = 500_000
)

// everything ends the name of a source that is a view over others.
const everything = "-everything"

// documentedSources returns the sources in the vendor's documentation.
func documentedSources() []string {
	return []string{
		"am-access", "am-activity", "am-authentication", "am-config", "am-core", "am-everything",
		"idm-access", "idm-activity", "idm-authentication", "idm-config", "idm-core", "idm-everything",
		"idm-recon", "idm-sync",
		"ws-activity", "ws-config", "ws-core", "ws-everything",
	}
}

// withDefaults checks o and returns it with its defaults filled in.
func (o Options) withDefaults() (Options, error) {
	for _, n := range []struct {
		name  string
		value float64
	}{{"Limit", float64(o.Limit)}, {"TailCap", float64(o.TailCap)}, {"MaxEntries", float64(o.MaxEntries)},
		{"Rate", o.Rate}, {"LateBy", float64(o.LateBy)}, {"Retention", float64(o.Retention)}} {
		if !(n.value >= 0) || n.value > 1<<62 {
			return o, fmt.Errorf("simulator option %s is %v: must not be negative", n.name, n.value)
		}
	}
	for _, s := range []struct {
		name  string
		value float64
	}{{"SplitShare", o.SplitShare}, {"LateShare", o.LateShare}, {"MissingCookie", o.MissingCookie}} {
		if !isShare(s.value) {
			return o, fmt.Errorf("simulator option %s is %v: must be a share from 0 to 1", s.name, s.value)
		}
	}
	if o.Sources == nil {
		o.Sources = documentedSources()
	}
	o.Sources = slices.Clone(o.Sources)
	for i, name := range o.Sources {
		if !validSource(name) {
			return o, fmt.Errorf("simulator option Sources: %q is no source name: use small letters, digits, - and _", name)
		}
		if slices.Contains(o.Sources[:i], name) {
			return o, fmt.Errorf("simulator option Sources: %q is named twice", name)
		}
	}
	setDefault(&o.Limit, DefaultLimit)
	setDefault(&o.TailCap, DefaultTailCap)
	setDefault(&o.MaxEntries, DefaultMaxEntries)
	setDefault(&o.LateBy, DefaultLateBy)
	setDefault(&o.Retention, DefaultRetention)
	if o.Now == nil {
		o.Now = time.Now
	}
	return o, nil
}

func setDefault[T comparable](value *T, standard T) {
	var zero T
	if *value == zero {
		*value = standard
	}
}

// isShare is false for NaN too.
func isShare(v float64) bool { return v >= 0 && v <= 1 }

// validSource keeps out what could not stand in a comma separated list or would
// need escaping in an entry.
func validSource(name string) bool {
	const allowed = "abcdefghijklmnopqrstuvwxyz0123456789-_"
	return name != "" && len(name) <= 100 && strings.Trim(name, allowed) == ""
}
