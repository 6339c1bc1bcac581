package servers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// stopTimeout is how long a server may take to end in good order.
const stopTimeout = 30 * time.Second

// process is a server that can be ended and started again. It is not for
// concurrent use.
type process struct {
	name    string
	logFile string
	program string
	args    []string
	// ready returns nil when the server answers.
	ready func(ctx context.Context) error

	// pid is 0 while the server is down.
	pid int
	// ended is closed when the process is gone.
	ended chan struct{}
}

// run starts the process for as long as the test runs. If the test fails, the
// end of the server's log is shown.
func (p *process) run(t testing.TB) {
	t.Helper()
	t.Cleanup(func() {
		_ = p.kill()
		if t.Failed() {
			t.Logf("the last of the log of %s:\n%s", p.name, p.log())
		}
	})
	p.start(t)
}

func (p *process) start(t testing.TB) {
	t.Helper()
	if p.pid != 0 {
		t.Fatalf("%s runs already", p.name)
	}
	if err := p.spawn(); err != nil {
		t.Fatalf("start %s: %v", p.name, err)
	}
	if err := p.await(t.Context()); err != nil {
		t.Fatalf("%s did not start: %v\n%s", p.name, err, lastLines(p.log(), 20))
	}
}

// spawn starts the process. The goroutine that waits for it starts it as well,
// and keeps its thread: Linux takes the end of that thread for the end of the
// parent.
func (p *process) spawn() error {
	log, err := os.OpenFile(p.logFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	cmd := exec.Command(p.program, p.args...)
	cmd.Dir = filepath.Dir(p.logFile)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = ownGroup()
	started, ended := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(ended)
		err := cmd.Start()
		_ = log.Close()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended is in its log
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	p.pid, p.ended = cmd.Process.Pid, ended
	return nil
}

// await waits until the server answers.
func (p *process) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := p.ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.ended:
			p.pid = 0
			return errors.New("the process ended")
		case <-ctx.Done():
			return fmt.Errorf("no answer within %v: %w", startTimeout, err)
		case <-tick.C:
		}
	}
}

// kill ends the process at once, as a crash does, and waits until it is gone.
func (p *process) kill() error {
	if p.pid == 0 {
		return nil
	}
	err := syscall.Kill(-p.pid, syscall.SIGKILL)
	<-p.ended
	p.pid = 0
	return err
}

// stop ends the process in good order.
func (p *process) stop() error {
	if p.pid == 0 {
		return nil
	}
	if err := syscall.Kill(p.pid, syscall.SIGTERM); err != nil {
		return errors.Join(err, p.kill())
	}
	select {
	case <-p.ended:
		p.pid = 0
		return nil
	case <-time.After(stopTimeout):
		return errors.Join(fmt.Errorf("%s was still there %v after SIGTERM", p.name, stopTimeout), p.kill())
	}
}

// log returns the last lines of the server's log.
func (p *process) log() []byte {
	const most = 64 << 10
	f, err := os.Open(p.logFile)
	if err != nil {
		return []byte(err.Error())
	}
	defer f.Close() //nolint:errcheck // it was only read
	if size, err := f.Seek(0, io.SeekEnd); err == nil {
		_, _ = f.Seek(max(0, size-most), io.SeekStart)
	}
	content, err := io.ReadAll(io.LimitReader(f, most))
	if err != nil {
		return []byte(err.Error())
	}
	return lastLines(content, 80)
}

// lastLines returns at most the last n lines.
func lastLines(text []byte, n int) []byte {
	lines := bytes.Split(bytes.TrimRight(text, "\n"), []byte("\n"))
	return bytes.Join(lines[max(0, len(lines)-n):], []byte("\n"))
}

// end ends a server that the test started, with how.
func end(t testing.TB, p *process, how func(*process) error) {
	t.Helper()
	if p == nil {
		t.Skip("needs a server that the test started: it is to be ended")
	}
	if err := how(p); err != nil {
		t.Fatalf("end %s: %v", p.name, err)
	}
}

// startAgain starts a server that was ended.
func startAgain(t testing.TB, p *process) {
	t.Helper()
	if p == nil {
		t.Skip("needs a server that the test started: it is to be started again")
	}
	p.start(t)
}
