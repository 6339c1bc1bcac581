package assemble

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"aictail/tailer/aic"
)

// source is what is open of one log source.
type source struct {
	name     string
	jsonOnly bool

	// Split JSON: the open parts, each in a slot of its own whose bit stands for
	// it in masks, and the ways of putting them together so far.
	parts     [maxParts]*held
	used      uint64 // slots in use
	chains    []*chain
	newest    time.Time // no part has a later timestamp
	lastPart  time.Time // real time of the last part
	unsettled bool      // a chain became complete since the last settle
	passed    time.Time // no text that might have been a part was passed on later

	records
}

// maxParts is the number of parts that one source may have open: the bits of a
// mask. Events of more than a few parts are not known.
const maxParts = 64

// maxSources bounds the memory for sources that have nothing open: ten times
// those that any tenant is known to have.
const maxSources = 256

// find returns the state of a source, or nil if it has none.
func (a *Assembler) find(name string) *source {
	if a.last != nil && a.last.name == name {
		return a.last
	}
	for _, s := range a.sources {
		if s.name == name {
			a.last = s
			return s
		}
	}
	return nil
}

// source returns the state of a source.
func (a *Assembler) source(name string) *source {
	if s := a.find(name); s != nil {
		return s
	}
	if len(a.sources) >= maxSources {
		a.sources = slices.DeleteFunc(a.sources, func(s *source) bool { return s.idle() })
	}
	a.last = &source{name: strings.Clone(name), jsonOnly: logsOnlyJSON(name)}
	a.sources = append(a.sources, a.last)
	return a.last
}

// logsOnlyJSON reports whether a source is one of the audit logs, in which all
// plaintext is split JSON.
func logsOnlyJSON(name string) bool {
	family, topic, _ := strings.Cut(name, "-")
	switch family {
	case "am", "idm", "ws":
	default:
		return false
	}
	switch topic {
	case "access", "activity", "authentication", "config", "recon", "sync":
		return true
	}
	return false
}

func (s *source) idle() bool { return s.used == 0 && s.records.idle() }

// each calls f for every entry held.
func (s *source) each(f func(*held)) {
	for _, h := range s.parts {
		if h != nil {
			f(h)
		}
	}
	s.records.each(f)
}

// oldest returns the entry that has been held for longest.
func (a *Assembler) oldest() *held {
	var first *held
	for _, s := range a.sources {
		s.each(func(h *held) {
			if first == nil || h.seq < first.seq {
				first = h
			}
		})
	}
	return first
}

// release gives up on an entry, and on the record it is in. With flush, nothing
// more is expected, and a record is complete as it is.
func (a *Assembler) release(dst []Event, h *held, flush bool) []Event {
	s := a.find(h.Source)
	if slot := slices.Index(s.parts[:], h); slot >= 0 {
		return a.giveUp(dst, s, slot)
	}
	return a.releaseLine(dst, s, h, flush)
}

// advance tells the source that an entry with timestamp t comes next.
func (a *Assembler) advance(dst []Event, s *source, t time.Time) []Event {
	if t.IsZero() {
		return dst
	}
	if s.used != 0 {
		dst = a.advanceParts(dst, s, t)
	}
	return a.advanceLines(dst, s, t)
}

// addText takes a plaintext entry.
func (a *Assembler) addText(dst []Event, e *aic.Entry, inside []byte) []Event {
	s := a.source(e.Source)
	dst = a.advance(dst, s, e.Time)
	text := inside
	if bytes.IndexByte(inside, '\\') >= 0 {
		a.text = unescape(a.text[:0], inside)
		text = a.text
	}
	f := plainLine
	if !s.jsonOnly {
		f = formOf(text)
	}
	role := a.roleOf(s, e, text, f)
	switch role {
	case rolePart, roleWeakPart:
		return a.openPart(dst, s, a.keep(e, text), role == rolePart)
	case roleSingle:
		s.pass(e.Time)
		return append(dst, Event{Entry: *e, Parts: 1})
	}
	if f == plainLine {
		s.pass(e.Time)
	}
	return a.line(dst, s, f, e)
}

// pass notes that a text which might have been a part was passed on.
func (s *source) pass(t time.Time) {
	if t.After(s.passed) {
		s.passed = t
	}
}
