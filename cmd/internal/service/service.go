// Package service wires the parts of the daemon together and owns their
// lifecycle: the order in which they start and stop, what is restored at start,
// and the housekeeping between journal and state file. It holds no logic of the
// parts themselves.
package service

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"aictail"
	"aictail/checkpoint"
	"aictail/checkpoint/journal"
	"aictail/cmd/internal/admin"
	"aictail/cmd/internal/config"
	"aictail/cmd/internal/supervise"
	"aictail/filter"
	"aictail/sinks/deliver"
	"aictail/sinks/file"
	"aictail/tailer"
)

// Service is the daemon.
type Service struct {
	cfg      *config.Config
	version  string
	log      *zap.Logger
	registry *prometheus.Registry
	started  time.Time

	state   *checkpoint.State
	journal *journal.Journal
	chain   *filter.Chain
	tailing *tailer.Metrics
	tenants []*tenant
	sinks   []sink
	admin   *admin.Server // nil if switched off
	systemd *supervise.Supervisor

	// applied and stored are what the state file holds of the journal's
	// checkpoints, and up to where; of housekeeping.
	applied aictail.Position
	stored  map[string][]byte

	// setBack is held for reading while a sink is being set back in the journal, so
	// that what it is to read again is not deleted meanwhile.
	setBack sync.RWMutex

	handOver atomic.Bool // no sink is to read on in the journal
	refusal  refusal     // of a configuration that was to follow this one

	sampler sampler      // for the status; filled by housekeeping
	marks   marks        // of what has reached the sinks; the same
	marked  time.Time    // when they were last stored
	ticked  atomic.Int64 // when housekeeping last ran, in Unix nanoseconds

	mu       sync.Mutex // guards readings and damages
	readings []*reading
	damages  []journal.Damage // found and not yet told to the sweeps
}

// New opens everything that the configuration names on this machine and
// restores where an earlier run left off. It reaches no tenant and no sink. Its
// errors say what to do.
func New(cfg *config.Config, version string, log *zap.Logger) (_ *Service, err error) {
	s := &Service{cfg: cfg, version: version, log: log, started: time.Now()}
	s.systemd = supervise.New(supervise.Deps{Alive: s.alive, Summary: s.summary, Log: log})
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	s.registry = prometheus.NewRegistry()
	s.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "aictail_build_info", Help: "1, labelled with the version."}, []string{"version"})
	s.registry.MustRegister(build)
	build.WithLabelValues(version).Set(1)
	s.refusal.register(s.registry)

	var warnings []config.Problem
	if s.chain, warnings, err = NewFilter(cfg, s.registry); err != nil {
		return nil, err
	}
	doubtful, err := checkWebConfig(cfg.Admin)
	if err != nil {
		return nil, err
	}
	for _, w := range append(warnings, doubtful...) {
		log.Warn(w.String())
	}
	if s.state, err = checkpoint.Open(cfg.DataDir); err != nil {
		return nil, err
	}
	warnOpenFolder(cfg.DataDir, log)
	if err = s.openJournal(); err != nil {
		return nil, err
	}
	saved, applied, err := s.state.Streams()
	if err != nil {
		return nil, err
	}
	s.applied = applied
	if err = s.buildTenants(saved); err != nil {
		return nil, err
	}
	if err = s.recoverReadings(saved, applied); err != nil {
		return nil, err
	}
	if err = s.buildSinks(); err != nil {
		return nil, err
	}
	s.restoreMarks(saved[marksStream])
	if cfg.Admin.Listen != "" {
		s.admin, err = admin.Listen(admin.Config{Address: cfg.Admin.Listen, WebConfigFile: cfg.Admin.WebConfigFile}, admin.Deps{
			Gatherer: s.registry, Checks: s.checks(), Alive: s.alive, Status: s.Status, Backfill: s.Backfill,
			Replay: s.Replay, ReplayLetters: s.ReplayLetters, Log: log,
		})
	}
	return s, err
}

// AdminURL returns where the admin server listens, or "" if it is switched off.
func (s *Service) AdminURL() string {
	if s.admin == nil {
		return ""
	}
	return s.admin.URL()
}

