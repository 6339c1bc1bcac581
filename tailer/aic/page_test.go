package aic

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPageShapes(t *testing.T) {
	tests := []struct {
		name, body string
		entries    int
		cookie     string
	}{
		{"documented", `{"result":[{"a":1},{"a":2}],"resultCount":"2","pagedResultsCookie":"abc","totalPagedResultsPolicy":"NONE","totalPagedResults":-1,"remainingPagedResults":-1}`, 2, "abc"},
		{"captured", `{"result":[{"a":1}],"resultCount":1,"pagedResultsCookie":null}`, 1, ""},
		{"empty", `{"result":[],"resultCount":0}`, 0, ""},
		{"cookie first", `{"pagedResultsCookie":"abc","resultCount":1,"result":[{"a":1}]}`, 1, "abc"},
		{"escaped cookie", `{"pagedResultsCookie":"a\/b\u003d\"\\\ud83d\ude00","result":[]}`, 0, `a/b="\😀`},
		{"escaped keys", `{"\u0070agedResultsCookie":"c","resul\u0074":[1]}`, 1, "c"},
		{"last cookie wins", `{"pagedResultsCookie":"a","result":[],"pagedResultsCookie":"b"}`, 0, "b"},
		{"last cookie is null", `{"pagedResultsCookie":"a","result":[],"pagedResultsCookie":null}`, 0, ""},
		{"unknown keys", `{"x":{"result":[1,2]},"y":[[],"]"],"result":[3],"z":1e3}`, 1, ""},
		{"white space", "\r\n\t{ \"result\"\n:\t[ {\"a\" : 1} ,\r\n {} ]\n,\n\"pagedResultsCookie\" : \"c\" }\r\n\n ", 2, "c"},
		{"other elements", `{"result":["a",1,null,true,[1,2],{}]}`, 6, ""},
	}
	clients := []*Client{newClient(t, nil), small(newClient(t, nil))}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, c := range clients {
				p := openBody(t, c, "am-access", strings.NewReader(test.body))
				if p.Err() == nil || p.Cookie() != "" {
					t.Error("a page that has not been read must not look like a good one")
				}
				got, err := readAll(t, p)
				if err != nil || len(got) != test.entries || p.Cookie() != test.cookie {
					t.Errorf("%d entries, cookie %q, error %v", len(got), p.Cookie(), err)
				}
				if p.Next() || p.Close() != nil {
					t.Error("Next or Close after Close")
				}
			}
		})
	}
}

func TestBadBodies(t *testing.T) {
	tests := []struct{ name, body, want string }{
		{"empty", "", "the body is empty"},
		{"white space", " \n", "cut off"},
		{"HTML", "\n<!DOCTYPE html><html><head><TITLE lang=en>Please\n log in</title></head><body>private</body>", "an HTML page: Please log in instead of JSON"},
		{"HTML that echoes the key", "<title>" + testKey + "</title>", "an HTML page: *** instead"},
		{"HTML without a title", "<html>private</html>", "an HTML page instead of JSON"},
		{"text", "OK", "byte 0: a JSON object expected"},
		{"array", `[{"a":"private"}]`, "byte 0: a JSON object expected"},
		{"no result", `{"message":"private"}`, "there is no result"},
		{"empty object", `{}`, "there is no result"},
		{"null result", `{"result":null}`, "byte 10: result is not an array"},
		{"object result", `{"result":{"a":"private"}}`, "byte 10: result is not an array"},
		{"two results", `{"result":[1],"result":[2]}`, "a second result"},
		{"cookie of a wrong kind", `{"result":[],"pagedResultsCookie":17}`, "pagedResultsCookie is neither a string nor null"},
		{"data after the end", `{"result":[]}{"result":[]}`, "byte 13: data after the end of the page"},
		{"control character", "{\"result\":[{\"a\":\"private\x01\"}]}", "byte 24: control character in a string"},
		{"no comma", `{"result":[{"a":"private"} {}]}`, "byte 27: comma or end of the result expected"},
		{"trailing comma", `{"result":[{"a":"private"},]}`, "byte 27: a JSON value expected"},
		{"BOM", "\ufeff{\"result\":[]}", "byte 0: a JSON object expected"},
		{"compressed rubbish", string(gzipped(t, `{"result":[]}`)[:15]) + "private", "cut off"},
		{"compressed header only", "\x1f\x8b\x08", "cut off after 0 bytes"},
		{"not really compressed", "\x1f\x8bprivate", "cut off after 0 bytes"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := readAll(t, openBody(t, newClient(t, nil), "am-access", strings.NewReader(test.body)))
			if !errors.Is(err, ErrBody) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want ErrBody with %q", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "private") {
				t.Errorf("the error quotes the body: %v", err)
			}
		})
	}
}

