package servers

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// prepareTimeout is for 70 MB of jars over a slow line.
const prepareTimeout = 10 * time.Minute

// layout is the revision of what prepare makes from a recipe. A change of
// the code below that changes the result counts it up.
const layout = "1"

// preparation is what prepare needs besides the kind of server.
type preparation struct {
	cache string
	jdk   jdk
	logf  func(format string, args ...any)
}

// cacheFolder returns the folder of the prepared servers.
func cacheFolder() (string, error) {
	if dir := os.Getenv(cacheVar); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no cache folder (set %s): %w", cacheVar, err)
	}
	return filepath.Join(dir, "aictail", "servers"), nil
}

// prepare returns the folder with the files of a server. The first call, of all
// test processes, makes it; it appears under its name only when it is complete.
// Its name holds version and recipe, so that it never has to change.
func prepare(ctx context.Context, k kind, p preparation) (string, error) {
	name, version, err := k.identify()
	if err != nil {
		return "", err
	}
	home := filepath.Join(p.cache, name)
	if _, err := os.Stat(home); err == nil {
		return home, nil
	}
	unlock, err := lock(home+".lock", p.logf)
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(home); err == nil {
		return home, nil
	}
	p.logf("fetching %s with Maven, once, into %s", k.profile, home)
	work := home + ".part"
	if err := os.RemoveAll(work); err != nil { // of a process that was killed
		return "", err
	}
	if err := k.assemble(ctx, work, version, p.jdk); err != nil {
		return "", err
	}
	return home, os.Rename(work, home)
}

// identify returns the name of the folder for the prepared server and the
// version of the server.
func (k kind) identify() (name, version string, err error) {
	pom, err := recipes.ReadFile("pom.xml")
	if err != nil {
		return "", "", err
	}
	var project struct {
		Build struct {
			Inner string `xml:",innerxml"`
		} `xml:"build"`
		Profiles []struct {
			ID       string   `xml:"id"`
			Versions []string `xml:"dependencies>dependency>version"`
			Inner    string   `xml:",innerxml"`
		} `xml:"profiles>profile"`
	}
	if err := xml.Unmarshal(pom, &project); err != nil {
		return "", "", fmt.Errorf("pom.xml: %w", err)
	}
	for _, profile := range project.Profiles {
		if profile.ID != k.profile || len(profile.Versions) == 0 {
			continue
		}
		recipe := sha256.New()
		fmt.Fprint(recipe, layout, project.Build.Inner, profile.Inner)
		if k.launcher != "" {
			source, err := recipes.ReadFile("launcher/" + k.launcher + ".java")
			if err != nil {
				return "", "", err
			}
			recipe.Write(source)
		}
		version = profile.Versions[0]
		return fmt.Sprintf("%s-%s-%s", k.profile, version, hex.EncodeToString(recipe.Sum(nil))[:8]), version, nil
	}
	return "", "", fmt.Errorf("pom.xml has no profile %s", k.profile)
}

// assemble makes the folder of a server: lib with the jars, classes with our
// launcher, and what Elasticsearch expects of its home besides.
func (k kind) assemble(ctx context.Context, home, version string, jdk jdk) error {
	if err := os.MkdirAll(filepath.Join(home, "lib"), 0o755); err != nil {
		return err
	}
	for _, file := range []string{"pom.xml", "launcher/" + k.launcher + ".java"} {
		content, err := recipes.ReadFile(file)
		if err != nil {
			continue // there is no launcher
		}
		if err := os.WriteFile(filepath.Join(home, filepath.Base(file)), content, 0o644); err != nil {
			return err
		}
	}
	if _, err := exec.LookPath("mvn"); err != nil {
		return errors.New("mvn is not installed (Debian: maven)")
	}
	err := command(ctx, home, "mvn", "--batch-mode", "--quiet", "--strict-checksums", "-P", k.profile,
		"dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory="+filepath.Join(home, "lib"))
	if err != nil {
		return err
	}
	if k.modular {
		if err := elasticModules(home, version, k.java); err != nil {
			return err
		}
	}
	if k.launcher == "" {
		return nil
	}
	args := append([]string{"--release", fmt.Sprint(k.java), "-d", filepath.Join(home, "classes")}, k.javaPath(home)...)
	return command(ctx, home, jdk.javac(), append(args, k.launcher+".java")...)
}

// javaPath returns the arguments with which java and javac find the server.
func (k kind) javaPath(home string) []string {
	lib, classes := filepath.Join(home, "lib"), filepath.Join(home, "classes")
	if k.modular {
		return []string{"--module-path", lib, "--add-modules", "ALL-MODULE-PATH", "--class-path", classes}
	}
	return []string{"--class-path", classes + string(os.PathListSeparator) + filepath.Join(lib, "*")}
}

// elasticModules moves the jars of the HTTP transport to the folder of their
// own from which Elasticsearch loads it.
func elasticModules(home, version string, java int) error {
	module := filepath.Join(home, "modules", "transport-netty4")
	for _, dir := range []string{module, filepath.Join(home, "plugins")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	jars, err := os.ReadDir(filepath.Join(home, "lib"))
	if err != nil {
		return err
	}
	for _, jar := range jars {
		if !strings.HasPrefix(jar.Name(), "netty-") && !strings.HasPrefix(jar.Name(), "transport-netty4-") {
			continue
		}
		if err := os.Rename(filepath.Join(home, "lib", jar.Name()), filepath.Join(module, jar.Name())); err != nil {
			return err
		}
	}
	descriptor := fmt.Sprintf("name=transport-netty4\ndescription=HTTP\nversion=%[1]s\nelasticsearch.version=%[1]s\njava.version=%[2]d\n"+
		"classname=org.elasticsearch.transport.netty4.Netty4Plugin\n", version, java)
	return os.WriteFile(filepath.Join(module, "plugin-descriptor.properties"), []byte(descriptor), 0o644)
}

// command runs a program to its end. Its error holds what the program said.
func command(ctx context.Context, dir, name string, args ...string) error {
	runtime.LockOSThread() // see process.spawn
	defer runtime.UnlockOSThread()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.SysProcAttr = ownGroup()
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 10 * time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w\n%s", filepath.Base(name), err, lastLines(out.Bytes(), 30))
	}
	return nil
}
