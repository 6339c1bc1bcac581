package servers

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestKafkaConfig(t *testing.T) {
	dir := t.TempDir()
	first := &Broker{
		addr: "127.0.0.1:1", node: 1, controller: 5,
		secure: Secure{TLS: "127.0.0.1:2", SASL: "127.0.0.1:3", SASLTLS: "127.0.0.1:4"},
		opts: KafkaOptions{
			Users:    map[string]string{"bob": "b", "alice": "a"},
			Settings: map[string]string{"num.partitions": "3", "auto.create.topics.enable": "true"},
		},
	}
	got := written(t, filepath.Join(dir, "first"), first)
	const addresses = "PLAIN://127.0.0.1:1,TLS://127.0.0.1:2,SASL://127.0.0.1:3,SASLTLS://127.0.0.1:4"
	for _, line := range []string{
		"node.id=1",
		"process.roles=broker,controller",
		"controller.quorum.bootstrap.servers=127.0.0.1:5",
		"listeners=" + addresses + ",CONTROLLER://127.0.0.1:5",
		"advertised.listeners=" + addresses,
		"num.partitions=3",
		"auto.create.topics.enable=true",
		`listener.name.sasl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_alice="a" user_bob="b";`,
	} {
		if !strings.Contains(got, line+"\n") {
			t.Errorf("no line %s in\n%s", line, got)
		}
	}

	second := &Broker{addr: "127.0.0.1:6", node: 2, controller: 5, first: first}
	got = written(t, filepath.Join(dir, "second"), second)
	for _, line := range []string{"node.id=2", "process.roles=broker", "controller.quorum.bootstrap.servers=127.0.0.1:5", "auto.create.topics.enable=false"} {
		if !strings.Contains(got, line+"\n") {
			t.Errorf("no line %s in\n%s", line, got)
		}
	}

	first.opts.Users["eve"] = `x" user_root="`
	if err := first.writeConfig(dir, filepath.Join(dir, "bad")); err == nil || strings.Contains(err.Error(), "root") {
		t.Errorf("a password with quotes: %v", err)
	}
}

func written(t *testing.T, path string, b *Broker) string {
	t.Helper()
	if err := b.writeConfig(filepath.Dir(path), path); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestProperties(t *testing.T) {
	got := properties(map[string]string{"b": `c:\d`, "a": "x=y"})
	if want := "a=x=y\n" + `b=c:\\d` + "\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestClusterIDIsNoOption(t *testing.T) {
	for range 100 {
		if id := newClusterID(); len(id) != 22 || id[0] == '-' {
			t.Fatalf("id %s", id)
		}
	}
}

func TestSearchConfig(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config", "elasticsearch.yml")
	settings := searchSettings("/data folder", 9200, 9300, SearchOptions{Settings: map[string]string{"cluster.name": "mine", "extra": "1"}})
	if err := writeSearchConfig(path, settings); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		`cluster.name: "mine"`, `extra: "1"`, `http.port: "9200"`, `transport.port: "9300"`,
		`network.host: "127.0.0.1"`, `path.data: "/data folder/data"`,
	} {
		if !strings.Contains(string(content), line+"\n") {
			t.Errorf("no line %s in\n%s", line, content)
		}
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(path), "log4j2.properties")); err != nil {
		t.Error(err)
	}
}
