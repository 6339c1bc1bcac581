package assemble

import (
	"bytes"
	"slices"
	"time"

	"aictail/tailer/aic"
)

// records is what is open of the records of a source. Lines of a record follow
// each other, except that the headers and LEVEL lines of several threads can be
// shuffled: a LEVEL line goes to the oldest header without one.
type records struct {
	waiting []*held // headers without a LEVEL line
	active  *record // the record that further lines go to
	// early is a LEVEL line without a header, which may have the same timestamp
	// and come next, and the lines after it with that timestamp.
	early []*held
	spare *record // a finished one, to be used again
}

// record is an open record: a header with its LEVEL line, or the exception line
// of a stack trace, and the lines that followed.
type record struct {
	lines []*held
	trace bool
	last  time.Time // no line has a later timestamp
}

func (r *records) idle() bool {
	return len(r.waiting) == 0 && r.active == nil && len(r.early) == 0
}

func (r *records) each(f func(*held)) {
	for _, h := range r.waiting {
		f(h)
	}
	for _, h := range r.early {
		f(h)
	}
	if r.active != nil {
		for _, h := range r.active.lines {
			f(h)
		}
	}
}

// near reports whether two lines are close enough for one record.
func near(x, y time.Time) bool { return x.Sub(y).Abs() <= MaxLineGap }

// advanceLines decides what an entry with timestamp t decides.
func (a *Assembler) advanceLines(dst []Event, s *source, t time.Time) []Event {
	if len(s.early) > 0 && t.After(s.early[0].Time) {
		dst = a.placeEarly(dst, s)
	}
	if s.active != nil && t.Sub(s.active.last) > MaxLineGap {
		dst = a.finish(dst, s)
	}
	for len(s.waiting) > 0 && t.Sub(s.waiting[0].Time) > MaxLineGap {
		dst = a.looseHeader(dst, s)
	}
	return dst
}

func (a *Assembler) looseHeader(dst []Event, s *source) []Event {
	h := s.waiting[0]
	s.waiting = slices.Delete(s.waiting, 0, 1)
	return a.loose(dst, h)
}

// placeEarly gives up waiting for the header of a LEVEL line: the line belongs
// to the record before it, or to none.
func (a *Assembler) placeEarly(dst []Event, s *source) []Event {
	early := s.early
	s.early = nil
	for i, h := range early {
		if i == 0 {
			if s.active != nil && !s.active.trace && near(h.Time, s.active.last) {
				s.active.add(h)
			} else {
				dst = a.finish(dst, s)
				dst = a.single(dst, h)
			}
			continue
		}
		dst = a.place(dst, s, h)
	}
	return dst
}

// line takes an ordinary line, which is copied only if it has to wait.
func (a *Assembler) line(dst []Event, s *source, f form, e *aic.Entry) []Event {
	if !s.holds(f, e.Time) {
		dst = a.endTrace(dst, s, f)
		return append(dst, Event{Entry: *e, Parts: 1})
	}
	h := a.keep(e, nil)
	h.form = f
	return a.place(dst, s, h)
}

// endTrace ends an open stack trace at a line that is no part of one.
func (a *Assembler) endTrace(dst []Event, s *source, f form) []Event {
	if f == plainLine && s.active != nil && s.active.trace {
		return a.finish(dst, s)
	}
	return dst
}

// holds reports whether a line goes into an open record or opens one.
func (r *records) holds(f form, t time.Time) bool {
	switch f {
	case headerLine, levelLine, exceptionLine:
		return true
	}
	return len(r.early) > 0 || r.active != nil && near(t, r.active.last) && (f == traceLine || !r.active.trace)
}

// place puts a held line where it belongs.
func (a *Assembler) place(dst []Event, s *source, h *held) []Event {
	switch h.form {
	case headerLine:
		return a.placeHeader(dst, s, h)
	case levelLine:
		// A LEVEL line is never earlier than its header.
		if i := slices.IndexFunc(s.waiting, func(w *held) bool { return !h.Time.Before(w.Time) }); i >= 0 {
			header := s.waiting[i]
			s.waiting = slices.Delete(s.waiting, i, i+1)
			dst = a.finish(dst, s)
			s.start(false, header, h)
			return dst
		}
		if len(s.early) > 0 {
			dst = a.placeEarly(dst, s)
		}
		s.early = append(s.early, h)
		return dst
	}
	switch {
	case len(s.early) > 0:
		s.early = append(s.early, h)
	case h.form == exceptionLine && (s.active == nil || s.active.trace || !near(h.Time, s.active.last)):
		dst = a.finish(dst, s)
		s.start(true, h)
	case s.holds(h.form, h.Time):
		s.active.add(h)
	default:
		dst = a.endTrace(dst, s, h.form)
		dst = a.single(dst, h)
	}
	return dst
}

// start makes the lines the active record.
func (r *records) start(trace bool, lines ...*held) {
	if r.active, r.spare = r.spare, nil; r.active == nil {
		r.active = &record{}
	}
	*r.active = record{lines: append(r.active.lines[:0], lines...), trace: trace, last: lines[len(lines)-1].Time}
}

func (r *record) add(h *held) {
	r.lines = append(r.lines, h)
	if h.Time.After(r.last) {
		r.last = h.Time
	}
}

func (a *Assembler) placeHeader(dst []Event, s *source, h *held) []Event {
	dst = a.finish(dst, s)
	early := s.early
	if len(early) == 0 || !early[0].Time.Equal(h.Time) {
		s.waiting = append(s.waiting, h)
		return dst
	}
	s.early = nil
	s.start(false, h, early[0])
	for _, l := range early[1:] {
		dst = a.place(dst, s, l)
	}
	return dst
}

// finish ends the active record: nothing more will be added to it.
func (a *Assembler) finish(dst []Event, s *source) []Event {
	r := s.active
	if r == nil {
		return dst
	}
	s.active, s.spare = nil, r
	if len(r.lines) == 1 { // an exception without a trace
		return a.single(dst, r.lines[0])
	}
	return a.join(dst, r.lines, Record, func(b []byte) []byte {
		b = append(b, '"')
		for i, h := range r.lines {
			text, _ := inside(&h.Entry)
			if i < len(r.lines)-1 {
				// The line's own end, which am-core sends and idm-core does not.
				text = trimLineEnd(text)
			}
			b = append(b, text...)
			if i < len(r.lines)-1 {
				b = append(b, `\n`...)
			}
		}
		return append(b, '"')
	})
}

// trimLineEnd cuts one escaped line end off the inside of a JSON string.
func trimLineEnd(text []byte) []byte {
	for _, end := range []string{`\n`, `\r`} {
		rest, ok := bytes.CutSuffix(text, []byte(end))
		if !ok {
			continue
		}
		before := len(rest) - len(bytes.TrimRight(rest, `\`))
		if before%2 == 0 { // else the backslash is an escaped one
			text = rest
		}
	}
	return text
}

// releaseLine gives up on the record that h is in. With flush, it is complete as
// it stands; else its lines come out one by one.
func (a *Assembler) releaseLine(dst []Event, s *source, h *held, flush bool) []Event {
	if slices.Contains(s.early, h) {
		return a.placeEarly(dst, s)
	}
	if len(s.waiting) > 0 && s.waiting[0] == h {
		return a.looseHeader(dst, s)
	}
	r := s.active
	if flush || len(r.lines) == 1 {
		return a.finish(dst, s)
	}
	s.active = nil
	for _, h := range r.lines {
		dst = a.loose(dst, h)
	}
	return dst
}
