package simulator

import (
	"encoding/json"
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

// Text returns what a payload says: an object's bytes, or a string's content.
func Text(payload []byte) string {
	var s string
	if len(payload) == 0 || payload[0] != '"' || json.Unmarshal(payload, &s) != nil {
		return string(payload)
	}
	return s
}
