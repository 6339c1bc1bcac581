package file

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"go.uber.org/zap"
)

// unpackAll returns the files of a folder; the names of those that were
// compressed end in "!" instead of their suffix.
func unpackAll(t *testing.T, fsys fileSystem, folder string) map[string]string {
	t.Helper()
	names, err := fsys.List(folder)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, name := range names {
		h, err := fsys.Open(filepath.Join(folder, name), 0)
		if err != nil {
			t.Fatal(err)
		}
		in, err := h.Stat()
		if err != nil {
			t.Fatal(err)
		}
		var r io.Reader = io.NewSectionReader(h, 0, in.size)
		switch filepath.Ext(name) {
		case suffixGzip:
			if r, err = gzip.NewReader(r); err != nil {
				t.Fatal(err)
			}
		case suffixZstd:
			z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1))
			if err != nil {
				t.Fatal(err)
			}
			defer z.Close()
			r = z
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
		plain := strings.TrimSuffix(strings.TrimSuffix(name, suffixGzip), suffixZstd)
		if plain != name {
			plain += "!"
		}
		got[plain] = string(b)
	}
	return got
}

func testArchiver(t *testing.T, m *memFS, path string, r Rotate) *archiver {
	t.Helper()
	tmpl, err := parseTemplate(path)
	if err != nil {
		t.Fatal(err)
	}
	return newArchiver(m, zap.NewNop(), tmpl, r)
}

// work does what run does before it waits for the first time.
func (a *archiver) work(ctx context.Context) {
	a.scan(a.template.root, a.template.levels)
	for _, base := range a.take() {
		a.process(ctx, base)
	}
}

