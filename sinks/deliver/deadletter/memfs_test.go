package deadletter

import (
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// errCrashed is what every operation returns once the simulated process is dead.
var errCrashed = errors.New("the process is dead")

// memFS is a file system in memory that knows what is durable: the content of a
// file since its last Sync, the names in a folder since its last SyncFolder. It
// can fail one operation, or die at one.
type memFS struct {
	names, durable map[string]*inode
	rand           *rand.Rand

	ops int
	// failAt and dieAt are numbers of operations, from 1; 0 is never. failMore
	// operations after failAt fail as well.
	failAt, failMore, dieAt int
	failWith                error
	// failed and dead tell the test that the fault came to pass, at lastOp.
	failed, dead bool
	lastOp       string
	hit          bool
}

type inode struct {
	folder       bool
	data, synced []byte
	// lost are the bytes that a failed Sync left behind: they can be read, and no
	// later Sync makes them durable unless they are written again.
	lost map[int]bool
}

// newMemFS returns a file system with a durable folder /data.
func newMemFS(seed uint64) *memFS {
	m := &memFS{names: map[string]*inode{}, rand: rand.New(rand.NewPCG(seed, 3))}
	m.names["/"], m.names["/data"] = &inode{folder: true}, &inode{folder: true}
	m.durable = maps.Clone(m.names)
	return m
}

// step counts an operation. done says that the operation is to take effect
// although it fails: a dead process does not see what its last call did.
func (m *memFS) step(op string) (done bool, err error) {
	m.hit = false
	if m.dead {
		return false, errCrashed
	}
	m.ops++
	switch {
	case m.ops == m.dieAt:
		m.dead, m.lastOp, m.hit = true, op, true
		return m.rand.IntN(2) == 0, errCrashed
	case m.failAt > 0 && m.ops >= m.failAt && m.ops <= m.failAt+m.failMore:
		m.failed, m.lastOp, m.hit = true, op, true
		// What a failed sync has done is anybody's guess.
		return false, m.failWith
	}
	return true, nil
}

// restart makes the file system usable again after a death. With power it also
// loses what was not synced: a name leads to what it last led to durably or to what
// it leads to now, and a file holds any part of what was added to it.
func (m *memFS) restart(power bool) {
	m.dead, m.dieAt, m.failAt = false, 0, 0
	if !power {
		for _, n := range m.names {
			n.lost = nil // the known limit in the package's comment
		}
		return
	}
	after := map[string]*inode{}
	for _, name := range slices.Sorted(maps.Keys(merged(m.names, m.durable))) {
		n := m.names[name]
		if m.names[name] != m.durable[name] && m.rand.IntN(2) == 0 {
			n = m.durable[name]
		}
		if n != nil && after[filepath.Dir(name)] != nil || name == "/" {
			after[name] = n
		}
	}
	for _, name := range slices.Sorted(maps.Keys(after)) {
		n := after[name]
		switch same := len(n.synced) <= len(n.data) && string(n.data[:len(n.synced)]) == string(n.synced); {
		case len(n.lost) > 0, m.rand.IntN(3) == 0, !same && m.rand.IntN(2) == 0:
			n.data = slices.Clone(n.synced)
		case same:
			n.data = slices.Clone(n.data[:len(n.synced)+m.rand.IntN(len(n.data)-len(n.synced)+1)])
		}
		n.synced, n.lost = slices.Clone(n.data), nil
	}
	m.names, m.durable = after, maps.Clone(after)
}

func merged(a, b map[string]*inode) map[string]*inode {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

func pathError(op, name string, err error) error { return &os.PathError{Op: op, Path: name, Err: err} }

func (m *memFS) Mkdir(name string) error {
	done, err := m.step("mkdir")
	if done && m.names[name] != nil {
		return pathError("mkdir", name, syscall.EEXIST)
	}
	if done {
		m.names[name] = &inode{folder: true}
	}
	if err != nil {
		return pathError("mkdir", name, err)
	}
	return nil
}

func (m *memFS) Open(name string, flag int) (File, error) {
	done, err := m.step("open")
	if !done {
		return nil, pathError("open", name, err)
	}
	n := m.names[name]
	switch {
	case n == nil && (flag&os.O_CREATE == 0 || m.names[filepath.Dir(name)] == nil):
		return nil, pathError("open", name, syscall.ENOENT)
	case n == nil:
		n = &inode{}
		m.names[name] = n
	case flag&os.O_TRUNC != 0:
		n.data = nil
	}
	if err != nil {
		return nil, pathError("open", name, err)
	}
	return &memFile{m, n, name}, nil
}

func (m *memFS) Rename(from, to string) error {
	done, err := m.step("rename")
	if done {
		m.names[to] = m.names[from]
		delete(m.names, from)
	}
	if err != nil {
		return pathError("rename", from, err)
	}
	return nil
}

func (m *memFS) Remove(name string) error {
	done, err := m.step("remove")
	if done && m.names[name] == nil {
		return pathError("remove", name, syscall.ENOENT)
	}
	if done {
		delete(m.names, name)
	}
	if err != nil {
		return pathError("remove", name, err)
	}
	return nil
}

func (m *memFS) SyncFolder(folder string) error {
	done, err := m.step("syncfolder")
	if done {
		for name := range merged(m.names, m.durable) {
			if filepath.Dir(name) != folder || name == "/" {
				continue
			}
			if n := m.names[name]; n != nil {
				m.durable[name] = n
			} else {
				delete(m.durable, name)
			}
		}
	}
	if err != nil {
		return pathError("fsync", folder, err)
	}
	return nil
}

// memFile is an open file. It survives the renaming and replacing of its name.
type memFile struct {
	fs    *memFS
	inode *inode
	name  string
}

func (f *memFile) step(op string) (bool, error) {
	done, err := f.fs.step(op)
	if err != nil {
		err = pathError(op, f.name, err)
	}
	return done, err
}

func (f *memFile) ReadAt(p []byte, at int64) (int, error) {
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

// WriteAt leaves a part behind when it fails, as on a full disk.
func (f *memFile) WriteAt(p []byte, at int64) (int, error) {
	_, err := f.step("write")
	n := len(p)
	if err != nil {
		n = 0
		if f.fs.hit {
			n = f.fs.rand.IntN(len(p) + 1)
		}
	}
	if n > 0 {
		data := slices.Clone(f.inode.data) // synced may be the same memory
		if grow := int(at) + n - len(data); grow > 0 {
			data = append(data, make([]byte, grow)...)
		}
		copy(data[at:], p[:n])
		f.inode.data = data
		for i := range n {
			delete(f.inode.lost, int(at)+i)
		}
	}
	return n, err
}

func (f *memFile) Truncate(size int64) error {
	done, err := f.step("truncate")
	if done {
		data := make([]byte, size)
		copy(data, f.inode.data)
		f.inode.data = data
		maps.DeleteFunc(f.inode.lost, func(i int, _ bool) bool { return i >= int(size) })
	}
	return err
}

func (f *memFile) Sync() error {
	done, err := f.step("sync")
	n := f.inode
	if done {
		n.synced = slices.Clone(n.data)
		for i := range n.lost {
			n.synced[i] = 0
		}
	} else if f.fs.hit {
		n.lost = map[int]bool{}
		for i := len(n.synced); i < len(n.data); i++ {
			n.lost[i] = true
		}
	}
	return err
}

func (f *memFile) Size() (int64, error) {
	if _, err := f.step("size"); err != nil {
		return 0, err
	}
	return int64(len(f.inode.data)), nil
}

func (f *memFile) Close() error {
	_, err := f.step("close")
	return err
}
