package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// keepMemoryPrivate keeps the secrets in this process from core files, and from other
// processes of the same user: nobody but root may then trace it or read its memory and
// environment. A limit of 0 for core files, as the systemd unit sets it, would not be
// enough everywhere: the kernel ignores it if it pipes cores to a program.
func keepMemoryPrivate() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("forbid core files: %w", err)
	}
	return nil
}
