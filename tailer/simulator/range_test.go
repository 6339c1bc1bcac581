package simulator

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestRangeBounds(t *testing.T) {
	tenant, c, clock := serve(t, Options{})
	begin := clock.Now().Add(-time.Hour)
	text(t, tenant, "am-core", begin, "begin")
	text(t, tenant, "am-core", begin.Add(1), "a")
	text(t, tenant, "am-core", begin.Add(time.Minute), "end")
	text(t, tenant, "am-core", begin.Add(time.Minute+1), "behind")
	text(t, tenant, "am-core", clock.Now().Add(-24*time.Hour), "yesterday")
	p := c.page(rangePath, "source", "am-core", "beginTime", begin.Format(time.RFC3339Nano), "endTime", begin.Add(time.Minute).Format(time.RFC3339Nano))
	expect(t, "(begin, end]", p.payloads(), "a end")
	if p.Cookie != nil {
		t.Error("the last page has a cookie")
	}
	expect(t, "last 24 h", c.page(rangePath, "source", "am-core").payloads(), "begin a end behind")
	p = c.page(rangePath, "source", "am-core", "endTime", begin.Format(time.RFC3339Nano))
	expect(t, "begin defaults to 24 h before the end", p.payloads(), "yesterday begin")
	p = c.page(rangePath, "source", "am-core", "endTime", "2126-01-01T00:00:00Z", "beginTime", "2125-12-31T00:00:00Z")
	expect(t, "the future", p.payloads(), "")
}

func TestRangePages(t *testing.T) {
	tenant, c, clock := serve(t, Options{})
	for i := range 2500 {
		source := []string{"am-core", "am-access", "idm-core"}[i%3]
		text(t, tenant, source, clock.Now().Add(-time.Hour+time.Duration(i/2)*time.Second), "x")
	}
	var times []time.Time
	cookie := ""
	var sizes []int
	for page := 0; page < 10; page++ {
		p := c.page(rangePath, "source", "am-everything,am-core,idm-core", "_pageSize", "5000", cookieParam, cookie)
		sizes = append(sizes, len(p.Result))
		for _, raw := range p.Result {
			var e struct {
				Timestamp time.Time
				Source    string
			}
			if err := json.Unmarshal(raw, &e); err != nil || strings.HasSuffix(e.Source, everything) {
				t.Fatal(err, e.Source)
			}
			times = append(times, e.Timestamp)
		}
		if cookie = p.cookie(); cookie == "" {
			break
		}
		clock.add(time.Second) // must not move the default end
		text(t, tenant, "am-core", clock.Now(), "new")
	}
	if len(sizes) != 3 || sizes[0] != 1000 || sizes[1] != 1000 || sizes[2] != 500 {
		t.Errorf("page sizes %v", sizes)
	}
	for i := 1; i < len(times); i++ {
		if times[i].Before(times[i-1]) {
			t.Fatalf("entry %d is out of order", i)
		}
	}
	for _, r := range tenant.Ledger()[:2500] {
		if r.Ranged != 1 || r.Tailed != 0 {
			t.Fatalf("entry of %s: ranged %d tailed %d", r.Source, r.Ranged, r.Tailed)
		}
	}
}

func TestLateEntries(t *testing.T) {
	tenant, c, clock := serve(t, Options{ShowLast: true})
	now := clock.Now()
	err := tenant.Add(Entry{Source: "am-core", Payload: []byte(`"late"`), Time: now, VisibleFrom: now.Add(10 * time.Second)})
	if err != nil {
		t.Fatal(err)
	}
	text(t, tenant, "am-core", now.Add(1), "a")
	p := c.tail("am-core", "")
	expect(t, "tail before", p.payloads(), "a")
	expect(t, "ledger before", len(tenant.Ledger()), 2)
	clock.add(10*time.Second - 1)
	expect(t, "range before", c.page(rangePath, "source", "am-core").payloads(), "a")
	clock.add(1)
	expect(t, "range after", c.page(rangePath, "source", "am-core").payloads(), "late a")
	expect(t, "tail after", c.tail("am-core", p.cookie()).payloads(), "a")
}

