package servers

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// SearchOptions are the options of an Elasticsearch or OpenSearch.
type SearchOptions struct {
	// Settings go into elasticsearch.yml or opensearch.yml and override ours.
	Settings map[string]string
	// Heap is the largest heap of the Java process. Default: 512m, which is
	// enough for tens of thousands of small documents.
	Heap string
}

// Search is an Elasticsearch or OpenSearch of one node.
type Search struct {
	url     string
	process *process // nil: somebody else's
}

// Elasticsearch starts an Elasticsearch of the major version "8" or "9".
func Elasticsearch(t testing.TB, major string, opts SearchOptions) *Search {
	t.Helper()
	switch major {
	case "8":
		return startSearch(t, elastic8, opts)
	case "9":
		return startSearch(t, elastic9, opts)
	default:
		t.Fatalf("no Elasticsearch %s here, only 8 and 9", major)
		return nil
	}
}

// OpenSearch starts an OpenSearch 3.
func OpenSearch(t testing.TB, opts SearchOptions) *Search {
	t.Helper()
	return startSearch(t, openSearch, opts)
}

func startSearch(t testing.TB, k kind, opts SearchOptions) *Search {
	t.Helper()
	if url := k.external(t); url != "" {
		if len(opts.Settings) > 0 {
			t.Skipf("needs other settings than the server given by %s may have", k.addressVar)
		}
		return &Search{url: strings.TrimRight(url, "/")}
	}
	if opts.Heap == "" {
		opts.Heap = "512m"
	}
	server := k.install(t)
	dir := t.TempDir()
	cache := filepath.Dir(server.home)
	port := reservePort(t, cache)
	config := filepath.Join(dir, "config")
	if err := writeSearchConfig(filepath.Join(config, k.config), searchSettings(dir, port, reservePort(t, cache), opts)); err != nil {
		t.Fatal(err)
	}
	args, err := server.javaArgs(dir, opts.Heap)
	if err != nil {
		t.Fatal(err)
	}
	if args = append(args, k.launcher); k.modular {
		args = append(args, server.home, config)
	} else {
		args = append(args, dir, filepath.Join(config, k.config))
	}
	s := &Search{url: "http://" + loopback(port)}
	s.process = &process{
		name: k.profile, logFile: filepath.Join(dir, "server.log"),
		program: server.jdk.java(), args: args, ready: s.ready, patience: patience,
	}
	s.process.run(t)
	return s
}

func searchSettings(dir string, port, transportPort int, opts SearchOptions) map[string]string {
	settings := map[string]string{
		"cluster.name":   "aictail-test",
		"network.host":   "127.0.0.1",
		"http.port":      fmt.Sprint(port),
		"transport.port": fmt.Sprint(transportPort),
		"discovery.type": "single-node",
		"path.data":      filepath.Join(dir, "data"),
		"path.logs":      filepath.Join(dir, "logs"),
		// A developer's disk is often fuller than the 90 % at which indices
		// become read-only.
		"cluster.routing.allocation.disk.threshold_enabled": "false",
	}
	maps.Copy(settings, opts.Settings)
	return settings
}

// searchLogging sends the server's log to its standard output.
const searchLogging = `status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d{ISO8601}][%-5p][%c{1.}] %m%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
`

// writeSearchConfig writes the server's settings, and beside them those of its
// log.
func writeSearchConfig(path string, settings map[string]string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	var yml strings.Builder
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&yml, "%s: %q\n", key, settings[key])
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "log4j2.properties"), []byte(searchLogging), 0o644); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(yml.String()), 0o644)
}

// ready asks for the health of the cluster: the primary shards of all indices
// are there, also after a crash.
func (s *Search) ready(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/_cluster/health?wait_for_status=yellow&timeout=5s", nil)
	if err != nil {
		return err
	}
	req.Close = true // leaves no connection and no goroutine behind
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // the answer was read
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("cluster health: %s: %s", resp.Status, body)
	}
	return err
}

// URL returns the server's address, http://127.0.0.1:port.
func (s *Search) URL() string { return s.url }

// Kill ends the server with SIGKILL.
func (s *Search) Kill(t testing.TB) {
	t.Helper()
	s.process.do(t, (*process).kill)
}

// Stop ends the server in good order.
func (s *Search) Stop(t testing.TB) {
	t.Helper()
	s.process.do(t, (*process).stop)
}

// Start starts the server again after Kill or Stop, with the same data and at
// the same address. It returns when the server answers.
func (s *Search) Start(t testing.TB) {
	t.Helper()
	s.process.do(t, (*process).startAgain)
}

// Pause has the server stand still: it keeps its connections and its port and
// answers nothing until Resume.
func (s *Search) Pause(t testing.TB) {
	t.Helper()
	s.process.do(t, (*process).pause)
}

// Resume has the server go on after Pause.
func (s *Search) Resume(t testing.TB) {
	t.Helper()
	s.process.do(t, (*process).resume)
}
