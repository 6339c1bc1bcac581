package admin

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

var pageNow = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func at(ago time.Duration) time.Time { return pageNow.Add(-ago) }

// healthy is a daemon that is as it should be.
func healthy() Status {
	return Status{
		Version: "1.2.3", Installation: "0123abcd", Started: at(26 * time.Hour), Now: pageNow,
		Tenants:  []Tenant{{Name: "prod", Limit: 60, Remaining: 45}},
		Sources:  []Source{{Tenant: "prod", Source: "am-access", Events: 1234, Rate: 2.5, LastEvent: at(time.Second), CompleteUntil: at(40 * time.Second)}},
		Coverage: []Coverage{{Tenant: "prod", Sources: "am-access,am-core", Mode: "full", SettleSeconds: 30, CompleteUntil: at(40 * time.Second), BehindSeconds: 10, Covered: []Interval{{at(25 * time.Hour), at(40 * time.Second)}}, Missing: []Interval{{at(40 * time.Second), at(30 * time.Second)}}}},
		Journal:  Journal{Bytes: 1 << 20, MaxBytes: 10 << 30},
		Sinks:    []Sink{{Name: "archive", Type: "file", Events: 1200, CompleteUntil: at(41 * time.Second)}},
	}
}

func TestJudge(t *testing.T) {
	tests := map[string]struct {
		change func(*Status)
		want   []string
	}{
		"well":             {func(*Status) {}, []string{}},
		"tenant":           {func(s *Status) { s.Tenants[0].Trouble = "the tenant refuses the API key" }, []string{"tenant prod: the tenant refuses the API key"}},
		"journal":          {func(s *Status) { s.Journal.Full = true }, []string{"the journal is full: polling waits for the sinks"}},
		"paused":           {func(s *Status) { s.Sinks[0].Paused, s.Sinks[0].Trouble = true, "disk is read-only" }, []string{"sink archive is paused: disk is read-only"}},
		"failing":          {func(s *Status) { s.Sinks[0].Trouble = "connection refused" }, []string{"sink archive: connection refused"}},
		"slow sink":        {func(s *Status) { s.Sinks[0].LagSeconds = 90 }, []string{"sink archive is behind: its oldest undelivered event is 1m30s old"}},
		"a little behind":  {func(s *Status) { s.Sinks[0].LagSeconds, s.Coverage[0].BehindSeconds = 20, 120 }, []string{}},
		"catching up":      {func(s *Status) { s.Coverage[0].BehindSeconds, s.Coverage[0].RemainingSeconds = 7200, 600 }, []string{"prod am-access,am-core: 2h0m0s of its time are still to be swept, which takes about 10m0s"}},
		"sweep off":        {func(s *Status) { s.Coverage[0].Mode = "off" }, []string{"prod am-access,am-core: the sweep is off, so nothing is promised of it"}},
		"nothing is swept": {func(s *Status) { s.Coverage[0].BehindSeconds = 400 }, []string{"prod am-access,am-core: 6m40s of its time are still to be swept"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := healthy()
			tt.change(&s)
			s.Judge()
			if diff := cmp.Diff(tt.want, s.Reasons); diff != "" {
				t.Error(diff)
			}
			if s.Coverage[0].Mode != "off" && !s.CompleteUntil.Equal(at(40*time.Second)) {
				t.Errorf("complete until %s", s.CompleteUntil)
			}
		})
	}
}

func TestSpan(t *testing.T) {
	s := healthy()
	for missing, want := range map[time.Duration]time.Duration{
		time.Minute: 10 * time.Minute, 30 * time.Minute: time.Hour, 20 * time.Hour: 24 * time.Hour,
		29 * 24 * time.Hour: 30 * 24 * time.Hour, 31 * 24 * time.Hour: 30 * 24 * time.Hour,
	} {
		s.Coverage[0].Missing[0].Begin = at(missing)
		if got := newView(s, "").Span; got != want {
			t.Errorf("%s missing: %s are shown, want %s", missing, got, want)
		}
		if got := newView(s, "7d").Span; got != 7*24*time.Hour {
			t.Errorf("?span=7d shows %s", got)
		}
		if got := newView(s, "<script>").Span; got != want {
			t.Errorf("an unknown span shows %s", got)
		}
	}
}

func TestBars(t *testing.T) {
	v := newView(healthy(), "1h")
	var classes []string
	end := 0.0
	for _, b := range v.Bars(v.Coverage[0]) {
		classes = append(classes, b.Class)
		if b.X < 0 || b.X > 1000 || b.Width <= 0 {
			t.Errorf("%+v is outside", b)
		}
		end = max(end, b.X+b.Width)
	}
	if diff := cmp.Diff([]string{"covered", "missing", "settling"}, classes); diff != "" {
		t.Error(diff)
	}
	if end < 999 || end > 1002 {
		t.Errorf("the timeline ends at %v", end)
	}
}

func TestShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0 ms", 800 * time.Millisecond: "800 ms", 59 * time.Second: "59 s", 61 * time.Second: "1 min 1 s",
		26 * time.Hour: "26 h 0 min", 50 * time.Hour: "2 d 2 h",
	} {
		if got := short(d); got != want {
			t.Errorf("%s: %q, want %q", d, got, want)
		}
	}
}

// TestPage: what people see, and that names from outside cannot become markup.
func TestPage(t *testing.T) {
	status := healthy()
	status.Sinks[0].Trouble = `<script>alert("x")</script>`
	status.Judge()
	server, err := Listen(Config{Address: "127.0.0.1:0"}, Deps{
		Gatherer: prometheus.NewRegistry(), Alive: func() error { return nil },
		Status: func() (Status, error) { return status, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(t.Context()) }()
	t.Cleanup(func() { <-done })

	page, header := fetch(t, server.URL())
	for _, want := range []string{
		"Complete until <time", "2026-03-01 11:59:20 UTC", "am-access, am-core", "&lt;script&gt;alert", `class="covered"`, "1.0 MiB of 10.0 GiB",
		"15 of 60", "26 h 0 min", "until <time datetime=\"2026-03-01T11:59:19Z\">",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page, "<script>alert") {
		t.Error("text became markup")
	}
	if csp := header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
		t.Errorf("policy %q", csp)
	}
	for name, kind := range map[string]string{"status.css": "text/css", "status.js": "text/javascript"} {
		if _, header := fetch(t, server.URL()+name); !strings.HasPrefix(header.Get("Content-Type"), kind) {
			t.Errorf("%s is %s", name, header.Get("Content-Type"))
		}
	}
	body, _ := fetch(t, server.URL()+"api/status")
	var back Status
	if err := json.Unmarshal([]byte(body), &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(status, back); diff != "" {
		t.Errorf("/api/status differs: %s", diff)
	}
}

func fetch(t *testing.T, url string) (string, http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d, %v", url, res.StatusCode, err)
	}
	return string(b), res.Header
}
