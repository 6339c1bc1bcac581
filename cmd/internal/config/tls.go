package config

import "path/filepath"

// ClientTLS is whom a client trusts and who it is itself. Empty is the system's
// authorities and no certificate of our own.
type ClientTLS struct {
	// CAFile has the authorities to trust in place of the system's, in PEM form. A relative
	// path starts at the folder of the configuration.
	CAFile string `config:"ca_file"`
	// CertFile is a certificate of aictail's own, in PEM form, if the server asks for one.
	CertFile string `config:"cert_file"`
	// KeyFile is its key.
	KeyFile string `config:"key_file"`
	// ServerName is the name in the server's certificate, if it is not that in the address.
	ServerName string `config:"server_name"`
}

// resolve lets relative paths start at the folder of the configuration file, to
// which the files belong.
func (t *ClientTLS) resolve(folder string) {
	for _, path := range []*string{&t.CAFile, &t.CertFile, &t.KeyFile} {
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(folder, *path)
		}
	}
}

// clientTLS checks what can be checked without opening the files.
func (v *validator) clientTLS(path string, t ClientTLS) {
	switch {
	case t.CertFile != "" && t.KeyFile == "":
		v.add(below(path, "key_file"), "missing beside cert_file: give the certificate's key")
	case t.CertFile == "" && t.KeyFile != "":
		v.add(below(path, "cert_file"), "missing beside key_file: give the key's certificate")
	}
}
