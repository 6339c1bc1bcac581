package live

import (
	"context"
	"fmt"
	"time"

	"aictail/tailer/aic"
)

const (
	// pageSize is the most that the vendor advises.
	pageSize = 1000
	// tailReach is how much of the time before its first poll the tail returns: 15 s
	// by the documentation, less what the clocks may differ by.
	tailReach = 10 * time.Second
	// maxRounds bounds how often history is read on to where it is now. Each round is
	// shorter than the one before, unless more is logged than can be read.
	maxRounds = 5
	// progressEvery is how often a long history says how far it is.
	progressEvery = 10 * time.Second
)

// history reads what was logged in the time before now, up to where the tail begins.
func (f *Follower) history(ctx context.Context) error {
	begin, end := f.cfg.Since, time.Now()
	for range maxRounds {
		if err := f.window(ctx, begin, end); err != nil {
			return err
		}
		now := time.Now()
		if now.Sub(end) < tailReach {
			return nil
		}
		// Entries appear late: what was read last is read once more.
		begin, end = end.Add(-tailReach), now
	}
	f.deps.Note("more is logged than can be read back: some events between then and now are missing here; choose with --source or --query")
	return nil
}

// window reads one stretch of time, page by page.
func (f *Follower) window(ctx context.Context, begin, end time.Time) error {
	told := time.Now()
	for cookie := ""; ; {
		next := ""
		err := f.persist(ctx, func(ctx context.Context) (err error) {
			next, err = f.rangePage(ctx, aic.RangeRequest{
				Sources: f.cfg.Sources, Begin: begin, End: end, PageSize: pageSize, Cookie: cookie, Filter: f.cfg.QueryFilter,
			})
			return err
		})
		if err != nil || next == "" || next == cookie {
			return err
		}
		cookie = next
		if time.Since(told) > progressEvery {
			told = time.Now()
			f.deps.Note(fmt.Sprintf("reading what was logged since %s: %d events so far", begin.Local().Format(time.TimeOnly), f.count))
		}
	}
}

func (f *Follower) rangePage(ctx context.Context, req aic.RangeRequest) (next string, err error) {
	page, err := f.send(ctx, func() (*aic.Page, error) { return f.deps.Client.Range(ctx, req) })
	if err != nil {
		return "", err
	}
	defer page.Close()
	if err := f.take(page); err != nil {
		return "", err
	}
	return page.Cookie(), nil
}
