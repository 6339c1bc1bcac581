package elasticsearch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
)

// bulkParameters are those that Elasticsearch 8 and OpenSearch share and the sink
// uses; any other is refused.
var bulkParameters = map[string]bool{"filter_path": true, "timeout": true, "pipeline": true}

func (f *fake) bulk(w http.ResponseWriter, r *http.Request) {
	for name := range r.URL.Query() {
		if !bulkParameters[name] {
			fail(w, 400, "illegal_argument_exception", "request [/_bulk] contains unrecognized parameter: ["+name+"]")
			return
		}
	}
	if ct := r.Header.Get("Content-Type"); r.Method != http.MethodPost || ct != "application/x-ndjson" && ct != "application/json" {
		respond(w, 406, map[string]any{"error": "Content-Type header [" + ct + "] is not supported", "status": 406})
		return
	}
	body, err := uncompressed(r)
	switch {
	case err != nil:
		fail(w, 400, "parse_exception", "Not in GZIP format")
		return
	case len(body) > f.maxBody:
		w.WriteHeader(http.StatusRequestEntityTooLarge) // without a body, as the real ones
		return
	case len(body) == 0:
		fail(w, 400, "parse_exception", "request body is required")
		return
	case body[len(body)-1] != '\n':
		fail(w, 400, "illegal_argument_exception", `The bulk request must be terminated by a newline [\n]`)
		return
	}
	f.bodies = append(f.bodies, len(body))
	lines := bytes.Split(bytes.TrimSuffix(body, []byte("\n")), []byte("\n"))
	var actions []action
	for i := 0; i < len(lines); i += 2 {
		a, err := parseAction(lines[i])
		if err == nil && i+1 == len(lines) {
			err = errors.New("Malformed content, found no source") //nolint:staticcheck // the server's words
		}
		if err != nil {
			fail(w, 400, "illegal_argument_exception", err.Error())
			return
		}
		a.source = lines[i+1]
		actions = append(actions, a)
	}
	f.answer(w, r, actions)
}

type action struct {
	op, index, id string
	source        []byte
}

func parseAction(line []byte) (action, error) {
	var a action
	var parsed map[string]map[string]any
	if err := json.Unmarshal(line, &parsed); err != nil || len(parsed) != 1 {
		return a, errors.New("Malformed action/metadata line [1], expected START_OBJECT") //nolint:staticcheck // the server's words
	}
	for op, meta := range parsed {
		a.op = op
		for key, v := range meta {
			switch key {
			case "_index":
				a.index, _ = v.(string)
			case "_id":
				a.id, _ = v.(string)
			default:
				return a, fmt.Errorf("Action/metadata line [1] contains an unknown parameter [%s]", key) //nolint:staticcheck // the server's words
			}
		}
	}
	switch {
	case a.op != "create" && a.op != "index":
		return a, fmt.Errorf("Malformed action/metadata line [1], expected field [create], [delete], [index] or [update] but found [%s]", a.op) //nolint:staticcheck // the server's words
	case len(a.id) > 512:
		return a, errors.New("Validation Failed: 1: id is too long, must be no longer than 512 bytes;") //nolint:staticcheck // the server's words
	case a.id == "":
		return a, errors.New("if _id is specified it must not be empty")
	}
	return a, nil
}

// answer carries the actions out and writes what filter_path leaves of the answer.
func (f *fake) answer(w http.ResponseWriter, r *http.Request, actions []action) {
	keep := map[string]bool{}
	for p := range strings.SplitSeq(r.URL.Query().Get("filter_path"), ",") {
		keep[p] = true
	}
	errs := false
	var items []any
	for _, a := range actions {
		status, typ, reason := f.create(a, r.URL.Query().Get("pipeline"))
		item := map[string]any{}
		if keep["items.*._id"] {
			item["_id"] = a.id
		}
		if keep["items.*.status"] {
			item["status"] = status
		}
		cause := map[string]any{}
		if status >= 300 {
			errs = true
			if keep["items.*.error.type"] {
				cause["type"] = typ
			}
			if keep["items.*.error.reason"] {
				cause["reason"] = reason
			}
			item["error"] = cause
		}
		items = append(items, map[string]any{a.op: item})
	}
	answer := map[string]any{"items": items}
	if keep["errors"] {
		answer["errors"] = errs
	}
	respond(w, 200, answer)
}

