package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestNotify runs the program as systemd does with Type=notify and WatchdogSec, and
// reads what it says on the socket.
func TestNotify(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	socket := filepath.Join(dir, "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	tenant, admin := freeAddress(t), freeAddress(t)
	start(t, "simulate", "--listen", tenant, "--rate", "100")
	// systemd's LoadCredential puts the files into a folder that a variable names.
	credentials := filepath.Join(dir, "credentials")
	if err := os.Mkdir(credentials, 0o700); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(credentials, "api-key"), "key\n")
	writeFile(t, filepath.Join(credentials, "api-secret"), "secret\n")
	config := filepath.Join(dir, "aictail.yaml")
	writeFile(t, config, fmt.Sprintf(`
data_dir: %[1]s/data
admin: {listen: "%[2]s"}
shutdown_timeout: 20s
tenants:
  prod:
    url: http://%[3]s
    api_key_file: ${CREDENTIALS_DIRECTORY}/api-key
    api_secret_file: ${CREDENTIALS_DIRECTORY}/api-secret
    sources: [am-core]
sinks:
  archive: {type: file, path: "%[1]s/out/{source}.ndjson"}
`, dir, admin, tenant))
	p := startWith(t, []string{
		"CREDENTIALS_DIRECTORY=" + credentials, "NOTIFY_SOCKET=" + socket,
		fmt.Sprintf("WATCHDOG_USEC=%d", (300 * time.Millisecond).Microseconds()),
	}, "run", "--config", config)

	said := awaitMessage(t, l, "READY=1")
	if strings.Contains(said, "STOPPING") {
		t.Errorf("before it was ready: %q", said)
	}
	if _, status := get("http://" + admin + "/healthz"); status != 200 {
		t.Errorf("ready, but /healthz answers %d", status)
	}
	if _, err := os.Stat(filepath.Join(dir, "data", "state.db")); err != nil {
		t.Error("ready, but:", err)
	}
	awaitMessage(t, l, "WATCHDOG=1")
	awaitMessage(t, l, "STATUS=ready: 1 source entries, 1 sinks")

	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	awaitMessage(t, l, "RELOADING=1\nMONOTONIC_USEC=")
	awaitMessage(t, l, "READY=1")

	p.signal()
	awaitMessage(t, l, "STOPPING=1\nEXTEND_TIMEOUT_USEC=35000000\n")
	if code := p.wait(); code != exitDone {
		t.Errorf("exit code %d, want %d", code, exitDone)
	}
}

// awaitMessage reads messages until one contains the text, and returns those before
// it.
func awaitMessage(t *testing.T, l *net.UnixConn, text string) string {
	t.Helper()
	if err := l.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	var before strings.Builder
	b := make([]byte, 4096)
	for {
		n, err := l.Read(b)
		if err != nil {
			t.Fatalf("waited in vain for %q: %v; got\n%s", text, err, before.String())
		}
		if strings.Contains(string(b[:n]), text) {
			return before.String()
		}
		fmt.Fprintf(&before, "%s\n", b[:n])
	}
}
