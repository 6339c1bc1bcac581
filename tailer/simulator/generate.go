package simulator

import (
	"math/rand/v2"
	"time"
	"unicode/utf8"
)

// maxSpread is more than the time between the first and the last entry of one
// live event, the events between its parts included.
const maxSpread = time.Millisecond

// generator makes up live events. The same seed and the same calls give the same
// events. It has no lock of its own.
type generator struct {
	rng     *rand.Rand
	weights []weight
	total   int
	content content
	ticked  time.Time // when Tick last ran
	owed    float64   // part of an event left over by Tick
	last    time.Time // no live event has a later timestamp
}

// weight is a source's share of the live events.
type weight struct {
	source string
	weight int
}

// weightOf returns a source's events among a thousand of all sources, after what
// test tenants show: mostly debug lines, many accesses, hardly any change of
// configuration. A source the generator knows nothing of stays empty, as some
// listed sources of real tenants do.
func weightOf(source string) int {
	switch source {
	case "idm-core":
		return 300
	case "am-core":
		return 250
	case "am-access":
		return 150
	case "idm-access":
		return 120
	case "am-authentication":
		return 50
	case "am-activity":
		return 40
	case "idm-activity":
		return 35
	case "idm-sync":
		return 18
	case "idm-authentication", "ws-core":
		return 10
	case "ws-activity":
		return 8
	case "idm-recon":
		return 4
	case "ws-config":
		return 2
	case "am-config", "idm-config":
		return 2
	}
	return 0
}

func newGenerator(seed uint64, sources []string, now time.Time) *generator {
	g := &generator{rng: rand.New(rand.NewPCG(seed, 2)), ticked: now}
	for _, name := range sources {
		if w := weightOf(name); w > 0 {
			g.weights = append(g.weights, weight{name, w})
			g.total += w
		}
	}
	g.content = newContent(rand.New(rand.NewPCG(seed, 3)))
	return g
}

// pick chooses a source by weight.
func (g *generator) pick() string {
	n := g.rng.IntN(g.total)
	for _, w := range g.weights {
		if n -= w.weight; n < 0 {
			return w.source
		}
	}
	return g.weights[0].source
}

// generateLocked makes n live events spread over the span of time before now.
// They never lie before an earlier live event, since tail would then miss them:
// whether an event is late is for LateShare to say.
func (t *Tenant) generateLocked(n int, now time.Time, span time.Duration) {
	g := t.live
	if n <= 0 || g.total == 0 {
		return
	}
	begin := now.Add(-span)
	if begin.Before(g.last) {
		begin = g.last
	}
	window := now.Sub(begin)
	if window > 2*maxSpread {
		window -= maxSpread
	}
	step := max(1, window/time.Duration(n))
	latest := now
	for made := 0; made < n; {
		at := begin.Add(time.Duration(made)*step + 1 + time.Duration(g.rng.Int64N(int64(step))))
		count, end := t.eventLocked(g.pick(), at, now, n-made)
		made += count
		if end.After(latest) {
			latest = end
		}
	}
	g.last = latest
}

// eventLocked makes one event, or up to room of them if others fall between the
// parts of a split one. It returns how many, and the latest timestamp.
func (t *Tenant) eventLocked(source string, at, now time.Time, room int) (count int, end time.Time) {
	g := t.live
	split := g.rng.Float64() < t.options.SplitShare
	parts := g.content.event(source, at, split)
	if split {
		parts = g.split(parts[0].payload)
	}
	arrived := now
	if g.rng.Float64() < t.options.LateShare {
		half := t.options.LateBy / 2
		arrived = now.Add(half + time.Duration(g.rng.Int64N(int64(half)+1)))
	}
	entries := make([]*entry, len(parts))
	for i, p := range parts {
		typ := "text/plain"
		if p.json {
			typ = "application/json"
		}
		end = at.Add(p.after)
		entries[i] = newEntry(source, typ, p.payload, end)
		entries[i].arrived = arrived.UnixNano()
	}
	t.addLocked(entries, now)
	count = 1
	if split && room > 1 && len(parts) > 1 && g.rng.IntN(2) == 0 {
		between := at.Add(1 + time.Duration(g.rng.Int64N(int64(parts[1].after))))
		more, moreEnd := t.eventLocked(source, between, now, room-1)
		count += more
		if moreEnd.After(end) {
			end = moreEnd
		}
	}
	return count, end
}

// split makes a JSON object as large as those that a tenant splits and cuts it into
// two to four texts of nearly the same length, as a limit on an entry's size does.
// The cuts lie between two characters but anywhere else: within names, numbers and
// escapes.
func (g *generator) split(object []byte) []part {
	text := string(g.content.enlarge(object))
	pieces := 2 + g.rng.IntN(3)
	limit := len(text)/pieces - g.rng.IntN(64)
	parts := make([]part, 0, pieces+1)
	var after time.Duration
	for len(text) > limit+64*pieces {
		cut := limit
		for !utf8.RuneStart(text[cut]) {
			cut++
		}
		parts = append(parts, part{after: after, payload: quoted(text[:cut])})
		after += time.Duration(2_000 + g.rng.IntN(60_000))
		text = text[cut:]
	}
	return append(parts, part{after: after, payload: quoted(text)})
}

// quoted returns s as a JSON string.
func quoted(s string) []byte {
	return appendQuoted(make([]byte, 0, len(s)+len(s)/4+2), s)
}
