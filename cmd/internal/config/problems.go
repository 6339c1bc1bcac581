package config

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
)

// Problem is one thing that is wrong with the configuration.
type Problem struct {
	// Key is the path of the key, such as tenants.prod.api_key; "" if it is about
	// the file as a whole; the variable's name for one that leads to no key.
	Key string
	// Msg says what is wrong and what to do. It never holds a secret.
	Msg string
}

// String returns the problem as it is shown to people.
func (p Problem) String() string {
	if p.Key == "" {
		return p.Msg
	}
	return p.Key + ": " + p.Msg
}

// Problems is the error of Load: everything that is wrong, sorted by key.
type Problems struct { //nolint:errname // what it is: a list, returned as an error
	File string
	List []Problem
}

// Error lists all problems, one on a line if there are several.
func (p *Problems) Error() string {
	if len(p.List) == 1 {
		return fmt.Sprintf("%s: %s", p.File, p.List[0])
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d problems", p.File, len(p.List))
	for _, problem := range p.List {
		fmt.Fprintf(&b, "\n  %s", problem)
	}
	return b.String()
}

// collector gathers problems so that each cause is reported once.
type collector struct {
	list []Problem
	// seen holds the keys that need no further problem.
	seen map[string]bool
	// broken holds the keys whose value has the wrong shape: what is missing or
	// wrong below them only follows from that.
	broken map[string]bool
	// overrides names the AICTAIL_ variable that set a key.
	overrides map[string]string
	// created names the AICTAIL_ variable that a tenant or sink comes from which
	// the file does not have.
	created map[string]string
	// references names the ${} variables in a key's value.
	references map[string]string
	// written holds the text of such a value as it stands in the file.
	written map[string]string
	// hidden holds the keys of files whose paths are not shown; see secretFile.shown.
	hidden map[string]bool
}

func newCollector() *collector {
	return &collector{
		seen:       map[string]bool{},
		broken:     map[string]bool{},
		overrides:  map[string]string{},
		created:    map[string]string{},
		references: map[string]string{},
		written:    map[string]string{},
		hidden:     map[string]bool{},
	}
}

// add records a problem with a key, and from where its value came if not from
// the file itself. Of several problems with one key the first is kept.
func (c *collector) add(key, format string, args ...any) {
	if c.seen[key] {
		return
	}
	for above := range upwards(key) {
		if c.broken[above] {
			return
		}
	}
	c.seen[key] = true
	msg := fmt.Sprintf(format, args...)
	if origin := c.origin(key); origin != "" {
		msg += " (" + origin + ")"
	}
	c.list = append(c.list, Problem{Key: key, Msg: msg})
}

// addBroken is add for a value of the wrong shape.
func (c *collector) addBroken(key, format string, args ...any) {
	c.add(key, format, args...)
	c.broken[key] = true
}

// override returns the AICTAIL_ variable that set the key or one above it.
func (c *collector) override(key string) string {
	for above := range upwards(key) {
		if name, ok := c.overrides[above]; ok {
			return name
		}
	}
	return ""
}

// origin says from where a key's value came if not from the file itself. Such
// a value is not shown in problems: it may be a secret put in the wrong place.
func (c *collector) origin(key string) string {
	if name := c.override(key); name != "" {
		return "set by " + name
	}
	if names, ok := c.references[key]; ok {
		return "from " + names
	}
	for above := range upwards(key) {
		if name, ok := c.created[above]; ok {
			return above + " is not in the file: it comes from " + name
		}
	}
	return ""
}

// reportedBelow says whether there is a problem with a key below this one.
func (c *collector) reportedBelow(key string) bool {
	return slices.ContainsFunc(c.list, func(p Problem) bool { return strings.HasPrefix(p.Key, key+".") })
}

// got returns how a problem shows the wrong value of a key, if it may.
func (c *collector) got(key, value string) string {
	if c.origin(key) != "" {
		return ""
	}
	return ", got " + quoted(value)
}

// err returns all problems as an error, or nil if there are none.
func (c *collector) err(file string) error {
	if len(c.list) == 0 {
		return nil
	}
	slices.SortStableFunc(c.list, func(a, b Problem) int { return cmp.Compare(a.Key, b.Key) })
	return &Problems{File: file, List: c.list}
}

// move makes what is known of the origin of a key, and of those below it, known of
// another one.
func (c *collector) move(from, to string) {
	for _, origins := range []map[string]string{c.overrides, c.created, c.references, c.written} {
		for _, key := range slices.Collect(maps.Keys(origins)) {
			if rest, ok := strings.CutPrefix(key, from); ok && (rest == "" || rest[0] == '.') {
				origins[to+rest] = origins[key]
				delete(origins, key)
			}
		}
	}
}

// upwards yields a key and then every key above it.
func upwards(key string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for key != "" && yield(key) {
			key = key[:max(strings.LastIndexAny(key, ".["), 0)]
		}
	}
}

// below returns the path of a key in the group at path.
func below(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// quoted returns text in quotes, cut to what fits on a line.
func quoted(text string) string {
	const most = 60
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most]) + "..."
	}
	return fmt.Sprintf("%q", text)
}

// closest returns the known name that a misspelt one most likely means, or "".
func closest(name string, known []string) string {
	best, least := "", max(1, min(3, len(name)/3))+1
	name = folded(name)
	for _, k := range known {
		if d := distance(name, folded(k)); d < least {
			best, least = k, d
		}
	}
	return best
}

// folded returns a name as it is compared where case, - and _ do not count.
func folded(name string) string {
	return strings.ReplaceAll(strings.ToUpper(name), "-", "_")
}

// distance returns how many letters have to be inserted, left out, replaced or
// swapped with their neighbour to make b of a.
func distance(a, b string) int {
	if max(len(a), len(b)) > 64 {
		return 64 // no key is that long
	}
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
