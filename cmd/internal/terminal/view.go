// Package terminal shows events to people: one block each, with what matters of it
// in a line, and nothing in it that could act on a terminal. It owns what is read
// out of an event for that and how it looks; where events come from, and whether
// they are redacted, is for its callers. The filter package has its own reading of
// levels, which decides what is dropped; this one only decides what is shown.
package terminal

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"aictail"
)

// View is what people are shown of an event. Its texts are as the event has them
// and not yet fit for a terminal.
type View struct {
	Time   time.Time
	Source string
	// Level is the event's level and LevelName how the event calls it, "" if it has
	// none.
	Level     Level
	LevelName string
	// Name is the logger, or the name of an audit event.
	Name string
	// Transaction is the transaction id; its part before the slash is common to all
	// events of one request.
	Transaction string

	summary []piece
	detail  []string // lines that follow: the rest of a message, a stack trace
}

// piece is a part of a summary.
type piece struct {
	text string
	look look
}

// maxSummary bounds what is shown of a payload that nothing is known of, in bytes.
const maxSummary = 1000

// Read returns the view of an event.
func Read(e *aictail.Event) View {
	v := View{Time: e.Time, Source: e.Source}
	payload := bytes.TrimSpace(e.PayloadBytes())
	switch {
	case len(payload) == 0:
		v.summary = whole(e.Raw)
	case payload[0] == '"':
		var text string
		if json.Unmarshal(payload, &text) != nil {
			v.summary = whole(payload)
			break
		}
		v.readText(text)
	default:
		v.readObject(parseObject(payload), payload)
	}
	return v
}

// Rank returns the level by which an event is chosen. Of one without a level, a
// stack trace counts as Severe and anything else as Info.
func (v *View) Rank() Level {
	switch {
	case v.Level != NoLevel:
		return v.Level
	case v.hasTrace():
		return Severe
	}
	return Info
}

func (v *View) hasTrace() bool {
	for _, line := range v.detail {
		if strings.HasPrefix(strings.TrimLeft(line, " \t"), "at ") {
			return true
		}
	}
	return false
}

// InTransaction tells whether the event belongs to a transaction, of which id is
// one of the ids: only the part before the slash counts.
func (v *View) InTransaction(id string) bool {
	wanted, _, _ := strings.Cut(id, "/")
	own, _, _ := strings.Cut(v.Transaction, "/")
	return wanted != "" && own == wanted
}

func (v *View) readObject(p object, payload []byte) {
	v.LevelName = p.text("level")
	v.Level = ParseLevel(v.LevelName)
	v.Transaction = p.text("transactionId")
	if v.Transaction == "" {
		v.Transaction = p.in("mdc").text("transactionId")
	}
	if v.Name = p.text("logger"); v.Name == "" {
		v.Name = p.text("eventName")
	}
	v.summary = summarize(v.topic(p), p)
	if len(v.summary) == 0 || strings.HasSuffix(v.Source, "-core") {
		v.readMessage(p)
	}
	if len(v.summary) == 0 && len(v.detail) == 0 && v.Name == "" {
		v.summary = whole(payload)
	}
}

// topic returns the kind of an audit event, or "" for a debug event.
func (v *View) topic(p object) string {
	if topic := p.text("topic"); topic != "" {
		return topic
	}
	_, topic, _ := strings.Cut(v.Source, "-")
	if topic == "core" || topic == "everything" {
		return ""
	}
	return topic
}

// readMessage takes message and exception of a debug event.
func (v *View) readMessage(p object) {
	first, rest := lines(p.text("message"))
	exception, trace := lines(p.text("exception"))
	v.summary = plain(first)
	v.detail = rest
	if exception != "" {
		v.detail = append(append(v.detail, exception), trace...)
	}
	// What scripts and IDM log as objects has more to say than its message.
	if p.text("logger") == "" && v.Level == NoLevel {
		for _, key := range []string{"name", "target", "type"} {
			if value := p.text(key); value != "" {
				v.summary = append(v.summary, piece{text: key + "=" + value})
			}
		}
	}
}

// readText takes a record of java.util.logging apart: a header with time, class and
// method, a line with the level and the message, and lines that follow. Any other
// text is shown as it is.
func (v *View) readText(text string) {
	first, rest := lines(text)
	if name, ok := recordHeader(first); ok {
		v.Name = name
		first = ""
		if len(rest) > 0 {
			first, rest = rest[0], rest[1:]
		}
	}
	if level, message, ok := strings.Cut(first, ":"); ok && isRecordLevel(level) {
		v.LevelName, v.Level = level, ParseLevel(level)
		first = strings.TrimPrefix(message, " ")
	}
	v.summary, v.detail = plain(first), rest
}

// recordHeader returns the class and method in a header such as
// "Dec 05, 2022 8:01:34 PM org.forgerock.openidm.x.Y method".
func recordHeader(line string) (name string, ok bool) {
	// Java 20 and later write a narrow no-break space before AM and PM.
	fields := strings.Fields(strings.ReplaceAll(line, "\u202f", " "))
	const least = 6 // month, day, year, time, AM or PM, class
	if len(fields) < least {
		return "", false
	}
	if _, err := time.Parse("Jan 02, 2006 3:04:05 PM", strings.Join(fields[:least-1], " ")); err != nil {
		return "", false
	}
	return strings.Join(fields[least-1:], " "), true
}

func isRecordLevel(name string) bool {
	switch name {
	case "SEVERE", "WARNING", "INFO", "CONFIG", "FINE", "FINER", "FINEST":
		return true
	}
	return false
}

// lines returns the first line of a text and those that follow, without empty ones
// at the end.
func lines(text string) (first string, rest []string) {
	text = strings.TrimRight(text, " \t\r\n")
	all := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	return all[0], all[1:]
}

func plain(text string) []piece {
	if text == "" {
		return nil
	}
	return []piece{{text: text}}
}

// whole is the summary of JSON that nothing is known of.
func whole(raw []byte) []piece {
	text := string(raw)
	if len(text) > maxSummary {
		text = strings.ToValidUTF8(text[:maxSummary], "") + "… (--json shows all of it)"
	}
	return plain(text)
}
