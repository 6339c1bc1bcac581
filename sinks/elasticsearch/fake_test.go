package elasticsearch

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
)

// fake is a server that refuses what the real ones refuse, with their words. It has
// the parts that the sink uses: _bulk, index templates and lifecycle policies.
type fake struct {
	product  string // "elasticsearch", "opensearch", or "bare": no GET / and no policies
	maxBody  int    // http.max_content_length, of the body after decompression
	noCreate bool   // action.auto_create_index: false
	auth     string // what Authorization must be; "" for a server without security

	mu sync.Mutex
	// docs are the documents in the order of their creation.
	docs      []document
	ids       map[string]bool // index and id
	templates map[string]map[string]any
	policies  map[string]map[string]any
	// conflict names a field that is mapped to a number.
	conflict string
	// itemFault answers for the document of an id in its place.
	itemFault map[string]itemFault
	faults    []*fault
	requests  []string // method and path of each
	bodies    []int    // sizes of the _bulk bodies after decompression
}

type document struct{ index, id, source string }

// itemFault is an item's status and the type and reason of its error.
type itemFault struct {
	status      int
	typ, reason string
	times       int // how often; 0: always
}

// fault is what happens to some requests.
type fault struct {
	path  string // requests of this path and below; "" for all
	times int    // how often; 0: always
	// after: the request is carried out first, and its answer is given to do.
	after bool
	do    func(w http.ResponseWriter, r *http.Request, answer []byte)
	fired int
}

func newFake(t testing.TB) (*fake, *httptest.Server) {
	f := &fake{
		product: "elasticsearch", maxBody: 100 << 20, ids: map[string]bool{},
		templates: map[string]map[string]any{}, policies: map[string]map[string]any{}, itemFault: map[string]itemFault{},
	}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	return f, server
}

// inject adds a fault and returns it, so that the test can see that it fired.
func (f *fake) inject(x fault) *fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = append(f.faults, &x)
	return &x
}

// fired says how often a fault was met.
func (f *fake) fired(x *fault) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return x.fired
}

// heal removes all faults.
func (f *fake) heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = nil
	clear(f.itemFault)
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.requests = append(f.requests, r.Method+" "+r.URL.Path)
	var x *fault
	for _, candidate := range f.faults {
		if strings.HasPrefix(r.URL.Path, candidate.path) && (candidate.times == 0 || candidate.fired < candidate.times) {
			x = candidate
			x.fired++
			break
		}
	}
	f.mu.Unlock()
	if x == nil {
		f.serve(w, r)
		return
	}
	var answer []byte
	if x.after {
		recorder := httptest.NewRecorder()
		f.serve(recorder, r)
		answer = recorder.Body.Bytes()
	} else {
		_, _ = io.Copy(io.Discard, r.Body)
	}
	x.do(w, r, answer)
}

func (f *fake) serve(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.product != "opensearch" {
		w.Header().Set("X-Elastic-Product", "Elasticsearch")
	}
	if f.auth != "" && r.Header.Get("Authorization") != f.auth {
		w.Header().Set("WWW-Authenticate", `ApiKey`)
		fail(w, 401, "security_exception", "unable to authenticate")
		return
	}
	switch {
	case r.URL.Path == "/_bulk":
		f.bulk(w, r)
	case r.URL.Path == "/":
		f.info(w)
	case strings.HasPrefix(r.URL.Path, "/_index_template/"):
		f.template(w, r)
	case strings.HasPrefix(r.URL.Path, "/_ilm/policy/") && f.product == "elasticsearch",
		strings.HasPrefix(r.URL.Path, "/_plugins/_ism/policies/") && f.product == "opensearch":
		f.policy(w, r)
	default:
		respond(w, 400, map[string]any{"error": fmt.Sprintf("no handler found for uri [%s] and method [%s]", r.URL.Path, r.Method)})
	}
}

func (f *fake) info(w http.ResponseWriter) {
	switch f.product {
	case "bare":
		respond(w, 405, map[string]any{"error": "Incorrect HTTP method for uri [/] and method [GET], allowed: [DELETE]", "status": 405})
	case "opensearch":
		respond(w, 200, map[string]any{"version": map[string]any{"distribution": "opensearch", "number": "3.5.0"}})
	default:
		respond(w, 200, map[string]any{"version": map[string]any{"number": "9.2.2"}, "tagline": "You Know, for Search"})
	}
}

