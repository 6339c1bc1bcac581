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

// process is a server that can be ended and started again. It is not for
// concurrent use.
type process struct {
	name    string
	logFile string
	program string
	args    []string
	// ready returns nil when the server answers.
	ready func(ctx context.Context) error

	// patience is how long it may take to answer and to end.
	patience time.Duration

	pid int
	// ended is closed when the process is gone; nil before the first start.
	ended chan struct{}
}

// run starts the process for as long as the test runs. If the test fails, the
// end of the server's log is shown.
func (p *process) run(t testing.TB) {
	t.Helper()
	t.Cleanup(func() {
		if p.running() {
			_ = p.kill()
		}
		if t.Failed() {
			t.Logf("the last of the log of %s:\n%s", p.name, p.log())
		}
	})
	p.do(t, (*process).startAgain)
}

// do does something with a server, unless it is somebody else's (nil).
func (p *process) do(t testing.TB, what func(*process) error) {
	t.Helper()
	if p == nil {
		t.Skip("needs a server that the test started: the one given may not be ended or started")
	}
	if err := what(p); err != nil {
		t.Fatalf("%s: %v", p.name, err)
	}
}

// startAgain starts the process and waits until it answers.
func (p *process) startAgain() error {
	if p.running() {
		return errors.New("it runs already")
	}
	if err := p.spawn(); err != nil {
		return err
	}
	return p.await()
}

// running says whether the process is there.
func (p *process) running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return p.ended != nil
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
func (p *process) await() error {
	ctx, cancel := context.WithTimeout(context.Background(), p.patience)
	defer cancel()
	err := poll(ctx, p.ended, func() error { return p.ready(ctx) })
	switch {
	case err == nil:
		return nil
	case p.running():
		return fmt.Errorf("no answer within %v of its start: %w", p.patience, err)
	default:
		return errors.New("it did not start")
	}
}

// poll tries until it works. When the context ends or ended is closed, it
// returns the last error.
func poll(ctx context.Context, ended <-chan struct{}, try func() error) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-ended:
			return err
		case <-tick.C:
		}
	}
}

// signal sends a signal to the process and all that it started. It is an error
// if the process is gone.
func (p *process) signal(s syscall.Signal) error {
	if !p.running() {
		return errors.New("it does not run")
	}
	return syscall.Kill(-p.pid, s)
}

// kill ends the process at once, as a crash does, and waits until it is gone.
func (p *process) kill() error {
	err := p.signal(syscall.SIGKILL)
	if err == nil {
		<-p.ended
	}
	return err
}

// stop ends the process in good order. What it started is its own to end.
func (p *process) stop() error {
	if !p.running() {
		return errors.New("it does not run")
	}
	if err := syscall.Kill(p.pid, syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.ended:
		return nil
	case <-time.After(p.patience):
		return errors.Join(fmt.Errorf("still there %v after SIGTERM", p.patience), p.kill())
	}
}

func (p *process) pause() error  { return p.signal(syscall.SIGSTOP) }
func (p *process) resume() error { return p.signal(syscall.SIGCONT) }

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
