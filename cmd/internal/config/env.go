package config

import (
	"errors"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// prefix begins the names of the variables that set a key.
const prefix = "AICTAIL_"

// environment returns os.Environ() as a map; of a name that is there twice the
// first counts, as it does for os.Getenv.
func environment(env []string) map[string]string {
	out := make(map[string]string, len(env))
	for _, pair := range env {
		name, value, ok := strings.Cut(pair, "=")
		if _, twice := out[name]; ok && !twice {
			out[name] = value
		}
	}
	return out
}

// overlay turns AICTAIL_ variables into a tree of keys that is merged over that
// of the file.
type overlay struct {
	*collector
	file map[string]any
	tree map[string]any
}

// overrides returns what the AICTAIL_ variables set. Levels are separated by __;
// keys and the names in the file are found without regard to case and to the
// difference of - and _. A name that the file does not have is taken in lower
// case. Variables that lead to an unknown key are put into the tree where
// decoding will find them.
func overrides(env map[string]string, file map[string]any, c *collector) map[string]any {
	o := &overlay{collector: c, file: file, tree: map[string]any{}}
	_, inPod := env["KUBERNETES_SERVICE_HOST"]
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if strings.HasPrefix(name, prefix) && !isForCommands(name) && !(inPod && isServiceLink(name)) {
			o.place(name, env[name])
		}
	}
	return o.tree
}

// The variables that say who the commands are that ask the running daemon. They set no
// key: the daemon itself has no use for them.
const (
	EnvAdminUser     = prefix + "ADMIN_USER"
	EnvAdminPassword = prefix + "ADMIN_PASSWORD"
	EnvAdminCertFile = prefix + "ADMIN_CERT_FILE"
	EnvAdminKeyFile  = prefix + "ADMIN_KEY_FILE"
)

func isForCommands(name string) bool {
	return slices.Contains([]string{EnvAdminUser, EnvAdminPassword, EnvAdminCertFile, EnvAdminKeyFile}, name)
}

// isServiceLink says whether a variable is one of those that Kubernetes puts into
// every pod for a service whose name begins with "aictail". No key is like them.
func isServiceLink(name string) bool {
	return !strings.Contains(name, "__") && regexp.MustCompile(`^AICTAIL_([A-Z0-9_]+_)?(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`).MatchString(name)
}

// place puts a variable's value where its name leads.
func (o *overlay) place(variable, value string) {
	rest := strings.TrimPrefix(variable, prefix)
	if slices.Contains(strings.Split(rest, "__"), "") {
		o.add(variable, "leads to no key: separate the levels with two underscores, as in AICTAIL_LOG__LEVEL")
		return
	}
	at := reflect.TypeFor[Config]()
	have := o.file
	var path []string
	for rest != "" && isGroup(at) {
		children := childrenOf(at, have)
		found, after := match(rest, slices.Sorted(maps.Keys(children)))
		switch {
		case len(found) > 1:
			o.add(variable, "fits both %s and %s: rename one of them in the file", found[0], found[1])
			return
		case len(found) == 1:
			path, at, rest = append(path, found[0]), children[found[0]], after
		default:
			segment, after, _ := strings.Cut(rest, "__")
			path, rest = append(path, strings.ToLower(segment)), after
			if at.Kind() != reflect.Map {
				// An unknown key: decoding reports it.
				o.set(variable, value, path)
				return
			}
			at = at.Elem()
			if created := strings.Join(path, "."); o.created[created] == "" {
				o.created[created] = variable
			}
		}
		next, isMap := have[path[len(path)-1]].(map[string]any)
		if isGroup(at) && !isMap && have[path[len(path)-1]] != nil {
			return // the file has no group here: decoding reports that
		}
		have = next
	}
	switch {
	case isGroup(at):
		o.add(variable, "leads to a group of keys: set them one by one, such as %s__%s", variable, strings.ToUpper(example(at)))
	case rest != "":
		o.add(variable, "leads below %s, which can only be set as a whole", strings.Join(path, "."))
	default:
		o.set(variable, value, path)
	}
}

// set puts a value into the tree.
func (o *overlay) set(variable, value string, path []string) {
	key := strings.Join(path, ".")
	if other := o.override(key); other != "" {
		o.add(variable, "sets the same key as %s: remove one of them", other)
		return
	}
	at := o.tree
	for _, name := range path[:len(path)-1] {
		next, ok := at[name].(map[string]any)
		if !ok {
			next = map[string]any{}
			at[name] = next
		}
		at = next
	}
	at[path[len(path)-1]] = value
	o.overrides[key] = variable
}

// childrenOf returns the names that can follow in a group, and their types.
func childrenOf(group reflect.Type, have map[string]any) map[string]reflect.Type {
	children := map[string]reflect.Type{}
	if group.Kind() == reflect.Map {
		for name := range have {
			children[name] = group.Elem()
		}
		return children
	}
	for _, k := range allKeysOf(group) {
		children[k.name] = k.typ
	}
	return children
}

// match returns which of the names the text begins with, and what follows. Of
// names that contain one another the longest counts; several are returned only
// if they differ in nothing but case and - or _.
func match(text string, names []string) (found []string, after string) {
	text = folded(text)
	longest := 0
	for _, name := range names {
		f := folded(name)
		if text != f && !strings.HasPrefix(text, f+"__") || len(f) < longest || f == "" {
			continue
		}
		if len(f) > longest {
			longest, found = len(f), nil
		}
		found = append(found, name)
		after = strings.TrimPrefix(text[len(f):], "__")
	}
	return found, after
}

// example returns a key of a group, for messages.
func example(group reflect.Type) string {
	if group.Kind() == reflect.Map {
		if !isGroup(group.Elem()) {
			return "name"
		}
		return "name__" + example(group.Elem())
	}
	return keysOf(group)[0].name
}

// expand replaces each ${NAME} of a text with the variable's value, and $${ with
// ${. What it puts in is not looked at again. names lists the variables.
func expand(text string, env map[string]string) (out string, names []string, err error) {
	var b strings.Builder
	for {
		i := strings.Index(text, "${")
		if i < 0 {
			b.WriteString(text)
			return b.String(), names, nil
		}
		if i > 0 && text[i-1] == '$' {
			b.WriteString(text[:i-1])
			b.WriteString("${")
			text = text[i+2:]
			continue
		}
		b.WriteString(text[:i])
		name, rest, closed := strings.Cut(text[i+2:], "}")
		if !closed || !isVariable(name) {
			// What stands there is not shown: it may be part of a secret.
			return "", nil, errors.New("${ must be followed by the name of a variable and }, without anything else; write $${ for the text ${")
		}
		value, ok := env[name]
		if !ok {
			return "", nil, notSet(name)
		}
		b.WriteString(value)
		names = append(names, "${"+name+"}")
		text = rest
	}
}

func isVariable(name string) bool {
	for i, r := range name {
		letter := r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return name != ""
}
