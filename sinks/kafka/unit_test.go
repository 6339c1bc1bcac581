package kafka

import (
	"errors"
	"strings"
	"testing"

	kafkago "github.com/segmentio/kafka-go"
	"pgregory.net/rapid"

	"aictail"
	"aictail/sinks"
)

func TestPointer(t *testing.T) {
	const raw = ` {"payload": {"transactionId":"tx-1","n":-1.5e3,"yes":true,"no":false,"nothing":null,"empty":"",
		"object":{"a":[{"b":"deep"},"second"]},"list":[1,"two",{"three":3}],"a/b":"slash","m~n":"tilde","":"no name",
		"esc\u0061ped":"\u00e9\"\n", "quo\"te":"q","back\\":"b","dup":"first","dup":"second"} ,"source":"am-access" } `
	for pointer, want := range map[string]string{
		"/payload/transactionId": "tx-1", "/payload/n": "-1.5e3", "/payload/yes": "true", "/payload/no": "false",
		"/payload/object/a/0/b": "deep", "/payload/object/a/1": "second", "/payload/list/0": "1", "/payload/list/2/three": "3",
		"/payload/a~1b": "slash", "/payload/m~0n": "tilde", "/payload/": "no name", "/payload/escaped": "é\"\n",
		`/payload/quo"te`: "q", `/payload/back\`: "b", "/payload/dup": "first", "/source": "am-access", "/payload/empty": "",
	} {
		p, err := parsePointer(pointer)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.find([]byte(raw)); got == nil || string(got) != want {
			t.Errorf("%s: %q, want %q", pointer, got, want)
		}
	}
	for _, pointer := range []string{
		"", "/none", "/payload", "/payload/nothing", "/payload/object", "/payload/list", "/payload/list/3", "/payload/list/-1",
		"/payload/list/01", "/payload/list/x", "/payload/transactionId/x", "/payload/object/a/0/b/c", "/payload/n/0",
	} {
		p, err := parsePointer(pointer)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.find([]byte(raw)); got != nil {
			t.Errorf("%s: %q, want nothing", pointer, got)
		}
	}
	for _, pointer := range []string{"payload", "/a~", "/a~2"} {
		if _, err := parsePointer(pointer); err == nil {
			t.Errorf("%s is taken for a pointer", pointer)
		}
	}
}

func FuzzPointer(f *testing.F) {
	f.Add([]byte(`{"a":{"b":[1,"x\"y",{"c":null}]}}`), "/a/b/1")
	f.Add([]byte(`{"a":"\`), "/a")
	f.Add([]byte(`{"a":[{"b":`), "/a/0/b")
	f.Fuzz(func(t *testing.T, raw []byte, text string) {
		p, err := parsePointer(text)
		if err != nil {
			return
		}
		if got := p.find(raw); len(got) > 6*len(raw)+6 {
			t.Errorf("found %d bytes in %d", len(got), len(raw))
		}
	})
}

func TestTopicTemplate(t *testing.T) {
	long := strings.Repeat("x", 300)
	for _, c := range []struct{ template, tenant, source, want string }{
		{"events", "prod", "am-access", "events"},
		{"aic.{source}", "prod", "am-access", "aic.am-access"},
		{"{tenant}.{source}_x", "prod", "", "prod.unknown_x"},
		{"{source}", "", "a b/é", "a_b__"},
		{"{source}", "", "..", "__"},
		{"{source}", "", ".", "_"},
	} {
		parsed, err := parseTemplate(c.template)
		if err != nil {
			t.Fatal(err)
		}
		e := aictail.Event{Tenant: c.tenant, Source: c.source}
		if got := parsed.expand(parsed.key(&e)); got != c.want {
			t.Errorf("%s with %q: %q, want %q", c.template, c.source, got, c.want)
		}
	}
	parsed, err := parseTemplate("aic.{source}")
	if err != nil {
		t.Fatal(err)
	}
	a, b := parsed.expand(routeKey{source: long + "a"}), parsed.expand(routeKey{source: long + "b"})
	if len(a) != maxTopic || a == b {
		t.Errorf("long names: %d characters, equal: %t", len(a), a == b)
	}
	for _, bad := range []string{"", "a b", "a/{source}", "{date}", "{source", "source}", "..", ".", long} {
		if _, err := parseTemplate(bad); err == nil {
			t.Errorf("%q is taken for a template", bad)
		}
	}
}

// TestPartitioner compares with the results that Kafka's own test of murmur2
// expects, through toPositive(murmur2(key)) % partitions.
func TestPartitioner(t *testing.T) {
	for key, hash := range map[string]int32{
		"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536, "a-little-bit-longer-string": -1486304829,
		"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971, "abc": 479470107,
	} {
		for _, n := range []int{1, 2, 3, 6, 12, 50, 64, 997, 10007} {
			topic := newTopic("t")
			topic.learn(kafkago.Topic{Partitions: make([]kafkago.Partition, n)})
			if got, want := topic.keyed([]byte(key)), (hash&0x7fffffff)%int32(n); got != want {
				t.Errorf("%q in %d partitions: %d, want %d", key, n, got, want)
			}
		}
	}
}

func TestKinds(t *testing.T) {
	for _, c := range []struct {
		err    error
		kind   sinks.Kind
		effect effect
		says   string
	}{
		{kafkago.MessageSizeTooLarge, sinks.Split, tooLarge, "max.message.bytes"},
		{kafkago.InvalidRecord, sinks.Poison, badRecord, "schema"},
		{kafkago.NotEnoughReplicas, sinks.Retry, nothing, "min.insync.replicas"},
		{kafkago.NotEnoughReplicasAfterAppend, sinks.Retry, unclear, "min.insync.replicas"},
		{kafkago.NotLeaderForPartition, sinks.Retry, unclear, ""},
		{kafkago.UnknownTopicOrPartition, sinks.Retry, unclear, ""},
		{kafkago.LeaderNotAvailable, sinks.Retry, unclear, ""},
		{kafkago.RequestTimedOut, sinks.Retry, unclear, ""},
		{kafkago.Error(1234), sinks.Retry, unclear, ""},
		{kafkago.TopicAuthorizationFailed, sinks.Refused, nothing, "grant"},
		{kafkago.SASLAuthenticationFailed, sinks.Refused, nothing, "sasl.password"},
		{errors.New("connection reset by peer"), sinks.Retry, unclear, "reset"},
		{&notSentError{errors.New("connection refused")}, sinks.Retry, nothing, "refused"},
		{&notSentError{errNotKafka}, sinks.Refused, nothing, "tls.enabled"},
	} {
		e := classify("here", c.err)
		if e.Kind != c.kind || !strings.Contains(e.Error(), c.says) || !strings.HasPrefix(e.Error(), "here: ") {
			t.Errorf("%v: %v: %v, want %v and %q", c.err, e.Kind, e, c.kind, c.says)
		}
		if got := effectOf(c.err); got != c.effect {
			t.Errorf("%v: effect %d, want %d", c.err, got, c.effect)
		}
	}
}

// TestLedger checks that whatever is committed when, a restart knows each
// delivered event that may come again, and no other.
func TestLedger(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := newLedger()
		n := rapid.IntRange(1, 40).Draw(t, "events")
		batch := make([]aictail.Event, n)
		for i := range batch {
			batch[i].Position = aictail.Position(10 + 2*i)
		}
		done := map[aictail.Position]bool{}
		for rest := batch; len(rest) > 0; {
			l.begin(rest)
			var failed []aictail.Event
			for _, e := range rest {
				if l.has(e.Position) != done[e.Position] {
					t.Fatalf("event %d: known as delivered %t, want %t", e.Position, l.has(e.Position), done[e.Position])
				}
				if rapid.Bool().Draw(t, "fails") {
					l.failed[e.Position] = true
					failed = append(failed, e)
				} else {
					l.delivered(e.Position)
					done[e.Position] = true
				}
			}
			if rest = failed; len(rest) == 0 {
				break
			}
			// deliver may commit up to the first event that failed.
			if rapid.Bool().Draw(t, "commits") {
				l.commit()
				for p := range done {
					if p < rest[0].Position {
						delete(done, p)
					}
				}
				if rapid.Bool().Draw(t, "crashes") {
					again := newLedger()
					if err := again.decode(l.encode()); err != nil {
						t.Fatal(err)
					}
					l = again
					for i := range batch {
						if batch[i].Position == rest[0].Position {
							rest = batch[i:]
							break
						}
					}
				}
			}
		}
		l.commit()
		if len(l.ahead) > 0 {
			t.Fatalf("after the commit of everything %d events are still to be skipped", len(l.ahead))
		}
	})
}

