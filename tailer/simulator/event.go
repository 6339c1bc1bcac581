package simulator

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Event is a logical event: what the entries of one event say together.
type Event struct {
	Source string
	// Text is the payload: an object as it was before it was split, or the lines of
	// a log record.
	Text string
	// First and Last bound the timestamps of its entries.
	First, Last time.Time
	// Entries is the number of entries, and Tailed how many of them were in a tail
	// answer that was written whole.
	Entries, Tailed int
	// Parts are the texts of the entries.
	Parts []string
}

// Events returns the logical events of the ledger.
func (t *Tenant) Events() []Event {
	groups := map[uint64][]Record{}
	var order []uint64
	for _, r := range t.Ledger() {
		if groups[r.Event] == nil {
			order = append(order, r.Event)
		}
		groups[r.Event] = append(groups[r.Event], r)
	}
	events := make([]Event, 0, len(order))
	for _, id := range order {
		events = append(events, whole(groups[id]))
	}
	return events
}

func whole(records []Record) Event {
	slices.SortStableFunc(records, func(a, b Record) int { return a.Time.Compare(b.Time) })
	e := Event{
		Source: records[0].Source, Entries: len(records),
		First: records[0].Time, Last: records[len(records)-1].Time,
	}
	texts := make([]string, len(records))
	for i, r := range records {
		texts[i] = Text(r.Payload)
		if len(records) > 1 && texts[0] != "" && texts[0][0] != '{' {
			// Some loggers end their lines, some do not: no matter once they are joined.
			texts[i] = strings.TrimRight(texts[i], "\r\n")
		}
		if r.Tailed > 0 {
			e.Tailed++
		}
	}
	separator := "\n"
	if strings.HasPrefix(texts[0], "{") {
		separator = "" // the parts of an object
	}
	e.Text, e.Parts = strings.Join(texts, separator), texts
	return e
}

// Difference is what a receiver lacks of the logical events, or has too much.
type Difference struct {
	Events  int // logical events of the tenant
	InParts int // of these, there part by part because nobody can tell how they belong together
	// Missing are events that are not there or not whole, and Surplus texts that are
	// there without need; Examples are some of both, cut short.
	Missing, Surplus int
	Examples         []string
}

// OK tells whether the receiver has every event once and whole.
func (d Difference) OK() bool { return d.Missing+d.Surplus == 0 && d.Events > 0 }

// String says what is wrong.
func (d Difference) String() string {
	return fmt.Sprintf("of %d logical events %d are missing or not whole, and %d are too many: %s",
		d.Events, d.Missing, d.Surplus, strings.Join(d.Examples, "; "))
}

// Compare holds the texts of the events that a receiver has, with how often it has
// each, against the ledger. Only where two split events of one source overlap, so
// that their parts can be put together in several ways, may they be in parts. It
// takes from got.
func (t *Tenant) Compare(got map[string]int) Difference {
	events := t.Events()
	d := Difference{Events: len(events)}
	// Different events may have the same text: those that cannot be in parts first.
	slices.SortStableFunc(events, func(a, b Event) int { return a.Entries - b.Entries })
	split := slices.DeleteFunc(slices.Clone(events), func(e Event) bool { return !e.isSplit() })
	for i := range events {
		e := &events[i]
		switch {
		case got[e.Text] > 0:
			got[e.Text]--
		case e.isSplit() && slices.ContainsFunc(split, e.overlaps) && takeParts(got, e.Parts):
			d.InParts++
		default:
			d.Missing++
			d.example("missing", e.Source+" "+e.Text)
		}
	}
	for text, n := range got {
		if n > 0 {
			d.Surplus += n
			d.example("too many", text)
		}
	}
	return d
}

func (d *Difference) example(what, text string) {
	const most, long = 10, 200
	if len(d.Examples) < most {
		d.Examples = append(d.Examples, fmt.Sprintf("%s: %.*s", what, long, text))
	}
}

func (e *Event) isSplit() bool { return e.Entries > 1 && e.Text[0] == '{' }

// overlaps tells whether another event of the source was written at the same time.
func (e *Event) overlaps(o Event) bool {
	return o.Source == e.Source && o.Text != e.Text && !o.First.After(e.Last) && !e.First.After(o.Last)
}

// takeParts takes all parts out of the counts, or none.
func takeParts(got map[string]int, parts []string) bool {
	for i, p := range parts {
		if got[p] == 0 {
			for _, q := range parts[:i] {
				got[q]++
			}
			return false
		}
		got[p]--
	}
	return true
}

// Text returns what a payload says: an object's bytes, or a string's content.
func Text(payload []byte) string {
	var s string
	if len(payload) == 0 || payload[0] != '"' || json.Unmarshal(payload, &s) != nil {
		return string(payload)
	}
	return s
}
