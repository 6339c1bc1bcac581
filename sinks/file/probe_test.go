package file

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aictail/sinks"
)

// TestProbe: what is found, and that nothing is changed by looking.
func TestProbe(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("out/prod/am-core.ndjson", "{\"torn")
	write("out/prod/am-access.ndjson", "{}\n")
	write("out/prod/readme.txt", "")
	write("out/prod/deeper/down/am-core.ndjson", "")
	write("a-file", "")
	for _, tt := range []struct {
		name, path string
		want       map[string]sinks.Verdict
		text       string
	}{
		{"there", "out/{tenant}/{source}.ndjson", map[string]sinks.Verdict{"folder": sinks.Good, "files": sinks.Good, "space": sinks.Good}, "2 files of this sink"},
		{"no placeholder", "out/prod/am-core.ndjson", map[string]sinks.Verdict{"folder": sinks.Good, "files": sinks.Good}, "1 files of this sink"},
		{"new", "new/logs/{source}.ndjson", map[string]sinks.Verdict{"folder": sinks.Good, "space": sinks.Good}, "does not exist yet"},
		{"file in the way", "a-file/{source}.ndjson", map[string]sinks.Verdict{"folder": sinks.Bad}, "move it away"},
		{"below a file", "a-file/x/{source}.ndjson", map[string]sinks.Verdict{"folder": sinks.Bad}, "a part of the path is a file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := New(Config{Path: filepath.Join(dir, tt.path)}, Deps{})
			if err != nil {
				t.Fatal(err)
			}
			text := ""
			got := map[string]sinks.Verdict{}
			for _, f := range s.Probe(t.Context()) {
				got[f.Check] = f.Verdict
				text += f.Found + f.Remedy + "\n"
			}
			for check, verdict := range tt.want {
				if v, ok := got[check]; !ok || v != verdict {
					t.Errorf("%s: %s, want %s", check, v, verdict)
				}
			}
			if !strings.Contains(text, tt.text) {
				t.Errorf("no %q in:\n%s", tt.text, text)
			}
		})
	}
	if b, err := os.ReadFile(filepath.Join(dir, "out/prod/am-core.ndjson")); err != nil || string(b) != "{\"torn" {
		t.Errorf("a torn file became %q: %v", b, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "new")); !os.IsNotExist(err) {
		t.Errorf("a folder was created: %v", err)
	}
}

// TestProbeReadOnly: neither root can write there.
func TestProbeReadOnly(t *testing.T) {
	if _, err := os.Stat("/sys/kernel"); err != nil {
		t.Skip("no sysfs on this machine")
	}
	if Writable("/proc/self") == nil && Writable("/sys/kernel") == nil {
		t.Skip("this machine calls its kernel's files writable")
	}
	s, err := New(Config{Path: "/proc/self/aictail/{source}.ndjson"}, Deps{})
	if err != nil {
		t.Fatal(err)
	}
	if f := s.Probe(t.Context())[0]; f.Check != "folder" || f.Verdict != sinks.Bad {
		t.Errorf("%+v", f)
	}
}
