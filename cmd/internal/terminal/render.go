package terminal

import (
	"fmt"
	"time"

	"aictail"
)

// Style is how events are shown.
type Style struct {
	// Width is the terminal's, in columns; 0 breaks no lines.
	Width int
	// Color uses the terminal's colours.
	Color bool
	// Location is the time zone; nil: UTC.
	Location *time.Location
}

// Renderer shows events one after the other. It is not safe for concurrent use.
type Renderer struct {
	style Style
	day   string // the last one shown
}

// NewRenderer returns a renderer.
func NewRenderer(s Style) *Renderer {
	if s.Location == nil {
		s.Location = time.UTC
	}
	return &Renderer{style: s}
}

// SetWidth is for a terminal whose size has changed.
func (r *Renderer) SetWidth(columns int) { r.style.Width = columns }

// hang is the indent of the lines of a block after its first.
const hang = 4

// Append appends an event's block: time, level, source, name and what it says, then
// the lines of a stack trace, and at the end the transaction id. Before the first
// event of a day it appends a line with the date and the time zone.
func (r *Renderer) Append(dst []byte, e *aictail.Event) []byte {
	v := Read(e)
	at := v.Time.In(r.style.Location)
	f := flow{out: dst, color: r.style.Color, width: r.style.Width, indent: hang, fresh: true}
	if day := at.Format(time.DateOnly); day != r.day {
		r.day = day
		f.styled(r.dateLine(at), lookDim)
		f.out = append(f.out, '\n')
	}
	f.word(at.Format("15:04:05.000"), lookDim)
	f.word(fmt.Sprintf("%-7s", levelText(&v)), lookOf(v.Level))
	if v.Source != "" {
		f.word(v.Source, lookSource)
	}
	f.add(v.Name, lookDim)
	for _, p := range v.summary {
		f.add(p.text, p.look)
	}
	for _, line := range v.detail {
		f.line()
		f.verbatim(line)
	}
	if v.Transaction != "" {
		if len(v.detail) > 0 {
			f.line()
		}
		f.word(v.Transaction, lookDim)
	}
	return append(f.out, '\n')
}

func (r *Renderer) dateLine(at time.Time) string {
	zone := at.Format("MST (UTC-07:00)")
	if r.style.Location == time.UTC {
		zone = "UTC"
	}
	return "--- " + at.Format("Monday 2006-01-02") + ", times are " + zone + " ---"
}

func levelText(v *View) string {
	if v.LevelName == "" {
		return "-"
	}
	return v.LevelName
}

func lookOf(l Level) look {
	switch l {
	case Severe:
		return lookSevere
	case Warning:
		return lookWarning
	case Info:
		return lookInfo
	case NoLevel:
		return lookPlain
	}
	return lookDim
}

// AppendJSON appends an event as a line of JSON, as it is except for characters that
// act on a terminal, which are escaped: to a reader of JSON that is the same.
func AppendJSON(dst []byte, e *aictail.Event) []byte {
	raw := e.Raw
	for i := 0; i < len(raw); i++ {
		switch b := raw[i]; {
		case b == 0x7f:
			dst = append(dst, `\u007f`...)
		case b == 0xc2 && i+1 < len(raw) && raw[i+1] >= 0x80 && raw[i+1] < 0xa0:
			i++
			dst = fmt.Appendf(dst, `\u%04x`, raw[i])
		default:
			dst = append(dst, b)
		}
	}
	return append(dst, '\n')
}
