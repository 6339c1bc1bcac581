package journal

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"aictail"
)

// found is a segment file as Open finds it.
type found struct {
	extent
	header segmentHeader
	size   int64
	// err is errDamaged if the header is; then only first and size are known.
	err error
}

// Open readies the journal in a folder: it removes what a crash left half done,
// cuts a torn tail off, and makes durable what the last process only wrote. It
// reads file headers and the newest segment only; Recover reads the rest. An
// error names the file and what to do; opening again after it is safe.
//
// Only one process may have a journal open; package checkpoint sees to that.
func Open(opts Options) (*Journal, error) {
	if opts.MaxSize <= 0 {
		opts.MaxSize = defaultMaxSize
	}
	if opts.SegmentSize <= 0 {
		opts.SegmentSize = defaultSegmentSize
	}
	opts.SegmentSize = max(1, min(opts.SegmentSize, opts.MaxSize/8))
	if opts.FS == nil {
		opts.FS = osFS{}
	}
	j := &Journal{
		opts: opts, dir: filepath.Clean(opts.Dir), fs: opts.FS, opened: time.Now(),
		reported: map[place]bool{}, checkpoints: map[string]checkpoint{},
		next: 1,
	}
	if err := j.load(); err != nil {
		return nil, j.fault("open", err)
	}
	return j, nil
}

// load finds the segments and the next position.
func (j *Journal) load() error {
	if err := j.fs.MkdirAll(j.dir); err != nil {
		return err
	}
	if err := j.fs.SyncDir(filepath.Dir(j.dir)); err != nil {
		return err
	}
	files, err := j.find()
	if err != nil {
		return err
	}
	if files, err = j.dropUnfinished(files); err != nil {
		return err
	}
	if files, err = j.chain(files); err != nil {
		return err
	}
	if len(files) > 0 {
		newest := &files[len(files)-1]
		if err := j.repairNewest(newest); err != nil {
			return fmt.Errorf("segment %s: %w", newest.path, err)
		}
		j.next = newest.next
	}
	if err := j.findNewest(files); err != nil {
		return err
	}
	j.adopt(files)
	return j.reachAtLeast()
}

// find lists the segment files, oldest first, and reads their headers.
func (j *Journal) find() ([]found, error) {
	names, err := j.fs.ReadDir(j.dir)
	if err != nil {
		return nil, err
	}
	var files []found
	for _, name := range names {
		first, ok := parseSegmentName(name)
		if !ok {
			continue
		}
		f := found{extent: extent{path: filepath.Join(j.dir, name), first: first}}
		if err := j.readHeader(&f); err != nil {
			return nil, fmt.Errorf("segment %s: %w", f.path, err)
		}
		files = append(files, f)
	}
	slices.SortFunc(files, func(a, b found) int { return cmp.Compare(a.first, b.first) })
	return files, nil
}

// readHeader fills f. A damaged header is not an error, an unknown version is.
func (j *Journal) readHeader(f *found) (err error) {
	file, err := j.fs.OpenFile(f.path, os.O_RDONLY)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if f.size, err = file.Size(); err != nil {
		return err
	}
	b := make([]byte, segmentHeaderSize)
	n, err := readFull(file, b, 0)
	if err != nil {
		return err
	}
	f.header, f.err = parseSegmentHeader(b[:n], f.first)
	if f.err != nil && !errors.Is(f.err, errDamaged) {
		return f.err
	}
	f.created = f.header.created
	f.end = f.size
	return nil
}

// dropUnfinished removes the newest files as long as they are what a crash during
// creation leaves: no valid header and no records, for before the first record
// the header is durable.
func (j *Journal) dropUnfinished(files []found) ([]found, error) {
	for len(files) > 0 {
		f := files[len(files)-1]
		if f.err == nil || f.size > segmentHeaderSize {
			break
		}
		if err := j.fs.Remove(f.path); err != nil {
			return nil, err
		}
		files = files[:len(files)-1]
	}
	return files, nil
}

// chain follows the headers from the newest segment back: each says where its
// predecessor ends. Files in between are left from failed creations; missing
// files and damaged headers are reported.
func (j *Journal) chain(files []found) ([]found, error) {
	var kept []found // newest first
	for i := len(files) - 1; i >= 0; i-- {
		f := files[i]
		if len(kept) > 0 {
			successor := &kept[len(kept)-1]
			f.next = successor.first
			prev := successor.header.prevFirst
			switch {
			case successor.err != nil: // it can't tell
			case f.first > prev:
				if err := j.fs.Remove(f.path); err != nil {
					return nil, err
				}
				continue
			case f.first == prev:
				f.end = successor.header.prevEnd
			default:
				f.next = prev
				j.report(Damage{
					File: j.dir, First: prev, Next: successor.first, AppendedFrom: f.created, AppendedTo: successor.created,
					Err: fmt.Errorf("segment file %s is missing", segmentName(prev)),
				})
			}
		}
		if f.err != nil {
			j.report(Damage{File: f.path, First: f.first, Next: f.first, Err: f.err})
		}
		kept = append(kept, f)
	}
	slices.Reverse(kept)
	return kept, nil
}

