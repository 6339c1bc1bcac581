package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// TestDebianPackage builds the package, looks into it, installs it into an empty
// root and removes it again.
func TestDebianPackage(t *testing.T) {
	need(t, "dpkg-deb")
	need(t, "dpkg")
	if runtime.GOOS != "linux" {
		t.Skip("the package is for Linux")
	}
	dist := t.TempDir()
	deb := buildPackage(t, dist, "v1.2.0-rc.1")
	if want := "aictail_1.2.0~rc.1_"; !strings.HasPrefix(filepath.Base(deb), want) {
		t.Errorf("the package is called %s, want %s...", filepath.Base(deb), want)
	}
	checkContents(t, output(t, exec.Command("dpkg-deb", "-c", deb)))

	root := emptyRoot(t)
	install := func(args ...string) string {
		return output(t, exec.Command("dpkg", append([]string{
			"--root=" + root, "--force-script-chrootless", "--force-not-root", "--force-depends", "--force-bad-path", "--force-unsafe-io",
		}, args...)...))
	}
	if out := install("-i", deb); !strings.Contains(out, "systemctl enable --now aictail") {
		t.Errorf("the installation does not say what to do next:\n%s", out)
	}
	installed := filepath.Join(root, "usr/bin/aictail")
	if out := output(t, exec.Command(installed, "version")); !strings.HasPrefix(out, "aictail v1.2.0-rc.1 ") {
		t.Errorf("version: %s", out)
	}
	// As people do it, with the secrets beside the configuration.
	config := filepath.Join(root, "etc/aictail/aictail.yaml")
	secret := filepath.Join(root, "etc/aictail/credentials/api-key")
	write(t, secret, "secret")
	write(t, filepath.Join(root, "etc/aictail/credentials/api-secret"), "secret")
	output(t, exec.Command(installed, "validate", "--config", config))

	// What people changed stays with an update, and when the package goes; what file
	// sinks wrote even after a purge.
	write(t, config, "mine")
	install("-i", deb)
	if got := read(t, config); got != "mine" {
		t.Errorf("the update has changed the configuration: %s", got)
	}
	events := filepath.Join(root, "var/log/aictail/prod")
	if err := os.MkdirAll(events, 0o750); err != nil {
		t.Fatal(err)
	}
	install("-r", "aictail")
	if got := read(t, config) + read(t, secret); got != "minesecret" {
		t.Errorf("after the removal: %s", got)
	}
	if _, err := os.Stat(installed); err == nil {
		t.Error("the program is there after its removal")
	}
	install("-P", "aictail")
	if _, err := os.Stat(filepath.Join(root, "etc/aictail")); err == nil {
		t.Error("secrets are there after a purge")
	}
	if _, err := os.Stat(events); err != nil {
		t.Error("after the purge:", err)
	}
}

// TestLintian: Debian's own checks find nothing that is not meant.
func TestLintian(t *testing.T) {
	lintian := need(t, "lintian")
	need(t, "dpkg-deb")
	deb := buildPackage(t, t.TempDir(), "v1.2.0")
	cmd := exec.Command(lintian, "--fail-on=error,warning", "--allow-root", deb)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestDebianVersions: dpkg orders the package's versions as they are meant.
func TestDebianVersions(t *testing.T) {
	need(t, "dpkg")
	ordered := []string{"0123abc", "v1.0.0-alpha.1", "v1.0.0-rc.1", "v1.0.0-rc.1-3-g0123abc", "v1.0.0", "v1.0.0-1-g0123abc", "v1.0.1"}
	var versions []string
	for _, v := range ordered {
		cmd := exec.Command("debian/build.sh", "version")
		cmd.Env = append(os.Environ(), "VERSION="+v, "SOURCE_DATE_EPOCH=1700000000")
		versions = append(versions, strings.TrimSpace(output(t, cmd)))
	}
	if versions[0] != "0~git20231114.221320.0123abc" {
		t.Errorf("without a tag: %s", versions[0])
	}
	for i := 1; i < len(versions); i++ {
		if err := exec.Command("dpkg", "--compare-versions", versions[i-1], "lt", versions[i]).Run(); err != nil {
			t.Errorf("%s (%s) is not before %s (%s)", versions[i-1], ordered[i-1], versions[i], ordered[i])
		}
	}
}

func buildPackage(t *testing.T, dist, version string) string {
	t.Helper()
	cmd := exec.Command("debian/build.sh")
	cmd.Env = append(os.Environ(), "VERSION="+version, "DIST="+dist, "SOURCE_DATE_EPOCH=1700000000")
	return strings.TrimSpace(output(t, cmd))
}

// emptyRoot returns a folder that dpkg takes for a system without packages.
func emptyRoot(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for _, dir := range []string{"var/lib/dpkg/info", "var/lib/dpkg/updates", "var/log"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(root, "var/lib/dpkg/status"), "")
	return root
}

func checkContents(t *testing.T, list string) {
	t.Helper()
	for _, want := range []string{
		`-rwxr-xr-x root/root +\d+ \S+ \S+ \./usr/bin/aictail`,
		`-rw-r--r-- root/root +\d+ \S+ \S+ \./usr/lib/systemd/system/aictail\.service`,
		`-rw-r--r-- root/root +\d+ \S+ \S+ \./usr/share/aictail/aictail\.yaml`,
		`drwx------ root/root +\d+ \S+ \S+ \./etc/aictail/credentials/`,
		`\./usr/share/man/man1/aictail\.1\.gz`,
		`\./usr/share/bash-completion/completions/aictail`,
		`\./usr/share/zsh/vendor-completions/_aictail`,
		`\./usr/share/fish/vendor_completions\.d/aictail\.fish`,
		`\./usr/share/doc/aictail/copyright`,
		`\./usr/share/doc/aictail/changelog\.gz`,
		`\./usr/share/doc/aictail/CHANGELOG\.md`,
		`\./usr/share/doc/aictail/config\.example\.yaml`,
		`\./usr/share/doc/aictail/docs/operations\.md`,
	} {
		if !regexp.MustCompile(`(?m)^.*` + want + `$`).MatchString(list) {
			t.Errorf("not in the package: %s\n%s", want, list)
		}
	}
	// dpkg would ask about it with every update that changes ours.
	if strings.Contains(list, "./etc/aictail/aictail.yaml") {
		t.Error("the configuration is a file of the package, and everybody has to change it")
	}
	for line := range strings.Lines(list) {
		if !strings.Contains(line, " root/root ") || !strings.Contains(line, " 2023-11-14 ") {
			t.Errorf("not root's, or of another time than the commit: %s", line)
		}
	}
}
