package assemble

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aictail/tailer/aic"
)

const (
	header = "Dec 05, 2022 8:01:34 PM org.forgerock.openidm.X read"
	level  = "FINE: Read name=user"
)

// TestEvents shows what becomes of sequences of texts, a microsecond apart.
func TestEvents(t *testing.T) {
	tests := []struct {
		name   string
		source string
		texts  []string
		want   []string
	}{
		{"ordinary lines", "am-core", []string{"10.0.0.1 - - \"GET /am\" 200 1\n", "hello", ""},
			[]string{"single 10.0.0.1 - - \"GET /am\" 200 1\n", "single hello", "single "}},
		{"whole object", "am-core", []string{`{"a":1}`, "{\"b\":2}\n"}, []string{`single {"a":1}`, "single {\"b\":2}\n"}},
		{"two parts", "am-core", []string{`{"a":"b`, `c"}`}, []string{`joined {"a":"bc"}`}},
		{"a line that cannot be within", "am-core", []string{`{"a":"b`, "10.0.0.1 - - \"GET /am\" 200 1\n", `c"}`},
			[]string{"single 10.0.0.1 - - \"GET /am\" 200 1\n", `joined {"a":"bc"}`}},
		{"a line that might be within", "am-core", []string{`{"a":"b`, "hello", `c"}`},
			[]string{"single hello", `loose {"a":"b`, `loose c"}`}},
		{"any text in an audit log", "am-access", []string{`{"a":"b`, "hello", `c"}`}, []string{`joined {"a":"bhelloc"}`}},
		{"escapes show a middle part", "am-core", []string{`{"a":"b`, `x\n\tat y`, `c"}`}, []string{`joined {"a":"bx\n\tat yc"}`}},
		{"a middle part like an exception", "am-core", []string{`{"a":"`, `java.io.IOException: x\n\tat a.b(C.java)`, `"}`}, []string{`joined {"a":"java.io.IOException: x\n\tat a.b(C.java)"}`}},
		{"a middle part like a level line", "am-core", []string{`{"a":"`, `INFO: x`, `"}`}, []string{`single INFO: x`, `loose {"a":"`, `loose "}`}},
		{"structure shows a middle part", "am-core", []string{`{"a":"b`, `x","b":"y`, `c"}`}, []string{`joined {"a":"bx","b":"yc"}`}},
		{"crossed, told by a key", "am-core", []string{`{"a":"1`, `{"a":"2","b":"3`, `","b":"4"}`, `"}`},
			[]string{`joined {"a":"1","b":"4"}`, `joined {"a":"2","b":"3"}`}},
		{"crossed, ambiguous", "am-core", []string{`{"a":"1`, `{"a":"2`, `","b":"3"}`, `","b":"4"}`},
			[]string{`loose {"a":"1`, `loose {"a":"2`, `loose ","b":"3"}`, `loose ","b":"4"}`}},
		{"one of two crossed is incomplete", "am-core", []string{`{"a":"1`, `{"a":"2`, `","b":"3"}`},
			[]string{`loose {"a":"1`, `loose {"a":"2`, `loose ","b":"3"}`}},
		{"within a UTF-8 character", "am-core", []string{"{\"a\":\"\xc3", "\xa9\"}"}, []string{`joined {"a":"é"}`}},
		{"bytes lost", "am-core", []string{"{\"a\":\"\xc3", "\"}"}, []string{"loose {\"a\":\"\xc3", "loose \"}"}},
		{"no head", "am-core", []string{`x","b":1}`, "hello"}, []string{"single hello", `loose x","b":1}`}},
		{"the other part of neither", "am-core", []string{`{"a":"1`, `{"a":"2`, `","b":"3"}`, `{"c":"`, `4","a":1}`},
			[]string{`joined {"c":"4","a":1}`, `loose {"a":"1`, `loose {"a":"2`, `loose ","b":"3"}`}},
		{"a head for a value", "am-access", []string{`{"a":`, `{"b":"x`, `y"}}`}, []string{`joined {"a":{"b":"xy"}}`}},
		{"no end", "am-core", []string{`{"a":1,`}, []string{`loose {"a":1,`}},
		{"braces that are no JSON", "am-core", []string{"{foo=bar}", "map{a=1}", `{"a"=1}`}, []string{"single {foo=bar}", "single map{a=1}", `single {"a"=1}`}},

		{"record", "idm-core", []string{header, level}, []string{"record " + header + "\n" + level}},
		{"records", "idm-core", []string{header, level, header, "INFO: x", "  more", "yet more"},
			[]string{"record " + header + "\n" + level, "record " + header + "\nINFO: x\n  more\nyet more"}},
		{"level line first, later", "idm-core", []string{level, header}, []string{"single " + level, "loose " + header}},
		{"shuffled", "idm-core", []string{header + "1", header + "2", "INFO: 1", "INFO: 2"},
			[]string{"record " + header + "1\nINFO: 1", "record " + header + "2\nINFO: 2"}},
		{"trace in a record", "idm-core", []string{header, "SEVERE: no", "java.io.IOException: x", "\tat a.b.C.d(C.java:1)", "Caused by: a.b.CException: y", "\t... 12 more", header},
			[]string{"record " + header + "\nSEVERE: no\njava.io.IOException: x\n\tat a.b.C.d(C.java:1)\nCaused by: a.b.CException: y\n\t... 12 more", "loose " + header}},
		{"trace alone", "am-core", []string{"java.io.IOException: x\n", "\tat a.b.C.d(C.java:1)\n", "hello"},
			[]string{"record java.io.IOException: x\n\tat a.b.C.d(C.java:1)\n", "single hello"}},
		{"exception alone", "am-core", []string{"java.io.IOException: x", "hello"}, []string{"single java.io.IOException: x", "single hello"}},
		{"frames alone", "am-core", []string{"\tat a.b.C.d(C.java:1)"}, []string{"single \tat a.b.C.d(C.java:1)"}},
		{"message with braces", "idm-core", []string{header, "INFO: x = [", "  1", "]", header, level},
			[]string{"record " + header + "\nINFO: x = [\n  1\n]", "record " + header + "\n" + level}},
		{"split JSON among records", "idm-core", []string{header, `{"a":"b`, level, header, `c"}`, "INFO: x"},
			[]string{"record " + header + "\n" + level, `joined {"a":"bc"}`, "record " + header + "\nINFO: x"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			es := lines(test.source, test.texts...)
			for _, size := range []int{1, 2, 100} {
				a := New(Options{})
				events := run(a, es, func() int { return size })
				if diff := cmp.Diff(test.want, show(events)); diff != "" {
					t.Errorf("in calls of %d: %s", size, diff)
				}
				for i := range events {
					checkEvent(t, &events[i])
				}
				if a.Open() != 0 || a.bytes != 0 || !a.Oldest().IsZero() {
					t.Errorf("%d entries of %d bytes are open at the end", a.Open(), a.bytes)
				}
			}
		})
	}
}

