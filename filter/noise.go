package filter

import (
	_ "embed" // for the lists of loggers
	"fmt"
	"strings"

	"aictail"
)

// noiseLists has the built-in lists of loggers, each below its [name].
//
//go:embed noise.txt
var noiseLists string

// allNoise is the name of all lists together.
const allNoise = "default"

// noise is a set of loggers whose entries are dropped below WARNING.
//
// A name stands for the logger and for those below it: org.example.http is
// org.example.http.Client and org.example.http.Client$1, too, but not
// org.example.https. What is WARNING or worse is never noise, whoever logs it,
// and neither is a text without a logger.
type noise struct{ loggers map[string]struct{} }

// newNoise makes a set of the loggers named and of those on the built-in lists
// named; nil if there are none.
func newNoise(names []string) (*noise, error) {
	if len(names) == 0 {
		return nil, nil
	}
	lists := builtInNoise()
	n := &noise{loggers: map[string]struct{}{}}
	for _, name := range names {
		loggers, ok := lists[name]
		if !ok {
			if name == "" || strings.ContainsAny(name, " \t\r\n/") {
				return nil, fmt.Errorf("%q is not the name of a logger", name)
			}
			loggers = []string{name}
		}
		for _, logger := range loggers {
			n.loggers[logger] = struct{}{}
		}
	}
	return n, nil
}

// builtInNoise returns the built-in lists by name.
func builtInNoise() map[string][]string {
	lists := map[string][]string{}
	list := ""
	for line := range strings.Lines(noiseLists) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '[':
			list = strings.Trim(line, "[]")
		default:
			lists[list] = append(lists[list], line)
			lists[allNoise] = append(lists[allNoise], line)
		}
	}
	return lists
}

// has tells whether a logger, or one that it is below, is in the set.
func (n *noise) has(logger []byte) bool {
	if len(logger) == 0 {
		return false
	}
	for end := 0; end <= len(logger); end++ {
		if end < len(logger) && logger[end] != '.' && logger[end] != '$' {
			continue
		}
		if _, ok := n.loggers[string(logger[:end])]; ok {
			return true
		}
	}
	return false
}

func (d *dropper) isNoise(e *aictail.Event) bool {
	return d.noise.has(d.matcher.Text(d.fields.logger)) && d.levelOf(e) < levelWarning
}
