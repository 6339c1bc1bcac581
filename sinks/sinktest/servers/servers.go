// Package servers starts the real servers that sinks deliver to (Kafka,
// Elasticsearch 8 and 9, OpenSearch) for tests, as plain processes without a
// container engine. Maven brings their jars once, into a cache outside the
// tree; the processes listen on the loopback interface only, keep their data in
// the test's folder, and end with the test, however it ends.
//
// A test that uses them is called TestReal…; `make integration` runs these.
// Without TEST_SERVERS in the environment they are skipped; with it, a server
// that can't be prepared or started fails the test. A server that runs already
// is used instead if its address is given (TEST_KAFKA, TEST_ELASTICSEARCH_8, …);
// it may hold what earlier tests left, so tests use names of their own there.
//
// A start takes seconds: tests of a package share a server by being subtests
// of the one that started it.
//
// The servers have no licence features: Elasticsearch and OpenSearch come
// without security and lifecycle management, and Elasticsearch answers `GET /`
// with 405.
package servers

import (
	"context"
	"embed"
	"os"
	"path/filepath"
	"testing"
	"time"
)

const (
	// enableVar enables the real servers.
	enableVar = "TEST_SERVERS"
	// cacheVar names another folder for the prepared servers.
	cacheVar = "TEST_SERVERS_CACHE"
)

// patience is how long a server may take until it answers, and until it has
// ended. On an idle machine it takes 2 to 6 seconds; CI machines are small and busy.
const patience = 2 * time.Minute

// recipes is what the servers are prepared from; see prepare.
//
//go:embed pom.xml launcher/*.java
var recipes embed.FS

// kind is one kind of server.
type kind struct {
	// profile is its profile in pom.xml.
	profile string
	// addressVar is the variable with the address of a running one.
	addressVar string
	// java is the oldest Java that it runs on.
	java int
	// launcher is the main class of ours that starts it, if it needs one.
	launcher string
	// modular servers must be on the module path.
	modular bool
	// config is the name that the server gives its configuration.
	config string
}

var (
	kafkaKind = kind{profile: "kafka", addressVar: "TEST_KAFKA", java: 17, config: "server.properties"}
	elastic8  = kind{
		profile: "elasticsearch-8", addressVar: "TEST_ELASTICSEARCH_8", java: 17,
		launcher: "Elasticsearch8", modular: true, config: "elasticsearch.yml",
	}
	elastic9 = kind{
		profile: "elasticsearch-9", addressVar: "TEST_ELASTICSEARCH_9", java: 21,
		launcher: "Elasticsearch9", modular: true, config: "elasticsearch.yml",
	}
	openSearch = kind{
		profile: "opensearch", addressVar: "TEST_OPENSEARCH", java: 21,
		launcher: "OpenSearch", config: "opensearch.yml",
	}
)

// external returns the address of the running server that the environment
// names, or "" if one is to be started. It skips the test if neither is wanted.
func (k kind) external(t testing.TB) string {
	t.Helper()
	if address := os.Getenv(k.addressVar); address != "" {
		return address
	}
	if os.Getenv(enableVar) == "" {
		t.Skipf("needs a real server: run `make integration`, or set %s=1 or the address in %s", enableVar, k.addressVar)
	}
	return ""
}

// installed is a server that is ready to be started.
type installed struct {
	kind
	home string
	jdk  jdk
}

// javaArgs are the arguments for the Java of a server whose folder is dir, up to
// the main class. Half of the time of a start goes into compiling what a test
// runs a few times, so the optimising compiler is off.
func (s installed) javaArgs(dir, heap string) ([]string, error) {
	temp := filepath.Join(dir, "tmp")
	if err := os.MkdirAll(temp, 0o755); err != nil {
		return nil, err
	}
	return append([]string{
		"-Xms64m", "-Xmx" + heap, "-XX:+ExitOnOutOfMemoryError",
		"-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC",
		// Nothing is left outside the folder, also after kill -9.
		"-XX:-UsePerfData", "-Djava.io.tmpdir=" + temp,
	}, s.javaPath(s.home)...), nil
}

// install finds a Java for the server and prepares its files.
func (k kind) install(t testing.TB) installed {
	t.Helper()
	jdk, err := findJDK(t.Context(), k.java)
	if err != nil {
		t.Fatalf("%s needs a Java: %v", k.profile, err)
	}
	cache, err := cacheFolder()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), prepareTimeout)
	defer cancel()
	home, err := prepare(ctx, k, preparation{cache: cache, jdk: jdk, logf: t.Logf})
	if err != nil {
		t.Fatalf("prepare %s: %v", k.profile, err)
	}
	return installed{kind: k, home: home, jdk: jdk}
}