func TestRaw(t *testing.T) {
	at := time.Microsecond
	events := run(New(Options{}), []aic.Entry{
		line("", " {\"_id\" :\n", at), line("", "\t\"x-7\"}\n", 2*at), line("idm-core", header, 3*at),
	}, atOnce)
	want := []string{
		`{"payload":{"_id" :  "x-7"},"timestamp":"2026-03-01T12:00:00.000001Z","type":"application/json"}`,
		`{"payload":"` + header + `","timestamp":"2026-03-01T12:00:00.000003Z","type":"text/plain","source":"idm-core","aictail":"fragment"}`,
	}
	for i, e := range events {
		if string(e.Raw) != want[i] {
			t.Errorf("got  %s\nwant %s", e.Raw, want[i])
		}
	}
	if string(events[0].ID) != "x-7" || events[0].Parts != 2 || !events[0].Time.Equal(epoch.Add(at)) {
		t.Errorf("%+v", events[0])
	}
}

// TestSurrogates: Java cuts strings between the halves of a character.
func TestSurrogates(t *testing.T) {
	es := []aic.Entry{entry("am-core", `"{\"a\":\"\ud83d"`, 0), entry("am-core", `"\ude00\"}"`, 1)}
	events := run(New(Options{}), es, atOnce)
	if diff := cmp.Diff([]string{`joined {"a":"😀"}`}, show(events)); diff != "" {
		t.Error(diff)
	}
}

