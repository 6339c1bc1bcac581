package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"aictail/cmd/internal/config"
	"aictail/cmd/internal/service"
	"aictail/sinks"
	"aictail/tailer"
	"aictail/tailer/aic"
	"aictail/tailer/budget"
)

// clockTolerance is what the clocks may differ by without a word. The Date header has
// whole seconds, and the tail's margins for clocks are as long.
const clockTolerance = 5 * time.Second

// tenant is one tenant's examination.
type tenant struct {
	name    string
	cfg     config.Tenant
	version string
}

func newTenant(name string, cfg config.Tenant, version string) *tenant {
	return &tenant{name, cfg, version}
}

// key returns the path of a configuration key of the tenant.
func (t *tenant) key(name string) string { return "tenants." + t.name + "." + name }

// examine looks at the tenant with three requests, of which one counts.
func (t *tenant) examine(ctx context.Context) []sinks.Finding {
	ctx, certificates := sinks.WatchCertificates(ctx)
	encryption, err := t.cfg.TLS.Config()
	if err != nil {
		return []sinks.Finding{bad("certificate", "", "tenants.%s.%v", t.name, err)}
	}
	a, err := greet(ctx, t.cfg.URL, encryption)
	if err != nil {
		return []sinks.Finding{bad("address", t.unreachable(err), "%s cannot be reached: %v", t.cfg.URL, err)}
	}
	list := []sinks.Finding{good("address", "%s answers within %s", t.cfg.URL, a.took.Round(time.Millisecond))}
	list = append(list, certificates(time.Now())...)
	list = append(list, t.health(a), t.clock(a))
	cfg := t.cfg
	cfg.Poll.Timeout = answerTime
	client, err := service.NewClient(cfg, t.version)
	if err != nil {
		return append(list, bad("key", "", "tenants.%s: %v", t.name, err))
	}
	defer client.CloseIdleConnections()
	offered, quota, err := client.Sources(ctx)
	list = append(list, t.accepted(err))
	if err == nil {
		list = append(list, t.sources(offered)...)
	}
	if err == nil || quota.Known {
		list = append(list, t.limit(quota))
	}
	if err == nil {
		list = append(list, t.polling(offered, quota))
	}
	return list
}

func (t *tenant) health(a greeting) sinks.Finding {
	switch {
	case a.status == http.StatusOK:
		return good("health", "the tenant says that its critical services are well")
	case a.status == http.StatusServiceUnavailable:
		return doubtful("health", "look at the status page of the service; aictail goes on by itself",
			"the tenant says that critical services are not well (503)")
	}
	return doubtful("health", "check "+t.key("url")+", and what stands between this machine and the tenant",
		"/monitoring/health answers %d, which a tenant does not", a.status)
}

// clock compares this machine's clock with the tenant's. Time is swept by ours: with a
// clock that is ahead, what has not settled is taken for settled, and late entries
// are missed.
func (t *tenant) clock(a greeting) sinks.Finding {
	const remedy = "let this machine's clock be set (chrony, systemd-timesyncd)"
	if a.date.IsZero() {
		return doubtful("clock", "", "the answer has no Date header to compare the clock with")
	}
	ahead := a.ahead()
	text := "this machine's clock is " + ahead.Abs().String() + " ahead of the tenant's"
	if ahead < 0 {
		text = "this machine's clock is " + ahead.Abs().String() + " behind the tenant's"
	}
	switch {
	case ahead >= t.cfg.Sweep.Settle:
		return bad("clock", remedy, "%s, more than sweep.settle (%s): entries that come late are missed", text, t.cfg.Sweep.Settle)
	case ahead.Abs() > clockTolerance:
		return doubtful("clock", remedy, "%s", text)
	}
	return good("clock", "this machine's clock and the tenant's are within %s", clockTolerance)
}

func (t *tenant) accepted(err error) sinks.Finding {
	switch {
	case err == nil:
		return good("key", "the tenant accepts the API key")
	case errors.Is(err, aic.ErrUnauthorized):
		return bad("key", "", "%v", err) // which says where keys are made
	case errors.Is(err, aic.ErrRateLimited):
		return doubtful("key", "try again in a minute", "whether the key is accepted is not known, since the limit is used up: %v", err)
	}
	return bad("key", "try again; if it stays, check "+t.key("url"), "%v", err)
}

