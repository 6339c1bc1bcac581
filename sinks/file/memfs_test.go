package file

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// errCrashed is what every operation returns once the simulated process is dead.
var errCrashed = errors.New("the process is dead")

// memFS is a file system in memory that knows what is durable: the content of a
// file since its last Sync, the names in a folder since its last SyncFolder. It
// can fail one operation, or die at one.
type memFS struct {
	mu      sync.Mutex // guards everything below, also the inodes
	names   map[string]*inode
	durable map[string]*inode
	lastIno uint64

	ops int
	// failAt and dieAt are numbers of operations, from 1; 0 is never.
	failAt, dieAt int
	failWith      error
	// failed and dead tell the test that the fault came to pass.
	failed, dead bool
	// lastOp is the name of the operation that failed, hit is set during it.
	lastOp string
	hit    bool
	rand   *rand.Rand
}

type inode struct {
	id     identity
	folder bool
	data   []byte
	synced []byte
}

func newMemFS() *memFS {
	m := &memFS{names: map[string]*inode{}, durable: map[string]*inode{}, rand: rand.New(rand.NewPCG(1, 2))}
	root := m.newInode(true)
	m.names["/"], m.durable["/"] = root, root
	return m
}

func (m *memFS) newInode(folder bool) *inode {
	m.lastIno++
	return &inode{id: identity{dev: 1, ino: m.lastIno, birth: int64(m.lastIno)}, folder: folder}
}

// step counts an operation. done says that the operation is to take effect
// although it fails: a dead process does not see what its last call did.
func (m *memFS) step(op string) (done bool, err error) {
	m.hit = false
	if m.dead {
		return false, errCrashed
	}
	m.ops++
	switch m.ops {
	case m.dieAt:
		m.dead, m.lastOp, m.hit = true, op, true
		return m.rand.IntN(2) == 0, errCrashed
	case m.failAt:
		m.failed, m.lastOp, m.hit = true, op, true
		return false, m.failWith
	}
	return true, nil
}

// restart makes the file system usable again after a death. With power, it also
// loses what was not synced: every name and every file is found either as it
// was last synced or as it is now, and a grown file with any part of its growth.
// A rename is found done or not done, never half.
func (m *memFS) restart(power bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dead, m.dieAt = false, 0
	if !power {
		return
	}
	before := make(map[*inode]string)
	for name, n := range m.durable {
		before[n] = name
	}
	after := make(map[string]*inode)
	for _, name := range slices.Sorted(maps.Keys(m.names)) {
		n := m.names[name]
		was, existed := before[n]
		switch {
		case existed && (was == name || m.rand.IntN(2) == 0):
			after[was] = n // as last synced: it wins over whatever came later
		case existed || m.rand.IntN(2) == 0:
			if after[name] == nil {
				after[name] = n
			}
		}
		delete(before, n)
	}
	for n, name := range before { // removed, perhaps not for good
		if after[name] == nil && m.rand.IntN(2) == 0 {
			after[name] = n
		}
	}
	m.names = after
	for again := true; again; {
		again = false
		for name := range m.names {
			if m.names[filepath.Dir(name)] == nil {
				delete(m.names, name)
				again = true
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.names)) {
		n := m.names[name]
		n.data = lostWrites(n, m.rand)
		n.synced = slices.Clone(n.data)
	}
	m.durable = maps.Clone(m.names)
}

func lostWrites(n *inode, r *rand.Rand) []byte {
	switch {
	case string(n.data) == string(n.synced):
		return n.data
	case r.IntN(3) == 0:
		return n.synced
	case strings.HasPrefix(string(n.data), string(n.synced)):
		return n.data[:len(n.synced)+r.IntN(len(n.data)-len(n.synced)+1)]
	}
	return n.data
}

func pathError(op, name string, err error) error { return &os.PathError{Op: op, Path: name, Err: err} }

func (m *memFS) Open(name string, flag int) (handle, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	done, err := m.step("open")
	if !done {
		return nil, pathError("open", name, err)
	}
	n := m.names[name]
	switch {
	case n != nil && n.folder:
		return nil, pathError("open", name, syscall.EISDIR)
	case n == nil && (flag&os.O_CREATE == 0 || m.names[filepath.Dir(name)] == nil):
		return nil, pathError("open", name, syscall.ENOENT)
	case n == nil:
		n = m.newInode(false)
		m.names[name] = n
	case flag&os.O_TRUNC != 0:
		n.data = nil
	}
	if err != nil {
		return nil, pathError("open", name, err)
	}
	return &memFile{fs: m, inode: n, name: name}, nil
}

func (m *memFS) Stat(name string) (info, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := m.step("stat"); err != nil {
		return info{}, pathError("stat", name, err)
	}
	n := m.names[name]
	if n == nil {
		return info{}, pathError("stat", name, syscall.ENOENT)
	}
	return n.info(), nil
}

func (n *inode) info() info {
	return info{id: n.id, size: int64(len(n.data)), modified: time.Unix(1, 0), regular: !n.folder, folder: n.folder}
}

func (m *memFS) List(folder string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := m.step("list"); err != nil {
		return nil, pathError("open", folder, err)
	}
	switch n := m.names[folder]; {
	case n == nil:
		return nil, pathError("open", folder, syscall.ENOENT)
	case !n.folder:
		return nil, pathError("open", folder, syscall.ENOTDIR)
	}
	var names []string
	for name := range m.names {
		if name != "/" && filepath.Dir(name) == folder {
			names = append(names, filepath.Base(name))
		}
	}
	slices.Sort(names)
	return names, nil
}

func (m *memFS) Mkdir(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	done, err := m.step("mkdir")
	if done && m.names[name] != nil {
		return pathError("mkdir", name, syscall.EEXIST)
	}
	if done {
		m.names[name] = m.newInode(true)
	}
	if err != nil {
		return pathError("mkdir", name, err)
	}
	return nil
}

func (m *memFS) Rename(from, to string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	done, err := m.step("rename")
	if done {
		n := m.names[from]
		if n == nil {
			return pathError("rename", from, syscall.ENOENT)
		}
		delete(m.names, from)
		m.names[to] = n
	}
	if err != nil {
		return pathError("rename", from, err)
	}
	return nil
}

func (m *memFS) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	done, err := m.step("remove")
	if done {
		if m.names[name] == nil {
			return pathError("remove", name, syscall.ENOENT)
		}
		delete(m.names, name)
	}
	if err != nil {
		return pathError("remove", name, err)
	}
	return nil
}

