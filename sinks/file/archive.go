package file

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"go.uber.org/zap"
)

const (
	compressGzip = "gzip"
	compressZstd = "zstd"
	suffixGzip   = ".gz"
	suffixZstd   = ".zst"
	suffixTemp   = ".tmp"

	// zstdWindow bounds the encoder's memory to a few MiB; log lines resemble
	// those near them, so a larger window gains little.
	zstdWindow = 1 << 20
	// copyChunk is how much is compressed between two looks at the context.
	copyChunk = 128 << 10
)

// archiver compresses rotated files and removes the oldest ones. One goroutine
// runs it; the sink only hands it paths. It touches only files whose name is
// that of a rotated file. A failure is logged and tried again at the file's
// next rotation and at the next start; it never holds up delivery.
type archiver struct {
	fs       fileSystem
	log      *zap.Logger
	template *template
	compress string
	keep     int

	wake chan struct{} // holds one token while pending is not empty

	mu      sync.Mutex // guards pending
	pending map[string]bool
}

func newArchiver(fsys fileSystem, log *zap.Logger, t *template, r Rotate) *archiver {
	return &archiver{
		fs: fsys, log: log, template: t, compress: r.Compress, keep: r.Keep,
		wake: make(chan struct{}, 1), pending: make(map[string]bool),
	}
}

// add asks for the rotated files of base, an output path without its extension.
// It does not block.
func (a *archiver) add(base string) {
	a.mu.Lock()
	a.pending[base] = true
	a.mu.Unlock()
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

func (a *archiver) take() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	bases := make([]string, 0, len(a.pending))
	for base := range a.pending {
		bases = append(bases, base)
	}
	clear(a.pending)
	slices.Sort(bases)
	return bases
}

// run works until ctx ends. It begins with what earlier runs left behind.
func (a *archiver) run(ctx context.Context) {
	a.scan(a.template.root, a.template.levels)
	for {
		for _, base := range a.take() {
			a.process(ctx, base)
		}
		select {
		case <-ctx.Done():
			return
		case <-a.wake:
		}
	}
}

// scan adds every base path that has rotated files below folder.
func (a *archiver) scan(folder string, levels []level) {
	l := levels[0]
	last := len(levels) == 1
	if !last && l.pattern == nil {
		a.scan(filepath.Join(folder, l.literal), levels[1:])
		return
	}
	for _, name := range a.list(folder) {
		switch {
		case last:
			if m := a.template.rotated.FindStringSubmatch(name); m != nil {
				a.add(filepath.Join(folder, m[1]))
			}
		case l.pattern.MatchString(name):
			a.scan(filepath.Join(folder, name), levels[1:])
		}
	}
}

func (a *archiver) list(folder string) []string {
	names, err := a.fs.List(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
		a.log.Warn("look for rotated files", zap.String("folder", folder), zap.Error(err))
	}
	return names
}

// rotatedFile is what is left of one rotation: the file, its compressed form,
// or for a moment both.
type rotatedFile struct {
	stamp  string
	number int
	// name is the name without compression, plain whether it is there.
	name  string
	plain bool
	// packed are the suffixes that are there.
	packed []string
}

// process tidies up the rotated files of one base path.
func (a *archiver) process(ctx context.Context, base string) {
	folder := filepath.Dir(base)
	files := a.rotatedFiles(folder, filepath.Base(base))
	for i, f := range files {
		if ctx.Err() != nil {
			return
		}
		path := filepath.Join(folder, f.name)
		switch {
		case a.keep > 0 && i >= a.keep:
			if f.plain {
				a.remove(path)
			}
			for _, suffix := range f.packed {
				a.remove(path + suffix)
			}
		case f.plain && len(f.packed) > 0:
			// Only whole files ever get the compressed name. Its folder may not
			// have been synced before the process ended, though.
			if err := a.fs.SyncFolder(folder); err != nil {
				a.log.Warn("sync folder of rotated files", zap.String("folder", folder), zap.Error(err))
				continue
			}
			a.remove(path)
		case f.plain && a.compress != "":
			if err := a.pack(ctx, path); err != nil && ctx.Err() == nil {
				a.log.Warn("compress rotated file; it stays uncompressed until the next rotation or start",
					zap.String("file", path), zap.Error(err))
			}
		}
	}
}

// rotatedFiles returns the rotated files of a stem, newest first, and removes
// the temporary files that a crash left: only this goroutine writes such, and
// it is not writing one now.
func (a *archiver) rotatedFiles(folder, stem string) []*rotatedFile {
	byName := make(map[string]*rotatedFile)
	for _, name := range a.list(folder) {
		m := a.template.rotated.FindStringSubmatch(name)
		if m == nil || m[1] != stem {
			continue
		}
		suffix, temp := m[4], m[5] != ""
		if temp {
			if suffix != "" {
				a.remove(filepath.Join(folder, name))
			}
			continue
		}
		plain := name[:len(name)-len(suffix)]
		f := byName[plain]
		if f == nil {
			number, _ := strconv.Atoi(m[3]) // "" is 0, as for the first of a second
			f = &rotatedFile{stamp: m[2], number: number, name: plain}
			byName[plain] = f
		}
		if suffix == "" {
			f.plain = true
		} else {
			f.packed = append(f.packed, suffix)
		}
	}
	files := make([]*rotatedFile, 0, len(byName))
	for _, f := range byName {
		files = append(files, f)
	}
	slices.SortFunc(files, func(x, y *rotatedFile) int {
		return cmp.Or(cmp.Compare(y.stamp, x.stamp), cmp.Compare(y.number, x.number))
	})
	return files
}

func (a *archiver) remove(path string) {
	if err := a.fs.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		a.log.Warn("remove rotated file", zap.String("file", path), zap.Error(err))
	}
}

// pack compresses one file. The original goes only when its compressed form is
// durable under its final name.
func (a *archiver) pack(ctx context.Context, path string) error {
	target := path + suffixGzip
	if a.compress == compressZstd {
		target = path + suffixZstd
	}
	temp := target + suffixTemp
	if err := a.packTo(ctx, path, temp); err != nil {
		a.remove(temp)
		return err
	}
	if err := a.fs.Rename(temp, target); err != nil {
		a.remove(temp)
		return err
	}
	if err := a.fs.SyncFolder(filepath.Dir(path)); err != nil {
		return err
	}
	return a.fs.Remove(path)
}

func (a *archiver) packTo(ctx context.Context, from, to string) (err error) {
	in, err := a.fs.Open(from, os.O_RDONLY)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	stat, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := a.fs.Open(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	w, err := a.encoder(out)
	if err != nil {
		return err
	}
	if err := copyWhole(ctx, w, io.NewSectionReader(in, 0, stat.size)); err != nil {
		return errors.Join(err, w.Close())
	}
	if err := w.Close(); err != nil {
		return err
	}
	return out.Sync()
}

func (a *archiver) encoder(w io.Writer) (io.WriteCloser, error) {
	if a.compress == compressGzip {
		return gzip.NewWriter(w), nil
	}
	// Concurrency 1: no further goroutines, and one core is enough for this.
	return zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(zstdWindow))
}

// copyWhole copies all of r and gives up when ctx ends.
func copyWhole(ctx context.Context, w io.Writer, r *io.SectionReader) error {
	chunk := make([]byte, copyChunk)
	for at := int64(0); at < r.Size(); {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(int64(len(chunk)), r.Size()-at)
		if err := readAt(r, chunk[:n], at); err != nil {
			return err
		}
		if _, err := w.Write(chunk[:n]); err != nil {
			return err
		}
		at += n
	}
	return nil
}
