package admin

import (
	"fmt"
	"time"
)

// Status is what the daemon says of itself at one moment.
type Status struct {
	Version      string    `json:"version"`
	Installation string    `json:"installation"`
	Started      time.Time `json:"started"`
	Now          time.Time `json:"now"`
	// CompleteUntil is the time until which every entry of every swept source is in
	// the journal; zero if that is not known.
	CompleteUntil time.Time `json:"complete_until,omitzero"`
	// ConfigRefused says why the configuration file could not be reloaded, so that an
	// older one is in effect; "" if it could.
	ConfigRefused string `json:"config_refused,omitempty"`
	// Reasons say why it is not a moment ago; none if all is as it should be.
	Reasons  []string   `json:"reasons"`
	Tenants  []Tenant   `json:"tenants"`
	Sources  []Source   `json:"sources"`
	Coverage []Coverage `json:"coverage"`
	Journal  Journal    `json:"journal"`
	Sinks    []Sink     `json:"sinks"`
	// Redactions counts the values replaced since the start.
	Redactions uint64 `json:"redactions"`
}

// Tenant is one tenant's part of the status.
type Tenant struct {
	Name string `json:"name"`
	// Trouble says what is wrong; "" if nothing is.
	Trouble string `json:"trouble,omitempty"`
	// Limit is the tenant's rate limit in requests per minute and Remaining what
	// was left of it at the last answer; both 0 if not known.
	Limit     int `json:"rate_limit"`
	Remaining int `json:"rate_limit_remaining"`
}

// Source is one log source's part of the status.
type Source struct {
	Tenant string `json:"tenant"`
	Source string `json:"source"`
	// Events counts what was read since the start.
	Events uint64 `json:"events"`
	// Rate is in events per second over the last minute.
	Rate float64 `json:"rate"`
	// LastEvent is the timestamp of the newest event, by the tenant's clock.
	LastEvent time.Time `json:"last_event"`
	// CompleteUntil is the time until which every entry is in the journal; zero
	// if that is not known.
	CompleteUntil time.Time `json:"complete_until,omitzero"`
}

// Coverage is how far the sweep of one source entry has come.
type Coverage struct {
	Tenant string `json:"tenant"`
	// Sources is the source entry, one source or several with commas.
	Sources string `json:"sources"`
	// Mode is full, gaps or off.
	Mode string `json:"mode"`
	// SettleSeconds is how old time must be before it is swept.
	SettleSeconds float64   `json:"settle_seconds"`
	CompleteUntil time.Time `json:"complete_until,omitzero"`
	// BehindSeconds is the time that remains to be swept.
	BehindSeconds float64 `json:"behind_seconds"`
	// RemainingSeconds is how long that may take; 0 if the sweep is not catching up
	// or nothing is known yet.
	RemainingSeconds float64 `json:"remaining_seconds,omitempty"`
	// Covered is the time that is confirmed, and Missing what is not although it
	// is wanted and has settled. Both ascend.
	Covered []Interval `json:"covered"`
	Missing []Interval `json:"missing"`
}

// Interval is the time after Begin up to and including End.
type Interval struct {
	Begin time.Time `json:"begin"`
	End   time.Time `json:"end"`
}

// Journal is the journal's part of the status; sizes are in bytes.
type Journal struct {
	Bytes    int64 `json:"bytes"`
	MaxBytes int64 `json:"max_bytes"`
	Full     bool  `json:"full"`
	// FullInSeconds is when it will be full if it grows as in the last minute; 0 if
	// it does not grow.
	FullInSeconds float64 `json:"full_in_seconds,omitempty"`
}

// Sink is one sink's part of the status.
type Sink struct {
	Name string `json:"name"`
	Type string `json:"type"`
	// Events counts what the sink has acknowledged since the start.
	Events uint64 `json:"events"`
	// CompleteUntil is the time until which every entry is in this sink; zero if that
	// is not known.
	CompleteUntil time.Time `json:"complete_until,omitzero"`
	// LagSeconds is the age of the oldest event that it has not.
	LagSeconds float64 `json:"lag_seconds"`
	Paused     bool    `json:"paused"`
	// DeadLetters counts the events that it refused and that are kept.
	DeadLetters int `json:"dead_letters"`
	// Trouble says what is wrong; "" if nothing is.
	Trouble string `json:"trouble,omitempty"`
}

// Size prints a number of bytes for people, in binary units.
func Size(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	v, i := float64(n)/unit, 0
	for v >= unit && i < 3 {
		v, i = v/unit, i+1
	}
	return fmt.Sprintf("%.1f %ciB", v, "KMGT"[i])
}