var indexName = regexp.MustCompile(`^[^-_+\\/*?"<>| ,#:A-Z][^\\/*?"<>| ,#:A-Z]*$`)

func (f *fake) create(a action, pipeline string) (status int, typ, reason string) {
	mapped, stream := f.mapped(a.index)
	key := a.index + "\x00" + a.id
	switch x, faulty := f.itemFault[a.id]; {
	case faulty && x.times == 1:
		delete(f.itemFault, a.id)
		return x.status, x.typ, x.reason
	case faulty:
		if x.times > 1 {
			x.times--
			f.itemFault[a.id] = x
		}
		return x.status, x.typ, x.reason
	case !indexName.MatchString(a.index) || len(a.index) > 255:
		return 400, "invalid_index_name_exception", "Invalid index name [" + a.index + "]"
	case pipeline != "" && pipeline != "known":
		return 400, "illegal_argument_exception", "pipeline with id [" + pipeline + "] does not exist"
	case f.noCreate:
		return 404, "index_not_found_exception", "no such index [" + a.index + "] and [action.auto_create_index] is [false]"
	case stream && a.op != "create":
		return 400, "illegal_argument_exception", "only write ops with an op_type of create are allowed in data streams"
	}
	if why := f.refuse(a.source, mapped, stream); why != "" {
		return 400, "document_parsing_exception", why
	}
	if f.ids[key] {
		return 409, "version_conflict_engine_exception", "[" + a.id + "]: version conflict, document already exists (current version [1])"
	}
	f.ids[key] = true
	f.docs = append(f.docs, document{a.index, a.id, string(a.source)})
	return 201, "", ""
}

// refuse returns why the mapping refuses a document, quoting it as the servers do.
func (f *fake) refuse(source []byte, mapped, stream bool) string {
	quote := func(field, typ string, value any) string {
		return fmt.Sprintf("[1:84] failed to parse field [%s] of type [%s] in document with id 'x'. Preview of field's value: '%v'", field, typ, value)
	}
	if err := checkObject(json.NewDecoder(bytes.NewReader(source)), 0); err != nil {
		return fmt.Sprintf("[1:12] failed to parse: %v\n at [Source: (byte[])\"%s\"; line: 1, column: 12]", err, source)
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(source, &members) != nil {
		return "[1:1] failed to parse"
	}
	if members[""] != nil {
		return "[1:38] failed to parse: field name cannot be an empty string"
	}
	if stream && members["@timestamp"] == nil {
		return "data stream timestamp field [@timestamp] is missing"
	}
	if v := members[f.conflict]; v != nil && (v[0] < '0' || v[0] > '9') {
		return quote(f.conflict, "long", string(v))
	}
	if p := string(bytes.TrimSpace(members["payload"])); mapped && p != "" && p[0] != '{' && p != "null" {
		return quote("payload", "flattened", p)
	}
	for _, field := range []string{"source", "type", "timestamp"} {
		if v := members[field]; mapped && len(v) > 0 && v[0] == '{' {
			return quote(field, "keyword", string(v))
		}
	}
	return ""
}

// checkObject reads one JSON value and refuses what the servers' parser refuses:
// a key that occurs twice, deep nesting, anything after the value.
func checkObject(d *json.Decoder, depth int) error {
	if err := checkValue(d, depth); err != nil {
		return err
	}
	if _, err := d.Token(); depth == 0 && !errors.Is(err, io.EOF) {
		return errors.New("found extra data after parsing: END_OBJECT")
	}
	return nil
}

func checkValue(d *json.Decoder, depth int) error {
	d.UseNumber()
	token, err := d.Token()
	if err != nil {
		return err
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return nil
	}
	if depth > maxDepth {
		return errors.New("exceeds the maximum depth limit of [100]")
	}
	keys := map[string]bool{}
	for d.More() {
		if delim == '{' {
			key, err := d.Token()
			if err != nil {
				return err
			}
			if name := key.(string); keys[name] {
				return fmt.Errorf("Duplicate field '%s'", name) //nolint:staticcheck // the server's words
			} else {
				keys[name] = true
			}
		}
		if err := checkValue(d, depth+1); err != nil {
			return err
		}
	}
	_, err = d.Token()
	return err
}
