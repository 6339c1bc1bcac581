package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// maxNoise is beyond what anybody lists: the product has some thousand loggers.
const maxNoise = 1 << 20

// readNoise puts the loggers in place of the files that filter.noise names. An entry
// with a slash in it is a file: no logger has one.
func readNoise(f *Filter, folder string, c *collector) {
	var all []string
	for i, entry := range f.Noise {
		key := "filter.noise[" + strconv.Itoa(i) + "]"
		if strings.Contains(entry, "/") {
			names, err := readLoggers(entry, folder)
			if err != nil {
				c.add(key, "%s%v", shownPath(key, entry, c), err)
			}
			all = append(all, names...)
			continue
		}
		name := strings.TrimSpace(entry)
		if !isLogger(name) {
			c.add(key, "want the name of a logger, a built-in list (default, misc, saml, journeys) or a file such as ./noise.txt%s", c.got(key, name))
		}
		all = append(all, name)
	}
	f.Noise = all
}

// shownPath returns how a problem with a file begins.
func shownPath(key, path string, c *collector) string {
	if c.origin(key) != "" {
		return ""
	}
	return path + ": "
}

// readLoggers returns the lines of a file without comments and empty ones.
func readLoggers(path, folder string) ([]string, error) {
	if !filepath.IsAbs(path) {
		path = filepath.Join(folder, path)
	}
	// A named pipe without a writer would hold up the start for ever.
	if info, err := os.Stat(path); err != nil {
		return nil, explain(err)
	} else if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file: give the path of a file with the name of a logger on each line")
	}
	data, err := readFile(path, maxNoise)
	if err != nil {
		return nil, err
	}
	var names []string
	number := 0
	for line := range strings.Lines(string(data)) {
		number++
		name, _, _ := strings.Cut(line, "#")
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		if !isLogger(name) {
			// It is not shown: this may be another file than was meant.
			return nil, fmt.Errorf("line %d is not the name of a logger: is it the right file?", number)
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		return nil, errors.New("the file names no logger: write one on each line, or remove it from the list")
	}
	return names, nil
}

// isLogger tells whether a text may be the name of a logger, or the beginning of one:
// of a Java class or package, or of what scripts log to.
func isLogger(name string) bool {
	return regexp.MustCompile(`^[A-Za-z0-9_$][A-Za-z0-9_$.-]{0,299}$`).MatchString(name)
}
