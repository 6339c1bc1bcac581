package servers

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// shell returns a process that runs a shell script, which makes the file
// ready.PID when it is ready.
func shell(t testing.TB, text string) *process {
	t.Helper()
	dir := t.TempDir()
	p := &process{
		name: "the shell", logFile: filepath.Join(dir, "server.log"), patience: time.Minute,
		program: "/bin/sh", args: []string{"-c", text},
	}
	p.ready = func(context.Context) error {
		_, err := os.Stat(filepath.Join(dir, fmt.Sprintf("ready.%d", p.pid)))
		return err
	}
	return p
}

func TestProcess(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	p := shell(t, `echo started; trap 'echo ended in good order; exit' TERM; touch ready.$$; while :; do sleep 0.01; done`)
	p.run(t)
	if err := p.startAgain(); err == nil {
		t.Error("it starts twice")
	}
	if err := p.kill(); err != nil {
		t.Fatal(err)
	}
	if err := p.kill(); err == nil {
		t.Error("a process that is gone can be killed")
	}
	if err := p.startAgain(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(p.pause(), p.resume(), p.stop()); err != nil {
		t.Fatal(err)
	}
	if got, want := string(p.log()), "started\nstarted\nended in good order"; got != want {
		t.Errorf("log:\n%s\nwant:\n%s", got, want)
	}
	if err := p.startAgain(); err != nil { // the end of the test ends it
		t.Fatal(err)
	}
}

func TestProcessFailsToStart(t *testing.T) {
	p := shell(t, `echo the reason; exit 1`)
	if err := p.startAgain(); err == nil || err.Error() != "it did not start" {
		t.Errorf("error is %v", err)
	}
	if got := string(p.log()); got != "the reason" {
		t.Errorf("log: %s", got)
	}

	p = shell(t, `exec sleep 600`)
	p.patience = 50 * time.Millisecond
	p.ready = func(context.Context) error { return errors.New("connection refused") }
	if err := p.startAgain(); err == nil || err.Error() != "no answer within 50ms of its start: connection refused" {
		t.Errorf("error is %v", err)
	}
	if err := p.kill(); err != nil {
		t.Error(err)
	}

	p.program = "/nowhere/java"
	if err := p.startAgain(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error is %v", err)
	}
}

func TestProcessThatDoesNotStop(t *testing.T) {
	p := shell(t, `trap '' TERM; touch ready.$$; while :; do sleep 0.01; done`)
	p.run(t)
	p.patience = 50 * time.Millisecond
	if err := p.stop(); err == nil {
		t.Error("it ended in good order")
	}
	if p.running() {
		t.Error("it is still there")
	}
}

func TestLogIsBounded(t *testing.T) {
	p := shell(t, "")
	if err := os.WriteFile(p.logFile, []byte(strings.Repeat("line\n", 100_000)+"last\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := string(p.log())
	if !strings.HasSuffix(got, "line\nlast") || strings.Count(got, "\n") != 79 {
		t.Errorf("%d bytes of log", len(got))
	}
}

// TestProcessEndsWithTest kills a test in which a server runs.
func TestProcessEndsWithTest(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux ends a process with its parent")
	}
	if os.Getenv("TEST_DIES") != "" {
		p := shell(t, `touch ready.$$; exec sleep 600`)
		p.run(t)
		fmt.Println("pid", p.pid)
		<-time.After(time.Minute)
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestProcessEndsWithTest$", "-test.v")
	cmd.Env = append(os.Environ(), "TEST_DIES=1", "TMPDIR="+t.TempDir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := 0
	for lines := bufio.NewScanner(out); pid == 0 && lines.Scan(); {
		_, _ = fmt.Sscanf(lines.Text(), "pid %d", &pid)
	}
	if pid == 0 || !alive(pid) {
		t.Fatalf("the inner test's process %d does not run", pid)
	}
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	for deadline := time.Now().Add(10 * time.Second); alive(pid); {
		if time.Now().After(deadline) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
			t.Fatal("the process outlived its test")
		}
		runtime.Gosched()
	}
}

// alive says whether a process runs. One that nobody has waited for does not.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, state, _ := strings.Cut(string(stat), ") ")
	return err == nil && !strings.HasPrefix(state, "Z") && !strings.HasPrefix(state, "X")
}

func TestReservePort(t *testing.T) {
	cache := t.TempDir()
	seen := map[int]bool{}
	for range 50 {
		port := reservePort(t, cache)
		if seen[port] || port < firstPort || port >= lastPort {
			t.Errorf("port %d", port)
		}
		seen[port] = true
		listener, err := net.Listen("tcp", loopback(port))
		if err != nil {
			t.Fatal(err)
		}
		listener.Close()
	}
}
