package sweep

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// MarshalJSON writes the set as a list of [begin, end] pairs, oldest first, each
// time in RFC 3339, UTC, with as many digits of its nanoseconds as it needs. The
// form is permanent. It fails for years that RFC 3339 cannot write.
func (c Coverage) MarshalJSON() ([]byte, error) {
	b := make([]byte, 0, 2+len(c.list)*len(`["2006-01-02T15:04:05.999999999Z","2006-01-02T15:04:05.999999999Z"],`))
	b = append(b, '[')
	for i, iv := range c.list {
		if iv.Begin.Year() < 0 || iv.End.Year() > 9999 {
			return nil, fmt.Errorf("write the coverage: interval %d lies outside the years 0 to 9999", i)
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `["`...)
		b = iv.Begin.AppendFormat(b, time.RFC3339Nano)
		b = append(b, `","`...)
		b = iv.End.AppendFormat(b, time.RFC3339Nano)
		b = append(b, `"]`...)
	}
	return append(b, ']'), nil
}

// UnmarshalJSON reads what MarshalJSON wrote and refuses everything else: a map
// that was damaged must not pass for one that says less or more. After an error
// c is as it was.
func (c *Coverage) UnmarshalJSON(b []byte) error {
	var pairs [][]string
	if err := json.Unmarshal(b, &pairs); err != nil {
		return fmt.Errorf("read the coverage: %w", err)
	}
	if pairs == nil {
		return errors.New("read the coverage: want a list of [begin, end] pairs, not null")
	}
	list := make([]Interval, 0, len(pairs))
	for i, pair := range pairs {
		iv, err := readPair(pair)
		if err != nil {
			return fmt.Errorf("read the coverage: interval %d: %w", i, err)
		}
		if i > 0 && !iv.Begin.After(list[i-1].End) {
			return fmt.Errorf("read the coverage: interval %d does not begin after the one before it has ended", i)
		}
		list = append(list, iv)
	}
	c.list = list
	return nil
}

func readPair(pair []string) (Interval, error) {
	if len(pair) != 2 {
		return Interval{}, fmt.Errorf("want begin and end, not %d values", len(pair))
	}
	var times [2]time.Time
	for i, text := range pair {
		t, err := time.Parse(time.RFC3339Nano, text)
		if err != nil || t.UTC().Format(time.RFC3339Nano) != text {
			return Interval{}, fmt.Errorf("%s is not a time in RFC 3339, UTC, without trailing zeros", [...]string{"begin", "end"}[i])
		}
		times[i] = t.UTC()
	}
	iv := Interval{times[0], times[1]}
	if iv.Empty() {
		return Interval{}, errors.New("it does not end after its begin")
	}
	return iv, nil
}
