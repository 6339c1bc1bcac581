package file

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"aictail"
)

func TestCleanValue(t *testing.T) {
	tests := []struct{ in, want string }{
		{"am-access", "am-access"},
		{"Tenant_1.eu", "Tenant_1.eu"},
		{"", "unknown"},
		{"..", `_\.~[0-9a-f]{8}`},
		{".hidden", `_hidden~[0-9a-f]{8}`},
		{"../../etc/passwd", `_\._\.\._etc_passwd~[0-9a-f]{8}`},
		{"a/b", `a_b~[0-9a-f]{8}`},
		{"a\\b\x00c\nd", `a_b_c_d~[0-9a-f]{8}`},
		{"é中", `__~[0-9a-f]{8}`},
		{"a~b", `a_b~[0-9a-f]{8}`},
		{"\xff", `_~[0-9a-f]{8}`},
		{strings.Repeat("x", maxValue+1), strings.Repeat("x", maxValue) + `~[0-9a-f]{8}`},
		{"am-20260101T000000Z", `am-20260101T000000Z~[0-9a-f]{8}`},
	}
	for _, tt := range tests {
		if got := cleanValue(tt.in); !regexp.MustCompile("^" + tt.want + "$").MatchString(got) {
			t.Errorf("cleanValue(%q) = %q, want %s", tt.in, got, tt.want)
		}
	}
	if a, b := cleanValue("a/b"), cleanValue("a:b"); a == b {
		t.Errorf("two values, one name: %s", a)
	}
}

func TestExpand(t *testing.T) {
	e := aictail.Event{Tenant: "prod", Source: "am-core", Time: time.Date(2026, 1, 2, 23, 59, 59, 999, time.UTC)}
	before := e
	before.Time = time.Date(1969, 12, 31, 23, 0, 0, 0, time.UTC)
	zone := e
	zone.Time = time.Date(2026, 1, 3, 1, 0, 0, 0, time.FixedZone("", 2*60*60))
	tests := []struct {
		path  string
		event aictail.Event
		want  string
	}{
		{"/x/{tenant}/{source}.ndjson", e, "/x/prod/am-core.ndjson"},
		{"/x/{source}-{date}.log", e, "/x/am-core-2026-01-02.log"},
		{"/x/{date}/{tenant}{source}", zone, "/x/2026-01-02/prodam-core"},
		{"/x/{date}", before, "/x/1969-12-31"},
		{"/x//y/../all.ndjson", e, "/x/all.ndjson"},
	}
	for _, tt := range tests {
		tmpl, err := parseTemplate(tt.path)
		if err != nil {
			t.Fatal(err)
		}
		if got := tmpl.expand(tmpl.key(&tt.event)); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.path, got, tt.want)
		}
	}
}

func TestRelativePath(t *testing.T) {
	tmpl, err := parseTemplate("out/{source}.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	if got := tmpl.expand(routeKey{source: "a"}); !filepath.IsAbs(got) || !strings.HasSuffix(got, "/out/a.ndjson") {
		t.Errorf("got %s", got)
	}
}

// FuzzPath checks that no value leaves the folder or poses as a rotated file.
func FuzzPath(f *testing.F) {
	for _, v := range []string{"am-access", "", ".", "..", "../x", "/", "\x00", "a\nb", "é", "-20260101T000000Z", "{source}", strings.Repeat("y", 300)} {
		f.Add(v, v, int64(0))
	}
	tmpl, err := parseTemplate("/log/{tenant}/{source}.ndjson")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, tenant, source string, day int64) {
		path := tmpl.expand(routeKey{tenant: tenant, source: source, day: day})
		parts := strings.Split(path, "/")
		if filepath.Clean(path) != path || len(parts) != 4 || parts[1] != "log" ||
			strings.HasPrefix(parts[2], ".") || strings.HasPrefix(parts[3], ".") || len(parts[3]) > 255-40 {
			t.Errorf("path %q", path)
		}
		if !tmpl.whole.MatchString(path) {
			t.Errorf("the template does not know its own path %q", path)
		}
		if tmpl.rotated.MatchString(parts[3]) {
			t.Errorf("%q looks like a rotated file", path)
		}
	})
}

// FuzzTemplate checks that any path is refused or works.
func FuzzTemplate(f *testing.F) {
	for _, p := range []string{"/x/{tenant}/{source}-{date}.ndjson", "{}", "}{", "/", "x", "/{source}", "/.{source}", "/a.{date}", "/../{tenant}/..", "/x/{tenant}/../y"} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, path string) {
		tmpl, err := parseTemplate(path)
		if err != nil {
			return
		}
		got := tmpl.expand(routeKey{tenant: "t", source: "s", day: 20000})
		if !filepath.IsAbs(got) || !tmpl.whole.MatchString(got) {
			t.Errorf("template %q gives %q", path, got)
		}
		rotated := strings.TrimSuffix(filepath.Base(got), tmpl.ext) + "-20260101T000000Z" + tmpl.ext
		m := tmpl.rotated.FindStringSubmatch(rotated)
		if m == nil || m[1]+tmpl.ext != filepath.Base(got) {
			t.Errorf("template %q: rotated name %q is not recognised", path, rotated)
		}
	})
}

func FuzzState(f *testing.F) {
	good, err := encodeState([]fileState{{Path: "/x/a.ndjson", Length: 7, Dev: 1, Ino: 2, Birth: 3, Since: time.Unix(5, 0).UTC()}})
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{string(good), "", "{}", "null", `{"version":1}`, `{"version":1,"files":null}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		files, err := decodeState(b)
		if err != nil {
			return
		}
		again, err := encodeState(files)
		if err != nil {
			t.Skip("a time that JSON can read and not write")
		}
		if _, err := decodeState(again); err != nil {
			t.Errorf("what was read can't be read again: %v", err)
		}
	})
}

// FuzzMendTail checks that an adopted file ends in a line and loses nothing but
// an unfinished one.
func FuzzMendTail(f *testing.F) {
	for _, s := range []string{"", "\n", "{}\n", "{}", "{}\n{", "{}\n1", "\x00\x00", "a\nb\n" + strings.Repeat("c", 2*tailChunk)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, before string) {
		w := newWorld(1, 0)
		w.fs.put("/var/log/prod/a.ndjson", before)
		s := w.newSink(t)
		tr := &target{path: "/var/log/prod/a.ndjson"}
		if err := s.adopt(tr); err != nil {
			t.Fatal(err)
		}
		after := w.fs.files()[tr.path]
		whole := before[:strings.LastIndexByte(before, '\n')+1]
		if after != whole && after != before+"\n" || tr.length != int64(len(after)) {
			t.Errorf("%q became %q, length %d", before, after, tr.length)
		}
	})
}
