// Package supervise tells systemd how the daemon is: that it runs, that it is alive,
// that it reopens its files, that it stops, and a line for "systemctl status"; see
// sd_notify(3). Without systemd it does nothing. It does not judge the daemon's
// health itself: it is told.
package supervise

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"go.uber.org/zap"
)

// Deps is what the program injects. Its functions are called concurrently with the
// rest of the program and must not block.
type Deps struct {
	// Alive returns nil while the daemon makes progress at all. While it does not,
	// systemd gets no sign of life and, after WatchdogSec, restarts the daemon.
	Alive func() error
	// Summary returns how the daemon fares, for people. Everybody on the machine
	// can read it.
	Summary func() string
	Log     *zap.Logger
}

// Supervisor speaks to systemd. Its methods may be called concurrently.
type Supervisor struct {
	deps     Deps
	send     func(message string) error
	interval time.Duration // between two signs of life
	watched  bool          // systemd expects signs of life

	mu      sync.Mutex // guards what follows and the order of messages
	phase   phase
	summary string // sent last
	failing bool   // the last message could not be sent
	stuck   bool   // the daemon was not alive when last asked
}

// phase is how far the daemon's life has come; it never goes back.
type phase int

const (
	starting phase = iota
	running
	stopping
)

// summaryInterval is how old the line in "systemctl status" may be: whoever starts the
// service looks at it in the next second.
const summaryInterval = time.Second

// New returns the supervisor that the environment asks for: systemd passes the
// socket and how often it wants to hear something in it.
func New(deps Deps) *Supervisor {
	s := &Supervisor{deps: deps, interval: summaryInterval}
	if os.Getenv("NOTIFY_SOCKET") == "" {
		return s
	}
	s.send = func(message string) error {
		_, err := daemon.SdNotify(false, message)
		return err
	}
	watchdog, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		deps.Log.Warn("the watchdog's interval cannot be read; systemd gets no signs of life: check WatchdogSec of the unit", zap.Error(err))
	}
	if watchdog > 0 {
		s.watched = true
		// Two of three may be late before systemd loses patience.
		s.interval = min(watchdog/3, summaryInterval)
	}
	return s
}

// Run sends signs of life and the summary until ctx ends.
func (s *Supervisor) Run(ctx context.Context) {
	if s.send == nil {
		return
	}
	ticker := time.NewTicker(s.interval)
	defer ticker.Stop()
	for {
		s.report()
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Ready says that the start is over. Only the first call says anything.
func (s *Supervisor) Ready() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase == starting {
		s.phase = running
		s.summary = oneLine(s.deps.Summary())
		s.notify(daemon.SdNotifyReady + "\nSTATUS=" + s.summary)
	}
}

// Reload runs fn and says before that the daemon reloads and after that it is ready
// again.
func (s *Supervisor) Reload(fn func()) {
	// systemd orders the message by this time against those of its own.
	s.notifyIfRunning(daemon.SdNotifyReloading + "\n" + strings.TrimSpace(daemon.SdNotifyMonotonicUsec()))
	fn()
	s.notifyIfRunning(daemon.SdNotifyReady)
}

// HandOver says that the daemon reloads, and leaves the rest to the Supervisor of the
// service that takes over: its Ready ends the reload.
func (s *Supervisor) HandOver() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.phase = stopping
	s.notify(daemon.SdNotifyReloading + "\n" + strings.TrimSpace(daemon.SdNotifyMonotonicUsec()))
}

// Stopping says that the stop has begun and that systemd is to wait for at least
// timeout before it kills the daemon, whatever its unit says.
func (s *Supervisor) Stopping(timeout time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.phase = stopping
	s.notify(fmt.Sprintf("%s\nEXTEND_TIMEOUT_USEC=%d\nSTATUS=stopping: delivering what is in the journal",
		daemon.SdNotifyStopping, timeout.Microseconds()))
}

func (s *Supervisor) notifyIfRunning(message string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase == running {
		s.notify(message)
	}
}

// report sends a sign of life if there is one, and the summary if it is another.
func (s *Supervisor) report() {
	err := s.deps.Alive()
	summary := oneLine(s.deps.Summary())
	s.mu.Lock()
	defer s.mu.Unlock()
	var message []string
	if s.watched && err == nil {
		message = append(message, daemon.SdNotifyWatchdog)
	}
	if s.phase == running && summary != s.summary {
		s.summary = summary
		message = append(message, "STATUS="+summary)
	}
	if len(message) > 0 {
		s.notify(strings.Join(message, "\n"))
	}
	if stuck := s.watched && err != nil && s.phase != starting; stuck != s.stuck {
		s.stuck = stuck
		if stuck {
			s.deps.Log.Error("systemd gets no sign of life any more and is going to restart the daemon", zap.Error(err))
		} else {
			s.deps.Log.Info("the daemon is alive again, and systemd is told so")
		}
	}
}

// notify sends a message; a failure is logged once. The caller holds mu.
func (s *Supervisor) notify(message string) {
	if s.send == nil {
		return
	}
	err := s.send(message)
	if failing := err != nil; failing != s.failing {
		s.failing = failing
		if failing {
			s.deps.Log.Warn("systemd cannot be told how the daemon is: check NotifyAccess and RestrictAddressFamilies of the unit", zap.Error(err))
		}
	}
}

// maxSummary keeps the line on a usual terminal's screen.
const maxSummary = 300

// oneLine makes a text fit for a message, whose fields end with the line.
func oneLine(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > maxSummary {
		text = strings.ToValidUTF8(text[:maxSummary], "") + "..."
	}
	return text
}
