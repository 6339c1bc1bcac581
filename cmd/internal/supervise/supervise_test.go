package supervise

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// manager is what systemd would be: it takes messages.
type manager struct {
	mu       sync.Mutex // guards what follows
	messages []string
	err      error
}

func (m *manager) send(message string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err == nil {
		m.messages = append(m.messages, message)
	}
	return m.err
}

func (m *manager) take() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	taken := m.messages
	m.messages = nil
	return taken
}

func (m *manager) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err = err
}

// fakeDaemon is what the supervisor watches over.
type fakeDaemon struct {
	mu      sync.Mutex // guards what follows
	err     error
	summary string
}

func (d *fakeDaemon) set(summary string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.summary, d.err = summary, err
}

func (d *fakeDaemon) alive() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}

func (d *fakeDaemon) sum() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.summary
}

func supervised(watchdog time.Duration) (*Supervisor, *manager, *fakeDaemon, *observer.ObservedLogs) {
	core, logs := observer.New(zap.InfoLevel)
	m, d := &manager{}, &fakeDaemon{summary: "fine"}
	s := &Supervisor{
		deps: Deps{Alive: d.alive, Summary: d.sum, Log: zap.New(core)},
		send: m.send, interval: watchdog / 3, watched: watchdog > 0,
	}
	return s, m, d, logs
}

// TestLife goes through a daemon's whole life.
func TestLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, m, _, _ := supervised(time.Minute)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		s.Ready()
		s.Ready()
		go s.Run(ctx)
		synctest.Wait()
		if diff := cmp.Diff([]string{"READY=1\nSTATUS=fine", "WATCHDOG=1"}, m.take()); diff != "" {
			t.Error("start:", diff)
		}
		time.Sleep(41 * time.Second)
		synctest.Wait()
		if diff := cmp.Diff([]string{"WATCHDOG=1", "WATCHDOG=1"}, m.take()); diff != "" {
			t.Error("two intervals without a change:", diff)
		}

		s.Reload(func() {
			got := m.take()
			if len(got) != 1 || !strings.HasPrefix(got[0], "RELOADING=1\nMONOTONIC_USEC=") {
				t.Errorf("when the reload begins: %q", got)
			}
		})
		if diff := cmp.Diff([]string{"READY=1"}, m.take()); diff != "" {
			t.Error("after the reload:", diff)
		}

		s.Stopping(45 * time.Second)
		if diff := cmp.Diff([]string{"STOPPING=1\nEXTEND_TIMEOUT_USEC=45000000\nSTATUS=stopping: delivering what is in the journal"}, m.take()); diff != "" {
			t.Error("stop:", diff)
		}
		s.Ready()
		s.Reload(func() {})
		if got := m.take(); len(got) > 0 {
			t.Errorf("a stopping daemon says %q", got)
		}
		// A long stop goes on to give signs of life, and keeps its summary.
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if diff := cmp.Diff([]string{"WATCHDOG=1"}, m.take()); diff != "" {
			t.Error("during the stop:", diff)
		}
	})
}

// TestStuck: a daemon that makes no progress gives no sign of life, and says so once.
func TestStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, m, d, logs := supervised(time.Minute)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		d.set("fine", errors.New("not yet"))
		go s.Run(ctx)
		synctest.Wait()
		if got := m.take(); len(got)+logs.Len() > 0 {
			t.Errorf("before the start is over: %q", got)
		}
		s.Ready()
		d.set("fine", nil)
		time.Sleep(20 * time.Second)
		synctest.Wait()
		m.take()

		d.set("not\nready", errors.New("the disk hangs"))
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if diff := cmp.Diff([]string{"STATUS=not ready"}, m.take()); diff != "" {
			t.Error("while the disk hangs:", diff)
		}
		if n := logs.FilterMessageSnippet("no sign of life").Len(); n != 1 {
			t.Errorf("logged %d times that it is stuck, want once", n)
		}
		d.set("not ready", nil)
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if diff := cmp.Diff([]string{"WATCHDOG=1"}, m.take()); diff != "" {
			t.Error("after the recovery:", diff)
		}
		if logs.FilterMessageSnippet("alive again").Len() != 1 {
			t.Error("the recovery is not logged")
		}
	})
}

// TestManagerAway: messages that cannot be sent are no reason to stop, and the log
// says so once.
func TestManagerAway(t *testing.T) {
	s, m, d, logs := supervised(time.Minute)
	s.Ready()
	m.take()
	m.fail(errors.New("connection refused"))
	s.report()
	s.report()
	if logs.Len() != 1 {
		t.Errorf("%d lines in the log, want one", logs.Len())
	}
	m.fail(nil)
	d.set("other", nil)
	s.report()
	if diff := cmp.Diff([]string{"WATCHDOG=1\nSTATUS=other"}, m.take()); diff != "" {
		t.Error(diff)
	}
}

// TestEnvironment: what systemd asks for in the environment.
func TestEnvironment(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	tests := []struct {
		name, socket, usec, pid string
		watched                 bool
		interval                time.Duration
		warns                   int
	}{
		{name: "no systemd", interval: summaryInterval},
		{name: "no watchdog", socket: socket, interval: summaryInterval},
		{name: "short", socket: socket, usec: "3000000", watched: true, interval: time.Second},
		{name: "long", socket: socket, usec: "600000000", watched: true, interval: summaryInterval},
		{name: "for another process", socket: socket, usec: "3000000", pid: "1", interval: summaryInterval},
		{name: "unreadable", socket: socket, usec: "often", interval: summaryInterval, warns: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("NOTIFY_SOCKET", tt.socket)
			t.Setenv("WATCHDOG_USEC", tt.usec)
			t.Setenv("WATCHDOG_PID", tt.pid)
			core, logs := observer.New(zap.InfoLevel)
			s := New(Deps{Summary: func() string { return "fine" }, Log: zap.New(core)})
			if s.watched != tt.watched || s.interval != tt.interval || logs.Len() != tt.warns {
				t.Errorf("watched %t, interval %s, %d warnings; want %t, %s, %d",
					s.watched, s.interval, logs.Len(), tt.watched, tt.interval, tt.warns)
			}
			s.Ready()
			if tt.socket == "" {
				s.Run(t.Context()) // returns at once
				return
			}
			b := make([]byte, 100)
			if n, err := l.Read(b); err != nil || string(b[:n]) != "READY=1\nSTATUS=fine" {
				t.Errorf("the socket got %q, %v", b[:n], err)
			}
		})
	}
}

func TestOneLine(t *testing.T) {
	tests := []struct{ in, out string }{
		{"", ""},
		{"a\nREADY=1\r\n b\t", "a READY=1 b"},
		{strings.Repeat("ä", 200), strings.Repeat("ä", 150) + "..."},
		{"x" + strings.Repeat("ä", 200), "x" + strings.Repeat("ä", 149) + "..."},
	}
	for _, tt := range tests {
		if got := oneLine(tt.in); got != tt.out {
			t.Errorf("oneLine(%q) = %q, want %q", tt.in, got, tt.out)
		}
	}
}
