package simulator

import "net/http"

// find returns the visible entries of the request's sources from the position to
// the time, at most limit. What waited for one of the sources to be asked for,
// or for its time, is shown first.
func (x *exchange) find(from position, until int64, limit int) ([]*entry, *failure) {
	if len(x.sources) == 0 {
		return nil, errNoSource
	}
	t := x.t
	t.mu.Lock()
	defer t.mu.Unlock()
	var logs []*sourceLog
	seen := map[*sourceLog]bool{}
	for _, name := range x.sources {
		if !t.offersLocked(name) {
			return nil, &failure{http.StatusBadRequest, "Error: Unknown Source Specified"}
		}
		for _, l := range t.store.view(name) {
			if !seen[l] {
				seen[l] = true
				logs = append(logs, l)
			}
		}
	}
	now := t.options.Now()
	t.store.settle(now)
	t.showReplayLocked(logs, now)
	return find(logs, from, until, limit), nil
}

// pageOf returns the answer that holds the entries.
func (x *exchange) pageOf(entries []*entry) *answer {
	x.t.mu.Lock()
	x.t.answers++
	odd := x.t.answers%2 == 1
	x.t.mu.Unlock()
	return &answer{
		entries: entries,
		count:   len(entries),
		// Captures show a number, the documentation a string.
		countAsText: !odd,
		bare:        x.t.options.OmitSource && len(x.sources) == 1,
	}
}