func (s *Service) openJournal() error {
	// A position that a sink has committed is never given to another event,
	// whatever became of the journal's files.
	least, err := s.state.Reached()
	if err != nil {
		return err
	}
	damaged := prometheus.NewCounter(prometheus.CounterOpts{Name: "aictail_journal_damaged_records_total",
		Help: "Stretches of the journal that could not be read back; their events did not reach all sinks."})
	s.registry.MustRegister(damaged)
	s.journal, err = journal.Open(journal.Options{
		Dir:     filepath.Join(s.cfg.DataDir, "journal"),
		MaxSize: int64(s.cfg.Journal.MaxSize),
		Retain:  s.cfg.Journal.Retain,
		AtLeast: least,
		OnDamage: func(d journal.Damage) {
			damaged.Inc()
			s.log.Error("a part of the journal is damaged and was set aside; the sweep fetches its time from the tenant again", damageFields(d)...)
			s.mu.Lock()
			defer s.mu.Unlock()
			s.damages = append(s.damages, d)
		},
	})
	if err != nil {
		return err
	}
	s.registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "aictail_journal_bytes", Help: "Size of the journal on disk."},
			func() float64 { return float64(s.journal.Stats().Bytes) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "aictail_journal_max_bytes", Help: "Size at which polling stops until the sinks have caught up."},
			func() float64 { return float64(s.journal.Stats().MaxBytes) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "aictail_journal_write_failures_total", Help: "Writes, fsyncs and creations of journal files that failed; they are tried again."},
			func() float64 { return float64(s.journal.Stats().Faults) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "aictail_data_dir_free_bytes", Help: "Space that is free for aictail on the disk of data_dir."},
			func() float64 { return freeSpace(s.cfg.DataDir) }),
	)
	return nil
}

// damageFields says what is lost, as far as it is known: whose events of what time, or
// else when the record was written.
func damageFields(d journal.Damage) []zap.Field {
	fields := []zap.Field{zap.String("file", d.File), zap.Int64("offset", d.Offset), zap.String("kept", d.SetAside),
		zap.Uint64("first_position", uint64(d.First)), zap.Uint64("next_position", uint64(d.Next)), zap.Error(d.Err)}
	if d.Stream != "" {
		fields = append(fields, zap.String("stream", d.Stream))
	}
	if !d.From.IsZero() {
		return append(fields, zap.Time("from", d.From), zap.Time("to", d.To))
	}
	if !d.AppendedFrom.IsZero() {
		fields = append(fields, zap.Time("written_from", d.AppendedFrom), zap.Time("written_to", d.AppendedTo))
	}
	return fields
}

// freeSpace returns what is free on a folder's disk; not a number if nobody knows.
func freeSpace(folder string) float64 {
	free, err := file.Free(folder)
	if err != nil {
		return math.NaN()
	}
	return float64(free)
}

// recoverWindow is how far back, from the newest record, the ids of journaled
// events are read at start: a refused cookie repeats 15 seconds, a page that was
// cut off by the stop at most one request's time, and the rest is room for
// retries in between.
const recoverWindow = 10 * time.Minute

