package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"aictail/sinks"
)

const (
	// lowSpace is what a file system should have free at least: a batch, a rotated
	// file on its way to its compressed form, and some time for somebody to come.
	lowSpace = 1 << 30
	// maxProbed bounds the files that are looked at.
	maxProbed = 10_000
)

var _ sinks.Prober = (*Sink)(nil)

// Probe looks whether the folder and the files that are there can be written, and
// how much space there is. It opens no file for writing.
func (s *Sink) Probe(ctx context.Context) []sinks.Finding {
	folder := existing(s.template.root)
	list := []sinks.Finding{probeFolder(s.template.root, folder)}
	if list[0].Verdict != sinks.Bad && folder == s.template.root {
		list = append(list, s.probeFiles(ctx, folder)...)
	}
	return append(list, probeSpace(folder))
}

// existing returns the deepest folder on the way to a path that is there.
func existing(path string) string {
	for {
		if _, err := os.Stat(path); err == nil || path == filepath.Dir(path) || !errors.Is(err, fs.ErrNotExist) {
			return path
		}
		path = filepath.Dir(path)
	}
}

// Writable returns nil if the process may create files in the folder.
func Writable(folder string) error {
	in, err := os.Stat(folder)
	switch {
	case err != nil:
		return err
	case !in.IsDir():
		return &fs.PathError{Op: "open", Path: folder, Err: unix.ENOTDIR}
	}
	if err := unix.Access(folder, unix.W_OK|unix.X_OK); err != nil {
		return &fs.PathError{Op: "write to", Path: folder, Err: err}
	}
	return nil
}

func probeFolder(wanted, there string) sinks.Finding {
	if err := Writable(there); err != nil {
		return sinks.FindingOf("folder", classify(err))
	}
	found := wanted + " can be written"
	if wanted != there {
		found = wanted + " does not exist yet; it is created at the first event"
	}
	return sinks.Finding{Check: "folder", Found: found}
}

// probeFiles looks for files of the sink's that it may not write: somebody may have
// run aictail as another user.
func (s *Sink) probeFiles(ctx context.Context, root string) []sinks.Finding {
	looked, files := 0, 0
	var bad error
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if looked++; looked > maxProbed || ctx.Err() != nil {
			return fs.SkipAll
		}
		switch {
		case err != nil:
			return err
		case !s.onTheWay(root, path):
			if d.IsDir() {
				return fs.SkipDir
			}
		case d.IsDir():
			bad = Writable(path)
		case s.template.whole.MatchString(path):
			files++
			if err := unix.Access(path, unix.W_OK); err != nil {
				bad = &fs.PathError{Op: "write to", Path: path, Err: err}
			}
		}
		if bad != nil {
			return fs.SkipAll
		}
		return nil
	})
	if err = errors.Join(err, bad); err != nil {
		return []sinks.Finding{sinks.FindingOf("files", classify(err))}
	}
	if files == 0 {
		return nil
	}
	return []sinks.Finding{{Check: "files", Found: fmt.Sprintf("%d files of this sink can be written", files)}}
}

// onTheWay tells whether a path below root is a file of the sink's or a folder that
// may have some: others can be large and are none of its business.
func (s *Sink) onTheWay(root, path string) bool {
	rest, err := filepath.Rel(root, path)
	if err != nil || rest == "." {
		return err == nil
	}
	depth := 0
	for rest != "." {
		depth++
		rest = filepath.Dir(rest)
	}
	if depth > len(s.template.levels) {
		return false
	}
	l := s.template.levels[depth-1]
	name := filepath.Base(path)
	return name == l.literal || l.pattern != nil && l.pattern.MatchString(name)
}

func probeSpace(folder string) sinks.Finding {
	free, err := Free(folder)
	switch {
	case err != nil:
		return sinks.Finding{Check: "space", Verdict: sinks.Doubtful, Found: err.Error()}
	case free == 0:
		return sinks.Finding{Check: "space", Verdict: sinks.Bad, Found: "no space is left at " + folder, Remedy: "free space on the file system"}
	}
	f := sinks.Finding{Check: "space", Found: fmt.Sprintf("%.1f GiB are free at %s", float64(free)/(1<<30), folder)}
	if free < lowSpace {
		f.Verdict, f.Remedy = sinks.Doubtful, "free space on the file system, or lower rotate.keep"
	}
	return f
}
