package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestBrowser shows the status page of a running daemon in a real browser, where it
// refreshes itself. It needs Chromium; TEST_BROWSER=1
// makes a missing one a failure (.ci/run). With TEST_SCREENSHOTS, a folder, it
// takes the pictures of the documentation.
func TestBrowser(t *testing.T) {
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("TEST_BROWSER") != "" {
			t.Fatal("TEST_BROWSER is set and there is no chromium: apt-get install chromium")
		}
		t.Skip("there is no chromium")
	}
	dir := t.TempDir()
	p := start(t, "demo", "--for", "0", "--dir", filepath.Join(dir, "demo"))
	var url string
	eventually(t, "the address of the status page", func() bool {
		if m := regexp.MustCompile(`status +(http://\S+)`).FindStringSubmatch(p.log.String()); m != nil {
			url = m[1]
		}
		return url != ""
	})
	eventually(t, "a confirmed stretch of every source", func() bool {
		body, _ := get(url)
		return strings.Contains(body, `class="covered"`) && strings.Contains(body, "in every sink")
	})

	dom := browse(t, chromium, url, "--dump-dom", "--virtual-time-budget=15000")
	for _, want := range []string{`class="verdict good"`, "Complete until", "idm-core", "delivers", `class="covered"`} {
		if !strings.Contains(dom, want) {
			t.Errorf("the page in the browser lacks %q:\n%s", want, tail(dom))
		}
	}
	if !strings.Contains(dom, "data-refreshed") {
		t.Error("the page did not refresh itself")
	}
	if stale := regexp.MustCompile(`id="stale"[^>]*>`).FindString(dom); !strings.Contains(stale, "hidden") {
		t.Errorf("the page says that the daemon does not answer: %s", stale)
	}
	if folder := os.Getenv("TEST_SCREENSHOTS"); folder != "" {
		time.Sleep(3 * time.Minute) // for a picture with some history on it
		for name, scheme := range map[string]string{"light": "1", "dark": "0"} {
			browse(t, chromium, url+"?span=10m", "--window-size=1100,1560", "--hide-scrollbars", "--blink-settings=preferredColorScheme="+scheme,
				"--screenshot="+filepath.Join(folder, "status-"+name+".png"))
		}
	}

	p.kill()
	if gone := browse(t, chromium, url, "--dump-dom"); strings.Contains(gone, "Complete until") {
		t.Error("the page is still there after the daemon's end: the test looks at something else")
	}
}

// browse opens a page in a browser of its own and returns what that prints.
func browse(t *testing.T, chromium, url string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	args = append([]string{
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--user-data-dir=" + t.TempDir(),
	}, append(args, url)...)
	out, err := exec.CommandContext(ctx, chromium, args...).Output()
	if err != nil {
		t.Fatalf("chromium: %v", err)
	}
	return string(out)
}
