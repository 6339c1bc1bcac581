package elasticsearch

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"aictail/sinks"
)

var _ sinks.Prober = (*Sink)(nil)

// Probe asks every node who it is, and the cluster whether the key or user may write,
// and whether template and pipeline are there. Elasticsearch tells what one may do;
// OpenSearch does not, and there it shows with the first event.
func (s *Sink) Probe(ctx context.Context) []sinks.Finding {
	ctx, certificates := sinks.WatchCertificates(ctx)
	list, answering := s.probeNodes(ctx)
	list = append(list, certificates(time.Now())...)
	if answering == nil {
		return list
	}
	one, err := s.at(answering)
	if err != nil {
		return append(list, sinks.FindingOf("address", err))
	}
	defer func() { _ = one.Close() }() // nothing is on its way
	template := one.probeTemplate(ctx)
	list = append(list, one.probeRights(ctx, template.Verdict == sinks.Good && one.hasTemplate)...)
	list = append(list, template)
	if s.cfg.Pipeline != "" {
		list = append(list, one.probePipeline(ctx))
	}
	return list
}

// probing is a sink that talks to one node only, and what was found with it.
type probing struct {
	*Sink
	hasTemplate bool
}

// at connects to one node.
func (s *Sink) at(node *url.URL) (*probing, error) {
	one := &Sink{cfg: s.cfg, nodes: s.nodes, target: s.target, log: s.log, now: s.now, told: map[string]bool{}}
	one.nodes.urls = []*url.URL{node}
	return &probing{Sink: one}, one.connect()
}

// probeNodes asks every node, and returns one that answers as it should; nil if none
// does.
func (s *Sink) probeNodes(ctx context.Context) (list []sinks.Finding, answering *url.URL) {
	for _, node := range s.nodes.urls {
		found, err := s.greet(ctx, node)
		if err != nil {
			list = append(list, sinks.FindingOf("address", fmt.Errorf("%s: %w", node.Redacted(), err)))
			continue
		}
		answering = node
		list = append(list, sinks.Finding{Check: "address", Found: node.Redacted() + " is " + found})
	}
	for i := range list {
		if answering != nil { // the others are used as long as one answers
			list[i].Verdict = min(list[i].Verdict, sinks.Doubtful)
		}
	}
	return list, answering
}

// greet returns what a node says it is.
func (s *Sink) greet(ctx context.Context, node *url.URL) (string, error) {
	one, err := s.at(node)
	if err != nil {
		return "", err
	}
	defer func() { _ = one.Close() }() // nothing is on its way
	a, err := one.call(ctx, http.MethodGet, "/", nil)
	if err != nil {
		return "", err
	}
	var info struct {
		Version struct{ Number, Distribution string }
	}
	switch {
	case a.status == http.StatusForbidden, a.status == http.StatusMethodNotAllowed:
		// A key that may write need not see this, and a server without its full
		// distribution does not have it.
		return "a cluster that does not tell its version", nil
	case a.status != http.StatusOK:
		return "", s.refusal(a.status, a.header, a.body)
	case json.Unmarshal(a.body, &info) != nil || info.Version.Number == "":
		return "", fmt.Errorf("what answers there is not Elasticsearch or OpenSearch: check urls")
	case info.Version.Distribution == "opensearch":
		return "OpenSearch " + info.Version.Number, nil
	}
	return "Elasticsearch " + info.Version.Number, nil
}

