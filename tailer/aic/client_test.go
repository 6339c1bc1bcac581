package aic

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

func TestNewRefuses(t *testing.T) {
	tests := []struct {
		name string
		cfg  Config
		want string
	}{
		{"no url", Config{}, "url is empty"},
		{"relative", Config{URL: "tenant.example"}, "url does not begin with https://"},
		{"scheme", Config{URL: "ftp://tenant.example"}, "url does not begin with https://"},
		{"no host", Config{URL: "https://"}, "url has no host"},
		{"only a port", Config{URL: "https://:443"}, "url has no host"},
		{"path", Config{URL: "https://tenant.example/am"}, "url contains a path"},
		{"query", Config{URL: "https://tenant.example?a=b"}, "url contains a query"},
		{"empty query", Config{URL: "https://tenant.example?"}, "url contains a query"},
		{"fragment", Config{URL: "https://tenant.example/#"}, "url contains a query or a fragment"},
		{"user", Config{URL: "https://me:passw0rd@tenant.example"}, "url contains a user name"},
		{"unreadable", Config{URL: "https://me:passw0rd@tenant.example:port"}, "url cannot be parsed"},
		{"no key", Config{URL: "https://tenant.example", Secret: testSecret}, "api_key is empty"},
		{"no secret", Config{URL: "https://tenant.example", Key: testKey}, "api_secret is empty"},
		{"line end", Config{URL: "https://tenant.example", Key: testKey, Secret: testSecret + "\n"}, "api_secret contains a space, a line end"},
		{"not ASCII", Config{URL: "https://tenant.example", Key: testKey + "é", Secret: testSecret}, "api_key contains"},
		{"timeout", Config{URL: "https://tenant.example", Key: testKey, Secret: testSecret, Timeout: -1}, "timeout is -1ns"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, err := New(test.cfg)
			if err == nil || !strings.Contains(err.Error(), test.want) || c != nil {
				t.Fatalf("got %v, want %q", err, test.want)
			}
			checkMasked(t, err.Error())
			if strings.Contains(err.Error(), "passw0rd") {
				t.Error("the error shows a password")
			}
		})
	}
	for _, u := range []string{"https://tenant.example", "https://tenant.example/", "http://127.0.0.1:8080", "https://[::1]:8443"} {
		if _, err := New(Config{URL: u, Key: testKey, Secret: testSecret}); err != nil {
			t.Error(err)
		}
	}
}

func checkMasked(t *testing.T, text string) {
	t.Helper()
	if strings.Contains(text, testKey) || strings.Contains(text, testSecret) {
		t.Errorf("the key or the secret is shown: %s", text)
	}
}

func TestSecretsAreMasked(t *testing.T) {
	cfg := Config{URL: "https://me:" + testSecret + "@tenant.example", Key: testKey, Secret: testSecret}
	holder := struct {
		Config Config
		Client *Client
	}{cfg, newClient(t, nil)}
	for _, v := range []any{cfg, &cfg, []Config{cfg}, holder, &holder, newClient(t, nil), map[string]Config{"a": cfg}, Config{URL: "://" + testKey}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			checkMasked(t, fmt.Sprintf(verb, v))
		}
	}
	cfg.URL = "https://tenant.example"
	text, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	checkMasked(t, string(text))
	var b bytes.Buffer
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "cfg", cfg)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "cfg", cfg)
	checkMasked(t, b.String())
	enc := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())
	line, err := enc.EncodeEntry(zapcore.Entry{}, []zap.Field{zap.Any("cfg", cfg), zap.Any("client", newClient(t, nil))})
	if err != nil {
		t.Fatal(err)
	}
	checkMasked(t, line.String())
}

// request is what the tests look at of a request.
type request struct {
	Path, Query, Key, Secret, Accept, Encoding, Agent string
}

