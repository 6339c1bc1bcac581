package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"

	"aictail/sinks/sinktest/servers"
	"aictail/sinks/splunkhec/hectest"
	"aictail/tailer/simulator"
)

// TestRealPoison has one event in a thousand that no receiver takes, each for a
// reason of its own: Elasticsearch for its mapping, Kafka for the age of the
// timestamp, Splunk because it cannot read it. Exactly those are dead letters with
// what the receiver said; once it takes them a replay delivers each once.
func TestRealPoison(t *testing.T) {
	const events, bad = 10_000, 10
	p := newPoison(t)
	p.add(events/2, bad/2)
	p.daemon = start(t, "run", "--config", p.config)
	p.add(events/2, bad/2)
	for sink, ids := range p.sinks() {
		eventually(t, "dead letters and everything else in "+sink, func() bool {
			body, _ := get("http://" + p.admin + "/metrics")
			return parseMetrics(body)[ofSink("dead_letters", sink)] == bad && len(ids()) >= events-bad || !pause()
		})
		if diff := cmp.Diff(p.good, ids()); diff != "" {
			t.Errorf("%s does not have the other events once (-want +got):\n%s", sink, tail(diff))
		}
		p.checkLetters(sink)
	}
	if _, status := get("http://" + p.admin + "/readyz"); status != 200 {
		t.Errorf("/readyz answers %d: dead letters are no reason to be unready", status)
	}
	p.mend()
	all := maps.Clone(p.good)
	maps.Copy(all, p.bad)
	for sink, ids := range p.sinks() {
		if out := p.command("deadletter", "replay", "--sink", sink); out != fmt.Sprintf("%d accepted, 0 refused again\n", bad) {
			t.Errorf("deadletter replay --sink %s: %s", sink, out)
		}
		if out := p.command("deadletter", "list", "--sink", sink); out != "no dead letters\n" {
			t.Errorf("deadletter list --sink %s after the replay: %s", sink, out)
		}
		if diff := cmp.Diff(all, ids()); diff != "" {
			t.Errorf("%s does not have every event once (-want +got):\n%s", sink, tail(diff))
		}
	}
	if code := p.daemon.stop(); code != exitDone {
		t.Errorf("exit code %d after SIGTERM, want %d", code, exitDone)
	}
	if strings.Contains(p.daemon.log.String(), marker) {
		t.Error("the log shows event content")
	}
}

// marker is in the events that nobody takes.
const marker = "poison-4711"

// poison is a daemon with three sinks that refuse some events.
type poison struct {
	t      *testing.T
	dir    string
	config string
	admin  string
	topic  string
	index  string

	tenant    *simulator.Tenant
	broker    *servers.Broker
	search    *servers.Search
	splunk    *hectest.Server
	daemon    *program
	good, bad map[string]int // ids of the events
}

func newPoison(t *testing.T) *poison {
	t.Helper()
	run := fmt.Sprintf("t%x", time.Now().UnixNano())
	p := &poison{
		t: t, dir: t.TempDir(), admin: freeAddress(t), topic: run, index: run + "-am-config",
		broker: servers.Kafka(t, servers.KafkaOptions{}),
		search: servers.Elasticsearch(t, "8", servers.SearchOptions{}),
		// What precedes a bad event is not indexed, so that nothing arrives twice.
		splunk: hectest.New(hectest.Options{DropBatch: true, Unreadable: func(e hectest.Event) bool {
			return strings.Contains(string(e.Raw), marker)
		}}),
		good: map[string]int{}, bad: map[string]int{},
	}
	t.Cleanup(p.splunk.Close)
	p.broker.CreateTopic(t, run, 3)
	p.setTopic("message.timestamp.before.max.ms", "3600000")
	askSearch(t, http.MethodPut, p.search.URL()+"/"+p.index, `{"mappings":{"dynamic":false,"properties":{
		"aictail":{"properties":{"id":{"type":"keyword"},"source":{"type":"keyword"}}},
		"payload":{"properties":{"n":{"type":"long"}}}, "message":{"type":"long"}}}}`, &struct{}{})
	var url string
	var err error
	if p.tenant, err = simulator.New(simulator.Options{Limit: 100_000, ShowLast: true, Sources: []string{"am-config"}}); err != nil {
		t.Fatal(err)
	}
	url, stop, err := simulator.Start(p.tenant)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	p.config = filepath.Join(p.dir, "aictail.yaml")
	writeFile(t, p.config, fmt.Sprintf(`
data_dir: %[1]s/data
admin: {listen: %[2]q}
tenants:
  prod: {url: %[3]q, api_key: x, api_secret: y, sources: [am-config], start: 3h, poll: {min_interval: 100ms, max_interval: 1s}, sweep: {settle: 5s}}
sinks:
  bus: {type: kafka, brokers: [%[4]q], topic: %[5]s}
  search: {type: elasticsearch, urls: [%[6]q], index: '%[5]s-{source}', setup: {enabled: false}}
  siem: {type: splunk_hec, url: %[7]q, token: token}
`, p.dir, p.admin, url, p.broker.Addr(), run, p.search.URL(), p.splunk.URL()))
	return p
}