func TestRetentionAndMaxEntries(t *testing.T) {
	for _, keep := range []bool{false, true} {
		tenant, c, clock := serve(t, Options{Retention: time.Hour, MaxEntries: 3, Ledger: keep})
		text(t, tenant, "am-core", clock.Now().Add(-time.Minute), "a b")
		text(t, tenant, "am-access", clock.Now(), "c d")
		clock.add(time.Second)
		expect(t, "newest 3", c.page(rangePath, "source", "am-everything").payloads(), "b c d")
		clock.add(time.Hour - time.Second)
		expect(t, "last hour", c.page(rangePath, "source", "am-everything").payloads(), "c d")
		clock.add(time.Hour - time.Second)
		c.page(rangePath, "source", "am-everything")
		records := tenant.Ledger()
		if !keep {
			expect(t, "ledger", len(records), 0)
			continue
		}
		expect(t, "ledger", len(records), 4)
		expect(t, "last record", string(records[3].Payload), `"d"`)
		expect(t, "last record ranged", records[3].Ranged, 2)
	}
}

func TestFilters(t *testing.T) {
	tenant, c, clock := serve(t, Options{ShowLast: true})
	for _, payload := range []string{
		`{"n":1,"level":"INFO","entries":[{"info":{"nodeType":"PageNode"}}],"transactionId":"t-1/0"}`,
		`{"n":2,"level":"WARN","big":9007199254740993,"gone":null,"transactionId":"t-1/0/1"}`,
		`{"n":3,"flag":true,"a/b":"slash","transactionId":"t-12/0"}`,
		`"WARNING: text"`,
	} {
		if err := tenant.Add(Entry{Source: "am-core", Payload: []byte(payload), Time: clock.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		filter string
		want   int // entries
	}{
		{"true", 4}, {" false ", 0}, {`/payload/level eq "INFO"`, 1}, {`/payload/level sw "W"`, 1},
		{`/payload co "WARNING"`, 1}, {`/payload/entries/info/nodeType pr`, 1}, {`/payload/entries/0/info/nodeType pr`, 0},
		{`/payload/big eq 9007199254740993`, 1}, {`/payload/big eq 9007199254740992`, 0}, {`/payload/gone pr`, 0},
		{`/payload/flag eq true`, 1}, {`/payload/a~1b eq "slash"`, 1}, {`/source eq "am-core"`, 4},
		{`/type eq "text/plain"`, 1}, {`/payload/level eq "\u0049NFO"`, 1}, {`/payload pr`, 4},
	} {
		for _, path := range []string{tailPath, rangePath} {
			p := c.page(path, "source", "am-core", "_queryFilter", test.filter)
			expect(t, path+" "+test.filter, len(p.Result), test.want)
		}
	}
	expect(t, "transactionId", len(c.page(rangePath, "source", "am-core", "transactionId", "t-1").Result), 2)
	p := c.page(rangePath, "source", "am-core", "transactionId", "t-1", "_queryFilter", `/payload/n eq 2`)
	expect(t, "transactionId and filter", len(p.Result), 1)
	p = c.page(rangePath, "source", "am-core", "_queryFilter", `/payload/n pr`, "_pageSize", "2")
	p = c.page(rangePath, "source", "am-core", "_queryFilter", `/payload/n pr`, "_pageSize", "2", cookieParam, p.cookie())
	expect(t, "second page of filtered", len(p.Result), 1)
}

func TestErrors(t *testing.T) {
	_, c, _ := serve(t, Options{})
	for _, test := range []struct {
		path   string
		params []string
		status int
		text   string
	}{
		{rangePath, nil, 400, "Error: Source Not Specified"},
		{tailPath, nil, 400, "Error: Source Not Specified"},
		{tailPath, []string{"source", "am-nothing"}, 400, "Unknown Source"},
		{tailPath, []string{"source", "am-core,"}, 400, "Unknown Source"},
		{rangePath, []string{"source", "am-core", "beginTime", "2026-02-01T00:00:00Z", "endTime", "2026-02-02T00:00:01Z"}, 400, "2 Days Worth Of Data Requested. Cannot Request More Than One Days Worth Of Logs"},
		{rangePath, []string{"source", "am-core", "beginTime", "2026-02-01T00:00:00Z"}, 400, "Cannot Request More Than One Days Worth Of Logs"},
		{rangePath, []string{"source", "am-core", "beginTime", "0001-01-01T00:00:00Z"}, 400, "Cannot Request More"},
		{rangePath, []string{"source", "am-core", "beginTime", "2026-02-02T00:00:00Z", "endTime", "2026-02-01T00:00:00Z"}, 400, "Start Time (2026-02-02T00:00:00Z) Must Precede End Time (2026-02-01T00:00:00Z)"},
		{rangePath, []string{"source", "am-core", "beginTime", "yesterday"}, 400, "Error: BeginTime Must Be In RFC3339 Format"},
		{rangePath, []string{"source", "am-core", "endTime", "2026-02-01"}, 400, "Error: EndTime Must Be In RFC3339 Format"},
		{rangePath, []string{"source", "am-core", "_pageSize", "many"}, 400, "_pageSize"},
		{rangePath, []string{"source", "am-core", "_queryFilter", `payload/level eq "INFO"`}, 500, "Internal Server Error"},
		{rangePath, []string{"source", "am-core", "_queryFilter", `/a eq "b" and /c pr`}, 400, "Not Implemented By The Simulator"},
		{tailPath, []string{"source", "am-core", "_queryFilter", `/a eq "\x"`}, 400, "_queryFilter"},
		{"/monitoring/other", nil, 404, ""},
	} {
		status, body, err := c.fetch(test.path, test.params...)
		if err != nil || status != test.status || !json.Valid(body) || !strings.Contains(string(body), test.text) {
			t.Errorf("%s %q: got %d %s %v", test.path, test.params, status, body, err)
		}
	}
	response, err := c.http.Post(c.url+tailPath, "text/plain", nil)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "POST", response.StatusCode, http.StatusMethodNotAllowed)
	if err := response.Body.Close(); err != nil {
		t.Error(err)
	}
}

func TestKeys(t *testing.T) {
	tenant, c, _ := serve(t, Options{Key: "k", Secret: "s", Limit: 2})
	for _, test := range []struct {
		key, secret string
		status      int
	}{{"k", "s", 200}, {"k", "x", 401}, {"x", "s", 401}, {"", "", 401}, {"k", "", 401}} {
		r, err := http.NewRequest(http.MethodGet, c.url+"/monitoring/logs/sources", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("x-api-key", test.key)
		r.Header.Set("x-api-secret", test.secret)
		response, err := c.http.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if response.StatusCode != test.status || !json.Valid(body) {
			t.Errorf("key %q secret %q: got %d %s", test.key, test.secret, response.StatusCode, body)
		}
		expect(t, "remaining", response.Header.Get("X-RateLimit-Remaining"), "1")
	}
	expect(t, "counted", tenant.Requests()[Request{Sources, 401, ""}], 4)

	_, c, _ = serve(t, Options{})
	c.page("/monitoring/logs/sources")
	c.key = ""
	status, _, _ := c.fetch("/monitoring/logs/sources")
	expect(t, "an empty key never does", status, 401)
	status, body, _ := c.fetch("/monitoring/health")
	expect(t, "health is public", status, 200)
	expect(t, "health", string(body), "OK")
	expect(t, "health is not limited", c.lastH.Get("X-RateLimit-Limit"), "")
}

func TestSources(t *testing.T) {
	_, c, _ := serve(t, Options{})
	p := c.page("/monitoring/logs/sources")
	expect(t, "number", len(p.Result), 18)
	expect(t, "count", string(p.Count), "18")
	expect(t, "total", p.Total, 1)
	_, c, _ = serve(t, Options{Sources: []string{"am-core", "am-everything", "environment-access"}})
	expect(t, "own list", len(c.page("/monitoring/logs/sources").Result), 3)
	c.tail("environment-access", "")
}

func TestRateLimit(t *testing.T) {
	tenant, c, clock := serve(t, Options{Limit: 2})
	clock.add(300 * time.Millisecond)
	c.tail("am-core", "")
	expect(t, "limit", c.lastH.Get("X-RateLimit-Limit"), "2")
	expect(t, "remaining", c.lastH.Get("X-RateLimit-Remaining"), "1")
	expect(t, "reset", c.lastH.Get("X-RateLimit-Reset"), "1772366461") // rounded up
	expect(t, "date", c.lastH.Get("Date"), "Sun, 01 Mar 2026 12:00:00 GMT")
	clock.add(10 * time.Second)
	c.page("/monitoring/logs/sources")
	status, body, err := c.fetch(rangePath, "source", "am-core")
	if err != nil || status != 429 || !json.Valid(body) {
		t.Fatalf("got %d %s %v", status, body, err)
	}
	expect(t, "retry after", c.lastH.Get("Retry-After"), "50")
	expect(t, "remaining", c.lastH.Get("X-RateLimit-Remaining"), "0")
	clock.add(50*time.Second - 1)
	status, _, _ = c.fetch(rangePath, "source", "am-core")
	expect(t, "just before", status, 429)
	expect(t, "retry after", c.lastH.Get("Retry-After"), "1")
	clock.add(1)
	c.page(rangePath, "source", "am-core")
	expect(t, "counted", tenant.Requests()[Request{Range, 429, ""}], 2)
	expect(t, "counted", tenant.Requests()[Request{Range, 200, ""}], 1)
}

func TestGzip(t *testing.T) {
	tenant, c, clock := serve(t, Options{ShowLast: true})
	text(t, tenant, "am-core", clock.Now(), strings.Repeat("word ", 500))
	c.gzip = true
	_, body, err := c.fetch(tailPath, "source", "am-core")
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "encoding", c.lastH.Get("Content-Encoding"), "gzip")
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(z)
	var p page
	if err != nil || json.Unmarshal(plain, &p) != nil || len(p.Result) != 500 {
		t.Fatalf("%v: %d entries", err, len(p.Result))
	}
	expect(t, "delivered", tenant.Ledger()[499].Tailed, 1)

	for header, want := range map[string]bool{
		"": false, "gzip": true, "br, GZIP;q=0.5": true, "gzip;q=0": false, "gzip; q=0.0": false, "identity": false, "gzipped": false,
	} {
		x := &exchange{r: &http.Request{Header: http.Header{"Accept-Encoding": {header}}}}
		expect(t, "takes gzip: "+header, x.takesGzip(), want)
	}
}

func TestAddRefuses(t *testing.T) {
	tenant := newTenant(t, Options{})
	for name, e := range map[string]Entry{
		"unknown source": {Source: "am-nothing", Payload: []byte(`1`)},
		"view":           {Source: "am-everything", Payload: []byte(`1`)},
		"broken payload": {Source: "am-core", Payload: []byte(`{`)},
		"no payload":     {Source: "am-core"},
		"type":           {Source: "am-core", Payload: []byte(`1`), Type: `a"b`},
	} {
		if err := tenant.Add(Entry{Source: "am-core", Payload: []byte(`1`)}, e); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	expect(t, "stored", len(tenant.Ledger()), 0)
}

func TestOptionsAreChecked(t *testing.T) {
	for _, o := range []Options{
		{Rate: -1}, {Limit: -1}, {TailCap: -1}, {MaxEntries: -1}, {SplitShare: 1.5}, {LateShare: -0.1}, {LateBy: -1},
		{MissingCookie: 2}, {Sources: []string{"a", "a"}}, {Sources: []string{"a,b"}}, {Sources: []string{""}}, {Sources: []string{`a"`}},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
}
