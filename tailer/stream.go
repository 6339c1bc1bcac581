package tailer

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"aictail"
	"aictail/tailer/sweep"
)

// Stream is what the tail and the sweep of one source entry share: the ids of
// the events in the journal, and the coverage. Its methods may be called
// concurrently.
type Stream struct {
	tenant  string
	sources string
	cfg     SweepConfig

	// appending is held, shared, by a reader from accepting events to their being
	// written to the journal, and taken whole by who must not overtake that.
	appending sync.RWMutex

	mu      sync.Mutex         // guards what follows
	inDoubt []aictail.Position // chunks of the tail that are not known to be durable
	voided  int                // how often events that had been accepted were forgotten
	ids     *idSet
	plan    *sweep.Stream
	covered sweep.Coverage // of plan, as last looked at
	start   time.Time      // nothing before it is wanted but wanted
	wanted  []sweep.Interval
	floor   int64          // minutes before it are forgotten once they are covered
	evicted int            // ids forgotten although they were needed
	whole   map[int64]bool // minutes that RecoverEvent has looked up: whether they are covered
	catchUp catchUp
	wake    chan struct{} // tells the sweep that there is something new to do
}

// SweepConfig is what the user sets for the sweep of one source entry.
type SweepConfig struct {
	Mode   sweep.Mode
	Settle time.Duration
	// Start is where a new installation begins; a saved one keeps its own.
	Start time.Time
}

// Retention is how long the tenant keeps its logs (the vendor's documentation).
const Retention = 30 * 24 * time.Hour

// NewStream returns the stream of a source entry. Recover gives it the state of an
// earlier run.
func NewStream(tenant, sources string, cfg SweepConfig) *Stream {
	s := &Stream{
		tenant: tenant, sources: sources, cfg: cfg,
		ids: newIDSet(), floor: math.MinInt64, wake: make(chan struct{}, 1),
	}
	// The first page of the tail begins a little earlier; what it leaves to the
	// sweep must be wanted there.
	s.planLocked(cfg.Start.Add(-tailRestart-tailMargin), sweep.Coverage{}, nil)
	return s
}

// planLocked begins with a coverage.
func (s *Stream) planLocked(start time.Time, c sweep.Coverage, wanted []sweep.Interval) {
	s.start, s.wanted = start, wanted
	s.plan = sweep.New(sweep.Config{
		Mode: s.cfg.Mode, Settle: s.cfg.Settle, Retention: Retention, Start: start,
	}, c)
	for _, iv := range wanted {
		s.plan.Backfill(iv)
	}
	s.covered = s.plan.Coverage()
	s.raiseFloorLocked()
	s.whole = map[int64]bool{}
}

// Recover restores the sweep's state, as it was in its last record with a
// checkpoint. It may be called again with a newer one, before anything runs. After
// an error the stream is as before.
func (s *Stream) Recover(saved []byte) error {
	c, err := decodeSweepCheckpoint(saved)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.planLocked(c.Start, c.Coverage, c.Wanted)
	return nil
}

// Inherit begins with a coverage that was confirmed under other source entries,
// when the entries of the configuration have been grouped anew.
func (s *Stream) Inherit(start time.Time, c sweep.Coverage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.planLocked(start, c, nil)
}

// Name returns the part of the names of the stream's records in the journal that
// tail and sweep have in common.
func (s *Stream) Name() string { return s.tenant + "/" + s.sources }

// TailName returns the name of the tail's records.
func (s *Stream) TailName() string { return "tail/" + s.Name() }

// SweepName returns the name of the sweep's records.
func (s *Stream) SweepName() string { return "sweep/" + s.Name() }

// wantsLocked tells whether the sweep is to cover a time.
func (s *Stream) wantsLocked(at time.Time) bool {
	return at.After(s.start) || slices.ContainsFunc(s.wanted, func(iv sweep.Interval) bool {
		return at.After(iv.Begin) && !at.After(iv.End)
	})
}

// suspect tells the sweep that the tail may have left out entries.
func (s *Stream) suspect(from, to time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !to.After(from) {
		return
	}
	s.plan.Suspect(sweep.Interval{Begin: from, End: to})
	s.wakeUp()
}

// Uncover has the sweep read a stretch of time again, since its events were lost
// from the journal before every sink had them.
func (s *Stream) Uncover(from, to time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !to.After(from.Add(-1)) {
		return
	}
	s.plan.Uncover(sweep.Interval{Begin: from.Add(-1), End: to})
	s.covered = s.plan.Coverage()
	s.wakeUp()
}

func (s *Stream) wakeUp() {
	select {
	case s.wake <- struct{}{}:
	default: // it has been told
	}
}

// tailed notes up to where the tail has come; zero after an empty page.
func (s *Stream) tailed(until, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !until.IsZero() {
		s.plan.Tailed(until)
	}
	if s.cfg.Mode == sweep.Gaps {
		s.covered = s.plan.Coverage()
	}
	s.forgetLocked(now)
}

// nextWindow returns the next window to sweep, or how long until there is one.
// interval is how often the newest stretch is to be swept.
func (s *Stream) nextWindow(now time.Time, interval time.Duration) (sweep.Window, time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plan.SetInterval(interval)
	return s.plan.Next(now)
}

