// Package file writes events to NDJSON files, each event once, through kill -9
// and power failures. It owns the output files, their rotation, compression and
// retention; it does not batch, retry or count, which is deliver's part.
//
// # Once
//
// A line is the event's Raw and a newline. Send returns nil after every file
// that it wrote has been synced. deliver then stores the read position and
// State, the files' lengths, in one transaction. What a file holds beyond the
// stored length belongs to events that will come again, so Open cuts it off.
// Before the first byte goes to a file that the stored state does not name, the
// file is created, its folder is synced and the file is registered with
// Saved.Save, so that no file ever holds uncommitted bytes unknown to the
// state. A Send that fails cuts its files back itself.
//
// Events repeat only if, in addition to a crash between Send and commit,
// somebody else renamed, replaced or truncated the file in that moment (then
// the bytes to cut cannot be found, and a warning names the file). Nothing but
// one process may write to the files: two sinks must not share a path.
//
// # Files
//
// A file that is not in the state and ends in the middle of a line was torn by
// a crash whose state was lost: the torn line is cut off if it is not valid
// JSON, else completed with a newline.
//
// A file that somebody moved away or replaced (logrotate) is noticed at the
// next Send, which goes on in a new file at the path.
//
// # Rotation
//
// A file is rotated at the start of a Send, when all that it holds is
// committed: before the batch that would take it beyond MaxSize (a batch that
// is larger by itself overshoots), and once it is older than Every. The age is
// that of the file, not of the process. Of a source that has gone quiet, the
// file is rotated at the next Send for any source, as long as it is open. There
// is no timer: a sink that is sent nothing rotates nothing.
// Rotated files are called name-20060102T150405Z.ndjson; compression and
// retention are done in the background. Retention counts per path: with {date}
// in the path, every day's file has rotated files of its own.
package file

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"aictail/sinks"
)

const (
	// maxOpen bounds the open files: five tenants of 22 sources fit, and it is
	// far from the 1024 descriptors that a process may usually hold.
	maxOpen = 128
	// idleAfter is when an unused file is closed: long enough to keep the file
	// of a source that is polled every 30 s, short enough to let go of
	// yesterday's files soon.
	idleAfter = 10 * time.Minute
	// maxRoutes bounds the memory for paths that are not open, of which a path
	// with {date} makes new ones for ever; at some 200 bytes each, 1 MiB.
	maxRoutes = 4096
	// bufferSize is the size of a write. Larger ones gain nothing measurable.
	bufferSize = 256 << 10
)

// Config is what the user sets.
type Config struct {
	// Path is the files' path, with {tenant}, {source} and {date} (the event's
	// day in UTC). Values are cleaned so that none can leave the folder.
	Path string
	// Format is how an event is written: "raw", also if empty, is its Raw.
	Format string
	// Rotate says when to begin a new file.
	Rotate Rotate
}

// Rotate says when to begin a new file and what becomes of the old one.
type Rotate struct {
	// MaxSize is the size in bytes that a file is not to exceed; 0: any size.
	MaxSize int64
	// Every is the age at which a file is rotated; 0: never by age.
	Every time.Duration
	// Keep is how many rotated files stay per path; 0: all.
	Keep int
	// Compress is how rotated files are compressed: "gzip", "zstd", or "none" or
	// "" for not at all.
	Compress string
}

// Deps is what the program injects.
type Deps struct {
	// Log takes warnings; nil: none.
	Log *zap.Logger
	// Now is the clock for rotation; nil: time.Now.
	Now func() time.Time
}

// Sink is a sinks.Sink. All methods but Reopen are called from one goroutine.
type Sink struct {
	template *template
	rotation Rotate
	log      *zap.Logger
	now      func() time.Time
	fs       fileSystem
	// archiveFS is what the background goroutine uses: fs, except in tests.
	archiveFS fileSystem

	// reopen is set by Reopen and cleared by the Send that acts on it.
	reopen atomic.Bool

	// save is nil while the sink is closed.
	save func([]byte) error
	// targets are the files by path, open or not.
	targets map[string]*target
	// routes leads from what decides an event's file to the file.
	routes map[routeKey]*target
	buffer []byte
	batch  batch
	// rootSynced: the folders above the template's root are durable.
	rootSynced bool

	archiver   *archiver
	stop       context.CancelFunc
	background sync.WaitGroup
}

