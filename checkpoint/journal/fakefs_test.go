package journal

import (
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// fakeFS is a file system in memory that can fail and crash. What counts as
// durable is as strict as POSIX allows: bytes after Sync of the file, names after
// SyncDir of the folder.
type fakeFS struct {
	mu      sync.Mutex // guards everything, files included
	names   map[string]*node
	durable map[string]*node
	ops     int // operations so far that can fail
	fail    func(op string, n int) error
	failed  int    // how often fail returned an error
	onSync  func() // called at the end of every Sync of a file, without mu
	epoch   int    // raised by a crash; handles of before are dead
}

// node is a file: its bytes, and the writes and truncations since the last Sync.
type node struct {
	data    []byte
	durable []byte
	pending []change
}

type change struct {
	off  int64 // of a write; -1: truncate to size
	data []byte
	size int64
}

func newFakeFS() *fakeFS {
	return &fakeFS{names: map[string]*node{}, durable: map[string]*node{}}
}

// op counts an operation and returns its injected error. f.mu is held.
func (f *fakeFS) op(what string) error {
	f.ops++
	if f.fail == nil {
		return nil
	}
	err := f.fail(what, f.ops)
	if err != nil {
		f.failed++
	}
	return err
}

func (f *fakeFS) setFail(fail func(op string, n int) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail = fail
}

// crash drops what is not durable. Of what is in between, unsynced names and a
// part of the unsynced changes survive as rng decides; without rng, nothing.
func (f *fakeFS) crash(rng *rand.Rand) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.epoch++
	for name, n := range f.names {
		if rng != nil && f.durable[name] == nil && rng.IntN(2) == 0 {
			f.durable[name] = n
		}
	}
	for name := range f.durable {
		if rng != nil && f.names[name] == nil && rng.IntN(2) == 0 {
			delete(f.durable, name)
		}
	}
	f.names = map[string]*node{}
	for name, n := range f.durable {
		f.names[name] = n
		if rng != nil && len(n.pending) > 0 {
			keep := rng.IntN(len(n.pending) + 1)
			for _, c := range n.pending[:keep] {
				n.durable = c.apply(n.durable)
			}
			// The next write may have got half-way.
			if keep < len(n.pending) && n.pending[keep].off >= 0 && rng.IntN(2) == 0 {
				c := n.pending[keep]
				c.data = c.data[:rng.IntN(len(c.data)+1)]
				n.durable = c.apply(n.durable)
			}
		}
		n.pending = nil
		n.data = slices.Clone(n.durable)
	}
}

func (c change) apply(b []byte) []byte {
	if c.off < 0 {
		return b[:min(c.size, int64(len(b)))]
	}
	if end := c.off + int64(len(c.data)); end > int64(len(b)) {
		b = append(b, make([]byte, end-int64(len(b)))...)
	}
	copy(b[c.off:], c.data)
	return b
}

func (f *fakeFS) MkdirAll(string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.op("mkdir")
}

func (f *fakeFS) ReadDir(dir string) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.op("readdir"); err != nil {
		return nil, err
	}
	var names []string
	for name := range f.names {
		if filepath.Dir(name) == dir {
			names = append(names, filepath.Base(name))
		}
	}
	return names, nil
}

func (f *fakeFS) OpenFile(name string, flag int) (File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.op("open"); err != nil {
		return nil, err
	}
	n := f.names[name]
	switch {
	case n != nil && flag&os.O_EXCL != 0:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrExist}
	case n == nil && flag&os.O_CREATE == 0:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	case n == nil:
		n = &node{}
		f.names[name] = n
	}
	return &fakeFile{fs: f, node: n, epoch: f.epoch, writable: flag&os.O_RDWR != 0}, nil
}

func (f *fakeFS) Remove(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.op("remove"); err != nil {
		return err
	}
	if f.names[name] == nil {
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	}
	delete(f.names, name)
	return nil
}

func (f *fakeFS) Link(oldname, newname string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.op("link"); err != nil {
		return err
	}
	if f.names[newname] != nil {
		return &fs.PathError{Op: "link", Path: newname, Err: fs.ErrExist}
	}
	f.names[newname] = f.names[oldname]
	return nil
}

func (f *fakeFS) SyncDir(dir string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.op("syncdir"); err != nil {
		return err
	}
	for name := range f.durable {
		if filepath.Dir(name) == dir && f.names[name] == nil {
			delete(f.durable, name)
		}
	}
	for name, n := range f.names {
		if filepath.Dir(name) == dir {
			f.durable[name] = n
		}
	}
	return nil
}

// segmentNames lists the segments, oldest first.
func (f *fakeFS) segmentNames() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var names []string
	for name := range f.names {
		if strings.HasSuffix(name, segmentSuffix) && !strings.Contains(name, corruptDir) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// damage flips a byte of a file, durably.
func (f *fakeFS) damage(name string, off int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.names[name]
	n.data[off] ^= 0x40
	n.durable = slices.Clone(n.data)
	n.pending = nil
}

type fakeFile struct {
	fs       *fakeFS
	node     *node
	epoch    int
	writable bool
	closed   bool
}

// begin starts an operation on the file. fs.mu is held.
func (f *fakeFile) begin(what string) error {
	if f.closed {
		return fs.ErrClosed
	}
	if f.epoch != f.fs.epoch {
		return fmt.Errorf("the machine that opened this file has crashed")
	}
	return f.fs.op(what)
}

func (f *fakeFile) ReadAt(b []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.begin("read"); err != nil {
		return 0, err
	}
	if off >= int64(len(f.node.data)) {
		return 0, io.EOF
	}
	n := copy(b, f.node.data[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// WriteAt writes half of b when it fails, as a full disk does.
func (f *fakeFile) WriteAt(b []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	err := f.begin("write")
	if err == nil && !f.writable {
		err = fs.ErrPermission
	}
	if err != nil {
		b = b[:len(b)/2]
	}
	if !f.closed && f.epoch == f.fs.epoch {
		c := change{off: off, data: slices.Clone(b)}
		f.node.data = c.apply(f.node.data)
		f.node.pending = append(f.node.pending, c)
	}
	return len(b), err
}

// Sync that fails drops nothing from the page cache but marks it clean: what was
// pending may or may not be on the disk. Here it is not, until another write.
func (f *fakeFile) Sync() error {
	if f.fs.onSync != nil {
		defer f.fs.onSync()
	}
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.begin("sync"); err != nil {
		return err
	}
	f.node.durable = slices.Clone(f.node.data)
	f.node.pending = nil
	return nil
}

func (f *fakeFile) Truncate(size int64) error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.begin("truncate"); err != nil {
		return err
	}
	c := change{off: -1, size: size}
	f.node.data = c.apply(f.node.data)
	f.node.pending = append(f.node.pending, c)
	return nil
}

func (f *fakeFile) Size() (int64, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.begin("size"); err != nil {
		return 0, err
	}
	return int64(len(f.node.data)), nil
}

func (f *fakeFile) Close() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if f.closed {
		return fs.ErrClosed
	}
	f.closed = true
	return f.fs.op("close")
}