// TestCut cuts a page at every byte: it must fail with ErrBody, and the entries
// handed out before must be those of the whole page.
func TestCut(t *testing.T) {
	body := "{\"result\":[{\"payload\":{\"_id\":\"a-1\",\"n\":12.50e1,\"t\":true},\"timestamp\":\"2022-10-05T18:21:48.2Z\",\"source\":\"am-access\"}, " +
		"{\"payload\":\"text \\u00e9\\n\",\n\"type\":\"text/plain\"},12,[1,{\"x\":null}]], \"resultCount\" :4,\"pagedResultsCookie\":\"c\\\"d\"}"
	want, err := readAll(t, openBody(t, newClient(t, nil), "x", strings.NewReader(body)))
	if err != nil || len(want) != 4 {
		t.Fatal(len(want), err)
	}
	large, tiny := newClient(t, nil), small(newClient(t, nil))
	check := func(c *Client, r io.Reader) {
		t.Helper()
		p := openBody(t, c, "x", r)
		got, err := readAll(t, p)
		if !errors.Is(err, ErrBody) || p.Cookie() != "" {
			t.Fatalf("error %v, cookie %q", err, p.Cookie())
		}
		if len(got) > len(want) || (len(got) > 0 && !cmp.Equal(got, want[:len(got)])) {
			t.Fatalf("wrong entries: %v", got)
		}
	}
	packed := gzipped(t, body)
	for cut := range body {
		check(large, strings.NewReader(body[:cut]))
		check(tiny, iotest.OneByteReader(strings.NewReader(body[:cut])))
		check(large, io.MultiReader(strings.NewReader(body[:cut]), iotest.ErrReader(io.ErrUnexpectedEOF)))
		check(large, io.MultiReader(strings.NewReader(body[:cut]), iotest.ErrReader(errors.New("connection reset"))))
	}
	for cut := range packed {
		check(large, bytes.NewReader(packed[:cut]))
	}
	// A body that is whole but whose end was never confirmed is cut off, too.
	check(large, io.MultiReader(strings.NewReader(body), iotest.ErrReader(io.ErrUnexpectedEOF)))
	flipped := bytes.Clone(packed)
	flipped[len(flipped)-6] ^= 1 // the checksum
	check(large, bytes.NewReader(flipped))
	check(large, bytes.NewReader(append(bytes.Clone(packed), "more"...)))
}

