package service

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"aictail/cmd/internal/config"
	"aictail/sinks/sinktest"
)

// TestExamplesInDocs: what our pages show as configuration is valid. A block that
// shows a part only is completed.
func TestExamplesInDocs(t *testing.T) {
	pages, err := filepath.Glob("../../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, page := range append(pages, "../../../README.md", "../../../SECURITY.md", "../../../deploy/elasticsearch/README.md", "../../../deploy/splunk/README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range yamlBlocks(string(text)) {
			if !isConfiguration(block) {
				continue
			}
			found++
			if err := checkExample(t, block); err != nil {
				t.Errorf("%s: %v\n%s", page, err, block)
			}
		}
	}
	if found < 10 {
		t.Errorf("only %d examples found", found)
	}
}

// yamlBlocks returns the blocks of YAML in a page, without what they are indented by.
func yamlBlocks(page string) []string {
	var blocks []string
	for _, m := range regexp.MustCompile("(?ms)^( *)```yaml\n(.*?)^ *```").FindAllStringSubmatch(page, -1) {
		blocks = append(blocks, regexp.MustCompile("(?m)^"+m[1]).ReplaceAllString(m[2], ""))
	}
	return blocks
}

// isConfiguration says whether a block is aictail's and not that of another program:
// one known key is enough, so that a misspelt one beside it is found.
func isConfiguration(block string) bool {
	ours := []string{"data_dir", "log", "admin", "shutdown_timeout", "tenants", "sinks", "filter", "journal"}
	return slices.ContainsFunc(topLevel(block), func(key string) bool { return slices.Contains(ours, key) })
}

func topLevel(block string) []string {
	var keys []string
	for _, m := range regexp.MustCompile(`(?m)^([a-z_]+):`).FindAllStringSubmatch(block, -1) {
		keys = append(keys, m[1])
	}
	return keys
}

// checkExample validates a block as the whole configuration, with what it leaves out
// and the files that it names.
func checkExample(t *testing.T, block string) error {
	t.Helper()
	dir := t.TempDir()
	block = strings.ReplaceAll(block, "/run/secrets/", "${CREDENTIALS_DIRECTORY}/")
	block = withCertificates(t, dir, block)
	block, env := completed(block)
	for _, m := range regexp.MustCompile(`(\$\{([A-Z_]+)\}|\.)(?:/([a-z.-]+))?`).FindAllStringSubmatch(block, -1) {
		if m[3] == "" {
			env = append(env, m[2]+"=secret")
		} else if err := os.WriteFile(filepath.Join(dir, m[3]), []byte(strings.Repeat("secret-", 5)+"\n"), 0o600); err != nil {
			return err
		}
	}
	path := filepath.Join(dir, "aictail.yaml")
	if err := os.WriteFile(path, []byte(block), 0o600); err != nil {
		return err
	}
	cfg, err := config.Load(path, append(env, "CREDENTIALS_DIRECTORY="+dir))
	if err == nil {
		_, err = Check(cfg)
	}
	if problems, ok := errors.AsType[*config.Problems](err); ok {
		problems.File = "the example"
	}
	return err
}

// withCertificates puts a certificate and its key where the block says they are, but in
// dir.
func withCertificates(t *testing.T, dir, block string) string {
	t.Helper()
	sinktest.Certificate(t, "example", filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	for key, file := range map[string]string{"ca_file": "cert.pem", "cert_file": "cert.pem", "key_file": "key.pem"} {
		block = regexp.MustCompile(`\b`+key+`: [^,}\s]+`).ReplaceAllString(block, key+": "+file)
	}
	return block
}

// completed adds what a configuration needs and a part of one does not show: tenants,
// sinks, or the keys of one that is shown without them.
func completed(block string) (_ string, env []string) {
	shown := topLevel(block)
	switch {
	case !slices.Contains(shown, "tenants"):
		block += "tenants: {prod: {url: 'https://tenant.example.com', api_key: k, api_secret: s, sources: [am-access]}}\n"
	case !strings.Contains(block, "sources:"):
		env = append(env, "AICTAIL_TENANTS__PROD__URL=https://tenant.example.com", "AICTAIL_TENANTS__PROD__SOURCES=am-access")
	}
	switch {
	case !slices.Contains(shown, "sinks"):
		block += "sinks: {archive: {type: file, path: 'out/{source}.ndjson'}}\n"
	case !strings.Contains(block, "type:"):
		env = append(env, "AICTAIL_SINKS__SIEM__TYPE=file", "AICTAIL_SINKS__SIEM__PATH=out.ndjson")
	}
	return block, env
}

// TestBlocks: the examples are found as they stand in lists, too.
func TestBlocks(t *testing.T) {
	got := yamlBlocks("1. Write\n\n   ```yaml\n   sinks:\n     a: {type: file}\n   ```\n\n```yaml\nrule_files: [a]\n```\n")
	want := []string{"sinks:\n  a: {type: file}\n", "rule_files: [a]\n"}
	if !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
	if !isConfiguration(got[0]) || isConfiguration(got[1]) || !strings.HasPrefix(got[1], "rule") {
		t.Errorf("which of them is ours? %q", got)
	}
}
