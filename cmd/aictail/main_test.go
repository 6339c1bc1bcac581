package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/rogpeppe/go-internal/testscript"
)

// asAictail, set in the environment, makes the test binary behave as aictail:
// tests run, kill and restart the real program without building it first.
const asAictail = "TEST_AS_AICTAIL"

func TestMain(m *testing.M) {
	if os.Getenv(asAictail) != "" {
		os.Unsetenv(asAictail)
		os.Exit(execute(os.Args[1:]))
	}
	testscript.Main(m, map[string]func(){
		"aictail": func() { os.Exit(execute(os.Args[1:])) },
	})
}

// patience bounds every wait for a condition; it is never used up unless
// something is broken.
const patience = 2 * time.Minute

// program is a running aictail.
type program struct {
	tb   testing.TB
	cmd  *exec.Cmd
	log  *safeBuffer
	done chan error
}

// safeBuffer is a buffer that can be read while a process writes to it.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// start starts aictail with the given arguments.
func start(tb testing.TB, args ...string) *program {
	tb.Helper()
	return startWith(tb, nil, args...)
}

// startWith is start with more variables in the environment.
func startWith(tb testing.TB, env []string, args ...string) *program {
	tb.Helper()
	self, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	p := &program{tb: tb, cmd: exec.Command(self, args...), log: &safeBuffer{}, done: make(chan error, 1)}
	p.cmd.Env = append(append(os.Environ(), asAictail+"=1"), env...)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := p.cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	go func() { p.done <- p.cmd.Wait() }()
	tb.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		if tb.Failed() {
			tb.Logf("aictail %s printed:\n%s", args[0], tail(p.log.String()))
		}
	})
	return p
}

// tail returns the end of a long text.
func tail(s string) string {
	const most = 8000
	if len(s) > most {
		return "..." + s[len(s)-most:]
	}
	return s
}

// kill ends the program as kill -9 does.
func (p *program) kill() {
	p.tb.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		p.tb.Fatalf("kill: %v\n%s", err, tail(p.log.String()))
	}
	<-p.done
}

// signal sends the program a SIGTERM.
func (p *program) signal() {
	p.tb.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.tb.Fatalf("stop: %v\n%s", err, tail(p.log.String()))
	}
}

// stop ends the program with SIGTERM and returns its exit code.
func (p *program) stop() int {
	p.tb.Helper()
	p.signal()
	return p.wait()
}

// wait waits for the program's own end and returns its exit code.
func (p *program) wait() int {
	p.tb.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		p.tb.Fatalf("the program did not end:\n%s", tail(p.log.String()))
	}
	return p.cmd.ProcessState.ExitCode()
}

// eventually waits until ok returns true.
func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	for end := time.Now().Add(patience); !ok(); {
		if time.Now().After(end) {
			tb.Fatalf("waited in vain for: %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// listening returns a loopback address that is taken for the test's duration.
func listening(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

// freeAddress returns a loopback address that nothing listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// get returns the body and status of a page of the admin server, or "" and 0.
func get(url string) (body string, status int) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", 0
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", 0
	}
	defer res.Body.Close()
	var b bytes.Buffer
	_, _ = b.ReadFrom(res.Body)
	return b.String(), res.StatusCode
}

// writeFile writes a file of the test.
func writeFile(tb testing.TB, path, text string) {
	tb.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
}

// readLines returns how often each line stands in the files below a folder.
func readLines(tb testing.TB, folder string) map[string]int {
	tb.Helper()
	lines := map[string]int{}
	for _, text := range readFiles(tb, folder) {
		for line := range strings.Lines(text) {
			lines[strings.TrimSuffix(line, "\n")]++
		}
	}
	return lines
}

// readFiles returns the content of the files below a folder, inflated, by path.
func readFiles(tb testing.TB, folder string) map[string]string {
	tb.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			return nil // rotated while we looked
		}
		if err == nil && strings.HasSuffix(path, ".zst") {
			b, err = inflate(b)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		files[path] = string(b)
		return nil
	})
	if err != nil && !os.IsNotExist(err) {
		tb.Fatal(err)
	}
	return files
}

func inflate(b []byte) ([]byte, error) {
	r, err := zstd.NewReader(nil)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return r.DecodeAll(b, nil)
}

// TestScripts runs the scripts that show the program as its users see it.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("TENANT", freeAddress(t))
			env.Setenv("ADMIN", freeAddress(t))
			env.Setenv("HOUR_AGO", time.Now().Add(-time.Hour).UTC().Format(time.RFC3339))
			env.Setenv("HALF_HOUR_AGO", time.Now().Add(-30*time.Minute).UTC().Format(time.RFC3339))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"await": await,
			"page":  page,
		},
	})
}

// await waits until a file (or, given a URL, a page) matches a regular
// expression: await FILE|URL REGEXP.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: await FILE|URL REGEXP")
	}
	re, err := regexp.Compile(args[1])
	ts.Check(err)
	var last string
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if last = load(ts, args[0]); re.MatchString(last) {
			return
		}
	}
	ts.Fatalf("waited in vain for %q in %s, which holds:\n%s", args[1], args[0], tail(last))
}

// page checks the status and text of a page: page URL STATUS REGEXP.
func page(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: page URL STATUS REGEXP")
	}
	body, status := get(args[0])
	if fmt.Sprint(status) != args[1] || !regexp.MustCompile(args[2]).MatchString(body) {
		ts.Fatalf("%s answered %d, want %s and %q in:\n%s", args[0], status, args[1], args[2], tail(body))
	}
}

func load(ts *testscript.TestScript, name string) string {
	if strings.HasPrefix(name, "http://") {
		body, _ := get(name)
		return body
	}
	b, err := os.ReadFile(ts.MkAbs(name))
	if err != nil {
		return ""
	}
	return string(b)
}
