package checkpoint

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadStreams(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	if got, err := ReadStreams(dir); err != nil || len(got) != 0 {
		t.Errorf("where nothing has run: %v, %v", got, err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("reading made the folder: %v", err)
	}

	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]byte{"sweep/prod/am-core": []byte("covered")}
	if err := s.SaveStreams(want, 7); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadStreams(dir); !isLocked(err) {
		t.Errorf("while a daemon runs: %v, want a LockedError", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	before := listing(t, dir)
	got, err := ReadStreams(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(before, listing(t, dir)); diff != "" {
		t.Errorf("reading changed something: %s", diff)
	}

	if err := os.Remove(filepath.Join(dir, fileName)); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadStreams(dir); err != nil || len(got) != 0 {
		t.Errorf("without state.db: %v, %v", got, err)
	}
	if _, err := os.Stat(filepath.Join(dir, fileName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("reading made state.db: %v", err)
	}
}

// TestForeignFolder: root does not write into the folder of another user, whether or
// not that user's daemon has run, and still learns that it runs.
func TestForeignFolder(t *testing.T) {
	dir := t.TempDir()
	const another = 61184
	if err := os.Chown(dir, another, -1); err != nil && os.Geteuid() != 0 {
		t.Skip("only root can give folders away")
	} else if err != nil {
		t.Fatal(err)
	}
	refused := func(when string) {
		t.Helper()
		_, err := Open(dir)
		if owner, ok := errors.AsType[*OwnerError](err); !ok || owner.UID != another || owner.Dir != dir {
			t.Errorf("%s: %v, want an OwnerError", when, err)
		}
	}
	refused("before the first start")
	if list := listing(t, dir); len(list) != 0 {
		t.Errorf("root has left %v", list)
	}

	// The daemon's own process, as far as the lock can tell.
	lock, err := acquireLock(dir, another)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); !isLocked(err) {
		t.Errorf("while the daemon runs: %v, want a LockedError", err)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	refused("when the daemon is stopped")
}

func isLocked(err error) bool {
	_, locked := errors.AsType[*LockedError](err)
	return locked
}

// listing returns the names, sizes and modification times of what is in a folder.
func listing(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, info.Name()+" "+info.Mode().String()+" "+info.ModTime().String())
	}
	return list
}
