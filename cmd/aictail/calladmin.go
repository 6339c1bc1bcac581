package main

import (
	"context"
	"errors"

	"aictail/cmd/internal/admin"
	"aictail/cmd/internal/config"
)

// callAdmin sends a request to the running daemon and decodes the answer into out if
// that is not nil.
func callAdmin(ctx context.Context, cfg *config.Config, method, path string, body, out any) error {
	if cfg.Admin.Listen == "" {
		return errors.New("a daemon runs on this data_dir, and its admin server is off: set admin.listen, or stop the daemon first")
	}
	client, err := admin.NewClient(cfg.Admin)
	if err != nil {
		return err
	}
	return client.Call(ctx, method, path, body, out)
}