func (m *memFS) SyncFolder(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	done, err := m.step("syncfolder")
	if done {
		for child := range m.durable {
			if child != "/" && filepath.Dir(child) == name && m.names[child] == nil {
				delete(m.durable, child)
			}
		}
		for child, n := range m.names {
			if filepath.Dir(child) == name {
				m.durable[child] = n
			}
		}
	}
	if err != nil {
		return pathError("fsync", name, err)
	}
	return nil
}

// put writes a durable file, as somebody else would.
func (m *memFS) put(name, data string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for dir := filepath.Dir(name); m.names[dir] == nil; dir = filepath.Dir(dir) {
		m.names[dir] = m.newInode(true)
		m.durable[dir] = m.names[dir]
	}
	n := m.newInode(false)
	n.data, n.synced = []byte(data), []byte(data)
	m.names[name], m.durable[name] = n, n
}

// files returns the content of every file by path.
func (m *memFS) files() map[string]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	files := map[string]string{}
	for name, n := range m.names {
		if !n.folder {
			files[name] = string(n.data)
		}
	}
	return files
}

// memFile is an open file. Like one of the operating system it survives the
// renaming and removal of its name.
type memFile struct {
	fs     *memFS
	inode  *inode
	name   string
	closed bool
}

func (f *memFile) step(op string) (bool, error) {
	if f.closed {
		return false, pathError(op, f.name, fs.ErrClosed)
	}
	done, err := f.fs.step(op)
	if err != nil {
		err = pathError(op, f.name, err)
	}
	return done, err
}

func (f *memFile) ReadAt(p []byte, at int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if _, err := f.step("read"); err != nil {
		return 0, err
	}
	if at >= int64(len(f.inode.data)) {
		return 0, io.EOF
	}
	n := copy(p, f.inode.data[at:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Write appends. A write that fails leaves a part behind, as on a full disk.
func (f *memFile) Write(p []byte) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	f.fs.hit = false
	_, err := f.step("write")
	n := len(p)
	if err != nil {
		n = 0
	}
	if f.fs.hit {
		n = f.fs.rand.IntN(len(p) + 1)
	}
	f.inode.data = append(f.inode.data, p[:n]...)
	return n, err
}

func (f *memFile) Truncate(size int64) error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	done, err := f.step("truncate")
	if done {
		// A copy: synced may be the same memory.
		f.inode.data = append(slices.Clone(f.inode.data[:min(size, int64(len(f.inode.data)))]),
			make([]byte, max(0, size-int64(len(f.inode.data))))...)
	}
	return err
}

func (f *memFile) Sync() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	done, err := f.step("sync")
	if done {
		f.inode.synced = slices.Clone(f.inode.data)
	}
	return err
}

func (f *memFile) Stat() (info, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if _, err := f.step("fstat"); err != nil {
		return info{}, err
	}
	return f.inode.info(), nil
}

func (f *memFile) Close() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	_, err := f.step("close")
	f.closed = true
	return err
}
