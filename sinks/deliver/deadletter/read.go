package deadletter

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Line is one line of a dead-letter file.
type Line struct {
	// Number counts from 1.
	Number int
	// Text is the line without its end. It is valid during the call only.
	Text []byte
	// Letter is what the line says, unless it has a flaw.
	Letter Letter
	// Flaw says why the line is not a letter; "" if it is one.
	Flaw string
}

// ReadFile calls fn with each whole line of a dead-letter file, oldest first. A
// file that does not exist has none. The daemon may be appending to the file or
// replacing it meanwhile: what is read is the file as it was at one moment, but
// for lines that were added since. An error of fn ends it and is returned.
func ReadFile(path string, fn func(Line) error) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read dead letters: %w; %s", err, advice(err))
	}
	_, err = read(f, fn)
	return errors.Join(err, f.Close())
}

// read is ReadFile for an open file. It returns the length of the whole lines;
// what is behind was torn by a crash, or is being written.
func read(r io.Reader, fn func(Line) error) (whole int64, err error) {
	b := bufio.NewReaderSize(r, 16<<10)
	for n := 1; ; n++ {
		text, err := b.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return whole, nil
		}
		if err != nil {
			return whole, fmt.Errorf("read dead letters: %w; %s", err, advice(err))
		}
		whole += int64(len(text))
		l := Line{Number: n, Text: text[:len(text)-1]}
		if l.Letter, err = Parse(l.Text); err != nil {
			l.Flaw = err.Error()
		}
		if err := fn(l); err != nil {
			return whole, err
		}
	}
}
