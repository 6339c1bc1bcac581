// Package deploy_test checks what stands in this folder with the tools that will
// read it, and with the program itself. Without a tool its tests are skipped, except
// in "make check-deploy", which brings the tools along.
package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// need returns the path of a tool. Without it the test is skipped, or fails if
// TEST_DEPLOY is set: then everything is to be there.
func need(t *testing.T, tool string) string {
	t.Helper()
	path, err := exec.LookPath(tool)
	if err == nil {
		return path
	}
	if os.Getenv("TEST_DEPLOY") != "" {
		t.Fatalf("%s is missing, and TEST_DEPLOY asks for all tests", tool)
	}
	t.Skipf("%s is not installed", tool)
	return ""
}

// output runs a command, which must succeed, and returns what it printed.
func output(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return string(out)
}

// program builds aictail as the Makefile does.
func program(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "aictail")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w -X main.version=v0.0.0-test", "-o", path, "../cmd/aictail")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	output(t, cmd)
	return path
}

// credentials returns a folder like the one that systemd makes of LoadCredential.
func credentials(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"api-key", "api-secret", "es-api-key", "es-password", "hec-token", "kafka-password"} {
		write(t, filepath.Join(dir, name), "the-"+name+"\n")
	}
	return dir
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