// Run runs the daemon until ctx ends and then stops it in order:
//
//  1. The tailers end their polls; nothing new enters the journal.
//  2. The workers deliver what is in it, for shutdown_timeout at most. What they
//     do not manage stays in the journal for the next start.
//  3. State file and journal are brought up to date and closed.
//
// It returns nil after an orderly stop, also if events remain to be delivered. If the
// cause of ctx's end is ErrReload, the second step takes no longer than the batches
// that are under way: another service takes over.
func (s *Service) Run(ctx context.Context) error {
	defer s.close()
	s.log.Info("aictail runs", zap.String("version", s.version), zap.String("data_dir", s.cfg.DataDir),
		zap.Int("source_entries", len(s.readings)), zap.Int("sinks", len(s.sinks)), zap.String("admin", s.AdminURL()))

	// hard outlives ctx by the time that delivery may take after it.
	hard, kill := context.WithCancel(context.WithoutCancel(ctx))
	defer kill()
	failed, fail := context.WithCancelCause(ctx)
	defer fail(nil)

	var polling, delivery, background errgroup.Group
	read := func(r *reading) {
		polling.Go(func() error { return r.tailer.Run(failed) })
		polling.Go(func() error { return r.sweeper.Run(failed) })
	}
	readings := s.allReadings()
	slices.SortStableFunc(readings, func(a, b *reading) int { return a.stream.Compare(b.stream) })
	for _, r := range readings {
		read(r)
	}
	for _, t := range s.tenants {
		if t.cfg.Discover() {
			polling.Go(func() error { s.discover(failed, t, read); return nil })
		}
	}
	for _, k := range s.sinks {
		delivery.Go(func() error {
			err := k.worker.Run(hard)
			if err != nil && hard.Err() == nil {
				fail(fmt.Errorf("sink %s: %w", k.name, err))
			}
			return err
		})
	}
	background.Go(func() error { s.keepHouse(hard); return nil })
	background.Go(func() error { s.systemd.Run(hard); return nil })
	if s.admin != nil {
		background.Go(func() error {
			err := s.admin.Serve(hard)
			if err != nil {
				fail(err)
			}
			return err
		})
	}

	<-failed.Done()
	reloading := errors.Is(context.Cause(failed), ErrReload)
	patience := s.cfg.ShutdownTimeout
	if reloading {
		patience = min(patience, reloadTimeout)
		s.handOver.Store(true)
		s.systemd.HandOver()
	} else {
		s.systemd.Stopping(patience + closeMargin)
		s.log.Info("stopping: delivering what is in the journal", zap.Duration("for_at_most", patience))
	}
	_ = polling.Wait() // tailers return no error
	s.journal.CloseAppend()
	timeout := time.AfterFunc(patience, kill)
	undelivered := delivery.Wait()
	timeout.Stop()
	kill()
	_ = background.Wait() // its errors have gone to fail
	s.tidy()

	if cause := context.Cause(failed); !reloading && !errors.Is(cause, context.Canceled) {
		return cause
	}
	if reloading {
		return nil
	}
	if undelivered != nil {
		s.log.Warn("stopped before everything was delivered; the rest is in the journal and follows at the next start")
		return nil
	}
	s.log.Info("stopped: everything in the journal is delivered")
	return nil
}

// ErrReload is the cause with which the context of Run ends when another service is
// to take over with a new configuration. Nothing is lost or repeated by it: it is a
// restart, which the journal and the state file are made for.
var ErrReload = errors.New("the configuration is being reloaded")

// reloadTimeout is how long a sink may take for the batch that is under way. What it
// does not finish is sent again, to sinks that know what they have.
const reloadTimeout = 5 * time.Second

// closeMargin is what a stop may take beside shutdown_timeout: the polls under way
// end at once, and the last fsyncs of journal and state file take a slow disk
// seconds.
const closeMargin = 15 * time.Second

// Reopen has the sinks that write files open them anew, after an external
// rotation.
func (s *Service) Reopen() {
	s.systemd.Reload(func() {
		for _, k := range s.sinks {
			if k.reopen != nil {
				k.reopen()
			}
		}
	})
}

// Close releases what New opened, for a service that is not run.
func (s *Service) Close() error {
	s.close()
	return nil
}

func (s *Service) close() {
	if s.admin != nil {
		_ = s.admin.Close() // closed by Serve already, as a rule
	}
	if s.journal != nil {
		if err := s.journal.Close(); err != nil {
			s.log.Error("close the journal", zap.Error(err))
		}
	}
	if s.state != nil {
		if err := s.state.Close(); err != nil {
			s.log.Error("close the state file", zap.Error(err))
		}
	}
}

// store is a sink's part of the state file.
type store struct {
	state *checkpoint.State
	name  string
}

func (s store) Saved() ([]byte, error) {
	saved, _, err := s.state.Sink(s.name)
	return saved.State, err
}

func (s store) SaveState(state []byte) error { return s.state.SaveSinkState(s.name, state) }

func (s store) Commit(pos aictail.Position, state []byte) error {
	return s.state.CommitSink(s.name, pos, state)
}

func (s store) Rewind(pos aictail.Position) (from aictail.Position, err error) {
	return s.state.RewindSink(s.name, pos)
}

var _ deliver.Store = store{}
