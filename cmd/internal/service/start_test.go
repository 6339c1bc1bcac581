package service

import (
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/zap"

	"aictail/cmd/internal/config"
)

// TestStartIsRemembered: the start of a new installation is a moment, however
// often the daemon is killed before anything of it is confirmed.
func TestStartIsRemembered(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "aictail.yaml")
	text := `
data_dir: ` + dir + `/data
admin: {listen: "off"}
tenants: {prod: {url: "http://127.0.0.1:1", api_key: k, api_secret: s, sources: [am-access, am-core], start: 1h}}
sinks: {out: {type: file, path: ` + dir + `/out.ndjson}}
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var first []string
	for life := range 3 {
		cfg, err := config.Load(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		s, err := New(cfg, "test", zap.NewNop())
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range s.readings {
			b, err := r.stream.Beginning()
			if err != nil {
				t.Fatal(err)
			}
			if life == 0 {
				first = append(first, string(b))
			} else if string(b) != first[i] {
				t.Errorf("life %d begins with %s, the first with %s", life, b, first[i])
			}
		}
		s.close() // as after a kill: nothing was tidied up
	}
}
