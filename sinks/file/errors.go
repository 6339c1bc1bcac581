package file

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"aictail/sinks"
)

// remedies says for the errors that do not go away by themselves, or that need
// somebody, what to do about them.
var remedies = []struct {
	is     error
	kind   sinks.Kind
	remedy string
}{
	{syscall.EACCES, sinks.Refused, "give aictail's user write permission on the file and its folder"},
	{syscall.EPERM, sinks.Refused, "give aictail's user write permission on the file and its folder, and look for an immutable flag"},
	{syscall.EROFS, sinks.Refused, "mount the file system writable, or let the service write there (systemd: ReadWritePaths)"},
	{syscall.ENOTDIR, sinks.Refused, "a part of the path is a file; move it away or change the sink's path"},
	{syscall.EISDIR, sinks.Refused, "the path is a folder; move it away or change the sink's path"},
	{syscall.ELOOP, sinks.Refused, "the path's symbolic links form a circle; remove them"},
	{syscall.ENAMETOOLONG, sinks.Refused, "shorten the sink's path"},
	{syscall.ENOSPC, sinks.Retry, "free space on the file system; delivery then goes on by itself"},
	{syscall.EDQUOT, sinks.Retry, "raise the quota or free space; delivery then goes on by itself"},
	{syscall.EMFILE, sinks.Retry, "raise the limit of open files (systemd: LimitNOFILE)"},
	{syscall.EIO, sinks.Retry, "check the disk"},
}

// classify turns a failure into what deliver understands. The errors of package
// os name operation and path.
func classify(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*sinks.Error](err); ok {
		return err
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return &sinks.Error{Kind: sinks.Retry, Err: err}
	}
	for _, r := range remedies {
		if errors.Is(err, r.is) {
			return &sinks.Error{Kind: r.kind, Err: fmt.Errorf("%w: %s", err, r.remedy)}
		}
	}
	return &sinks.Error{Kind: sinks.Retry, Err: err}
}

func refused(format string, args ...any) error {
	return &sinks.Error{Kind: sinks.Refused, Err: fmt.Errorf(format, args...)}
}
