package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"

	"aictail"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testDir = "/data/journal"

// testEvent makes an event that is recognised by its id.
func testEvent(id string) aictail.Event {
	raw := []byte(`{"payload":{"_id":"` + id + `","level":"INFO"},"source":"am-access","type":"application/json"}`)
	return aictail.Event{
		ID: []byte(id), Tenant: "prod", Source: "am-access", Type: "application/json",
		Time: time.Unix(1700000000, 123456789).UTC(), Raw: raw,
		Payload: aictail.Span{Start: 11, End: 11 + len(`{"_id":"`) + len(id) + len(`","level":"INFO"}`)},
	}
}

func testRecord(stream string, ids ...string) Record {
	rec := Record{Stream: stream}
	for _, id := range ids {
		rec.Events = append(rec.Events, testEvent(id))
		rec.Checkpoint = []byte("after " + id)
	}
	return rec
}

func mustOpen(t testing.TB, o Options) *Journal {
	t.Helper()
	if o.Dir == "" {
		o.Dir = testDir
	}
	if o.OnDamage == nil {
		o.OnDamage = func(d Damage) { t.Errorf("unexpected damage: %+v", d) }
	}
	j, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func mustAppend(t testing.TB, j *Journal, rec Record) (first, next aictail.Position) {
	t.Helper()
	first, next, err := j.Append(rec)
	if err != nil {
		t.Fatal(err)
	}
	return first, next
}

func mustStore(t testing.TB, j *Journal, rec Record) (first, next aictail.Position) {
	t.Helper()
	first, next = mustAppend(t, j, rec)
	if err := j.Sync(context.Background(), first); err != nil {
		t.Fatal(err)
	}
	return first, next
}

// errNoMore tells that a reader would have to wait.
var errNoMore = errors.New("no more events")

// ended is a context that has ended, so that Next returns what is there and never waits.
func ended() context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errNoMore)
	return ctx
}

// readAll returns the ids of all events from a position on, in order.
func readAll(t testing.TB, j *Journal, from aictail.Position) []string {
	t.Helper()
	r := j.NewReader(from)
	defer r.Close()
	ids, err := readMore(r, Limit{})
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// readMore reads until the end and checks what must hold of every event.
func readMore(r *Reader, limit Limit) (ids []string, err error) {
	var last aictail.Position
	for {
		events, next, err := r.Next(ended(), limit)
		if errors.Is(err, errNoMore) || errors.Is(err, io.EOF) {
			return ids, nil
		}
		if err != nil {
			return ids, err
		}
		for i := range events {
			e := &events[i]
			if e.Position <= last || e.Position >= next {
				return ids, fmt.Errorf("position %d after %d, next %d", e.Position, last, next)
			}
			last = e.Position
			want := testEvent(string(e.ID))
			if string(want.Raw) != string(e.Raw) || want.Payload != e.Payload || !want.Time.Equal(e.Time) || want.Source != e.Source {
				return ids, fmt.Errorf("event at %d differs from what was written", e.Position)
			}
			ids = append(ids, string(e.ID))
		}
	}
}

// ids returns n ids with a prefix.
func ids(prefix string, n int) []string {
	s := make([]string, n)
	for i := range s {
		s[i] = prefix + strconv.Itoa(i)
	}
	return s
}
