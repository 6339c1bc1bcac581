package elasticsearch

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"go.uber.org/zap"

	"aictail/sinks"
)

// templates are what setup installs, apart from what follows from the
// configuration: the index patterns, whether it is a data stream, and the policy.
//
//go:embed template/*.json
var templates embed.FS

// maxSetupAnswer bounds the answers to setup's requests: a policy or template that
// an operator has made larger is there all the same.
const maxSetupAnswer = 1 << 20

// product is what the server is, as far as setup has to know.
type product struct {
	name string
	// template is the file of the index template.
	template string
	// policies is where lifecycle policies are, policy the prefix of their files.
	policies, policy string
	// named: index settings name the policy. Otherwise the policy names the indices.
	named bool
}

func elastic() product {
	return product{"Elasticsearch", "elasticsearch.json", "/_ilm/policy/", "ilm", true}
}

func openSearch() product {
	return product{"OpenSearch", "opensearch.json", "/_plugins/_ism/policies/", "ism", false}
}

// setup installs the lifecycle policy and the index template of the target if they
// are not there. It never changes what is there, and several instances may do it at
// once: they install the same. Its errors are *sinks.Error.
func (s *Sink) setup(ctx context.Context) error {
	p, err := s.detect(ctx)
	if err != nil {
		return err
	}
	hasPolicy, err := s.installPolicy(ctx, p)
	if err != nil {
		return err
	}
	return s.installTemplate(ctx, p, hasPolicy)
}

// detect finds out which product answers. A server that does not say so (without its
// full distribution, or for a key that may not ask) is taken for Elasticsearch, which
// names itself in a header as a rule.
func (s *Sink) detect(ctx context.Context) (product, error) {
	a, err := s.call(ctx, http.MethodGet, "/", nil)
	if err != nil {
		return product{}, err
	}
	if a.status == http.StatusUnauthorized || passing(a.status) && a.status != http.StatusOK {
		return product{}, s.refusal(a.status, a.header, a.body)
	}
	var info struct{ Version struct{ Distribution string } }
	// Anything but JSON says nothing, which is dealt with.
	_ = json.Unmarshal(a.body, &info)
	if info.Version.Distribution == "opensearch" {
		return openSearch(), nil
	}
	return elastic(), nil
}

// installPolicy reports whether there is a lifecycle policy for the target.
func (s *Sink) installPolicy(ctx context.Context, p product) (bool, error) {
	path := p.policies + s.target.label()
	a, err := s.call(ctx, http.MethodGet, path, nil)
	if err != nil {
		return false, err
	}
	if a.status == http.StatusOK {
		return true, nil
	}
	if a.status == http.StatusNotFound {
		if a, err = s.call(ctx, http.MethodPut, path, s.policyBody(p)); err != nil {
			return false, err
		}
	}
	switch a.status {
	case http.StatusOK, http.StatusCreated, http.StatusConflict: // another instance was faster
		s.log.Info("lifecycle policy installed", zap.String("policy", s.target.label()))
		return true, nil
	case http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone, http.StatusNotImplemented:
		if !s.told[path] {
			s.told[path] = true
			_, reason := topCause(a.body)
			s.log.Info("the server takes no lifecycle policy; indices are kept until somebody deletes them",
				zap.String("product", p.name), zap.Int("status", a.status), zap.String("reason", reason))
		}
		return false, nil
	}
	return false, s.setupError("the lifecycle policy "+s.target.label(), a,
		"grant the cluster privilege manage_ilm (OpenSearch: cluster:admin/opendistro/ism/policy/*)")
}

