package main

import (
	"crypto/tls"
	"path/filepath"
	"testing"

	"aictail/sinks/sinktest"
)

// testCertificate returns a certificate that is its own authority, and writes it and its
// key to cert.pem and key.pem in a folder.
func testCertificate(t *testing.T, dir string) tls.Certificate {
	t.Helper()
	return sinktest.Certificate(t, "test", filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
}
