package elasticsearch

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"aictail/sinks"
)

// TestItems is about the statuses of single events.
func TestItems(t *testing.T) {
	const preview = "failed to parse field [n] of type [long] in document with id 'id-1'. Preview of field's value: '" + confidential + "'"
	tests := []struct {
		name  string
		fault itemFault
		// want is the outcome of a batch of three of which the second has the fault.
		want string
		// text is part of the failure's reason.
		text string
	}{
		{"there already", itemFault{status: 409, typ: "version_conflict_engine_exception"}, "ok", ""},
		{"another conflict", itemFault{status: 409, typ: "snapshot_in_progress_exception"}, "retry 1:retry", "snapshot_in_progress_exception"},
		{"overloaded", itemFault{status: 429, typ: "es_rejected_execution_exception"}, "retry 1:retry", "es_rejected_execution_exception"},
		{"disk full", itemFault{status: 429, typ: "cluster_block_exception"}, "retry 1:retry", "cluster_block_exception"},
		{"no primary", itemFault{status: 503, typ: "unavailable_shards_exception"}, "retry 1:retry", ""},
		{"internal", itemFault{status: 500, typ: "null_pointer_exception"}, "retry 1:retry", ""},
		{"bad gateway", itemFault{status: 502, typ: "x"}, "retry 1:retry", ""},
		{"no status", itemFault{status: 0}, "retry 1:retry", "says nothing"},
		{"mapping", itemFault{status: 400, typ: "document_parsing_exception", reason: "[1:84] " + preview}, "poison 1:poison", "document_parsing_exception (status 400) on field [n] of type [long]"},
		{"mapping, OpenSearch", itemFault{status: 400, typ: "mapper_parsing_exception", reason: preview}, "poison 1:poison", "on field [n] of type [long]"},
		{"content that looks like a field", itemFault{status: 400, typ: "document_parsing_exception",
			reason: "[1:2] failed to parse: at [Source: \"failed to parse field [" + confidential + "] of type [long]\"]"}, "poison 1:poison", "document_parsing_exception (status 400);"},
		{"an address as the field", itemFault{status: 400, typ: "document_parsing_exception",
			reason: "failed to parse field [" + confidential + "@example.com] of type [long]"}, "poison 1:poison", "document_parsing_exception (status 400);"},
		{"immense", itemFault{status: 400, typ: "illegal_argument_exception",
			reason: `Document contains at least one immense term in field="payload._value" (whose UTF8 encoding is longer than the max length 32766) ` + confidential}, "poison 1:poison", "on field [payload._value]"},
		{"too many fields", itemFault{status: 400, typ: "illegal_argument_exception",
			reason: "Limit of total fields [1000] has been exceeded while adding new fields [" + confidential + "]"}, "poison 1:poison", "Limit of total fields [1000] has been exceeded"},
		{"content as the type", itemFault{status: 400, typ: confidential}, "poison 1:poison", "unknown type"},
		{"pipeline's own refusal", itemFault{status: 500, typ: "fail_processor_exception", reason: confidential}, "poison 1:poison", "fail_processor_exception"},
		{"document too large", itemFault{status: 413, typ: "too_large_exception"}, "poison 1:poison", ""},
		{"no pipeline", itemFault{status: 400, typ: "illegal_argument_exception", reason: "pipeline with id [x] does not exist"}, "refused 1:refused", "change the sink's pipeline"},
		{"too many shards", itemFault{status: 400, typ: "validation_exception",
			reason: "Validation Failed: 1: this action would add [2] shards, but this cluster currently has [1000]/[1000] maximum normal shards open;"}, "refused 1:refused", "cluster.max_shards_per_node"},
		{"too many shards, older", itemFault{status: 400, typ: "illegal_argument_exception",
			reason: "Validation Failed: 1: this action would add [2] shards, but this cluster currently has [1000]/[1000] maximum normal shards open;"}, "refused 1:refused", "cluster.max_shards_per_node"},
		{"closed", itemFault{status: 400, typ: "index_closed_exception"}, "refused 1:refused", "open the index"},
		{"blocked", itemFault{status: 403, typ: "cluster_block_exception", reason: "index [x] blocked by: [FORBIDDEN/8/index write (api)];"}, "refused 1:refused", "FORBIDDEN/8"},
		{"credentials", itemFault{status: 401, typ: "security_exception"}, "refused 1:refused", "create_doc"},
		{"rights", itemFault{status: 403, typ: "security_exception", reason: "action [indices:data/write/bulk[s]] is unauthorized for API key id [x]"}, "refused 1:refused", "unauthorized for API key"},
		{"no index", itemFault{status: 404, typ: "index_not_found_exception"}, "refused 1:refused", "action.auto_create_index"},
		{"gone", itemFault{status: 404, typ: "something_exception"}, "refused 1:refused", ""},
		{"unknown refusal", itemFault{status: 418, typ: "teapot_exception"}, "refused 1:refused", "teapot_exception"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t).open()
			r.fake.itemFault["id-1"] = tt.fault
			err := r.sink.Send(t.Context(), newEvents(3))
			if got := r.said(err); got != tt.want {
				t.Fatalf("got %s, want %s: %v", got, tt.want, err)
			}
			if tt.text != "" && !strings.Contains(reasonOf(err)+";", tt.text) {
				t.Errorf("the reason is %q, want %q in it", reasonOf(err), tt.text)
			}
			docs, _ := r.fake.seen()
			if len(docs) != 2 {
				t.Errorf("%d documents, want the other two", len(docs))
			}
			r.fake.heal()
			if got := r.said(r.sink.Send(t.Context(), newEvents(3))); got != "ok" {
				t.Errorf("once more: %s", got)
			}
		})
	}
}

