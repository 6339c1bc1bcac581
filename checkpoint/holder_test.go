package checkpoint

import (
	"os"
	"path/filepath"
	"testing"
)

// TestHolder: who holds the lock, and that asking leaves nothing behind.
func TestHolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	check := func(wantPID int, wantHeld bool) {
		t.Helper()
		if pid, held, err := Holder(dir); pid != wantPID || held != wantHeld || err != nil {
			t.Errorf("pid %d, held %t, %v; want %d, %t", pid, held, err, wantPID, wantHeld)
		}
	}
	check(0, false)
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("something was created: %v", err)
	}
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	check(os.Getpid(), true)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	check(0, false)
	if s, err = Open(dir); err != nil {
		t.Fatalf("after the question: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, lockName)); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(lockName, filepath.Join(dir, lockName)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Holder(dir); err == nil {
		t.Error("a lock that cannot be opened was overlooked")
	}
}
