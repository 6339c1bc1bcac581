package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func readText(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestRunbookCommands: every command that the runbook gives exists, with its flags.
func TestRunbookCommands(t *testing.T) {
	quoted := regexp.MustCompile("`aictail ([^`]+)`|(?m)^\\$ aictail ([^#\n]+)").FindAllStringSubmatch(readText(t, "../../deploy/RUNBOOK.md"), -1)
	if len(quoted) < 20 {
		t.Errorf("only %d commands found", len(quoted))
	}
	for _, m := range quoted {
		args := strings.Fields(m[1] + m[2])
		cmd, rest, err := newRoot().Find(args)
		if err != nil || !cmd.Runnable() {
			t.Errorf("aictail %s: there is no such command: %v", strings.Join(args, " "), err)
			continue
		}
		if err := cmd.ParseFlags(rest); err != nil {
			t.Errorf("aictail %s: %v", strings.Join(args, " "), err)
		}
		if required := cmd.ValidateRequiredFlags(); required != nil && slices.Contains(args, "--config") {
			t.Errorf("aictail %s: %v", strings.Join(args, " "), required)
		}
	}
}

// TestRunbookFollowed: every alert fires in a test that follows the runbook.
func TestRunbookFollowed(t *testing.T) {
	files, err := filepath.Glob("alerts_*test.go")
	if err != nil {
		t.Fatal(err)
	}
	var tests strings.Builder
	for _, file := range files {
		for _, m := range regexp.MustCompile(`\.lasts\(.*\)`).FindAllString(readText(t, file), -1) {
			tests.WriteString(m)
		}
	}
	for _, m := range regexp.MustCompile(`- alert: (Aictail\w+)`).FindAllStringSubmatch(readText(t, filepath.Join(ruleFolder, "alerts.yaml")), -1) {
		if !strings.Contains(tests.String(), `"`+m[1]+`"`) {
			t.Errorf("no test brings the program into the condition of %s and follows the runbook", m[1])
		}
	}
}
