package service

import (
	"reflect"
	"strings"
	"testing"

	"aictail"
	"aictail/cmd/internal/config"
	"aictail/filter"
	"aictail/filter/redact"
)

// TestEveryLevelIsKnown: what the configuration allows is what the filter knows.
func TestEveryLevelIsKnown(t *testing.T) {
	field, _ := reflect.TypeFor[config.Filter]().FieldByName("Levels")
	for name := range strings.SplitSeq(field.Tag.Get("want"), "|") {
		c := withDrops(filter.Config{}, config.Filter{Levels: map[string]string{"am-core": name}})
		if _, err := filter.New(c, filter.Deps{}); err != nil {
			t.Error(err)
		}
	}
}

func TestWithDrops(t *testing.T) {
	got := withDrops(filter.Config{Redact: redact.Config{Rules: []redact.Rule{{Preset: "secrets"}}}}, config.Filter{
		Drop: []config.DropRule{{Name: "a", When: "/b pr"}}, Noise: []string{"c"},
		Sample: []config.SampleRule{{Name: "d", When: "/e pr", Keep: 0.5}}, Levels: map[string]string{"f": "INFO"},
	})
	want := filter.Config{
		Redact: redact.Config{Rules: []redact.Rule{{Preset: "secrets"}}}, Drop: []filter.DropRule{{Name: "a", When: "/b pr"}}, Noise: []string{"c"},
		Sample: []filter.SampleRule{{Name: "d", When: "/e pr", Keep: 0.5}}, Levels: map[string]string{"f": "INFO"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
}

func TestWhere(t *testing.T) {
	if f, err := where(""); f != nil || err != nil {
		t.Error("a sink without where does not get everything")
	}
	if _, err := where("x"); err == nil {
		t.Error("a wrong query is accepted")
	}
	f, err := where(`!(/source eq "am-core") and /payload/a eq 1`)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		source, payload string
		want            bool
	}{{"idm-core", `{"a":1}`, true}, {"am-core", `{"a":1}`, false}, {"idm-core", `{"a":2}`, false}, {"idm-core", `{"a":1`, true}} {
		e := &aictail.Event{Source: c.source, Raw: []byte(c.payload), Payload: aictail.Span{End: len(c.payload)}}
		if got := f(e); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}
