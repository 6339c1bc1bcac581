package query

import (
	"errors"
	"sync"

	"aictail"
)

// ErrUnreadable means that an event is not the JSON that a query needs to look
// at. Nothing is known of what it would match.
var ErrUnreadable = errors.New("the event is not valid JSON")

// Query is a compiled query. It is immutable and may be used concurrently.
type Query struct {
	x    *expr
	set  *Set
	pool sync.Pool // of *Matcher
}

// Compile reads a query. The error is an *Error.
func Compile(text string) (*Query, error) {
	x, err := parse(text)
	if err != nil {
		return nil, err
	}
	q := &Query{x: x, set: NewSet()}
	q.set.Add(q)
	q.pool.New = func() any { return q.set.NewMatcher() }
	return q, nil
}

// Match tells whether the query holds for an event. The error is ErrUnreadable.
// Whoever asks several queries of one event asks a Set.
func (q *Query) Match(e *aictail.Event) (bool, error) {
	m := q.pool.Get().(*Matcher)
	defer q.pool.Put(m)
	m.Look(e)
	matched := m.Match(0)
	m.e = nil // the event is not ours to hold
	return matched, m.Err()
}

// String returns the query in its canonical form: queries with the same form
// match the same events. Compile gives the same query back.
func (q *Query) String() string { return string(q.x.append(nil)) }

// Constant returns what the query is for every event, if that can be told from
// its form.
func (q *Query) Constant() (value, known bool) { return q.x.constant() }

// Indexed returns a pointer of the query that selects an element of an array by
// its number, or "". The tenant does not do that: the vendor's documentation
// ("Filter array items in log results") says to leave the number out.
func (q *Query) Indexed() string { return string(appendPointer(nil, q.x.indexed())) }
