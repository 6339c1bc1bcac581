package service

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"aictail/cmd/internal/admin"
	"aictail/cmd/internal/config"
	"aictail/tailer"
	"aictail/tailer/sweep"
)

// SavedCoverage returns how far the sweeps have come of which checkpoints were stored,
// by tenant and source entry.
func SavedCoverage(cfg *config.Config, checkpoints map[string][]byte, now time.Time) ([]admin.Coverage, error) {
	var list []admin.Coverage
	for stream, b := range checkpoints {
		name, ok := strings.CutPrefix(stream, sweepPrefix)
		if !ok {
			continue
		}
		name, entry, _ := strings.Cut(name, "/")
		tenant := cfg.Tenants[name]
		p, err := tailer.SavedProgress(entry, b, sweepConfig(tenant, entry), now)
		if err != nil {
			return nil, fmt.Errorf("stream %s: %w", stream, err)
		}
		list = append(list, coverageOf(name, tenant, p))
	}
	slices.SortFunc(list, func(a, b admin.Coverage) int {
		return strings.Compare(a.Tenant+"/"+a.Sources, b.Tenant+"/"+b.Sources)
	})
	return list, nil
}

// sweepConfig returns how an entry of a tenant is swept. Its Start is still to be set.
func sweepConfig(t config.Tenant, entry string) tailer.SweepConfig {
	o := t.SweepOf(entry)
	mode, err := sweep.ParseMode(o.Mode)
	if err != nil {
		mode = sweep.Full // of a tenant that is no longer configured; others were checked
	}
	return tailer.SweepConfig{Mode: mode, Settle: o.Settle}
}

func coverageOf(name string, t config.Tenant, p tailer.Progress) admin.Coverage {
	o := t.SweepOf(p.Sources)
	return admin.Coverage{
		Tenant: name, Sources: p.Sources, Mode: o.Mode, SettleSeconds: o.Settle.Seconds(),
		CompleteUntil: p.CompleteUntil, BehindSeconds: p.Behind.Seconds(), RemainingSeconds: p.Remaining.Seconds(),
		Covered: intervals(p.Covered), Missing: intervals(p.Missing),
	}
}

func intervals(list []sweep.Interval) []admin.Interval {
	out := make([]admin.Interval, len(list))
	for i, iv := range list {
		out[i] = admin.Interval{Begin: iv.Begin, End: iv.End}
	}
	return out
}
