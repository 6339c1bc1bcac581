package checkpoint

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"
	"go.uber.org/goleak"

	"aictail"
)

// childEnv makes the test binary a second aictail process on the folder it names.
const childEnv = "AICTAIL_TEST_CHILD_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		child(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

// child commits as fast as it can and prints what is committed.
func child(dir string) {
	s, err := Open(dir)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	sink, _, err := s.Sink("archive")
	for pos := sink.Position + 1; err == nil; pos++ {
		text := fmt.Append(nil, pos)
		if err = s.CommitSink("archive", pos, text); err == nil {
			err = s.SaveStreams(map[string][]byte{"a": text, "b": text}, pos)
		}
		fmt.Println("committed", pos)
	}
	fmt.Println(err)
	os.Exit(1)
}

// startChild starts a second process and returns its output.
func startChild(t *testing.T, dir string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewScanner(out)
}

func mustOpen(t *testing.T, dir string) *State {
	t.Helper()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustClose(t *testing.T, s *State) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestStateSurvivesReopening(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "data")
	s := mustOpen(t, dir)
	id, created := s.Installation(), s.Created()
	if len(id) != 32 || created.IsZero() {
		t.Errorf("installation %q of %v", id, created)
	}
	if cps, applied, err := s.Streams(); len(cps) != 0 || applied != 0 || err != nil {
		t.Errorf("new state: %v, %d, %v", cps, applied, err)
	}
	if _, found, err := s.Sink("siem"); found || err != nil {
		t.Errorf("new state has a sink: %v", err)
	}
	for _, err := range []error{
		s.SaveStreams(map[string][]byte{"a": []byte("1"), "b": {}, "gone": []byte("x")}, 10),
		s.SaveStreams(map[string][]byte{"a": []byte("2"), "gone": nil, "never": nil}, 12),
		s.SaveStreams(nil, 12),
		s.CommitSink("siem", 7, []byte("length 5")),
		s.CommitSink("siem", 7, nil),
		s.CommitSink("archive", 9, []byte("length 9")),
		s.SaveSinkState("archive", []byte("rotating")),
		s.SaveSinkState("new", []byte("intent")),
		s.CommitSink("old", 1, nil),
		s.ForgetSink("old"),
		s.ForgetSink("never"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		cps, applied, err := s.Streams()
		if d := cmp.Diff(map[string][]byte{"a": []byte("2"), "b": {}}, cps); d != "" || applied != 12 || err != nil {
			t.Errorf("streams up to %d, %v: %s", applied, err, d)
		}
		for name, want := range map[string]SinkState{
			"siem": {Position: 7}, "archive": {9, []byte("rotating")}, "new": {0, []byte("intent")},
		} {
			got, found, err := s.Sink(name)
			if d := cmp.Diff(want, got); d != "" || !found || err != nil {
				t.Errorf("sink %s, %t, %v: %s", name, found, err, d)
			}
		}
		sinks, err := s.Sinks()
		if d := cmp.Diff(map[string]aictail.Position{"siem": 7, "archive": 9, "new": 0}, sinks); d != "" || err != nil {
			t.Errorf("sinks %v: %s", err, d)
		}
		mustClose(t, s)
		s = mustOpen(t, dir)
		if s.Installation() != id || !s.Created().Equal(created) {
			t.Errorf("another installation: %q of %v", s.Installation(), s.Created())
		}
	}
	mustClose(t, s)
	for name, mode := range map[string]os.FileMode{"": 0o750, fileName: 0o640, lockName: 0o640} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm()&^mode != 0 {
			t.Errorf("%q: %v, %v", name, info.Mode(), err)
		}
	}
}

func TestPositionsNeverGoBack(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	defer mustClose(t, s)
	if err := errors.Join(s.CommitSink("siem", 7, []byte("a")), s.SaveStreams(nil, 7)); err != nil {
		t.Fatal(err)
	}
	if err := s.CommitSink("siem", 6, []byte("b")); err == nil || !strings.Contains(err.Error(), `"siem"`) {
		t.Errorf("CommitSink: %v", err)
	}
	if err := s.SaveStreams(map[string][]byte{"a": []byte("b")}, 6); err == nil {
		t.Error("SaveStreams accepted an earlier position")
	}
	if got, _, _ := s.Sink("siem"); got.Position != 7 || string(got.State) != "a" {
		t.Errorf("a refused commit left %+v", got)
	}
	if cps, applied, _ := s.Streams(); len(cps) != 0 || applied != 7 {
		t.Errorf("a refused save left %v, %d", cps, applied)
	}
	for name, err := range map[string]error{
		"sink": s.CommitSink("", 1, nil), "stream": s.SaveStreams(map[string][]byte{"": []byte("x")}, 8),
	} {
		if err == nil {
			t.Errorf("a %s without a name was accepted", name)
		}
	}
}

