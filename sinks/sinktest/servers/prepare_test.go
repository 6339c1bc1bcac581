package servers

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fakeTools puts a Maven in front of PATH that counts its runs in the file runs,
// then does what the script says; LIB is the folder for the jars. It returns
// a JDK whose compiler makes an empty class.
func fakeTools(t *testing.T, maven string) (jdk, string) {
	t.Helper()
	dir := t.TempDir()
	runs := filepath.Join(dir, "runs")
	script(t, filepath.Join(dir, "bin", "mvn"),
		"echo run >>"+runs+"\n"+`for a in "$@"; do case "$a" in -DoutputDirectory=*) LIB="${a#*=}";; esac; done`+"\n"+maven)
	script(t, filepath.Join(dir, "bin", "javac"),
		`while [ $# -gt 1 ]; do [ "$1" = -d ] && OUT="$2"; shift; done; mkdir -p "$OUT"; : >"$OUT/${1%.java}.class"`)
	t.Setenv("PATH", filepath.Join(dir, "bin")+string(os.PathListSeparator)+os.Getenv("PATH"))
	return jdk{home: dir, version: 21}, runs
}

func TestPrepare(t *testing.T) {
	const jars = `touch "$LIB/server-1.jar" "$LIB/netty-codec-4.jar" "$LIB/transport-netty4-1.jar"`
	for name, c := range map[string]struct {
		kind kind
		want []string
	}{
		"kafka": {kind: kafkaKind, want: []string{
			"lib/netty-codec-4.jar", "lib/server-1.jar", "lib/transport-netty4-1.jar", "pom.xml",
		}},
		"opensearch": {kind: openSearch, want: []string{
			"OpenSearch.java", "classes/OpenSearch.class",
			"lib/netty-codec-4.jar", "lib/server-1.jar", "lib/transport-netty4-1.jar", "pom.xml",
		}},
		"elasticsearch": {kind: elastic9, want: []string{
			"Elasticsearch9.java", "classes/Elasticsearch9.class", "lib/server-1.jar",
			"modules/transport-netty4/netty-codec-4.jar", "modules/transport-netty4/plugin-descriptor.properties",
			"modules/transport-netty4/transport-netty4-1.jar", "pom.xml",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			jdk, runs := fakeTools(t, jars)
			p := preparation{cache: t.TempDir(), jdk: jdk, logf: t.Logf}
			home, err := prepare(t.Context(), c.kind, p)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, filesBelow(t, home)); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
			again, err := prepare(t.Context(), c.kind, p)
			if err != nil || again != home {
				t.Errorf("the second time it is %s, %v", again, err)
			}
			if n := countLines(t, runs); n != 1 {
				t.Errorf("Maven ran %d times", n)
			}
		})
	}
}

// TestPrepareAtOnce has several tests, as in several processes, want the same
// server; see lock for why both are the same.
func TestPrepareAtOnce(t *testing.T) {
	jdk, runs := fakeTools(t, `mkdir "$LIB/alone" && sleep 0.1 && touch "$LIB/server.jar"`)
	cache := t.TempDir()
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			home, err := prepare(context.Background(), kafkaKind, preparation{cache: cache, jdk: jdk, logf: t.Logf})
			if err != nil {
				t.Error(err)
			} else if _, err := os.Stat(filepath.Join(home, "lib", "server.jar")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := countLines(t, runs); n != 1 {
		t.Errorf("Maven ran %d times", n)
	}
}

func TestPrepareFails(t *testing.T) {
	cache := t.TempDir()
	jdk, _ := fakeTools(t, `touch "$LIB/half.jar"; echo 'no such artifact'; exit 1`)
	_, err := prepare(t.Context(), kafkaKind, preparation{cache: cache, jdk: jdk, logf: t.Logf})
	if err == nil || !strings.Contains(err.Error(), "mvn: exit status 1\nno such artifact") {
		t.Errorf("error is %v", err)
	}
	jdk, _ = fakeTools(t, `touch "$LIB/whole.jar"`)
	home, err := prepare(t.Context(), kafkaKind, preparation{cache: cache, jdk: jdk, logf: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	if files := filesBelow(t, filepath.Join(home, "lib")); !slices.Equal(files, []string{"whole.jar"}) {
		t.Errorf("after a failure the next attempt left %v", files)
	}
	t.Setenv("PATH", "")
	_, err = prepare(t.Context(), elastic8, preparation{cache: cache, jdk: jdk, logf: t.Logf})
	if err == nil || !strings.Contains(err.Error(), "mvn is not installed (Debian: maven)") {
		t.Errorf("without Maven the error is %v", err)
	}
}

func TestIdentify(t *testing.T) {
	for profile, c := range map[string]struct {
		kind    kind
		version string
	}{
		"kafka":           {kafkaKind, "4.1.1"},
		"elasticsearch-8": {elastic8, "8.15.5"},
		"elasticsearch-9": {elastic9, "9.2.2"},
		"opensearch":      {openSearch, "3.5.0.0"},
	} {
		name, version, err := c.kind.identify()
		if err != nil || version != c.version || !strings.HasPrefix(name, profile+"-"+c.version+"-") {
			t.Errorf("%s is %s %s, %v", profile, name, version, err)
		}
	}
	if _, _, err := (kind{profile: "solr"}).identify(); err == nil {
		t.Error("a server without profile has a version")
	}
}

func TestCacheFolder(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", "/xdg")
	t.Setenv("HOME", "/home/me")
	if dir, err := cacheFolder(); err != nil || !strings.HasSuffix(dir, "/aictail/servers") {
		t.Errorf("folder %s, %v", dir, err)
	}
	t.Setenv(cacheVar, "/elsewhere")
	if dir, err := cacheFolder(); err != nil || dir != "/elsewhere" {
		t.Errorf("folder %s, %v", dir, err)
	}
}

func filesBelow(t *testing.T, dir string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			path, err = filepath.Rel(dir, path)
			files = append(files, filepath.ToSlash(path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func countLines(t *testing.T, path string) int {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(content), "\n")
}