// TestLedgerForgets: what lies behind the events that come for the first time must
// be forgotten, and nothing when events come again.
func TestLedgerForgets(t *testing.T) {
	l := newLedger()
	for _, p := range []aictail.Position{5, 7, 9} {
		l.found(p)
	}
	l.begin(newEvents(6, 3)) // 6 to 8
	if l.has(5) || !l.has(7) || !l.has(9) {
		t.Error("want 7 and 9 to be expected")
	}
	l.failed[6] = true
	l.delivered(7)
	l.delivered(8)
	l.begin(newEvents(1, 2)) // the position was set back, or dead letters
	l.delivered(1)
	l.commit()
	if !l.failed[6] || !l.has(7) || !l.has(8) || !l.has(9) || l.has(1) {
		t.Error("want what was delivered behind the failed event to stay, and nothing before")
	}
	l.begin(newEvents(8, 1)) // a dead letter of the batch that is not done
	if !l.failed[6] {
		t.Error("an event that is known must not make others be forgotten")
	}
	l.begin(newEvents(20, 1))
	l.commit()
	if len(l.failed)+len(l.ahead) > 0 || l.expected != 0 {
		t.Errorf("%d failed, %d ahead, %d expected are left", len(l.failed), len(l.ahead), l.expected)
	}
	for _, bad := range [][]byte{{0}, {0x80}, {1, 0}, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 1}} {
		if err := newLedger().decode(bad); err == nil {
			t.Errorf("%x is taken for positions", bad)
		}
	}
}

// TestLedgerKnowsEventsByID: positions can stand for other events, after an old copy of
// data_dir has been restored. What was read back counts only with its id.
func TestLedgerKnowsEventsByID(t *testing.T) {
	l := newLedger()
	l.sighted(sighting{position: 7, id: hashID([]byte("a"))})
	l.sighted(sighting{position: 8})
	for _, c := range []struct {
		e    aictail.Event
		want bool
	}{
		{aictail.Event{Position: 7, ID: []byte("a")}, true},
		{aictail.Event{Position: 7, ID: []byte("b")}, false},
		{aictail.Event{Position: 8, ID: []byte("b")}, true}, // nothing says that it is another one
		{aictail.Event{Position: 9, ID: []byte("a")}, false},
	} {
		if got := l.holds(&c.e); got != c.want {
			t.Errorf("event %s at %d: %t, want %t", c.e.ID, c.e.Position, got, c.want)
		}
	}
	l.delivered(7) // the other event, which was sent
	if !l.holds(&aictail.Event{Position: 7, ID: []byte("b")}) {
		t.Error("what was delivered is not known")
	}
}
