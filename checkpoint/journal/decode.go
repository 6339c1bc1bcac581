package journal

import (
	"fmt"
	"time"

	"aictail"
)

// interner keeps one copy of each tenant, source and type, so that decoding an
// event allocates nothing.
type interner map[string]string

// maxInterned bounds an interner. A tenant has some twenty sources; the bound is
// for the case that something else ends up in the source field.
const maxInterned = 4096

func (in interner) get(b []byte) string {
	if s, ok := in[string(b)]; ok {
		return s
	}
	if len(in) >= maxInterned {
		clear(in)
	}
	s := string(b)
	in[s] = s
	return s
}

// cursor walks over the events of one record. The events it returns point into
// the record's body.
type cursor struct {
	table, ids, raws []byte // what is left of each
	strings          []string
	position         aictail.Position // of the next event
}

// open starts at the first event of a record. The body's checksum is right, so
// an error means that the writer had a fault; it is errDamaged.
func (c *cursor) open(h *recordHeader, body []byte, in interner) error {
	c.close()
	table, rest := body[:h.tableLen], body[h.tableLen:]
	ids, rest := rest[:h.idsLen], rest[h.idsLen:]
	raws, texts := rest[:h.rawsLen], rest[h.rawsLen:]
	for len(texts) > 0 {
		if len(texts) < 4 || uint64(le.Uint32(texts)) > uint64(len(texts)-4) {
			return fmt.Errorf("string table: %w", errDamaged)
		}
		n := int(le.Uint32(texts))
		c.strings = append(c.strings, in.get(texts[4:4+n]))
		texts = texts[4+n:]
	}
	var idsLen, rawsLen uint64
	n := uint32(len(c.strings))
	for e := table; len(e) > 0; e = e[eventEntrySize:] {
		raw, start, end := le.Uint32(e[16:]), le.Uint32(e[32:]), le.Uint32(e[36:])
		if le.Uint32(e[4:]) >= n || le.Uint32(e[8:]) >= n || le.Uint32(e[12:]) >= n || start > end || end > raw {
			return fmt.Errorf("event table: %w", errDamaged)
		}
		idsLen += uint64(le.Uint32(e))
		rawsLen += uint64(raw)
	}
	if idsLen != uint64(len(ids)) || rawsLen != uint64(len(raws)) {
		return fmt.Errorf("event table: %w: lengths don't add up", errDamaged)
	}
	c.table, c.ids, c.raws, c.position = table, ids, raws, h.first
	return nil
}

func (c *cursor) close() { *c = cursor{strings: c.strings[:0]} }

// left returns how many events have not been returned.
func (c *cursor) left() int { return len(c.table) / eventEntrySize }

// rawLen returns the number of raw bytes of the next event.
func (c *cursor) rawLen() int { return int(le.Uint32(c.table[16:])) }

// skipTo passes over events before pos.
func (c *cursor) skipTo(pos aictail.Position) {
	var skipped aictail.Event
	for c.left() > 0 && c.position < pos {
		c.next(&skipped)
	}
}

// next decodes the next event into ev. There is one left.
func (c *cursor) next(ev *aictail.Event) {
	e := c.table[:eventEntrySize:eventEntrySize]
	id, raw := int(le.Uint32(e)), int(le.Uint32(e[16:]))
	ev.ID = c.ids[:id:id]
	ev.Tenant = c.strings[le.Uint32(e[4:])]
	ev.Source = c.strings[le.Uint32(e[8:])]
	ev.Type = c.strings[le.Uint32(e[12:])]
	ev.Time = time.Unix(int64(le.Uint64(e[24:])), int64(le.Uint32(e[20:]))).UTC()
	ev.Raw = c.raws[:raw:raw]
	ev.Payload = aictail.Span{Start: int(le.Uint32(e[32:])), End: int(le.Uint32(e[36:]))}
	ev.Position = c.position
	c.table, c.ids, c.raws = c.table[eventEntrySize:], c.ids[id:], c.raws[raw:]
	c.position++
}
