package aic

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

const (
	testKey    = "6f1c0ffee0key"
	testSecret = "5ec2e7-do-not-show"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// roundTripper answers requests without a network.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// answer builds a response with the given body.
func answer(status int, body io.Reader, headers ...string) *http.Response {
	h := http.Header{}
	for i := 0; i+1 < len(headers); i += 2 {
		h.Add(headers[i], headers[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(body)}
}

// newClient returns a client whose requests are answered by f.
func newClient(t testing.TB, f roundTripper) *Client {
	t.Helper()
	c, err := New(Config{URL: "https://tenant.example", Key: testKey, Secret: testSecret, Transport: f})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// small makes the client's buffers so small that every page takes many chunks.
func small(c *Client) *Client {
	c.limits = limits{chunk: 64, entries: 3, entry: 16 << 10, body: 1 << 20}
	return c
}

// openBody returns the page with the given body.
func openBody(t testing.TB, c *Client, sources string, body io.Reader) *Page {
	t.Helper()
	c.transport = roundTripper(func(*http.Request) (*http.Response, error) {
		return answer(http.StatusOK, body), nil
	})
	p, err := c.Tail(context.Background(), TailRequest{Sources: sources})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// seen is a copy of an entry that outlives its page.
type seen struct {
	Raw, Payload, ID string
	Time             time.Time
	Source, Type     string
}

func copyEntry(e Entry) seen {
	return seen{
		Raw: string(e.Raw), Payload: string(e.Payload.Of(e.Raw)), ID: string(e.ID),
		Time: e.Time, Source: e.Source, Type: e.Type,
	}
}

// readAll reads the page to its end and closes it.
func readAll(t testing.TB, p *Page) ([]seen, error) {
	t.Helper()
	var all []seen
	for p.Next() {
		for _, e := range p.Entries() {
			all = append(all, copyEntry(e))
		}
		if p.Count() != len(all) {
			t.Errorf("Count is %d after %d entries", p.Count(), len(all))
		}
	}
	err := p.Err()
	if cerr := p.Close(); cerr != nil {
		t.Errorf("close: %v", cerr)
	}
	return all, err
}

func gzipped(t testing.TB, s string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, s); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// makePage writes a page of realistic am-access, idm-access and debug entries.
func makePage(n int) string {
	r := rand.New(rand.NewPCG(1, 2))
	var b strings.Builder
	b.WriteString(`{"result":[`)
	start := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		at := start.Add(time.Duration(i) * 1234567 * time.Nanosecond).Format(time.RFC3339Nano)
		id := fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", r.Uint32(), r.IntN(1<<16), r.IntN(1<<16), r.IntN(1<<16), r.Uint64()>>16)
		switch {
		case i%20 == 19:
			fmt.Fprintf(&b, `{"payload":"FINE: Read name=user id=%s","timestamp":%q,"type":"text/plain","source":"idm-core"}`, id, at)
		case i%20 == 18:
			fmt.Fprintf(&b, `{"payload":{"context":"default","exception":"java.io.IOException: failed\n%s","level":"ERROR","logger":"org.forgerock.Some","message":"it said \"no\" to %s","thread":"main","transactionId":null},"timestamp":%q,"type":"application/json","source":"am-core"}`,
				strings.Repeat(`\tat org.forgerock.http.handler.Handlers$1.handle(Handlers.java:54)\n`, 20), id, at)
		default:
			fmt.Fprintf(&b, `{"payload":{"_id":"%s-%d","client":{"ip":"10.%d.%d.%d","port":%d},"component":"OAuth","eventName":"AM-ACCESS-OUTCOME","http":{"request":{"headers":{"accept":["application/json"],"host":["openam-example.forgeblocks.com"],"user-agent":["Mozilla/5.0 (X11; Linux x86_64) agent/%d"],"x-forwarded-proto":["https"]},"method":"POST","path":"https://openam-example.forgeblocks.com/am/oauth2/access_token","secure":true}},"level":"INFO","realm":"/alpha","request":{"detail":{"grant_type":"client_credentials","scope":"fr:idm:*"}},"response":{"detail":{"elapsed":%d},"elapsedTime":%d,"elapsedTimeUnits":"MILLISECONDS","status":"SUCCESSFUL","statusCode":"200"},"source":"audit","timestamp":"2026-03-01T10:00:00.123Z","topic":"access","transactionId":"%s-request-%d/0"},"timestamp":%q,"type":"application/json","source":"am-access"}`,
				id, i, r.IntN(256), r.IntN(256), r.IntN(256), r.IntN(65536), r.IntN(1000), r.IntN(100), r.IntN(1000), id, i, at)
		}
	}
	fmt.Fprintf(&b, `],"resultCount":%d,"pagedResultsCookie":"cookie-%d","totalPagedResultsPolicy":"NONE","totalPagedResults":-1,"remainingPagedResults":-1}`, n, n)
	return b.String()
}

// samples returns the real entries beside the repository, one per line.
func samples(t testing.TB) map[string][]string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if filepath.Dir(dir) == dir {
			t.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
	files, err := filepath.Glob(filepath.Join(dir, "..", "shared", "samples", "*.log"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skip("no samples beside the repository")
	}
	lines := make(map[string][]string)
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(f), ".log")
		for line := range strings.Lines(string(b)) {
			if line = strings.TrimSpace(line); line != "" {
				lines[name] = append(lines[name], line)
			}
		}
	}
	return lines
}
