package aictail_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// layers says which packages of this module the packages below a folder may
// import, besides the root package and what lies below the same folder.
// Everything else is put together in cmd/internal.
var layers = map[string][]string{
	".":          {},
	"tailer":     {},
	"filter":     {},
	"sinks":      {},
	"checkpoint": {},
	"cmd":        {"tailer", "filter", "sinks", "checkpoint"},
}

// confined names libraries and the folders that alone may import them; "tests"
// stands for test files and the suite in sinks/sinktest.
var confined = map[string][]string{
	"github.com/knadh/koanf":        {"cmd/internal/config"},
	"go.etcd.io/bbolt":              {"checkpoint"},
	"github.com/spf13/cobra":        {"cmd/aictail"},
	"github.com/spf13/pflag":        {"cmd/aictail"},
	"github.com/coreos/go-systemd":  {"cmd/internal/supervise"},
	"github.com/elastic":            {"sinks/elasticsearch"},
	"github.com/twmb/franz-go":      {"tests"},
	"testing":                       {"tests"},
	"github.com/google/go-cmp":      {"tests"},
	"github.com/segmentio/kafka-go": {"sinks/kafka", "tests"},
	"pgregory.net/rapid":            {"tests"},
}

// topLevel lists the folders that the project may have, besides dot folders.
var topLevel = []string{"checkpoint", "cmd", "deploy", "docs", "filter", "sinks", "tailer"}

// goFiles calls fn with every Go file of the module and its folder.
func goFiles(t *testing.T, fn func(dir, file string, f *ast.File)) {
	t.Helper()
	fset := token.NewFileSet()
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && p != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if d.IsDir() || filepath.Ext(p) != ".go" {
			return nil
		}
		f, err := parser.ParseFile(fset, p, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		fn(filepath.ToSlash(filepath.Dir(p)), filepath.ToSlash(p), f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func below(dir, folder string) bool { return dir == folder || strings.HasPrefix(dir, folder+"/") }

func TestImportRules(t *testing.T) {
	goFiles(t, func(dir, file string, f *ast.File) {
		top, _, _ := strings.Cut(dir, "/")
		for _, spec := range f.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			checkConfined(t, dir, file, imported)
			if imported == "aictail" {
				continue
			}
			inner, ours := strings.CutPrefix(imported, "aictail/")
			if !ours {
				if first, _, _ := strings.Cut(imported, "/"); dir == "." && strings.Contains(first, ".") {
					t.Errorf("%s imports %s: the root package uses the standard library only", file, imported)
				}
				continue
			}
			innerTop, _, _ := strings.Cut(inner, "/")
			if innerTop != top && !slices.Contains(layers[top], innerTop) {
				t.Errorf("%s imports %s: packages below %s may import the root package and what lies below %v",
					file, imported, top, append([]string{top}, layers[top]...))
			}
		}
	})
}

func checkConfined(t *testing.T, dir, file, imported string) {
	t.Helper()
	for library, homes := range confined {
		if !below(imported, library) {
			continue
		}
		ok := slices.ContainsFunc(homes, func(home string) bool { return below(dir, home) }) ||
			slices.Contains(homes, "tests") && (strings.HasSuffix(file, "_test.go") || below(dir, "sinks/sinktest"))
		if !ok {
			t.Errorf("%s imports %s, which belongs to %v", file, imported, homes)
		}
	}
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	documented := map[string]bool{}
	goFiles(t, func(dir, file string, f *ast.File) {
		if !strings.HasSuffix(file, "_test.go") {
			documented[dir] = documented[dir] || f.Doc != nil
		}
	})
	for dir, ok := range documented {
		if !ok {
			t.Errorf("package in %s has no package comment", dir)
		}
	}
}

func TestTopLevelFolders(t *testing.T) {
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !e.IsDir() || strings.HasPrefix(e.Name(), ".") || e.Name() == "dist" || e.Name() == "demo" {
			continue
		}
		if !slices.Contains(topLevel, e.Name()) {
			t.Errorf("folder %s is not part of the layout: %v", e.Name(), topLevel)
		}
	}
}
