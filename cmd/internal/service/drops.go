package service

import (
	"aictail"
	"aictail/cmd/internal/config"
	"aictail/filter"
	"aictail/filter/query"
)

// withDrops adds the configured rules that drop events to a filter.
func withDrops(c filter.Config, f config.Filter) filter.Config {
	for _, r := range f.Drop {
		c.Drop = append(c.Drop, filter.DropRule{Name: r.Name, When: r.When})
	}
	for _, r := range f.Sample {
		c.Sample = append(c.Sample, filter.SampleRule{Name: r.Name, When: r.When, Keep: r.Keep})
	}
	c.Noise, c.Levels = f.Noise, f.Levels
	return c
}

// where returns what tells whether a sink gets an event; nil if it gets all. The
// event is as the journal has it, after redaction. One that cannot be read is
// delivered: only what is known not to be wanted is left out.
func where(text string) (func(*aictail.Event) bool, error) {
	if text == "" {
		return nil, nil
	}
	q, err := query.Compile(text)
	if err != nil {
		return nil, err
	}
	return func(e *aictail.Event) bool {
		matched, err := q.Match(e)
		return matched || err != nil
	}, nil
}
