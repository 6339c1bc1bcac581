package elasticsearch

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// seenItem is an item in a form that can be compared.
type seenItem struct {
	ID, Type, Reason string
	Status           int
	Redirected       bool
}

func readAll(b []byte) ([]seenItem, error) {
	var items []seenItem
	n, err := readAnswer(b, func(i int, it item) {
		if i != len(items) {
			panic("items out of order")
		}
		items = append(items, seenItem{string(it.id), string(it.errType), string(it.errReason), it.status, it.redirected})
	})
	if err == nil && n != len(items) {
		panic("items miscounted")
	}
	return items, err
}

func TestReadAnswer(t *testing.T) {
	tests := []struct {
		name, text string
		want       []seenItem
	}{
		{"filtered", `{"errors":false,"items":[{"create":{"_id":"a","status":201}},{"create":{"_id":"b","status":200}}]}`,
			[]seenItem{{ID: "a", Status: 201}, {ID: "b", Status: 200}}},
		{"whole", `{"took":3,"ingest_took":1,"errors":true,"items":[{"create":{"_index":"x","_id":"a","status":409,"_shards":{"total":2,"failed":0},"error":
			{"root_cause":[{"type":"other"}],"type":"version_conflict_engine_exception","reason":"[a]: version \"conflict\"","index_uuid":"x","caused_by":{"type":"deeper","reason":"x"}}}}]}`,
			[]seenItem{{ID: "a", Status: 409, Type: "version_conflict_engine_exception", Reason: `[a]: version "conflict"`}}},
		{"items first", `{"items":[{"create":{"status":400,"_id":"a"}}],"errors":true}`, []seenItem{{ID: "a", Status: 400}}},
		{"escapes", `{"errors":false,"items":[{"create":{"_id":"\u0061\"\\\n\ud83d\ude00 é","status":201}}]}`, []seenItem{{ID: "a\"\\\n😀 é", Status: 201}}},
		{"spaces", " { \"errors\" : false ,\n\t\"items\" : [ { \"create\" : { \"_id\" : \"a\" , \"status\" : 201 } } ] } ", []seenItem{{ID: "a", Status: 201}}},
		{"odd values", `{"errors":true,"items":[{"create":{"_id":7,"status":null,"error":"text","x":[{},[]," ]}",1.5e3]}},{"create":{}}]}`,
			[]seenItem{{Reason: "text"}, {}}},
		{"failure store", `{"errors":false,"items":[{"create":{"_id":"a","status":201,"failure_store":"used"}},{"create":{"_id":"b","status":201,"failure_store":"not_enabled"}}]}`,
			[]seenItem{{ID: "a", Status: 201, Redirected: true}, {ID: "b", Status: 201}}},
		{"none", `{"errors":false,"items":[]}`, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := readAll([]byte(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// FuzzReadAnswer compares with encoding/json: what is read as success must be
// success there, too.
func FuzzReadAnswer(f *testing.F) {
	f.Add([]byte(`{"errors":false,"items":[{"create":{"_id":"a","status":201}},{"create":{"_id":"\u0062","status":200,"failure_store":"used"}}]}`))
	f.Add([]byte(`{"took":1,"errors":true,"items":[{"create":{"_id":"a","status":400,"error":{"type":"x","reason":"]}\"","caused_by":{"type":"y"}}}}]}`))
	f.Add([]byte(` { "items" : [ ] , "errors" : true , "x" : { "a" : [ 1 , -1.5E+3 , null ] } } `))
	f.Add([]byte(`{"errors":false,"items":[{"create":{"_id":"a","status":201},"create":{"_id":"b"}}]}`))
	f.Add([]byte(`{"errors":false,"items":[{"index":{}},7,[],"x",{}]}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := readAll(b)
		if err != nil {
			if !errors.Is(err, errAnswer) {
				t.Fatal(err)
			}
			return
		}
		want, ok := reference(b)
		if !ok || len(want) != len(got) {
			t.Fatalf("%d items were read of an answer with %d", len(got), len(want))
		}
		for i := range got {
			if got[i].Status/100 == 2 && got[i] != want[i] {
				t.Fatalf("item %d is %+v, want %+v", i, got[i], want[i])
			}
		}
	})
}

// reference reads an answer with encoding/json, names exact.
func reference(b []byte) ([]seenItem, bool) {
	var answer map[string]json.RawMessage
	var items []map[string]map[string]json.RawMessage
	if json.Unmarshal(b, &answer) != nil || json.Unmarshal(answer["items"], &items) != nil {
		return nil, false
	}
	var out []seenItem
	for _, it := range items {
		var s seenItem
		c := it["create"]
		_ = json.Unmarshal(c["_id"], &s.ID)
		if json.Unmarshal(c["status"], &s.Status) != nil {
			s.Status = 0
		}
		var cause map[string]json.RawMessage
		if json.Unmarshal(c["error"], &cause) == nil {
			_ = json.Unmarshal(cause["type"], &s.Type)
			_ = json.Unmarshal(cause["reason"], &s.Reason)
		} else {
			_ = json.Unmarshal(c["error"], &s.Reason)
		}
		s.Redirected = string(c["failure_store"]) == `"used"`
		// The walker takes bytes that are not UTF-8 as they are.
		out = append(out, s)
	}
	return out, true
}

func TestTopCause(t *testing.T) {
	tests := []struct{ text, typ, reason string }{
		{`{"error":{"root_cause":[],"type":"x_exception","reason":"why"},"status":400}`, " (x_exception)", "why"},
		{`{"status":405,"error":"Incorrect HTTP method"}`, "", "Incorrect HTTP method"},
		{`{"error":{"type":"Not A Type","reason":7}}`, "", ""},
		{`{"error":{"reason":"` + strings.Repeat("x", 600) + `"}}`, "", strings.Repeat("x", 500)},
		{`{"message":"x"}`, "", ""},
		{`<html>`, "", ""},
		{``, "", ""},
		{`[]`, "", ""},
	}
	for _, tt := range tests {
		if typ, reason := topCause([]byte(tt.text)); typ != tt.typ || reason != tt.reason {
			t.Errorf("%s: %q, %q", tt.text, typ, reason)
		}
	}
}