// New checks the configuration. It touches no file. Its errors begin with the
// configuration key concerned.
func New(cfg Config, deps Deps) (*Sink, error) {
	t, err := parseTemplate(cfg.Path)
	if err != nil {
		return nil, err
	}
	r := cfg.Rotate
	switch {
	case cfg.Format != "" && cfg.Format != "raw":
		return nil, fmt.Errorf("format: unknown format %q; the file sink writes raw", cfg.Format)
	case r.MaxSize < 0:
		return nil, errors.New("rotate.max_size: must not be negative; 0 is no limit")
	case r.Every < 0:
		return nil, errors.New("rotate.every: must not be negative; 0 is never")
	case r.Keep < 0:
		return nil, errors.New("rotate.keep: must not be negative; 0 keeps all")
	}
	switch r.Compress {
	case "none":
		r.Compress = ""
	case "", compressGzip, compressZstd:
	default:
		return nil, fmt.Errorf("rotate.compress: unknown compression %q; known are none, gzip and zstd", r.Compress)
	}
	s := &Sink{template: t, rotation: r, log: deps.Log, now: deps.Now, fs: osFS{}, archiveFS: osFS{}}
	if s.log == nil {
		s.log = zap.NewNop()
	}
	if s.now == nil {
		s.now = time.Now
	}
	return s, nil
}

// Open cuts the files of the saved state back to their committed lengths and
// starts the background goroutine.
func (s *Sink) Open(ctx context.Context, saved sinks.Saved) error {
	if s.save != nil {
		return errors.New("the file sink is open already")
	}
	if saved.Save == nil {
		return errors.New("the file sink needs a place to save its state")
	}
	files, err := decodeState(saved.State)
	if err != nil {
		return &sinks.Error{Kind: sinks.Refused, Err: err}
	}
	s.targets = make(map[string]*target)
	s.routes = make(map[routeKey]*target)
	s.rootSynced = false
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return errors.Join(classify(err), s.closeFiles())
		}
		if err := s.recover(f); err != nil {
			return errors.Join(classify(err), s.closeFiles())
		}
	}
	s.save = saved.Save
	s.buffer = make([]byte, 0, bufferSize)

	s.archiver = newArchiver(s.archiveFS, s.log, s.template, s.rotation)
	// Not ctx: the goroutine lives until Close.
	var background context.Context
	background, s.stop = context.WithCancel(context.Background())
	s.background.Go(func() { s.archiver.run(background) })
	return nil
}

// recover takes one file over from the saved state, cut to what is committed.
func (s *Sink) recover(f fileState) error {
	t := &target{
		path: f.Path, id: identity{dev: f.Dev, ino: f.Ino, birth: f.Birth},
		known: true, saved: true, since: f.Since, used: s.now(),
		length: f.Length, settled: f.Length, committed: f.Length,
	}
	s.targets[f.Path] = t
	if err := s.reclaim(t); err != nil {
		return err
	}
	if t.known && !s.template.whole.MatchString(t.path) {
		// The configured path is another one now. Nothing will be written here.
		return t.forget()
	}
	return nil
}

// State returns the committed lengths after a successful Send.
func (s *Sink) State() []byte {
	for _, t := range s.targets {
		t.committed = t.settled
	}
	b, err := s.encode()
	if err != nil {
		// Numbers, times of this era and UTF-8 paths always encode.
		s.log.Error("encode state", zap.Error(err))
		return nil
	}
	return b
}

// encode returns the state of all files that may hold uncommitted bytes.
func (s *Sink) encode() ([]byte, error) {
	files := make([]fileState, 0, len(s.targets))
	for _, t := range s.targets {
		if t.known {
			files = append(files, fileState{
				Path: t.path, Length: t.committed, Since: t.since,
				Dev: t.id.dev, Ino: t.id.ino, Birth: t.id.birth,
			})
		}
	}
	slices.SortFunc(files, func(a, b fileState) int { return strings.Compare(a.Path, b.Path) })
	return encodeState(files)
}

// Reopen makes the next Send let go of every file that is no longer at its
// path, also of those it has no events for (SIGHUP after an external rotation).
// It may be called from any goroutine, at any time.
func (s *Sink) Reopen() { s.reopen.Store(true) }

// Close stops the background goroutine, which leaves an unfinished compression
// to the next Open, and closes the files.
func (s *Sink) Close() error {
	if s.stop != nil {
		s.stop()
		s.background.Wait()
		s.stop = nil
	}
	s.save = nil
	s.buffer = nil
	return s.closeFiles()
}

func (s *Sink) closeFiles() error {
	var errs []error
	for _, t := range s.targets {
		errs = append(errs, t.closeHandle())
	}
	s.targets, s.routes = nil, nil
	return errors.Join(errs...)
}
