package service

import (
	"aictail/cmd/internal/config"
	"aictail/tailer/aic"
)

// NewClient returns the client of a configured tenant. version is aictail's own.
func NewClient(t config.Tenant, version string) (*aic.Client, error) {
	encryption, err := t.TLS.Config()
	if err != nil {
		return nil, err
	}
	return aic.New(aic.Config{
		URL: t.URL, Key: t.APIKey.Value(), Secret: t.APISecret.Value(),
		TLS:       encryption,
		UserAgent: "aictail/" + version, Timeout: t.Poll.Timeout,
	})
}
