package tailer

import (
	"bytes"
	"fmt"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"aictail"
	"aictail/tailer/aic"
)

// entry makes an entry with the given payload, a JSON value.
func entry(source, payload string, at time.Time) aic.Entry {
	raw := []byte(`{"payload":` + payload + `}`)
	return aic.Entry{
		Raw: raw, Payload: aictail.Span{Start: 11, End: len(raw) - 1}, Source: source, Time: at, Type: "text/plain",
	}
}

func withID(e aic.Entry, id string) aic.Entry {
	e.ID = []byte(id)
	return e
}

func TestID(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678901234, time.UTC)
	const audit = "45463f84-ff1b-499f-aa84-8d4bd93150de-256203"
	tests := map[string]struct {
		entry aic.Entry
		want  string // "" for a hash
	}{
		"audit event":                        {withID(entry("am-access", `{}`, at), audit), audit},
		"audit event without the usual id":   {withID(entry("am-access", `{}`, at), audit[:36]), audit[:36]},
		"audit event with a name":            {withID(entry("am-access", `{}`, at), "bjensen"), ""},
		"audit event with a token":           {withID(entry("idm-activity", `{}`, at), "AQIC5wM2LY4SfczvdY8RbZ7XKaQUKkN4V2Gpx1OkXO9c"), ""},
		"audit event with a tax code":        {withID(entry("idm-activity", `{}`, at), "RSSMRA85T10A562S"), ""},
		"audit event with a person's id":     {withID(entry("idm-activity", `{}`, at), "bjensen@example.com"), ""},
		"audit event with a number":          {withID(entry("idm-activity", `{}`, at), "4111111111111111"), ""},
		"audit event of an unknown source":   {withID(entry("", `{}`, at), audit), audit},
		"debug log with an audit id":         {withID(entry("idm-core", `{}`, at), audit), audit},
		"debug log of a user object":         {withID(entry("idm-core", `{}`, at), "d7cd65bf-743c-4753-a78f-a20daae7e3bf"), ""},
		"debug log of an object with a name": {withID(entry("am-core", `{}`, at), "bjensen"), ""},
		"plaintext":                          {entry("idm-core", `"FINE: x"`, at), ""},
		"no payload":                         {aic.Entry{Raw: []byte(`42`), Time: at}, ""},
		"no timestamp":                       {entry("idm-core", `"FINE: x"`, time.Time{}), ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := newIdentifier()
			got := string(d.id(&tt.entry))
			if tt.want != "" && got != tt.want {
				t.Errorf("id %q, want %q", got, tt.want)
			}
			if tt.want == "" && (len(got) != idLen || bytes.Contains([]byte(got), tt.entry.ID) && len(tt.entry.ID) > 0) {
				t.Errorf("id %q, want %d hexadecimal digits", got, idLen)
			}
			if again := string(newIdentifier().id(&tt.entry)); again != got {
				t.Errorf("id %q at first and %q the second time", got, again)
			}
		})
	}
}

// TestIDIsStable pins the hash: sinks remember ids for years.
func TestIDIsStable(t *testing.T) {
	e := entry("idm-core", `"FINE: Read name=user id=anonymous"`, time.Date(2022, 12, 5, 20, 1, 34, 448367941, time.UTC))
	d := newIdentifier()
	first, second := string(d.id(&e)), string(d.id(&e))
	if want := "882a4c4cc5f8c486924b769f77b315a4"; first != want {
		t.Errorf("id %s, want %s", first, want)
	}
	if want := "d60bb69d24f91463018f51c917709b1a"; second != want {
		t.Errorf("id of its twin %s, want %s", second, want)
	}
}

