package deploy_test

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func TestDockerfile(t *testing.T) {
	output(t, exec.Command(need(t, "hadolint"), "../Dockerfile"))
}

// TestDockerfileFits: what stands in the Dockerfile and elsewhere, too, agrees.
func TestDockerfileFits(t *testing.T) {
	text := read(t, "../Dockerfile")
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(read(t, "../go.mod"))
	if version == nil || !strings.Contains(text, "golang:"+version[1]+"-") {
		t.Errorf("the image is not built by the Go of go.mod, %v", version)
	}
	if !strings.Contains(text, "\nUSER 65532:65532\n") {
		t.Error("no numeric user: Kubernetes cannot tell that it is not root")
	}
	if !regexp.MustCompile(`(?m)^FROM scratch$`).MatchString(text) {
		t.Error("the image is not made from scratch")
	}
	// The health check's command exists, whatever it finds.
	check := regexp.MustCompile(`CMD \["/usr/bin/aictail", "(\w+)"`).FindStringSubmatch(text)
	if check == nil {
		t.Fatal("no health check")
	}
	output(t, exec.Command(program(t), check[1], "--help"))
}

// TestBuildContext: every folder with Go code of the program reaches the build, and
// nothing with secrets or state does.
func TestBuildContext(t *testing.T) {
	ignore := read(t, "../.dockerignore")
	if !strings.Contains(ignore, "\n*\n") {
		t.Error("what is not named should stay out")
	}
	cmd := exec.Command("go", "list", "-deps", "-f", "{{if .Module}}{{if .Module.Main}}{{.ImportPath}}{{end}}{{end}}", "../cmd/aictail")
	folders := map[string]bool{}
	for _, path := range strings.Fields(output(t, cmd)) {
		_, inner, _ := strings.Cut(path, "/")
		if top, _, _ := strings.Cut(inner, "/"); top != "" {
			folders[top] = true
		}
	}
	if len(folders) < 5 {
		t.Errorf("only %d folders found", len(folders))
	}
	for folder := range folders {
		if !strings.Contains(ignore, "\n!"+folder+"\n") {
			t.Errorf(".dockerignore keeps %s out", folder)
		}
	}
}

// TestStatic: the program runs in an image that has nothing else.
func TestStatic(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the image is for Linux")
	}
	f, err := elf.Open(program(t))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if libs, err := f.ImportedLibraries(); err != nil || len(libs) > 0 {
		t.Errorf("it needs %v, %v", libs, err)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("it needs a dynamic loader")
		}
	}
}

// composeFile is what the tests look at.
type composeFile struct {
	Services map[string]struct {
		Image       string
		Ports       []string
		Volumes     []string
		Healthcheck map[string]any
		Restart     string
		Build       map[string]any
	}
}

// TestCompose holds the stack to what a stack that only looks like one would lack.
func TestCompose(t *testing.T) {
	var c composeFile
	if err := yaml.Unmarshal([]byte(read(t, "container/compose.yaml")), &c); err != nil {
		t.Fatal(err)
	}
	want := []string{"aictail", "elasticsearch", "grafana", "kafka", "kafka-topics", "kibana", "prometheus", "simulator", "splunk"}
	var got []string
	for name, s := range c.Services {
		got = append(got, name)
		if !regexp.MustCompile(`^(aictail:local|[a-z./]+:v?\d+\.\d+\.\d+)$`).MatchString(s.Image) {
			t.Errorf("%s: image %s is not pinned", name, s.Image)
		}
		once := s.Restart == "no"
		if s.Healthcheck == nil && s.Build == nil && !once {
			t.Errorf("%s has no health check", name)
		}
		for _, p := range s.Ports {
			if !strings.HasPrefix(p, "127.0.0.1:") {
				t.Errorf("%s: port %s is open to the network", name, p)
			}
		}
		for _, v := range s.Volumes {
			source, _, _ := strings.Cut(v, ":")
			if !strings.HasPrefix(source, ".") {
				continue
			}
			if _, err := os.Stat(filepath.Join("container", source)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if !strings.HasSuffix(v, ":ro") {
				t.Errorf("%s: %s can be written to", name, v)
			}
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("services %v, want %v", got, want)
	}
}

// TestComposeSchema checks the file by Compose's own loader.
func TestComposeSchema(t *testing.T) {
	output(t, exec.Command(need(t, "compose-spec"), "container/compose.yaml"))
}

// TestComposeConfig: aictail takes the stack's configuration.
func TestComposeConfig(t *testing.T) {
	validate := exec.Command(program(t), "validate", "--config", "container/aictail.yaml")
	validate.Env = append(os.Environ(), "SPLUNK_HEC_TOKEN=token")
	out, err := validate.CombinedOutput()
	if err == nil {
		return
	}
	// A sink that a later version brings is the one thing that may be wrong.
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n")[1:] {
		if !strings.Contains(line, "is not supported by this version") {
			t.Error(line)
		}
	}
}