// survey is what a scan of a whole segment has found.
type survey struct {
	damages []Damage
	next    aictail.Position // after the last healthy record; 0: there is none
	last    int64            // offset behind which the last healthy record begins
	durable int64            // highest offset that a healthy record says was durable
	newest  time.Time
}

// survey reads a whole segment.
func (j *Journal) survey(e extent) (v survey, err error) {
	file, err := j.fs.OpenFile(e.path, os.O_RDONLY)
	if err != nil {
		return survey{}, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	s := scanner{chunk: 1 << 20, report: func(d Damage) { v.damages = append(v.damages, d) }}
	if err := s.reset(file, e, 0); err != nil {
		return survey{}, err
	}
	for {
		h, _, err := s.next(true)
		if errors.Is(err, io.EOF) {
			return v, nil
		}
		if err != nil {
			return survey{}, err
		}
		v.next, v.last, v.newest = h.next(), s.off-int64(h.size), h.appended
		v.durable = max(v.durable, h.durable)
	}
}

// repairNewest finds the end of the newest segment, cuts a torn tail off and
// makes the rest durable, for what is in the page cache only may have been read.
func (j *Journal) repairNewest(f *found) error {
	f.next = math.MaxUint64
	v, err := j.survey(f.extent)
	if err != nil {
		return err
	}
	f.next = max(v.next, f.first)
	j.newest = v.newest
	for _, d := range v.damages {
		// The record was durable if a later one says so, or if a sink has reached
		// a position behind its first.
		if v.durable <= d.Offset && j.opts.AtLeast <= d.First {
			j.reportCut(&v, d)
			f.end, f.next = d.Offset, d.First
			j.newest = time.Time{} // findNewest looks again
			break
		}
		if d.Next == math.MaxUint64 {
			d.Next = j.opts.AtLeast
		}
		f.next = max(f.next, d.Next)
		j.report(d)
	}
	file, err := j.fs.OpenFile(f.path, os.O_RDWR)
	if err != nil {
		return err
	}
	if f.end < f.size {
		err = file.Truncate(f.end)
	}
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// reportCut reports the cut at a torn record if healthy records lie behind it.
// After a power failure they are as little acknowledged as the torn one; but if
// the disk damaged the very last group of records that was made durable, they
// were, and the report lets the tenant be asked again.
func (j *Journal) reportCut(v *survey, d Damage) {
	if v.last <= d.Offset {
		return
	}
	d.Stream, d.From, d.To = "", time.Time{}, time.Time{}
	d.Next, d.AppendedTo = v.next, v.newest
	d.Err = fmt.Errorf("torn record, cut off with all behind it: %w", d.Err)
	j.reportKept(d, true)
}

// findNewest notes when the newest record was written.
func (j *Journal) findNewest(files []found) error {
	for i := len(files) - 1; i >= 0 && j.newest.IsZero(); i-- {
		v, err := j.survey(files[i].extent)
		if err != nil {
			return fmt.Errorf("segment %s: %w", files[i].path, err)
		}
		j.newest = v.newest
	}
	return nil
}

// adopt turns the files into segments that are not written to any more.
func (j *Journal) adopt(files []found) {
	for i, f := range files {
		// The next segment was created after the last record of this one.
		newest := j.newest
		if i+1 < len(files) {
			newest = files[i+1].created
		}
		// A clock that was wrong must not keep a segment for ever.
		if newest.IsZero() || newest.After(j.opened) {
			newest = j.opened
		}
		j.segments = append(j.segments, &segment{extent: f.extent, size: f.end, newest: newest})
	}
	j.durable = j.next
}

// reachAtLeast goes on behind the positions that others have stored.
func (j *Journal) reachAtLeast() error {
	if j.opts.AtLeast <= j.next {
		return nil
	}
	lost := Damage{
		File: j.dir, First: j.next, Next: j.opts.AtLeast, AppendedFrom: j.newest,
		Err: errors.New("the journal ends before positions that have been read from it: files are missing"),
	}
	// With a segment of that number the next Open does not find the same again.
	j.next, j.durable = j.opts.AtLeast, j.opts.AtLeast
	if _, err := j.create(); err != nil {
		return err
	}
	j.report(lost)
	return nil
}