func TestIDTellsApart(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	entries := []aic.Entry{
		entry("idm-core", `"a"`, at),
		entry("idm-core", `"a"`, at), // the ordinal
		entry("idm-core", `"a"`, at),
		entry("idm-core", `"b"`, at),
		entry("am-core", `"a"`, at),
		entry("", `"a"`, at),
		entry("idm-core", `"a"`, at.Add(1)),
		entry("idm-core", `{"a":1}`, at.Add(1)),
		entry("idm-core", `"a"`, time.Time{}),
	}
	d := newIdentifier()
	seen := map[string]int{}
	for i := range entries {
		id := string(d.id(&entries[i]))
		if before, ok := seen[id]; ok {
			t.Errorf("entries %d and %d have the same id", before, i)
		}
		seen[id] = i
	}
}

// TestSeenSet holds the set against what it promises: an id is remembered for
// seenFor and for minSeen further ids, whatever comes in between.
func TestSeenSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newSeenSet()
		now := time.Unix(0, 0)
		added := 0
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 90).Draw(t, "seconds")) * time.Second)
			s.turn(now)
			for range rapid.IntRange(0, 3000).Draw(t, "ids") {
				s.add(s.key(fmt.Appendf(nil, "id %d", added)))
				added++
			}
		}
		for i := max(0, added-minSeen); i < added; i++ {
			if s.add(s.key(fmt.Appendf(nil, "id %d", i))) {
				t.Fatalf("id %d of %d is forgotten", i, added)
			}
		}
	})
}

func TestSeenSetIsBounded(t *testing.T) {
	s := newSeenSet()
	now := time.Unix(0, 0)
	for i := range 40 * minSeen {
		if i%1000 == 0 {
			now = now.Add(seenFor / 8)
			s.turn(now)
		}
		s.add(s.key(fmt.Appendf(nil, "id %d", i)))
	}
	if n := len(s.young) + len(s.old); n > 3*minSeen {
		t.Errorf("%d ids are kept of a steady stream, want at most %d", n, 3*minSeen)
	}
}

func TestIDSet(t *testing.T) {
	s := newIDSet()
	k := idKey{7, s.key([]byte("x"))}
	if !s.add(k) || s.add(k) || s.size != 1 {
		t.Error("an id is new once")
	}
	if s.low() != math.MaxUint64 {
		t.Error("a position is known before any was told")
	}
	s.placed([]idKey{k}, 42)
	s.placed([]idKey{k}, 50)
	if got := s.low(); got != 42 {
		t.Errorf("low %d, want 42", got)
	}
	s.remove(k)
	if !s.add(k) || s.size != 1 {
		t.Error("a removed id is new again")
	}
	other := idKey{8, k.key}
	if !s.add(other) {
		t.Error("an id of another minute is another")
	}
	if m, ok := s.oldest(); !ok || m != 7 {
		t.Errorf("oldest minute %d, want 7", m)
	}
	s.drop(7)
	if m, _ := s.oldest(); m != 8 || s.size != 1 {
		t.Errorf("after a drop: oldest minute %d of %d ids", m, s.size)
	}
}

func TestCheckpoint(t *testing.T) {
	c := checkpoint{Cookie: "abc", Last: time.Unix(1, 5).UTC(), Overlap: []string{"a", "b"}, Polled: time.Unix(2, 0).UTC()}
	b, err := c.encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeCheckpoint(b)
	if err != nil || got.Cookie != c.Cookie || !got.Last.Equal(c.Last) || len(got.Overlap) != 2 || !got.Polled.Equal(c.Polled) {
		t.Errorf("read back %+v (%v), want %+v", got, err, c)
	}
	for _, bad := range []string{"", "{", `{"v":2}`, `[]`, `{"v":1,"last":"yesterday"}`} {
		if _, err := decodeCheckpoint([]byte(bad)); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func FuzzDecodeCheckpoint(f *testing.F) {
	f.Add([]byte(`{"v":1,"cookie":"x","last":"2026-01-02T03:04:05Z","overlap":["a"]}`))
	f.Add([]byte(`{"v":1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := decodeCheckpoint(b)
		if err != nil {
			return
		}
		if _, err := c.encode(); err != nil {
			t.Errorf("what was read cannot be written: %v", err)
		}
	})
}
