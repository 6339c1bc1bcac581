package service

import (
	"aictail/cmd/internal/config"
	"aictail/tailer/aic"
)

// NewClient returns the client of a configured tenant. version is aictail's own.
func NewClient(t config.Tenant, version string) (*aic.Client, error) {
	return aic.New(aic.Config{
		URL: t.URL, Key: t.APIKey.Value(), Secret: t.APISecret.Value(),
		TLS:       TenantTLS(t),
		UserAgent: "aictail/" + version, Timeout: t.Poll.Timeout,
	})
}

// TenantTLS says whom a tenant's client trusts.
func TenantTLS(t config.Tenant) aic.TLS {
	return aic.TLS{CAFile: t.TLS.CAFile, CertFile: t.TLS.CertFile, KeyFile: t.TLS.KeyFile, ServerName: t.TLS.ServerName}
}
