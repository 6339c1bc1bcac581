package main

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"aictail/tailer/simulator"
)

// TestProxy reaches a tenant through the proxy that HTTPS_PROXY names, by a certificate
// of an authority that only tls.ca_file knows. The tenant's name exists nowhere else.
func TestProxy(t *testing.T) {
	dir := t.TempDir()
	own := testCertificate(t, dir)
	tenant, err := simulator.New(simulator.Options{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: tenant}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	asked := make(chan string, 10)
	proxy := tunnel(t, l.Addr().String(), asked)

	config := filepath.Join(dir, "aictail.yaml")
	write := func(tls string) {
		writeFile(t, config, fmt.Sprintf(`
tenants: {prod: {url: "https://example.com", api_key: x, api_secret: y, sources: [am-core], tls: %s}}
sinks: {archive: {type: file, path: "%s/{source}.ndjson"}}
`, tls, dir))
	}
	t.Setenv("HTTPS_PROXY", "http://soc:Zq7-proxy@"+proxy)
	write("{ca_file: cert.pem}")
	p := start(t, "sources", "--config", config)
	if code := p.wait(); code != exitDone || !strings.Contains(p.log.String(), "am-core") {
		t.Errorf("exit code %d:\n%s", code, p.log)
	}
	if got := <-asked; got != "CONNECT example.com:443" {
		t.Errorf("the proxy was asked to %s", got)
	}
	for range len(asked) {
		<-asked
	}
	p = start(t, "doctor", "--config", config)
	p.wait()
	if log := p.log.String(); !strings.Contains(log, "the tenant accepts the API key") || strings.Contains(log, "Zq7-proxy") {
		t.Errorf("doctor:\n%s", log)
	}
	write("{}")
	p = start(t, "sources", "--config", config)
	if code := p.wait(); code != exitFailed || !strings.Contains(p.log.String(), "tls.ca_file") || strings.Contains(p.log.String(), "Zq7-proxy") {
		t.Errorf("without its authority: exit code %d:\n%s", code, p.log)
	}
}

// tunnel is a proxy that connects whoever asks to one address, whatever they ask for.
func tunnel(t *testing.T, address string, asked chan<- string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				req, err := http.ReadRequest(bufio.NewReader(c))
				if err != nil {
					return
				}
				asked <- req.Method + " " + req.Host
				behind, err := net.Dial("tcp", address)
				if err != nil {
					return
				}
				defer behind.Close()
				io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
				go io.Copy(behind, c)
				io.Copy(c, behind)
			}()
		}
	}()
	return l.Addr().String()
}
