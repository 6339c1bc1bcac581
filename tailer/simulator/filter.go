package simulator

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// comparison is a filter expression of the form `pointer op value`, the only one
// this simulator knows besides true and false.
type comparison struct {
	pointer []string
	op      string // eq co sw pr
	value   string // of a string, without quotes; otherwise the literal
}

// match tells whether an entry is wanted.
type match func(*entry) bool

// parseMatch returns what _queryFilter and transactionId ask for, nil for all.
func parseMatch(params url.Values) (match, *failure) {
	byFilter, failed := parseFilter(params.Get("_queryFilter"))
	if failed != nil {
		return nil, failed
	}
	id := params.Get("transactionId")
	if id == "" {
		return byFilter, nil
	}
	member := []byte(`"transactionId":` + string(quoted(id)))
	member = member[:len(member)-1]
	return func(e *entry) bool {
		_, rest, found := bytes.Cut(e.raw, member)
		// Only the part before the slash is common to the entries of a request.
		return found && len(rest) > 0 && (rest[0] == '/' || rest[0] == '"') && (byFilter == nil || byFilter(e))
	}, nil
}

// parseFilter returns nil for an expression that everything matches.
func parseFilter(text string) (match, *failure) {
	switch text = strings.TrimSpace(text); text {
	case "", "true":
		return nil, nil
	case "false":
		return func(*entry) bool { return false }, nil
	}
	c, failed := parseComparison(text)
	if failed != nil {
		return nil, failed
	}
	return func(e *entry) bool {
		decoder := json.NewDecoder(bytes.NewReader(e.raw))
		decoder.UseNumber()
		var value any
		return decoder.Decode(&value) == nil && c.matches(value, c.pointer)
	}, nil
}

func parseComparison(text string) (comparison, *failure) {
	// Compiled for each request that has a filter: few have.
	form := regexp.MustCompile(`^(\S+)\s+(?:(pr)|(?:(eq|co|sw)\s+("(?:[^"\\]|\\.)*"|true|false|-?[0-9][0-9.eE+-]*)))$`)
	parts := form.FindStringSubmatch(text)
	if parts == nil {
		return comparison{}, &failure{http.StatusBadRequest,
			"Error: Filter Not Implemented By The Simulator: Only true, false And One Comparison With pr, eq, co Or sw"}
	}
	if !strings.HasPrefix(parts[1], "/") {
		return comparison{}, errOpaque // as the real one answers a pointer without its slash
	}
	c := comparison{op: parts[2] + parts[3], value: parts[4]}
	if strings.HasPrefix(c.value, `"`) {
		if err := json.Unmarshal([]byte(parts[4]), &c.value); err != nil {
			return comparison{}, &failure{http.StatusBadRequest, "Error Parsing Query Parameter _queryFilter: Invalid Format"}
		}
	}
	for name := range strings.SplitSeq(parts[1][1:], "/") {
		c.pointer = append(c.pointer, strings.NewReplacer("~1", "/", "~0", "~").Replace(name))
	}
	return c, nil
}

// matches applies the comparison to what the pointer leads to in value. Arrays
// are passed through without an index, as documented.
func (c comparison) matches(value any, pointer []string) bool {
	switch v := value.(type) {
	case []any:
		for _, element := range v {
			if c.matches(element, pointer) {
				return true
			}
		}
		return false
	case map[string]any:
		if len(pointer) > 0 {
			return c.matches(v[pointer[0]], pointer[1:])
		}
		return c.op == "pr"
	}
	if len(pointer) > 0 || value == nil {
		return false
	}
	var text string
	switch v := value.(type) {
	case string:
		text = v
	case json.Number:
		text = v.String()
	case bool:
		text = map[bool]string{true: "true", false: "false"}[v]
	}
	switch c.op {
	case "eq":
		return text == c.value
	case "co":
		return strings.Contains(text, c.value)
	case "sw":
		return strings.HasPrefix(text, c.value)
	}
	return true // pr
}

// filtered returns the entries that match, in a slice of its own.
func filtered(entries []*entry, matches match) []*entry {
	if matches == nil {
		return entries
	}
	wanted := []*entry{}
	for _, e := range entries {
		if matches(e) {
			wanted = append(wanted, e)
		}
	}
	return wanted
}
