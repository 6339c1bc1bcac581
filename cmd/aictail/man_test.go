package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// TestManPage: the page has every command and flag, and roff has nothing to say
// against it.
func TestManPage(t *testing.T) {
	root := newRoot()
	text := manPage(root)
	commands := 0
	var check func(c *cobra.Command)
	check = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			if sub.Hidden {
				continue
			}
			commands++
			if !strings.Contains(text, ".SS \"aictail ") || !strings.Contains(text, escaped(sub.CommandPath())) {
				t.Errorf("command %s is missing", sub.CommandPath())
			}
			sub.LocalFlags().VisitAll(func(f *pflag.Flag) {
				if f.Name != "help" && !f.Hidden && !strings.Contains(text, bold("--"+f.Name)) {
					t.Errorf("flag --%s of %s is missing", f.Name, sub.CommandPath())
				}
			})
			check(sub)
		}
	}
	check(root)
	if commands < 9 {
		t.Errorf("only %d commands checked", commands)
	}
	if strings.Contains(text, "aictail man") || strings.Contains(text, "Exit codes: 0 done, 1 failed") {
		t.Error("the page holds what is hidden, or the exit codes twice")
	}

	man, err := exec.LookPath("man")
	if err != nil {
		t.Skip("man is not installed")
	}
	file := filepath.Join(t.TempDir(), "aictail.1")
	writeFile(t, file, text)
	out, err := exec.Command(man, "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", file).CombinedOutput()
	if err != nil || strings.Contains(string(out), "warning") {
		t.Errorf("man: %v\n%s", err, tail(string(out)))
	}
}

func TestEscaped(t *testing.T) {
	tests := []struct{ in, out string }{
		{"plain", "plain"},
		{`C:\new --flag`, `C:\enew \-\-flag`},
		{".TH\nx\n'quote", "\\&.TH\nx\n\\&'quote"},
		{"not.here", "not.here"},
	}
	for _, tt := range tests {
		if got := escaped(tt.in); got != tt.out {
			t.Errorf("escaped(%q) = %q, want %q", tt.in, got, tt.out)
		}
	}
}

// TestCompletion: packages ship what cobra's hidden command prints.
func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		p := start(t, "completion", shell)
		if code := p.wait(); code != exitDone || !strings.Contains(p.log.String(), "aictail") {
			t.Errorf("%s: exit code %d and\n%s", shell, code, tail(p.log.String()))
		}
	}
}
