package edge_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/edge"
)

// draining is h as a server that drains needs it.
func draining(h http.HandlerFunc) func(*edge.Server) http.Handler {
	return func(s *edge.Server) http.Handler {
		return edge.Chain(h, edge.Observe(edge.Observer{Draining: s.Draining}))
	}
}

func TestDrainLetsRequestsFinish(t *testing.T) {
	const clients = 50
	entered, release := make(chan struct{}, clients), make(chan struct{})
	srv := serve(t, edge.ServerOptions{}, draining(func(w http.ResponseWriter, _ *http.Request) {
		entered <- struct{}{}
		<-release
		_, _ = io.WriteString(w, "done")
	}))
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			res, err := srv.client.Get(srv.url)
			if err != nil {
				t.Errorf("request failed: %v", err)
				return
			}
			defer res.Body.Close()
			if body, err := io.ReadAll(res.Body); err != nil || string(body) != "done" || !res.Close {
				t.Errorf("got %q, %v, Connection: close is %v", body, err, res.Close)
			}
		})
	}
	for range clients {
		<-entered
	}
	srv.stop()
	waitUntil(srv.Draining)
	close(release)
	wg.Wait()
	if err := <-srv.done; err != nil {
		t.Errorf("drain: %v", err)
	}
	if conn, err := net.Dial("tcp", srv.Addr().String()); err == nil {
		conn.Close()
		t.Error("a drained server takes connections")
	}
}

// Clients that send one request after another over kept connections see no failure: the last
// answer tells them to go elsewhere.
func TestDrainFailsNoRequestOnKeptConnections(t *testing.T) {
	const clients = 20
	srv := serve(t, edge.ServerOptions{LastCall: time.Minute}, draining(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "done")
	}))
	started := make(chan struct{}, clients)
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			for n := 0; ; n++ {
				res, err := client.Get(srv.url)
				if err != nil {
					t.Errorf("request %d failed: %v", n, err)
					return
				}
				_, _ = io.Copy(io.Discard, res.Body)
				res.Body.Close()
				if n == 0 {
					started <- struct{}{}
				}
				if res.Close {
					return
				}
			}
		})
	}
	for range clients {
		<-started
	}
	srv.stop()
	wg.Wait()
	if err := <-srv.done; err != nil {
		t.Errorf("drain: %v", err)
	}
}

func TestDrainTimeoutCutsRequests(t *testing.T) {
	entered, ended := make(chan struct{}), make(chan struct{})
	srv := serve(t, edge.ServerOptions{DrainTimeout: time.Millisecond, LastCall: time.Millisecond},
		draining(func(_ http.ResponseWriter, r *http.Request) {
			close(entered)
			<-r.Context().Done()
			close(ended)
		}))
	go func() {
		if res, err := srv.client.Get(srv.url); err == nil {
			res.Body.Close()
			t.Error("a cut request has an answer")
		}
	}()
	<-entered
	srv.stop()
	if err := <-srv.done; err == nil || !strings.Contains(err.Error(), "1 connections cut") {
		t.Errorf("drain: %v", err)
	}
	<-ended // its context ended too
}

func TestDrainDelayStillTakesConnections(t *testing.T) {
	t.Parallel()
	srv := serve(t, edge.ServerOptions{DrainDelay: 2 * time.Second}, draining(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			_, _ = io.WriteString(w, "late")
		}
	}))
	srv.stop()
	waitUntil(srv.Draining)
	res, body := srv.do(t, "GET", "/")
	if body != "late" || !res.Close {
		t.Errorf("got %q, Connection: close is %v", body, res.Close)
	}
	if res, _ := srv.do(t, "GET", "/empty"); !res.Close {
		t.Error("an answer that the handler did not write keeps its connection")
	}
	if err := <-srv.done; err != nil {
		t.Errorf("drain: %v", err)
	}
}

func waitUntil(condition func() bool) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !condition() {
		<-tick.C
	}
}

func TestLive(t *testing.T) {
	for name, address := range map[string]edge.Address{
		"tcp":  {},
		"any":  {Host: "*"},
		"unix": {Socket: filepath.Join(t.TempDir(), "s")},
	} {
		t.Run(name, func(t *testing.T) {
			srv := edge.NewServer(edge.ServerOptions{Address: address})
			if srv.Addr() != nil || srv.Live(t.Context()) == nil {
				t.Error("live before it listens")
			}
			ctx, stop := context.WithCancel(t.Context())
			if err := srv.Listen(ctx); err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go func() { done <- srv.Serve(ctx, http.NotFoundHandler()) }()
			if err := srv.Live(t.Context()); err != nil {
				t.Errorf("serving: %v", err)
			}
			stop()
			if err := <-done; err != nil {
				t.Error(err)
			}
			if err := srv.Live(t.Context()); err != nil || !srv.Draining() {
				t.Errorf("a draining server must not be restarted: %v", err)
			}
		})
	}
}

func TestServeReportsAnAddressInUse(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	taken := edge.Address{Port: ln.Addr().(*net.TCPAddr).Port}
	err = edge.NewServer(edge.ServerOptions{Address: taken}).Serve(t.Context(), http.NotFoundHandler())
	if err == nil || !strings.Contains(err.Error(), "listen: ") {
		t.Errorf("got %v", err)
	}
}

func TestSlowHeadersAreCut(t *testing.T) {
	srv := serve(t, edge.ServerOptions{ReadHeaderTimeout: time.Millisecond}, func(*edge.Server) http.Handler {
		return http.NotFoundHandler()
	})
	conn, err := net.Dial("tcp", srv.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n") // and no more
	// It ends only if the server ends it, with a reset where that had not read what was sent.
	if _, err := io.ReadAll(conn); err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Error(err)
	}
}
