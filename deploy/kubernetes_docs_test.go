package deploy_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// documentedValues returns the YAML of the Kubernetes section of docs/install.md: a
// complete values.yaml first, then what may be put in its place or added to it.
func documentedValues(t *testing.T) []object {
	t.Helper()
	_, section, _ := strings.Cut(read(t, "../docs/install.md"), "\n## Kubernetes\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var values []object
	for _, block := range regexp.MustCompile("(?ms)^ *```yaml\n(.*?)^ *```").FindAllStringSubmatch(section, -1) {
		var v object
		if err := yaml.Unmarshal([]byte(block[1]), &v); err != nil {
			t.Fatalf("%v in\n%s", err, block[1])
		}
		if sinks, alone := v["sinks"]; alone {
			v = object{"config": object{"sinks": sinks}}
		}
		values = append(values, v)
	}
	if len(values) < 4 {
		t.Fatalf("only %d blocks of YAML found", len(values))
	}
	return values
}

// TestChartDocs: who copies the values of docs/install.md gets a configuration that
// the daemon takes, with files of the secret that the section names.
func TestChartDocs(t *testing.T) {
	aictail, secret := program(t), credentials(t)
	values := documentedValues(t)
	for _, name := range []string{"hec-token", "es-api-key", "kafka-password"} {
		write(t, filepath.Join(secret, name), "the-"+name+"\n")
	}
	for i := range values {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			dir := t.TempDir()
			args := []string{}
			for n, v := range []object{values[0], values[i]} {
				file := filepath.Join(dir, fmt.Sprintf("%d.yaml", n))
				write(t, file, encode(t, v))
				args = append(args, "--values", file)
			}
			all := objects(t, template(t, args...))
			file := filepath.Join(dir, "aictail.yaml")
			write(t, file, at(all["ConfigMap"], "data").(object)["aictail.yaml"].(string))
			validate := exec.Command(aictail, "validate", "--config", file)
			validate.Env = append(os.Environ(), "CREDENTIALS_DIRECTORY="+secret)
			output(t, validate)
			if got := at(all["StatefulSet"], "spec.template.spec.containers[0].image"); got != "registry.example.com/aictail:v0.1.0" {
				t.Errorf("the image is %v", got)
			}
		})
	}
}
