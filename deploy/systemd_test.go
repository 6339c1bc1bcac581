package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const unitFile = "systemd/aictail.service"

// maxExposure is the sum of what systemd holds against the unit, 10 being a service
// without any restriction. What is left is the network and a file system that can be
// read.
const maxExposure = "2.0"

func TestUnitExposure(t *testing.T) {
	analyze := need(t, "systemd-analyze")
	cmd := exec.Command(analyze, "security", "--offline=true", "--no-pager", "--threshold="+strings.ReplaceAll(maxExposure, ".", ""), unitFile)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("the unit is exposed by more than %s: %v\n%s", maxExposure, err, out)
	}
	if !strings.Contains(string(out), "Overall exposure level") {
		t.Errorf("no exposure level in:\n%s", out)
	}
}

// TestUnitVerifies: systemd understands every line of the unit.
func TestUnitVerifies(t *testing.T) {
	analyze := need(t, "systemd-analyze")
	// systemd wants the program to be there.
	unit := strings.ReplaceAll(read(t, unitFile), "/usr/bin/aictail", program(t))
	path := filepath.Join(t.TempDir(), "aictail.service")
	write(t, path, unit)
	if out := output(t, exec.Command(analyze, "verify", "--man=no", path)); strings.Contains(out, "aictail.service") {
		t.Error(out)
	}
}

// TestServiceConfig: the configuration that the package brings is valid as soon as
// the secrets are there, and only then.
func TestServiceConfig(t *testing.T) {
	validate := exec.Command(program(t), "validate", "--config", "systemd/aictail.yaml")
	validate.Env = append(os.Environ(), "CREDENTIALS_DIRECTORY="+credentials(t))
	if out := output(t, validate); !strings.Contains(out, "is valid: 1 tenant(s), 1 sink(s)") || strings.Contains(out, "warning") {
		t.Error(out)
	}
	without := exec.Command(validate.Path, validate.Args[1:]...)
	without.Env = append(os.Environ(), "CREDENTIALS_DIRECTORY="+t.TempDir())
	if out, err := without.CombinedOutput(); err == nil || !strings.Contains(string(out), "api_key_file") {
		t.Errorf("without secrets: %v\n%s", err, out)
	}

	// With the signs taken off all lines that are keys.
	whole := filepath.Join(t.TempDir(), "aictail.yaml")
	write(t, whole, regexp.MustCompile(`(?m)^( +)# ( *[a-z_]+:( |$))`).ReplaceAllString(read(t, "systemd/aictail.yaml"), "$1$2"))
	all := exec.Command(validate.Path, "validate", "--config", whole)
	all.Env = validate.Env
	if out := output(t, all); !strings.Contains(out, "is valid: 1 tenant(s), 4 sink(s)") || strings.Contains(out, "warning") {
		t.Error(out)
	}
}

// TestUnitCredentials: what our pages and configurations call a secret is handed over
// without a change of the unit, and what is not there is left to aictail to name.
func TestUnitCredentials(t *testing.T) {
	unit := read(t, unitFile)
	for _, m := range regexp.MustCompile(`(?m)^LoadCredential=([a-z-]+):(.*)$`).FindAllStringSubmatch(unit, -1) {
		if m[2] != "/etc/aictail/credentials/"+m[1] {
			t.Errorf("%s is looked for in %s", m[1], m[2])
		}
		if !strings.Contains(unit, "\nSetCredential="+m[1]+`:\n`+"\n") {
			t.Errorf("%s: without its file the service would not start, whether it is needed or not", m[1])
		}
	}
	found := 0
	for _, page := range []string{"../README.md", "../config.example.yaml", "../docs/sinks.md", "../docs/redaction.md", "systemd/aictail.yaml"} {
		for _, m := range regexp.MustCompile(`\$\{CREDENTIALS_DIRECTORY\}/([a-z.-]+)`).FindAllStringSubmatch(read(t, page), -1) {
			found++
			if !strings.Contains(unit, "\nLoadCredential="+m[1]+":") {
				t.Errorf("%s names the credential %s, which the unit does not hand over", page, m[1])
			}
		}
	}
	if found < 10 {
		t.Errorf("only %d credentials found", found)
	}
}

// TestUnitFits: what the unit says in two places, or here and in the program, agrees.
func TestUnitFits(t *testing.T) {
	unit, config := read(t, unitFile), read(t, "systemd/aictail.yaml")
	for _, line := range []string{
		"Type=notify", "DynamicUser=yes", "Restart=always", "LimitCORE=0",
		"StateDirectory=aictail", // data_dir's default is below /var/lib
		"LogsDirectory=aictail",
		"LoadCredential=api-key:/etc/aictail/credentials/api-key",
		"LoadCredential=api-secret:/etc/aictail/credentials/api-secret",
	} {
		if !strings.Contains(unit, "\n"+line+"\n") {
			t.Errorf("the unit has no line %s", line)
		}
	}
	for _, text := range []string{
		"api_key_file: ${CREDENTIALS_DIRECTORY}/api-key\n",
		"api_secret_file: ${CREDENTIALS_DIRECTORY}/api-secret\n",
		"path: /var/log/aictail/",
	} {
		if !strings.Contains(config, text) {
			t.Errorf("the configuration does not contain %s", text)
		}
	}
	// The Go runtime ends with 2 after a panic and after the watchdog's SIGABRT.
	if strings.Contains(unit, "RestartPreventExitStatus") {
		t.Error("an exit code that prevents restarts would do so after a panic")
	}
}
