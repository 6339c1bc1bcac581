package servers

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Certificates names PEM files that were made for one test.
type Certificates struct {
	// CA holds the authority that signed the others.
	CA string
	// ClientCert and ClientKey are for clients that log in with a certificate.
	ClientCert, ClientKey string
	// server holds the key and then the certificate of the server.
	server string
}

// newCertificates makes an authority, and has it sign one certificate for
// 127.0.0.1 and localhost and one for a client.
func newCertificates(dir string) (Certificates, error) {
	c := Certificates{
		CA:         filepath.Join(dir, "ca.pem"),
		server:     filepath.Join(dir, "server.pem"),
		ClientCert: filepath.Join(dir, "client.pem"),
		ClientKey:  filepath.Join(dir, "client-key.pem"),
	}
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "aictail test authority"},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	caKey, caCert, err := sign(authority, nil, nil)
	if err != nil {
		return c, err
	}
	signed, err := x509.ParseCertificate(caCert)
	if err != nil {
		return c, err
	}
	serverKey, serverCert, err := sign(&x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, signed, caKey)
	if err != nil {
		return c, err
	}
	clientKey, clientCert, err := sign(&x509.Certificate{
		SerialNumber: big.NewInt(3), Subject: pkix.Name{CommonName: "aictail"},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, signed, caKey)
	if err != nil {
		return c, err
	}
	for path, content := range map[string][]byte{
		c.CA:         certPEM(caCert),
		c.server:     append(keyPEM(serverKey), certPEM(serverCert)...),
		c.ClientCert: certPEM(clientCert),
		c.ClientKey:  keyPEM(clientKey),
	} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return c, err
		}
	}
	return c, nil
}

// sign makes a key and its certificate. Without a parent it signs itself.
func sign(template, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) (*ecdsa.PrivateKey, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	if parent == nil {
		parent, parentKey = template, key
	}
	template.NotBefore = time.Now().Add(-time.Hour)
	template.NotAfter = time.Now().Add(24 * time.Hour)
	cert, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, parentKey)
	return key, cert, err
}

func certPEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func keyPEM(key *ecdsa.PrivateKey) []byte {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err) // it can encode every key on a named curve
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}
