package servers

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestChooseJDK(t *testing.T) {
	versions := map[string]int{"/jvm/17": 17, "/jvm/21": 21, "/jvm/25": 25}
	version := func(home string) (int, error) {
		if v, ok := versions[home]; ok {
			return v, nil
		}
		return 0, errors.New("no bin/javac")
	}
	for name, c := range map[string]struct {
		homes   []string
		minimum int
		want    string
		err     string
	}{
		"oldest that will do":   {homes: []string{"", "/jvm/25", "/jvm/17", "/jvm/21"}, minimum: 21, want: "/jvm/21"},
		"JAVA_HOME first":       {homes: []string{"/jvm/25", "/jvm/17", "/jvm/21"}, minimum: 17, want: "/jvm/25"},
		"JAVA_HOME too old":     {homes: []string{"/jvm/17", "/jvm/25"}, minimum: 21, want: "/jvm/25"},
		"JAVA_HOME without JDK": {homes: []string{"/jvm/jre", "/jvm/17"}, minimum: 17, want: "/jvm/17"},
		"too old": {
			homes: []string{"", "/jvm/17", "/jvm/jre", "/jvm/17"}, minimum: 21,
			err: "no JDK 21 or newer (found: /jvm/17: Java 17; /jvm/jre: no bin/javac); install one (Debian: openjdk-21-jdk-headless) or set JAVA_HOME",
		},
		"none": {homes: []string{""}, minimum: 17, err: "no JDK 17 or newer (found: none)"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := chooseJDK(c.homes, c.minimum, version)
			switch {
			case c.err == "" && err != nil:
				t.Error(err)
			case c.err != "" && (err == nil || !strings.HasPrefix(err.Error(), c.err)):
				t.Errorf("error is %v, want %s", err, c.err)
			case got.home != c.want:
				t.Errorf("chose %q, want %q", got.home, c.want)
			}
		})
	}
}

func TestJavaVersion(t *testing.T) {
	for name, c := range map[string]struct {
		java string
		want int
	}{
		"new":     {java: "echo '    java.specification.version = 21' >&2", want: 21},
		"old":     {java: "echo '    java.specification.version = 1.8' >&2", want: 8},
		"silent":  {java: "echo hello"},
		"refuses": {java: "echo '    java.specification.version = 21' >&2; exit 1"},
	} {
		t.Run(name, func(t *testing.T) {
			home := t.TempDir()
			script(t, filepath.Join(home, "bin", "java"), c.java)
			if _, err := javaVersion(t.Context(), home); err == nil {
				t.Error("a Java without compiler is taken")
			}
			script(t, filepath.Join(home, "bin", "javac"), "")
			got, err := javaVersion(t.Context(), home)
			if got != c.want || (err != nil) != (c.want == 0) {
				t.Errorf("version %d, %v, want %d", got, err, c.want)
			}
		})
	}
}

// script writes a shell script that can be run.
func script(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}
