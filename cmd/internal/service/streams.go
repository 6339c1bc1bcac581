package service

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"aictail"
	"aictail/checkpoint/journal"
	"aictail/cmd/internal/config"
	"aictail/tailer"
	"aictail/tailer/aic"
	"aictail/tailer/budget"
	"aictail/tailer/sweep"
)

// tenant is a configured tenant with what reads it.
type tenant struct {
	name   string
	cfg    config.Tenant
	client *aic.Client
	shared *tailer.Tenant
	start  time.Time // of a stream that is new
}

// reading is a source entry with its stream, tail and sweep.
type reading struct {
	tenant  *tenant
	stream  *tailer.Stream
	tailer  *tailer.Tailer
	sweeper *tailer.Sweeper
}

// The names of streams in journal and state file begin with what they are.
const (
	tailPrefix   = "tail/"
	sweepPrefix  = "sweep/"
	budgetPrefix = "budget/"
)

// buildTenants makes each tenant of the configuration, and the readings that it
// names or that an earlier run found.
func (s *Service) buildTenants(saved map[string][]byte) error {
	s.tailing = tailer.NewMetrics(s.registry)
	s.registry.MustRegister(progressCollector{s})
	for _, name := range slices.Sorted(maps.Keys(s.cfg.Tenants)) {
		c := s.cfg.Tenants[name]
		client, err := NewClient(c, s.version)
		if err != nil {
			return fmt.Errorf("tenants.%s: %w", name, err)
		}
		t := &tenant{name: name, cfg: c, client: client, start: c.StartTime(s.started)}
		t.shared = tailer.NewTenant(tailer.TenantConfig{
			Name: name, MinInterval: c.Poll.MinInterval, MaxInterval: c.Poll.MaxInterval,
		}, client, s.newBudget(name, c, saved[budgetPrefix+name]), s.tailing, s.log)
		s.tenants = append(s.tenants, t)
		entries := c.Entries()
		if c.Discover() {
			entries = knownEntries(name, saved)
		}
		for _, entry := range entries {
			s.addReading(t, entry, saved)
		}
	}
	return nil
}

// newBudget returns the tenant's budget as an earlier run left it. What is spent
// goes into the journal before it is: a crash must not forget a request.
func (s *Service) newBudget(name string, c config.Tenant, saved []byte) *budget.Budget {
	o := budget.Options{Reserve: c.Requests.Reserve}
	if saved != nil {
		var state budget.State
		if err := json.Unmarshal(saved, &state); err != nil {
			s.log.Warn("the saved request budget cannot be read; it is learned anew", zap.String("tenant", name), zap.Error(err))
		} else {
			o.Saved = &state
		}
	}
	o.Save = func(state budget.State) {
		b, err := json.Marshal(state)
		if err == nil {
			// Not synced: it has to survive the process, not the machine. If the
			// journal fails, that is seen and told where events are appended.
			_, _, _ = s.journal.Append(aictail.Record{Stream: budgetPrefix + name, Checkpoint: b})
		}
	}
	return budget.New(o)
}

// knownEntries lists the source entries that an earlier run read.
func knownEntries(tenant string, saved map[string][]byte) []string {
	var entries []string
	for stream := range saved {
		if name, entry, ok := splitStream(stream); ok && name == tenant {
			entries = append(entries, entry)
		}
	}
	slices.Sort(entries)
	return slices.Compact(entries)
}

// splitStream returns the tenant and source entry in the name of a tail's or a
// sweep's records.
func splitStream(stream string) (tenant, entry string, ok bool) {
	name, ok := strings.CutPrefix(stream, tailPrefix)
	if !ok {
		name, ok = strings.CutPrefix(stream, sweepPrefix)
	}
	tenant, entry, found := strings.Cut(name, "/")
	return tenant, entry, ok && found
}

// addReading makes the stream, tail and sweep of a source entry.
func (s *Service) addReading(t *tenant, entry string, saved map[string][]byte) *reading {
	swept := sweepConfig(t.cfg, entry)
	swept.Start = t.start
	stream := tailer.NewStream(t.name, entry, swept)
	s.recoverCoverage(stream, saved)
	deps := func() tailer.Deps {
		return tailer.Deps{Tenant: t.shared, Stream: stream, Filter: s.chain.NewPass(), Journal: s.journal, Log: s.log}
	}
	cfg := tailer.Config{QueryFilter: t.cfg.QueryFilter}
	r := &reading{tenant: t, stream: stream, tailer: tailer.New(cfg, deps()), sweeper: tailer.NewSweeper(cfg, deps())}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readings = append(s.readings, r)
	return r
}

// rememberStart makes the beginning of a new stream durable before anything of it
// is read: a start such as "now" or "24h" means this moment, also if the daemon is
// killed before the first sweep has been confirmed.
func (s *Service) rememberStart(stream *tailer.Stream) error {
	if stream.Mode() == sweep.Off {
		// A sweep that is switched on later begins then: the ids of what the tail has
		// brought until then are not kept.
		return nil
	}
	b, err := stream.Beginning()
	if err != nil {
		return err
	}
	pos, _, err := s.journal.Append(aictail.Record{Stream: stream.SweepName(), Checkpoint: b})
	if err == nil {
		err = s.journal.Sync(context.Background(), pos)
	}
	if err != nil {
		return fmt.Errorf("remember the start of %s: %w", stream.Name(), err)
	}
	return nil
}

