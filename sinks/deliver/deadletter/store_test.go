package deadletter

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"aictail"
	"aictail/sinks"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newStore returns an open store in a folder of its own.
func newStore(t *testing.T, maxSize int64) *Store {
	t.Helper()
	s := New(Options{Dir: filepath.Join(t.TempDir(), "dead-letters"), Sink: "siem", MaxSize: maxSize})
	if err := s.Open(); err != nil {
		t.Fatal(err)
	}
	return s
}

func mustAdd(t *testing.T, s *Store, numbers ...int) {
	t.Helper()
	var letters []Letter
	for _, n := range numbers {
		letters = append(letters, testLetter(n))
	}
	if done, err := s.Add(letters); done != len(letters) || err != nil {
		t.Fatalf("Add: %d, %v", done, err)
	}
}

// ids lists what is in the file.
func ids(t *testing.T, s *Store) (list []string) {
	t.Helper()
	err := ReadFile(s.File(), func(l Line) error {
		if l.Flaw != "" {
			list = append(list, "unreadable: "+l.Flaw)
		} else {
			list = append(list, string(l.Letter.Event.ID))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func wantIDs(t *testing.T, s *Store, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, ids(t, s)); diff != "" {
		t.Errorf("letters (-want +got):\n%s", diff)
	}
	if s.Count() != len(want) {
		t.Errorf("the store counts %d letters, want %d", s.Count(), len(want))
	}
}

func TestLettersSurviveAsTheyWere(t *testing.T) {
	raws := map[string]string{
		"plain":         `{"payload":{"a":1},"source":"x"}`,
		"odd spaces":    `{ "payload" :  [ 1 ,2 ] }`,
		"html":          `{"payload":"<script>&amp;</script>\u2028\ud83d"}`,
		"numbers":       `{"big":12345678901234567890.10,"e":1E+2}`,
		"twice":         `{"z":1,"z":2,"entry":{"entry":1}}`,
		"raw bytes":     "{\"payload\":\"\xff\xfe\"}",
		"not JSON":      `{"payload":`,
		"a line end":    "{\"payload\":\n1}",
		"spaces around": ` {"payload":1} `,
	}
	for name, raw := range raws {
		t.Run(name, func(t *testing.T) {
			want := testLetter(1)
			want.Event.Raw = []byte(raw)
			want.Event.Payload = aictail.Span{Start: 2, End: len(raw) - 1}
			want.Error = "line one\nline <two> \"quoted\""
			s := newStore(t, 1<<20)
			if _, err := s.Add([]Letter{want}); err != nil {
				t.Fatal(err)
			}
			again := New(s.opts)
			if err := again.Open(); err != nil {
				t.Fatal(err)
			}
			var got []Letter
			if err := again.Each(func(l Letter) error { got = append(got, l); return nil }); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]Letter{want}, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestFormat holds the line's form, which is permanent.
func TestFormat(t *testing.T) {
	b, err := appendLine(nil, new(testLetter(2)))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"time":"2026-01-02T03:04:02Z","sink":"siem","reason":"rejected","error":"no such field","attempts":1,` +
		`"position":2,"id":"id-2","tenant":"prod","source":"am-core","type":"application/json","event_time":"2026-01-02T00:00:02.000000005Z",` +
		`"payload_span":[11,32],"entry":{"payload":{"n":2,"filler":"xx"},"source":"am-core"}}` + "\n"
	if diff := cmp.Diff(want, string(b)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestAddIsOnce(t *testing.T) {
	s := newStore(t, 1<<20)
	mustAdd(t, s, 1, 2, 2)
	mustAdd(t, s, 2, 3)
	wantIDs(t, s, "id-1", "id-2", "id-3")
	again := New(s.opts)
	if err := again.Open(); err != nil {
		t.Fatal(err)
	}
	mustAdd(t, again, 1, 2, 3, 4)
	wantIDs(t, again, "id-1", "id-2", "id-3", "id-4")
	// A journal that was lost begins anew: another event has the position.
	other := testLetter(1)
	other.Event.ID = []byte("other")
	if _, err := again.Add([]Letter{other}); err != nil {
		t.Fatal(err)
	}
	wantIDs(t, again, "id-1", "id-2", "id-3", "id-4", "other")
	for path, mode := range map[string]os.FileMode{s.File(): 0o640, filepath.Dir(s.File()): 0o750} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm()&^mode != 0 {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	if info, err := os.Stat(s.File()); err != nil || info.Size() != again.Bytes() {
		t.Errorf("the store counts %d bytes of %d, %v", again.Bytes(), info.Size(), err)
	}
}

// TestNothingIsCreatedWithoutLetters: most sinks never have one.
func TestNothingIsCreatedWithoutLetters(t *testing.T) {
	s := newStore(t, 1<<20)
	mustAdd(t, s)
	if err := s.Rewrite(map[Key]*Letter{{1, "id-1"}: nil}); err != nil {
		t.Error(err)
	}
	wantIDs(t, s)
	if _, err := os.Stat(filepath.Dir(s.File())); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder was created: %v", err)
	}
}

func TestFull(t *testing.T) {
	s := newStore(t, 700) // two letters
	letters := []Letter{testLetter(1), testLetter(2), testLetter(3)}
	done, err := s.Add(letters)
	if done != 2 || sinks.KindOf(err) != sinks.Refused {
		t.Fatalf("Add: %d, %v; want two letters and a refusal", done, err)
	}
	for _, says := range []string{s.File(), "sinks.siem.dead_letters.max_size", "aictail deadletter replay"} {
		if !strings.Contains(err.Error(), says) {
			t.Errorf("the error does not say %q: %v", says, err)
		}
	}
	wantIDs(t, s, "id-1", "id-2")
	// One that is listed already does not need room.
	if done, err := s.Add([]Letter{testLetter(2)}); done != 1 || err != nil {
		t.Errorf("Add of what is there: %d, %v", done, err)
	}
	if err := s.Rewrite(map[Key]*Letter{letters[0].Key(): nil}); err != nil {
		t.Fatal(err)
	}
	mustAdd(t, s, 3)
	wantIDs(t, s, "id-2", "id-3")
	// Somebody moves the file away to make room.
	if err := os.Rename(s.File(), s.File()+".old"); err != nil {
		t.Fatal(err)
	}
	mustAdd(t, s, 4)
	wantIDs(t, s, "id-4")
}

func TestOneLetterIsTakenHoweverLarge(t *testing.T) {
	s := newStore(t, 10)
	if done, err := s.Add([]Letter{testLetter(1), testLetter(2)}); done != 1 || err == nil {
		t.Fatalf("Add: %d, %v", done, err)
	}
	wantIDs(t, s, "id-1")
}

// TestUnreadableLines stay, as does what another version may have added.
func TestUnreadableLines(t *testing.T) {
	s := newStore(t, 1<<20)
	mustAdd(t, s, 1, 2)
	b, err := os.ReadFile(s.File())
	if err != nil {
		t.Fatal(err)
	}
	first, rest, _ := strings.Cut(string(b), "\n")
	first = strings.Replace(first, `{"time"`, `{"later":{"a":[1]},"time"`, 1)
	text := first + "\nwhat somebody wrote\n" + rest + `{"torn`
	if err := os.WriteFile(s.File(), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s = New(s.opts)
	if err := s.Open(); err != nil {
		t.Fatal(err)
	}
	const unreadable = "unreadable: it is not a JSON object of a dead letter"
	wantIDs(t, s, "id-1", unreadable, "id-2")
	if s.Unreadable() != 1 {
		t.Errorf("%d unreadable lines, want 1", s.Unreadable())
	}
	l := testLetter(2)
	if err := s.Rewrite(map[Key]*Letter{l.Key(): nil}); err != nil {
		t.Fatal(err)
	}
	wantIDs(t, s, "id-1", unreadable)
	if b, err := os.ReadFile(s.File()); err != nil || string(b) != first+"\nwhat somebody wrote\n" {
		t.Errorf("the file holds %q, %v", b, err)
	}
}

// TestRewriteDuringEach: what is read are the letters as they were.
func TestRewriteDuringEach(t *testing.T) {
	s := newStore(t, 1<<20)
	mustAdd(t, s, 1, 2, 3)
	var seen []string
	err := s.Each(func(l Letter) error {
		seen = append(seen, string(l.Event.ID))
		l.Attempts++
		return s.Rewrite(map[Key]*Letter{l.Key(): &l})
	})
	if diff := cmp.Diff([]string{"id-1", "id-2", "id-3"}, seen); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	wantIDs(t, s, "id-1", "id-2", "id-3")
	err = s.Each(func(l Letter) error {
		if l.Attempts != 2 {
			t.Errorf("%s has %d attempts, want 2", l.Event.ID, l.Attempts)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "dead-letters"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := New(Options{Dir: filepath.Join(dir, "dead-letters"), Sink: "siem", MaxSize: 1 << 20})
	_, err := s.Add([]Letter{testLetter(1)})
	if err == nil || !strings.Contains(err.Error(), s.File()) || sinks.KindOf(err) != sinks.Retry {
		t.Errorf("Add: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	for n := range 3 {
		b, err := appendLine(nil, new(testLetter(n+1)))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{"position":1,"id":"a","entry":null}`))
	f.Add([]byte(`{"position":1,"id":"a","entry_base64":"e30=","payload_span":[0,3]}`))
	f.Add([]byte(`{"position":1,"id":"\ud800","entry":{},"payload_span":[1,-1]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := Parse(text)
		if err != nil {
			if strings.Contains(err.Error(), string(text)) && len(text) > 8 {
				t.Errorf("the error shows the line: %v", err)
			}
			return
		}
		_ = l.Event.PayloadBytes()
		b, err := appendLine(nil, &l)
		if err != nil {
			return // a time beyond the years that JSON knows
		}
		if !json.Valid(b) || strings.Count(string(b), "\n") != 1 {
			t.Fatalf("not one line of JSON: %q", b)
		}
		again, err := Parse(b)
		if diff := cmp.Diff(l, again); diff != "" || err != nil {
			t.Fatalf("%v (-first +second)\n%s", err, diff)
		}
	})
}
