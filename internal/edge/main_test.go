package edge_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"testing"

	"go.uber.org/goleak"

	"github.com/slipstream-go/slipstream/internal/edge"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// running is a server on a loopback port of its own.
type running struct {
	*edge.Server
	url    string
	client *http.Client
	stop   context.CancelFunc // begins the drain
	done   chan error         // what Serve returned
}

// serve starts a server that is drained at the end of the test, at the latest.
func serve(t *testing.T, o edge.ServerOptions, handler func(*edge.Server) http.Handler) *running {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	srv := edge.NewServer(o)
	if err := srv.Listen(ctx); err != nil {
		stop()
		t.Fatal(err)
	}
	r := &running{
		Server: srv,
		url:    "http://" + srv.Addr().String(),
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}},
		stop:   stop,
		done:   make(chan error, 1),
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.done <- srv.Serve(ctx, handler(srv))
	}()
	t.Cleanup(func() {
		stop()
		r.client.CloseIdleConnections()
		<-ended
	})
	return r
}

// plain serves h with middleware alone.
func plain(t *testing.T, h http.Handler, around ...edge.Middleware) *running {
	t.Helper()
	return serve(t, edge.ServerOptions{}, func(*edge.Server) http.Handler { return edge.Chain(h, around...) })
}

// do sends a request and returns the answer with its body read.
func (r *running) do(t *testing.T, method, path string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, r.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	res, err := r.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}
