package filter

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"aictail"
	"aictail/filter/query"
)

// DropRule drops every event that matches a query.
type DropRule struct {
	// Name is the rule's label in the metrics; "" is its place in the list, such
	// as drop[0].
	Name string
	// When is the query (package filter/query).
	When string
}

// drops says which events go no further. It is immutable; each pass has a
// dropper of its own.
//
// What is dropped is lost to every sink, for good, though the tenant keeps it for
// its 30 days. It counts as received, its id as seen, its time as covered.
type drops struct {
	set     *query.Set
	rules   []int // the queries of the drop rules, by place
	noise   *noise
	levels  map[string]level // by source
	samples []sample
	fields  fields
	labels  []string // of the rules: drop rules, then noise and level, then samples
	dropped []prometheus.Counter
}

// fields are what rules other than queries look at.
type fields struct {
	logger, level                   query.Field
	transaction, nestedTransactions query.Field
}

// The labels of rules that there is one of.
const (
	noiseLabel = "noise"
	levelLabel = "level"
)

// newDrops compiles the rules; it returns nil if there are none.
func newDrops(config Config, reg prometheus.Registerer) (*drops, error) {
	if len(config.Drop)+len(config.Noise)+len(config.Levels)+len(config.Sample) == 0 {
		return nil, nil
	}
	d := &drops{set: query.NewSet()}
	d.fields = fields{
		logger: d.set.Field("payload", "logger"), level: d.set.Field("payload", "level"),
		transaction:        d.set.Field("payload", "transactionId"),
		nestedTransactions: d.set.Field("payload", "mdc", "transactionId"),
	}
	for i, rule := range config.Drop {
		here := fmt.Sprintf("drop[%d]", i)
		q, err := query.Compile(rule.When)
		if err != nil {
			return nil, fmt.Errorf("filter.%s: %w", here, err)
		}
		d.rules = append(d.rules, d.set.Add(q))
		d.label(rule.Name, here)
	}
	var err error
	if d.noise, err = newNoise(config.Noise); err != nil {
		return nil, fmt.Errorf("filter.noise: %w", err)
	}
	if d.levels, err = newLevels(config.Levels); err != nil {
		return nil, fmt.Errorf("filter.levels: %w", err)
	}
	d.labels = append(d.labels, noiseLabel, levelLabel)
	for i, rule := range config.Sample {
		here := fmt.Sprintf("sample[%d]", i)
		s, err := newSample(rule, d.set)
		if err != nil {
			return nil, fmt.Errorf("filter.%s: %w", here, err)
		}
		d.samples = append(d.samples, s)
		d.label(rule.Name, here)
	}
	return d, d.register(reg)
}

func (d *drops) label(name, place string) {
	if name == "" {
		name = place
	}
	d.labels = append(d.labels, name)
}

// register makes a counter for each rule, all of them visible from the start.
func (d *drops) register(reg prometheus.Registerer) error {
	dropped, err := register(reg, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "aictail_events_dropped_total",
		Help: "Events that a rule of the filter dropped: no sink gets them.",
	}, []string{"rule"}))
	if err != nil {
		return err
	}
	for _, label := range d.labels {
		d.dropped = append(d.dropped, dropped.WithLabelValues(label))
	}
	return nil
}

// dropper applies the rules for one goroutine.
type dropper struct {
	*drops
	matcher *query.Matcher
	counts  []int // by rule
}

func (d *drops) newDropper() *dropper {
	if d == nil {
		return nil
	}
	return &dropper{drops: d, matcher: d.set.NewMatcher(), counts: make([]int, len(d.labels))}
}

// drop tells whether a rule drops the event, and counts it. The first rule that
// does is the one that counts.
func (d *dropper) drop(e *aictail.Event) (bool, error) {
	d.matcher.Look(e)
	rule := d.rule(e)
	if err := d.matcher.Err(); err != nil {
		return false, err
	}
	if rule < 0 {
		return false, nil
	}
	d.counts[rule]++
	return true, nil
}

// rule returns the rule that drops the event, or -1.
func (d *dropper) rule(e *aictail.Event) int {
	for i, q := range d.rules {
		if d.matcher.Match(q) {
			return i
		}
	}
	next := len(d.rules)
	if d.noise != nil && d.isNoise(e) {
		return next
	}
	if least, ok := d.levels[e.Source]; ok {
		if l := d.levelOf(e); l != noLevel && l < least {
			return next + 1
		}
	}
	for i := range d.samples {
		if s := &d.samples[i]; d.matcher.Match(s.query) {
			// Of the rules that match the first decides.
			if !s.keeps(d.unit(e)) {
				return next + 2 + i
			}
			break
		}
	}
	return -1
}

// count moves the counts to the metrics.
func (d *dropper) count() {
	for i, n := range d.counts {
		if n > 0 {
			d.dropped[i].Add(float64(n))
			d.counts[i] = 0
		}
	}
}