// TestArchiverTidies gives it what crashes and other programs leave behind.
func TestArchiverTidies(t *testing.T) {
	m := newMemFS()
	const stamp = "-20260101T000000Z"
	for _, name := range []string{
		"/log/prod/a.ndjson", "/log/prod/a" + stamp + ".ndjson", "/log/prod/a" + stamp + ".ndjson.zst.tmp",
		"/log/prod/done" + stamp + ".ndjson", "/log/prod/done" + stamp + ".ndjson.zst",
		"/log/prod/a" + stamp + ".other", "/log/prod/a" + stamp + ".ndjson.tmp", "/log/prod/notes.tmp",
		"/log/file", "/log/prod/sub/a" + stamp + ".ndjson", "/log/we ird/a" + stamp + ".ndjson",
	} {
		m.put(name, "data of "+strings.TrimSuffix(name, ".zst"))
	}
	testArchiver(t, m, "/log/{tenant}/{source}.ndjson", Rotate{Compress: compressZstd}).work(t.Context())
	var got []string
	for _, folder := range []string{"/log", "/log/prod", "/log/prod/sub", "/log/we ird"} {
		names, err := m.List(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			got = append(got, folder+"/"+name)
		}
	}
	want := []string{
		"/log/file", "/log/prod", "/log/we ird",
		"/log/prod/a" + stamp + ".ndjson.tmp", "/log/prod/a" + stamp + ".ndjson.zst", "/log/prod/a" + stamp + ".other",
		"/log/prod/a.ndjson", "/log/prod/done" + stamp + ".ndjson.zst", "/log/prod/notes.tmp", "/log/prod/sub",
		"/log/prod/sub/a" + stamp + ".ndjson", "/log/we ird/a" + stamp + ".ndjson",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestArchiverKeepsNewest(t *testing.T) {
	m := newMemFS()
	want := map[string]string{}
	for i := range 12 {
		name := fmt.Sprintf("a-20260101T000000Z-%d.ndjson", i)
		if i == 0 {
			name = "a-20260101T000000Z.ndjson"
		}
		m.put("/log/"+name, fmt.Sprint(i))
		m.put("/log/b-20260101T000000Z.ndjson", "b")
		if i >= 9 {
			want[name] = fmt.Sprint(i)
		}
	}
	want["b-20260101T000000Z.ndjson"] = "b"
	testArchiver(t, m, "/log/{source}.ndjson", Rotate{Keep: 3}).work(t.Context())
	if diff := cmp.Diff(want, unpackAll(t, m, "/log")); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// TestArchiverFaults fails and ends it at every operation; what it works on
// must be there, whole, once, when it has run again.
func TestArchiverFaults(t *testing.T) {
	data := strings.Repeat(`{"a":1}`+"\n", 2_000)
	want := map[string]string{"a-20260101T000000Z.ndjson!": data, "a-20260102T000000Z.ndjson!": data + "2"}
	for _, mode := range []string{"fail", "kill", "power"} {
		for n := 1; ; n++ {
			m := newMemFS()
			m.rand = rand.New(rand.NewPCG(uint64(n), 3))
			m.put("/log/a-20260101T000000Z.ndjson", data)
			m.put("/log/a-20260102T000000Z.ndjson", data+"2")
			if mode == "fail" {
				m.failAt, m.failWith = n, syscall.ENOSPC
			} else {
				m.dieAt = n
			}
			r := Rotate{Compress: []string{compressGzip, compressZstd}[n%2]}
			testArchiver(t, m, "/log/{source}.ndjson", r).work(t.Context())
			if !m.failed && !m.dead {
				break
			}
			m.restart(mode == "power")
			testArchiver(t, m, "/log/{source}.ndjson", r).work(t.Context())
			if diff := cmp.Diff(want, unpackAll(t, m, "/log")); diff != "" {
				t.Fatalf("%s at operation %d, %s: files differ (%d bytes of difference)", mode, n, m.lastOp, len(diff))
			}
		}
	}
}

func TestArchiverLargeFile(t *testing.T) {
	for _, compress := range []string{compressGzip, compressZstd} {
		m := newMemFS()
		data := strings.Repeat(`{"a":1}`+"\n", copyChunk/3) // several chunks, the last one not full
		m.put("/log/a-20260101T000000Z.ndjson", data)
		testArchiver(t, m, "/log/{source}.ndjson", Rotate{Compress: compress}).work(t.Context())
		if got := unpackAll(t, m, "/log"); got["a-20260101T000000Z.ndjson!"] != data || len(got) != 1 {
			t.Errorf("%s: the file did not come through whole", compress)
		}
	}
}

// TestArchiverManyFaults ends it again while it recovers, at last by a power
// failure.
func TestArchiverManyFaults(t *testing.T) {
	want := map[string]string{"a-20260101T000000Z.ndjson!": "data"}
	for seed := range uint64(150) {
		m := newMemFS()
		m.rand = rand.New(rand.NewPCG(seed, 4))
		m.put("/log/a-20260101T000000Z.ndjson", "data")
		for _, power := range []bool{false, true, true} {
			m.dieAt = m.ops + 1 + m.rand.IntN(20)
			testArchiver(t, m, "/log/{source}.ndjson", Rotate{Compress: compressGzip}).work(t.Context())
			m.restart(power)
		}
		testArchiver(t, m, "/log/{source}.ndjson", Rotate{Compress: compressGzip}).work(t.Context())
		if diff := cmp.Diff(want, unpackAll(t, m, "/log")); diff != "" {
			t.Fatalf("seed %d: files (-want +got):\n%s", seed, diff)
		}
	}
}

func TestArchiverStops(t *testing.T) {
	m := newMemFS()
	m.put("/log/a-20260101T000000Z.ndjson", "data")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	a := testArchiver(t, m, "/log/{source}.ndjson", Rotate{Compress: compressGzip})
	a.run(ctx)
	if err := a.pack(ctx, "/log/a-20260101T000000Z.ndjson"); err == nil {
		t.Error("compression goes on after its context has ended")
	}
	if diff := cmp.Diff(map[string]string{"a-20260101T000000Z.ndjson": "data"}, unpackAll(t, m, "/log")); diff != "" {
		t.Error(diff)
	}
}