func TestRequests(t *testing.T) {
	var got request
	c := newClient(t, func(r *http.Request) (*http.Response, error) {
		got = request{
			r.URL.Path, r.URL.RawQuery, r.Header.Get("x-api-key"), r.Header.Get("x-api-secret"),
			r.Header.Get("Accept"), r.Header.Get("Accept-Encoding"), r.Header.Get("User-Agent"),
		}
		return answer(http.StatusOK, strings.NewReader(`{"result":["am-access","idm-core"],"pagedResultsCookie":null}`)), nil
	})
	at := time.Date(2026, 3, 1, 11, 0, 0, 120, time.FixedZone("CET", 3600))
	page := func(p *Page, err error) error {
		if err == nil {
			_, err = readAll(t, p)
		}
		return err
	}
	tests := []struct {
		name        string
		call        func(context.Context) error
		path, query string
	}{
		{"sources", func(ctx context.Context) error {
			names, _, err := c.Sources(ctx)
			if diff := cmp.Diff([]string{"am-access", "idm-core"}, names); diff != "" {
				t.Error(diff)
			}
			return err
		}, "/monitoring/logs/sources", ""},
		{"first tail", func(ctx context.Context) error {
			return page(c.Tail(ctx, TailRequest{Sources: "am-access,idm-access"}))
		},
			"/monitoring/logs/tail", "source=am-access%2Cidm-access"},
		{"tail", func(ctx context.Context) error {
			return page(c.Tail(ctx, TailRequest{Sources: "am-access", Cookie: "a+b/c=&d é", Filter: `/payload/level eq "ERROR" and !(/payload/a co "+")`}))
		}, "/monitoring/logs/tail", "_pagedResultsCookie=a%2Bb%2Fc%3D%26d%20%C3%A9&_queryFilter=%2Fpayload%2Flevel%20eq%20%22ERROR%22%20and%20%21%28%2Fpayload%2Fa%20co%20%22%2B%22%29&source=am-access"},
		{"range", func(ctx context.Context) error {
			return page(c.Range(ctx, RangeRequest{Sources: "am-access", Begin: at, End: at.Add(time.Hour), PageSize: 1000, Cookie: "c", Filter: "true"}))
		}, "/monitoring/logs", "_pageSize=1000&_pagedResultsCookie=c&_queryFilter=true&beginTime=2026-03-01T10%3A00%3A00.00000012Z&endTime=2026-03-01T11%3A00%3A00.00000012Z&source=am-access"},
		{"open range", func(ctx context.Context) error { return page(c.Range(ctx, RangeRequest{Sources: "am-access"})) },
			"/monitoring/logs", "source=am-access"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if err := test.call(t.Context()); err != nil {
				t.Fatal(err)
			}
			want := request{test.path, test.query, testKey, testSecret, "application/json", "gzip", "aictail"}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("health", func(t *testing.T) {
		if err := c.Health(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := request{Path: "/monitoring/health", Accept: "application/json", Encoding: "gzip", Agent: "aictail"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
	for _, sources := range []string{"", " , "} {
		got = request{}
		if _, err := c.Tail(t.Context(), TailRequest{Sources: sources}); err == nil || got.Path != "" {
			t.Error("a request without a source was sent")
		}
	}
}

func TestSourcesRefusesOtherShapes(t *testing.T) {
	for _, body := range []string{
		`{"result":["a",1]}`, `{"result":[{"name":"a"}]}`, `{"result":"a"}`, `{"result":["a"`, `<html>`,
		`{"result":["a"` + strings.Repeat(`,"a"`, maxSources) + `]}`,
	} {
		c := newClient(t, func(*http.Request) (*http.Response, error) {
			return answer(http.StatusOK, strings.NewReader(body), quotaHeaders...), nil
		})
		names, quota, err := c.Sources(t.Context())
		if !errors.Is(err, ErrBody) || names != nil || !quota.Known {
			t.Errorf("%.40s: %v %v %v", body, names, quota, err)
		}
	}
}

var quotaHeaders = []string{"X-RateLimit-Limit", "28", "X-RateLimit-Remaining", "27", "X-RateLimit-Reset", "1664994168"}

func TestStatusErrors(t *testing.T) {
	long := strings.Repeat("long ", 1000)
	sentinels := []error{ErrUnauthorized, ErrRateLimited, ErrCookieRefused, ErrBadRequest, ErrServer, ErrBody}
	tests := []struct {
		name   string
		status int
		body   string
		is     error
		want   string // in the error's text
	}{
		{"revoked key", 401, `{"code":401,"reason":"Unauthorized","message":"Invalid key"}`, ErrUnauthorized,
			"GET /monitoring/logs/tail: 401 Unauthorized: Invalid key (check api_key and api_secret of the tenant; keys are created in its admin console under Tenant Settings > Log API Keys)"},
		{"forbidden", 403, ``, ErrUnauthorized, "403 Forbidden (check api_key"},
		{"echoed key", 401, `{"message":"key ` + testKey + ` with ` + testSecret + ` is wrong"}`, ErrUnauthorized, "key *** with *** is wrong"},
		{"rate limit", 429, ``, ErrRateLimited, "429 Too Many Requests (the tenant asks to wait 17s)"},
		{"cookie", 400, `{"errors":["Error Parsing Query Parameter _pagedResultsCookie: Invalid Format"]}`, ErrCookieRefused, "_pagedResultsCookie: Invalid Format"},
		{"cookie in another case", 400, `{"errors":["ERROR PARSING _PAGEDRESULTSCOOKIE"]}`, ErrCookieRefused, ""},
		{"cookie after much text", 400, `{"message":"` + long + `_pagedResultsCookie"}`, ErrCookieRefused, ""},
		{"cookie named with another status", 500, `{"errors":["_pagedResultsCookie"]}`, ErrServer, ""},
		{"window", 400, `{"errors":["3 Days Worth Of Data Requested", " Cannot Request More\n Than One\u0007 "]}`, ErrBadRequest,
			"400 Bad Request: 3 Days Worth Of Data Requested; Cannot Request More Than One"},
		{"one error", 400, `{"errors":"Source Not Specified"}`, ErrBadRequest, ": Source Not Specified"},
		{"errors as objects", 400, `{"errors":[{"message":"a"},{"message":"b"},7,null]}`, ErrBadRequest, ": a; b"},
		{"error object", 400, `{"error":{"message":"nested"}}`, ErrBadRequest, ": nested"},
		{"reason only", 404, `{"reason":"Not Found Here"}`, ErrBadRequest, "404 Not Found: Not Found Here"},
		{"load balancer", 502, "<html>\n<head><title>502 Bad\tGateway</title></head><body>" + long + "</body></html>", ErrServer, "502 Bad Gateway: an HTML page: 502 Bad Gateway"},
		{"plain text", 503, "upstream connect error", ErrServer, "503 Service Unavailable: upstream connect error"},
		{"cut off", 500, `{"message":"a`, ErrServer, "500 Internal Server Error"},
		{"unknown status", 599, "", ErrServer, "599"},
		{"no content", 204, "", ErrBody, "204 No Content"},
		{"redirect to nowhere", 302, "", ErrBody, "302 Found"},
	}
	for _, test := range tests {
		for _, packed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/gzip=%t", test.name, packed), func(t *testing.T) {
				c := newClient(t, func(*http.Request) (*http.Response, error) {
					body := []byte(test.body)
					if packed {
						body = gzipped(t, test.body)
					}
					return answer(test.status, bytes.NewReader(body), append(quotaHeaders, "Retry-After", "17")...), nil
				})
				_, err := c.Tail(t.Context(), TailRequest{Sources: "am-access"})
				status, ok := errors.AsType[*StatusError](err)
				if !ok || status.Status != test.status || !status.Quota.Known || status.Quota.RetryAfter != 17*time.Second {
					t.Fatalf("got %#v", err)
				}
				for _, s := range sentinels {
					if errors.Is(err, s) != (s == test.is) {
						t.Errorf("errors.Is(%v) is %t", s, s != test.is)
					}
				}
				if !strings.Contains(err.Error(), test.want) || len(err.Error()) > 3000 {
					t.Errorf("got  %v\nwant %s", err, test.want)
				}
				checkMasked(t, err.Error())
				if _, quota, serr := c.Sources(t.Context()); !errors.Is(serr, test.is) || !quota.Known {
					t.Errorf("sources: %v %v", quota, serr)
				}
				if herr := c.Health(t.Context()); !errors.Is(herr, test.is) {
					t.Errorf("health: %v", herr)
				}
			})
		}
	}
}

// TestMessagesAreBounded: whatever a server sends, the log line stays a line.
func TestMessagesAreBounded(t *testing.T) {
	for _, body := range []string{
		`{"errors":[` + strings.Repeat(`"`+strings.Repeat("ä", 5000)+`",`, 100) + `"x"]}`,
		strings.Repeat("\x1b[31m\xff\u202e", 10_000), "<title>" + strings.Repeat("x", 10_000) + "</title>", "<title", "<TITLE>x", "<title></title>", `[1]`, `"x"`, `{"errors":{}}`,
	} {
		c := newClient(t, func(*http.Request) (*http.Response, error) { return answer(500, strings.NewReader(body)), nil })
		_, err := c.Tail(t.Context(), TailRequest{Sources: "s"})
		if len(err.Error()) > maxMessages*2*(maxMessageLength+10) || strings.ContainsAny(err.Error(), "\n\x1b\u202e") {
			t.Errorf("%d bytes: %q", len(err.Error()), err)
		}
	}
}

func TestStatusErrorMadeByHand(t *testing.T) {
	err := fmt.Errorf("x: %w", &StatusError{Status: 400, Messages: []string{"bad _pagedResultsCookie"}})
	if !errors.Is(err, ErrCookieRefused) || errors.Is(err, ErrBadRequest) {
		t.Error(err)
	}
}

func TestQuota(t *testing.T) {
	date := time.Date(2022, 10, 5, 18, 21, 48, 0, time.UTC)
	const httpDate = "Wed, 05 Oct 2022 18:21:48 GMT"
	known := Quota{Limit: 28, Remaining: 27, Reset: date.Add(time.Minute), Known: true}
	with := func(q Quota, f func(*Quota)) Quota { f(&q); return q }
	limits := func(l, rem, reset string) []string {
		return []string{"X-RateLimit-Limit", l, "X-RateLimit-Remaining", rem, "X-RateLimit-Reset", reset}
	}
	reset := fmt.Sprint(date.Unix() + 60)
	tests := []struct {
		name    string
		headers []string
		want    Quota
	}{
		{"none", nil, Quota{}},
		{"all", append(limits("28", " 27 ", reset), "Date", httpDate), with(known, func(q *Quota) { q.Date = date })},
		{"none left", limits("28", "0", reset), with(known, func(q *Quota) { q.Remaining = 0 })},
		{"one missing", limits("28", "27", reset)[:4], Quota{}},
		{"no number", limits("many", "27", reset), Quota{}},
		{"zero limit", limits("0", "0", reset), Quota{}},
		{"negative", limits("28", "-1", reset), Quota{}},
		{"more left than allowed", limits("28", "29", reset), Quota{}},
		{"huge", limits("99999999999", "1", reset), Quota{}},
		{"reset as a duration", limits("28", "27", "60"), Quota{}},
		{"reset in milliseconds", limits("28", "27", reset+"000"), Quota{}},
		{"overflow", limits("28", "27", "99999999999999999999"), Quota{}},
		{"retry after", []string{"Retry-After", "17"}, Quota{RetryAfter: 17 * time.Second}},
		{"retry after a part of a second", []string{"Retry-After", "0.5"}, Quota{RetryAfter: 500 * time.Millisecond}},
		{"retry at", []string{"Date", httpDate, "Retry-After", "Wed, 05 Oct 2022 18:22:00 GMT"}, Quota{Date: date, RetryAfter: 12 * time.Second}},
		{"retry in the past", []string{"Date", httpDate, "Retry-After", "Wed, 05 Oct 2022 18:21:00 GMT"}, Quota{Date: date}},
		{"retry in the past, no date", []string{"Retry-After", httpDate}, Quota{}},
		{"retry after ever", []string{"Retry-After", "1e300"}, Quota{RetryAfter: maxRetryAfter}},
		{"infinite", []string{"Retry-After", "Inf"}, Quota{}},
		{"negative retry", []string{"Retry-After", "-5"}, Quota{}},
		{"no retry", []string{"Retry-After", "soon"}, Quota{}},
		{"not a number", []string{"Retry-After", "NaN"}, Quota{}},
		{"bad date", []string{"Date", "today"}, Quota{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := quotaOf(answer(200, nil, test.headers...).Header)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestRedirects runs against real servers, so that the rules hold for what goes
// over the wire: a second server notes whether it ever sees the key.
func TestRedirects(t *testing.T) {
	leaked := false
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		leaked = leaked || r.Header.Get("x-api-key") != ""
	}))
	defer other.Close()
	mux := http.NewServeMux()
	tenant := httptest.NewServer(mux)
	defer tenant.Close()
	targets := map[string]string{
		"same":     "/target?source=x",
		"absolute": tenant.URL + "/target",
		"other":    other.URL + "/target",
		"user":     strings.Replace(tenant.URL, "http://", "http://"+testSecret+"@", 1) + "/target",
		"scheme":   "ftp://" + testSecret + "@tenant.example/",
		"tls":      strings.Replace(tenant.URL, "http:", "https:", 1) + "/target",
		"bad":      "http://[::1",
		"three":    "/hop?n=2",
		"four":     "/hop?n=3",
		"loop":     "/monitoring/logs/tail?source=loop",
	}
	mux.HandleFunc("/monitoring/logs/tail", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", targets[r.URL.Query().Get("source")])
		w.WriteHeader(http.StatusFound)
	})
	mux.HandleFunc("/hop", func(w http.ResponseWriter, r *http.Request) {
		to := map[string]string{"3": "/hop?n=2", "2": "/hop?n=1", "1": "/target"}[r.URL.Query().Get("n")]
		http.Redirect(w, r, to, http.StatusPermanentRedirect)
	})
	mux.HandleFunc("/target", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"result":[%q]}`, r.Header.Get("x-api-key"))
	})
	c, err := New(Config{URL: tenant.URL, Key: testKey, Secret: testSecret})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseIdleConnections()
	for name := range targets {
		t.Run(name, func(t *testing.T) {
			p, err := c.Tail(t.Context(), TailRequest{Sources: name})
			switch name {
			case "same", "absolute", "user", "three":
				if err != nil {
					t.Fatal(err)
				}
				got, err := readAll(t, p)
				if err != nil || len(got) != 1 || got[0].Raw != `"`+testKey+`"` {
					t.Error(got, err)
				}
			default:
				if !errors.Is(err, ErrRedirect) {
					t.Fatalf("got %v", err)
				}
				checkMasked(t, err.Error())
			}
		})
	}
	if leaked {
		t.Error("another host has seen the key")
	}
}

func TestRedirectTarget(t *testing.T) {
	tests := []struct {
		from, to string
		ok       bool
	}{
		{"https://a.example", "https://A.example:443/x", true},
		{"https://a.example", "//a.example/x", true},
		{"https://a.example", "http://a.example/x", false},
		{"https://a.example", "https://a.example:8443/x", false},
		{"https://a.example", "https://a.example.evil/x", false},
		{"https://a.example", "https://b.example/x", false},
		{"http://a.example", "https://a.example/x", true},
		{"http://a.example:8080", "https://a.example/x", false},
		{"http://a.example", "http://a.example:80/", true},
		{"https://[::1]:1", "https://[::1]:1/x", true},
	}
	for _, test := range tests {
		from, err := url.Parse(test.from)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := redirectTarget(from, test.to); (err == nil) != test.ok {
			t.Errorf("%s to %s: %v", test.from, test.to, err)
		}
	}
}

func TestNetworkErrors(t *testing.T) {
	boom := errors.New("connection refused")
	c := newClient(t, func(*http.Request) (*http.Response, error) { return nil, boom })
	_, err := c.Tail(t.Context(), TailRequest{Sources: "s", Cookie: "c"})
	if !errors.Is(err, boom) || err.Error() != "GET /monitoring/logs/tail: connection refused" {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c = newClient(t, func(r *http.Request) (*http.Response, error) { return nil, r.Context().Err() })
	if _, err := c.Range(ctx, RangeRequest{Sources: "s"}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := c.Health(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestOverTheWire speaks HTTP/2 with compression, and HTTP/1.1 without, and
// cuts answers off below the body.
func TestOverTheWire(t *testing.T) {
	body := makePage(1500)
	packed := gzipped(t, body)
	var protocol string
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		protocol = r.Proto
		switch r.URL.Query().Get("source") {
		case "gzip":
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(packed)
		case "plain":
			io.WriteString(w, body)
		case "short":
			w.Header().Set("Content-Length", fmt.Sprint(len(body)))
			io.WriteString(w, body[:len(body)/2])
		case "aborted":
			io.WriteString(w, body[:len(body)/2])
			panic(http.ErrAbortHandler)
		}
	})
	for _, h2 := range []bool{true, false} {
		server := httptest.NewUnstartedServer(handler)
		server.EnableHTTP2 = h2
		server.StartTLS()
		own := newTransport(nil)
		own.TLSClientConfig.RootCAs = server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
		c, err := New(Config{URL: server.URL, Key: testKey, Secret: testSecret, Transport: own})
		if err != nil {
			t.Fatal(err)
		}
		for _, source := range []string{"gzip", "plain", "short", "aborted", "gzip"} {
			p, err := c.Tail(t.Context(), TailRequest{Sources: source})
			if err != nil {
				t.Fatal(err)
			}
			got, err := readAll(t, p)
			switch source {
			case "gzip", "plain":
				if err != nil || len(got) != 1500 || p.Cookie() != "cookie-1500" {
					t.Error(source, len(got), err)
				}
			default:
				if !errors.Is(err, ErrBody) || len(got) >= 1500 || p.Cookie() != "" {
					t.Error(source, len(got), err)
				}
			}
		}
		if want := map[bool]string{true: "HTTP/2.0", false: "HTTP/1.1"}[h2]; protocol != want {
			t.Errorf("spoke %s, want %s", protocol, want)
		}
		c.CloseIdleConnections()
		server.Close()
	}
}

// TestConnectionIsReused: every answer that is read to its end, errors too,
// leaves its connection for the next request.
func TestConnectionIsReused(t *testing.T) {
	var addresses []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		addresses = append(addresses, r.RemoteAddr)
		if r.URL.Query().Get("source") == "bad" {
			http.Error(w, `{"errors":["no"]}`, http.StatusBadRequest)
			return
		}
		io.WriteString(w, `{"result":[]}`)
	}))
	defer server.Close()
	c, err := New(Config{URL: server.URL, Key: testKey, Secret: testSecret})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseIdleConnections()
	for _, source := range []string{"good", "bad", "good"} {
		p, err := c.Tail(t.Context(), TailRequest{Sources: source})
		if err != nil {
			continue
		}
		if _, err := readAll(t, p); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Health(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		if a != addresses[0] {
			t.Errorf("more than one connection: %v", addresses)
		}
	}
}

func TestProxyPasswordIsNotShown(t *testing.T) {
	c := newClient(t, nil)
	own := newTransport(nil)
	own.Proxy = quietly(func(*http.Request) (*url.URL, error) {
		return nil, errors.New("invalid proxy address http://me:passw0rd@proxy")
	})
	c.transport = own
	_, err := c.Tail(t.Context(), TailRequest{Sources: "s"})
	if err == nil || strings.Contains(err.Error(), "passw0rd") || !strings.Contains(err.Error(), "HTTPS_PROXY") {
		t.Error(err)
	}
}
