//go:build linux || darwin || freebsd

package file

import (
	"io/fs"

	"golang.org/x/sys/unix"
)

// Free returns how many bytes the process may still write to a file system.
func Free(folder string) (uint64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(folder, &st); err != nil {
		return 0, &fs.PathError{Op: "statfs", Path: folder, Err: err}
	}
	return uint64(st.Bavail) * uint64(st.Bsize), nil //nolint:unconvert // the types differ from system to system
}
