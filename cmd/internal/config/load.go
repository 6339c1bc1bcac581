package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/rawbytes"
	"github.com/knadh/koanf/v2"
)

// Sizes beyond which a file is not what it is taken for: a configuration of a
// thousand tenants has about 300 KB, a key or secret less than 1 KB.
const (
	maxFile   = 1 << 20
	maxSecret = 64 << 10
)

// Load reads the configuration file, the environment (as os.Environ returns it) and
// the files with keys and secrets, and checks everything. The error is *Problems.
func Load(path string, env []string) (*Config, error) {
	if path == "" {
		return nil, &Problems{File: "configuration", List: []Problem{{Msg: "no file given: name it with --config"}}}
	}
	data, err := readFile(path, maxFile)
	if err != nil {
		return nil, &Problems{File: path, List: []Problem{{Msg: err.Error()}}}
	}
	return parse(path, data, env)
}

// parse is Load for a file that has been read.
func parse(path string, data []byte, env []string) (*Config, error) {
	// Names may contain dots, and koanf only loads and merges here: a delimiter
	// that no name contains keeps them whole.
	k := koanf.New("\x00")
	if err := k.Load(rawbytes.Provider(data), strictYAML{}); err != nil {
		if problems, ok := errors.AsType[*Problems](err); ok {
			return nil, &Problems{File: path, List: problems.List}
		}
		return nil, &Problems{File: path, List: []Problem{{Msg: "cannot be read as YAML"}}}
	}
	vars := environment(env)
	withCredentials(vars, filepath.Dir(path))
	c := newCollector()
	if err := k.Load(confmap.Provider(overrides(vars, k.Raw(), c), ""), nil); err != nil {
		return nil, &Problems{File: path, List: []Problem{{Msg: fmt.Sprintf("merge the environment: %v", err)}}}
	}

	cfg := new(Config)
	d := &decoder{collector: c, env: vars}
	d.group("", k.Raw(), reflect.ValueOf(cfg).Elem())
	readSecrets(cfg, filepath.Dir(path), c)
	readNoise(&cfg.Filter, filepath.Dir(path), c)
	cfg.Warnings = validate(cfg, c)
	if err := c.err(path); err != nil {
		return nil, err
	}
	return cfg, nil
}

// readSecrets fills the keys and secrets that have a file of their own.
func readSecrets(cfg *Config, folder string, c *collector) {
	for name, t := range cfg.Tenants {
		path := below("tenants", name)
		f := secretFile{key: below(path, "api_key_file"), path: t.APIKeyFile, folder: folder}
		f.read("api_key", &t.APIKey, c)
		f = secretFile{key: below(path, "api_secret_file"), path: t.APISecretFile, folder: folder}
		f.read("api_secret", &t.APISecret, c)
		t.TLS.resolve(below(path, "tls"), folder, c)
		cfg.Tenants[name] = t
	}
	for name, sink := range cfg.Sinks {
		if hec := sink.SplunkHEC; hec != nil {
			f := secretFile{key: below(below("sinks", name), "token_file"), path: hec.TokenFile, folder: folder}
			f.read("token", &hec.Token, c)
			hec.TLS.resolve(below(below("sinks", name), "tls"), folder, c)
		}
		if sink.Elasticsearch != nil {
			sink.Elasticsearch.readSecrets(below("sinks", name), folder, c)
		}
		if k := sink.Kafka; k != nil {
			k.readFiles(below("sinks", name), folder, c)
		}
	}
	if web := &cfg.Admin.WebConfigFile; *web != "" {
		*web = secretFile{folder: folder}.resolved(*web)
	}
	f := secretFile{key: "filter.hash_key_file", path: cfg.Filter.HashKeyFile, folder: folder}
	f.readKeys(&cfg.Filter.HashKey, c)
}

// secretFile is a file that holds a secret.
type secretFile struct {
	key    string // that names the file
	path   string // as configured; "" for none
	folder string // where a relative path starts
	// phrase: the secret may be any text, as passwords are that people chose.
	phrase bool
}

// read fills the secret from its file, if it has one; inline is the key that would
// hold the secret itself.
func (f secretFile) read(inline string, secret *Secret, c *collector) {
	if f.path == "" {
		return
	}
	if !secret.IsZero() {
		c.add(f.key, "set together with %s: remove one of them", inline)
		return
	}
	data, _, err := f.content()
	text := strings.TrimRight(string(data), "\r\n")
	switch why := unprintable(text); {
	case err != nil:
		c.add(f.key, "%s%v", f.shown(c), err)
	case text == "":
		c.add(f.key, "%sthe file is empty: %s", f.shown(c), fill(f.resolved(f.path)))
	case why != "" && !f.phrase:
		c.add(f.key, "%s%s", f.shown(c), why)
	default:
		*secret = NewSecret(text)
	}
}

// readKeys fills the secret with all of the file: several keys, one a line. Whoever can
// read them can find out whose hash a token is, and whoever can change them can make
// users untraceable, so others must not have either right. The group may read: that is
// how Kubernetes hands secrets to a process without root's rights.
func (f secretFile) readKeys(secret *Secret, c *collector) {
	if f.path == "" {
		return
	}
	data, mode, err := f.content()
	switch {
	case err != nil:
		c.add(f.key, "%s%v", f.shown(c), err)
	case mode.Perm()&0o027 != 0:
		c.add(f.key, "%severybody may read it, or others may change it (mode %04o): chmod 600 it", f.shown(c), mode.Perm())
	case strings.TrimSpace(string(data)) == "":
		c.add(f.key, "%sthe file is empty: create a key with openssl rand -hex 32", f.shown(c))
	default:
		*secret = NewSecret(string(data))
	}
}

// content reads the file.
func (f secretFile) content() ([]byte, fs.FileMode, error) {
	path := f.resolved(f.path)
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, 0, explainSecret(path, err)
	case !info.Mode().IsRegular():
		// A named pipe without a writer would hold up the start for ever.
		return nil, 0, errors.New("not a regular file: give the path of a file that holds nothing but the secret")
	}
	data, err := readFile(path, maxSecret)
	return data, info.Mode(), err
}

// shown returns how a problem begins with the path. It leaves out what may be the
// secret itself, put there by mistake: a text without a slash or dot, and what
// variables hold.
func (f secretFile) shown(c *collector) string {
	path := f.path
	written, expanded := c.written[f.key]
	if expanded {
		path = written
	}
	if c.override(f.key) != "" || !strings.ContainsAny(path, "/.") {
		return ""
	}
	if !expanded {
		path = f.resolved(path)
	}
	return path + ": "
}

func (f secretFile) resolved(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(f.folder, path)
}

// readFile reads a small file. The error says what to do and does not repeat the
// path.
func readFile(path string, limit int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, explain(err)
	}
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if closing := file.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return nil, explain(err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("the file is larger than %s: is it the right one?", Bytes(limit))
	}
	return data, nil
}

// explain returns an error of the file system with what to do.
func explain(err error) error {
	cause := err
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		cause = pathErr.Err
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no such file: check the path (%w)", cause)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("the user that runs aictail may not read it: check owner and mode of the file and its folders, or use sudo (%w)", cause)
	}
	return fmt.Errorf("it cannot be read: check that it is a file (%w)", cause)
}
