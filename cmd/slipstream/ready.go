package main

import (
	"context"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/slipstream-go/slipstream"
)

func readyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ready",
		Short: "Ask a running server whether it is ready, for health checks",
		Long:  "Ask the admin server of a running server with this configuration for /ready; the exit code is 0 if it is.",
		Args:  noArguments,
	}
	options := addOptionFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := options.load(cmd)
		if err != nil {
			return err
		}
		address, err := askReady(cmd.Context(), cfg.WithDefaults())
		if err != nil {
			return err
		}
		return write(cmd.OutOrStdout(), "OK: "+address+"\n")
	}
	return cmd
}

// askReady returns the address that it asked.
func askReady(ctx context.Context, c slipstream.Config) (string, error) {
	const path = "/ready"
	admin, err := newAdminClient(c)
	if err != nil {
		return "", err
	}
	response, err := admin.send(ctx, http.MethodGet, path, nil)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("not ready: %s answers %s", admin.base+path, response.Status)
	}
	return admin.base + path, nil
}
