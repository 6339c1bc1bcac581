package config

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"time"
)

// masked stands wherever a secret would be printed.
const masked = "[secret]"

// Secret is a text that is not to be seen. Only Value gives it; every fmt verb,
// JSON, YAML, zap and slog show "[secret]".
type Secret struct {
	// A pointer, because fmt does not call methods on the unexported fields of
	// whoever holds a Secret: it prints an address there instead of the text.
	text *string
}

// NewSecret returns text as a Secret; "" is the zero Secret.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{text: &text}
}

// Value returns the secret itself, "" for the zero Secret.
func (s Secret) Value() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsZero says whether there is no secret.
func (s Secret) IsZero() bool { return s.text == nil }

// Equal says whether both hold the same text.
func (s Secret) Equal(other Secret) bool { return s.Value() == other.Value() }

// String returns the mask, or "" for the zero Secret.
func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return masked
}

// Format implements fmt.Formatter: all verbs and flags print the mask.
func (s Secret) Format(f fmt.State, _ rune) {
	// fmt keeps the error of a failed write itself.
	_, _ = f.Write([]byte(s.String()))
}

// MarshalText implements encoding.TextMarshaler, which JSON, YAML and zap use.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Bytes is a number of bytes, written as 1000, 64KB or 10GiB.
type Bytes int64

type byteUnit struct {
	name string
	size int64
}

// byteUnits lists the units, the largest first and the binary ones before their
// neighbours, which is the order in which String looks for one that fits.
func byteUnits() []byteUnit {
	return []byteUnit{
		{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
		{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3},
		{"B", 1},
	}
}

// String returns the size with the largest unit that divides it; ParseBytes
// gives the same size back.
func (b Bytes) String() string {
	if b <= 0 {
		return strconv.FormatInt(int64(b), 10)
	}
	for _, u := range byteUnits() {
		if u.size > 1 && int64(b)%u.size == 0 {
			return strconv.FormatInt(int64(b)/u.size, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(b), 10)
}

// MarshalText implements encoding.TextMarshaler.
func (b Bytes) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// ParseBytes reads a size: a whole number, with or without a unit, the unit in
// upper or lower case. The error does not repeat the text.
func ParseBytes(text string) (Bytes, error) {
	text = strings.TrimSpace(text)
	digits := 0
	for digits < len(text) && text[digits] >= '0' && text[digits] <= '9' {
		digits++
	}
	unit := strings.TrimSpace(text[digits:])
	if digits == 0 {
		return 0, errors.New("want a size such as 10GiB")
	}
	n, err := strconv.ParseInt(text[:digits], 10, 64)
	if err != nil {
		return 0, errors.New("the size is too large")
	}
	if unit == "" {
		return Bytes(n), nil
	}
	for _, u := range byteUnits() {
		if !strings.EqualFold(unit, u.name) {
			continue
		}
		if n > math.MaxInt64/u.size {
			return 0, errors.New("the size is too large")
		}
		return Bytes(n * u.size), nil
	}
	return 0, errors.New("want a size such as 10GiB: a whole number with B, KB, MB, GB, TB, KiB, MiB, GiB or TiB")
}

// parseDuration reads a duration in Go's syntax, with days in front if wanted: 90s,
// 1h30m, 30d, 1d12h. The error does not repeat the text.
func parseDuration(text string) (time.Duration, error) {
	text = strings.TrimSpace(text)
	if _, err := strconv.ParseFloat(text, 64); err == nil && text != "0" {
		return 0, errors.New("give a unit, such as 30s")
	}
	var days time.Duration
	if head, rest, found := strings.Cut(text, "d"); found {
		n, err := strconv.ParseUint(head, 10, 31)
		if err != nil {
			return 0, errors.New("want a duration such as 30s, 1h30m or 30d")
		}
		if n > uint64(math.MaxInt64/(24*time.Hour)) {
			return 0, errors.New("the duration is too long")
		}
		days = time.Duration(n) * 24 * time.Hour
		if rest == "" {
			return days, nil
		}
		text = rest
	}
	d, err := time.ParseDuration(text)
	if err != nil || days > 0 && d < 0 {
		return 0, errors.New("want a duration such as 30s, 1h30m or 30d")
	}
	if days > math.MaxInt64-max(d, 0) {
		return 0, errors.New("the duration is too long")
	}
	return days + d, nil
}

// ParseSince reads a moment in the past as it is given on the command line: a
// duration back from now, such as 2h or 30d, or a time in RFC 3339.
func ParseSince(text string, now time.Time) (time.Time, error) {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		back, err := parseDuration(text)
		if err != nil || back <= 0 {
			return time.Time{}, errors.New("want a duration back such as 2h or 7d, or a time such as 2026-01-31T00:00:00Z")
		}
		at = now.Add(-back)
	}
	if at.After(now) {
		return time.Time{}, errors.New("the time is in the future")
	}
	return at.UTC(), nil
}
