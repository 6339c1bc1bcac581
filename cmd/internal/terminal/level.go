package terminal

import "strings"

// Level is how serious an event is. AM and the audit log use the names of slf4j,
// IDM's debug log those of java.util.logging; the two are put in one order.
type Level int

// The levels, the least serious first.
const (
	NoLevel Level = iota // it has none that is known
	Trace                // TRACE, FINEST
	Finer                // FINER
	Debug                // DEBUG, FINE
	Config               // CONFIG
	Info                 // INFO
	Warning              // WARN, WARNING
	Severe               // ERROR, SEVERE, FATAL
)

// LevelNames is what ParseLevel takes, for messages to people.
const LevelNames = "TRACE, DEBUG, INFO, WARN or ERROR, or FINEST, FINER, FINE, CONFIG, INFO, WARNING or SEVERE"

// ParseLevel returns the level of a name of either vocabulary, in any case, or
// NoLevel.
func ParseLevel(name string) Level {
	switch strings.ToUpper(name) {
	case "TRACE", "FINEST":
		return Trace
	case "FINER":
		return Finer
	case "DEBUG", "FINE":
		return Debug
	case "CONFIG":
		return Config
	case "INFO":
		return Info
	case "WARN", "WARNING":
		return Warning
	case "ERROR", "SEVERE", "FATAL":
		return Severe
	}
	return NoLevel
}