// TestEvidence: a later entry of the same source ends what is open, and nothing
// else does.
func TestEvidence(t *testing.T) {
	other := entry("am-core", `{"x":1}`, MaxSpread+time.Hour)
	tests := []struct {
		name  string
		texts []string
		next  aic.Entry
		want  []string
	}{
		{"record, soon", []string{header, level}, entry("idm-core", `{"x":1}`, MaxLineGap), []string{`single {"x":1}`}},
		{"record, after the gap", []string{header, level}, entry("idm-core", `{"x":1}`, MaxLineGap+2*time.Microsecond),
			[]string{"record " + header + "\n" + level, `single {"x":1}`}},
		{"record, another source", []string{header, level}, other, []string{`single {"x":1}`}},
		{"header", []string{header}, entry("idm-core", `{"x":1}`, MaxLineGap+1), []string{"loose " + header, `single {"x":1}`}},
		{"joined", []string{`{"a":`, `1}`}, entry("idm-core", `{"x":1}`, 2*time.Microsecond), []string{`joined {"a":1}`, `single {"x":1}`}},
		{"joined, same time", []string{`{"a":`, `1}`}, entry("idm-core", `{"x":1}`, time.Microsecond), []string{`single {"x":1}`}},
		{"part", []string{`{"a":`}, entry("idm-core", `{"x":1}`, MaxSpread+1), []string{`loose {"a":`, `single {"x":1}`}},
		{"part, soon", []string{`{"a":`}, entry("idm-core", `{"x":1}`, MaxSpread), []string{`single {"x":1}`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			events := New(Options{}).Add(nil, append(lines("idm-core", test.texts...), test.next), epoch)
			if diff := cmp.Diff(test.want, show(events)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestSwappedLevelLine: with the same timestamp, either order is a record.
func TestSwappedLevelLine(t *testing.T) {
	es := []aic.Entry{
		line("idm-core", level, 5), line("idm-core", header, 5), line("idm-core", "more", 6),
		line("idm-core", "INFO: 2", 7), line("idm-core", header, 7),
	}
	want := []string{"record " + header + "\n" + level + "\nmore", "record " + header + "\nINFO: 2"}
	if diff := cmp.Diff(want, show(run(New(Options{}), es, atOnce))); diff != "" {
		t.Error(diff)
	}
}

func TestExpire(t *testing.T) {
	a := New(Options{Patience: 5 * time.Second})
	var es []aic.Entry
	es = append(es, lines("idm-core", header, level, "more")...)
	es = append(es, line("am-core", `{"a":`, time.Second), line("am-access", `{"b":`, 2*time.Second), line("am-access", `1}`, 3*time.Second))
	if events := a.Add(nil, es, epoch); len(events) != 0 || a.Open() != 6 || !a.Oldest().Equal(epoch) {
		t.Fatalf("%q, %d open since %s", show(events), a.Open(), a.Oldest())
	}
	if events := a.Expire(nil, epoch.Add(settleTime-1)); len(events) != 0 {
		t.Errorf("too early: %q", show(events))
	}
	if diff := cmp.Diff([]string{`joined {"b":1}`}, show(a.Expire(nil, epoch.Add(settleTime)))); diff != "" {
		t.Error(diff)
	}
	if events := a.Expire(nil, epoch.Add(5*time.Second-1)); len(events) != 0 || a.Open() != 4 {
		t.Errorf("too early: %q", show(events))
	}
	want := []string{"loose " + header, "loose " + level, "loose more", `loose {"a":`}
	if diff := cmp.Diff(want, show(a.Expire(nil, epoch.Add(5*time.Second)))); diff != "" {
		t.Error(diff)
	}
	if a.Open() != 0 {
		t.Error("something is still open")
	}
}

// TestBounds: memory stays bounded, and what is pushed out is not lost.
func TestBounds(t *testing.T) {
	head := `{"a":"` + strings.Repeat("x", 1000)
	for _, o := range []Options{{MaxBytes: 10_000}, {MaxOpen: 5}, {MaxBytes: 1}, {}} {
		for _, texts := range [][]string{{head}, {header}, {level}, {"java.io.IOException: x", "\tat a.b(C.java)"}, {`{"a":"`, `","b":"`, `\n`}, {`x"}`}} {
			a := New(o)
			total, parts := 0, 0
			for i := range 1000 {
				es := []aic.Entry{line([]string{"a-core", "am-access"}[i%2], texts[i/2%len(texts)], time.Duration(i)*time.Microsecond)}
				total++
				for _, e := range a.Add(nil, es, epoch) {
					parts += e.Parts
				}
				if a.open > a.options.MaxOpen || a.bytes > a.options.MaxBytes {
					t.Fatalf("%+v: %d entries of %d bytes are open", o, a.open, a.bytes)
				}
			}
			for _, e := range a.Flush(nil) {
				parts += e.Parts
			}
			if parts != total || a.open != 0 || a.bytes != 0 {
				t.Errorf("%+v %.20q: %d of %d entries came out", o, texts, parts, total)
			}
		}
	}
}

// TestManyParts: an event of many parts does not cost a way for each subset.
func TestManyParts(t *testing.T) {
	var texts []string
	for i := range 60 {
		texts = append(texts, strings.Repeat("x", i)+`","k`+strings.Repeat("y", i)+`":"`)
	}
	texts[0] = `{"a":"`
	texts = append(texts, `"}`)
	for _, source := range []string{"am-core", "am-access"} {
		events := run(New(Options{}), lines(source, texts...), atOnce)
		if diff := cmp.Diff([]string{"joined " + strings.Join(texts, "")}, show(events)); diff != "" {
			t.Errorf("%s: %s", source, diff)
		}
	}
}

func TestForms(t *testing.T) {
	for text, want := range map[string]form{
		header: headerLine, "Jan 1, 2022 8:01:34 PM x": plainLine, "Foo 05, 2022 8:01:34 PM x": plainLine,
		"Dec 05, 2022 12:01:34 AM com.x": headerLine, "Dec 05, 2022 8:01:34\u202fPM com.x": headerLine,
		"Dec 05, 2022 8:01:34 PM": plainLine, level: levelLine, "SEVERE:": levelLine, "FINEST: x": levelLine,
		"INFORMATION: x": plainLine, "INFO:x": plainLine, "FINE": plainLine,
		"\tat a.b.C.d(C.java:1)": traceLine, "\tat noon": plainLine, "\t... 12 more": traceLine, "... 3 common frames omitted": traceLine,
		"\t... more": plainLine, "Caused by: x": traceLine, "\tSuppressed: x": traceLine,
		"java.lang.NullPointerException": exceptionLine, "java.lang.OutOfMemoryError: heap\n": exceptionLine,
		"a.b.C: x": plainLine, "TimeoutException: x": plainLine, "http://a.b.Exception": plainLine, "java..XException": plainLine,
		`Exception in thread "main" x`: exceptionLine, "": plainLine, "\n": plainLine,
	} {
		if got := formOf([]byte(text)); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}

func TestLook(t *testing.T) {
	for text, want := range map[string]look{
		"hello": bare, `say "hi"`: bare, `a\d`: bare, `x\ny`: escaped, `C:\Users`: bare, `}`: closing, `1]}`: closing, `ue}`: closing,
		`x","b":1}`: structured, `"b":"c`: structured, `"},{"a":[`: structured, `foo {}`: bare, `{}`: bare, `x: {"a":1}`: bare,
		"": bare, `"`: bare, `"}`: structured, `,`: bare, `n","x":tr`: structured,
	} {
		if got := lookAt([]byte(text)); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}
