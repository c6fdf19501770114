package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/slipstream-go/slipstream"
)

// adminTimeout bounds a question to a running server: health checks must end.
const adminTimeout = 10 * time.Second

// adminClient asks the admin server of a running server.
type adminClient struct {
	http.Client
	base string // such as http://127.0.0.1:3001
}

// newAdminClient finds the admin server of the server that runs with a configuration, which has its defaults.
func newAdminClient(c slipstream.Config) (*adminClient, error) {
	a := &adminClient{Client: http.Client{Timeout: adminTimeout}}
	a.base = "http://" + net.JoinHostPort(loopback(c.AdminServerHost), strconv.Itoa(c.AdminServerPort))
	switch {
	case c.AdminServerUnixSocket != "":
		a.base = "http://localhost"
		a.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", c.AdminServerUnixSocket)
		}}
	case c.AdminServerPort < 1:
		return nil, errors.New("the address of the admin server is not known; set admin-server-port to a port")
	}
	return a, nil
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

// send sends a JSON document, or nothing, and gives the answer whatever its status.
func (a *adminClient) send(ctx context.Context, method, path string, document any) (*http.Response, error) {
	var body io.Reader
	if document != nil {
		b, err := json.Marshal(document)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(b)
	}
	request, err := http.NewRequestWithContext(ctx, method, a.base+path, body)
	if err != nil {
		return nil, err
	}
	if document != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := a.Do(request)
	if err != nil {
		return nil, fmt.Errorf("not running: %w", err)
	}
	return response, nil
}

// ask is send for what answers with JSON.
func (a *adminClient) ask(ctx context.Context, method, path string, document any) ([]byte, error) {
	response, err := a.send(ctx, method, path, document)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("%s%s: %w", a.base, path, err)
	}
	if response.StatusCode == http.StatusOK {
		return body, nil
	}
	var refusal struct{ Message, Hint string }
	if json.Unmarshal(body, &refusal) != nil || refusal.Message == "" {
		return nil, fmt.Errorf("%s%s answers %s; is it the admin server of this version?", a.base, path, response.Status)
	}
	return nil, errors.New(strings.TrimSuffix(refusal.Message+"; "+refusal.Hint, "; "))
}
