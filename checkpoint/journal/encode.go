package journal

import (
	"fmt"
	"time"

	"aictail"
)

// stamp is what Append adds to a record.
type stamp struct {
	first    aictail.Position
	durable  int64
	appended time.Time
}

// encoder turns records into bytes. Its buffers are reused, so one call ends the
// life of what the previous one returned.
type encoder struct {
	buf     []byte
	indexes map[string]uint32 // of the strings of the current record
	table   []byte            // the string table of the current record
}

// keepBuffer is the largest buffer kept for the next record; chunks are about
// 1 MiB, so that a rare large one does not hold memory for ever.
const keepBuffer = 4 << 20

// check refuses what the format can't hold.
func check(rec *Record) error {
	if len(rec.Stream) >= maxStream {
		return fmt.Errorf("%w: the stream's name has %d bytes", ErrTooLarge, len(rec.Stream))
	}
	total := recordHeaderSize + len(rec.Stream) + len(rec.Checkpoint)
	for i := range rec.Events {
		e := &rec.Events[i]
		if e.Payload.Start < 0 || e.Payload.End < e.Payload.Start || e.Payload.End > len(e.Raw) {
			return fmt.Errorf("stream %q: event %d of the record: its payload span lies outside its bytes", rec.Stream, i)
		}
		// The strings are counted as if none occurred twice, since one record
		// holds few of them and the limit is far above what callers write.
		total += eventEntrySize + len(e.ID) + len(e.Raw)
		if total > maxRecord {
			break
		}
	}
	if total > maxRecord {
		return fmt.Errorf("%w: stream %q: more than %d bytes", ErrTooLarge, rec.Stream, maxRecord)
	}
	return nil
}

// encode returns the record's bytes. check has accepted the record.
func (e *encoder) encode(rec *Record, s stamp) ([]byte, error) {
	ids, raws := 0, 0
	for i := range rec.Events {
		ids += len(rec.Events[i].ID)
		raws += len(rec.Events[i].Raw)
	}
	e.table = e.table[:0]
	clear(e.indexes)
	bodyStart := recordHeaderSize + len(rec.Stream) + len(rec.Checkpoint)
	fixed := bodyStart + len(rec.Events)*eventEntrySize + ids + raws
	if cap(e.buf) < fixed || cap(e.buf) > keepBuffer {
		e.buf = make([]byte, fixed+fixed/8)
	}
	b := e.buf[:fixed]
	clear(b[:recordHeaderSize])
	copy(b[recordHeaderSize:], rec.Stream)
	copy(b[recordHeaderSize+len(rec.Stream):], rec.Checkpoint)
	e.events(b[bodyStart:], rec.Events, ids)
	b = append(b, e.table...)
	e.buf = b
	if len(b) > maxRecord {
		return nil, fmt.Errorf("%w: stream %q: more than %d bytes", ErrTooLarge, rec.Stream, maxRecord)
	}

	copy(b, recordMagic)
	le.PutUint32(b[4:], uint32(len(rec.Stream)))
	if rec.Checkpoint != nil {
		le.PutUint32(b[8:], uint32(len(rec.Checkpoint))+1)
	}
	le.PutUint32(b[12:], uint32(ids))
	le.PutUint32(b[16:], uint32(raws))
	le.PutUint32(b[20:], uint32(len(e.table)))
	le.PutUint32(b[24:], uint32(len(rec.Events)))
	le.PutUint32(b[28:], checksum(b[recordHeaderSize:bodyStart]))
	le.PutUint32(b[32:], checksum(b[bodyStart:]))
	le.PutUint64(b[48:], uint64(s.first))
	le.PutUint64(b[56:], uint64(s.durable))
	le.PutUint64(b[64:], uint64(s.appended.UnixNano()))
	putTimes(b, rec.Events)
	le.PutUint32(b[88:], checksum(b[:88]))
	return b, nil
}

// events writes event table, ids and raw bytes into b and collects the strings.
func (e *encoder) events(b []byte, events []aictail.Event, ids int) {
	entry := b
	id := b[len(events)*eventEntrySize:]
	raw := id[ids:]
	// Neighbours nearly always have the same tenant, source and type.
	var tenant, source, typ indexed
	for i := range events {
		ev := &events[i]
		le.PutUint32(entry, uint32(len(ev.ID)))
		le.PutUint32(entry[4:], e.index(&tenant, ev.Tenant))
		le.PutUint32(entry[8:], e.index(&source, ev.Source))
		le.PutUint32(entry[12:], e.index(&typ, ev.Type))
		le.PutUint32(entry[16:], uint32(len(ev.Raw)))
		le.PutUint32(entry[20:], uint32(ev.Time.Nanosecond()))
		le.PutUint64(entry[24:], uint64(ev.Time.Unix()))
		le.PutUint32(entry[32:], uint32(ev.Payload.Start))
		le.PutUint32(entry[36:], uint32(ev.Payload.End))
		entry = entry[eventEntrySize:]
		id = id[copy(id, ev.ID):]
		raw = raw[copy(raw, ev.Raw):]
	}
}

// indexed is a string and its index in the string table.
type indexed struct {
	text  string
	index uint32
	set   bool
}

// index returns the index of s in the string table, adding it if it is new.
func (e *encoder) index(last *indexed, s string) uint32 {
	if last.set && last.text == s {
		return last.index
	}
	i, ok := e.indexes[s]
	if !ok {
		if e.indexes == nil {
			e.indexes = make(map[string]uint32)
		}
		i = uint32(len(e.indexes))
		e.indexes[s] = i
		e.table = le.AppendUint32(e.table, uint32(len(s)))
		e.table = append(e.table, s...)
	}
	*last = indexed{text: s, index: i, set: true}
	return i
}

// putTimes writes the earliest and the latest event time.
func putTimes(b []byte, events []aictail.Event) {
	if len(events) == 0 {
		return
	}
	earliest, latest := events[0].Time, events[0].Time
	for i := range events {
		if t := events[i].Time; t.Before(earliest) {
			earliest = t
		} else if t.After(latest) {
			latest = t
		}
	}
	le.PutUint32(b[36:], uint32(earliest.Nanosecond()))
	le.PutUint32(b[40:], uint32(latest.Nanosecond()))
	le.PutUint64(b[72:], uint64(earliest.Unix()))
	le.PutUint64(b[80:], uint64(latest.Unix()))
}
