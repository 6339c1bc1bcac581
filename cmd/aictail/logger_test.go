package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/buffer"
	"go.uber.org/zap/zapcore"

	"aictail/cmd/internal/supervise"
)

// TestPriorities: each line in the journal begins with its level, whatever its form.
func TestPriorities(t *testing.T) {
	for _, format := range []string{"json", "console"} {
		var out bytes.Buffer
		encoder := prioritised{Encoder: newEncoder(format), pool: buffer.NewPool()}
		log := zap.New(zapcore.NewCore(encoder, zapcore.AddSync(&out), zapcore.DebugLevel)).With(zap.String("tenant", "prod"))
		log.Debug("one")
		log.Info("two")
		log.Warn("three")
		log.Error("four")
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(lines) != 4 {
			t.Fatalf("%s: %d lines: %q", format, len(lines), lines)
		}
		for i, want := range []string{"<7>", "<6>", "<4>", "<3>"} {
			if !strings.HasPrefix(lines[i], want) || !strings.Contains(lines[i], "prod") {
				t.Errorf("%s: %q does not begin with %s, or has lost a field", format, lines[i], want)
			}
		}
	}
}

// TestStderrIsJournal: only what systemd has connected with its journal has priorities.
func TestStderrIsJournal(t *testing.T) {
	var stderr syscall.Stat_t
	if err := syscall.Fstat(int(os.Stderr.Fd()), &stderr); err != nil {
		t.Fatal(err)
	}
	for stream, want := range map[string]bool{
		"":        false,
		"no:good": false,
		fmt.Sprintf("%d:%d", stderr.Dev, stderr.Ino):   true,
		fmt.Sprintf("%d:%d", stderr.Dev, stderr.Ino+1): false,
	} {
		t.Setenv("JOURNAL_STREAM", stream)
		if got := supervise.StderrIsJournal(); got != want {
			t.Errorf("JOURNAL_STREAM=%q: %v, want %v", stream, got, want)
		}
	}
}
