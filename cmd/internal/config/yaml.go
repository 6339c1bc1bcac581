package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"sort"
	"strings"

	"go.yaml.in/yaml/v3"
)

// strictYAML is the koanf.Parser of the file. It differs from koanf's own in that
// values stay the text that was written: what they mean depends on the key's
// type, not on what they look like, so a secret such as 0123 stays as it is. It
// refuses what YAML would silently read otherwise: a second document, tags, and
// keys that are not text. Its errors never show a value.
type strictYAML struct{}

// Unmarshal implements koanf.Parser; its error is *Problems without a file.
func (strictYAML) Unmarshal(data []byte) (map[string]any, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document yaml.Node
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		return map[string]any{}, nil
	} else if err != nil {
		return nil, yamlProblem(err, data)
	}
	if err := decoder.Decode(new(yaml.Node)); err == nil {
		return nil, wholeFile("the file has more than one YAML document: remove the line --- and what does not belong")
	} else if !errors.Is(err, io.EOF) {
		return nil, yamlProblem(err, data)
	}

	root := document.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return map[string]any{}, nil
	}
	if root.Kind != yaml.MappingNode {
		return nil, wholeFile(fmt.Sprintf("line %d: want keys at the top, such as data_dir: and tenants:", root.Line))
	}
	found := newCollector()
	prepare("", root, found)
	if err := found.err(""); err != nil {
		return nil, err
	}
	var tree map[string]any
	if err := root.Decode(&tree); err != nil {
		return nil, wholeFile(yamlMessage(err))
	}
	return tree, nil
}

// Marshal implements koanf.Parser.
func (strictYAML) Marshal(tree map[string]any) ([]byte, error) { return yaml.Marshal(tree) }

// prepare makes text of all values below a node, but for null, and finds what
// strictYAML refuses.
func prepare(path string, node *yaml.Node, found *collector) {
	if node.Style&yaml.TaggedStyle != 0 {
		found.add(path, "line %d: YAML tags (!...) are not supported; put a value that begins with ! in quotes", node.Line)
		return
	}
	switch node.Kind {
	case yaml.ScalarNode:
		if node.Tag != "!!null" {
			node.Tag = "!!str"
		}
	case yaml.SequenceNode:
		for i, item := range node.Content {
			prepare(fmt.Sprintf("%s[%d]", path, i), item, found)
		}
	case yaml.MappingNode:
		first := map[string]int{}
		for i := 0; i+1 < len(node.Content); i += 2 {
			name, value := node.Content[i], node.Content[i+1]
			if name.Tag == "!!merge" {
				prepare(below(path, "<<"), value, found)
				continue
			}
			if name.Kind != yaml.ScalarNode {
				// Not add: there may be several below one key.
				msg := fmt.Sprintf("line %d: a list, a group or a *name cannot be a key", name.Line)
				found.list = append(found.list, Problem{Key: path, Msg: msg})
				continue
			}
			here := below(path, name.Value)
			if name.Tag != "!!str" || name.Style&yaml.TaggedStyle != 0 {
				found.add(here, "line %d: a key must be text: put it in quotes", name.Line)
				continue
			}
			if line, twice := first[name.Value]; twice {
				found.add(here, "set in line %d and again in line %d: keep one of them", line, name.Line)
				continue
			}
			first[name.Value] = name.Line
			prepare(here, value, found)
		}
	}
}

func wholeFile(msg string) *Problems { return &Problems{List: []Problem{{Msg: msg}}} }

// yamlProblem returns what is wrong with a file that cannot be parsed, and where.
func yamlProblem(err error, data []byte) *Problems {
	msg := yamlMessage(err)
	lines := bytes.SplitAfter(data, []byte("\n"))
	// The library often names the line where the group began. The parser goes
	// through the text once, so the first lines that fail alike end with the one
	// that is wrong.
	line := 1 + sort.Search(len(lines)-1, func(i int) bool {
		part := bytes.Join(lines[:i+1], nil)
		return yamlMessage(parseAll(part)) == msg
	})
	text := lines[line-1]
	if indent := text[:len(text)-len(bytes.TrimLeft(text, " \t"))]; bytes.ContainsRune(indent, '\t') {
		msg += "; indent with spaces, not with tabs"
	}
	return wholeFile(fmt.Sprintf("line %d: %s", line, msg))
}

// parseAll returns the first error in a text.
func parseAll(data []byte) error {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for {
		if err := decoder.Decode(new(yaml.Node)); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// yamlMessage returns an error of the YAML library without its line, in our words
// where its own would show part of a value; "" for nil.
func yamlMessage(err error) string {
	if err == nil {
		return ""
	}
	text := regexp.MustCompile(`^yaml: (line \d+: )?`).ReplaceAllString(err.Error(), "")
	switch {
	case strings.HasPrefix(text, "unknown anchor"), strings.HasPrefix(text, "anchor "):
		return "a value that begins with * means another place of the file, and there is none of that name: put the value in quotes"
	case strings.HasPrefix(text, "map merge requires"):
		return "<<: wants *name, where &name stands before a group of keys"
	}
	for _, start := range harmless() {
		if strings.HasPrefix(text, start) {
			return "this is not valid YAML: " + text
		}
	}
	return "this is not valid YAML"
}

// harmless lists how messages of the YAML library begin that never show a value.
func harmless() []string {
	return []string{
		"found ", "did not find ", "could not find ", "mapping values are ", "mapping keys are ",
		"block sequence entries are ", "control characters are ", "document contains excessive aliasing",
		"exceeded max depth", "invalid leading ", "invalid trailing ", "invalid length ",
		"invalid Unicode ", "incomplete UTF-",
	}
}
