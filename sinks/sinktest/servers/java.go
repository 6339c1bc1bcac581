package servers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// jdk is a Java development kit.
type jdk struct {
	home    string
	version int
}

func (j jdk) java() string  { return filepath.Join(j.home, "bin", "java") }
func (j jdk) javac() string { return filepath.Join(j.home, "bin", "javac") }

// jdkFolders are the patterns below which systems install JDKs.
var jdkFolders = []string{
	"/usr/lib/jvm/*",
	"/Library/Java/JavaVirtualMachines/*/Contents/Home",
	"/opt/homebrew/opt/openjdk*/libexec/openjdk.jdk/Contents/Home",
}

// findJDK returns the JDK of JAVA_HOME if it is recent enough, else the oldest
// that is: it is the one the servers of that version were made for.
func findJDK(ctx context.Context, minimum int) (jdk, error) {
	return chooseJDK(jdkHomes(), minimum, func(home string) (int, error) { return javaVersion(ctx, home) })
}

// jdkHomes returns the folders that may hold a JDK, that of JAVA_HOME first
// ("" if it is not set).
func jdkHomes() []string {
	homes := []string{os.Getenv("JAVA_HOME")}
	for _, pattern := range jdkFolders {
		found, _ := filepath.Glob(pattern) // the patterns are well formed
		homes = append(homes, found...)
	}
	if java, err := exec.LookPath("java"); err == nil {
		if program, err := filepath.EvalSymlinks(java); err == nil {
			homes = append(homes, filepath.Dir(filepath.Dir(program)))
		}
	}
	return homes
}

// chooseJDK asks the folders for their version; the first one is preferred.
func chooseJDK(homes []string, minimum int, version func(home string) (int, error)) (jdk, error) {
	var suitable []jdk
	var seen []string
	for i, home := range homes {
		if home == "" || slices.Contains(homes[:i], home) {
			continue
		}
		v, err := version(home)
		switch {
		case err != nil:
			seen = append(seen, fmt.Sprintf("%s: %v", home, err))
		case v < minimum:
			seen = append(seen, fmt.Sprintf("%s: Java %d", home, v))
		case i == 0:
			return jdk{home, v}, nil
		default:
			suitable = append(suitable, jdk{home, v})
		}
	}
	if len(suitable) == 0 {
		if len(seen) == 0 {
			seen = []string{"none"}
		}
		return jdk{}, fmt.Errorf("no JDK %d or newer (found: %s); install one (Debian: openjdk-21-jdk-headless) or set JAVA_HOME",
			minimum, strings.Join(seen, "; "))
	}
	return slices.MinFunc(suitable, func(a, b jdk) int { return cmp.Compare(a.version, b.version) }), nil
}

var specification = regexp.MustCompile(`java\.specification\.version = (?:1\.)?(\d+)`)

// javaVersion asks a JDK for its version. A Java without compiler is none.
func javaVersion(ctx context.Context, home string) (int, error) {
	j := jdk{home: home}
	if _, err := os.Stat(j.javac()); err != nil {
		return 0, errors.New("no bin/javac")
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, j.java(), "-XshowSettings:properties", "-version").CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("java -version: %w", err)
	}
	match := specification.FindSubmatch(out)
	if match == nil {
		return 0, errors.New("java -version names no version")
	}
	return strconv.Atoi(string(match[1]))
}
