package file

import (
	"errors"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// statMask is what statx is asked for: the basic fields and the time of birth,
// which stat(2) does not tell.
const statMask = unix.STATX_BASIC_STATS | unix.STATX_BTIME

func statPath(name string) (info, error) {
	var st unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, name, 0, statMask, &st)
	if noStatx(err) {
		fi, err := os.Stat(name)
		if err != nil {
			return info{}, err
		}
		return withIdentity(fi), nil
	}
	if err != nil {
		return info{}, &os.PathError{Op: "stat", Path: name, Err: err}
	}
	return fromStatx(&st), nil
}

func statFile(f *os.File) (info, error) {
	var st unix.Statx_t
	err := unix.Statx(int(f.Fd()), "", unix.AT_EMPTY_PATH, statMask, &st)
	if noStatx(err) {
		fi, err := f.Stat()
		if err != nil {
			return info{}, err
		}
		return withIdentity(fi), nil
	}
	if err != nil {
		return info{}, &os.PathError{Op: "stat", Path: f.Name(), Err: err}
	}
	return fromStatx(&st), nil
}

// noStatx reports whether the call itself is missing: an old kernel, or a
// container's seccomp profile that answers EPERM to calls it does not know.
func noStatx(err error) bool { return errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) }

func fromStatx(st *unix.Statx_t) info {
	in := info{
		id:       identity{dev: unix.Mkdev(st.Dev_major, st.Dev_minor), ino: st.Ino},
		size:     int64(st.Size),
		modified: time.Unix(st.Mtime.Sec, int64(st.Mtime.Nsec)),
		regular:  st.Mode&unix.S_IFMT == unix.S_IFREG,
		folder:   st.Mode&unix.S_IFMT == unix.S_IFDIR,
	}
	if st.Mask&unix.STATX_BTIME != 0 {
		in.id.birth = time.Unix(st.Btime.Sec, int64(st.Btime.Nsec)).UnixNano()
	}
	return in
}

func withIdentity(fi os.FileInfo) info {
	in := infoFrom(fi)
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		in.id = identity{dev: st.Dev, ino: st.Ino}
	}
	return in
}
