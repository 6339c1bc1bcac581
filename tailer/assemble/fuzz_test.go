package assemble

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"
	"unicode/utf8"

	"aictail/tailer/aic"
)

// FuzzUnescape compares with encoding/json.
func FuzzUnescape(f *testing.F) {
	for _, s := range []string{``, `a\n\t\"\\\/`, `\u0041\ud83d\ude00`, `\ud83d`, `\ud83d\u0041`, `\ude00\ud83d`, "é😀"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, inside []byte) {
		got := unescape(nil, inside)
		var want string
		quoted := append(append([]byte{'"'}, inside...), '"')
		if !utf8.Valid(inside) || json.Unmarshal(quoted, &want) != nil || !utf8.Valid(got) {
			return
		}
		if string(got) != want {
			t.Errorf("%q: got %q, want %q", inside, got, want)
		}
	})
}

// FuzzChecker: in pieces or at once, the checker is of encoding/json's opinion.
func FuzzChecker(f *testing.F) {
	for _, s := range []string{``, `{}`, ` {"a":[1,-0.5e+7,true,false,null,"\u00e9\n"],"b":{"a":{}}} `, `{"a":1,"a":2}`, `{"a":01}`, `{"a":[1,]}`, `{"a":tru}`, `{}{}`, `[1]`} {
		f.Add([]byte(s), uint(3))
	}
	f.Fuzz(func(t *testing.T, text []byte, cut uint) {
		if bytes.Count(text, []byte("[")) >= maxDepth || bytes.Count(text, []byte("{")) >= maxDepth || !utf8.Valid(text) {
			return
		}
		n := int(cut % uint(len(text)+1))
		var c checker
		got := c.feed(text[:n]) && c.feed(text[n:]) && c.complete()
		var whole checker
		if got != (whole.feed(text) && whole.complete()) {
			t.Fatalf("%q cut at %d", text, n)
		}
		if want := validObject(text); got != want && !(want == false && json.Valid(text)) {
			t.Errorf("%q: got %t, want %t", text, got, want)
		}
	})
}

// FuzzAdd: nothing is lost and nothing invalid is made of any texts.
func FuzzAdd(f *testing.F) {
	for _, s := range []string{
		"hello\x00world", "{\"a\":\"b\x00c\"}", header + "\x00" + level + "\x00more", "{\"a\":[\x00{\"b\":1}\x00]}", "x\"}\x00{\"a\":\"",
		"java.io.IOException: x\x00\tat a.b(C.java:1)", "{\"a\":\"\\\x00n\"}", level + "\x00" + header, "{\x00{\x00}\x00}",
	} {
		f.Add([]byte(s), uint64(0b1010), true)
		f.Add([]byte(s), uint64(0), false)
	}
	f.Fuzz(func(t *testing.T, data []byte, steps uint64, debug bool) {
		source := map[bool]string{true: "idm-core", false: "am-access"}[debug]
		var es []aic.Entry
		at := time.Duration(0)
		for i, text := range bytes.SplitN(data, []byte{0}, 40) {
			at += time.Duration(steps>>(i%64)&1) * time.Microsecond
			es = append(es, line(source, string(text), at))
		}
		events := run(New(Options{}), es, atOnce)
		again := run(New(Options{}), es, func() int { return 1 })
		parts := 0
		for i := range events {
			e := &events[i]
			parts += e.Parts
			if utf8.Valid(data) {
				checkEvent(t, e)
			}
			if e.Outcome == Joined && !validObject(e.Payload.Of(e.Raw)) {
				t.Errorf("joined to %q", e.Payload.Of(e.Raw))
			}
			if i < len(again) && !bytes.Equal(e.Raw, again[i].Raw) {
				t.Errorf("event %d differs: %q, %q", i, e.Raw, again[i].Raw)
			}
		}
		if parts != len(es) || len(events) != len(again) {
			t.Errorf("%d of %d entries came out; %d and %d events", parts, len(es), len(events), len(again))
		}
	})
}