func (f *fake) template(w http.ResponseWriter, r *http.Request) {
	name := path.Base(r.URL.Path)
	_, there := f.templates[name]
	switch {
	case r.Method == http.MethodGet && there:
		respond(w, 200, map[string]any{"index_templates": []any{}})
		return
	case r.Method == http.MethodGet:
		fail(w, 404, "resource_not_found_exception", "index template matching ["+name+"] not found")
		return
	case there && r.URL.Query().Get("create") == "true":
		fail(w, 400, "illegal_argument_exception", "index template ["+name+"] already exists")
		return
	}
	body := f.decode(w, r)
	if body == nil {
		return
	}
	if name != strings.ToLower(name) {
		fail(w, 400, "invalid_index_template_exception", "index_template ["+name+"] invalid, cause [Validation Failed: 1: name must be lower cased;]")
		return
	}
	properties := dig(body, "template", "mappings", "properties")
	for field, v := range properties {
		typ, _ := v.(map[string]any)["type"].(string)
		if (typ == "flattened") == (f.product == "opensearch") && (typ == "flattened" || typ == "flat_object") {
			fail(w, 400, "mapper_parsing_exception", "Failed to parse mapping: No handler for type ["+typ+"] declared on field ["+field+"]")
			return
		}
	}
	if dig(body, "template", "settings")["index.lifecycle.name"] != nil && f.product != "elasticsearch" {
		fail(w, 400, "illegal_argument_exception", "unknown setting [index.lifecycle.name]")
		return
	}
	f.templates[name] = body
	respond(w, 200, map[string]any{"acknowledged": true})
}

func (f *fake) policy(w http.ResponseWriter, r *http.Request) {
	name := path.Base(r.URL.Path)
	_, there := f.policies[name]
	switch {
	case r.Method == http.MethodGet && there:
		respond(w, 200, map[string]any{name: map[string]any{}})
	case r.Method == http.MethodGet:
		fail(w, 404, "resource_not_found_exception", "policy not found")
	case there && f.product == "opensearch":
		fail(w, 409, "version_conflict_engine_exception", "document already exists")
	default:
		if body := f.decode(w, r); body != nil {
			f.policies[name] = body
			respond(w, 200, map[string]any{"acknowledged": true})
		}
	}
}

func (f *fake) decode(w http.ResponseWriter, r *http.Request) map[string]any {
	var body map[string]any
	if r.Header.Get("Content-Type") != "application/json" {
		respond(w, 406, map[string]any{"error": "Content-Type header is not supported", "status": 406})
		return nil
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		fail(w, 400, "x_content_parse_exception", err.Error())
		return nil
	}
	return body
}

// dig follows names into an object; it is nil where there is none.
func dig(o map[string]any, names ...string) map[string]any {
	for _, name := range names {
		o, _ = o[name].(map[string]any)
	}
	return o
}

// mapped says whether a template of the sink holds for the index, and whether that
// makes it a data stream.
func (f *fake) mapped(index string) (mapped, stream bool) {
	for _, t := range f.templates {
		for _, p := range t["index_patterns"].([]any) {
			if ok, _ := path.Match(p.(string), index); ok {
				return true, t["data_stream"] != nil
			}
		}
	}
	return false, false
}

func fail(w http.ResponseWriter, status int, typ, reason string) {
	cause := map[string]any{"type": typ, "reason": reason}
	respond(w, status, map[string]any{"error": map[string]any{"root_cause": []any{cause}, "type": typ, "reason": reason}, "status": status})
}

func respond(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// uncompressed reads a body as the servers do.
func uncompressed(r *http.Request) ([]byte, error) {
	if r.Header.Get("Content-Encoding") != "gzip" {
		return io.ReadAll(r.Body)
	}
	z, err := gzip.NewReader(r.Body)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

// seen returns what of the fake's record is needed for comparisons.
func (f *fake) seen() (docs []document, requests []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.docs), slices.Clone(f.requests)
}

// gunzip is for tests that look at a body themselves.
func gunzip(t testing.TB, b []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