// installTemplate installs the index template, with the policy if there is one.
func (s *Sink) installTemplate(ctx context.Context, p product, hasPolicy bool) error {
	const privilege = "grant the cluster privilege manage_index_templates (OpenSearch: indices:admin/index_template/*)"
	what, path := "the index template "+s.target.label(), "/_index_template/"+s.target.label()
	a, err := s.call(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	if a.status == http.StatusOK {
		return nil
	}
	if a.status != http.StatusNotFound {
		return s.setupError(what, a, privilege)
	}
	if a, err = s.putTemplate(ctx, p, path, hasPolicy); err != nil {
		return err
	}
	if _, reason := topCause(a.body); a.status == http.StatusBadRequest && strings.Contains(reason, "[flattened]") {
		// An OpenSearch that did not say so.
		if a, err = s.putTemplate(ctx, openSearch(), path, false); err != nil {
			return err
		}
	}
	_, reason := topCause(a.body)
	switch {
	case a.status == http.StatusOK, a.status == http.StatusCreated:
		s.log.Info("index template installed", zap.String("template", s.target.label()), zap.String("pattern", s.target.pattern()))
		return nil
	case a.status == http.StatusBadRequest && strings.Contains(reason, "already exists"):
		return nil // another instance was faster
	}
	return s.setupError(what, a, privilege)
}

func (s *Sink) putTemplate(ctx context.Context, p product, path string, hasPolicy bool) (reply, error) {
	// create: what somebody has installed since is not replaced.
	return s.call(ctx, http.MethodPut, path+"?create=true", s.templateBody(p, hasPolicy))
}

// setupError is the error of a setup request. Its reason is about what setup sent,
// so it is shown.
func (s *Sink) setupError(what string, a reply, privilege string) *sinks.Error {
	typ, reason := topCause(a.body)
	err := fmt.Errorf("install %s: the server answered %d%s: %s", what, a.status, typ, reason)
	switch {
	case passing(a.status):
		return &sinks.Error{Kind: sinks.Retry, After: s.after(a.header), Err: err}
	case a.status == http.StatusUnauthorized:
		return s.refusal(a.status, a.header, a.body)
	case a.status == http.StatusForbidden:
		return &sinks.Error{Kind: sinks.Refused, Err: fmt.Errorf("%w: %s, or install it yourself and set setup.enabled: false", err, privilege)}
	}
	return &sinks.Error{Kind: sinks.Refused, Err: fmt.Errorf("%w: install it yourself and set setup.enabled: false", err)}
}

// object is a JSON object that is changed before it is sent.
type object = map[string]any

// embedded returns one of the templates. They are part of the program, and a test
// reads them all.
func embedded(name string) object {
	var o object
	text, err := templates.ReadFile("template/" + name)
	if err == nil {
		err = json.Unmarshal(text, &o)
	}
	if err != nil {
		panic(fmt.Sprintf("template %s: %v", name, err))
	}
	return o
}

func (s *Sink) policyBody(p product) object {
	kind := "index"
	if s.target.stream {
		kind = "data-stream"
	}
	o := embedded(p.policy + "-" + kind + ".json")
	if !p.named {
		policy := o["policy"].(object)
		policy["ism_template"].([]any)[0].(object)["index_patterns"] = []string{s.target.pattern()}
	}
	return o
}

func (s *Sink) templateBody(p product, hasPolicy bool) object {
	o := embedded(p.template)
	o["index_patterns"] = []string{s.target.pattern()}
	if s.target.stream {
		o["data_stream"] = object{}
	}
	if hasPolicy && p.named {
		o["template"].(object)["settings"] = object{"index.lifecycle.name": s.target.label()}
	}
	return o
}

// reply is the answer to a request of setup.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// call makes a request, with a body unless it is nil. Its error is of kind Retry or
// Refused and means that there was no answer.
func (s *Sink) call(ctx context.Context, method, path string, body object) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return reply{}, fmt.Errorf("encode the body for %s: %w", path, err)
		}
	}
	var res *http.Response
	err := s.onSomeNode(ctx, func() error {
		// The client puts the node's address in.
		req, err := http.NewRequestWithContext(ctx, method, "http://node"+path, bytes.NewReader(text))
		if err != nil {
			return err
		}
		if body != nil {
			req.Header.Set("Content-Type", "application/json")
		}
		res, err = s.client.Perform(req) //nolint:bodyclose // below
		return err
	})
	if err != nil {
		return reply{}, unreached(err, s.cfg.Timeout)
	}
	defer func() { _ = res.Body.Close() }() // nothing of it is needed any more
	a := reply{status: res.StatusCode, header: res.Header}
	if a.body, err = io.ReadAll(io.LimitReader(res.Body, maxSetupAnswer)); err != nil {
		return reply{}, unreached(err, s.cfg.Timeout)
	}
	return a, nil
}

var _ sinks.Sink = (*Sink)(nil)
