package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipstream-go/slipstream"
)

// readyTimeout bounds the question: health checks must end.
const readyTimeout = 10 * time.Second

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
		ctx, cancel := context.WithTimeout(cmd.Context(), readyTimeout)
		defer cancel()
		address, err := askReady(ctx, cfg.WithDefaults())
		if err != nil {
			return err
		}
		return write(cmd.OutOrStdout(), "OK: "+address+"\n")
	}
	return cmd
}

// askReady returns the address that it asked.
func askReady(ctx context.Context, c slipstream.Config) (string, error) {
	var client http.Client
	host := net.JoinHostPort(loopback(c.AdminServerHost), strconv.Itoa(c.AdminServerPort))
	switch {
	case c.AdminServerUnixSocket != "":
		host = "localhost"
		client.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", c.AdminServerUnixSocket)
		}}
	case c.AdminServerPort < 1:
		return "", fmt.Errorf("the address of the admin server is not known; set admin-server-port to a port")
	}
	address := "http://" + host + "/ready"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	response, err := client.Do(request)
	if err != nil {
		return "", fmt.Errorf("not running: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("not ready: %s answers %s", address, response.Status)
	}
	return address, nil
}

// loopback is where a server that listens on host can be asked on the same machine.
func loopback(host string) string {
	switch {
	case host == "*6" || host == "!6" || host == "::":
		return "::1"
	case strings.ContainsAny(host, "*!") || host == "0.0.0.0":
		return "127.0.0.1"
	}
	return host
}