// sources compares what is configured with what the tenant offers.
func (t *tenant) sources(offered []string) []sinks.Finding {
	slices.Sort(offered)
	if t.cfg.Discover() {
		return []sinks.Finding{good("sources", "all %d sources that the tenant offers are read", len(t.entries(offered)))}
	}
	var read, missing []string
	for _, entry := range t.cfg.Entries() {
		for source := range strings.SplitSeq(entry, ",") {
			if slices.Contains(offered, source) {
				read = append(read, source)
			} else {
				missing = append(missing, source)
			}
		}
	}
	left := slices.DeleteFunc(slices.Clone(offered), func(s string) bool {
		product, rest, _ := strings.Cut(s, "-")
		return rest == "everything" || slices.Contains(read, s) || slices.Contains(read, product+"-everything")
	})
	text := fmt.Sprintf("%d of the %d sources that the tenant offers are configured", len(read), len(offered))
	if len(left) > 0 {
		text += "; not read: " + strings.Join(left, ", ")
	}
	list := []sinks.Finding{good("sources", "%s", text)}
	if len(missing) > 0 {
		list = append(list, bad("sources", "correct "+t.key("sources")+"; aictail sources lists what there is",
			"the tenant does not offer %s", strings.Join(missing, ", ")))
	}
	return list
}

// limit says what is left of the rate limit.
func (t *tenant) limit(q aic.Quota) sinks.Finding {
	if !q.Known {
		return doubtful("limit", "look for a proxy that removes the X-RateLimit headers", "the answer does not tell the rate limit: the daemon assumes a low one and cannot see what others use")
	}
	// Our own request may be counted already or not.
	used := max(0, q.Limit-q.Remaining-1)
	text := fmt.Sprintf("%d requests a minute, of which %d were used in this minute by the daemon or by others with a key", q.Limit, used)
	if q.Remaining <= q.Limit/10 {
		return doubtful("limit", "if the daemon does not run, somebody else uses it up: find out who has a key, or raise "+t.key("requests.reserve"), "%s", text)
	}
	return good("limit", "%s", text)
}

// entries returns the source entries that a daemon reads.
func (t *tenant) entries(offered []string) []string {
	if !t.cfg.Discover() {
		return t.cfg.Entries()
	}
	return slices.DeleteFunc(slices.Clone(offered), func(s string) bool { return strings.HasSuffix(s, "-everything") })
}

// polling says how often the limit allows each entry to be read.
func (t *tenant) polling(offered []string, q aic.Quota) sinks.Finding {
	limit := q.Limit
	if !q.Known {
		limit = budget.New(budget.Options{}).Limit() // what the daemon assumes
	}
	n := len(t.entries(offered))
	x := tailer.Expect(tailer.Load{
		Limit: limit, Reserve: t.cfg.Requests.Reserve, Entries: n,
		MinInterval: t.cfg.Poll.MinInterval, MaxInterval: t.cfg.Poll.MaxInterval, Settle: t.cfg.Sweep.Settle,
	})
	text := fmt.Sprintf("%d source entries at %d requests a minute: each is polled about every %s (loud ones more often) and swept every %s",
		n, limit, shortly(x.Poll), shortly(x.Sweep))
	if n <= x.Most {
		return good("polling", "%s", text)
	}
	remedy := fmt.Sprintf("put quiet sources together with commas, into at most %d entries: one poll then asks for all of an entry", x.Most)
	if t.cfg.Discover() {
		remedy += "; list them in " + t.key("sources") + " instead of all"
	}
	return doubtful("polling", remedy, "%s, which is longer than poll.max_interval (%s)", text, t.cfg.Poll.MaxInterval)
}

// shortly rounds a duration to what people want to know.
func shortly(d time.Duration) time.Duration {
	if d < 10*time.Second {
		return d.Round(100 * time.Millisecond)
	}
	return d.Round(time.Second)
}