// reasonOf returns the reason of the first failure that an error names.
func reasonOf(err error) string {
	if e, ok := errors.AsType[*sinks.Error](err); ok && len(e.Failed) > 0 {
		return e.Failed[0].Err.Error()
	}
	return ""
}

func answerWith(status int, body string) func(http.ResponseWriter, *http.Request, []byte) {
	return func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// TestAnswers is about answers to whole requests. None of them makes a batch of three
// succeed.
func TestAnswers(t *testing.T) {
	item := func(id, rest string) string { return `{"create":{"_id":"` + id + `",` + rest + `}}` }
	all := item("id-0", `"status":201`) + "," + item("id-1", `"status":201`) + "," + item("id-2", `"status":201`)
	tests := []struct {
		name string
		do   func(w http.ResponseWriter, r *http.Request, answer []byte)
		want string
		text string // part of the error
	}{
		{"too large", answerWith(413, ""), "poison 0:split 1:split 2:split", "413"},
		{"busy", answerWith(429, `{"error":{"type":"circuit_breaking_exception","reason":"`+confidential+`"},"status":429}`), "retry", "circuit_breaking_exception"},
		{"unauthorized", answerWith(401, `{"error":{"type":"security_exception","reason":"unable to authenticate"},"status":401}`), "refused", "check api_key"},
		{"forbidden", answerWith(403, `{"error":{"type":"security_exception","reason":"no rights"},"status":403}`), "refused", "create_doc"},
		{"forbidden by a proxy", answerWith(403, `<html>`+confidential), "refused", "create_doc"},
		{"not found", answerWith(404, ``), "refused", "urls"},
		{"moved", func(w http.ResponseWriter, r *http.Request, _ []byte) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, "refused", "redirects"},
		{"bad request", answerWith(400, `{"error":{"type":"illegal_argument_exception","reason":"`+confidential+`"},"status":400}`), "refused", "illegal_argument_exception"},
		{"wrong server", answerWith(405, ``), "refused", "urls"},
		{"content type", answerWith(406, ``), "refused", ""},
		{"not implemented", answerWith(501, ``), "refused", ""},
		{"request time-out", answerWith(408, ``), "retry", ""},
		{"internal", answerWith(500, `{"error":"x"}`), "retry", "500"},
		{"bad gateway", answerWith(502, "<html>"+confidential+"</html>"), "retry", "502"},
		{"unavailable", answerWith(503, ``), "retry", ""},
		{"gateway time-out", answerWith(504, ``), "retry", ""},
		{"no content", answerWith(204, ``), "retry", ""},
		{"accepted", answerWith(202, `{"errors":false,"items":[`+all+`]}`), "retry", ""},
		{"empty", answerWith(200, ``), "retry", "cannot be read"},
		{"a page", answerWith(200, `<html>`+confidential), "retry", "proxy"},
		{"half", answerWith(200, `{"errors":false,"items":[`+all), "retry", "cannot be read"},
		{"another object", answerWith(200, `{"acknowledged":true}`), "retry", "cannot be read"},
		{"no items", answerWith(200, `{"errors":false}`), "retry", "cannot be read"},
		{"errors without items", answerWith(200, `{"errors":true}`), "retry", "cannot be read"},
		{"errors without a failed item", answerWith(200, `{"errors":true,"items":[`+all+`]}`), "retry", "cannot be read"},
		{"items alone", answerWith(200, `{"items":[`+all+`]}`), "retry", "cannot be read"},
		{"errors not a truth value", answerWith(200, `{"errors":0,"items":[`+all+`]}`), "retry", "cannot be read"},
		{"items twice", answerWith(200, `{"errors":false,"items":[],"items":[`+all+`]}`), "retry", "cannot be read"},
		{"items not a list", answerWith(200, `{"errors":false,"items":{}}`), "retry", "cannot be read"},
		{"an item that is none", answerWith(200, `{"errors":false,"items":[`+all+`,7]}`), "retry", "cannot be read"},
		{"no items at all", answerWith(200, `{"errors":false,"items":[]}`), "retry 0:retry 1:retry 2:retry", "leaves the event out"},
		{"fewer items", answerWith(200, `{"errors":false,"items":[`+item("id-0", `"status":201`)+`]}`), "retry 1:retry 2:retry", "leaves the event out"},
		{"more items", answerWith(200, `{"errors":false,"items":[`+all+`,`+item("id-3", `"status":201`)+`]}`), "retry", "cannot be read"},
		{"one missing in the middle", answerWith(200, `{"errors":false,"items":[`+item("id-0", `"status":201`)+`,`+item("id-2", `"status":201`)+`]}`), "retry 1:retry 2:retry", "another document"},
		{"another id", answerWith(200, strings.Replace(`{"errors":false,"items":[`+all+`]}`, "id-1", "id-7", 1)), "retry 1:retry", "another document"},
		{"no id", answerWith(200, `{"errors":false,"items":[`+item("id-0", `"status":201`)+`,{"create":{"status":201}},`+item("id-2", `"status":200`)+`]}`), "retry 1:retry", "another document"},
		{"another action", answerWith(200, strings.Replace(`{"errors":false,"items":[`+all+`]}`, "create", "index", 1)), "retry", "cannot be read"},
		{"status as text", answerWith(200, strings.Replace(`{"errors":false,"items":[`+all+`]}`, "201", `"201"`, 1)), "retry 0:retry", "says nothing"},
		{"status out of range", answerWith(200, strings.Replace(`{"errors":false,"items":[`+all+`]}`, "201", `2010`, 1)), "retry 0:retry", "says nothing"},
		{"huge", func(w http.ResponseWriter, _ *http.Request, _ []byte) {
			_, _ = w.Write([]byte(`{"errors":false,"items":[`))
			for range 200 {
				_, _ = w.Write([]byte(strings.Repeat(" ", 64<<10)))
			}
		}, "retry", "more than"},
		{"cut after the headers", func(w http.ResponseWriter, _ *http.Request, _ []byte) {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte(`{"errors":false,`))
		}, "retry", "no answer"},
		{"cut without an answer", func(http.ResponseWriter, *http.Request, []byte) { panic(http.ErrAbortHandler) }, "retry", "no answer"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t).open()
			x := r.fake.inject(fault{path: "/_bulk", do: tt.do})
			err := r.sink.Send(t.Context(), newEvents(3))
			if got := r.said(err); got != tt.want {
				t.Fatalf("got %s, want %s: %v", got, tt.want, err)
			}
			if !strings.Contains(err.Error(), tt.text) {
				t.Errorf("the error is %q, want %q in it", err, tt.text)
			}
			if r.fake.fired(x) == 0 {
				t.Error("the fault did not fire")
			}
			r.fake.heal()
			if got := r.said(r.sink.Send(t.Context(), newEvents(3))); got != "ok" {
				t.Errorf("once more: %s", got)
			}
		})
	}
}
