package servers

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// watched is a test whose end can be watched.
type watched struct {
	testing.TB
	skipped, failed string
}

func (w *watched) Helper() {}

func (w *watched) Skip(args ...any) { w.Skipf("%s", fmt.Sprint(args...)) }

func (w *watched) Skipf(format string, args ...any) {
	w.skipped = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func (w *watched) Fatal(args ...any) { w.Fatalf("%s", fmt.Sprint(args...)) }

func (w *watched) Fatalf(format string, args ...any) {
	w.failed = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// watch runs a test to its end.
func watch(t *testing.T, test func(testing.TB)) *watched {
	t.Helper()
	w := &watched{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		test(w)
	}()
	<-done
	return w
}

// TestGate says when tests with real servers are skipped and when they fail.
func TestGate(t *testing.T) {
	for _, k := range []kind{kafkaKind, elastic8, elastic9, openSearch} {
		t.Setenv(k.addressVar, "")
	}
	t.Setenv("JAVA_HOME", "")
	t.Setenv("PATH", "")
	t.Setenv(cacheVar, t.TempDir())
	tests := map[string]func(testing.TB){
		"TEST_KAFKA":           func(t testing.TB) { Kafka(t, KafkaOptions{}) },
		"TEST_ELASTICSEARCH_8": func(t testing.TB) { Elasticsearch(t, "8", SearchOptions{}) },
		"TEST_ELASTICSEARCH_9": func(t testing.TB) { Elasticsearch(t, "9", SearchOptions{}) },
		"TEST_OPENSEARCH":      func(t testing.TB) { OpenSearch(t, SearchOptions{}) },
	}
	for variable, test := range tests {
		t.Setenv(enableVar, "")
		w := watch(t, test)
		if !strings.Contains(w.skipped, "make integration") || !strings.Contains(w.skipped, variable) {
			t.Errorf("%s: skipped: %q, failed: %q", variable, w.skipped, w.failed)
		}
		t.Setenv(enableVar, "1")
		if w := watch(t, test); w.failed == "" {
			t.Errorf("%s: without Java and Maven the test goes on, skipped: %q", variable, w.skipped)
		}
	}
}

// TestGivenServer uses servers that run already.
func TestGivenServer(t *testing.T) {
	t.Setenv("TEST_KAFKA", "broker:9092")
	t.Setenv("TEST_ELASTICSEARCH_8", "http://search:9200/")
	t.Setenv(enableVar, "")
	broker, search := Kafka(t, KafkaOptions{}), Elasticsearch(t, "8", SearchOptions{})
	if broker.Addr() != "broker:9092" || search.URL() != "http://search:9200" {
		t.Errorf("addresses are %s and %s", broker.Addr(), search.URL())
	}
	for name, test := range map[string]func(testing.TB){
		"Kill":            broker.Kill,
		"Start":           broker.Start,
		"Join":            func(t testing.TB) { broker.Join(t) },
		"Secure":          func(t testing.TB) { broker.Secure(t) },
		"Stop":            search.Stop,
		"Pause":           search.Pause,
		"broker settings": func(t testing.TB) { Kafka(t, KafkaOptions{Settings: map[string]string{"a": "b"}}) },
		"search settings": func(t testing.TB) {
			Elasticsearch(t, "8", SearchOptions{Settings: map[string]string{"a": "b"}})
		},
	} {
		if w := watch(t, test); w.skipped == "" {
			t.Errorf("%s: not skipped, failed: %q", name, w.failed)
		}
	}
	if w := watch(t, func(t testing.TB) { Elasticsearch(t, "7", SearchOptions{}) }); w.failed == "" {
		t.Error("there is an Elasticsearch 7")
	}
}