func TestConcurrentCommits(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	defer mustClose(t, s)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for pos := range aictail.Position(10) {
				if err := s.CommitSink(fmt.Sprint(i), pos, nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if sinks, err := s.Sinks(); len(sinks) != 4 || sinks["3"] != 9 || err != nil {
		t.Errorf("%v, %v", sinks, err)
	}
}

func TestSecondProcessIsRefused(t *testing.T) {
	dir := t.TempDir()
	check := func(err error, pid int) {
		t.Helper()
		locked, ok := errors.AsType[*LockedError](err)
		if !ok || locked.PID != pid || locked.Dir != dir || !strings.Contains(err.Error(), "its own data_dir") {
			t.Errorf("%v, want a refusal because of pid %d", err, pid)
		}
	}
	s := mustOpen(t, dir)
	_, err := Open(dir)
	check(err, os.Getpid())
	cmd, out := startChild(t, dir)
	if !out.Scan() || !strings.Contains(out.Text(), fmt.Sprintf("(pid %d)", os.Getpid())) {
		t.Errorf("second process: %q", out.Text())
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the second process succeeded")
	}
	mustClose(t, s)

	cmd, out = startChild(t, dir)
	if !out.Scan() {
		t.Fatal(out.Err())
	}
	_, err = Open(dir)
	check(err, cmd.Process.Pid)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()                 // it was killed
	mustClose(t, mustOpen(t, dir)) // nothing is left of its lock
}

// A process that is killed in the middle of its work loses nothing it was told
// is committed, and position and state always agree.
func TestKilledBetweenCommits(t *testing.T) {
	dir := t.TempDir()
	for round := range 5 {
		cmd, out := startChild(t, dir)
		var last aictail.Position
		for range 5 + 7*round {
			if !out.Scan() {
				t.Fatal(out.Err())
			}
			if _, err := fmt.Sscanf(out.Text(), "committed %d", &last); err != nil {
				t.Fatalf("%q: %v", out.Text(), err)
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed
		s := mustOpen(t, dir)
		sink, _, err := s.Sink("archive")
		if err != nil || sink.Position < last || string(sink.State) != fmt.Sprint(sink.Position) {
			t.Errorf("round %d: %d %q after %d was committed, %v", round, sink.Position, sink.State, last, err)
		}
		cps, applied, err := s.Streams()
		if err != nil || applied < last || string(cps["a"]) != fmt.Sprint(applied) || string(cps["b"]) != fmt.Sprint(applied) {
			t.Errorf("round %d: streams %q up to %d after %d, %v", round, cps, applied, last, err)
		}
		mustClose(t, s)
	}
}

func TestFoldersThatCannotBeUsed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	lockIsDir := t.TempDir()
	if err := os.Mkdir(filepath.Join(lockIsDir, lockName), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "below"), lockIsDir} {
		_, err := Open(dir)
		if err == nil || !strings.Contains(err.Error(), "data_dir "+dir) {
			t.Errorf("%s: %v", dir, err)
		}
	}
	for _, dir := range []string{file, filepath.Join(file, "below")} {
		if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "another data_dir") {
			t.Errorf("%s: %v does not say what to do", dir, err)
		}
	}
	if os.Getuid() == 0 {
		return // may write everywhere
	}
	readOnly := t.TempDir()
	if err := os.Chmod(readOnly, 0o500); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(readOnly); !errors.Is(err, os.ErrPermission) || !strings.Contains(err.Error(), "another data_dir") {
		t.Errorf("read-only folder: %v", err)
	}
}

func TestAdvice(t *testing.T) {
	for err, want := range map[error]string{
		syscall.ENOSPC: "free space", syscall.EROFS: "read-only", syscall.EACCES: "permissions",
		syscall.ENOTDIR: "not a folder", syscall.EIO: "the disk", syscall.EINVAL: "",
	} {
		got := (&dirError{"/d", "lock data_dir", err}).Error()
		if !strings.HasPrefix(got, "lock data_dir /d: ") || !strings.Contains(got, want) {
			t.Errorf("%v: %s", err, got)
		}
	}
}

// spoilt writes a state, closes it, changes the file and opens it again.
func spoilt(t *testing.T, spoil func(path string) error) error {
	t.Helper()
	dir := t.TempDir()
	s := mustOpen(t, dir)
	for i := range 200 { // several pages
		if err := s.db.Update(func(tx *bbolt.Tx) error {
			return tx.Bucket(bucketStreams()).Put(fmt.Append(nil, i), make([]byte, 500))
		}); err != nil {
			t.Fatal(err)
		}
		if i%50 == 0 {
			if err := s.CommitSink("siem", aictail.Position(i), nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	mustClose(t, s)
	if err := spoil(filepath.Join(dir, fileName)); err != nil {
		t.Fatal(err)
	}
	s, err := Open(dir)
	if err == nil {
		mustClose(t, s)
		return nil
	}
	// The lock is free again, whatever was wrong.
	if err := os.Remove(filepath.Join(dir, fileName)); err != nil {
		t.Fatal(err)
	}
	mustClose(t, mustOpen(t, dir))
	return err
}

func TestDamagedFile(t *testing.T) {
	overwrite := func(from, to int) func(string) error {
		return func(path string) error {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for i := from; i < min(to, len(b)); i++ {
				b[i] = 0xa5
			}
			return os.WriteFile(path, b, 0o600)
		}
	}
	for name, spoil := range map[string]func(string) error{
		"no database": func(path string) error { return os.WriteFile(path, make([]byte, 10000), 0o600) },
		"text":        func(path string) error { return os.WriteFile(path, []byte("hello"), 0o600) },
		"metas":       overwrite(0, 2*os.Getpagesize()),
		"pages":       overwrite(2*os.Getpagesize(), 1<<30),
		"cut":         func(path string) error { return os.Truncate(path, int64(3*os.Getpagesize())) },
		"cut more":    func(path string) error { return os.Truncate(path, int64(2*os.Getpagesize())) },
	} {
		err := spoilt(t, spoil)
		if _, ok := errors.AsType[*CorruptError](err); !ok || !strings.Contains(err.Error(), fileName) || !strings.Contains(err.Error(), "Move it away") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWrongContent(t *testing.T) {
	edit := func(fn func(tx *bbolt.Tx) error) func(string) error {
		return func(path string) error {
			db, err := bbolt.Open(path, 0o600, nil)
			if err != nil {
				return err
			}
			return errors.Join(db.Update(fn), db.Close())
		}
	}
	put := func(bucket, key, value []byte) func(string) error {
		return edit(func(tx *bbolt.Tx) error { return tx.Bucket(bucket).Put(key, value) })
	}
	for name, c := range map[string]struct {
		spoil func(string) error
		want  string
	}{
		"newer format":  {put(bucketMeta(), keyFormat(), binary.BigEndian.AppendUint32(nil, 9)), "has format 9"},
		"no format":     {put(bucketMeta(), keyFormat(), []byte("x")), "format number has 1 bytes"},
		"no identity":   {put(bucketMeta(), keyInstallation(), nil), "identity"},
		"no time":       {put(bucketMeta(), keyCreated(), []byte("yesterday")), "identity"},
		"no streams":    {edit(func(tx *bbolt.Tx) error { return tx.DeleteBucket(bucketStreams()) }), "streams is missing"},
		"other program": {edit(func(tx *bbolt.Tx) error { return tx.DeleteBucket(bucketMeta()) }), "not a state of aictail"},
	} {
		if err := spoilt(t, c.spoil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s := mustOpen(t, t.TempDir())
	defer mustClose(t, s)
	err := s.db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.Bucket(bucketSinks()).CreateBucket([]byte("siem"))
		return errors.Join(err, b.Put(keyPosition(), []byte("xyz")), tx.Bucket(bucketMeta()).Put(keyApplied(), nil))
	})
	if err != nil {
		t.Fatal(err)
	}
	_, _, sinkErr := s.Sink("siem")
	_, sinksErr := s.Sinks()
	_, _, streamsErr := s.Streams()
	for _, err := range []error{sinkErr, sinksErr, streamsErr, s.CommitSink("siem", 1, nil), s.SaveStreams(nil, 1)} {
		if _, ok := errors.AsType[*CorruptError](err); !ok {
			t.Errorf("a position of the wrong length: %v", err)
		}
	}
}
