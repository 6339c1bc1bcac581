package servers

import (
	"fmt"
	"math/rand/v2"
	"net"
	"path/filepath"
	"testing"
)

// Ports of servers lie below those that systems give to outgoing connections.
// While a server is down, a client that keeps dialling it could otherwise be
// given the server's own port, and the server could not start again.
const (
	firstPort = 20000
	lastPort  = 22000
)

// reservePort returns a loopback port that no other test uses, in any process,
// until this one has ended.
func reservePort(t testing.TB, cache string) int {
	t.Helper()
	for range 1000 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		unlock, ok := tryLock(filepath.Join(cache, "ports", fmt.Sprint(port)))
		if !ok {
			continue
		}
		listener, err := net.Listen("tcp", loopback(port))
		if err != nil {
			unlock()
			continue
		}
		t.Cleanup(unlock)
		if err := listener.Close(); err != nil {
			t.Fatal(err)
		}
		return port
	}
	t.Fatalf("no free port between %d and %d, or %s can't be written", firstPort, lastPort, cache)
	return 0
}

func loopback(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
