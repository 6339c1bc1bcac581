package filter

import (
	"bytes"
	"fmt"

	"aictail"
)

// level is how serious an entry is. AM and the audit log use the names of
// slf4j, IDM's debug log those of java.util.logging; the two are put in one order,
// as SLF4J's own bridge between them does, except that CONFIG and FINER keep
// their place between their neighbours.
type level int

const (
	noLevel    level = iota
	levelTrace       // TRACE, FINEST
	levelFiner
	levelDebug // DEBUG, FINE
	levelConfig
	levelInfo
	levelWarning // WARN, WARNING
	levelSevere  // ERROR, SEVERE
)

// parseLevel returns the level of a name in capitals, or noLevel.
func parseLevel(name []byte) level {
	switch string(name) {
	case "TRACE", "FINEST":
		return levelTrace
	case "FINER":
		return levelFiner
	case "DEBUG", "FINE":
		return levelDebug
	case "CONFIG":
		return levelConfig
	case "INFO":
		return levelInfo
	case "WARN", "WARNING":
		return levelWarning
	case "ERROR", "SEVERE":
		return levelSevere
	}
	return noLevel
}

func newLevels(names map[string]string) (map[string]level, error) {
	levels := map[string]level{}
	for source, name := range names {
		l := parseLevel([]byte(name))
		if l == noLevel {
			return nil, fmt.Errorf("%s: %q is not a level", source, name)
		}
		levels[source] = l
	}
	return levels, nil
}

// levelOf returns the event's level: that in the member "level" of a payload, or
// that of the java.util.logging record that a text is. An event without a level
// that is known has none, so no least level drops it.
func (d *dropper) levelOf(e *aictail.Event) level {
	payload := e.PayloadBytes()
	if len(payload) > 1 && payload[0] == '"' {
		return levelOfText(payload[1 : len(payload)-1])
	}
	return parseLevel(d.matcher.Text(d.fields.level))
}

// levelOfText returns the level in a record of java.util.logging, as it stands in
// the JSON: a header with the time, the class and the method, and in the next line
// the level, a colon and the message. The level's line can also come alone.
func levelOfText(text []byte) level {
	if isRecordHeader(text) {
		// There is no backslash in the name of a class or method.
		_, rest, found := bytes.Cut(text, []byte(`\n`))
		if !found {
			return noLevel
		}
		text = rest
	}
	const longest = len("WARNING:")
	end := bytes.IndexByte(text[:min(len(text), longest)], ':')
	if end < 0 || end+1 < len(text) && text[end+1] != ' ' && text[end+1] != '\\' {
		return noLevel
	}
	switch string(text[:end]) {
	case "SEVERE", "WARNING", "INFO", "CONFIG", "FINE", "FINER", "FINEST":
		return parseLevel(text[:end])
	}
	return noLevel // WARN:, ERROR: and the like are anybody's text
}

// isRecordHeader recognises "Dec 05, 2022 ", with which a header begins.
func isRecordHeader(text []byte) bool {
	const form = "Jan 00, 0000 "
	if len(text) < len(form) || bytes.Index([]byte("JanFebMarAprMayJunJulAugSepOctNovDec"), text[:3])%3 != 0 {
		return false
	}
	for i := 3; i < len(form); i++ {
		digit := text[i] >= '0' && text[i] <= '9'
		if form[i] == '0' && !digit || form[i] != '0' && text[i] != form[i] {
			return false
		}
	}
	return true
}
