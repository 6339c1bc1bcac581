package simulator

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"aictail"
)

// replayLine is an entry of a file that waits for its timestamp: head, timestamp
// and tail together are the line.
type replayLine struct {
	source     string
	head, tail []byte
	payload    aictail.Span // in the line as it was read
	shift      int          // 1: the payload stands behind the timestamp
	stamp      int          // length of the timestamp that was read
}

const (
	// maxReplayLine is far above any entry that a tenant has been seen to return.
	maxReplayLine = 64 << 20
	// replaySpan is how far back replayed entries are spread. It is less than the
	// 15 seconds of a first tail, so that a first tail has them all.
	replaySpan = 5 * time.Second
	// replayGap is between the last replayed entry and now, so that live events
	// follow it.
	replayGap = 10 * time.Millisecond
)

// Replay adds the entries of files: one JSON object a line, of the form the API
// returns. A line's source is its member source, else the file's base name up to
// the first dot; one that is not on offer is added to the list. Everything else
// in a line stays byte for byte as it is, but for the value of its timestamp.
//
// The entries of a source become visible when an authenticated tail or range
// request first asks for it, with distinct timestamps within the few seconds
// before, in the order of the files. Call Replay before the first request: to a
// client that tails already they would come late. The last entry is held back
// from tail until a live event follows, or not at all under Options.ShowLast.
//
// The error names file and line; nothing is added then.
func (t *Tenant) Replay(files ...string) error {
	var lines []replayLine
	for _, name := range files {
		var err error
		if lines, err = readReplay(lines, name, t.options.MaxEntries); err != nil {
			return err
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, line := range lines {
		l := t.store.byName[line.source]
		if l == nil {
			l = t.store.addLog(line.source)
			t.names = append(t.names, line.source)
		}
		l.replayed = append(l.replayed, line)
	}
	return nil
}

func readReplay(lines []replayLine, name string, most int) ([]replayLine, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open file to replay: %w", err)
	}
	defer func() { _ = file.Close() }() // nothing was written
	fileSource, _, _ := strings.Cut(filepath.Base(name), ".")
	scanner := bufio.NewScanner(file)
	scanner.Buffer(make([]byte, 64<<10), maxReplayLine)
	number := 0
	for scanner.Scan() {
		number++
		text := bytes.TrimSpace(scanner.Bytes())
		if len(text) == 0 {
			continue
		}
		line, err := parseReplay(bytes.Clone(text), fileSource)
		if err != nil {
			return nil, fmt.Errorf("replay %s line %d: %w", name, number, err)
		}
		if len(lines) == most {
			return nil, fmt.Errorf("replay %s line %d: more than %d entries; raise MaxEntries or replay less", name, number, most)
		}
		lines = append(lines, line)
	}
	if err := scanner.Err(); err != nil {
		return nil, fmt.Errorf("replay %s line %d: %w", name, number+1, err)
	}
	return lines, nil
}

// parseReplay takes a line apart. Its errors do not quote the line.
func parseReplay(text []byte, fileSource string) (replayLine, error) {
	if !json.Valid(text) || text[0] != '{' {
		return replayLine{}, errors.New("not a JSON object")
	}
	line := replayLine{source: fileSource}
	decoder := json.NewDecoder(bytes.NewReader(text))
	if _, err := decoder.Token(); err != nil {
		return replayLine{}, errors.New("not a JSON object")
	}
	var stamp aictail.Span
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return replayLine{}, errors.New("not a JSON object")
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return replayLine{}, errors.New("not a JSON object")
		}
		end := int(decoder.InputOffset())
		span := aictail.Span{Start: end - len(value), End: end}
		switch key {
		case "payload":
			line.payload = span
		case "timestamp":
			if stamp.Len() > 0 {
				return replayLine{}, errors.New("has two timestamps")
			}
			stamp = span
		case "source":
			if err := json.Unmarshal(value, &line.source); err != nil {
				return replayLine{}, errors.New("its source is not a string")
			}
		}
	}
	switch {
	case line.payload.Len() == 0:
		return replayLine{}, errors.New("has no payload")
	case stamp.Len() == 0:
		return replayLine{}, errors.New("has no timestamp")
	case !validSource(line.source) || strings.HasSuffix(line.source, everything):
		return replayLine{}, errors.New("neither its source nor the file's name is that of a source that holds entries")
	}
	line.head, line.tail, line.stamp = text[:stamp.Start], text[stamp.End:], stamp.Len()
	if line.payload.Start > stamp.Start {
		line.shift = 1
	}
	return line, nil
}

// entry returns the line with a timestamp.
func (r replayLine) entry(at time.Time) *entry {
	stamp := at.UTC().AppendFormat([]byte{'"'}, time.RFC3339Nano)
	stamp = append(stamp, '"')
	raw := make([]byte, 0, len(r.head)+len(stamp)+len(r.tail))
	raw = append(append(append(raw, r.head...), stamp...), r.tail...)
	shift := r.shift * (len(stamp) - r.stamp)
	return &entry{
		pos: position{time: at.UnixNano()}, source: r.source, raw: raw,
		payload: aictail.Span{Start: r.payload.Start + shift, End: r.payload.End + shift},
	}
}

// showReplayLocked shows the replayed entries of logs that are asked for. The
// logs' timestamps are a nanosecond apart from each other, those of one log
// replaySpan divided by their number.
func (t *Tenant) showReplayLocked(logs []*sourceLog, now time.Time) {
	begin := now.Add(-replaySpan)
	for _, l := range logs {
		if len(l.replayed) == 0 {
			continue
		}
		step := (replaySpan - replayGap) / time.Duration(len(l.replayed)+1)
		offset := time.Duration(slices.Index(t.store.logs, l))
		for i, line := range l.replayed {
			e := line.entry(begin.Add(time.Duration(i+1)*step + offset))
			e.arrived = now.UnixNano()
			t.addLocked([]*entry{e}, now)
		}
		l.replayed = nil
	}
}

// offersLocked tells whether a name is on the source list.
func (t *Tenant) offersLocked(name string) bool {
	return slices.Contains(t.names, name)
}
