package simulator

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestTailWalk(t *testing.T) {
	tenant, c, clock := serve(t, Options{})
	now := clock.Now()
	text(t, tenant, "am-access", now.Add(-16*time.Second), "old")
	text(t, tenant, "am-access", now.Add(-15*time.Second), "a")
	text(t, tenant, "am-access", now.Add(-time.Second), "b c")
	p := c.tail("am-access", "")
	expect(t, "first answer: the last 15 s but the latest", p.payloads(), "a b")

	again := c.tail("am-access", p.cookie())
	expect(t, "nothing new: the last one again", again.payloads(), "b")
	expect(t, "nothing new: the same cookie", again.cookie(), p.cookie())

	text(t, tenant, "am-access", now, "d")
	p = c.tail("am-access", p.cookie())
	expect(t, "one more uncovers one more", p.payloads(), "b c")
	text(t, tenant, "am-access", now.Add(-500*time.Millisecond), "late")
	text(t, tenant, "am-access", now.Add(-2*time.Second), "later")
	text(t, tenant, "am-access", now.Add(time.Second), "e")
	p = c.tail("am-access", p.cookie())
	expect(t, "what arrived behind the cookie is missed", p.payloads(), "c late d")

	for _, r := range tenant.Ledger() {
		tailed := map[string]int{`"old"`: 0, `"a"`: 1, `"b"`: 3, `"c"`: 2, `"late"`: 1, `"d"`: 1, `"later"`: 0, `"e"`: 0}
		expect(t, "tailed "+string(r.Payload), r.Tailed, tailed[string(r.Payload)])
		expect(t, "ranged "+string(r.Payload), r.Ranged, 0)
	}
}

func TestTailOfAnEmptySource(t *testing.T) {
	tenant, c, clock := serve(t, Options{})
	p := c.tail("idm-recon", "")
	expect(t, "entries", len(p.Result), 0)
	if p.cookie() == "" {
		t.Fatal("no cookie")
	}
	text(t, tenant, "idm-recon", clock.Now(), "a")
	clock.add(time.Minute)
	p = c.tail("idm-recon", p.cookie())
	expect(t, "the latest is held back", p.payloads(), "")
	text(t, tenant, "idm-recon", clock.Now(), "b")
	p = c.tail("idm-recon", p.cookie())
	expect(t, "until another follows", p.payloads(), "a")
}

func TestTailShowLast(t *testing.T) {
	tenant, c, clock := serve(t, Options{ShowLast: true})
	text(t, tenant, "am-core", clock.Now(), "a b")
	expect(t, "all", c.tail("am-core", "").payloads(), "a b")
}

func TestTailCap(t *testing.T) {
	for _, test := range []struct {
		skips      bool
		first, all string
	}{
		{false, "e0 e1 e2", "e0 e1 e2 e3 e4 e5 e6 e7"},
		{true, "e5 e6 e7", "e5 e6 e7"},
	} {
		t.Run(fmt.Sprint("skips ", test.skips), func(t *testing.T) {
			tenant, c, clock := serve(t, Options{TailCap: 3, TailSkips: test.skips})
			text(t, tenant, "am-core", clock.Now().Add(-time.Second), "e0 e1 e2 e3 e4 e5 e6 e7 e8")
			p := c.tail("am-core", "")
			expect(t, "first answer", p.payloads(), test.first)
			var all []string
			for range 10 {
				all = append(all, strings.Fields(p.payloads())...)
				p = c.tail("am-core", p.cookie())
			}
			seen := map[string]bool{}
			var distinct []string
			for _, word := range all {
				if !seen[word] {
					seen[word] = true
					distinct = append(distinct, word)
				}
			}
			expect(t, "all answers", strings.Join(distinct, " "), test.all)
		})
	}
}

func TestEqualTimestampsKeepTheirOrder(t *testing.T) {
	tenant, c, clock := serve(t, Options{TailCap: 2})
	for _, word := range []string{"a", "b", "c", "d"} {
		text(t, tenant, "am-core", clock.Now(), word)
	}
	p := c.tail("am-core", "")
	expect(t, "first", p.payloads(), "a b")
	expect(t, "second", c.tail("am-core", p.cookie()).payloads(), "b c")
}

func TestCookiesAreRefused(t *testing.T) {
	tenant, c, clock := serve(t, Options{})
	text(t, tenant, "am-core", clock.Now(), "a b c")
	clock.add(time.Second)
	good := c.tail("am-core", "").cookie()
	pages := c.page(rangePath, "source", "am-core", "_pageSize", "1").cookie()
	_, other, _ := serve(t, Options{})
	flipped := []byte(good)
	flipped[3] ^= 1
	for name, test := range map[string]struct{ path, source, cookie string }{
		"garbage":          {tailPath, "am-core", "garbage"},
		"not base64":       {tailPath, "am-core", "?!"},
		"changed":          {tailPath, "am-core", string(flipped)},
		"cut":              {tailPath, "am-core", good[:len(good)-4]},
		"another tenant's": {tailPath, "am-core", other.tail("am-core", "").cookie()},
		"range's on tail":  {tailPath, "am-core", pages},
		"tail's on range":  {rangePath, "am-core", good},
		"other sources'":   {tailPath, "am-core,am-access", good},
	} {
		status, body, err := c.fetch(test.path, "source", test.source, cookieParam, test.cookie)
		if err != nil || status != http.StatusBadRequest || !strings.Contains(string(body), errBadCookie.text) {
			t.Errorf("%s: got %d %s %v", name, status, body, err)
		}
	}
	both := c.tail("am-core,am-access", "").cookie()
	c.tail("am-access,am-core", both) // the order of the sources does not matter
}

func TestAwkwardAnswers(t *testing.T) {
	tenant, c, clock := serve(t, Options{OmitSource: true, MissingCookie: 1, ShowLast: true})
	text(t, tenant, "am-core", clock.Now(), "a")
	p := c.tail("am-core", "")
	if p.Cookie != nil {
		t.Error("tail has a cookie")
	}
	expect(t, "count as a number", string(p.Count), "1")
	want := `{"payload":"a","timestamp":"2026-03-01T12:00:00Z","type":"text/plain"}`
	expect(t, "without source", string(p.Result[0]), want)
	p = c.tail("am-core,am-access", "")
	expect(t, "count as a string", string(p.Count), `"1"`)
	want = want[:len(want)-1] + `,"source":"am-core"}`
	expect(t, "with source", string(p.Result[0]), want)
	expect(t, "ledger", string(tenant.Ledger()[0].Raw), want)
	expect(t, "policy", p.Policy, "NONE")
	expect(t, "total", p.Total, -1)
}