// probeRights asks what the key or user may do. What setup needs matters only as long
// as the template is not there.
func (p *probing) probeRights(ctx context.Context, installed bool) []sinks.Finding {
	cluster := []string{}
	if p.cfg.Setup && !installed {
		cluster = []string{"manage_index_templates", "manage_ilm"}
	}
	pattern := p.target.pattern()
	a, err := p.call(ctx, http.MethodPost, "/_security/user/_has_privileges", object{
		"cluster": cluster,
		"index":   []object{{"names": []string{pattern}, "privileges": []string{"create_doc", "auto_configure"}}},
	})
	if err != nil {
		return []sinks.Finding{sinks.FindingOf("rights", err)}
	}
	var has struct {
		Cluster map[string]bool
		Index   map[string]map[string]bool
	}
	if a.status == http.StatusUnauthorized {
		return []sinks.Finding{sinks.FindingOf("rights", p.refusal(a.status, a.header, a.body))}
	}
	if a.status != http.StatusOK || json.Unmarshal(a.body, &has) != nil || len(has.Index) == 0 {
		return []sinks.Finding{{Check: "rights", Found: "this cluster does not tell what one may do (no security, or OpenSearch): it shows with the first event"}}
	}
	var list []sinks.Finding
	lack := func(v sinks.Verdict, what, remedy string) {
		list = append(list, sinks.Finding{Check: "rights", Verdict: v, Found: what, Remedy: remedy})
	}
	if !has.Index[pattern]["create_doc"] {
		lack(sinks.Bad, "the key or user may not write to "+pattern, "grant the index privilege create_doc on "+pattern)
	}
	if !has.Index[pattern]["auto_configure"] {
		lack(sinks.Doubtful, "the key or user may not create "+pattern, "grant the index privilege auto_configure on "+pattern+", or create what is written to")
	}
	var missing []string
	for _, privilege := range cluster {
		if !has.Cluster[privilege] {
			missing = append(missing, privilege)
		}
	}
	if len(missing) > 0 {
		lack(sinks.Bad, "the key or user may not install the index template and lifecycle policy",
			"grant the cluster privileges "+strings.Join(missing, " and ")+", or install them yourself and set setup.enabled: false")
	}
	if len(list) == 0 {
		list = []sinks.Finding{{Check: "rights", Found: "the key or user may write to " + pattern}}
	}
	return list
}

// probeTemplate looks whether the index template is there.
func (p *probing) probeTemplate(ctx context.Context) sinks.Finding {
	name := p.target.label()
	f := sinks.Finding{Check: "template"}
	a, err := p.call(ctx, http.MethodGet, "/_index_template/"+name, nil)
	switch {
	case err != nil:
		return sinks.FindingOf("template", err)
	case a.status == http.StatusOK:
		p.hasTemplate = true
		f.Found = "the index template " + name + " is installed"
	case a.status == http.StatusNotFound && p.cfg.Setup:
		f.Found = "the index template " + name + " is not there yet; it is installed when the daemon starts"
	case a.status == http.StatusNotFound:
		f.Verdict, f.Found = sinks.Doubtful, "there is no index template "+name+", and setup.enabled is false"
		f.Remedy = "if no other template covers " + p.target.pattern() + ", install it from deploy/elasticsearch or set setup.enabled: true"
	case a.status == http.StatusUnauthorized:
		return sinks.FindingOf("template", p.refusal(a.status, a.header, a.body))
	default:
		f.Found = fmt.Sprintf("whether the index template %s is there is not told to this key or user (%d)", name, a.status)
		if p.cfg.Setup && a.status == http.StatusForbidden {
			f.Verdict, f.Remedy = sinks.Bad, "grant the cluster privilege manage_index_templates, or install it yourself and set setup.enabled: false"
		}
	}
	return f
}

// probePipeline looks whether the ingest pipeline is there.
func (p *probing) probePipeline(ctx context.Context) sinks.Finding {
	a, err := p.call(ctx, http.MethodGet, "/_ingest/pipeline/"+url.PathEscape(p.cfg.Pipeline), nil)
	switch {
	case err != nil:
		return sinks.FindingOf("pipeline", err)
	case a.status == http.StatusOK:
		return sinks.Finding{Check: "pipeline", Found: "the pipeline " + p.cfg.Pipeline + " is there"}
	case a.status == http.StatusNotFound:
		return sinks.Finding{Check: "pipeline", Verdict: sinks.Bad, Found: "there is no pipeline " + p.cfg.Pipeline, Remedy: "create it, or change pipeline"}
	}
	return sinks.Finding{Check: "pipeline", Found: fmt.Sprintf("whether the pipeline %s is there is not told to this key or user (%d)", p.cfg.Pipeline, a.status)}
}
