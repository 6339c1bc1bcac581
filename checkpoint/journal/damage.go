package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"aictail"
)

// Damage is a part of the journal that was durable and can't be read any more.
// It names what is lost, so that the tenant can be asked again.
type Damage struct {
	// File is the segment file, or the journal's folder if a file is missing.
	File   string
	Offset int64
	// First and Next bound the lost positions: First ≤ lost < Next. They are equal
	// if only the header of a segment is damaged, which loses no record.
	First, Next aictail.Position
	// Stream is the stream of the lost record, or "" if that is not known either;
	// then it may have been records of several streams.
	Stream string
	// From and To are the earliest and the latest event time of the record; zero
	// if not known, and for a record without events.
	From, To time.Time
	// AppendedFrom and AppendedTo bound the time of writing; zero if not known.
	AppendedFrom, AppendedTo time.Time
	// SetAside is where the damaged file is kept for examination, or "" if it
	// could not be kept. Files there are not deleted by the journal.
	SetAside string
	// Err says what is wrong, without event content.
	Err error
}

// corruptDir is the folder, inside the journal's, of the files set aside.
const corruptDir = "corrupt"

// place identifies a damaged place.
type place struct {
	file   string
	offset int64
	first  aictail.Position
}

// report passes a damage on, once however many readers come across it. After a
// restart it is reported again if it is still there and read again.
func (j *Journal) report(d Damage) { j.reportKept(d, false) }

// reportKept is report; with byCopy the file is kept as a copy, since it is about
// to be changed.
func (j *Journal) reportKept(d Damage, byCopy bool) {
	j.damageMu.Lock()
	defer j.damageMu.Unlock()
	key := place{d.File, d.Offset, d.First}
	if j.reported[key] {
		return
	}
	j.reported[key] = true
	if d.File != j.dir {
		d.SetAside = j.setAside(d.File, byCopy)
	}
	if j.opts.OnDamage != nil {
		j.opts.OnDamage(d)
	}
}

// setAside keeps a second name of a damaged file, so that trimming does not
// destroy the evidence. It returns "" if the disk does not allow it: the report
// matters more than the file.
func (j *Journal) setAside(file string, byCopy bool) string {
	dir := filepath.Join(j.dir, corruptDir)
	kept := filepath.Join(dir, filepath.Base(file))
	if err := j.fs.MkdirAll(dir); err != nil {
		return ""
	}
	err := errors.New("not tried")
	if !byCopy {
		err = j.fs.Link(file, kept)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		err = j.copyFile(file, kept)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return ""
	}
	if err := j.fs.SyncDir(dir); err != nil {
		return ""
	}
	return kept
}

// copyFile copies a file to a name that must not exist.
func (j *Journal) copyFile(from, to string) (err error) {
	src, err := j.fs.OpenFile(from, os.O_RDONLY)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	size, err := src.Size()
	if err != nil {
		return err
	}
	dst, err := j.fs.OpenFile(to, os.O_RDWR|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.NewOffsetWriter(dst, 0), io.NewSectionReader(src, 0, size))
	if err == nil {
		err = dst.Sync()
	}
	if err = errors.Join(err, dst.Close()); err != nil {
		return errors.Join(fmt.Errorf("copy damaged segment: %w", err), j.fs.Remove(to))
	}
	return nil
}
