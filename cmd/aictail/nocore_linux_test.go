package main

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestKeepMemoryPrivate(t *testing.T) {
	dumpable := func() int {
		t.Helper()
		n, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := dumpable()
	t.Cleanup(func() { _ = unix.Prctl(unix.PR_SET_DUMPABLE, uintptr(before), 0, 0, 0) })
	if err := keepMemoryPrivate(); err != nil || dumpable() != 0 {
		t.Errorf("%v; the process is still dumpable: %d", err, dumpable())
	}
}
