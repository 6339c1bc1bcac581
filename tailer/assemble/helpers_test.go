package assemble

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"aictail"
	"aictail/tailer/aic"
)

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// escape writes a text as the inside of a JSON string, bytes that are no UTF-8
// as they are.
func escape(text string) string {
	var b strings.Builder
	for i := range len(text) {
		switch x := text[i]; {
		case x == '"' || x == '\\':
			b.WriteByte('\\')
			b.WriteByte(x)
		case x == '\n':
			b.WriteString(`\n`)
		case x == '\t':
			b.WriteString(`\t`)
		case x < ' ':
			b.WriteString(`\u00`)
			b.WriteByte("0123456789abcdef"[x>>4])
			b.WriteByte("0123456789abcdef"[x&15])
		default:
			b.WriteByte(x)
		}
	}
	return b.String()
}

// entry makes an entry with the payload as it is to stand in Raw.
func entry(source, payload string, at time.Duration) aic.Entry {
	typ := "application/json"
	if payload[0] == '"' {
		typ = "text/plain"
	}
	when := epoch.Add(at)
	raw := `{"payload":` + payload + `,"timestamp":"` + when.Format(time.RFC3339Nano) + `","type":"` + typ + `"`
	if source != "" {
		raw += `,"source":"` + source + `"`
	}
	start := len(`{"payload":`)
	return aic.Entry{
		Raw: []byte(raw + "}"), Payload: aictail.Span{Start: start, End: start + len(payload)},
		Time: when, Source: source, Type: typ,
	}
}

func line(source, text string, at time.Duration) aic.Entry {
	return entry(source, `"`+escape(text)+`"`, at)
}

// lines makes entries a microsecond apart.
func lines(source string, texts ...string) []aic.Entry {
	var es []aic.Entry
	for i, text := range texts {
		es = append(es, line(source, text, time.Duration(i)*time.Microsecond))
	}
	return es
}

// keep copies events out of the assembler's memory.
func keep(events []Event) []Event {
	kept := slices.Clone(events)
	for i := range kept {
		e := &kept[i]
		e.Raw, e.ID = bytes.Clone(e.Raw), bytes.Clone(e.ID)
	}
	return kept
}

// run adds the entries in calls of n and flushes. The entries' bytes are
// overwritten after each call, as a page's buffer is.
func run(a *Assembler, entries []aic.Entry, n func() int) []Event {
	var all []Event
	for len(entries) > 0 {
		size := min(n(), len(entries))
		chunk := slices.Clone(entries[:size])
		for i := range chunk {
			chunk[i].Raw = bytes.Clone(chunk[i].Raw)
		}
		all = append(all, keep(a.Add(nil, chunk, epoch))...)
		for i := range chunk {
			clear(chunk[i].Raw)
		}
		entries = entries[size:]
	}
	return append(all, keep(a.Flush(nil))...)
}

func atOnce() int { return 1 << 30 }

// textOf returns the payload's text: a string's inside, or the JSON.
func textOf(e *Event) string {
	p := e.Payload.Of(e.Raw)
	if len(p) > 0 && p[0] == '"' {
		return string(unescape(nil, p[1:len(p)-1]))
	}
	return string(p)
}

// show renders events as "outcome parts text".
func show(events []Event) []string {
	var all []string
	for i := range events {
		all = append(all, events[i].Outcome.String()+" "+textOf(&events[i]))
	}
	return all
}

// checkEvent checks what must be true of every event.
func checkEvent(t interface {
	Helper()
	Errorf(string, ...any)
}, e *Event) {
	t.Helper()
	var got struct {
		Payload json.RawMessage
		Source  string
		Type    string
		Mark    string `json:"aictail"`
	}
	if err := json.Unmarshal(e.Raw, &got); err != nil || bytes.ContainsAny(e.Raw, "\n\r\t") {
		t.Errorf("raw is not one line of JSON: %q: %v", e.Raw, err)
	}
	if p := e.Payload.Of(e.Raw); utf8.Valid(p) && !bytes.Equal(p, got.Payload) {
		t.Errorf("the payload is %q, its span has %q", got.Payload, p)
	}
	if got.Source != e.Source || got.Type != e.Type || (got.Mark == "fragment") != (e.Outcome == Loose) {
		t.Errorf("envelope of %s: %+v", e.Outcome, got)
	}
	if e.Outcome != Joined && e.Outcome != Record && e.Parts != 1 || e.Parts < 1 {
		t.Errorf("%s of %d parts", e.Outcome, e.Parts)
	}
}

// validObject is encoding/json's opinion on a text, with the rule on keys.
func validObject(text []byte) bool {
	if !utf8.Valid(text) || !json.Valid(text) || len(bytes.TrimLeft(text, " \t\r\n")) == 0 || bytes.TrimLeft(text, " \t\r\n")[0] != '{' {
		return false
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var open []map[string]bool // nil for an array
	key := false
	for {
		tok, err := d.Token()
		if err == io.EOF {
			return true
		}
		if err != nil {
			return false
		}
		top := func() map[string]bool {
			if len(open) == 0 {
				return nil
			}
			return open[len(open)-1]
		}
		if delim, ok := tok.(json.Delim); ok {
			switch delim {
			case '{':
				open, key = append(open, map[string]bool{}), true
				continue
			case '[':
				open, key = append(open, nil), false
				continue
			}
			open = open[:len(open)-1]
			key = top() != nil
			continue
		}
		if keys := top(); keys != nil && key {
			if keys[tok.(string)] {
				return false
			}
			keys[tok.(string)] = true
			key = false
			continue
		}
		key = top() != nil
	}
}
