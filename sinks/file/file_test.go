package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"aictail"
	"aictail/sinks"
	"aictail/sinks/sinktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	configs := map[string]Config{
		"one file per source": {Path: "{tenant}/{source}.ndjson"},
		"rotated and dated":   {Path: "{date}/{source}.ndjson", Rotate: Rotate{MaxSize: 20_000}},
	}
	for name, cfg := range configs {
		t.Run(name, func(t *testing.T) {
			sinktest.Run(t, func(t testing.TB) sinktest.Harness { return diskHarness(t, cfg) })
		})
	}
}

// diskHarness breaks the destination by putting a file where its folder was.
func diskHarness(t testing.TB, cfg Config) sinktest.Harness {
	folder := filepath.Join(t.TempDir(), "out")
	cfg.Path = filepath.Join(folder, cfg.Path)
	return sinktest.Harness{
		New: func(t testing.TB) sinks.Sink {
			s, err := New(cfg, Deps{})
			if err != nil {
				t.Fatal(err)
			}
			return s
		},
		Received: func(t testing.TB) [][]byte {
			var lines [][]byte
			for _, path := range inOrder(t, folder) {
				b, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				for line := range strings.Lines(string(b)) {
					lines = append(lines, []byte(strings.TrimSuffix(line, "\n")))
				}
			}
			return lines
		},
		Break: func(t testing.TB) {
			if err := os.Rename(folder, folder+".away"); err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
			if err := os.WriteFile(folder, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		},
		Mend: func(t testing.TB) {
			if err := os.Remove(folder); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(folder+".away", folder); err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
		},
	}
}

// inOrder returns the files below folder in the order in which they were begun.
func inOrder(t testing.TB, folder string) []string {
	t.Helper()
	var paths []string
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	tmpl, err := parseTemplate("/{source}.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	key := func(path string) string {
		dir, name := filepath.Split(path)
		if m := tmpl.rotated.FindStringSubmatch(name); m != nil {
			return fmt.Sprintf("%s%s\x00%s-%6s", dir, m[1], m[2], m[3])
		}
		return dir + strings.TrimSuffix(name, ".ndjson") + "\x00~"
	}
	slices.SortFunc(paths, func(a, b string) int { return strings.Compare(key(a), key(b)) })
	return paths
}

// rig is a sink on the disk with its log, clock and committed state.
type rig struct {
	t     *testing.T
	cfg   Config
	clock time.Time
	sink  *Sink
	state []byte
	saves int
	logs  *observer.ObservedLogs
}

func newRig(t *testing.T, cfg Config) *rig {
	r := &rig{t: t, cfg: cfg, clock: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
	r.start()
	t.Cleanup(func() { r.stop() })
	return r
}

func (r *rig) start() {
	r.t.Helper()
	core, logs := observer.New(zapcore.DebugLevel)
	s, err := New(r.cfg, Deps{Log: zap.New(core), Now: func() time.Time { return r.clock }})
	if err != nil {
		r.t.Fatal(err)
	}
	r.sink, r.logs = s, logs
	err = s.Open(r.t.Context(), sinks.Saved{State: r.state, Save: func(b []byte) error {
		r.state = b
		r.saves++
		return nil
	}})
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) stop() {
	r.t.Helper()
	if err := r.sink.Close(); err != nil {
		r.t.Fatal(err)
	}
}

// send delivers and commits.
func (r *rig) send(events ...aictail.Event) {
	r.t.Helper()
	if err := r.sink.Send(r.t.Context(), events); err != nil {
		r.t.Fatal(err)
	}
	r.state = r.sink.State()
}

func event(source, raw string) aictail.Event {
	return aictail.Event{Tenant: "prod", Source: source, Raw: []byte(raw), Time: time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)}
}

func (r *rig) wantFiles(folder string, want map[string]string) {
	r.t.Helper()
	got := map[string]string{}
	for _, path := range inOrder(r.t, folder) {
		b, err := os.ReadFile(path)
		if err != nil {
			r.t.Fatal(err)
		}
		name, _ := filepath.Rel(folder, path)
		got[name] = string(b)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		r.t.Errorf("files (-want +got):\n%s", diff)
	}
}

func (r *rig) warnings() int { return r.logs.FilterLevelExact(zapcore.WarnLevel).Len() }

func TestNewRefuses(t *testing.T) {
	tests := []struct {
		name string
		cfg  Config
		want string
	}{
		{"no path", Config{}, "path: missing"},
		{"folder", Config{Path: "/x/{source}/"}, "is a folder"},
		{"unknown placeholder", Config{Path: "/x/{sourse}.ndjson"}, "unknown placeholder {sourse}"},
		{"open brace", Config{Path: "/x/{source"}, "brace"},
		{"close brace", Config{Path: "/x/source}"}, "brace"},
		{"nested", Config{Path: "/x/{{source}}"}, "unknown placeholder"},
		{"not text", Config{Path: "/x/\xff"}, "UTF-8"},
		{"nul", Config{Path: "/x/\x00"}, "UTF-8"},
		{"format", Config{Path: "/x", Format: "ecs"}, "format:"},
		{"size", Config{Path: "/x", Rotate: Rotate{MaxSize: -1}}, "rotate.max_size:"},
		{"age", Config{Path: "/x", Rotate: Rotate{Every: -1}}, "rotate.every:"},
		{"keep", Config{Path: "/x", Rotate: Rotate{Keep: -1}}, "rotate.keep:"},
		{"compress", Config{Path: "/x", Rotate: Rotate{Compress: "lz4"}}, "rotate.compress:"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := New(tt.cfg, Deps{}); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

func TestModes(t *testing.T) {
	old := syscall.Umask(0o022)
	defer syscall.Umask(old)
	dir := t.TempDir()
	r := newRig(t, Config{Path: dir + "/{tenant}/{source}.ndjson"})
	r.send(event("am-core", "{}"))
	for name, want := range map[string]fs.FileMode{"prod": fs.ModeDir | 0o750, "prod/am-core.ndjson": 0o640} {
		fi, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if fi.Mode() != want {
			t.Errorf("%s: mode %v, want %v", name, fi.Mode(), want)
		}
	}
}

func TestExistingFiles(t *testing.T) {
	tests := []struct {
		name, before, want string
		warnings           int
	}{
		{"empty", "", "{\"n\":1}\n", 0},
		{"whole lines", "{}\n{}\n", "{}\n{}\n{\"n\":1}\n", 0},
		{"torn line", "{}\n{\"torn\":\"x", "{}\n{\"n\":1}\n", 1},
		{"only a torn line", "{\"torn\":\"x", "{\"n\":1}\n", 1},
		{"no newline", "{}\n{\"whole\":1}", "{}\n{\"whole\":1}\n{\"n\":1}\n", 1},
		{"long torn line", "{}\n{\"" + strings.Repeat("x", 3*tailChunk), "{}\n{\"n\":1}\n", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(dir+"/am-core.ndjson", []byte(tt.before), 0o600); err != nil {
				t.Fatal(err)
			}
			r := newRig(t, Config{Path: dir + "/{source}.ndjson"})
			r.send(event("am-core", `{"n":1}`))
			r.wantFiles(dir, map[string]string{"am-core.ndjson": tt.want})
			if r.warnings() != tt.warnings {
				t.Errorf("%d warnings, want %d", r.warnings(), tt.warnings)
			}
		})
	}
}

func TestOpenRepairs(t *testing.T) {
	const sent = "{\"n\":1}\n"
	tests := []struct {
		name     string
		meddle   func(path string) error
		want     string
		warnings int
	}{
		{"nothing happened", func(string) error { return nil }, sent, 0},
		{"uncommitted bytes", appendTo("{\"n\":2}\n{\"to"), sent, 0},
		{"removed", os.Remove, "", 1},
		{"shortened", func(path string) error { return os.Truncate(path, 3) }, "", 1},
		{"replaced", func(path string) error {
			if err := os.Rename(path, path+".1"); err != nil {
				return err
			}
			return os.WriteFile(path, []byte("{\"somebody\":\"else\"}\n"), 0o600)
		}, "{\"somebody\":\"else\"}\n", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "am-core.ndjson")
			r := newRig(t, Config{Path: dir + "/{source}.ndjson"})
			r.send(event("am-core", `{"n":1}`))
			r.stop()
			if err := tt.meddle(path); err != nil {
				t.Fatal(err)
			}
			r.start()
			if r.warnings() != tt.warnings {
				t.Errorf("%d warnings, want %d: %v", r.warnings(), tt.warnings, r.logs.All())
			}
			r.send(event("am-core", `{"n":9}`))
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want+"{\"n\":9}\n", string(b)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func appendTo(text string) func(path string) error {
	return func(path string) error {
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = f.WriteString(text)
		return errors.Join(err, f.Close())
	}
}

func TestOpenRefusesStateItCannotRead(t *testing.T) {
	for _, state := range []string{
		"{", `{"version":2,"files":[]}`, `{"version":1,"files":[{"path":"x","length":1}]}`,
		`{"version":1,"files":[{"path":"/x","length":-1}]}`,
		`{"version":1,"files":[{"path":"/x"},{"path":"/x"}]}`,
	} {
		s, err := New(Config{Path: t.TempDir() + "/x"}, Deps{})
		if err != nil {
			t.Fatal(err)
		}
		err = s.Open(t.Context(), sinks.Saved{State: []byte(state), Save: func([]byte) error { return nil }})
		if sinks.KindOf(err) != sinks.Refused {
			t.Errorf("state %s: got %v, want it refused", state, err)
		}
	}
}

// TestOtherPath has the configured path changed after a crash: the old files
// are cut all the same, and then left alone.
func TestOtherPath(t *testing.T) {
	dir := t.TempDir()
	r := newRig(t, Config{Path: dir + "/{source}.old"})
	r.send(event("a", "{}"))
	r.stop()
	if err := appendTo("{}\n")(dir + "/a.old"); err != nil {
		t.Fatal(err)
	}
	r.cfg.Path = dir + "/{source}.ndjson"
	r.start()
	r.send(event("a", "{}"))
	r.wantFiles(dir, map[string]string{"a.old": "{}\n", "a.ndjson": "{}\n"})
	if strings.Contains(string(r.state), ".old") {
		t.Errorf("state still names the old file: %s", r.state)
	}
}

func TestMovedAway(t *testing.T) {
	dir := t.TempDir()
	path := dir + "/a.ndjson"
	r := newRig(t, Config{Path: dir + "/{source}.ndjson"})
	r.send(event("a", "1"), event("b", "1"))
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	r.send(event("a", "2"), event("b", "2"))
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.send(event("a", "3"))
	r.wantFiles(dir, map[string]string{"a.ndjson.1": "1\n", "a.ndjson": "0\n3\n", "b.ndjson": "1\n2\n"})
	if r.warnings() != 0 {
		t.Errorf("warnings for an ordinary rotation: %v", r.logs.All())
	}
	// copytruncate
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	r.send(event("a", "4"))
	if err := appendTo("foreign\n")(path); err != nil {
		t.Fatal(err)
	}
	r.send(event("a", "5"))
	r.wantFiles(dir, map[string]string{"a.ndjson.1": "1\n", "a.ndjson": "4\nforeign\n5\n", "b.ndjson": "1\n2\n"})
	if r.warnings() != 2 {
		t.Errorf("%d warnings, want 2: %v", r.warnings(), r.logs.All())
	}
}

func TestReopen(t *testing.T) {
	dir := t.TempDir()
	r := newRig(t, Config{Path: dir + "/{source}.ndjson"})
	r.send(event("quiet", "1"), event("busy", "1"))
	if err := os.Rename(dir+"/quiet.ndjson", dir+"/quiet.1"); err != nil {
		t.Fatal(err)
	}
	r.send(event("busy", "2"))
	if !strings.Contains(string(r.state), "quiet") {
		t.Error("a file without events was looked at without Reopen")
	}
	saves := r.saves
	done := make(chan struct{})
	go func() { r.sink.Reopen(); close(done) }()
	<-done
	r.send()
	if strings.Contains(string(r.state), "quiet") {
		t.Error("the moved file is still held open after Reopen")
	}
	r.send(event("busy", "3"))
	if r.saves != saves {
		t.Error("a file that had not moved was opened again")
	}
	r.wantFiles(dir, map[string]string{"quiet.1": "1\n", "busy.ndjson": "1\n2\n3\n"})
}

func TestOrderWithinFile(t *testing.T) {
	dir := t.TempDir()
	r := newRig(t, Config{Path: dir + "/{tenant}.ndjson"})
	var events []aictail.Event
	var want strings.Builder
	for i := range 3000 { // several buffers, and lines around a buffer's size
		size := 300
		if i%1000 == 999 {
			size = bufferSize - 2 + i/1000
		}
		raw := fmt.Sprintf("%d%s", i, strings.Repeat("x", size-4))
		events = append(events, event([]string{"a", "b"}[i%2], raw))
		want.WriteString(raw + "\n")
	}
	r.send(events...)
	b, err := os.ReadFile(dir + "/prod.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	if string(b) != want.String() {
		t.Errorf("%d bytes in the file are not the %d bytes sent", len(b), want.Len())
	}
}

func TestOpenFilesAreBounded(t *testing.T) {
	dir := t.TempDir()
	r := newRig(t, Config{Path: dir + "/{source}.ndjson"})
	var events []aictail.Event
	for i := range maxOpen + 1 {
		events = append(events, event(fmt.Sprintf("s%03d", i), "{}"))
	}
	if err := r.sink.Send(t.Context(), events); sinks.KindOf(err) != sinks.Split {
		t.Fatalf("a batch for too many files: %v, want it split", err)
	}
	r.wantFiles(dir, map[string]string{})
	r.send(events[:maxOpen]...)
	r.clock = r.clock.Add(time.Second)
	r.send(events[1:maxOpen]...) // s000 is the longest unused now
	r.send(events[maxOpen])
	r.send() // what was closed leaves the state at a commit
	if got := strings.Count(string(r.state), `"path"`); got != maxOpen {
		t.Errorf("%d files in the state, want %d", got, maxOpen)
	}
	if strings.Contains(string(r.state), "s000") {
		t.Error("the longest unused file was not the one to be closed")
	}
	r.clock = r.clock.Add(idleAfter)
	r.send(events[0])
	if got := strings.Count(string(r.state), `"path"`); got != 1 {
		t.Errorf("%d files in the state after a time without events, want 1", got)
	}
	if b, err := os.ReadFile(dir + "/s000.ndjson"); err != nil || string(b) != "{}\n{}\n" {
		t.Errorf("file that was closed and opened again: %q, %v", b, err)
	}
}

func TestRoutesAreBounded(t *testing.T) {
	w := newWorld(1, 0)
	s := w.newSink(t)
	defer s.Close()
	if err := s.Open(t.Context(), sinks.Saved{Save: w.save}); err != nil {
		t.Fatal(err)
	}
	first := event("first", "{}")
	for i := range 3 * maxRoutes {
		s.route(routeKey{tenant: "prod", source: fmt.Sprint(i)})
		if i%1000 != 0 {
			continue
		}
		if err := s.Send(t.Context(), []aictail.Event{first}); err != nil {
			t.Fatal(err)
		}
		s.State()
	}
	if len(s.routes) > maxRoutes || len(s.targets) > maxRoutes {
		t.Errorf("%d routes and %d targets", len(s.routes), len(s.targets))
	}
	if got := strings.Count(w.fs.files()["/var/log/prod/first.ndjson"], "\n"); got != 13 {
		t.Errorf("%d lines in the file that stayed open, want 13", got)
	}
}

func TestRefusesWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(dir+"/fifo.ndjson", 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir+"/folder.ndjson", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(dir+"/a.ndjson", dir+"/link.ndjson"); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, Config{Path: dir + "/{source}.ndjson"})
	r.send(event("a", "{}"))
	for _, source := range []string{"fifo", "folder", "link"} {
		err := r.sink.Send(t.Context(), []aictail.Event{event(source, "{}")})
		if sinks.KindOf(err) != sinks.Refused || !strings.Contains(err.Error(), source+".ndjson") {
			t.Errorf("%s: %v, want it refused with its path", source, err)
		}
	}
	r.send(event("a", "{}"))
}

func TestErrorKinds(t *testing.T) {
	tests := []struct {
		errno syscall.Errno
		want  sinks.Kind
	}{
		{syscall.ENOSPC, sinks.Retry}, {syscall.EIO, sinks.Retry}, {syscall.EDQUOT, sinks.Retry},
		{syscall.EMFILE, sinks.Retry}, {syscall.EINTR, sinks.Retry},
		{syscall.EACCES, sinks.Refused}, {syscall.EPERM, sinks.Refused}, {syscall.EROFS, sinks.Refused},
		{syscall.ENOTDIR, sinks.Refused}, {syscall.ENAMETOOLONG, sinks.Refused},
	}
	for _, tt := range tests {
		err := classify(fmt.Errorf("open output file: %w", pathError("open", "/x/y", tt.errno)))
		if sinks.KindOf(err) != tt.want || !strings.Contains(err.Error(), "/x/y") || !errors.Is(err, tt.errno) {
			t.Errorf("%v: %v %v, want %v", tt.errno, sinks.KindOf(err), err, tt.want)
		}
	}
	if classify(nil) != nil {
		t.Error("no error is an error")
	}
}

func TestSendNeedsOpen(t *testing.T) {
	s, err := New(Config{Path: t.TempDir() + "/x"}, Deps{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Send(t.Context(), nil); err == nil {
		t.Error("Send without Open succeeds")
	}
	saved := sinks.Saved{Save: func([]byte) error { return nil }}
	if err := s.Open(t.Context(), saved); err != nil {
		t.Fatal(err)
	}
	if err := s.Open(t.Context(), saved); err == nil {
		t.Error("a second Open succeeds")
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Error(err)
	}
}

func TestRotateBySize(t *testing.T) {
	dir := t.TempDir()
	r := newRig(t, Config{Path: dir + "/{source}.ndjson", Rotate: Rotate{MaxSize: 10}})
	r.send(event("a", "1234"))
	r.send(event("a", "5678"))                             // exactly full
	r.send(event("a", "next"), event("a", "larger still")) // overshoots by itself
	r.send(event("a", "z"))
	r.wantFiles(dir, map[string]string{
		"a-20260501T120000Z.ndjson":   "1234\n5678\n",
		"a-20260501T120000Z-1.ndjson": "next\nlarger still\n",
		"a.ndjson":                    "z\n",
	})
}

func TestRotateByAge(t *testing.T) {
	dir := t.TempDir()
	r := newRig(t, Config{Path: dir + "/{source}.ndjson", Rotate: Rotate{Every: time.Hour}})
	r.send(event("a", "1"), event("quiet", "1"))
	r.clock = r.clock.Add(40 * time.Minute)
	r.stop()
	r.start() // does not begin the hour again
	r.send(event("a", "2"))
	r.clock = r.clock.Add(19 * time.Minute)
	r.send(event("a", "3"))
	r.wantFiles(dir, map[string]string{"a.ndjson": "1\n2\n3\n", "quiet.ndjson": "1\n"})
	r.clock = r.clock.Add(time.Minute)
	r.send(event("a", "4"))
	r.wantFiles(dir, map[string]string{
		"a-20260501T130000Z.ndjson": "1\n2\n3\n", "a.ndjson": "4\n", "quiet-20260501T130000Z.ndjson": "1\n",
	})
}

// TestRotateAgeOfClosedFile has a file leave the state before it is old.
func TestRotateAgeOfClosedFile(t *testing.T) {
	w := newWorld(1, 0)
	w.rotate = Rotate{Every: time.Hour}
	w.fs.put("/var/log/prod/a.ndjson", "old\n") // born in 1970
	s := w.newSink(t)
	defer s.Close()
	if err := s.Open(t.Context(), sinks.Saved{Save: w.save}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Send(t.Context(), []aictail.Event{event("a", "x")}); err != nil {
			t.Fatal(err)
		}
		s.State()
	}
	if got := w.fs.files()["/var/log/prod/a.ndjson"]; got != "x\n" {
		t.Errorf("the old file was not rotated: %q", got)
	}
}

func TestRotationWaitsForCommit(t *testing.T) {
	dir := t.TempDir()
	r := newRig(t, Config{Path: dir + "/{source}.ndjson", Rotate: Rotate{MaxSize: 1}})
	for range 2 {
		if err := r.sink.Send(t.Context(), []aictail.Event{event("a", "1")}); err != nil {
			t.Fatal(err)
		}
	}
	r.wantFiles(dir, map[string]string{"a.ndjson": "1\n1\n"})
}

func TestCompressAndKeep(t *testing.T) {
	for _, compress := range []string{compressGzip, compressZstd} {
		t.Run(compress, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir := t.TempDir()
				cfg := Config{Path: dir + "/{source}.ndjson", Rotate: Rotate{MaxSize: 1, Keep: 2, Compress: compress}}
				r := newRig(t, cfg)
				for _, raw := range []string{"1", "2", "3", "4"} {
					r.clock = r.clock.Add(time.Hour)
					r.send(event("a", raw))
				}
				synctest.Wait() // until the goroutine has nothing to do
				got := unpackAll(t, osFS{}, dir)
				want := map[string]string{
					"a-20260501T150000Z.ndjson" + "!": "2\n", "a-20260501T160000Z.ndjson" + "!": "3\n", "a.ndjson": "4\n",
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("files (-want +got):\n%s", diff)
				}
				r.stop()
			})
		})
	}
}