// add adds n events, bad of which are two hours old and have text for a number.
func (p *poison) add(n, bad int) {
	p.t.Helper()
	for i := range n {
		id := fmt.Sprintf("1d7bb2fd-0000-4000-8000-000000000001-%d", len(p.good)+len(p.bad))
		e := simulator.Entry{Source: "am-config", Payload: fmt.Appendf(nil, `{"_id":%q,"n":%d}`, id, i)}
		into := p.good
		if i%(n/bad) == n/bad/2 {
			into = p.bad
			e.Payload = fmt.Appendf(nil, `{"_id":%q,"n":%q}`, id, marker)
			e.Time = time.Now().Add(-2 * time.Hour)
		}
		into[id] = 1
		if err := p.tenant.Add(e); err != nil {
			p.t.Fatal(err)
		}
	}
}

// sinks returns how often each event is in each sink.
func (p *poison) sinks() map[string]func() map[string]int {
	return map[string]func() map[string]int{
		"bus": func() map[string]int {
			ids := map[string]int{}
			for _, r := range readTopics(p.broker.Addr(), p.topic).all(p.t) {
				ids[r.id]++
			}
			return ids
		},
		"search": func() map[string]int {
			ids := map[string]int{}
			for line, n := range documents(p.t, p.search.URL(), p.topic) {
				var e struct {
					Payload struct {
						ID string `json:"_id"`
					}
				}
				if err := json.Unmarshal([]byte(line), &e); err != nil {
					p.t.Fatal(err)
				}
				ids[e.Payload.ID] += n
			}
			return ids
		},
		"siem": func() map[string]int { return splunkIDs(p.splunk) },
	}
}

// command runs a subcommand on the daemon's configuration and returns what it
// prints.
func (p *poison) command(args ...string) string {
	p.t.Helper()
	q := start(p.t, append(args, "--config", p.config)...)
	if code := q.wait(); code != exitDone {
		p.t.Errorf("%v: exit code %d:\n%s", args, code, q.log)
	}
	return q.log.String()
}

// checkLetters looks at the list of a sink's dead letters: those that nobody takes,
// with the receiver's reason, and without their content.
func (p *poison) checkLetters(sink string) {
	p.t.Helper()
	reason := map[string]string{
		"bus":    "Invalid Timestamp.*message.timestamp.before.max.ms",
		"search": `document_parsing_exception.*on field \[payload.n\] of type \[long\]`,
		"siem":   "HEC code 6",
	}[sink]
	out := p.command("deadletter", "list", "--sink", sink)
	p.t.Logf("deadletter list --sink %s:\n%s", sink, tail(out))
	if strings.Contains(out, marker) || !regexp.MustCompile(reason).MatchString(out) {
		p.t.Errorf("the list shows event content, or not the reason %s", reason)
	}
	listed := map[string]int{}
	for line := range strings.Lines(p.command("deadletter", "list", "--json", "--sink", sink)) {
		var l struct{ ID, Error, Reason string }
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			p.t.Fatal(err)
		}
		listed[l.ID]++
		if l.Reason != "rejected" || !regexp.MustCompile(reason).MatchString(l.Error) {
			p.t.Errorf("%s: dead letter with reason %q: %s", sink, l.Reason, l.Error)
		}
		if strings.Contains(l.Error, marker) {
			p.t.Errorf("%s: the reason shows event content: %s", sink, l.Error)
		}
	}
	if diff := cmp.Diff(p.bad, listed); diff != "" {
		p.t.Errorf("dead letters of %s (-want +got):\n%s", sink, diff)
	}
}

// mend has every receiver take the events.
func (p *poison) mend() {
	p.t.Helper()
	p.splunk.Set(func(o *hectest.Options) { o.Unreadable = nil })
	askSearch(p.t, http.MethodPut, p.search.URL()+"/"+p.index+"/_mapping",
		`{"properties":{"payload":{"properties":{"n":{"type":"long","ignore_malformed":true}}}}}`, &struct{}{})
	p.setTopic("message.timestamp.before.max.ms", "9223372036854775807")
}

// setTopic changes a setting of the topic.
func (p *poison) setTopic(name, value string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	client := kafka.Client{Addr: kafka.TCP(p.broker.Addr())}
	answer, err := client.IncrementalAlterConfigs(ctx, &kafka.IncrementalAlterConfigsRequest{
		Resources: []kafka.IncrementalAlterConfigsRequestResource{{
			ResourceType: kafka.ResourceTypeTopic, ResourceName: p.topic,
			Configs: []kafka.IncrementalAlterConfigsRequestConfig{{Name: name, Value: value, ConfigOperation: kafka.ConfigOperationSet}},
		}},
	})
	if err == nil {
		err = answer.Resources[0].Error
	}
	if err != nil {
		p.t.Fatalf("set %s of the topic: %v", name, err)
	}
}