func TestEntries(t *testing.T) {
	at := time.Date(2022, 12, 5, 20, 1, 34, 448290946, time.UTC)
	tests := []struct {
		name, sources, entry string
		want                 seen
	}{
		{"audit", "am-everything",
			`{"payload":{"_id":"u-1","topic":"access","eventName":"AM-ACCESS-OUTCOME","n":1.0,"big":12345678901234567890},"timestamp":"2022-12-05T20:01:34.448290946Z","type":"application/json","source":"am-access"}`,
			seen{Payload: `{"_id":"u-1","topic":"access","eventName":"AM-ACCESS-OUTCOME","n":1.0,"big":12345678901234567890}`, ID: "u-1", Time: at, Source: "am-access", Type: "application/json"}},
		{"text", "idm-everything", `{"source":"idm-core","type":"text/plain","timestamp":"2022-12-05T21:01:34.448290946+01:00","payload":"FINE: \"x\"\n"}`,
			seen{Payload: `"FINE: \"x\"\n"`, Time: at, Source: "idm-core", Type: "text/plain"}},
		{"nothing", "am-everything", `{}`, seen{}},
		{"only one source asked", "am-core", `{}`, seen{Source: "am-core"}},
		{"not an object", "am-core", `"text"`, seen{Source: "am-core"}},
		{"other payloads", "a,b", `{"payload":null,"timestamp":1664994108,"type":["x"],"source":{}}`, seen{Payload: "null"}},
		{"bad time", "a,b", `{"timestamp":"yesterday"}`, seen{}},
		{"escaped values", "a,b", `{"timestamp":"2022-12-05T20\u003a01:34.448290946Z","type":"text\/plain","source":"am\u002dcore"}`,
			seen{Time: at, Source: "am-core", Type: "text/plain"}},
		{"escaped _id", "a,b", `{"payload":{"_id":"a\u002d1"}}`, seen{Payload: `{"_id":"a\u002d1"}`}},
		{"empty _id", "a,b", `{"payload":{"_id":""}}`, seen{Payload: `{"_id":""}`}},
		{"nested _id", "a,b", `{"_id":"x","payload":{"before":{"_id":"y"}}}`, seen{Payload: `{"before":{"_id":"y"}}`}},
		{"unknown source", "am-core", `{"source":"unknown"}`, seen{Source: "am-core"}},
		{"source not asked for", "am-core", `{"source":"am-new"}`, seen{Source: "am-new"}},
		{"inferred", "am-everything,idm-access", `{"source":"Unknown","payload":{"eventName":"AM-CONFIG-CHANGE","topic":"config","source":"audit"}}`,
			seen{Payload: `{"eventName":"AM-CONFIG-CHANGE","topic":"config","source":"audit"}`, Source: "am-config"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			body := `{"result":[` + test.entry + `]}`
			got, err := readAll(t, openBody(t, newClient(t, nil), test.sources, strings.NewReader(body)))
			if err != nil {
				t.Fatal(err)
			}
			test.want.Raw = test.entry
			if diff := cmp.Diff([]seen{test.want}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEntryIsOneLine(t *testing.T) {
	body := "{\n \"result\" : [\n {\r\n\t\"payload\" :\n{\"a\": [1,\n\t2], \"b\": \"x\\n\"},\n\"type\"\t: \"t\"\n}\n]\n}"
	got, err := readAll(t, openBody(t, small(newClient(t, nil)), "s", strings.NewReader(body)))
	if err != nil || len(got) != 1 {
		t.Fatal(got, err)
	}
	want := `{   "payload" : {"a": [1,  2], "b": "x\n"}, "type" : "t" }`
	if got[0].Raw != want || got[0].Payload != `{"a": [1,  2], "b": "x\n"}` {
		t.Errorf("got %q\nwant %q", got[0].Raw, want)
	}
}

// TestLargePage reads a page of many chunks, compressed and not, in odd pieces,
// and compares every entry to encoding/json.
func TestLargePage(t *testing.T) {
	body := makePage(2500)
	var doc struct{ Result []json.RawMessage }
	if err := json.Unmarshal([]byte(body), &doc); err != nil {
		t.Fatal(err)
	}
	readers := map[string]io.Reader{
		"plain":  strings.NewReader(body),
		"gzip":   bytes.NewReader(gzipped(t, body)),
		"halves": iotest.HalfReader(strings.NewReader(body)),
	}
	c := newClient(t, nil)
	for name, r := range readers {
		p := openBody(t, c, "am-everything,idm-everything", r)
		got, err := readAll(t, p)
		if err != nil || len(got) != len(doc.Result) || p.Cookie() != "cookie-2500" {
			t.Fatal(name, len(got), p.Cookie(), err)
		}
		for i, e := range got {
			checkEntry(t, e, doc.Result[i])
			if e.Time.IsZero() || e.Source == "" || e.Type == "" {
				t.Fatalf("%s: entry %d is incomplete", name, i)
			}
		}
	}
}

func TestHugeEntry(t *testing.T) {
	c := small(newClient(t, nil))
	fits := `{"payload":"` + strings.Repeat("x", c.limits.entry-20) + `"}`
	body := `{"result":[1,` + fits + `,2],"resultCount":3}`
	got, err := readAll(t, openBody(t, c, "s", strings.NewReader(body)))
	if err != nil || len(got) != 3 || got[1].Raw != fits {
		t.Fatal(len(got), err)
	}
	body = `{"result":[1,{"payload":"` + strings.Repeat("x", c.limits.entry) + `"},2]}`
	got, err = readAll(t, openBody(t, c, "s", strings.NewReader(body)))
	if !errors.Is(err, ErrBody) || !strings.Contains(err.Error(), "an entry larger than 16384 bytes") || len(got) != 1 {
		t.Fatal(len(got), err)
	}
}

func TestHugeBody(t *testing.T) {
	c := small(newClient(t, nil))
	body := gzipped(t, `{"result":[`+strings.Repeat(`{"a":1},`, int(c.limits.body)/8)+`1]}`)
	if len(body) > 64<<10 {
		t.Fatal("the test wants a body that swells")
	}
	_, err := readAll(t, openBody(t, c, "s", bytes.NewReader(body)))
	if !errors.Is(err, ErrBody) || !strings.Contains(err.Error(), "larger than 1048576 bytes") {
		t.Fatal(err)
	}
	_, err = readAll(t, openBody(t, c, "s", strings.NewReader(strings.Repeat(" ", int(c.limits.body)+1))))
	if !errors.Is(err, ErrBody) || !strings.Contains(err.Error(), "larger than") {
		t.Fatal(err)
	}
}

// TestManyTinyEntries checks that the size of an entry does not decide how much
// memory a chunk needs.
func TestManyTinyEntries(t *testing.T) {
	const n = 300_000
	p := openBody(t, newClient(t, nil), "s", strings.NewReader(`{"result":[`+strings.Repeat("1,", n-1)+"1]}"))
	for p.Next() {
		if len(p.Entries()) > defaultLimits().entries {
			t.Fatalf("%d entries at a time", len(p.Entries()))
		}
	}
	if p.Err() != nil || p.Count() != n {
		t.Fatal(p.Count(), p.Err())
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestMemory reads a page of many chunks and checks that it takes no more than a
// small one, and that nothing is allocated per entry.
func TestMemory(t *testing.T) {
	one := makePage(1)
	entry := one[len(`{"result":[`):strings.LastIndex(one, `],"resultCount"`)]
	const n = 30_000
	readers := []io.Reader{strings.NewReader(`{"result":[` + entry)}
	next := "," + entry
	for range n - 1 {
		readers = append(readers, strings.NewReader(next))
	}
	readers = append(readers, strings.NewReader("]}"))
	body := io.MultiReader(readers...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	p := openBody(t, newClient(t, nil), "am-everything", body)
	for p.Next() {
	}
	runtime.ReadMemStats(&after)
	if p.Err() != nil || p.Count() != n {
		t.Fatal(p.Count(), p.Err())
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 4<<20 {
		t.Errorf("%d bytes were allocated for a page", used)
	}
	if count := after.Mallocs - before.Mallocs; count > 1000 {
		t.Errorf("%d allocations for %d entries", count, n)
	}
}

func TestCloseEarly(t *testing.T) {
	c := small(newClient(t, nil))
	p := openBody(t, c, "s", strings.NewReader(`{"result":[1,2,3,4,5,6,7,8],"pagedResultsCookie":"c"}`))
	if !p.Next() {
		t.Fatal(p.Err())
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if p.Err() == nil || p.Cookie() != "" || p.Next() || len(p.Entries()) != 0 {
		t.Error("a page that was closed early must not look complete")
	}
}

// blockedBody gives its text and then nothing until the request ends.
type blockedBody struct {
	io.Reader
	ctx context.Context
}

func (b *blockedBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF {
		<-b.ctx.Done()
		return n, b.ctx.Err()
	}
	return n, err
}

func TestBodyThatStalls(t *testing.T) {
	stall := func(r *http.Request) (*http.Response, error) {
		return answer(http.StatusOK, &blockedBody{strings.NewReader(`{"result":[1,`), r.Context()}), nil
	}
	t.Run("time-out", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			p, err := newClient(t, stall).Tail(t.Context(), TailRequest{Sources: "s"})
			if err != nil {
				t.Fatal(err)
			}
			_, err = readAll(t, p)
			if !errors.Is(err, ErrBody) || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "1m0s") {
				t.Error(err)
			}
			if took := time.Since(start); took != defaultTimeout {
				t.Errorf("took %s", took)
			}
		})
	})
	t.Run("cancelled", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			p, err := newClient(t, stall).Tail(ctx, TailRequest{Sources: "s"})
			if err != nil {
				t.Fatal(err)
			}
			_, err = readAll(t, p)
			if !errors.Is(err, context.Canceled) || errors.Is(err, ErrBody) {
				t.Error(err)
			}
		})
	})
	t.Run("no answer", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := newClient(t, func(r *http.Request) (*http.Response, error) {
				<-r.Context().Done()
				return nil, r.Context().Err()
			})
			_, err := c.Tail(t.Context(), TailRequest{Sources: "s"})
			if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrBody) {
				t.Error(err)
			}
		})
	})
}

