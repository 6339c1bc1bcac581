//go:build unix && !linux

package file

import (
	"os"
	"syscall"
)

func statPath(name string) (info, error) {
	fi, err := os.Stat(name)
	if err != nil {
		return info{}, err
	}
	return withIdentity(fi), nil
}

func statFile(f *os.File) (info, error) {
	fi, err := f.Stat()
	if err != nil {
		return info{}, err
	}
	return withIdentity(fi), nil
}

func withIdentity(fi os.FileInfo) info {
	in := infoFrom(fi)
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		in.id = identity{dev: uint64(st.Dev), ino: uint64(st.Ino)}
	}
	return in
}
