package simulator

import (
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"
)

func FuzzFilter(f *testing.F) {
	for _, text := range []string{"true", `/a eq "b"`, `/a/b~1c pr`, `/a co 1e5`, `a eq "b"`, `/a eq "\ud800"`, `/ pr`, `/a  sw "\\"`, `/a eq "b" or /c pr`} {
		f.Add(text)
	}
	e := newEntry("am-core", "application/json", []byte(`{"a":["b",{"c":1}],"":null}`), time.Unix(0, 0))
	f.Fuzz(func(t *testing.T, text string) {
		matches, failed := parseFilter(text)
		if failed != nil && failed.status != http.StatusBadRequest && failed.status != http.StatusInternalServerError {
			t.Errorf("status %d", failed.status)
		}
		if matches != nil {
			matches(e)
		}
	})
}

func FuzzCookie(f *testing.F) {
	tenant, err := New(Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Add("", int64(0), uint64(0), int64(0))
	f.Add("Zm9v", int64(math.MinInt64), uint64(math.MaxUint64), int64(math.MaxInt64))
	f.Fuzz(func(t *testing.T, text string, at int64, seq uint64, until int64) {
		if _, ok := tenant.decodeCookie(text, Tail, []string{"am-core"}); ok {
			t.Errorf("a cookie that was never given is taken: %q", text)
		}
		want := cookie{position{at, seq}, until}
		got, ok := tenant.decodeCookie(tenant.encodeCookie(want, Range, []string{"a", "b"}), Range, []string{"b", "a", "b"})
		if !ok || got != want {
			t.Errorf("got %v %v, want %v", got, ok, want)
		}
	})
}

func FuzzRequest(f *testing.F) {
	f.Add("/monitoring/logs", "source=am-core&beginTime=2026-02-28T12:00:00%2B01:00&_pageSize=3")
	f.Add("/monitoring/logs/tail", "source=am-everything,idm-core&_queryFilter=/payload+pr")
	f.Add("/monitoring/logs", "source=am-core&beginTime=9999-12-31T00:00:00Z&endTime=9999-12-31T01:00:00Z")
	f.Add("/monitoring/logs", "source=am-core&endTime=0000-01-01T00:00:00Z")
	c := newClock()
	tenant, err := New(Options{Now: c.Now, Limit: 1 << 40})
	if err != nil {
		f.Fatal(err)
	}
	tenant.Generate(100)
	f.Fuzz(func(t *testing.T, path, query string) {
		r := &http.Request{Method: http.MethodGet, URL: &url.URL{Path: path, RawQuery: query},
			Header: http.Header{"X-Api-Key": {"k"}, "X-Api-Secret": {"s"}}}
		w := httptest.NewRecorder()
		tenant.ServeHTTP(w, r)
		switch w.Code {
		case http.StatusOK, http.StatusBadRequest, http.StatusNotFound, http.StatusInternalServerError:
		default:
			t.Errorf("status %d", w.Code)
		}
	})
}

// BenchmarkTail measures full tail answers on one connection, without gzip and
// with; the client does nothing but read.
func BenchmarkTail(b *testing.B) {
	const entries = 15_000
	c := newClock()
	tenant, err := New(Options{Now: c.Now, Limit: 1 << 40})
	if err != nil {
		b.Fatal(err)
	}
	for range 200 {
		c.add(10 * time.Millisecond)
		tenant.Generate(100)
	}
	for name, header := range map[string]string{"plain": "", "gzip": "gzip"} {
		b.Run(name, func(b *testing.B) {
			r := httptest.NewRequest(http.MethodGet, tailPath+"?source=am-everything,idm-everything,ws-everything", nil)
			r.Header = http.Header{"X-Api-Key": {"k"}, "X-Api-Secret": {"s"}, "Accept-Encoding": {header}}
			b.ReportAllocs()
			for b.Loop() {
				w := &discard{header: http.Header{}}
				tenant.ServeHTTP(w, r)
				b.SetBytes(int64(w.n))
			}
			b.ReportMetric(float64(b.N)*entries/b.Elapsed().Seconds(), "entries/s")
		})
	}
}

// discard is a ResponseWriter that counts.
type discard struct {
	header http.Header
	n      int
}

func (d *discard) Header() http.Header { return d.header }
func (d *discard) WriteHeader(int)     {}
func (d *discard) Flush()              {}
func (d *discard) Write(b []byte) (int, error) {
	d.n += len(b)
	return len(b), nil
}