func TestReaderWithoutProgress(t *testing.T) {
	_, err := readAll(t, openBody(t, newClient(t, nil), "s", emptyReads{}))
	if !errors.Is(err, ErrBody) || !errors.Is(err, io.ErrNoProgress) {
		t.Error(err)
	}
}

type emptyReads struct{}

func (emptyReads) Read([]byte) (int, error) { return 0, nil }

func TestSamples(t *testing.T) {
	c := newClient(t, nil)
	for source, lines := range samples(t) {
		body := `{"result":[` + strings.Join(lines, ",") + "]}"
		family, _, _ := strings.Cut(source, "-")
		for _, sources := range []string{source, family + "-everything", "am-everything,idm-everything,ws-everything"} {
			got, err := readAll(t, openBody(t, c, sources, strings.NewReader(body)))
			if err != nil || len(got) != len(lines) {
				t.Fatal(source, len(got), err)
			}
			for i, e := range got {
				checkEntry(t, e, json.RawMessage(lines[i]))
				at := fmt.Sprintf("%s, entry %d, asked for %s", source, i, sources)
				if e.Source != source {
					t.Errorf("%s: source is %q", at, e.Source)
				}
				if e.Time.Nanosecond() == 0 || e.Payload == "" || e.Type == "" {
					t.Errorf("%s: incomplete", at)
				}
				if !strings.HasSuffix(source, "-core") && e.ID == "" {
					t.Errorf("%s: no id", at)
				}
			}
		}
	}
}