// recoverCoverage gives a stream its saved coverage or, when the source entries
// have been grouped anew, what was confirmed for each of its sources.
func (s *Service) recoverCoverage(stream *tailer.Stream, saved map[string][]byte) {
	if b := saved[stream.SweepName()]; b != nil {
		if err := stream.Recover(b); err != nil {
			s.log.Warn("the saved coverage of a source cannot be read; its time since the start is swept again",
				zap.String("stream", stream.SweepName()), zap.Error(err))
		}
		return
	}
	tenantName, _, _ := strings.Cut(stream.Name(), "/")
	var all sweep.Coverage
	var start time.Time
	for i, source := range stream.Sources() {
		found := false
		for _, entry := range knownEntries(tenantName, saved) {
			if !slices.Contains(strings.Split(entry, ","), source) {
				continue
			}
			begin, c, err := tailer.SavedCoverage(saved[sweepPrefix+tenantName+"/"+entry])
			if err != nil {
				continue // nothing, or nothing readable, was saved
			}
			if found = true; i == 0 {
				all, start = c, begin
			} else {
				all = all.Intersect(c)
				if begin.Before(start) {
					start = begin
				}
			}
			break
		}
		if !found {
			return // a new source: its time begins with the others of a new entry
		}
	}
	stream.Inherit(start, all)
}

// recoverReadings brings cookies, coverage and ids up to date with the journal.
func (s *Service) recoverReadings(saved map[string][]byte, applied aictail.Position) error {
	bySource := s.bySource()
	err := s.journal.Recover(applied, recoverWindow, func(r journal.RecordInfo) error {
		if r.Checkpoint != nil && r.First >= applied {
			saved[r.Stream] = slices.Clone(r.Checkpoint)
		}
		if s.addFound(r.Stream, bySource, saved) {
			bySource = s.bySource()
		}
		for i := range r.Events {
			e := &r.Events[i]
			if stream := bySource.find(e.Tenant, e.Source, r.Stream); stream != nil {
				stream.RecoverEvent(e.ID, e.Time, e.Position)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, r := range s.readings {
		s.recoverCoverage(r.stream, saved)
		if b := saved[r.stream.TailName()]; b != nil {
			if err := r.tailer.Recover(b); err != nil {
				s.log.Warn("the restart state of a tail cannot be read; it starts anew, 15 seconds back, and the sweep fills the gap",
					zap.String("stream", r.stream.TailName()), zap.Error(err))
			}
		}
		if saved[r.stream.SweepName()] == nil {
			if err := s.rememberStart(r.stream); err != nil {
				return err
			}
		}
	}
	return nil
}

// addFound makes the reading of a source that was discovered by an earlier run and
// that only the journal knows of yet. It tells whether there was one.
func (s *Service) addFound(stream string, known sources, saved map[string][]byte) bool {
	name, entry, ok := splitStream(stream)
	if !ok || known.byName[stream] != nil {
		return false
	}
	i := slices.IndexFunc(s.tenants, func(t *tenant) bool { return t.name == name && t.cfg.Discover() })
	if i < 0 {
		return false
	}
	s.addReading(s.tenants[i], entry, saved)
	return true
}

// sources finds the stream that a journaled event belongs to.
type sources struct {
	byName   map[string]*tailer.Stream    // of records
	bySource map[[2]string]*tailer.Stream // by tenant and source
}

func (s *Service) bySource() sources {
	x := sources{byName: map[string]*tailer.Stream{}, bySource: map[[2]string]*tailer.Stream{}}
	for _, r := range s.readings {
		x.byName[r.stream.TailName()] = r.stream
		x.byName[r.stream.SweepName()] = r.stream
		for _, source := range r.stream.Sources() {
			x.bySource[[2]string{r.tenant.name, source}] = r.stream
		}
	}
	return x
}

func (x sources) find(tenantName, source, record string) *tailer.Stream {
	if s := x.byName[record]; s != nil {
		return s
	}
	if s := x.bySource[[2]string{tenantName, source}]; s != nil {
		return s
	}
	product, _, _ := strings.Cut(source, "-")
	return x.bySource[[2]string{tenantName, product + "-everything"}]
}

// needed returns the journal position from which on the next start must read.
func (s *Service) needed() aictail.Position {
	needed := aictail.Position(math.MaxUint64)
	for _, r := range s.allReadings() {
		needed = min(needed, r.stream.Needed())
	}
	return needed
}

// allReadings returns the readings at this moment.
func (s *Service) allReadings() []*reading {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.readings)
}

// discoverInterval is how often a tenant is asked for new sources: they come with
// releases of the product.
const discoverInterval = 10 * time.Minute

// discover reads every source that the tenant offers, and what it offers later,
// until ctx ends. read starts a reading.
func (s *Service) discover(ctx context.Context, t *tenant, read func(*reading)) {
	retry := time.Second
	for {
		wait := discoverInterval
		names, err := t.shared.Sources(ctx, t.client)
		if err == nil {
			retry = time.Second
			s.addSources(t, names, read)
		} else if ctx.Err() == nil {
			s.log.Warn("the tenant's sources cannot be listed; it is tried again", zap.String("tenant", t.name),
				zap.Duration("retry_in", retry), zap.Error(err))
			wait, retry = retry, min(2*retry, time.Minute)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

func (s *Service) addSources(t *tenant, names []string, read func(*reading)) {
	known := map[string]bool{}
	for _, r := range s.allReadings() {
		if r.tenant == t {
			for _, source := range r.stream.Sources() {
				known[source] = true
			}
		}
	}
	for _, name := range names {
		// What an everything source holds is read from its parts.
		if known[name] || strings.HasSuffix(name, "-everything") {
			continue
		}
		s.log.Info("reading a source that the tenant offers", zap.String("tenant", t.name), zap.String("source", name))
		r := s.addReading(t, name, nil)
		if err := s.rememberStart(r.stream); err != nil {
			s.log.Warn("a restart before the first sweep of a source would begin later than now", zap.Error(err))
		}
		read(r)
	}
}