// encodeCovered returns the sweep's restart state with a further window covered.
func (s *Stream) encodeCovered(iv sweep.Interval) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.plan.With(iv)
	b, err := json.Marshal(sweepCheckpoint{
		Version: checkpointVersion, Start: s.start, Coverage: c,
		Wanted: slices.DeleteFunc(slices.Clone(s.wanted), c.CoversAll),
	})
	if err != nil {
		return nil, fmt.Errorf("encode the coverage: %w", err)
	}
	return b, nil
}

// Beginning returns the restart state of a stream of which nothing is covered yet.
func (s *Stream) Beginning() ([]byte, error) { return s.encodeCovered(sweep.Interval{}) }

// done notes that a window has been swept and is durable in the journal.
func (s *Stream) done(w sweep.Window, r sweep.Result, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plan.Done(w, r, now)
	s.covered = s.plan.Coverage()
	s.forgetLocked(now)
}

// noteProgress follows how much remains to be swept. It returns what is worth
// telling, with what remains and how long that may take, 0 if nobody knows.
func (s *Stream) noteProgress(now time.Time) (n news, behind, remaining time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n = s.catchUp.note(s.plan.Behind(now), now)
	return n, s.catchUp.behind, s.catchUp.remaining(now)
}

// progressed notes that a part of a window has been swept and is durable.
func (s *Stream) progressed(part sweep.Interval) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plan.Progress(part)
	s.covered = s.plan.Coverage()
}

func (s *Stream) failed(w sweep.Window, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plan.Failed(w, now)
}

// lost returns the time that was not swept before the tenant gave it up, once.
func (s *Stream) lost(now time.Time) []sweep.Interval {
	s.mu.Lock()
	defer s.mu.Unlock()
	lost := s.plan.Lost(now)
	s.covered = s.plan.Coverage()
	return lost
}

// CoversAll tells whether all of a stretch of time has been swept.
func (s *Stream) CoversAll(from, to time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.covered.CoversAll(sweep.Interval{Begin: from, End: to})
}

func (s *Stream) recommend() (time.Duration, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.plan.Recommend()
}

// Progress is what a stream's sweep has reached.
type Progress struct {
	Sources string
	Mode    sweep.Mode
	// CompleteUntil is zero if nothing is known yet.
	CompleteUntil time.Time
	// Behind is the time that remains to be swept.
	Behind time.Duration
	// OldestMissing is the oldest time that remains to be swept, also of what a
	// backfill asks for; the end of what has settled if nothing does.
	OldestMissing time.Time
	// Remaining is how long that may take at the pace so far; 0 if the sweep is not
	// catching up or nothing is known yet.
	Remaining time.Duration
	Covered   []sweep.Interval
	// Missing is the time that remains to be swept, oldest first.
	Missing []sweep.Interval
	IDs     int
}

// Progress returns how far the sweep has come.
func (s *Stream) Progress(now time.Time) Progress {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := Progress{Sources: s.sources, Mode: s.cfg.Mode, IDs: s.ids.size}
	if s.cfg.Mode == sweep.Off {
		return p
	}
	p.CompleteUntil, p.Behind = s.plan.CompleteUntil(now), s.plan.Behind(now)
	p.OldestMissing = s.plan.OldestMissing(now)
	p.Remaining = s.catchUp.remaining(now)
	p.Covered, p.Missing = s.covered.Intervals(), s.plan.Missing(now)
	return p
}

// Mode returns how much of the stream is swept.
func (s *Stream) Mode() sweep.Mode { return s.cfg.Mode }

// CompleteUntil returns the time until which every entry of the stream is in the
// journal; zero if nothing is known yet or nothing is swept. It costs much less than
// Progress.
func (s *Stream) CompleteUntil(now time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.plan.CompleteUntil(now)
}

// Compare orders streams by how far their sweeps have come, the one furthest behind
// first. Who starts their readers in this order lets it go first after a restart:
// the requests of one class are sent in the order in which they were asked for.
func (s *Stream) Compare(other *Stream) int {
	now := time.Now()
	return s.CompleteUntil(now).Compare(other.CompleteUntil(now))
}

// Sources returns the sources of the entry.
func (s *Stream) Sources() []string { return strings.Split(s.sources, ",") }

// SavedCoverage reads a sweep's state as the journal and the state file keep it.
func SavedCoverage(saved []byte) (start time.Time, c sweep.Coverage, err error) {
	cp, err := decodeSweepCheckpoint(saved)
	return cp.Start, cp.Coverage, err
}

// SavedProgress returns what the sweep of an entry of which the state was saved would
// say of itself.
func SavedProgress(sources string, saved []byte, cfg SweepConfig, now time.Time) (Progress, error) {
	s := NewStream("", sources, cfg)
	if err := s.Recover(saved); err != nil {
		return Progress{}, err
	}
	return s.Progress(now), nil
}

// sweepCheckpoint is the restart state of a sweep.
type sweepCheckpoint struct {
	Version  int            `json:"v"`
	Start    time.Time      `json:"start"`
	Coverage sweep.Coverage `json:"coverage"`
	// Wanted is what was asked for by a backfill and is not covered yet.
	Wanted []sweep.Interval `json:"wanted,omitempty"`
}

func decodeSweepCheckpoint(b []byte) (sweepCheckpoint, error) {
	var c sweepCheckpoint
	if err := json.Unmarshal(b, &c); err != nil {
		return sweepCheckpoint{}, fmt.Errorf("read the coverage: %w", err)
	}
	if c.Version != checkpointVersion {
		return sweepCheckpoint{}, fmt.Errorf("read the coverage: version %d is not known to this version of aictail", c.Version)
	}
	return c, nil
}