func TestInference(t *testing.T) {
	tests := []struct{ sources, topic, event, origin, want string }{
		{"am-access", "", "", "", "am-access"},
		{" am-access , am-access,", "config", "CONFIG", "", "am-access"},
		{"am-everything", "", "", "", ""},
		{"am-everything", "access", "AM-ACCESS-ATTEMPT", "audit", "am-access"},
		{"am-everything", "access", "", "audit", "am-access"},
		{"am-everything", "access", "access", "audit", ""},
		{"am-everything", "made-up", "AM-X", "audit", ""},
		{"am-access,idm-access", "access", "AM-ACCESS-ATTEMPT", "audit", "am-access"},
		{"am-access,idm-access", "access", "access", "audit", "idm-access"},
		{"am-access,idm-access", "access", "", "audit", ""},
		{"am-access,idm-access", "activity", "activity", "audit", ""},
		{"am-access,idm-activity", "activity", "relationship_created", "audit", "idm-activity"},
		{"am-access,am-core", "", "", "", ""},
		{"idm-everything,ws-everything", "config", "CONFIG", "audit", "idm-config"},
		{"idm-everything,ws-everything", "activity", "AUTHN_ATTEMPT", "audit", ""},
		{"am-everything,ws-everything", "activity", "AUTHN_ATTEMPT", "audit", "ws-activity"},
		{"idm-sync,idm-recon", "recon", "recon", "audit", "idm-recon"},
		{"am-core,idm-core", "", "", "idm-core", "idm-core"},
		{"idm-everything,am-core", "", "", "idm-sync", "idm-sync"},
		{"am-core,am-access", "", "", "idm-core", ""},
	}
	for _, test := range tests {
		got := newInference(test.sources).source([]byte(test.topic), []byte(test.event), []byte(test.origin))
		if got != test.want {
			t.Errorf("%+v: got %q", test, got)
		}
	}
}

func TestIntern(t *testing.T) {
	n := intern{known: make(map[string]string)}
	for i := range 10 * maxInterned {
		text := fmt.Sprint("source-", i%(2*maxInterned))
		if got := n.string([]byte(text)); got != text {
			t.Fatalf("got %q, want %q", got, text)
		}
	}
	if n.string(nil) != "" || n.string([]byte("source-1")) != "source-1" || len(n.known) > maxInterned {
		t.Error(len(n.known))
	}
}
