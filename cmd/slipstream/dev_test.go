package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// liveOutput is what a running command has printed so far.
type liveOutput struct {
	mu   sync.Mutex
	text bytes.Buffer
	grew chan struct{}
}

func (o *liveOutput) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text.Write(p)
	select {
	case o.grew <- struct{}{}:
	default:
	}
	return len(p), nil
}

func (o *liveOutput) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// startDev runs "slipstream dev" in dir until stop, which returns its exit code and all that it printed.
func startDev(t *testing.T, dir string) (welcome string, stop func() (int, string)) {
	t.Helper()
	out := &liveOutput{grew: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"dev", "--data", dir, "--scale", "0.01", "--server-port", "0", "--admin-server-port", "0"}, out, io.Discard)
	}()
	stop = sync.OnceValues(func() (int, string) {
		cancel()
		return <-ended, out.String()
	})
	t.Cleanup(func() { stop() })
	for !strings.Contains(out.String(), "Ctrl-C stops all of it") {
		select {
		case <-out.grew:
		case code := <-ended:
			ended <- code
			t.Fatalf("dev ended with %d:\n%s", code, out)
		}
	}
	return out.String(), stop
}

func TestDevServesTheSampleAndKeepsIt(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	welcome, stop := startDev(t, dir)
	if !strings.Contains(welcome, "sample data 100%") {
		t.Errorf("no progress of the load in:\n%s", welcome)
	}
	curls := curlLines(welcome)
	if len(curls) != 5 {
		t.Fatalf("%d curl lines, want 5, in:\n%s", len(curls), welcome)
	}
	token := regexp.MustCompile(`export TOKEN=(\S+)`).FindStringSubmatch(welcome)
	if token == nil {
		t.Fatalf("no token in:\n%s", welcome)
	}
	for _, line := range curls {
		if body := curl(t, line, token[1]); !strings.HasPrefix(body, "[{") {
			t.Errorf("%s\ngives %s", line, body)
		}
	}
	if code, text := stop(); code != 0 {
		t.Errorf("Ctrl-C ends dev with %d:\n%s", code, text)
	}

	again, stop := startDev(t, dir)
	if strings.Contains(again, "sample data") {
		t.Errorf("the second start loads again:\n%s", again)
	}
	if !strings.Contains(curl(t, curlLines(again)[2], token[1]), "order_items") {
		t.Error("the first start's token is not good for the second")
	}
	stop()
}

// Mistakes are told before a database is started.
func TestDevMistakes(t *testing.T) {
	for _, c := range []struct {
		flag, value, want string
		code              int
	}{
		{"--scale", "2", "at most 1", exitUsage},
		{"--config", "slipstream.yaml", "reads no file", exitUsage},
		{"--db-pool", "many", "not a whole number", exitFailure},
		{"--priorities", "{orders: vip}", "no tier", exitFailure},
		{"--admin-server-port", "3000", "server-port too", exitFailure},
	} {
		data := filepath.Join(t.TempDir(), "data")
		var stderr bytes.Buffer
		code := run(t.Context(), []string{"dev", "--data", data, c.flag, c.value}, io.Discard, &stderr)
		if _, err := os.Stat(data); code != c.code || !strings.Contains(stderr.String(), c.want) || err == nil {
			t.Errorf("%s %s: exit code %d, %v: %s", c.flag, c.value, code, err, stderr.String())
		}
	}
}

func curlLines(welcome string) []string {
	return regexp.MustCompile(`(?m)^curl .*$`).FindAllString(welcome, -1)
}

// curl does what a curl line of the welcome asks for.
func curl(t *testing.T, line, token string) string {
	t.Helper()
	address := regexp.MustCompile(`'(http[^']*)'`).FindStringSubmatch(line)[1]
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range regexp.MustCompile(`-H ['"]([^:]+): ([^'"]+)['"]`).FindAllStringSubmatch(line, -1) {
		req.Header.Set(h[1], os.Expand(h[2], func(string) string { return token }))
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		t.Errorf("%s: %s %v", line, resp.Status, err)
	}
	return string(body)
}
