package service

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"aictail/checkpoint"
	"aictail/cmd/internal/config"
)

// testConfig returns a configuration of a tenant that nothing answers for.
func testConfig(t *testing.T) *config.Config {
	t.Helper()
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
	cfg, err := config.Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// newAt1000 makes a service whose journal begins at position 1000, as an earlier run
// has left it.
func newAt1000(t *testing.T, log *zap.Logger) *Service {
	t.Helper()
	cfg := testConfig(t)
	state, err := checkpoint.Open(cfg.DataDir)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(state.SaveStreams(nil, 1000), state.Close()); err != nil {
		t.Fatal(err)
	}
	s, err := New(cfg, "test", log)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestStoredPositionStays: the state file says up to where the journal has been
// taken in. A run that needs older ids than the one before, since it has read more
// of the journal again, does not set it back.
func TestStoredPositionStays(t *testing.T) {
	core, logs := observer.New(zapcore.ErrorLevel)
	s := newAt1000(t, zap.New(core))
	defer s.close()
	s.readings[0].stream.RecoverEvent([]byte("older"), time.Now(), 34)
	s.tidy()
	checkpoints, applied, err := s.state.Streams()
	if err != nil || applied != 1000 {
		t.Errorf("the stored position is %d, %v; want 1000", applied, err)
	}
	if failed := logs.FilterMessageSnippet("state file"); len(checkpoints) == 0 || failed.Len() > 0 {
		t.Errorf("%d checkpoints stored, log: %v", len(checkpoints), failed.All())
	}
}

// TestStartIsRemembered: the start of a new installation is a moment, however
// often the daemon is killed before anything of it is confirmed.
func TestStartIsRemembered(t *testing.T) {
	cfg := testConfig(t)
	var first []string
	for life := range 3 {
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

// TestSweepSwitchedOnLater: with the sweep off no start is remembered, or everything
// since the installation would be swept, and delivered again, once it is on.
func TestSweepSwitchedOnLater(t *testing.T) {
	cfg := testConfig(t)
	prod := cfg.Tenants["prod"]
	prod.Sweep.Mode = "off"
	cfg.Tenants["prod"] = prod
	s, err := New(cfg, "test", zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	s.tidy()
	checkpoints, _, err := s.state.Streams()
	s.close()
	if err != nil {
		t.Fatal(err)
	}
	for name := range checkpoints {
		if strings.HasPrefix(name, sweepPrefix) {
			t.Errorf("%s is remembered although nothing is swept", name)
		}
	}
}
